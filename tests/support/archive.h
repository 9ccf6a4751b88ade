/* SPDX-License-Identifier: MIT */
/* Writes tar files. */
#ifndef VMDK_TEST_ARCHIVE_H
#define VMDK_TEST_ARCHIVE_H

#include "support/bytes.h"

/* A member; frees `content`. The header is at *header if that is not NULL. */
void tar_add(struct bytes* tar, const char* name, struct bytes content, size_t* header);

/* A header of any type with this content, such as 'x' (pax), 'L' (long name), '5' (directory). */
void tar_add_special(struct bytes* tar, char type, const char* name, const void* content,
                     size_t size);

/* A pax header with one record for the member that follows. */
void tar_add_pax(struct bytes* tar, const char* key, const char* value);

/* The GNU way of giving the member that follows a long name. */
void tar_add_long_name(struct bytes* tar, const char* name);

/* Computes the checksum of the header at `header` anew. */
void tar_sign(struct bytes* tar, size_t header);

/* The blocks of zeros that end it. */
void tar_end(struct bytes* tar);

#endif
