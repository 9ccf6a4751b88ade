/* SPDX-License-Identifier: MIT */
/* The content of a file that is being made, and the pattern that disks are filled with. */
#ifndef VMDK_TEST_BYTES_H
#define VMDK_TEST_BYTES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
  unsigned char* data;
  size_t size;
};

void bytes_free(struct bytes* bytes);
void bytes_append(struct bytes* bytes, const void* data, size_t size);

/* Grows with zeros, or cuts. */
void bytes_resize(struct bytes* bytes, size_t size);

/* Numbers as VMDK files have them, growing where needed. */
void bytes_set16(struct bytes* bytes, size_t at, uint16_t value);
void bytes_set32(struct bytes* bytes, size_t at, uint32_t value);
void bytes_set64(struct bytes* bytes, size_t at, uint64_t value);

/* Appends a text as printf() makes it, without its NUL. */
void bytes_print(struct bytes* bytes, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
void bytes_vprint(struct bytes* bytes, const char* format, va_list list)
    __attribute__((format(printf, 2, 0)));

struct bytes bytes_text(const char* text);
struct bytes bytes_copy(const struct bytes* bytes);

/* What stands at `offset` of the disk `seed`; never twice alike, and half of it compresses. */
unsigned char pattern(uint32_t seed, uint64_t offset);
void pattern_fill(uint32_t seed, uint64_t offset, void* to, size_t size);

/* A flat file: the pattern from `offset` of the disk on. */
struct bytes pattern_bytes(uint32_t seed, uint64_t offset, size_t size);

#endif
