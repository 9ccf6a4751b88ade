/* SPDX-License-Identifier: MIT */
/* vmdk_snapshot(): children of every kind of parent, and what is refused. */
#define _POSIX_C_SOURCE 200809L /* opendir, chdir */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "support/archive.h"
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/recording_io.h"

#define SECTOR 512u
#define SIZE (3 * MIB + SECTOR)
#define TIB ((uint64_t)1 << 40)

static vmdk_snapshot_options new_options(uint32_t type) {
  vmdk_snapshot_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  return options;
}

static vmdk_open_options to_write(const vmdk_io* io) {
  vmdk_open_options options = default_options();

  options.flags = VMDK_OPEN_WRITE;
  options.io = io;
  return options;
}

static void create(const char* path, uint32_t type, uint64_t capacity, uint64_t grain,
                   const vmdk_io* io) {
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  options.capacity = capacity;
  options.grain_bytes = grain;
  options.adapter = VMDK_ADAPTER_IDE;
  options.hardware_version = 13;
  options.io = io;
  if (vmdk_create(path, &options) != VMDK_OK) fail_msg("%s: %s", path, vmdk_last_error()->message);
}

static int count_entries(struct folder* folder) {
  DIR* dir = opendir(folder_path(folder));
  int count = 0;

  assert_non_null(dir);
  while (readdir(dir) != NULL) ++count;
  (void)closedir(dir);
  return count - 2;
}

/* Writes pieces of the pattern `seed` to the disk and to the model of it. */
static void write_some(const char* path, const vmdk_io* io, uint32_t seed, unsigned char* model,
                       uint64_t size) {
  vmdk_open_options options = to_write(io);
  vmdk_disk* disk = open_disk(path, &options);
  uint64_t state = seed * 77 + 1;
  int i;

  for (i = 0; i < 12; ++i) {
    uint64_t offset = next_random(&state) % size;
    uint64_t piece = next_random(&state) % (i % 3 == 0 ? 200 * KIB : 3000) + 1;
    if (i == 0) offset = 0;
    if (piece > size - offset) piece = size - offset;
    if (i == 1) offset = size - piece;
    pattern_fill(seed, offset, model + offset, (size_t)piece);
    assert_ok(vmdk_write_at(disk, model + offset, (size_t)piece, offset));
  }
  assert_ok(vmdk_close(disk));
}

static void check_model(const char* path, const vmdk_io* io, const unsigned char* model,
                        uint64_t size, uint32_t links) {
  vmdk_open_options options = default_options();
  vmdk_disk* disk;

  options.io = io;
  disk = open_disk(path, &options);
  assert_int_equal(info_of(disk, 0).chain_length, links);
  assert_true(info_of(disk, 0).capacity == size);
  assert_content(disk, model, size, 300000);
  assert_ok(vmdk_close(disk));
}

static void assert_unchanged(const char* path, struct bytes before) {
  struct bytes after = read_file(path);

  assert_int_equal(after.size, before.size);
  assert_same_bytes(after.data, before.data, before.size);
  bytes_free(&after);
  bytes_free(&before);
}

/* ---- Parents of every kind ---- */

static const struct parent {
  uint32_t type;
  uint64_t grain;
  const char* extent;   /* of which the content must not change */
  uint32_t child;       /* the type that fits */
  uint64_t child_grain; /* of it */
} parents[] = {
    {VMDK_TYPE_MONOLITHIC_SPARSE, 0, "", VMDK_TYPE_MONOLITHIC_SPARSE, 64 * KIB},
    {VMDK_TYPE_MONOLITHIC_SPARSE, 4096, "", VMDK_TYPE_MONOLITHIC_SPARSE, 4096},
    {VMDK_TYPE_MONOLITHIC_FLAT, 0, "-flat", VMDK_TYPE_MONOLITHIC_SPARSE, 64 * KIB},
    {VMDK_TYPE_SPLIT_SPARSE, MIB, "-s001", VMDK_TYPE_SPLIT_SPARSE, MIB},
    {VMDK_TYPE_SPLIT_FLAT, 0, "-f001", VMDK_TYPE_SPLIT_SPARSE, 64 * KIB},
    {VMDK_TYPE_VMFS, 0, "-flat", VMDK_TYPE_VMFS_SPARSE, 512},
    {VMDK_TYPE_VMFS_THIN, 0, "-flat", VMDK_TYPE_VMFS_SPARSE, 512},
    {VMDK_TYPE_VMFS_PREALLOCATED, 0, "-flat", VMDK_TYPE_VMFS_SPARSE, 512},
    {VMDK_TYPE_VMFS_EAGER_ZEROED, 0, "-flat", VMDK_TYPE_VMFS_SPARSE, 512},
    {VMDK_TYPE_VMFS_SPARSE, 0, "-delta", VMDK_TYPE_VMFS_SPARSE, 64 * KIB},
    {VMDK_TYPE_VMFS_SPARSE, 512, "-delta", VMDK_TYPE_VMFS_SPARSE, 512},
};

static void fits_its_parent(void** state) {
  unsigned char* model = allocate(SIZE);
  size_t i;

  for (i = 0; i < COUNT(parents); ++i) {
    const struct parent* parent = parents + i;
    const char* folder = put_directory(*state, text_in(*state, "%u", (unsigned)i));
    const char* base = text_in(*state, "%s/base.vmdk", folder);
    const char* extent = text_in(*state, "%s/base%s.vmdk", folder, parent->extent);
    const char* child = text_in(*state, "%s/child.vmdk", folder);
    struct bytes before[2];
    vmdk_disk* disk;
    vmdk_info info, above;

    memset(model, 0, SIZE);
    create(base, parent->type, SIZE, parent->grain, NULL);
    write_some(base, NULL, 1, model, SIZE);
    before[0] = read_file(base);
    before[1] = read_file(extent);
    if (vmdk_snapshot(base, child, NULL) != VMDK_OK)
      fail_msg("case %u: %s", (unsigned)i, vmdk_last_error()->message);
    disk = open_disk(child, NULL);
    info = info_of(disk, 0);
    above = info_of(disk, 1);
    assert_int_equal(info.type, parent->child);
    assert_int_equal(info.grain_bytes, parent->child_grain);
    assert_true(info.capacity == SIZE);
    assert_int_equal(info.cid, above.cid);
    assert_int_equal(info.parent_cid, above.cid);
    assert_int_equal(info.adapter, VMDK_ADAPTER_IDE);
    assert_int_equal(info.hardware_version, 13);
    assert_int_equal(info.cylinders, above.cylinders);
    assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "base.vmdk");
    {
      char id[64];
      strcpy(id, text_of(disk, 1, "ddb.longContentID"));
      assert_string_equal(text_of(disk, 0, "ddb.longContentID"), id);
    }
    assert_contains(text_of(disk, 0, "@descriptor"), "\n# Extent description\n");
    assert_lacks(text_of(disk, 0, "@descriptor"), "\n\n# Extent description\n");
    assert_contains(text_of(disk, 0, "@descriptor"), "ddb.adapterType = \"ide\"");
    assert_contains(text_of(disk, 0, "@descriptor"), "ddb.geometry.heads = \"16\"");
    assert_lacks(text_of(disk, 0, "@descriptor"), "ddb.uuid");
    assert_int_equal(run_at(disk, 0, 1).link, 1);
    assert_ok(vmdk_close(disk));
    check_model(child, NULL, model, SIZE, 2);
    write_some(child, NULL, 2, model, SIZE);
    check_model(child, NULL, model, SIZE, 2);
    assert_unchanged(base, before[0]);
    assert_unchanged(extent, before[1]);
  }
  free(model);
}

/* Disks that only others make. */
static void parents_that_cannot_be_written(void** state) {
  static const char grains[] = "D.D0D..D";
  unsigned char* model = allocate(SIZE);
  struct descriptor text = {0};
  struct sparse sparse = {0};
  const char* child = path_in(*state, "child.vmdk");
  vmdk_disk* disk;

  memset(model, 0, SIZE);
  text.type = "streamOptimized";
  text.extents = "RW 1024 SPARSE \"x.vmdk\"\n";
  sparse.sectors = 1024;
  sparse.grains = grains;
  sparse.seed = 5;
  sparse.descriptor = &text;
  model_put(model, 1024 * SECTOR, &sparse);
  assert_ok(
      vmdk_snapshot(put_file(*state, "stream.vmdk", stream_bytes(&sparse, NULL)), child, NULL));
  disk = open_disk(child, NULL);
  assert_int_equal(info_of(disk, 0).type, VMDK_TYPE_MONOLITHIC_SPARSE);
  assert_int_equal(info_of(disk, 0).grain_bytes, 64 * KIB);
  assert_ok(vmdk_close(disk));
  write_some(child, NULL, 6, model, 1024 * SECTOR);
  check_model(child, NULL, model, 1024 * SECTOR, 2);

  memset(model, 0, SIZE);
  sparse.grain_sectors = 8;
  sparse.descriptor = NULL;
  model_put(model, 1024 * SECTOR, &sparse);
  (void)put_file(*state, "se-sesparse.vmdk", se_bytes(&sparse));
  text.type = "seSparse";
  text.extents = "RW 1024 SESPARSE \"se-sesparse.vmdk\"\n";
  child = path_in(*state, "child2.vmdk");
  assert_ok(vmdk_snapshot(put_file(*state, "se.vmdk", descriptor_bytes(&text)), child, NULL));
  disk = open_disk(child, NULL);
  assert_int_equal(info_of(disk, 0).type, VMDK_TYPE_MONOLITHIC_SPARSE);
  assert_int_equal(info_of(disk, 0).grain_bytes, 4096);
  assert_ok(vmdk_close(disk));
  write_some(child, NULL, 7, model, 1024 * SECTOR);
  check_model(child, NULL, model, 1024 * SECTOR, 2);

  memset(model, 0, SIZE);
  text.type = "custom";
  text.extents = "RW 1000 ZERO\nRDONLY 24 FLAT \"raw\" 0\n";
  (void)put_file(*state, "raw", pattern_bytes(8, 1000 * SECTOR, 24 * SECTOR));
  pattern_fill(8, 1000 * SECTOR, model + 1000 * SECTOR, 24 * SECTOR);
  child = path_in(*state, "child3.vmdk");
  assert_ok(vmdk_snapshot(put_file(*state, "custom.vmdk", descriptor_bytes(&text)), child, NULL));
  write_some(child, NULL, 9, model, 1024 * SECTOR);
  check_model(child, NULL, model, 1024 * SECTOR, 2);
  free(model);
}

/* Every type of child with small and large grains on each kind of parent. */
static void types_and_grains(void** state) {
  static const struct {
    uint32_t type, flags;
    uint64_t grain;
  } children[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, 0, 4096},
      {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_CREATE_ZERO_GRAINS, MIB},
      {VMDK_TYPE_SPLIT_SPARSE, 0, 128 * KIB},
      {VMDK_TYPE_VMFS_SPARSE, 0, 512},
      {VMDK_TYPE_VMFS_SPARSE, 0, MIB},
  };
  unsigned char *model = allocate(SIZE), *copy = allocate(SIZE);
  size_t i, j;

  for (i = 0; i < COUNT(parents); ++i) {
    const char* folder = put_directory(*state, text_in(*state, "%u", (unsigned)i));
    const char* base = text_in(*state, "%s/base.vmdk", folder);

    memset(model, 0, SIZE);
    create(base, parents[i].type, SIZE, parents[i].grain, NULL);
    write_some(base, NULL, 1, model, SIZE);
    for (j = 0; j < COUNT(children); ++j) {
      vmdk_snapshot_options options = new_options(children[j].type);
      const char* child = text_in(*state, "%s/child%u.vmdk", folder, (unsigned)j);
      vmdk_disk* disk;

      options.grain_bytes = children[j].grain;
      options.flags = children[j].flags;
      assert_ok(vmdk_snapshot(base, child, &options));
      disk = open_disk(child, NULL);
      assert_int_equal(info_of(disk, 0).type, children[j].type);
      assert_int_equal(info_of(disk, 0).grain_bytes, children[j].grain);
      if (children[j].flags != 0) assert_int_equal(info_of(disk, 0).header_version, 2);
      assert_ok(vmdk_close(disk));
      memcpy(copy, model, SIZE);
      write_some(child, NULL, 2, copy, SIZE);
      check_model(child, NULL, copy, SIZE, 2);
      check_model(base, NULL, model, SIZE, 1);
    }
  }
  free(model);
  free(copy);
}

/* Each link of another kind and grain than the one below. */
static void long_chains(void** state) {
  static const struct {
    uint32_t type;
    uint64_t grain;
  } links[] = {{VMDK_TYPE_VMFS_SPARSE, 512},        {VMDK_TYPE_MONOLITHIC_SPARSE, MIB},
               {VMDK_TYPE_SPLIT_SPARSE, 4096},      {VMDK_TYPE_VMFS_SPARSE, 256 * KIB},
               {VMDK_TYPE_MONOLITHIC_SPARSE, 8192}, {VMDK_TYPE_SPLIT_SPARSE, 64 * KIB}};
  unsigned char* model = allocate(SIZE);
  const char* below = path_in(*state, "0.vmdk");
  size_t i;

  memset(model, 0, SIZE);
  create(below, VMDK_TYPE_SPLIT_FLAT, SIZE, 0, NULL);
  write_some(below, NULL, 1, model, SIZE);
  for (i = 0; i < COUNT(links); ++i) {
    vmdk_snapshot_options options = new_options(links[i].type);
    const char* child = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)i + 1);

    options.grain_bytes = links[i].grain;
    assert_ok(vmdk_snapshot(below, child, &options));
    check_model(child, NULL, model, SIZE, (uint32_t)i + 2);
    write_some(child, NULL, (uint32_t)i + 2, model, SIZE);
    check_model(child, NULL, model, SIZE, (uint32_t)i + 2);
    below = child;
  }
  free(model);
}

/* ---- Sizes ---- */

static void sizes(void** state) {
  static const struct {
    uint32_t type;
    uint64_t sectors;
    uint32_t child;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, 1, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TYPE_MONOLITHIC_SPARSE, 65537, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TYPE_SPLIT_SPARSE, 4192257, VMDK_TYPE_SPLIT_SPARSE},
      {VMDK_TYPE_VMFS, 1, VMDK_TYPE_VMFS_SPARSE},
      {VMDK_TYPE_VMFS, 2 * TIB / SECTOR - 1, VMDK_TYPE_VMFS_SPARSE},
      {VMDK_TYPE_VMFS, 2 * TIB / SECTOR, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TYPE_VMFS, 2 * TIB / SECTOR + 1, VMDK_TYPE_MONOLITHIC_SPARSE},
      {VMDK_TYPE_MONOLITHIC_SPARSE, 62 * TIB / SECTOR, VMDK_TYPE_MONOLITHIC_SPARSE},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    const char *base = text_in(*state, "%s/%u.vmdk", folder_path(*state), (unsigned)i),
               *child = text_in(*state, "%s/%u-child.vmdk", folder_path(*state), (unsigned)i);
    uint64_t size = cases[i].sectors * SECTOR;
    unsigned char data[SECTOR], buffer[SECTOR];
    vmdk_open_options open = to_write(NULL);
    vmdk_disk* disk;

    create(base, cases[i].type, size, 0, NULL);
    assert_ok(vmdk_snapshot(base, child, NULL));
    disk = open_disk(child, &open);
    assert_int_equal(info_of(disk, 0).type, cases[i].child);
    assert_true(info_of(disk, 0).capacity == size);
    pattern_fill(3, size - SECTOR, data, SECTOR);
    assert_ok(vmdk_write_at(disk, data, SECTOR, size - SECTOR));
    assert_ok(vmdk_close(disk));
    disk = open_disk(child, NULL);
    assert_ok(vmdk_read_at(disk, buffer, SECTOR, size - SECTOR));
    assert_memory_equal(buffer, data, SECTOR);
    assert_ok(vmdk_close(disk));
  }
  {
    vmdk_snapshot_options options = new_options(VMDK_TYPE_VMFS_SPARSE);
    int entries = count_entries(*state);
    assert_status(vmdk_snapshot(path_in(*state, "5.vmdk"), path_in(*state, "x.vmdk"), &options),
                  VMDK_ERR_LIMIT);
    assert_int_equal(count_entries(*state), entries);
  }
}

/* ---- Names ---- */

static void hints(void** state) {
  const char* base = path_in(*state, "top/sub/base.vmdk");
  vmdk_snapshot_options options = new_options(0);
  vmdk_open_options open = default_options();
  const char *roots[] = {NULL, NULL}, *child;
  vmdk_disk* disk;

  (void)put_directory(*state, "top/sub/deep");
  create(base, VMDK_TYPE_MONOLITHIC_FLAT, MIB, 0, NULL);

  child = path_in(*state, "top/above.vmdk");
  assert_ok(vmdk_snapshot(base, child, NULL));
  disk = open_disk(child, NULL);
  assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "sub/base.vmdk");
  assert_ok(vmdk_close(disk));

  /* However the two are named. */
  child = path_in(*state, "top/sub/deep/../other.vmdk");
  assert_ok(vmdk_snapshot(path_in(*state, "top/../top/sub/base.vmdk"), child, NULL));
  disk = open_disk(path_in(*state, "top/sub/other.vmdk"), NULL);
  assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "base.vmdk");
  assert_ok(vmdk_close(disk));
  assert_int_equal(chdir(path_in(*state, "top")), 0);
  assert_ok(vmdk_snapshot("sub/base.vmdk", "here.vmdk", NULL));
  assert_ok(vmdk_snapshot(base, "there.vmdk", NULL));
  disk = open_disk("here.vmdk", NULL);
  assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "sub/base.vmdk");
  assert_ok(vmdk_close(disk));
  disk = open_disk("there.vmdk", NULL);
  assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "sub/base.vmdk");
  assert_ok(vmdk_close(disk));
  assert_int_equal(chdir("/"), 0);

  /* A data file stands for its descriptor. */
  child = path_in(*state, "top/sub/of-data.vmdk");
  assert_ok(vmdk_snapshot(path_in(*state, "top/sub/base-flat.vmdk"), child, NULL));
  disk = open_disk(child, NULL);
  assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "base.vmdk");
  assert_ok(vmdk_close(disk));

  /* A parent outside would not be found again by default. */
  child = path_in(*state, "top/sub/deep/child.vmdk");
  assert_status(vmdk_snapshot(base, child, NULL), VMDK_ERR_PATH_DENIED);
  assert_contains(vmdk_last_error()->message, "base.vmdk");
  assert_contains(vmdk_last_error()->hint, "parent_hint");
  assert_int_equal(access(child, F_OK), -1);
  options.parent_hint = "../base.vmdk";
  assert_ok(vmdk_snapshot(base, child, &options));
  assert_status(try_open(child, NULL), VMDK_ERR_PATH_DENIED);
  roots[0] = path_in(*state, "top");
  open.roots = roots;
  disk = open_disk(child, &open);
  assert_string_equal(text_of(disk, 0, "parentFileNameHint"), "../base.vmdk");
  assert_ok(vmdk_close(disk));
}

static void bad_hints(void** state) {
  static const char* const bad[] = {"", "a\"b", "a\nb", "\x1b[0m", "\xff"};
  const char* base = path_in(*state, "base.vmdk");
  char* long_hint = allocate(5000);
  vmdk_snapshot_options options = new_options(0);
  size_t i;

  create(base, VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 0, NULL);
  for (i = 0; i < COUNT(bad); ++i) {
    options.parent_hint = bad[i];
    assert_status(vmdk_snapshot(base, path_in(*state, "child.vmdk"), &options),
                  VMDK_ERR_INVALID_ARGUMENT);
  }
  memset(long_hint, 'x', 4999);
  long_hint[4999] = 0;
  options.parent_hint = long_hint;
  assert_status(vmdk_snapshot(base, path_in(*state, "child.vmdk"), &options),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(count_entries(*state), 1);
  free(long_hint);
}

/* ---- Content IDs and keys ---- */

static void content_ids(void** state) {
  const char *base = path_in(*state, "base.vmdk"), *child = path_in(*state, "child.vmdk");
  unsigned char model[4096] = {0};
  vmdk_snapshot_options options = new_options(0);
  char id[64];
  vmdk_disk* disk;
  uint32_t cid;

  create(base, VMDK_TYPE_MONOLITHIC_SPARSE, 4096, 0, NULL);
  options.cid = 0x0000beef;
  assert_ok(vmdk_snapshot(base, child, &options));
  disk = open_disk(child, NULL);
  cid = info_of(disk, 1).cid;
  assert_int_equal(info_of(disk, 0).cid, 0xbeef);
  assert_int_equal(info_of(disk, 0).parent_cid, cid);
  strcpy(id, text_of(disk, 1, "ddb.longContentID"));
  strcpy(id + 24, "0000beef");
  assert_string_equal(text_of(disk, 0, "ddb.longContentID"), id);
  assert_ok(vmdk_close(disk));
  /* A parent that is written to later is noticed. */
  write_some(base, NULL, 1, model, sizeof(model));
  assert_status(try_open(child, NULL), VMDK_ERR_PARENT_CHANGED);
}

static void odd_parents(void** state) {
  struct descriptor text = {0};
  const char *child = path_in(*state, "child.vmdk"), *base;
  vmdk_disk* disk;

  /* Texts that cannot stand in a new descriptor, or should not, are left behind. */
  text.extents = "RW 8 ZERO\n";
  text.more =
      "ddb.adapterType = \"a\"b\"\nddb.geometry.cylinders = \"many\"\nddb.geometry.heads = \"16\"\n"
      "ddb.longContentID = \"0123\"\nddb.virtualHWVersion = \"-1\"\n";
  base = put_file(*state, "base.vmdk", descriptor_bytes(&text));
  assert_ok(vmdk_snapshot(base, child, NULL));
  disk = open_disk(child, NULL);
  assert_lacks(text_of(disk, 0, "@descriptor"), "adapterType");
  assert_lacks(text_of(disk, 0, "@descriptor"), "cylinders");
  assert_lacks(text_of(disk, 0, "@descriptor"), "longContentID");
  assert_lacks(text_of(disk, 0, "@descriptor"), "HWVersion");
  assert_contains(text_of(disk, 0, "@descriptor"), "ddb.geometry.heads = \"16\"");
  assert_int_equal(info_of(disk, 0).cid, 0x11111111);
  assert_ok(vmdk_close(disk));

  /* What a child records of it would mean that there is none. */
  text.more = NULL;
  text.cid = 0xffffffff;
  base = put_file(*state, "base2.vmdk", descriptor_bytes(&text));
  assert_status(vmdk_snapshot(base, path_in(*state, "child2.vmdk"), NULL), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->message, "ffffffff");

  assert_status(vmdk_snapshot(path_in(*state, "none"), path_in(*state, "child2.vmdk"), NULL),
                VMDK_ERR_NOT_FOUND);
  text.cid = 0;
  text.parent = 7;
  text.hint = "nowhere.vmdk";
  base = put_file(*state, "base3.vmdk", descriptor_bytes(&text));
  assert_status(vmdk_snapshot(base, path_in(*state, "child2.vmdk"), NULL), VMDK_ERR_PARENT_MISSING);
  assert_int_equal(count_entries(*state), 4);
}

static void members_of_archives(void** state) {
  struct descriptor text = {0};
  struct bytes tar = {NULL, 0};
  struct sparse sparse = {0};
  const char* path;

  text.type = "monolithicSparse";
  text.extents = "RW 128 SPARSE \"d.vmdk\"\n";
  sparse.sectors = 128;
  sparse.grains = "D";
  sparse.descriptor = &text;
  tar_add(&tar, "d.vmdk", hosted_bytes(&sparse, NULL), NULL);
  tar_end(&tar);
  path = put_file(*state, "a.ova", tar);
  assert_status(vmdk_snapshot(path, path_in(*state, "child.vmdk"), NULL), VMDK_ERR_UNSUPPORTED);
  assert_contains(vmdk_last_error()->hint, "unpack");
  assert_int_equal(count_entries(*state), 1);
}

static void keys(void** state) {
  static const char* const list[] = {"ddb.adapterType",   "nvme", "ddb.uuid", "60 00 C2 90",
                                     "ddb.longContentID", "",     NULL};
  const char *base = path_in(*state, "base.vmdk"), *child = path_in(*state, "child.vmdk");
  vmdk_snapshot_options options = new_options(0);
  vmdk_disk* disk;

  create(base, VMDK_TYPE_VMFS, MIB, 0, NULL);
  options.keys = list;
  assert_ok(vmdk_snapshot(base, child, &options));
  disk = open_disk(child, NULL);
  assert_string_equal(text_of(disk, 0, "ddb.adapterType"), "nvme");
  assert_string_equal(text_of(disk, 0, "ddb.uuid"), "60 00 C2 90");
  assert_string_equal(text_of(disk, 0, "ddb.longContentID"), "");
  assert_ok(vmdk_close(disk));
}

/* Nothing in a child is random. */
static void same_bytes_twice(void** state) {
  static const char* const names[] = {"child.vmdk", "child-delta.vmdk"};
  const char *one = put_directory(*state, "one"), *two = put_directory(*state, "two");
  const char* base = path_in(*state, "one/base.vmdk");
  size_t i;

  create(base, VMDK_TYPE_VMFS, MIB, 0, NULL);
  (void)put_file(*state, "two/base.vmdk", read_file(base));
  (void)put_file(*state, "two/base-flat.vmdk", read_file(path_in(*state, "one/base-flat.vmdk")));
  assert_ok(vmdk_snapshot(base, text_in(*state, "%s/child.vmdk", one), NULL));
  assert_ok(
      vmdk_snapshot(path_in(*state, "two/base.vmdk"), text_in(*state, "%s/child.vmdk", two), NULL));
  for (i = 0; i < COUNT(names); ++i)
    assert_unchanged(text_in(*state, "%s/%s", one, names[i]),
                     read_file(text_in(*state, "%s/%s", two, names[i])));
}

/* ---- Locks ---- */

static void locks(void** state) {
  const char *base = path_in(*state, "base.vmdk"), *child = path_in(*state, "child.vmdk");
  vmdk_snapshot_options options = new_options(0);
  vmdk_open_options open = to_write(NULL);
  vmdk_disk* disk;

  create(base, VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 0, NULL);
  disk = open_disk(base, &open);
  assert_status(vmdk_snapshot(base, child, NULL), VMDK_ERR_LOCKED);
  assert_int_equal(count_entries(*state), 1);
  open.flags = VMDK_OPEN_NO_LOCK;
  options.open = &open;
  assert_ok(vmdk_snapshot(base, child, &options));
  assert_ok(vmdk_close(disk));
}

/* ---- Files of the caller ---- */

static void files_of_the_caller(void** state) {
  unsigned char* model = allocate(SIZE);
  vmdk_snapshot_options options = new_options(0);
  vmdk_open_options open = default_options();
  struct recording_io io;
  size_t names;

  (void)state;
  memset(model, 0, SIZE);
  recording_io_init(&io);
  open.io = &io.io;
  options.open = &open;
  create("dir/sub/base.vmdk", VMDK_TYPE_MONOLITHIC_FLAT, SIZE, 0, &io.io);
  write_some("dir/sub/base.vmdk", &io.io, 1, model, SIZE);
  assert_ok(vmdk_snapshot("dir/sub/base.vmdk", "dir/sub/child.vmdk", &options));
  write_some("dir/sub/child.vmdk", &io.io, 2, model, SIZE);
  check_model("dir/sub/child.vmdk", &io.io, model, SIZE, 2);
  assert_ok(vmdk_snapshot("dir/sub/child.vmdk", "dir/top.vmdk", &options));
  write_some("dir/top.vmdk", &io.io, 3, model, SIZE);
  check_model("dir/top.vmdk", &io.io, model, SIZE, 3);
  names = store_names(&io.store);
  assert_status(vmdk_snapshot("dir/top.vmdk", "dir/sub/x.vmdk", &options), VMDK_ERR_PATH_DENIED);
  assert_status(vmdk_snapshot("dir/top.vmdk", "other/x.vmdk", &options), VMDK_ERR_PATH_DENIED);
  assert_int_equal(store_names(&io.store), names);
  assert_int_equal(recording_io_open_files(&io), 0);
  assert_int_equal(io.wrong, 0);
  recording_io_free(&io);
  free(model);
}

static void failures_of_files(void** state) {
  unsigned char* model = allocate(SIZE);
  struct store before;
  long n;

  (void)state;
  memset(model, 0, SIZE);
  {
    struct recording_io io;
    recording_io_init(&io);
    create("base.vmdk", VMDK_TYPE_SPLIT_SPARSE, SIZE, 0, &io.io);
    write_some("base.vmdk", &io.io, 1, model, SIZE);
    store_clone(&io.store, &before);
    recording_io_free(&io);
  }
  for (n = 1;; ++n) {
    vmdk_snapshot_options options = new_options(0);
    vmdk_open_options open = default_options();
    struct recording_io io;
    vmdk_status status;
    int done;

    recording_io_init_from(&io, &before);
    open.io = &io.io;
    options.open = &open;
    recording_io_fail(&io, CALL_ANY & ~(unsigned)CALL_REMOVE, n, 0, EIO);
    status = vmdk_snapshot("base.vmdk", "child.vmdk", &options);
    assert_int_equal(recording_io_open_files(&io), 0);
    assert_int_equal(io.wrong, 0);
    done = io.failed == 0;
    if (done) {
      assert_ok(status);
      assert_int_equal(store_names(&io.store), store_names(&before) + 2);
    } else {
      assert_status(status, VMDK_ERR_IO);
      assert_true(store_hash(&io.store) == store_hash(&before));
    }
    recording_io_free(&io);
    if (done) break;
  }
  assert_true(n > 10);
  store_free(&before);
  free(model);
}

/* ---- What is refused ---- */

static void options_that_mean_nothing(void** state) {
  static const char* const bad_keys[] = {"CID", "1", NULL};
  static const struct {
    uint32_t type;
    uint64_t grain;
    uint32_t flags, cid, open_flags;
    vmdk_status status;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_FLAT, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_SPLIT_FLAT, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_VMFS, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_VMFS_THIN, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_VMFS_EAGER_ZEROED, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_STREAM_OPTIMIZED, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_SE_SPARSE, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_CUSTOM, 0, 0, 0, 0, VMDK_ERR_UNSUPPORTED},
      {99, 0, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {0, 1000, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {0, 512, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_VMFS_SPARSE, 256, 0, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_VMFS_SPARSE, 0, VMDK_CREATE_ZERO_GRAINS, 0, 0, VMDK_ERR_INVALID_ARGUMENT},
      {0, 0, 2, 0, 0, VMDK_ERR_UNSUPPORTED},
      {0, 0, 0, UINT32_MAX, 0, VMDK_ERR_INVALID_ARGUMENT},
      {0, 0, 0, 0, VMDK_OPEN_WRITE, VMDK_ERR_INVALID_ARGUMENT},
      {0, 0, 0, 0, VMDK_OPEN_NO_PARENT, VMDK_ERR_INVALID_ARGUMENT},
      {0, 0, 0, 0, VMDK_OPEN_RECOVER, VMDK_ERR_INVALID_ARGUMENT},
      {0, 0, 0, 0, 0x80000000, VMDK_ERR_INVALID_ARGUMENT},
  };
  const char *base = path_in(*state, "base.vmdk"), *child = path_in(*state, "child.vmdk");
  vmdk_open_options open = default_options();
  vmdk_snapshot_options options = new_options(0);
  size_t i;

  create(base, VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 0, NULL);
  for (i = 0; i < COUNT(cases); ++i) {
    options = new_options(cases[i].type);
    options.grain_bytes = cases[i].grain;
    options.flags = cases[i].flags;
    options.cid = cases[i].cid;
    open.flags = cases[i].open_flags;
    options.open = &open;
    if (vmdk_snapshot(base, child, &options) != cases[i].status)
      fail_msg("case %u: %s", (unsigned)i, vmdk_last_error()->message);
  }
  options = new_options(0);
  options.keys = bad_keys;
  assert_status(vmdk_snapshot(base, child, &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_snapshot(NULL, child, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_snapshot(base, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_snapshot(base, base, NULL), VMDK_ERR_EXISTS);
  assert_status(vmdk_snapshot(base, path_in(*state, "none/child.vmdk"), NULL), VMDK_ERR_NOT_FOUND);
  assert_int_equal(count_entries(*state), 1);
}

static void structure_sizes(void** state) {
  const char* base = path_in(*state, "base.vmdk");
  struct {
    vmdk_snapshot_options options;
    unsigned char more[16];
  } newer;

  create(base, VMDK_TYPE_MONOLITHIC_SPARSE, MIB, 0, NULL);
  memset(&newer, 0, sizeof(newer));
  newer.options.struct_size = sizeof(newer);
  assert_ok(vmdk_snapshot(base, path_in(*state, "a.vmdk"), &newer.options));
  newer.more[15] = 1;
  assert_status(vmdk_snapshot(base, path_in(*state, "b.vmdk"), &newer.options),
                VMDK_ERR_UNSUPPORTED);
  memset(&newer, 0xee, sizeof(newer));
  newer.options.struct_size = (uint32_t)offsetof(vmdk_snapshot_options, grain_bytes);
  newer.options.type = 0;
  assert_ok(vmdk_snapshot(base, path_in(*state, "c.vmdk"), &newer.options));
  newer.options.struct_size = 0;
  assert_status(vmdk_snapshot(base, path_in(*state, "d.vmdk"), &newer.options),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(count_entries(*state), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_setup, folder_teardown)
      TEST(fits_its_parent),
      TEST(parents_that_cannot_be_written),
      TEST(types_and_grains),
      TEST(long_chains),
      TEST(sizes),
      TEST(hints),
      TEST(bad_hints),
      TEST(content_ids),
      TEST(odd_parents),
      TEST(members_of_archives),
      TEST(keys),
      TEST(same_bytes_twice),
      TEST(locks),
      TEST(files_of_the_caller),
      TEST(failures_of_files),
      TEST(options_that_mean_nothing),
      TEST(structure_sizes),
#undef TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
