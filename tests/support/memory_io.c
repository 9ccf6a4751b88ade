/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include "support/memory_io.h"

#include <errno.h>
#include <time.h>

#include "support/check.h"

struct memory_file {
  struct memory_file* next;
  struct bytes bytes;
  char name[];
};

struct memory_handle {
  struct memory_handle* next;
  const struct memory_file* file;
  int closed; /* how often */
};

/* Counts a call; gives the errno value it must fail with, or 0. Called with the mutex held. */
static int count(struct memory_io* memory, unsigned call) {
  if ((memory->fail_calls & call) == 0) return 0;
  ++memory->calls;
  if (memory->fail_at == 0 || memory->calls < memory->fail_at) return 0;
  if (memory->fail_once && memory->calls > memory->fail_at) return 0;
  ++memory->failed;
  return memory->fail_with;
}

static int is_open(const struct memory_io* memory, const void* file) {
  const struct memory_handle* handle;

  for (handle = memory->handles; handle != NULL; handle = handle->next)
    if (handle == file) return handle->closed == 0;
  return 0;
}

static int memory_open(void* user, const char* name, uint32_t flags, void** out_file) {
  struct memory_io* memory = user;
  struct memory_name* asked = allocate(sizeof(*asked) + strlen(name) + 1);
  struct memory_file* file;
  int error;

  strcpy(asked->name, name);
  (void)pthread_mutex_lock(&memory->mutex);
  asked->next = memory->names;
  memory->names = asked;
  if (flags != 0) ++memory->wrong;
  error = count(memory, MEMORY_OPEN);
  for (file = memory->files; file != NULL && strcmp(file->name, name) != 0;) file = file->next;
  if (error == 0 && file == NULL) error = ENOENT;
  if (error == 0) {
    struct memory_handle* handle = allocate(sizeof(*handle));
    handle->next = memory->handles;
    handle->file = file;
    handle->closed = 0;
    memory->handles = handle;
    ++memory->opens;
    *out_file = handle;
  }
  (void)pthread_mutex_unlock(&memory->mutex);
  return error;
}

static void memory_close(void* user, void* file) {
  struct memory_io* memory = user;
  struct memory_handle* handle;

  (void)pthread_mutex_lock(&memory->mutex);
  if (!is_open(memory, file)) ++memory->wrong;
  for (handle = memory->handles; handle != NULL; handle = handle->next)
    if (handle == file) ++handle->closed;
  ++memory->closes;
  (void)pthread_mutex_unlock(&memory->mutex);
}

static int memory_read_at(void* user, void* file, uint64_t offset, void* buffer, size_t size) {
  struct memory_io* memory = user;
  const struct memory_handle* handle = file;
  int error;

  (void)pthread_mutex_lock(&memory->mutex);
  ++memory->reads;
  if (++memory->running > memory->most_running) memory->most_running = memory->running;
  error = count(memory, MEMORY_READ);
  if (!is_open(memory, file)) {
    ++memory->wrong;
    error = EBADF;
  } else if (offset > handle->file->bytes.size || size > handle->file->bytes.size - offset) {
    ++memory->wrong;
    error = EIO;
  }
  (void)pthread_mutex_unlock(&memory->mutex);
  if (memory->latency_ns > 0) {
    struct timespec wait = {0, 0};
    wait.tv_nsec = memory->latency_ns;
    (void)nanosleep(&wait, NULL);
  }
  if (error == 0 && size > 0) memcpy(buffer, handle->file->bytes.data + offset, size);
  (void)pthread_mutex_lock(&memory->mutex);
  --memory->running;
  (void)pthread_mutex_unlock(&memory->mutex);
  return error;
}

static int memory_get_size(void* user, void* file, uint64_t* out_size) {
  struct memory_io* memory = user;
  const struct memory_handle* handle = file;
  int error;

  (void)pthread_mutex_lock(&memory->mutex);
  ++memory->sizes;
  error = count(memory, MEMORY_SIZE);
  if (!is_open(memory, file)) {
    ++memory->wrong;
    error = EBADF;
  }
  if (error == 0) *out_size = handle->file->bytes.size;
  (void)pthread_mutex_unlock(&memory->mutex);
  return error;
}

void memory_init(struct memory_io* memory) {
  memset(memory, 0, sizeof(*memory));
  memory->io.struct_size = sizeof(memory->io);
  memory->io.user = memory;
  memory->io.open = memory_open;
  memory->io.close = memory_close;
  memory->io.read_at = memory_read_at;
  memory->io.get_size = memory_get_size;
  memory->fail_calls = MEMORY_ANY;
  memory->fail_with = EIO;
  (void)pthread_mutex_init(&memory->mutex, NULL);
}

void memory_free(struct memory_io* memory) {
  while (memory->files != NULL) {
    struct memory_file* file = memory->files;
    memory->files = file->next;
    bytes_free(&file->bytes);
    free(file);
  }
  while (memory->handles != NULL) {
    struct memory_handle* handle = memory->handles;
    memory->handles = handle->next;
    free(handle);
  }
  while (memory->names != NULL) {
    struct memory_name* name = memory->names;
    memory->names = name->next;
    free(name);
  }
  (void)pthread_mutex_destroy(&memory->mutex);
}

void memory_put(struct memory_io* memory, const char* name, struct bytes bytes) {
  struct memory_file* file = allocate(sizeof(*file) + strlen(name) + 1);

  strcpy(file->name, name);
  file->bytes = bytes;
  file->next = memory->files;
  memory->files = file;
}

struct bytes* memory_file(struct memory_io* memory, const char* name) {
  struct memory_file* file;

  for (file = memory->files; file != NULL; file = file->next)
    if (strcmp(file->name, name) == 0) return &file->bytes;
  return NULL;
}

long memory_leaks(struct memory_io* memory) {
  const struct memory_handle* handle;
  long leaks = 0;

  (void)pthread_mutex_lock(&memory->mutex);
  for (handle = memory->handles; handle != NULL; handle = handle->next)
    if (handle->closed != 1) ++leaks;
  (void)pthread_mutex_unlock(&memory->mutex);
  return leaks;
}

int memory_was_asked(const struct memory_io* memory, const char* name) {
  const struct memory_name* asked;

  for (asked = memory->names; asked != NULL; asked = asked->next)
    if (strcmp(asked->name, name) == 0) return 1;
  return 0;
}
