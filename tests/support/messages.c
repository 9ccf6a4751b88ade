/* SPDX-License-Identifier: MIT */
#include "support/messages.h"

#include "support/check.h"

static void take(void* user, int32_t level, const char* message) {
  struct messages* messages = user;
  size_t length = strlen(message);
  char* text;

  (void)pthread_mutex_lock(&messages->mutex);
  if (++messages->running > 1) messages->overlapped = 1;
  (void)pthread_mutex_unlock(&messages->mutex);

  (void)pthread_mutex_lock(&messages->mutex);
  if (level == VMDK_LEVEL_NOTE)
    ++messages->notes;
  else if (level == VMDK_LEVEL_WARNING)
    ++messages->warnings;
  else
    ++messages->others;
  if (!is_clean_line(message)) ++messages->unclean;
  text = realloc(messages->text, messages->size + length + 8);
  if (text == NULL) abort();
  messages->text = text;
  messages->size += (size_t)sprintf(text + messages->size, "%d ", (int)level);
  memcpy(text + messages->size, message, length);
  messages->size += length;
  text[messages->size++] = '\n';
  text[messages->size] = 0;
  --messages->running;
  (void)pthread_mutex_unlock(&messages->mutex);
}

void messages_init(struct messages* messages) {
  memset(messages, 0, sizeof(*messages));
  (void)pthread_mutex_init(&messages->mutex, NULL);
  messages->text = allocate(1);
  messages->text[0] = 0;
}

void messages_free(struct messages* messages) {
  free(messages->text);
  (void)pthread_mutex_destroy(&messages->mutex);
}

void messages_attach(struct messages* messages, vmdk_open_options* options) {
  options->on_message = take;
  options->message_user = messages;
}
