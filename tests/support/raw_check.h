/* SPDX-License-Identifier: MIT */
/* Looks at the raw structures of a disk, sharing nothing with the library: header, descriptor,
 * directories, tables and both copies of them. */
#ifndef VMDK_TEST_RAW_CHECK_H
#define VMDK_TEST_RAW_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <vmdk/vmdk.h>

#define RAW_EXTENTS 16u

struct raw_extent {
  uint64_t tables;      /* hash of what both copies of the tables say; 0 where there are none */
  uint64_t differences; /* entries in which the copies differ */
  uint64_t stored;      /* grains */
  uint64_t lost;        /* whole grains that no entry names, behind the first one */
  int unclean;
};

struct raw_result {
  char damage[256]; /* the first one; empty: none */
  uint32_t cid;
  int has_long_id;
  int long_id_agrees; /* ends in the CID */
  uint64_t text;      /* hash of the descriptor but for what changes with the CID */
  size_t extents;
  struct raw_extent extent[RAW_EXTENTS];
};

/* `tables_may_miss`: directory entries may be 0. */
void raw_check(const vmdk_io* io, const char* name, int tables_may_miss, struct raw_result* result);

/* No damage, both copies alike, no extent marked as in use; else says what. `before`: extents that
 * were marked then may be, as those stay marked that nothing is written to; may be NULL. */
int raw_is_clean(const struct raw_result* result, const struct raw_result* before, char* why,
                 size_t size);

/* Read-only files of the local system. */
const vmdk_io* raw_local_files(void);

#endif
