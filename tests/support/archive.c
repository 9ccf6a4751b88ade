/* SPDX-License-Identifier: MIT */
#include "support/archive.h"

#include "support/check.h"

#define BLOCK 512u

void tar_sign(struct bytes* tar, size_t header) {
  unsigned sum = 0;
  size_t i;

  memset(tar->data + header + 148, ' ', 8);
  for (i = 0; i < BLOCK; ++i) sum += tar->data[header + i];
  (void)snprintf((char*)tar->data + header + 148, 8, "%06o", sum);
}

static size_t add_header(struct bytes* tar, char type, const char* name, size_t size) {
  size_t at = tar->size;
  char* header;

  bytes_resize(tar, at + BLOCK);
  header = (char*)tar->data + at;
  memcpy(header, name, strlen(name) < 100 ? strlen(name) : 100);
  memcpy(header + 100, "0000644", 8);
  memcpy(header + 108, "0000000", 8);
  memcpy(header + 116, "0000000", 8);
  (void)snprintf(header + 124, 12, "%011lo", (unsigned long)size);
  memcpy(header + 136, "00000000000", 12);
  header[156] = type;
  memcpy(header + 257,
         "ustar\0"
         "00",
         8);
  tar_sign(tar, at);
  return at;
}

void tar_add_special(struct bytes* tar, char type, const char* name, const void* content,
                     size_t size) {
  (void)add_header(tar, type, name, size);
  bytes_append(tar, content, size);
  bytes_resize(tar, (tar->size + BLOCK - 1) / BLOCK * BLOCK);
}

void tar_add(struct bytes* tar, const char* name, struct bytes content, size_t* header) {
  if (header != NULL) *header = tar->size;
  tar_add_special(tar, '0', name, content.data, content.size);
  bytes_free(&content);
}

void tar_add_pax(struct bytes* tar, const char* key, const char* value) {
  /* The number counts its own digits. */
  size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
  char* record;
  int digits;

  for (digits = 1; digits < 8; ++digits) {
    char text[24];
    length = rest + (size_t)digits;
    if (snprintf(text, sizeof(text), "%zu", length) == digits) break;
  }
  record = allocate(length + 1);
  (void)snprintf(record, length + 1, "%zu %s=%s\n", length, key, value);
  tar_add_special(tar, 'x', "PaxHeaders/x", record, length);
  free(record);
}

void tar_add_long_name(struct bytes* tar, const char* name) {
  tar_add_special(tar, 'L', "././@LongLink", name, strlen(name) + 1);
}

void tar_end(struct bytes* tar) { bytes_resize(tar, tar->size + 2 * BLOCK); }
