/* SPDX-License-Identifier: MIT */
/* A vmdk_io over files in memory that can be written, created, renamed and removed. It keeps a log
 * of what would change a disk, fails when told to, and can be built again from any part of the log.
 * Content is kept in pages that copies share, so that large empty files and many copies cost
 * little. */
#ifndef VMDK_TEST_RECORDING_IO_H
#define VMDK_TEST_RECORDING_IO_H

#include <pthread.h>
#include <vmdk/vmdk.h>

#include "support/bytes.h"

/* ---- Files ---- */

#define STORE_PAGE 4096u

struct stored_page;
struct stored_slot {
  uint64_t index; /* offset / STORE_PAGE */
  struct stored_page* page;
};
struct stored_content {
  long uses;
  uint64_t size;
  struct stored_slot* slots; /* by index; what is not here is zero */
  size_t count, room;
};
struct stored_file {
  char* name;      /* NULL: removed */
  uint32_t number; /* never used twice */
  struct stored_content* content;
};

/* A set of named files. */
struct store {
  struct stored_file* files;
  size_t count, room;
  uint32_t next_number;
};

void store_init(struct store* store);
void store_free(struct store* store);
/* `copy` must not be initialised. The two are independent. */
void store_clone(const struct store* store, struct store* copy);

/* Index of the file, or -1. */
long store_find(const struct store* store, const char* name);
long store_find_number(const struct store* store, uint32_t number);

/* A file; frees the bytes. Replaces one of that name. */
void store_put(struct store* store, const char* name, struct bytes bytes);
/* All bytes of a file that is there. Free them. */
struct bytes store_get(const struct store* store, const char* name);
/* Files that have a name. */
size_t store_names(const struct store* store);

/* `file` is an index. Reading beyond the end gives zeros. */
uint64_t store_size(const struct store* store, long file);
void store_read(const struct store* store, long file, uint64_t offset, void* to, size_t size);
void store_write(struct store* store, long file, uint64_t offset, const void* from, size_t size);
void store_resize(struct store* store, long file, uint64_t size);
void store_clear(struct store* store, long file, uint64_t offset, uint64_t size);

/* Differs if any name or byte does, with all likelihood. */
uint64_t store_hash(const struct store* store);

/* ---- The log ---- */

enum recorded {
  RECORDED_WRITE,
  RECORDED_SIZE, /* `size` is the new size */
  RECORDED_PUNCH,
  RECORDED_SYNC,
  RECORDED_CREATE, /* `name` */
  RECORDED_REMOVE, /* `name` */
  RECORDED_RENAME  /* `name` becomes `to`, which it replaces if it is there */
};

struct record {
  enum recorded kind;
  uint32_t file; /* number; for RECORDED_RENAME that of what is renamed */
  uint64_t offset, size;
  unsigned char* data;
  char *name, *to;
};

struct recording {
  struct record* records;
  size_t count, room;
};

void recording_free(struct recording* recording);

/* Does again what the record did. Names are the caller's affair: what is not there is left out. */
void store_apply(struct store* store, const struct record* record);

/* The files after the first `count` records, made from those before the first. `out` must not be
 * initialised. `durable`: of each file only what was synced; names are durable at once. */
void recording_rebuild(const struct store* before, const struct recording* recording, size_t count,
                       int durable, struct store* out);

/* ---- The vmdk_io ---- */

enum recording_call {
  CALL_OPEN = 1,
  CALL_READ = 2,
  CALL_GET_SIZE = 4,
  CALL_WRITE = 8,
  CALL_SET_SIZE = 16,
  CALL_SYNC = 32,
  CALL_REMOVE = 64,
  CALL_RENAME = 128,
  CALL_PUNCH = 256,
  CALL_CHANGES = CALL_WRITE | CALL_SET_SIZE | CALL_SYNC | CALL_REMOVE | CALL_RENAME | CALL_PUNCH,
  CALL_ANY = 511
};

struct recording_handle;

struct recording_io {
  vmdk_io io; /* for the options; members may be set to NULL */

  /* Set by the test. */
  int recording;                /* keep the log */
  unsigned fail_calls;          /* recording_call values that may fail */
  long fail_at;                 /* the n-th of these calls fails, counted from 1; 0 = none */
  int fail_once;                /* else all later ones fail, too */
  int fail_with;                /* an errno value */
  int fail_short;               /* a write that fails has written sectors of its first half */
  void (*on_call)(int entered); /* around each call; may be NULL */

  /* Counted. */
  pthread_mutex_t mutex;
  long calls;           /* of those that may fail */
  long failed;          /* calls that were made to fail */
  unsigned failed_call; /* the first of them, a recording_call value */
  long syncs;
  long writes;
  long wrong; /* calls on a closed file, reads beyond the end, writes to what was opened to read */
  struct store store;
  struct recording log;
  struct recording_handle* handles;
};

void recording_io_init(struct recording_io* io);
/* With a copy of these files. */
void recording_io_init_from(struct recording_io* io, const struct store* store);
void recording_io_free(struct recording_io* io);

/* From now on: the n-th of `calls` (values of recording_call) fails. n = 0: none. */
void recording_io_fail(struct recording_io* io, unsigned calls, long n, int once, int with);

/* Files that were opened and not closed. */
long recording_io_open_files(struct recording_io* io);

#endif
