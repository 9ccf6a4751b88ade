/* SPDX-License-Identifier: MIT */
/* Collects what vmdk_open_options::on_message is told. */
#ifndef VMDK_TEST_MESSAGES_H
#define VMDK_TEST_MESSAGES_H

#include <pthread.h>
#include <stddef.h>
#include <vmdk/vmdk.h>

struct messages {
  pthread_mutex_t mutex;
  int running;    /* calls at this moment */
  int overlapped; /* two calls at the same time were seen */
  int notes, warnings, others;
  int unclean; /* messages that were not one clean line */
  char* text;  /* all of them, a line each, with the level in front */
  size_t size;
};

void messages_init(struct messages* messages);
void messages_free(struct messages* messages);

/* Makes the options give their messages here. */
void messages_attach(struct messages* messages, vmdk_open_options* options);

#endif
