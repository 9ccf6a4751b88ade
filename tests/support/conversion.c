/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "support/conversion.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "support/archive.h"
#include "support/check.h"
#include "support/image.h"

#define SECTOR 512u
#define GRAIN 128u /* sectors */

/* ---- Options ---- */

vmdk_convert_options convert_options(void) {
  vmdk_convert_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  return options;
}

vmdk_create_options create_options(uint32_t type) {
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  return options;
}

vmdk_create_options fixed_create_options(uint32_t type) {
  static const char* const keys[] = {"ddb.uuid", FIXED_UUID, "ddb.longContentID", FIXED_LONG_ID,
                                     NULL};
  vmdk_create_options options = create_options(type);

  options.cid = 0x12345678;
  options.keys = keys;
  return options;
}

vmdk_convert_options options_for(const vmdk_create_options* create, unsigned threads) {
  vmdk_convert_options options = convert_options();

  options.create = create;
  options.threads = threads;
  return options;
}

/* ---- Kinds of disk ---- */

const struct destination destinations[] = {
    {VMDK_TYPE_MONOLITHIC_SPARSE, "monolithicSparse", 1, 1, 0},
    {VMDK_TYPE_MONOLITHIC_FLAT, "monolithicFlat", 0, 0, 0},
    {VMDK_TYPE_SPLIT_SPARSE, "twoGbMaxExtentSparse", 1, 0, 0},
    {VMDK_TYPE_SPLIT_FLAT, "twoGbMaxExtentFlat", 0, 0, 0},
    {VMDK_TYPE_VMFS, "vmfs", 0, 0, 0},
    {VMDK_TYPE_VMFS_THIN, "vmfsThin", 0, 0, 0},
    {VMDK_TYPE_VMFS_PREALLOCATED, "vmfsPreallocated", 0, 0, 0},
    {VMDK_TYPE_VMFS_EAGER_ZEROED, "vmfsEagerZeroedThick", 0, 0, 0},
    {VMDK_TYPE_VMFS_SPARSE, "vmfsSparse", 1, 0, 0},
    {VMDK_TYPE_STREAM_OPTIMIZED, "streamOptimized", 1, 1, 1},
    {VMDK_TYPE_RAW, "raw", 0, 1, 1},
};
const size_t destination_count = COUNT(destinations);

/* ---- Sources ---- */

const char* const source_kinds[] = {"monolithicSparse",
                                    "monolithicFlat",
                                    "twoGbMaxExtentSparse",
                                    "twoGbMaxExtentFlat",
                                    "vmfs",
                                    "vmfsSparse",
                                    "streamOptimized",
                                    "streamOptimized of QEMU",
                                    "seSparse",
                                    "sparse above flat",
                                    "COWD above vmfs",
                                    "sparse above a stream",
                                    "raw",
                                    "a member of an OVA",
                                    "a mixture"};
const size_t source_kind_count = COUNT(source_kinds);

static uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

struct bytes qemu_stream_bytes(uint64_t sectors, const char* grains, uint32_t seed) {
  struct bytes file = {NULL, 0}, text;
  const uint64_t count = ceil_div(sectors, GRAIN), tables = ceil_div(count, 512),
                 directory_sectors = ceil_div(tables * 4, SECTOR);
  const uint64_t first = 21 + directory_sectors, directory = first + tables * 4,
                 overhead = ceil_div(directory + directory_sectors + tables * 4, GRAIN) * GRAIN;
  struct descriptor descriptor = {0};
  char line[64];
  uint64_t grain, i;
  size_t end = 0;
  const char* pass;

  (void)snprintf(line, sizeof(line), "RW %" PRIu64 " SPARSE \"disk.vmdk\"\n", sectors);
  descriptor.type = "streamOptimized";
  descriptor.extents = line;
  descriptor.more = "ddb.virtualHWVersion = \"4\"\nddb.adapterType = \"ide\"\n";
  text = descriptor_bytes(&descriptor);
  bytes_resize(&file, (size_t)overhead * SECTOR);
  memcpy(file.data, "KDMV\3\0\0\0\3\0\3", 12);
  bytes_set64(&file, 12, sectors);
  bytes_set64(&file, 20, GRAIN);
  bytes_set64(&file, 28, 1);
  bytes_set64(&file, 36, 20);
  bytes_set32(&file, 44, 512);
  bytes_set64(&file, 48, 21);
  bytes_set64(&file, 56, directory);
  bytes_set64(&file, 64, overhead);
  memcpy(file.data + 72, "\0\n \r\n\1", 7);
  memcpy(file.data + SECTOR, text.data, text.size);
  bytes_free(&text);
  for (i = 0; i < tables; ++i) {
    bytes_set32(&file, (size_t)(21 * SECTOR + i * 4), (uint32_t)(first + i * 4));
    bytes_set32(&file, (size_t)(directory * SECTOR + i * 4),
                (uint32_t)(directory + directory_sectors + i * 4));
  }
  for (pass = "DE"; *pass != 0; ++pass) {
    for (grain = 0; grain < count && grains[grain] != 0; ++grain) {
      const uint64_t left = (sectors - grain * GRAIN) * SECTOR;
      const uLong size = left < GRAIN * SECTOR ? (uLong)left : GRAIN * SECTOR;
      uLongf packed = compressBound(size);
      struct bytes plain;
      unsigned char* out;
      size_t at = file.size;
      if (grains[grain] != *pass) continue;
      plain = pattern_bytes(seed, grain * GRAIN * SECTOR, size);
      out = allocate(packed);
      if (compress2(out, &packed, plain.data, size, 6) != Z_OK) abort();
      bytes_resize(&file, at + (size_t)ceil_div(12 + packed, SECTOR) * SECTOR);
      bytes_set64(&file, at, grain * GRAIN);
      bytes_set32(&file, at + 8, (uint32_t)packed);
      memcpy(file.data + at + 12, out, packed);
      bytes_set32(&file, (size_t)(first * SECTOR + grain * 4), (uint32_t)(at / SECTOR));
      bytes_set32(&file, (size_t)((directory + directory_sectors) * SECTOR + grain * 4),
                  (uint32_t)(at / SECTOR));
      end = at + GRAIN * SECTOR;
      free(out);
      bytes_free(&plain);
    }
  }
  /* QEMU ends the file a whole grain behind the beginning of the last one. */
  if (end > file.size) bytes_resize(&file, end);
  return file;
}

static int is_data(char c) { return c == 'D' || c == 'E'; }

/* The pattern where the letters say so; zeros elsewhere. */
static struct bytes plain_bytes(uint64_t sectors, const char* grains, uint32_t seed) {
  struct bytes bytes = {NULL, 0};
  size_t i;

  bytes_resize(&bytes, (size_t)sectors * SECTOR);
  for (i = 0; grains[i] != 0 && i * GRAIN < sectors; ++i) {
    size_t at = i * GRAIN * SECTOR,
           size = bytes.size - at < GRAIN * SECTOR ? bytes.size - at : GRAIN * SECTOR;
    if (is_data(grains[i])) pattern_fill(seed, at, bytes.data + at, size);
  }
  return bytes;
}

static struct bytes part_of(const struct bytes* whole, uint64_t at, uint64_t size) {
  struct bytes part = {NULL, 0};

  bytes_append(&part, whole->data + at, (size_t)size);
  return part;
}

/* A sparse extent of some kind with its descriptor inside. */
static struct bytes embedded(struct bytes (*make)(const struct sparse*, struct layout*),
                             const char* type, uint64_t sectors, const char* grains,
                             uint32_t seed) {
  static const char more[] =
      "ddb.adapterType = \"ide\"\nddb.virtualHWVersion = \"9\"\nddb.toolsVersion = \"10341\"\n";
  struct sparse sparse = {0};
  struct descriptor descriptor = {0};
  char line[64];

  (void)snprintf(line, sizeof(line), "RW %" PRIu64 " SPARSE \"disk.vmdk\"\n", sectors);
  descriptor.type = type;
  descriptor.extents = line;
  descriptor.more = more;
  sparse.sectors = sectors;
  sparse.grains = grains;
  sparse.seed = seed;
  sparse.descriptor = &descriptor;
  return make(&sparse, NULL);
}

/* Text descriptors. */
static const char* put_descriptor(struct folder* folder, const char* name, const char* type,
                                  const char* hint, const char* format, ...)
    __attribute__((format(printf, 5, 6)));

static const char* put_descriptor(struct folder* folder, const char* name, const char* type,
                                  const char* hint, const char* format, ...) {
  struct descriptor descriptor = {0};
  struct bytes lines = {NULL, 0};
  va_list list;

  va_start(list, format);
  bytes_vprint(&lines, format, list);
  va_end(list);
  bytes_append(&lines, "", 1);
  descriptor.type = type;
  descriptor.extents = (const char*)lines.data;
  descriptor.more = "ddb.adapterType = \"lsilogic\"\nddb.virtualHWVersion = \"7\"\n";
  if (hint != NULL) {
    descriptor.cid = 0x22222222;
    descriptor.parent = 0x11111111;
    descriptor.hint = hint;
  }
  name = put_file(folder, name, descriptor_bytes(&descriptor));
  bytes_free(&lines);
  return name;
}

static struct sparse sparse_of(uint64_t sectors, const char* grains, uint32_t seed) {
  struct sparse sparse = {0};

  sparse.sectors = sectors;
  sparse.grains = grains;
  sparse.seed = seed;
  return sparse;
}

/* A child above `base`, which holds the other half of the letters. */
static const char* put_child(struct folder* folder, const char* hint, uint64_t sectors,
                             const char* grains, int cowd, unsigned char* model) {
  struct sparse child = sparse_of(sectors, grains, 3);

  model_put(model, sectors * SECTOR, &child);
  (void)put_file(folder, cowd ? "child-delta.vmdk" : "child-s001.vmdk",
                 cowd ? cowd_bytes(&child, NULL) : hosted_bytes(&child, NULL));
  return put_descriptor(folder, "child.vmdk", cowd ? "vmfsSparse" : "twoGbMaxExtentSparse", hint,
                        "RW %" PRIu64 " %s \"%s\"\n", sectors, cowd ? "VMFSSPARSE" : "SPARSE",
                        cowd ? "child-delta.vmdk" : "child-s001.vmdk");
}

/* The letters for the base of a chain: other ones than the child has, some of both. */
static char* base_letters(const char* grains) {
  size_t length = strlen(grains), i;
  char* letters = allocate(length + 1);

  for (i = 0; i < length; ++i) letters[i] = i % 3 == 0 || grains[i] == '0' ? 'D' : '.';
  letters[length] = 0;
  return letters;
}

struct source make_source(struct folder* folder, const char* kind, uint64_t sectors,
                          const char* grains) {
  struct source source;
  struct sparse all = sparse_of(sectors, grains, 1);
  struct bytes plain = {NULL, 0};
  char* below = base_letters(grains);

  memset(&source, 0, sizeof(source));
  source.name = kind;
  source.size = sectors * SECTOR;
  source.open = default_options();
  source.model = allocate((size_t)source.size);
  memset(source.model, 0, (size_t)source.size);
  if (strstr(kind, "above") == NULL) {
    if (strcmp(kind, "seSparse") == 0) all.grain_sectors = 8;
    model_put(source.model, source.size, &all);
    plain = plain_bytes(sectors, grains, 1);
  } else {
    struct sparse base = sparse_of(sectors, below, 2);
    model_put(source.model, source.size, &base);
    plain = plain_bytes(sectors, below, 2);
  }
  if (strcmp(kind, "monolithicSparse") == 0) {
    source.path = put_file(folder, "disk.vmdk", embedded(hosted_bytes, kind, sectors, grains, 1));
  } else if (strcmp(kind, "monolithicFlat") == 0 || strcmp(kind, "vmfs") == 0) {
    (void)put_file(folder, "disk-flat.vmdk", bytes_copy(&plain));
    source.path =
        put_descriptor(folder, "disk.vmdk", kind, NULL, "RW %" PRIu64 " %s \"disk-flat.vmdk\"%s\n",
                       sectors, kind[0] == 'v' ? "VMFS" : "FLAT", kind[0] == 'v' ? "" : " 0");
  } else if (strncmp(kind, "twoGb", 5) == 0) {
    const int flat = strstr(kind, "Flat") != NULL;
    struct bytes lines = {NULL, 0};
    uint64_t begin;
    unsigned part;
    for (begin = 0, part = 1; begin < sectors; begin += 3 * GRAIN, ++part) {
      const uint64_t size = sectors - begin < 3 * GRAIN ? sectors - begin : 3 * GRAIN;
      const char* name = text_in(folder, "disk-%c%03u.vmdk", flat ? 'f' : 's', part);
      struct sparse piece =
          sparse_of(size, strlen(grains) > begin / GRAIN ? grains + begin / GRAIN : "", 1);
      piece.disk_offset = begin * SECTOR;
      (void)put_file(
          folder, name,
          flat ? part_of(&plain, begin * SECTOR, size * SECTOR) : hosted_bytes(&piece, NULL));
      bytes_print(&lines, "RW %" PRIu64 " %s \"%s\"%s\n", size, flat ? "FLAT" : "SPARSE", name,
                  flat ? " 0" : "");
    }
    bytes_append(&lines, "", 1);
    source.path = put_descriptor(folder, "disk.vmdk", kind, NULL, "%s", (const char*)lines.data);
    bytes_free(&lines);
  } else if (strcmp(kind, "vmfsSparse") == 0) {
    (void)put_file(folder, "disk-delta.vmdk", cowd_bytes(&all, NULL));
    source.path = put_descriptor(folder, "disk.vmdk", kind, NULL,
                                 "RW %" PRIu64 " VMFSSPARSE \"disk-delta.vmdk\"\n", sectors);
  } else if (strcmp(kind, "streamOptimized") == 0) {
    source.path = put_file(folder, "disk.vmdk", embedded(stream_bytes, kind, sectors, grains, 1));
  } else if (strcmp(kind, "streamOptimized of QEMU") == 0) {
    source.path = put_file(folder, "disk.vmdk", qemu_stream_bytes(sectors, grains, 1));
  } else if (strcmp(kind, "seSparse") == 0) {
    (void)put_file(folder, "disk-sesparse.vmdk", se_bytes(&all));
    source.path = put_descriptor(folder, "disk.vmdk", kind, NULL,
                                 "RW %" PRIu64 " SESPARSE \"disk-sesparse.vmdk\"\n", sectors);
  } else if (strcmp(kind, "sparse above flat") == 0 || strcmp(kind, "COWD above vmfs") == 0) {
    const int vmfs = kind[0] == 'C';
    (void)put_file(folder, "base-flat.vmdk", bytes_copy(&plain));
    (void)put_descriptor(folder, "base.vmdk", vmfs ? "vmfs" : "monolithicFlat", NULL,
                         "RW %" PRIu64 " %s \"base-flat.vmdk\"%s\n", sectors,
                         vmfs ? "VMFS" : "FLAT", vmfs ? "" : " 0");
    source.path = put_child(folder, "base.vmdk", sectors, grains, vmfs, source.model);
  } else if (strcmp(kind, "sparse above a stream") == 0) {
    (void)put_file(folder, "base.vmdk",
                   embedded(stream_bytes, "streamOptimized", sectors, below, 2));
    source.path = put_child(folder, "base.vmdk", sectors, grains, 0, source.model);
  } else if (strcmp(kind, "raw") == 0) {
    source.path = put_file(folder, "disk.img", bytes_copy(&plain));
    source.open.flags = VMDK_OPEN_RAW;
  } else if (strcmp(kind, "a member of an OVA") == 0) {
    struct bytes tar = {NULL, 0};
    tar_add(&tar, "box.ovf", bytes_text("<Envelope/>"), NULL);
    tar_add(&tar, "disk.vmdk", embedded(stream_bytes, "streamOptimized", sectors, grains, 1), NULL);
    tar_add(&tar, "other.vmdk", embedded(stream_bytes, "streamOptimized", 1, "", 1), NULL);
    tar_end(&tar);
    source.path = put_file(folder, "box.ova", tar);
    source.open.member = "disk.vmdk";
  } else {
    /* FLAT, ZERO, SPARSE, ZERO: the letters of the two ZERO extents do not count. */
    const uint64_t quarter = ceil_div(sectors, 4 * GRAIN) * GRAIN;
    const uint64_t first = sectors < quarter ? sectors : quarter;
    struct bytes lines = {NULL, 0};
    uint64_t at_sector = first;
    unsigned i;
    assert_string_equal(kind, "a mixture");
    (void)put_file(folder, "disk-flat.vmdk", part_of(&plain, 0, first * SECTOR));
    bytes_print(&lines, "RW %" PRIu64 " FLAT \"disk-flat.vmdk\" 0\n", first);
    for (i = 1; i < 4 && at_sector < sectors; ++i, at_sector += quarter) {
      const uint64_t size = sectors - at_sector < quarter ? sectors - at_sector : quarter;
      if (i == 2) {
        struct sparse piece = sparse_of(
            size, strlen(grains) > at_sector / GRAIN ? grains + at_sector / GRAIN : "", 1);
        piece.disk_offset = at_sector * SECTOR;
        (void)put_file(folder, "disk-s001.vmdk", hosted_bytes(&piece, NULL));
        bytes_print(&lines, "RW %" PRIu64 " SPARSE \"disk-s001.vmdk\"\n", size);
      } else {
        bytes_print(&lines, "RW %" PRIu64 " ZERO\n", size);
        memset(source.model + at_sector * SECTOR, 0, (size_t)size * SECTOR);
      }
    }
    bytes_append(&lines, "", 1);
    source.path =
        put_descriptor(folder, "disk.vmdk", "custom", NULL, "%s", (const char*)lines.data);
    bytes_free(&lines);
  }
  free(below);
  bytes_free(&plain);
  return source;
}

vmdk_disk* source_open(const struct source* source) {
  return open_disk(source->path, &source->open);
}

void source_free(struct source* source) {
  free(source->model);
  source->model = NULL;
}

const char* put_holes(struct folder* folder, const char* name, uint64_t size,
                      const uint64_t* places, size_t count) {
  const char* path = path_in(folder, name);
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
  unsigned char page[4096];
  size_t i;

  assert_true(fd >= 0);
  if (ftruncate(fd, (off_t)size) != 0) {
    (void)close(fd);
    (void)unlink(path);
    return NULL;
  }
  for (i = 0; i < count; ++i) {
    size_t part = size - places[i] < sizeof(page) ? (size_t)(size - places[i]) : sizeof(page);
    pattern_fill(5, places[i], page, part);
    assert_int_equal(pwrite(fd, page, part, (off_t)places[i]), part);
  }
  (void)close(fd);
  return path;
}

/* ---- What comes out ---- */

void assert_disk_is(const char* path, const struct destination* destination,
                    const unsigned char* model, uint64_t size, uint64_t capacity) {
  vmdk_open_options options = default_options();
  unsigned char* wanted = allocate((size_t)capacity);
  vmdk_disk* disk;
  vmdk_info info;
  uint64_t at;

  memcpy(wanted, model, (size_t)size);
  memset(wanted + size, 0, (size_t)(capacity - size));
  if (destination->type == VMDK_TYPE_RAW) options.flags = VMDK_OPEN_RAW;
  disk = open_disk(path, &options);
  info = info_of(disk, 0);
  assert_int_equal(info.type, destination->type);
  assert_true(info.capacity == capacity);
  assert_int_equal(info.chain_length, 1);
  assert_int_equal(info.flags & (VMDK_INFO_UNCLEAN | VMDK_INFO_HAS_PARENT), 0);
  assert_content(disk, wanted, capacity, 300000);
  if (destination->sparse) {
    static const unsigned char zeros[1 << 20];
    assert_true(info.grain_bytes != 0 && info.grain_bytes <= sizeof(zeros));
    for (at = 0; at < capacity; at += info.grain_bytes) {
      const uint64_t left = capacity - at,
                     grain = left < info.grain_bytes ? left : info.grain_bytes;
      const vmdk_run run = run_at(disk, at, grain);
      const int zero = memcmp(wanted + at, zeros, (size_t)grain) == 0;
      if (zero != (run.kind != VMDK_RUN_DATA))
        fail_msg("%s: at %" PRIu64 " a grain %s", path, at,
                 zero ? "of zeros is stored" : "is missing");
    }
  }
  assert_ok(vmdk_close(disk));
  free(wanted);
  if (destination->type == VMDK_TYPE_STREAM_OPTIMIZED) {
    struct bytes file = read_file(path);
    assert_stream_is(&file, model, size, capacity);
    bytes_free(&file);
  }
}

struct comparison {
  const unsigned char* model;
  unsigned char* seen; /* a byte for each sector */
  uint64_t size;
  char wrong[128];
};

static void compare_grain(void* user, uint64_t offset, const unsigned char* bytes, size_t size) {
  struct comparison* c = user;
  size_t i;

  for (i = 0; i < size && c->wrong[0] == 0; ++i)
    if (bytes[i] != (offset + i < c->size ? c->model[offset + i] : 0))
      (void)snprintf(c->wrong, sizeof(c->wrong), "byte %" PRIu64 " of the disk is another one",
                     offset + i);
  memset(c->seen + offset / SECTOR, 1, (size + SECTOR - 1) / SECTOR);
}

void assert_stream_is(const struct bytes* stream, const unsigned char* model, uint64_t size,
                      uint64_t capacity) {
  struct stream_check check;
  struct comparison comparison;
  uint64_t i;

  memset(&comparison, 0, sizeof(comparison));
  comparison.model = model;
  comparison.size = size;
  comparison.seen = allocate((size_t)(capacity / SECTOR) + 1);
  memset(comparison.seen, 0, (size_t)(capacity / SECTOR) + 1);
  stream_check_begin(&check);
  check.on_grain = compare_grain;
  check.user = &comparison;
  if (stream_check_bytes(&check, stream->data, stream->size) != 0)
    fail_msg("the stream at byte %" PRIu64 ": %s", check.damage_at, check.damage);
  assert_true(check.capacity == capacity);
  assert_string_equal(comparison.wrong, "");
  for (i = 0; i < size; ++i)
    if (model[i] != 0 && !comparison.seen[i / SECTOR])
      fail_msg("byte %" PRIu64 " of the disk is not in the stream", i);
  free(comparison.seen);
  stream_check_free(&check);
}

/* Calls `use` for each name. */
static void each_name(const struct folder* folder, void (*use)(void*, const char*), void* user) {
  DIR* dir = opendir(folder_path(folder));
  const struct dirent* entry;

  assert_non_null(dir);
  while ((entry = readdir(dir)) != NULL)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      use(user, entry->d_name);
  (void)closedir(dir);
}

static void count_name(void* count, const char* name) {
  (void)name;
  ++*(unsigned*)count;
}

unsigned count_entries(const struct folder* folder) {
  unsigned count = 0;

  each_name(folder, count_name, &count);
  return count;
}

struct names {
  char name[32][256];
  size_t count;
};

static void keep_name(void* user, const char* name) {
  struct names* names = user;

  assert_true(names->count < COUNT(names->name) && strlen(name) < sizeof(names->name[0]));
  strcpy(names->name[names->count++], name);
}

static int by_name(const void* a, const void* b) { return strcmp(a, b); }

struct bytes all_files(const struct folder* folder) {
  struct bytes all = {NULL, 0};
  struct names names;
  size_t i;

  names.count = 0;
  each_name(folder, keep_name, &names);
  qsort(names.name, names.count, sizeof(names.name[0]), by_name);
  for (i = 0; i < names.count; ++i) {
    char path[1024];
    struct bytes file;
    (void)snprintf(path, sizeof(path), "%s/%s", folder_path(folder), names.name[i]);
    file = read_file(path);
    bytes_print(&all, "%s %zu\n", names.name[i], file.size);
    bytes_append(&all, file.data, file.size);
    bytes_free(&file);
  }
  return all;
}

/* ---- Streams ---- */

struct feed feed_of(const struct bytes* bytes, size_t step) {
  struct feed feed;

  memset(&feed, 0, sizeof(feed));
  feed.data = bytes->data;
  feed.size = bytes->size;
  feed.step = step;
  return feed;
}

int feed_next(void* user, void* buffer, size_t size, size_t* out_size) {
  struct feed* feed = user;
  size_t most = feed->step != 0 ? feed->step : size;

  if (++feed->calls == feed->fail_at) return feed->fail_with;
  if (feed->random != 0) most = 1 + (size_t)(next_random(&feed->random) % most);
  if (most > size) most = size;
  if (most > feed->size - feed->at) most = feed->size - feed->at;
  if (most > 0) memcpy(buffer, feed->data + feed->at, most);
  feed->at += most;
  *out_size = most;
  return 0;
}

int collect(void* user, const void* data, size_t size) {
  struct collector* collector = user;

  if (++collector->calls == collector->fail_at) return collector->fail_with;
  bytes_append(&collector->bytes, data, size);
  return 0;
}

/* ---- What a conversion tells ---- */

static void wrong(struct watcher* watcher, const char* what) {
  if (watcher->wrong[0] == 0) (void)snprintf(watcher->wrong, sizeof(watcher->wrong), "%s", what);
}

/* Of every call: does it end the conversion? */
static int called(struct watcher* watcher, enum told told) {
  if (!pthread_equal(pthread_self(), watcher->thread)) wrong(watcher, "called on another thread");
  if (watcher->cancelled) ++watcher->calls_after;
  if ((watcher->cancel & told) == 0 || ++watcher->calls != watcher->cancel_at) return 0;
  watcher->cancelled = 1;
  return 1;
}

static int told_progress(void* user, uint64_t done, uint64_t total) {
  struct watcher* watcher = user;

  /* Raw bytes of an unknown number may be read twice: the second time it is known. */
  if (done < watcher->done && total == watcher->last_total) wrong(watcher, "progress goes back");
  if (total != 0 && done > total) wrong(watcher, "more is done than there is");
  if (watcher->total != UINT64_MAX && total != watcher->total) wrong(watcher, "another total");
  watcher->done = done;
  watcher->last_total = total;
  ++watcher->progress_calls;
  return called(watcher, TOLD_PROGRESS);
}

static int told_output(void* user, const void* data, size_t size) {
  struct watcher* watcher = user;

  if (size == 0 || data == NULL) wrong(watcher, "output without bytes");
  (void)collect(&watcher->output, data, size);
  return called(watcher, TOLD_OUTPUT) ? EPIPE : 0;
}

static int told_content(void* user, const void* data, uint64_t size) {
  struct watcher* watcher = user;
  const unsigned char* bytes = data;
  uint64_t i;

  if (size == 0) wrong(watcher, "content without bytes");
  if (size > watcher->capacity - watcher->content) {
    wrong(watcher, "more content than the disk has");
    return 1;
  }
  for (i = 0; watcher->model != NULL && i < size; ++i) {
    const uint64_t at = watcher->content + i;
    if ((bytes != NULL ? bytes[i] : 0) != (at < watcher->size ? watcher->model[at] : 0)) {
      wrong(watcher, "content that is not the disk's");
      break;
    }
  }
  watcher->content += size;
  return called(watcher, TOLD_CONTENT);
}

static int told_lost(void* user, uint64_t offset, uint64_t size, const char* message) {
  struct watcher* watcher = user;

  if (size == 0 || offset > watcher->capacity || size > watcher->capacity - offset)
    wrong(watcher, "a lost range outside the disk");
  if (!is_clean_line(message) || *message == 0)
    wrong(watcher, "a message that is not one clean line");
  if (watcher->lost_count > 0 && offset <= watcher->lost[watcher->lost_count - 1].offset +
                                               watcher->lost[watcher->lost_count - 1].size)
    wrong(watcher, "lost ranges that touch or go back");
  if (watcher->lost_count < MOST_LOST) {
    watcher->lost[watcher->lost_count].offset = offset;
    watcher->lost[watcher->lost_count++].size = size;
  }
  (void)snprintf(watcher->last_message, sizeof(watcher->last_message), "%s", message);
  return called(watcher, TOLD_LOST);
}

void watch(struct watcher* watcher, vmdk_convert_options* options, unsigned told,
           const unsigned char* model, uint64_t size, uint64_t capacity) {
  memset(watcher, 0, sizeof(*watcher));
  watcher->model = model;
  watcher->size = size;
  watcher->capacity = capacity;
  watcher->total = capacity;
  watcher->thread = pthread_self();
  options->user = watcher;
  options->on_progress = (told & TOLD_PROGRESS) != 0 ? told_progress : NULL;
  options->on_output = (told & TOLD_OUTPUT) != 0 ? told_output : NULL;
  options->on_content = (told & TOLD_CONTENT) != 0 ? told_content : NULL;
  options->on_lost = (told & TOLD_LOST) != 0 ? told_lost : NULL;
}

void assert_watched(const struct watcher* watcher, unsigned told) {
  assert_string_equal(watcher->wrong, "");
  assert_int_equal(watcher->calls_after, 0);
  if ((told & TOLD_PROGRESS) != 0) {
    assert_true(watcher->progress_calls > 0);
    if (watcher->total != UINT64_MAX && watcher->total != 0)
      assert_true(watcher->done == watcher->total);
  }
  if ((told & TOLD_CONTENT) != 0) assert_true(watcher->content == watcher->capacity);
}

void watcher_free(struct watcher* watcher) { bytes_free(&watcher->output.bytes); }

unsigned sampling(void) {
  if (getenv("VMDK_TEST_THOROUGH") != NULL) return 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 9;
#else
  return 4;
#endif
}
