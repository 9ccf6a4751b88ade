/* SPDX-License-Identifier: MIT */
#include "support/image.h"

#include <zlib.h>

#include "support/check.h"

#define SECTOR 512u

static uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

struct bytes descriptor_bytes(const struct descriptor* descriptor) {
  struct bytes bytes = {NULL, 0};
  const struct descriptor* d = descriptor;

  bytes_print(&bytes, "# Disk DescriptorFile\nversion=1\n");
  if (d->encoding != NULL) bytes_print(&bytes, "encoding=\"%s\"\n", d->encoding);
  bytes_print(&bytes, "CID=%08x\nparentCID=%08x\n", (unsigned)(d->cid != 0 ? d->cid : 0x11111111u),
              (unsigned)(d->parent != 0 ? d->parent : 0xffffffffu));
  bytes_print(&bytes, "createType=\"%s\"\n", d->type != NULL ? d->type : "custom");
  if (d->hint != NULL) bytes_print(&bytes, "parentFileNameHint=\"%s\"\n", d->hint);
  bytes_print(&bytes, "\n# Extent description\n%s", d->extents != NULL ? d->extents : "");
  bytes_print(&bytes, "\n# The Disk Data Base\n#DDB\n\n%s", d->more != NULL ? d->more : "");
  return bytes;
}

static uint32_t grain_sectors(const struct sparse* sparse) {
  return sparse->grain_sectors != 0 ? sparse->grain_sectors : 128;
}

static uint64_t grain_count(const struct sparse* sparse) {
  return ceil_div(sparse->sectors, grain_sectors(sparse));
}

/* Grains that the text has letters for. */
static uint64_t named_grains(const struct sparse* sparse) {
  uint64_t length = strlen(sparse->grains), count = grain_count(sparse);

  return length < count ? length : count;
}

static int is_data(char c) { return c == 'D' || c == 'E'; }

/* For each named grain: how many grains of data are stored before it. Free it. */
static uint64_t* ranks_of(const struct sparse* sparse) {
  uint64_t count = named_grains(sparse), rank = 0, i;
  uint64_t* ranks = allocate((size_t)count * sizeof(*ranks));
  const char* kind;

  for (i = 0; i < count; ++i) ranks[i] = 0;
  for (kind = "DE"; *kind != 0; ++kind)
    for (i = 0; i < count; ++i)
      if (sparse->grains[i] == *kind) ranks[i] = rank++;
  return ranks;
}

/* Bytes of a grain that lie on the disk. */
static size_t grain_bytes_on_disk(const struct sparse* sparse, uint64_t grain) {
  uint64_t first = grain * grain_sectors(sparse), left = sparse->sectors - first;

  return (size_t)(left < grain_sectors(sparse) ? left : grain_sectors(sparse)) * SECTOR;
}

static void fill_grain(const struct sparse* sparse, uint64_t grain, unsigned char* to) {
  pattern_fill(sparse->seed, sparse->disk_offset + grain * grain_sectors(sparse) * SECTOR, to,
               grain_bytes_on_disk(sparse, grain));
}

uint64_t grain_place(const struct sparse* sparse, const struct layout* layout, uint64_t grain) {
  uint64_t *ranks = ranks_of(sparse), rank = ranks[grain];

  free(ranks);
  return layout->data + rank * grain_sectors(sparse) * SECTOR;
}

void model_put(unsigned char* model, uint64_t size, const struct sparse* sparse) {
  uint64_t count = named_grains(sparse), grain;

  for (grain = 0; grain < count; ++grain) {
    uint64_t at = sparse->disk_offset + grain * grain_sectors(sparse) * SECTOR;
    size_t bytes = grain_bytes_on_disk(sparse, grain);
    if (at >= size) return;
    if (bytes > size - at) bytes = (size_t)(size - at);
    if (sparse->grains[grain] == '0') memset(model + at, 0, bytes);
    if (is_data(sparse->grains[grain])) pattern_fill(sparse->seed, at, model + at, bytes);
  }
}

/* Header of a hosted extent at `at`. */
static void put_header(struct bytes* file, size_t at, const struct sparse* sparse, uint32_t flags,
                       uint32_t version, uint64_t descriptor_sectors, uint64_t rgd, uint64_t gd,
                       uint64_t overhead) {
  static const unsigned char newlines[] = {'\n', ' ', '\r', '\n'};
  uint32_t gtes = sparse->gtes != 0 ? sparse->gtes : 512;

  if (file->size < at + SECTOR) bytes_resize(file, at + SECTOR);
  bytes_set32(file, at, 0x564d444b);
  bytes_set32(file, at + 4, version);
  bytes_set32(file, at + 8, flags);
  bytes_set64(file, at + 12, sparse->sectors);
  bytes_set64(file, at + 20, grain_sectors(sparse));
  bytes_set64(file, at + 28, descriptor_sectors != 0 ? 1 : 0);
  bytes_set64(file, at + 36, descriptor_sectors);
  bytes_set32(file, at + 44, gtes);
  bytes_set64(file, at + 48, rgd);
  bytes_set64(file, at + 56, gd);
  bytes_set64(file, at + 64, overhead);
  file->data[at + 72] = sparse->unclean ? 1 : 0;
  memcpy(file->data + at + 73, newlines, sizeof(newlines));
  bytes_set16(file, at + 77, (flags & 0x10000) != 0 ? 1 : 0);
}

/* Puts the embedded descriptor behind the header; gives the sectors it takes. */
static uint64_t put_descriptor(struct bytes* file, const struct sparse* sparse) {
  struct bytes text;
  uint64_t sectors;

  if (sparse->descriptor == NULL) return 0;
  text = descriptor_bytes(sparse->descriptor);
  sectors = ceil_div(text.size, SECTOR) + 4;
  bytes_resize(file, (size_t)(1 + sectors) * SECTOR);
  memcpy(file->data + SECTOR, text.data, text.size);
  bytes_free(&text);
  return sectors;
}

/* A directory at sector `directory` and its tables from sector `tables` on. */
static void put_tables(struct bytes* file, const struct sparse* sparse, uint32_t gtes,
                       uint64_t directory, uint64_t tables, uint64_t data) {
  uint64_t table_sectors = ceil_div((uint64_t)gtes * 4, SECTOR), grain;
  uint64_t count = ceil_div(grain_count(sparse), gtes), named = named_grains(sparse), i;
  uint64_t* ranks = ranks_of(sparse);

  for (i = 0; i < count; ++i)
    bytes_set32(file, (size_t)(directory * SECTOR + i * 4), (uint32_t)(tables + i * table_sectors));
  for (grain = 0; grain < named; ++grain) {
    char c = sparse->grains[grain];
    uint64_t entry = c == '0' ? 1 : is_data(c) ? data + ranks[grain] * grain_sectors(sparse) : 0;
    uint64_t at = (tables + grain / gtes * table_sectors) * SECTOR + grain % gtes * 4;
    bytes_set32(file, (size_t)at, (uint32_t)entry);
  }
  free(ranks);
}

static void put_grains(struct bytes* file, const struct sparse* sparse, uint64_t data) {
  uint64_t named = named_grains(sparse), stored = 0, grain;
  uint64_t* ranks = ranks_of(sparse);

  for (grain = 0; grain < named; ++grain) stored += is_data(sparse->grains[grain]) ? 1u : 0u;
  if (stored > 0) bytes_resize(file, (size_t)((data + stored * grain_sectors(sparse)) * SECTOR));
  for (grain = 0; grain < named; ++grain) {
    uint64_t at = (data + ranks[grain] * grain_sectors(sparse)) * SECTOR;
    if (is_data(sparse->grains[grain])) fill_grain(sparse, grain, file->data + at);
  }
  free(ranks);
}

struct bytes hosted_bytes(const struct sparse* sparse, struct layout* layout) {
  struct bytes file = {NULL, 0};
  uint32_t gtes = sparse->gtes != 0 ? sparse->gtes : 512;
  uint64_t tables = ceil_div(grain_count(sparse), gtes);
  uint64_t directory_sectors = ceil_div(tables * 4, SECTOR),
           table_sectors = ceil_div((uint64_t)gtes * 4, SECTOR);
  uint64_t descriptor_sectors, rgd, gd, data;
  int has_zeros = strchr(sparse->grains, '0') != NULL;

  bytes_resize(&file, SECTOR);
  descriptor_sectors = put_descriptor(&file, sparse);
  rgd = 1 + descriptor_sectors;
  gd = sparse->without_redundant ? rgd : rgd + directory_sectors + tables * table_sectors;
  data = ceil_div(gd + directory_sectors + tables * table_sectors, grain_sectors(sparse)) *
         grain_sectors(sparse);
  put_header(&file, 0, sparse, 0x1 | (sparse->without_redundant ? 0 : 0x2) | (has_zeros ? 0x4 : 0),
             has_zeros ? 2 : 1, descriptor_sectors, sparse->without_redundant ? 0 : rgd, gd, data);
  bytes_resize(&file, (size_t)data * SECTOR);
  if (!sparse->without_redundant)
    put_tables(&file, sparse, gtes, rgd, rgd + directory_sectors, data);
  put_tables(&file, sparse, gtes, gd, gd + directory_sectors, data);
  put_grains(&file, sparse, data);
  if (layout != NULL) {
    layout->redundant_directory = rgd * SECTOR;
    layout->redundant_tables = (rgd + directory_sectors) * SECTOR;
    layout->directory = gd * SECTOR;
    layout->tables = (gd + directory_sectors) * SECTOR;
    layout->data = data * SECTOR;
  }
  return file;
}

/* A marker and room for what follows it; gives where that begins. */
static size_t put_marker(struct bytes* file, uint64_t sectors, uint32_t type) {
  size_t at = file->size;

  bytes_resize(file, at + (size_t)(1 + sectors) * SECTOR);
  bytes_set64(file, at, sectors);
  bytes_set32(file, at + 12, type);
  return at + SECTOR;
}

static uint32_t put_compressed(struct bytes* file, const struct sparse* sparse, uint64_t grain) {
  size_t whole = (size_t)grain_sectors(sparse) * SECTOR, at = file->size;
  uLongf packed = compressBound((uLong)whole);
  unsigned char *plain = allocate(whole), *out = allocate((size_t)packed);

  memset(plain, 0, whole);
  fill_grain(sparse, grain, plain);
  if (compress2(out, &packed, plain, (uLong)whole, 6) != Z_OK) abort();
  bytes_resize(file, at + (size_t)ceil_div(12 + packed, SECTOR) * SECTOR);
  bytes_set64(file, at, grain * grain_sectors(sparse));
  bytes_set32(file, at + 8, (uint32_t)packed);
  memcpy(file->data + at + 12, out, packed);
  free(plain);
  free(out);
  return (uint32_t)(at / SECTOR);
}

struct bytes stream_bytes(const struct sparse* sparse, struct layout* layout) {
  struct bytes file = {NULL, 0};
  uint32_t gtes = sparse->gtes != 0 ? sparse->gtes : 512;
  uint64_t count = grain_count(sparse), tables = ceil_div(count, gtes), descriptor_sectors, grain,
           i, overhead;
  uint64_t table_sectors = ceil_div((uint64_t)gtes * 4, SECTOR),
           directory_sectors = ceil_div(tables * 4, SECTOR);
  uint32_t *entries = allocate((size_t)(tables * gtes) * 4),
           *directory = allocate((size_t)tables * 4);
  const uint32_t flags = 0x30001;
  size_t at;
  int pass;

  memset(entries, 0, (size_t)(tables * gtes) * 4);
  bytes_resize(&file, SECTOR);
  descriptor_sectors = put_descriptor(&file, sparse);
  overhead = ceil_div(1 + descriptor_sectors, 128) * 128;
  put_header(&file, 0, sparse, flags, 3, descriptor_sectors, 0, UINT64_MAX, overhead);
  bytes_resize(&file, (size_t)overhead * SECTOR);
  for (pass = 0; pass < 2; ++pass) {
    for (grain = 0; grain < named_grains(sparse); ++grain) {
      char c = sparse->grains[grain];
      if (c == '0') entries[grain] = 1;
      if (c == (pass == 0 ? 'D' : 'E')) entries[grain] = put_compressed(&file, sparse, grain);
    }
  }
  for (i = 0; i < tables; ++i) {
    uint64_t entry;
    at = put_marker(&file, table_sectors, 1);
    if (layout != NULL && i == 0) layout->tables = at;
    directory[i] = (uint32_t)(at / SECTOR);
    for (entry = 0; entry < gtes; ++entry)
      bytes_set32(&file, at + (size_t)entry * 4, entries[i * gtes + entry]);
  }
  at = put_marker(&file, directory_sectors, 2);
  if (layout != NULL) {
    layout->directory = at;
    layout->data = overhead * SECTOR;
    layout->redundant_directory = layout->redundant_tables = 0;
  }
  for (i = 0; i < tables; ++i) bytes_set32(&file, at + (size_t)i * 4, directory[i]);
  i = at / SECTOR;
  at = put_marker(&file, 1, 3);
  put_header(&file, at, sparse, flags, 3, descriptor_sectors, 0, i, overhead);
  (void)put_marker(&file, 0, 0);
  free(entries);
  free(directory);
  return file;
}

struct bytes cowd_bytes(const struct sparse* sparse, struct layout* layout) {
  struct bytes file = {NULL, 0};
  const uint32_t gtes = 4096;
  uint64_t tables = ceil_div(grain_count(sparse), gtes),
           directory_sectors = ceil_div(tables * 4, SECTOR);
  uint64_t directory = 4, first = directory + directory_sectors, data = first + tables * 32;

  data = ceil_div(data, grain_sectors(sparse)) * grain_sectors(sparse);
  bytes_resize(&file, (size_t)data * SECTOR);
  bytes_set32(&file, 0, 0x44574f43);
  bytes_set32(&file, 4, 1);
  bytes_set32(&file, 8, 3);
  bytes_set32(&file, 12, (uint32_t)sparse->sectors);
  bytes_set32(&file, 16, grain_sectors(sparse));
  bytes_set32(&file, 20, (uint32_t)directory);
  bytes_set32(&file, 24, (uint32_t)tables);
  put_tables(&file, sparse, gtes, directory, first, data);
  put_grains(&file, sparse, data);
  bytes_set32(&file, 28, (uint32_t)(file.size / SECTOR));
  if (sparse->unclean) bytes_set32(&file, 1648, 1);
  if (layout != NULL) {
    layout->directory = directory * SECTOR;
    layout->tables = first * SECTOR;
    layout->data = data * SECTOR;
    layout->redundant_directory = layout->redundant_tables = 0;
  }
  return file;
}

struct bytes se_bytes(const struct sparse* sparse) {
  struct bytes file = {NULL, 0};
  const uint64_t entries = 4096, table_sectors = 64;
  uint64_t tables = ceil_div(grain_count(sparse), entries);
  uint64_t directory = 8, directory_sectors = 8, first = 16,
           grains = first + tables * table_sectors, i, *ranks;

  bytes_resize(&file, (size_t)grains * SECTOR);
  bytes_set64(&file, 0, 0xcafebabe);
  bytes_set64(&file, 8, UINT64_C(0x0000000200000001));
  bytes_set64(&file, 16, sparse->sectors);
  bytes_set64(&file, 24, 8);
  bytes_set64(&file, 32, table_sectors);
  bytes_set64(&file, 80, 1); /* volatile header */
  bytes_set64(&file, 88, 1);
  bytes_set64(&file, 128, directory);
  bytes_set64(&file, 136, directory_sectors);
  bytes_set64(&file, 144, first);
  bytes_set64(&file, 152, tables * table_sectors);
  bytes_set64(&file, 192, grains);
  bytes_set64(&file, 200, grain_count(sparse) * 8);
  bytes_set64(&file, SECTOR, 0xcafecafe);
  for (i = 0; i < tables; ++i)
    bytes_set64(&file, (size_t)(directory * SECTOR + i * 8), UINT64_C(0x1000000000000000) | i);
  ranks = ranks_of(sparse);
  for (i = 0; i < named_grains(sparse); ++i) {
    char c = sparse->grains[i];
    uint64_t rank = ranks[i];
    uint64_t entry = c == '0' ? UINT64_C(2) << 60 : 0;
    if (is_data(c)) entry = UINT64_C(3) << 60 | (rank & 0xfff) << 48 | rank >> 12;
    bytes_set64(&file, (size_t)(first * SECTOR + i * 8), entry);
  }
  free(ranks);
  put_grains(&file, sparse, grains);
  return file;
}
