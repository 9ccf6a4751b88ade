/* SPDX-License-Identifier: MIT */
/* Writes small VMDK files. They are made from the description of the format and share nothing with
 * the library. */
#ifndef VMDK_TEST_IMAGE_H
#define VMDK_TEST_IMAGE_H

#include "support/bytes.h"

/* The text of a descriptor. What is NULL is left out. */
struct descriptor {
  const char* type; /* createType; NULL = "custom" */
  uint32_t cid;     /* 0 = 0x11111111 */
  uint32_t parent;  /* parentCID; 0 = none */
  const char* hint; /* parentFileNameHint */
  const char* encoding;
  const char* extents; /* lines, each with its line end */
  const char* more;    /* more lines: the disk database */
};
struct bytes descriptor_bytes(const struct descriptor* descriptor);

/* A sparse extent. One letter for each grain: '.' absent, '0' zeros, 'D' data, 'E' data stored
 * behind all the 'D'. Grains beyond the text are absent. Data is the pattern of `seed` at its place
 * on the disk. */
struct sparse {
  uint64_t sectors;
  uint32_t grain_sectors; /* 0 = 128 */
  uint32_t gtes;          /* entries of a table; 0 = 512 */
  const char* grains;
  uint32_t seed;
  uint64_t disk_offset;                /* where the extent begins on the disk */
  const struct descriptor* descriptor; /* embedded; NULL = none */
  int unclean;
  int without_redundant;
};

/* Where things are, in bytes. Tables follow each other. */
struct layout {
  uint64_t redundant_directory, redundant_tables, directory, tables, data;
};

/* `layout` may be NULL. */
struct bytes hosted_bytes(const struct sparse* sparse, struct layout* layout);
struct bytes stream_bytes(const struct sparse* sparse, struct layout* layout);
struct bytes cowd_bytes(const struct sparse* sparse, struct layout* layout);
struct bytes se_bytes(const struct sparse* sparse); /* grains of 8 sectors */

/* File offset of a grain of hosted_bytes(), cowd_bytes(). */
uint64_t grain_place(const struct sparse* sparse, const struct layout* layout, uint64_t grain);

/* Writes what the extent holds over what a model of the disk holds: absent grains are left alone.
 */
void model_put(unsigned char* model, uint64_t size, const struct sparse* sparse);

#endif
