/* SPDX-License-Identifier: MIT */
/* Walks a streamOptimized file from first byte to last, as the programs that import one do, and
 * holds it to the layout of VMware's own writers: more than a reader needs to read it. Shares
 * nothing with the library. */
#ifndef VMDK_TEST_STREAM_CHECK_H
#define VMDK_TEST_STREAM_CHECK_H

#include "support/bytes.h"

struct stream_check {
  /* May be set after stream_check_begin(): sees each grain, without what lies beyond the disk. */
  void (*on_grain)(void* user, uint64_t offset, const unsigned char* bytes, size_t size);
  void* user;

  /* Result. */
  char damage[256]; /* the first violation; empty: none */
  uint64_t damage_at;
  uint64_t capacity, grain_bytes;
  uint32_t cid;
  uint64_t grains, tables; /* stored ones */
  uint64_t packed;         /* compressed bytes of all grains */
  struct bytes text;       /* the descriptor, without the padding */

  /* Its own. */
  struct bytes block; /* from where it reads up to what it needs next */
  size_t have;
  uint64_t at; /* where the block begins */
  int stage;
  unsigned char header[512];
  uint32_t entries[512];   /* of the table whose grains come */
  uint64_t next;           /* the first grain that may come */
  int pending;             /* grains came, their table did not */
  uint32_t* directory;     /* what the tables say so far */
  uint64_t table_count;    /* that the disk needs */
  unsigned char* inflated; /* one grain */
};

void stream_check_begin(struct stream_check* check);
/* The next bytes; gives 0, or EILSEQ once something is wrong. */
int stream_check_feed(struct stream_check* check, const void* bytes, size_t size);
/* No more bytes; gives the same. */
int stream_check_end(struct stream_check* check);
void stream_check_free(struct stream_check* check);

/* All of a file. */
int stream_check_bytes(struct stream_check* check, const void* bytes, size_t size);

#endif
