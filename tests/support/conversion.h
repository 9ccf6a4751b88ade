/* SPDX-License-Identifier: MIT */
/* What conversions are tested with: sources of every kind with a model of their content, the kinds
 * of disk that can be written, and one object that takes everything a conversion tells. */
#ifndef VMDK_TEST_CONVERSION_H
#define VMDK_TEST_CONVERSION_H

#include <pthread.h>
#include <vmdk/vmdk.h>

#include "support/bytes.h"
#include "support/folder.h"
#include "support/stream_check.h"

#define TIB ((uint64_t)1 << 40)
#define FIXED_UUID "60 00 C2 9a 01 02 03 04-05 06 07 08 09 0a 0b 0c"
#define FIXED_LONG_ID "0123456789abcdef0123456712345678"

/* ---- Options ---- */

vmdk_convert_options convert_options(void);
vmdk_create_options create_options(uint32_t type);
/* With nothing random in it. */
vmdk_create_options fixed_create_options(uint32_t type);
/* To monolithicSparse on all threads, or as the type says; `create` is kept. */
vmdk_convert_options options_for(const vmdk_create_options* create, unsigned threads);

/* ---- Kinds of disk ---- */

struct destination {
  uint32_t type;
  const char* name; /* createType */
  int sparse;       /* what is zero takes no space */
  int one_file;
  int in_order; /* written from first byte to last */
};
extern const struct destination destinations[];
extern const size_t destination_count;

/* ---- Sources ---- */

struct source {
  const char *name, *path;
  vmdk_open_options open;
  uint64_t size;
  unsigned char* model;
};

extern const char* const source_kinds[];
extern const size_t source_kind_count;
/* One letter for each 64 KiB (seSparse: 4 KiB), as for struct sparse. */
struct source make_source(struct folder* folder, const char* kind, uint64_t sectors,
                          const char* grains);
vmdk_disk* source_open(const struct source* source);
void source_free(struct source* source);

/* A raw disk of one hole with the pattern of seed 5 in it, a page at each place. NULL if the file
 * system cannot hold it. */
const char* put_holes(struct folder* folder, const char* name, uint64_t size,
                      const uint64_t* places, size_t count);

/* A stream in the shape of QEMU's: tables in front, neither markers for them nor an end, the last
 * grain cut short. In the order of the file the grains of letter 'E' come last. */
struct bytes qemu_stream_bytes(uint64_t sectors, const char* grains, uint32_t seed);

/* One of how many cases is tried where all of them take long: all with VMDK_TEST_THOROUGH in the
 * environment, fewer under a sanitizer. */
unsigned sampling(void);

/* ---- What comes out ---- */

/* Opens a disk that was written and compares; behind `size` and up to `capacity` there are zeros.
 */
void assert_disk_is(const char* path, const struct destination* destination,
                    const unsigned char* model, uint64_t size, uint64_t capacity);
/* A stream, held to what support/stream_check.h holds it to. */
void assert_stream_is(const struct bytes* stream, const unsigned char* model, uint64_t size,
                      uint64_t capacity);
/* Names in the folder. */
unsigned count_entries(const struct folder* folder);
/* Names and bytes of all files in it. */
struct bytes all_files(const struct folder* folder);

/* ---- Streams ---- */

/* Bytes to be read in order: a vmdk_source_fn. */
struct feed {
  const unsigned char* data;
  size_t size, at;
  size_t step;     /* at most so many at once; 0 = as many as are asked for */
  uint64_t random; /* not 0: of random number, up to `step` */
  long fail_at;    /* the n-th call fails, counted from 1; 0 = none */
  int fail_with;
  long calls;
};
struct feed feed_of(const struct bytes* bytes, size_t step);
int feed_next(void* feed, void* buffer, size_t size, size_t* out_size);

/* Bytes in order: a vmdk_sink_fn. */
struct collector {
  struct bytes bytes;
  long fail_at;
  int fail_with;
  long calls;
};
int collect(void* collector, const void* data, size_t size);

/* ---- What a conversion tells ---- */

enum told { TOLD_PROGRESS = 1, TOLD_OUTPUT = 2, TOLD_CONTENT = 4, TOLD_LOST = 8, TOLD_ANY = 15 };

#define MOST_LOST 64u

struct watcher {
  /* Set by the test. */
  const unsigned char* model; /* what on_content must see; NULL: anything */
  uint64_t size, capacity;    /* zeros between the two */
  uint64_t total;             /* what progress must say; UINT64_MAX: anything */
  unsigned cancel;            /* values of enum told: which calls may end it */
  long cancel_at;             /* the n-th of these does, counted from 1; 0 = none */

  /* Counted. */
  struct collector output;
  uint64_t content, done, last_total;
  struct {
    uint64_t offset, size;
  } lost[MOST_LOST];
  unsigned lost_count;
  char last_message[768];
  long calls, progress_calls, calls_after; /* _after: after one that ended it */
  int cancelled;
  pthread_t thread;
  char wrong[256]; /* the first thing that is not as promised; empty: none */
};
/* Sets the functions whose values `told` has. */
void watch(struct watcher* watcher, vmdk_convert_options* options, unsigned told,
           const unsigned char* model, uint64_t size, uint64_t capacity);
/* All was told to the end. */
void assert_watched(const struct watcher* watcher, unsigned told);
void watcher_free(struct watcher* watcher);

#endif
