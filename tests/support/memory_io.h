/* SPDX-License-Identifier: MIT */
/* A vmdk_io over files in memory that counts, fails when told to, and waits. */
#ifndef VMDK_TEST_MEMORY_IO_H
#define VMDK_TEST_MEMORY_IO_H

#include <pthread.h>
#include <vmdk/vmdk.h>

#include "support/bytes.h"

enum memory_call { MEMORY_OPEN = 1, MEMORY_READ = 2, MEMORY_SIZE = 4, MEMORY_ANY = 7 };

struct memory_io {
  vmdk_io io; /* for vmdk_open_options::io */

  /* Set by the test. */
  unsigned fail_calls; /* memory_call values that may fail */
  long fail_at;        /* the n-th of these calls fails, counted from 1; 0 = none */
  int fail_once;       /* else all later ones fail, too */
  int fail_with;       /* an errno value */
  long latency_ns;     /* of each read */

  /* Counted. */
  pthread_mutex_t mutex;
  long calls; /* of those that may fail */
  long opens, closes, reads, sizes;
  long wrong;  /* calls on a closed or unknown file, reads beyond the end, other misuse */
  long failed; /* calls that were made to fail */
  int running, most_running; /* reads at the same time */
  struct memory_file* files;
  struct memory_handle* handles;
  struct memory_name* names; /* all that were asked for, the last one first */
};

struct memory_name {
  struct memory_name* next;
  char name[];
};

void memory_init(struct memory_io* memory);
void memory_free(struct memory_io* memory);

/* A file; frees the bytes. */
void memory_put(struct memory_io* memory, const char* name, struct bytes bytes);

/* The bytes of a file, to damage them. NULL if there is none. */
struct bytes* memory_file(struct memory_io* memory, const char* name);

/* Files that were opened and not closed, or closed more than once. */
long memory_leaks(struct memory_io* memory);

/* Was this name asked for? */
int memory_was_asked(const struct memory_io* memory, const char* name);

#endif
