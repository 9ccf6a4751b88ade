/* SPDX-License-Identifier: MIT */
#include "support/bytes.h"

#include "support/check.h"

void bytes_free(struct bytes* bytes) {
  free(bytes->data);
  bytes->data = NULL;
  bytes->size = 0;
}

void bytes_resize(struct bytes* bytes, size_t size) {
  unsigned char* data = realloc(bytes->data, size > 0 ? size : 1);

  if (data == NULL) abort();
  if (size > bytes->size) memset(data + bytes->size, 0, size - bytes->size);
  bytes->data = data;
  bytes->size = size;
}

void bytes_append(struct bytes* bytes, const void* data, size_t size) {
  size_t at = bytes->size;

  bytes_resize(bytes, at + size);
  if (size > 0) memcpy(bytes->data + at, data, size);
}

static void set_number(struct bytes* bytes, size_t at, uint64_t value, size_t size) {
  size_t i;

  if (bytes->size < at + size) bytes_resize(bytes, at + size);
  for (i = 0; i < size; ++i) bytes->data[at + i] = (unsigned char)(value >> (8 * i));
}

void bytes_set16(struct bytes* bytes, size_t at, uint16_t value) {
  set_number(bytes, at, value, 2);
}

void bytes_set32(struct bytes* bytes, size_t at, uint32_t value) {
  set_number(bytes, at, value, 4);
}

void bytes_set64(struct bytes* bytes, size_t at, uint64_t value) {
  set_number(bytes, at, value, 8);
}

void bytes_vprint(struct bytes* bytes, const char* format, va_list list) {
  size_t at = bytes->size;
  va_list copy;
  int length;

  if (format == NULL) abort();
  va_copy(copy, list);
  length = vsnprintf(NULL, 0, format, copy);
  va_end(copy);
  bytes_resize(bytes, at + (size_t)length + 1);
  (void)vsnprintf((char*)bytes->data + at, (size_t)length + 1, format, list);
  bytes_resize(bytes, at + (size_t)length);
}

void bytes_print(struct bytes* bytes, const char* format, ...) {
  va_list list;

  va_start(list, format);
  bytes_vprint(bytes, format, list);
  va_end(list);
}

struct bytes bytes_text(const char* text) {
  struct bytes bytes = {NULL, 0};

  bytes_append(&bytes, text, strlen(text));
  return bytes;
}

struct bytes bytes_copy(const struct bytes* bytes) {
  struct bytes copy = {NULL, 0};

  bytes_append(&copy, bytes->data, bytes->size);
  return copy;
}

/* Eight bytes at a time: the upper half mixed, the lower half the seed. */
static uint64_t pattern_word(uint32_t seed, uint64_t index) {
  uint64_t word = (index + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;

  word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  return (word & UINT64_C(0xffffffff00000000)) | (seed * 2654435761u);
}

unsigned char pattern(uint32_t seed, uint64_t offset) {
  return (unsigned char)(pattern_word(seed, offset / 8) >> (8 * (offset % 8)));
}

void pattern_fill(uint32_t seed, uint64_t offset, void* to, size_t size) {
  unsigned char* out = to;
  size_t i = 0, j;

  for (; i < size && (offset + i) % 8 != 0; ++i) out[i] = pattern(seed, offset + i);
  for (; size - i >= 8; i += 8) {
    const uint64_t word = pattern_word(seed, (offset + i) / 8);
    for (j = 0; j < 8; ++j) out[i + j] = (unsigned char)(word >> (8 * j));
  }
  for (; i < size; ++i) out[i] = pattern(seed, offset + i);
}

struct bytes pattern_bytes(uint32_t seed, uint64_t offset, size_t size) {
  struct bytes bytes = {NULL, 0};

  bytes_resize(&bytes, size);
  pattern_fill(seed, offset, bytes.data, size);
  return bytes;
}
