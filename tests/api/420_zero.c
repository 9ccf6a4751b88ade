/* SPDX-License-Identifier: MIT */
/* vmdk_zero_at() and vmdk_discard_at(): that the range reads as zero, how it is stored then, and
 * where the space goes. */
#define _POSIX_C_SOURCE 200809L /* stat */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/raw_check.h"
#include "support/recording_io.h"
#include "support/workload.h"

#define SECTOR 512u
#define GRAIN 4096u

static vmdk_disk* open_with(struct recording_io* io, const char* name, uint32_t flags) {
  vmdk_open_options options = default_options();

  options.flags = flags;
  options.io = &io->io;
  return open_disk(name, &options);
}

static vmdk_status clear(vmdk_disk* disk, int discard, uint64_t size, uint64_t offset) {
  return discard ? vmdk_discard_at(disk, size, offset) : vmdk_zero_at(disk, size, offset);
}

static void assert_clean(const struct recording_io* io, const char* name, int tables_may_miss) {
  struct raw_result result;
  char why[256];

  raw_check(&io->io, name, tables_may_miss, &result);
  if (!raw_is_clean(&result, NULL, why, sizeof(why))) fail_msg("%s: %s", name, why);
}

static uint32_t get32(const unsigned char* at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ---- Content ---- */

static void test_edges(void** state) {
  static const uint64_t places[] = {0,       512,         4096,      65536,
                                    8 * MIB, MIB,         2 * MIB,   WORKLOAD_CAPACITY,
                                    34816,   100 * 4096u, 13 * 4096u};
  static const uint64_t sizes[] = {1, 511, 512, 4096, 8192, 8193, 70000, 600000};
  static const uint64_t before[] = {0, 1, 512, 4096, 4097};
  size_t k, p, b, s;
  int without_punch;

  (void)state;
  for (k = 0; k < kind_count; ++k) {
    for (without_punch = 0; without_punch < 2; ++without_punch) {
      unsigned char* model = allocate((size_t)WORKLOAD_CAPACITY);
      struct recording_io io;
      struct made made;
      vmdk_disk* disk;
      unsigned round = 0;

      assert_int_equal(make_kind(kinds + k, &made), 0);
      recording_io_init_from(&io, &made.store);
      if (without_punch) io.io.punch = NULL;
      model_read(&made.model, 0, WORKLOAD_CAPACITY, model);
      disk = open_with(&io, made.name, VMDK_OPEN_WRITE);
      for (p = 0; p < COUNT(places); ++p) {
        for (b = 0; b < COUNT(before); ++b) {
          for (s = 0; s < COUNT(sizes); ++s) {
            uint64_t offset = places[p] - before[b], size = sizes[s];
            unsigned char data[700];
            if (before[b] > places[p] || offset >= WORKLOAD_CAPACITY) continue;
            if (size > WORKLOAD_CAPACITY - offset) size = WORKLOAD_CAPACITY - offset;
            /* Something to be cleared. */
            if (++round % 2 == 0 && size > 100 &&
                !kind_is_read_only(kinds + k, offset, sizeof(data)) &&
                offset + sizeof(data) <= WORKLOAD_CAPACITY) {
              pattern_fill(round, 0, data, sizeof(data));
              assert_ok(vmdk_write_at(disk, data, sizeof(data), offset));
              memcpy(model + offset, data, sizeof(data));
            }
            if (round % 5 == 0) assert_ok(vmdk_flush(disk));
            assert_ok(clear(disk, (int)(round % 3 != 0), size, offset));
            memset(model + offset, 0, (size_t)size);
            /* Small reads ask only the link that held something the last time. */
            assert_content(disk, model, 40000, 500);
            if (round % 16 == 0) assert_content(disk, model, WORKLOAD_CAPACITY, 100000);
            if (round % 50 == 0) {
              assert_ok(vmdk_close(disk));
              assert_clean(&io, made.name, kind_may_miss_tables(kinds + k));
              disk = open_with(&io, made.name, VMDK_OPEN_WRITE);
            }
          }
        }
      }
      assert_ok(vmdk_close(disk));
      assert_clean(&io, made.name, kind_may_miss_tables(kinds + k));
      disk = open_with(&io, made.name, 0);
      assert_content(disk, model, WORKLOAD_CAPACITY, 100000);
      assert_ok(vmdk_close(disk));
      assert_int_equal(io.wrong, 0);
      recording_io_free(&io);
      made_free(&made);
      free(model);
    }
  }
}

/* What the chain remembers of a piece above a parent does not outlive its being cleared. */
static void test_small_reads_above_a_parent(void** state) {
  static const char zeros[SECTOR];
  unsigned char data[4 * GRAIN], found[SECTOR];
  int discard;

  (void)state;
  for (discard = 0; discard < 2; ++discard) {
    vmdk_create_options create = {0};
    struct recording_io io;
    vmdk_open_options open = default_options();
    vmdk_snapshot_options snapshot = {0};
    vmdk_disk* disk;

    recording_io_init(&io);
    create.struct_size = sizeof(create);
    create.type = VMDK_TYPE_MONOLITHIC_FLAT;
    create.capacity = MIB;
    create.io = &io.io;
    assert_ok(vmdk_create("base.vmdk", &create));
    disk = open_with(&io, "base.vmdk", VMDK_OPEN_WRITE);
    memset(data, 0x5a, sizeof(data));
    assert_ok(vmdk_write_at(disk, data, sizeof(data), 0));
    assert_ok(vmdk_close(disk));
    open.io = &io.io;
    snapshot.struct_size = sizeof(snapshot);
    snapshot.open = &open;
    assert_ok(vmdk_snapshot("base.vmdk", "child.vmdk", &snapshot));
    disk = open_with(&io, "child.vmdk", VMDK_OPEN_WRITE);
    assert_ok(vmdk_read_at(disk, found, sizeof(found), 4096));
    assert_memory_equal(found, data, sizeof(found));
    assert_ok(clear(disk, discard, 8192, 4096));
    assert_ok(vmdk_read_at(disk, found, sizeof(found), 4096));
    assert_memory_equal(found, zeros, sizeof(found));
    assert_ok(vmdk_read_at(disk, found, sizeof(found), 0));
    assert_memory_equal(found, data, sizeof(found));
    assert_ok(vmdk_close(disk));
    recording_io_free(&io);
  }
}

/* ---- How it is stored ---- */

enum { NO_ENTRIES, ENTRIES, OLD_VERSION, NO_FLAG }; /* of zeros: only ENTRIES may have them */

static void test_stored_how(void** state) {
  static const struct {
    char parent, child; /* '-': no parent */
    int header, whole, discard;
    uint32_t kind, entry; /* of the table: 0, 1, or 2 = a place */
  } cases[] = {
      /* Nothing below. */
      {'-', '.', NO_ENTRIES, 1, 0, VMDK_RUN_ABSENT, 0},
      {'-', '.', NO_ENTRIES, 0, 0, VMDK_RUN_ABSENT, 0},
      {'-', '.', ENTRIES, 1, 0, VMDK_RUN_ABSENT, 0},
      {'-', '.', ENTRIES, 1, 1, VMDK_RUN_ABSENT, 0},
      {'-', 'D', NO_ENTRIES, 1, 0, VMDK_RUN_DATA, 2},
      {'-', 'D', NO_ENTRIES, 1, 1, VMDK_RUN_ABSENT, 0},
      {'-', 'D', NO_ENTRIES, 0, 1, VMDK_RUN_DATA, 2},
      {'-', 'D', ENTRIES, 1, 0, VMDK_RUN_DATA, 2},
      {'-', 'D', ENTRIES, 1, 1, VMDK_RUN_ABSENT, 0},
      {'-', '0', ENTRIES, 1, 0, VMDK_RUN_ZERO, 1},
      {'-', '0', ENTRIES, 0, 0, VMDK_RUN_ZERO, 1},
      {'.', '.', NO_ENTRIES, 1, 0, VMDK_RUN_ABSENT, 0},
      {'.', '.', ENTRIES, 1, 1, VMDK_RUN_ABSENT, 0},
      {'.', 'D', NO_ENTRIES, 1, 1, VMDK_RUN_ABSENT, 0},
      {'.', 'D', ENTRIES, 1, 1, VMDK_RUN_ABSENT, 0},
      /* Zeros below. */
      {'0', '.', NO_ENTRIES, 1, 0, VMDK_RUN_ZERO, 0},
      {'0', '.', ENTRIES, 1, 1, VMDK_RUN_ZERO, 0},
      {'0', 'D', NO_ENTRIES, 1, 1, VMDK_RUN_ZERO, 0},
      /* Data below. */
      {'D', '.', NO_ENTRIES, 1, 0, VMDK_RUN_DATA, 2},
      {'D', '.', NO_ENTRIES, 1, 1, VMDK_RUN_DATA, 2},
      {'D', '.', NO_ENTRIES, 0, 0, VMDK_RUN_DATA, 2},
      {'D', '.', ENTRIES, 1, 0, VMDK_RUN_ZERO, 1},
      {'D', '.', ENTRIES, 1, 1, VMDK_RUN_ZERO, 1},
      {'D', '.', ENTRIES, 0, 1, VMDK_RUN_DATA, 2},
      {'D', '.', OLD_VERSION, 1, 0, VMDK_RUN_DATA, 2},
      {'D', '.', NO_FLAG, 1, 0, VMDK_RUN_DATA, 2},
      {'D', 'D', NO_ENTRIES, 1, 0, VMDK_RUN_DATA, 2},
      {'D', 'D', NO_ENTRIES, 1, 1, VMDK_RUN_DATA, 2},
      {'D', 'D', ENTRIES, 1, 0, VMDK_RUN_DATA, 2},
      {'D', 'D', ENTRIES, 1, 1, VMDK_RUN_ZERO, 1},
      {'D', 'D', ENTRIES, 0, 1, VMDK_RUN_DATA, 2},
      {'D', 'D', OLD_VERSION, 1, 1, VMDK_RUN_DATA, 2},
      {'D', 'D', NO_FLAG, 1, 1, VMDK_RUN_DATA, 2},
      {'D', '0', ENTRIES, 1, 1, VMDK_RUN_ZERO, 1},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct descriptor parent = {0}, child = {0};
    struct sparse below = {0}, above = {0};
    struct layout layout;
    struct recording_io io;
    struct bytes file;
    unsigned char model[3 * GRAIN] = {0};
    char grains[2][4] = {".?.", "D?D"};
    uint64_t offset = cases[i].whole ? GRAIN : GRAIN + 700, size = cases[i].whole ? GRAIN : 1000;
    uint32_t entry;
    vmdk_disk* disk;
    vmdk_run run;

    recording_io_init(&io);
    below.sectors = above.sectors = 24;
    below.grain_sectors = above.grain_sectors = 8;
    grains[0][1] = cases[i].parent;
    grains[1][1] = cases[i].child;
    below.grains = grains[0];
    above.grains = grains[1];
    below.seed = 1;
    above.seed = 2;
    if (cases[i].parent != '-') model_put(model, sizeof(model), &below);
    model_put(model, sizeof(model), &above);
    parent.extents = "RW 24 SPARSE \"p.bin\"\n";
    parent.cid = 0x22222222;
    child.extents = "RW 24 SPARSE \"c.bin\"\n";
    if (cases[i].parent != '-') {
      child.parent = 0x22222222;
      child.hint = "parent.vmdk";
      store_put(&io.store, "parent.vmdk", descriptor_bytes(&parent));
      store_put(&io.store, "p.bin", hosted_bytes(&below, NULL));
    }
    store_put(&io.store, "child.vmdk", descriptor_bytes(&child));
    file = hosted_bytes(&above, &layout);
    bytes_set32(&file, 4, cases[i].header == ENTRIES || cases[i].header == NO_FLAG ? 2 : 1);
    entry = get32(file.data + 8) & ~4u;
    if (cases[i].header == ENTRIES || cases[i].header == OLD_VERSION) entry |= 4;
    bytes_set32(&file, 8, entry);
    store_put(&io.store, "c.bin", file);

    disk = open_with(&io, "child.vmdk", VMDK_OPEN_WRITE);
    assert_content(disk, model, sizeof(model), 512);
    assert_ok(clear(disk, cases[i].discard, size, offset));
    memset(model + offset, 0, (size_t)size);
    assert_content(disk, model, sizeof(model), 512);
    run = run_at(disk, offset, size);
    if (run.kind != cases[i].kind)
      fail_msg("case %zu: run of kind %u, not %u", i, (unsigned)run.kind, (unsigned)cases[i].kind);
    assert_ok(vmdk_close(disk));
    file = store_get(&io.store, "c.bin");
    entry = get32(file.data + layout.tables + 4);
    assert_int_equal(entry > 1 ? 2 : entry, cases[i].entry);
    assert_int_equal(get32(file.data + layout.redundant_tables + 4), entry);
    bytes_free(&file);
    disk = open_with(&io, "child.vmdk", 0);
    assert_content(disk, model, sizeof(model), 5000);
    assert_int_equal(run_at(disk, offset, size).kind, cases[i].kind);
    assert_ok(vmdk_close(disk));
    assert_clean(&io, "child.vmdk", 0);
    recording_io_free(&io);
  }
}

/* Where the parent ends, nothing lies below any more. */
static void test_beyond_parent(void** state) {
  struct descriptor parent = {0}, child = {0};
  struct sparse sparse = {0};
  struct recording_io io;
  vmdk_disk* disk;
  int discard;

  (void)state;
  for (discard = 0; discard < 2; ++discard) {
    recording_io_init(&io);
    parent.extents = "RW 12 FLAT \"p.bin\" 0\n";
    parent.cid = 0x22222222;
    child.extents = "RW 32 SPARSE \"c.bin\"\n";
    child.parent = 0x22222222;
    child.hint = "parent.vmdk";
    store_put(&io.store, "parent.vmdk", descriptor_bytes(&parent));
    store_put(&io.store, "p.bin", pattern_bytes(1, 0, 12 * SECTOR));
    store_put(&io.store, "child.vmdk", descriptor_bytes(&child));
    sparse.sectors = 32;
    sparse.grain_sectors = 8;
    sparse.grains = "";
    store_put(&io.store, "c.bin", hosted_bytes(&sparse, NULL));
    disk = open_with(&io, "child.vmdk", VMDK_OPEN_WRITE);
    assert_ok(clear(disk, discard, 32 * SECTOR, 0));
    /* The parent ends inside the second grain. */
    assert_int_equal(run_at(disk, 0, GRAIN).kind, VMDK_RUN_DATA);
    assert_int_equal(run_at(disk, GRAIN, 1).kind, VMDK_RUN_DATA);
    assert_int_equal(run_at(disk, 2 * GRAIN, GRAIN).kind, VMDK_RUN_ABSENT);
    assert_int_equal(run_at(disk, 3 * GRAIN, GRAIN).kind, VMDK_RUN_ABSENT);
    assert_ok(vmdk_close(disk));
    assert_clean(&io, "child.vmdk", 0);
    recording_io_free(&io);
  }
}

/* ---- Space ---- */

static uint64_t place_of(vmdk_disk* disk, uint64_t grain) {
  vmdk_run run = run_at(disk, grain * 65536, 65536);

  assert_int_equal(run.kind, VMDK_RUN_DATA);
  return run.file_offset;
}

/* A freed grain is used again, but not before that it is free is on stable storage. */
static void test_used_again(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_VMFS_SPARSE};
  unsigned char data[65536], got[65536];
  size_t t;

  (void)state;
  for (t = 0; t < COUNT(types); ++t) {
    struct recording_io io;
    vmdk_create_options options;
    uint64_t first, second, size;
    vmdk_disk* disk;
    long file;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    options.type = types[t];
    options.capacity = 8 * MIB;
    recording_io_init(&io);
    options.io = &io.io;
    assert_ok(vmdk_create("disk.vmdk", &options));
    file = store_find(&io.store, t == 0 ? "disk.vmdk" : "disk-delta.vmdk");
    pattern_fill(1, 0, data, sizeof(data));
    disk = open_with(&io, "disk.vmdk", VMDK_OPEN_WRITE);
    assert_ok(vmdk_write_at(disk, data, sizeof(data), 0));
    assert_ok(vmdk_write_at(disk, data, sizeof(data), 65536));
    assert_ok(vmdk_flush(disk));
    first = place_of(disk, 0);
    second = place_of(disk, 1);
    assert_ok(vmdk_discard_at(disk, 65536, 0));
    assert_ok(vmdk_write_at(disk, data, 10, 5 * 65536));
    assert_true(place_of(disk, 5) != first && place_of(disk, 5) != second);
    /* Not even cleared. */
    store_read(&io.store, file, first, got, sizeof(got));
    assert_same_bytes(got, data, sizeof(got));
    assert_ok(vmdk_flush(disk));
    store_read(&io.store, file, first, got, sizeof(got));
    assert_int_equal(got[5] | got[60000], 0);
    size = store_size(&io.store, file);
    assert_ok(vmdk_write_at(disk, data, 10, 7 * 65536 + 3000));
    assert_true(place_of(disk, 7) == first);
    assert_true(store_size(&io.store, file) == size);
    assert_ok(vmdk_read_at(disk, got, 65536, 7 * 65536));
    assert_int_equal(got[2999] | got[3010] | got[65535], 0);
    assert_same_bytes(got + 3000, data, 10);
    assert_ok(vmdk_close(disk));
    assert_clean(&io, "disk.vmdk", 0);
    /* Three grains and nothing behind them. */
    assert_true(store_size(&io.store, file) % 65536 == 0);
    disk = open_with(&io, "disk.vmdk", 0);
    assert_true(store_size(&io.store, file) == place_of(disk, 5) + 65536);
    assert_ok(vmdk_close(disk));
    recording_io_free(&io);
  }
}

/* Writing and discarding in turns does not make the file grow. */
static void test_no_growth(void** state) {
  struct recording_io io;
  vmdk_create_options options;
  unsigned char data[65536];
  uint64_t size = 0;
  int round;

  (void)state;
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.capacity = 8 * MIB;
  recording_io_init(&io);
  options.io = &io.io;
  assert_ok(vmdk_create("disk.vmdk", &options));
  memset(data, 7, sizeof(data));
  {
    vmdk_disk* disk = open_with(&io, "disk.vmdk", VMDK_OPEN_WRITE);
    for (round = 0; round < 50; ++round) {
      uint64_t at = (uint64_t)(round % 8) * MIB;
      assert_ok(vmdk_write_at(disk, data, sizeof(data), at));
      assert_ok(vmdk_flush(disk));
      assert_ok(vmdk_discard_at(disk, MIB, at));
      assert_ok(vmdk_flush(disk));
      if (round == 1) size = store_size(&io.store, 0);
    }
    assert_true(store_size(&io.store, 0) == size);
    assert_ok(vmdk_close(disk));
  }
  assert_clean(&io, "disk.vmdk", 0);
  recording_io_free(&io);
}

static uint64_t stored(const char* path) {
  struct stat st;

  assert_int_equal(stat(path, &st), 0);
  return (uint64_t)st.st_blocks * 512;
}

static uint64_t size_of(const char* path) {
  struct stat st;

  assert_int_equal(stat(path, &st), 0);
  return (uint64_t)st.st_size;
}

static void test_holes(void** state) {
  static const struct {
    uint32_t type;
    const char* file;
    int thick;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, "disk.vmdk", 0},
      {VMDK_TYPE_SPLIT_SPARSE, "disk-s001.vmdk", 0},
      {VMDK_TYPE_VMFS_SPARSE, "disk-delta.vmdk", 0},
      {VMDK_TYPE_MONOLITHIC_FLAT, "disk-flat.vmdk", 0},
      {VMDK_TYPE_SPLIT_FLAT, "disk-f001.vmdk", 0},
      {VMDK_TYPE_VMFS, "disk-flat.vmdk", 0},
      {VMDK_TYPE_VMFS_THIN, "disk-flat.vmdk", 0},
      {VMDK_TYPE_VMFS_PREALLOCATED, "disk-flat.vmdk", 1},
      {VMDK_TYPE_VMFS_EAGER_ZEROED, "disk-flat.vmdk", 1},
  };
  const size_t size = (size_t)(4 * MIB);
  unsigned char *data = allocate(size), *zeros = calloc(1, size);
  size_t i;
  int discard;

  (void)state;
  assert_non_null(zeros);
  memset(data, 3, size);
  for (i = 0; i < COUNT(cases); ++i) {
    for (discard = 0; discard < 2; ++discard) {
      vmdk_create_options options;
      vmdk_open_options open = default_options();
      void* folder = NULL;
      const char *path, *file;
      vmdk_disk* disk;
      uint64_t full, after, length;

      assert_int_equal(folder_setup(&folder), 0);
      memset(&options, 0, sizeof(options));
      options.struct_size = sizeof(options);
      options.type = cases[i].type;
      options.capacity = 6 * MIB;
      path = path_in(folder, "disk.vmdk");
      file = path_in(folder, cases[i].file);
      assert_ok(vmdk_create(path, &options));
      open.flags = VMDK_OPEN_WRITE;
      disk = open_disk(path, &open);
      assert_ok(vmdk_write_at(disk, data, size, MIB));
      assert_ok(vmdk_flush(disk));
      full = stored(file);
      assert_true(full >= size);
      assert_ok(clear(disk, discard, size, MIB));
      assert_ok(vmdk_flush(disk));
      after = stored(file);
      length = size_of(file);
      if (cases[i].thick)
        assert_true(after >= 6 * MIB);
      else
        assert_true(after < MIB);
      assert_content(disk, zeros, size, 1 << 20);
      assert_ok(vmdk_close(disk));
      assert_true(size_of(file) <= length);
      if (cases[i].thick) assert_true(stored(file) >= 6 * MIB);
      assert_int_equal(folder_teardown(&folder), 0);
    }
  }
  free(data);
  free(zeros);
}

/* A new grain takes only the space of what was written to it. */
static void test_new_grains_are_holes(void** state) {
  vmdk_create_options options;
  vmdk_open_options open = default_options();
  struct folder* folder = *state;
  const char* path = path_in(folder, "disk.vmdk");
  unsigned char byte = 1;
  vmdk_disk* disk;
  int i;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.capacity = 64 * MIB;
  assert_ok(vmdk_create(path, &options));
  open.flags = VMDK_OPEN_WRITE;
  disk = open_disk(path, &open);
  for (i = 0; i < 100; ++i) assert_ok(vmdk_write_at(disk, &byte, 1, (uint64_t)i * 131072 + 70000));
  assert_ok(vmdk_close(disk));
  assert_true(size_of(path) >= 100 * 65536);
  assert_true(stored(path) <= 100 * 8192 + 256 * KIB);
}

/* The last grain of an extent may be stored in part, at any place: its room is not taken for that
 * of a whole one. */
static void test_short_last_grain(void** state) {
  struct descriptor descriptor = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct recording_io io;
  struct bytes file;
  vmdk_disk* disk;
  unsigned char model[2 * 65536 + 1024] = {0}, data[65536];
  int shift;

  (void)state;
  for (shift = 0; shift < 2; ++shift) {
    recording_io_init(&io);
    memset(model, 0, sizeof(model));
    descriptor.extents = "RW 258 SPARSE \"x.bin\"\n";
    sparse.sectors = 258;
    sparse.grains = "..D";
    sparse.seed = 4;
    file = hosted_bytes(&sparse, &layout);
    /* Two sectors of it, at the very end of the file. */
    bytes_resize(&file, (size_t)layout.data + (size_t)shift * 5 * SECTOR);
    bytes_resize(&file, file.size + 2 * SECTOR);
    bytes_set32(&file, (size_t)layout.tables + 8, (uint32_t)(file.size / SECTOR) - 2);
    bytes_set32(&file, (size_t)layout.redundant_tables + 8, (uint32_t)(file.size / SECTOR) - 2);
    store_put(&io.store, "x.bin", file);
    store_put(&io.store, "disk.vmdk", descriptor_bytes(&descriptor));
    disk = open_with(&io, "disk.vmdk", VMDK_OPEN_WRITE);
    assert_content(disk, model, sizeof(model), 4096);
    pattern_fill(9, 0, data, sizeof(data));
    assert_ok(vmdk_write_at(disk, data, sizeof(data), 0));
    memcpy(model, data, sizeof(data));
    assert_ok(vmdk_discard_at(disk, 1024, 2 * 65536));
    assert_ok(vmdk_flush(disk));
    assert_content(disk, model, sizeof(model), 4096);
    assert_ok(vmdk_write_at(disk, data + 1000, 60000, 65536));
    memcpy(model + 65536, data + 1000, 60000);
    assert_content(disk, model, sizeof(model), 4096);
    assert_ok(vmdk_write_at(disk, data, 1000, 2 * 65536));
    memcpy(model + (size_t)2 * 65536, data, 1000);
    assert_content(disk, model, sizeof(model), 4096);
    assert_ok(vmdk_close(disk));
    disk = open_with(&io, "disk.vmdk", 0);
    assert_content(disk, model, sizeof(model), 4096);
    assert_ok(vmdk_close(disk));
    recording_io_free(&io);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small_reads_above_a_parent),
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_stored_how),
      cmocka_unit_test(test_beyond_parent),
      cmocka_unit_test(test_used_again),
      cmocka_unit_test(test_no_growth),
      cmocka_unit_test(test_holes),
      cmocka_unit_test_setup_teardown(test_new_grains_are_holes, folder_setup, folder_teardown),
      cmocka_unit_test(test_short_last_grain),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
