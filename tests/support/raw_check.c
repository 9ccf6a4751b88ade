/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* fseeko */
#include "support/raw_check.h"

#include <errno.h>
#include <inttypes.h>

#include "support/check.h"

#define SECTOR 512u
#define METADATA UINT32_MAX

struct file {
  const vmdk_io* io;
  void* handle;
  uint64_t size;
};

static void damage(struct raw_result* result, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

static void damage(struct raw_result* result, const char* format, ...) {
  va_list list;

  if (result->damage[0] != 0) return;
  va_start(list, format);
  (void)vsnprintf(result->damage, sizeof(result->damage), format, list);
  va_end(list);
}

static int open_file(const vmdk_io* io, const char* name, struct file* file) {
  file->io = io;
  if (io->open(io->user, name, 0, &file->handle) != 0) return 0;
  if (io->get_size(io->user, file->handle, &file->size) == 0) return 1;
  io->close(io->user, file->handle);
  return 0;
}

static void close_file(struct file* file) { file->io->close(file->io->user, file->handle); }

/* Where the file ends inside, there are zeros. */
static void read_bytes(const struct file* file, uint64_t offset, void* to, size_t size) {
  size_t there = offset >= file->size         ? 0
                 : file->size - offset < size ? (size_t)(file->size - offset)
                                              : size;

  memset((unsigned char*)to + there, 0, size - there);
  if (there > 0 && file->io->read_at(file->io->user, file->handle, offset, to, there) != 0)
    memset(to, 0xee, there);
}

static uint16_t get16(const unsigned char* at) { return (uint16_t)(at[0] | at[1] << 8); }
static uint32_t get32(const unsigned char* at) { return get16(at) | (uint32_t)get16(at + 2) << 16; }
static uint64_t get64(const unsigned char* at) { return get32(at) | (uint64_t)get32(at + 4) << 32; }

static uint64_t hash(uint64_t state, const void* bytes, size_t size) {
  const unsigned char* at = bytes;
  size_t i;

  for (i = 0; i < size; ++i) state = (state ^ at[i]) * UINT64_C(0x100000001b3);
  return state;
}

/* ---- Sparse extents ---- */

struct sparse_layout {
  int hosted;
  uint64_t capacity, grain, gtes, directory, redundant, overhead, free_sector;
  uint64_t descriptor, descriptor_size;
  int zero_entries, unclean;
};

/* Who has each sector of the file: 0 nobody, METADATA, or a grain of the disk + 1. */
struct owners {
  uint32_t* of;
  uint64_t sectors;
};

static void own_metadata(struct owners* owners, uint64_t begin, uint64_t size, const char* what,
                         struct raw_result* result) {
  uint64_t i;

  if (begin > owners->sectors || size > owners->sectors - begin) {
    damage(result, "%s at sector %" PRIu64 " is beyond the end at %" PRIu64, what, begin,
           owners->sectors);
    return;
  }
  for (i = begin; i < begin + size; ++i) {
    if (owners->of[i] != 0) damage(result, "%s at sector %" PRIu64 " is used twice", what, i);
    owners->of[i] = METADATA;
  }
}

static void own_grain(struct owners* owners, const struct sparse_layout* layout, uint64_t grain,
                      uint32_t entry, const char* copy, struct raw_result* result) {
  uint64_t left = layout->capacity - grain * layout->grain, i;
  uint64_t needed = left < layout->grain ? left : layout->grain;

  if (entry == 0) return;
  if (entry == 1 && layout->zero_entries) return;
  if (entry < layout->overhead) {
    damage(result, "%s entry of grain %" PRIu64 " leads to sector %u, in the metadata", copy, grain,
           (unsigned)entry);
    return;
  }
  if (entry + needed > owners->sectors) {
    damage(result, "%s entry of grain %" PRIu64 " leads to sector %u, the file ends at %" PRIu64,
           copy, grain, (unsigned)entry, owners->sectors);
    return;
  }
  if (layout->hosted && entry % layout->grain != 0)
    damage(result, "%s entry of grain %" PRIu64 " is not aligned: %u", copy, grain,
           (unsigned)entry);
  for (i = entry; i < entry + layout->grain && i < owners->sectors; ++i) {
    if (owners->of[i] != 0 && owners->of[i] != (uint32_t)grain + 1) {
      damage(result, "%s entry of grain %" PRIu64 " leads to sector %" PRIu64 ", which is %s%u",
             copy, grain, i, owners->of[i] == METADATA ? "metadata " : "of grain ",
             owners->of[i] - 1u);
      return;
    }
    owners->of[i] = (uint32_t)grain + 1;
  }
}

static void check_tables(const struct file* file, const struct sparse_layout* layout,
                         int tables_may_miss, struct raw_extent* extent,
                         struct raw_result* result) {
  uint64_t grains = (layout->capacity + layout->grain - 1) / layout->grain;
  uint64_t tables = (grains + layout->gtes - 1) / layout->gtes, table, i, used_end = 0;
  uint64_t directory_sectors = (tables * 4 + SECTOR - 1) / SECTOR;
  uint64_t table_sectors = (layout->gtes * 4 + SECTOR - 1) / SECTOR;
  size_t table_bytes = (size_t)(table_sectors * SECTOR);
  unsigned char* primary = allocate((size_t)(directory_sectors * SECTOR));
  unsigned char* redundant = allocate((size_t)(directory_sectors * SECTOR));
  unsigned char *first = allocate(table_bytes), *second = allocate(table_bytes);
  struct owners owners;

  owners.sectors = file->size / SECTOR;
  owners.of = calloc((size_t)owners.sectors + 1, sizeof(*owners.of));
  if (owners.of == NULL) abort();
  extent->tables = UINT64_C(0xcbf29ce484222325);
  own_metadata(&owners, 0, layout->hosted ? 1 : 4, "the header", result);
  if (layout->descriptor_size != 0)
    own_metadata(&owners, layout->descriptor, layout->descriptor_size, "the descriptor", result);
  own_metadata(&owners, layout->directory, directory_sectors, "the directory", result);
  if (layout->redundant != 0)
    own_metadata(&owners, layout->redundant, directory_sectors, "the redundant directory", result);
  read_bytes(file, layout->directory * SECTOR, primary, (size_t)(directory_sectors * SECTOR));
  read_bytes(file, (layout->redundant != 0 ? layout->redundant : layout->directory) * SECTOR,
             redundant, (size_t)(directory_sectors * SECTOR));
  for (table = 0; table < tables; ++table) {
    uint32_t one = get32(primary + table * 4), two = get32(redundant + table * 4);
    if (one != 0) own_metadata(&owners, one, table_sectors, "a table", result);
    if (layout->redundant != 0 && two != 0)
      own_metadata(&owners, two, table_sectors, "a redundant table", result);
    if (one == 0 && !tables_may_miss) damage(result, "directory entry %" PRIu64 " is 0", table);
    if (layout->redundant != 0 && two == 0 && !tables_may_miss)
      damage(result, "redundant directory entry %" PRIu64 " is 0", table);
    if (one + table_sectors > used_end && one != 0) used_end = one + table_sectors;
  }
  for (i = tables * 4; i < directory_sectors * SECTOR; ++i)
    if (primary[i] != 0) damage(result, "there is more in the directory than the capacity needs");
  for (table = 0; table < tables && result->damage[0] == 0; ++table) {
    uint32_t one = get32(primary + table * 4), two = get32(redundant + table * 4);
    memset(first, 0, table_bytes);
    if (one != 0) read_bytes(file, one * (uint64_t)SECTOR, first, table_bytes);
    memset(second, 0, table_bytes);
    if (layout->redundant == 0)
      memcpy(second, first, table_bytes);
    else if (two != 0)
      read_bytes(file, two * (uint64_t)SECTOR, second, table_bytes);
    extent->tables = hash(extent->tables, first, table_bytes);
    extent->tables = hash(extent->tables, second, table_bytes);
    if ((one == 0) != (two == 0)) ++extent->differences;
    for (i = 0; i < layout->gtes; ++i) {
      uint64_t grain = table * layout->gtes + i;
      uint32_t a = get32(first + i * 4), b = get32(second + i * 4);
      if (a == 0 && b == 0) continue;
      if (grain >= grains) {
        damage(result, "the entry of grain %" PRIu64 ", beyond the capacity, is %u", grain,
               (unsigned)a);
        continue;
      }
      if (a != b) ++extent->differences;
      if (a > 1) ++extent->stored;
      if (a > 1 && a + layout->grain > used_end) used_end = a + layout->grain;
      own_grain(&owners, layout, grain, a, "the", result);
      if (b != a) own_grain(&owners, layout, grain, b, "the redundant", result);
    }
  }
  for (i = layout->overhead; i + layout->grain <= owners.sectors; i += layout->grain)
    if (owners.of[i] == 0) ++extent->lost;
  if (!layout->hosted && layout->free_sector < used_end)
    damage(result, "the free sector is %" PRIu64 ", but %" PRIu64 " are in use",
           layout->free_sector, used_end);
  free(owners.of);
  free(primary);
  free(redundant);
  free(first);
  free(second);
}

static int is_power_of_two(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

/* Gives 0 if there is no such header. */
static int read_layout(const struct file* file, struct sparse_layout* layout,
                       struct raw_result* result) {
  unsigned char header[2048];
  uint32_t flags;

  memset(layout, 0, sizeof(*layout));
  read_bytes(file, 0, header, sizeof(header));
  if (memcmp(header, "COWD", 4) == 0) {
    if (get32(header + 4) != 1 || get32(header + 8) != 3)
      damage(result, "the version or the flags of the header are wrong");
    layout->capacity = get32(header + 12);
    layout->grain = get32(header + 16);
    layout->gtes = 4096;
    layout->directory = get32(header + 20);
    layout->free_sector = get32(header + 28);
    layout->overhead = 4;
    layout->unclean = get32(header + 1648) != 0;
    if (!is_power_of_two(layout->grain) || layout->grain > 2048 || layout->directory < 4)
      damage(result, "the header of a COWD extent makes no sense");
    if (get32(header + 24) != (layout->capacity + layout->grain * 4096 - 1) /
                                  (layout->grain == 0 ? 1 : layout->grain * 4096))
      damage(result, "the header has %u directory entries", (unsigned)get32(header + 24));
    return 1;
  }
  if (memcmp(header, "KDMV", 4) != 0) return 0;
  flags = get32(header + 8);
  layout->hosted = 1;
  layout->capacity = get64(header + 12);
  layout->grain = get64(header + 20);
  layout->descriptor = get64(header + 28);
  layout->descriptor_size = get64(header + 36);
  layout->gtes = get32(header + 44);
  layout->redundant = (flags & 2) != 0 ? get64(header + 48) : 0;
  layout->directory = get64(header + 56);
  layout->overhead = get64(header + 64);
  layout->zero_entries = (flags & 4) != 0;
  layout->unclean = header[72] != 0;
  if (get32(header + 4) < 1 || get32(header + 4) > 2 || (flags & ~7u) != 0)
    damage(result, "the version or the flags of the header are wrong");
  if (memcmp(header + 73, "\n \r\n", 4) != 0 || get16(header + 77) != 0 || header[72] > 1)
    damage(result, "the end of the header is wrong");
  if (!is_power_of_two(layout->grain) || layout->grain > 2048 || !is_power_of_two(layout->gtes) ||
      layout->gtes > 4096 || layout->capacity == 0)
    damage(result, "the header of a sparse extent makes no sense");
  if (layout->overhead * SECTOR > file->size)
    damage(result, "the file ends in its metadata, at %" PRIu64, file->size);
  return 1;
}

/* ---- The descriptor ---- */

static const char* next_line(const char* line) {
  const char* end = strchr(line, '\n');

  return end != NULL ? end + 1 : line + strlen(line);
}

static int begins(const char* line, const char* with) {
  return strncmp(line, with, strlen(with)) == 0;
}

static void read_text(const char* text, struct raw_result* result) {
  const char *line, *id = NULL;
  char cid[9] = "";
  int keys = 0;

  result->text = UINT64_C(0xcbf29ce484222325);
  for (line = text; *line != 0; line = next_line(line)) {
    size_t length = (size_t)(next_line(line) - line);
    if (begins(line, "CID=")) {
      unsigned value = 0;
      if (length != 13 || sscanf(line, "CID=%8x\n", &value) != 1)
        damage(result, "the line of the CID is broken");
      memcpy(cid, line + 4, 8);
      result->cid = value;
      ++keys;
    } else if (begins(line, "ddb.longContentID")) {
      id = line;
    } else {
      result->text = hash(result->text, line, length);
      if (begins(line, "version=") || begins(line, "parentCID=") || begins(line, "createType="))
        ++keys;
    }
  }
  if (keys != 4) damage(result, "the descriptor has %d of its 4 keys", keys);
  if (id == NULL) return;
  result->has_long_id = 1;
  id = strchr(id, '"');
  if (id != NULL && strlen(id) > 33) result->long_id_agrees = memcmp(id + 25, cid, 8) == 0;
}

/* The directory of `name`, with its slash, joined with `other`. */
static void join(const char* name, const char* other, size_t length, char* to, size_t size) {
  const char* slash = strrchr(name, '/');
  size_t directory = slash != NULL ? (size_t)(slash - name) + 1 : 0;

  if (directory + length + 1 > size) abort();
  memcpy(to, name, directory);
  memcpy(to + directory, other, length);
  to[directory + length] = 0;
}

static void check_extent(const vmdk_io* io, const char* name, const char* line, int tables_may_miss,
                         struct raw_result* result) {
  struct raw_extent* extent = result->extent + result->extents;
  char type[16] = "", path[1024];
  const char *quote = strchr(line, '"'), *end = next_line(line), *close;
  unsigned long long sectors = 0, first = 0;
  struct file file;

  if (result->extents == RAW_EXTENTS) return;
  ++result->extents;
  memset(extent, 0, sizeof(*extent));
  if (sscanf(line, "%*s %llu %15s", &sectors, type) != 2) {
    damage(result, "an extent line is broken");
    return;
  }
  if (strcmp(type, "ZERO") == 0) return;
  close = quote != NULL && quote < end ? strchr(quote + 1, '"') : NULL;
  if (close == NULL) {
    damage(result, "an extent line has no name");
    return;
  }
  join(name, quote + 1, (size_t)(close - quote - 1), path, sizeof(path));
  if (!open_file(io, path, &file)) {
    damage(result, "the extent %s is not there", path);
    return;
  }
  if (strcmp(type, "FLAT") == 0 || strcmp(type, "VMFS") == 0) {
    (void)sscanf(close + 1, "%llu", &first);
    if (file.size < (first + sectors) * SECTOR)
      damage(result, "%s: is shorter than its line says", path);
  } else {
    struct sparse_layout layout;
    size_t before = strlen(result->damage);
    if (!read_layout(&file, &layout, result)) damage(result, "the magic number is missing");
    if (layout.capacity != sectors) damage(result, "header and line differ in the capacity");
    extent->unclean = layout.unclean;
    if (result->damage[0] == 0) check_tables(&file, &layout, tables_may_miss, extent, result);
    if (before == 0 && result->damage[0] != 0) {
      char text[sizeof(result->damage)];
      memcpy(text, result->damage, sizeof(text));
      result->damage[0] = 0;
      damage(result, "%.60s: %.180s", path, text);
    }
  }
  close_file(&file);
}

void raw_check(const vmdk_io* io, const char* name, int tables_may_miss,
               struct raw_result* result) {
  struct sparse_layout layout;
  struct file file;
  uint64_t at = 0, size;
  const char* line;
  char* text;

  memset(result, 0, sizeof(*result));
  if (!open_file(io, name, &file)) {
    damage(result, "%s is not there", name);
    return;
  }
  size = file.size;
  if (read_layout(&file, &layout, result)) {
    at = layout.descriptor * SECTOR;
    size = layout.descriptor_size * SECTOR;
    if (at + size > file.size) damage(result, "the descriptor is beyond the end of the file");
  }
  if (size > 1024 * 1024) {
    damage(result, "the descriptor is too long");
    size = 0;
  }
  text = allocate((size_t)size + 1);
  read_bytes(&file, at, text, (size_t)size);
  text[size] = 0;
  if (!begins(text, "# Disk DescriptorFile\n")) damage(result, "the descriptor is missing");
  if (at == 0 && strlen(text) != size) damage(result, "there is a NUL in the descriptor");
  read_text(text, result);
  for (line = text; *line != 0 && result->damage[0] == 0; line = next_line(line))
    if (begins(line, "RW ") || begins(line, "RDONLY ") || begins(line, "NOACCESS "))
      check_extent(io, name, line, tables_may_miss, result);
  free(text);
  close_file(&file);
}

int raw_is_clean(const struct raw_result* result, const struct raw_result* before, char* why,
                 size_t size) {
  size_t i;

  if (result->damage[0] != 0) {
    (void)snprintf(why, size, "%s", result->damage);
    return 0;
  }
  for (i = 0; i < result->extents; ++i) {
    const struct raw_extent* extent = result->extent + i;
    if (extent->unclean && before != NULL && before->extent[i].unclean) continue;
    if (extent->differences != 0)
      (void)snprintf(why, size, "extent %zu: the copies of the tables differ in %" PRIu64 " places",
                     i, extent->differences);
    else if (extent->unclean)
      (void)snprintf(why, size, "extent %zu is marked as in use", i);
    else
      continue;
    return 0;
  }
  if (!result->has_long_id || result->long_id_agrees) return 1;
  (void)snprintf(why, size, "the longContentID does not end in the CID");
  return 0;
}

/* ---- Local files ---- */

static int local_open(void* user, const char* name, uint32_t flags, void** out_file) {
  (void)user;
  *out_file = flags == 0 ? fopen(name, "rb") : NULL;
  return *out_file != NULL ? 0 : ENOENT;
}

static void local_close(void* user, void* file) {
  (void)user;
  (void)fclose(file);
}

static int local_read(void* user, void* file, uint64_t offset, void* buffer, size_t size) {
  (void)user;
  if (fseeko(file, (off_t)offset, SEEK_SET) != 0) return EIO;
  return fread(buffer, 1, size, file) == size ? 0 : EIO;
}

static int local_size(void* user, void* file, uint64_t* out_size) {
  off_t end;

  (void)user;
  if (fseeko(file, 0, SEEK_END) != 0 || (end = ftello(file)) < 0) return EIO;
  *out_size = (uint64_t)end;
  return 0;
}

const vmdk_io* raw_local_files(void) {
  static vmdk_io io;

  io.struct_size = sizeof(io);
  io.open = local_open;
  io.close = local_close;
  io.read_at = local_read;
  io.get_size = local_size;
  return &io;
}
