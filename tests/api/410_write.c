/* SPDX-License-Identifier: MIT */
/* vmdk_write_at(), vmdk_flush() and vmdk_close() of disks that are open to write: what is written,
 * what beside it changes, what is refused, and what goes on after a failure. */
#include <errno.h>
#include <inttypes.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/raw_check.h"
#include "support/recording_io.h"
#include "support/workload.h"

#define TIB ((uint64_t)1 << 40)
#define SECTOR 512u

static vmdk_open_options write_options(const vmdk_io* io) {
  vmdk_open_options options = default_options();

  options.flags = VMDK_OPEN_WRITE;
  options.io = io;
  return options;
}

static vmdk_disk* open_to_write(struct recording_io* io, const char* name) {
  vmdk_open_options options = write_options(&io->io);

  return open_disk(name, &options);
}

static vmdk_disk* open_to_read(struct recording_io* io, const char* name) {
  vmdk_open_options options = default_options();

  options.io = &io->io;
  return open_disk(name, &options);
}

static vmdk_create_options new_options(uint32_t type, uint64_t capacity) {
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  options.capacity = capacity;
  return options;
}

static void create(struct recording_io* io, const char* name, uint32_t type, uint64_t capacity) {
  vmdk_create_options options = new_options(type, capacity);

  options.io = &io->io;
  assert_ok(vmdk_create(name, &options));
}

static struct bytes file_of(const struct recording_io* io, const char* name) {
  long file = store_find(&io->store, name);

  assert_true(file >= 0);
  return store_get(&io->store, name);
}

/* Writes the pattern of a seed to the disk and to its model. */
static void write_pattern(vmdk_disk* disk, unsigned char* model, uint64_t offset, size_t size,
                          uint32_t seed) {
  unsigned char* data = allocate(size);

  pattern_fill(seed, offset, data, size);
  assert_ok(vmdk_write_at(disk, data, size, offset));
  if (model != NULL) memcpy(model + offset, data, size);
  free(data);
}

static uint32_t get32(const unsigned char* at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The files are in order, and nothing is marked as in use. */
static void assert_clean(const struct recording_io* io, const char* name, int tables_may_miss) {
  struct raw_result result;
  char why[256];

  raw_check(&io->io, name, tables_may_miss, &result);
  if (!raw_is_clean(&result, NULL, why, sizeof(why))) fail_msg("%s: %s", name, why);
}

/* ---- What is written ---- */

#define MOST_PLACES 64u

/* Where something begins or ends. */
static size_t find_places(vmdk_disk* disk, uint64_t places[MOST_PLACES]) {
  vmdk_info info = info_of(disk, 0);
  size_t count = 0;
  uint32_t i;

  places[count++] = 0;
  places[count++] = SECTOR;
  places[count++] = 4096;
  places[count++] = 65536;
  places[count++] = 2 * MIB; /* of a table with grains of 4 KiB and of 512 bytes */
  for (i = 0; i < info.extent_count; ++i) {
    vmdk_extent_info extent = extent_of(disk, 0, i);
    places[count++] = extent.offset + extent.size;
  }
  return count;
}

static void test_edges(void** state) {
  static const uint64_t before[] = {0, 1, 511, 512, 513, 4096, 4097};
  static const size_t sizes[] = {1, 511, 512, 513, 1024, 4096, 5000, 70000};
  size_t k, b, s, p;

  (void)state;
  for (k = 0; k < kind_count; ++k) {
    unsigned char* model = allocate((size_t)WORKLOAD_CAPACITY);
    uint64_t places[MOST_PLACES];
    struct recording_io io;
    struct made made;
    vmdk_disk* disk;
    size_t count;
    uint32_t seed = 1000;

    assert_int_equal(make_kind(kinds + k, &made), 0);
    recording_io_init_from(&io, &made.store);
    model_read(&made.model, 0, WORKLOAD_CAPACITY, model);
    disk = open_to_write(&io, made.name);
    assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_WRITABLE, VMDK_INFO_WRITABLE);
    count = find_places(disk, places);
    for (p = 0; p < count; ++p) {
      for (b = 0; b < COUNT(before); ++b) {
        for (s = 0; s < COUNT(sizes); ++s) {
          uint64_t offset = places[p] - before[b];
          size_t size = sizes[s];
          unsigned char around[2];
          if (before[b] > places[p] || offset >= WORKLOAD_CAPACITY) continue;
          if (size > WORKLOAD_CAPACITY - offset) size = (size_t)(WORKLOAD_CAPACITY - offset);
          if (kind_is_read_only(kinds + k, offset, size)) continue;
          write_pattern(disk, model, offset, size, ++seed);
          /* At once, and nothing beside it. */
          assert_ok(vmdk_read_at(disk, around, 1, offset));
          assert_int_equal(around[0], model[offset]);
          if (seed % 16 == 0) assert_ok(vmdk_flush(disk));
          if (seed % 64 == 0) {
            assert_content(disk, model, WORKLOAD_CAPACITY, 100000);
            assert_ok(vmdk_close(disk));
            assert_clean(&io, made.name, kind_may_miss_tables(kinds + k));
            disk = open_to_write(&io, made.name);
          }
        }
      }
    }
    assert_content(disk, model, WORKLOAD_CAPACITY, 100000);
    assert_ok(vmdk_close(disk));
    disk = open_to_read(&io, made.name);
    assert_content(disk, model, WORKLOAD_CAPACITY, 77777);
    assert_random_reads(disk, model, WORKLOAD_CAPACITY, k, 200, 40000);
    assert_int_equal(info_of(disk, 0).flags & (VMDK_INFO_UNCLEAN | VMDK_INFO_WRITABLE), 0);
    assert_ok(vmdk_close(disk));
    assert_clean(&io, made.name, kind_may_miss_tables(kinds + k));
    assert_int_equal(io.wrong, 0);
    assert_int_equal(recording_io_open_files(&io), 0);
    recording_io_free(&io);
    made_free(&made);
    free(model);
  }
}

/* Grains of a child and of its parent, and the sizes of both, are independent of each other. */
static void test_chains(void** state) {
  static const struct {
    int parent_is_cowd, child_is_cowd;
    uint32_t parent_grain, child_grain; /* sectors */
    uint64_t parent_sectors, child_sectors;
  } cases[] = {
      {0, 0, 8, 128, 2000, 2000}, {0, 0, 128, 8, 2000, 2000}, {0, 0, 16, 64, 1003, 2001},
      {0, 0, 64, 16, 2001, 1003}, {1, 0, 1, 128, 2000, 2000}, {0, 1, 128, 1, 2000, 2000},
      {0, 1, 128, 8, 100, 2001},  {1, 0, 8, 64, 1, 1000},     {0, 0, 8, 8, 1999, 2001},
      {1, 1, 4, 32, 1500, 1499},  {0, 0, 128, 128, 127, 257}, {0, 0, 128, 256, 513, 1023},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    size_t size = (size_t)cases[i].child_sectors * SECTOR;
    size_t most =
        size > cases[i].parent_sectors * SECTOR ? size : (size_t)cases[i].parent_sectors * SECTOR;
    unsigned char* model = calloc(1, most);
    struct descriptor parent = {0}, child = {0};
    struct sparse below = {0}, above = {0};
    struct bytes before;
    struct recording_io io;
    vmdk_disk* disk;
    char lines[2][128];
    uint64_t random = 7 + i;
    int round;

    assert_non_null(model);
    recording_io_init(&io);
    below.sectors = cases[i].parent_sectors;
    below.grain_sectors = cases[i].parent_grain;
    below.grains =
        cases[i].parent_is_cowd ? "D.DDDD...DDDDD.DDD" : "D.DD0D...DDDDD.DDD.D.D.DDDDDDD";
    below.seed = 5;
    above.sectors = cases[i].child_sectors;
    above.grain_sectors = cases[i].child_grain;
    above.grains = cases[i].child_is_cowd ? ".D..D" : ".D..0"; /* COWD has no entries of zeros */
    above.seed = 6;
    model_put(model, most, &below);
    memset(model + cases[i].parent_sectors * SECTOR, 0,
           most - (size_t)cases[i].parent_sectors * SECTOR);
    model_put(model, size, &above);
    (void)snprintf(lines[0], sizeof(lines[0]), "RW %" PRIu64 " %s \"p.bin\"\n", below.sectors,
                   cases[i].parent_is_cowd ? "VMFSSPARSE" : "SPARSE");
    (void)snprintf(lines[1], sizeof(lines[1]), "RW %" PRIu64 " %s \"c.bin\"\n", above.sectors,
                   cases[i].child_is_cowd ? "VMFSSPARSE" : "SPARSE");
    parent.extents = lines[0];
    parent.cid = 0x22222222;
    child.extents = lines[1];
    child.parent = 0x22222222;
    child.hint = "parent.vmdk";
    store_put(&io.store, "parent.vmdk", descriptor_bytes(&parent));
    store_put(&io.store, "child.vmdk", descriptor_bytes(&child));
    store_put(&io.store, "p.bin",
              cases[i].parent_is_cowd ? cowd_bytes(&below, NULL) : hosted_bytes(&below, NULL));
    store_put(&io.store, "c.bin",
              cases[i].child_is_cowd ? cowd_bytes(&above, NULL) : hosted_bytes(&above, NULL));
    before = file_of(&io, "p.bin");

    disk = open_to_write(&io, "child.vmdk");
    assert_content(disk, model, size, 50000);
    for (round = 0; round < 60; ++round) {
      uint64_t offset = next_random(&random) % size;
      size_t piece = 1 + (size_t)(next_random(&random) % (round % 3 == 0 ? 70000 : 900));
      if (piece > size - offset) piece = size - (size_t)offset;
      write_pattern(disk, model, offset, piece, (uint32_t)round + 50);
      if (round % 20 == 19) assert_ok(vmdk_flush(disk));
    }
    assert_content(disk, model, size, 50000);
    assert_ok(vmdk_close(disk));
    disk = open_to_read(&io, "child.vmdk");
    assert_content(disk, model, size, 33333);
    assert_ok(vmdk_close(disk));
    assert_clean(&io, "child.vmdk", 0);
    /* The parent is only read. */
    {
      struct bytes after = file_of(&io, "p.bin");
      assert_int_equal(after.size, before.size);
      assert_same_bytes(after.data, before.data, before.size);
      bytes_free(&after);
    }
    bytes_free(&before);
    recording_io_free(&io);
    free(model);
  }
}

/* ---- What is refused ---- */

/* RW, ZERO, RDONLY, NOACCESS, RW; 16 sectors each. */
static void put_five(struct recording_io* io) {
  struct descriptor descriptor = {0};

  recording_io_init(io);
  descriptor.extents =
      "RW 16 FLAT \"a.bin\" 0\nRW 16 ZERO\nRDONLY 16 FLAT \"b.bin\" 0\n"
      "NOACCESS 16 FLAT \"c.bin\" 0\nRW 16 SPARSE \"d.bin\"\n";
  store_put(&io->store, "disk.vmdk", descriptor_bytes(&descriptor));
  store_put(&io->store, "a.bin", pattern_bytes(1, 0, 16 * SECTOR));
  store_put(&io->store, "b.bin", pattern_bytes(2, 0, 16 * SECTOR));
  store_put(&io->store, "c.bin", pattern_bytes(3, 0, 16 * SECTOR));
  {
    struct sparse sparse = {0};
    sparse.sectors = 16;
    sparse.grain_sectors = 8;
    sparse.grains = "D";
    store_put(&io->store, "d.bin", hosted_bytes(&sparse, NULL));
  }
}

static void test_read_only_extents(void** state) {
  static const struct {
    uint64_t offset; /* sectors */
    size_t size;
    int zeros;
    vmdk_status status;
    const char* message;
    uint32_t extent;
  } cases[] = {
      {16, 1, 0, VMDK_ERR_READ_ONLY, "ZERO extent", 1},
      {15, 2, 0, VMDK_ERR_READ_ONLY, "ZERO extent", 1},
      {31, 1, 0, VMDK_ERR_READ_ONLY, "ZERO extent", 1},
      {32, 1, 0, VMDK_ERR_READ_ONLY, "RDONLY", 2},
      {32, 1, 1, VMDK_ERR_READ_ONLY, "RDONLY", 2},
      {31, 2, 1, VMDK_ERR_READ_ONLY, "RDONLY", 2},
      {48, 1, 0, VMDK_ERR_READ_ONLY, "NOACCESS", 3},
      {48, 1, 1, VMDK_ERR_READ_ONLY, "NOACCESS", 3},
      {63, 2, 1, VMDK_ERR_READ_ONLY, "NOACCESS", 3},
      {0, 80, 1, VMDK_ERR_READ_ONLY, "RDONLY", 2},
      {16, 16, 1, VMDK_OK, NULL, 0},
      {0, 32, 1, VMDK_OK, NULL, 0},
      {0, 16, 0, VMDK_OK, NULL, 0},
      {64, 16, 0, VMDK_OK, NULL, 0},
  };
  unsigned char data[80 * SECTOR];
  size_t i;
  int how;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    for (how = 0; how < 3; ++how) {
      uint64_t offset = cases[i].offset * SECTOR;
      struct recording_io io;
      vmdk_disk* disk;
      uint64_t hash;
      vmdk_status status;

      if (how > 0 && !cases[i].zeros) continue;
      memset(data, 0, sizeof(data));
      if (!cases[i].zeros) pattern_fill(9, 0, data, sizeof(data));
      put_five(&io);
      hash = store_hash(&io.store);
      disk = open_to_write(&io, "disk.vmdk");
      status = how == 0   ? vmdk_write_at(disk, data, cases[i].size * SECTOR, offset)
               : how == 1 ? vmdk_zero_at(disk, cases[i].size * SECTOR, offset)
                          : vmdk_discard_at(disk, cases[i].size * SECTOR, offset);
      assert_status(status, cases[i].status);
      if (status != VMDK_OK) {
        const vmdk_error* error = vmdk_last_error();
        assert_contains(error->message, cases[i].message);
        assert_contains(error->message, "disk.vmdk: ");
        assert_contains(error->hint, "snapshot");
        assert_true(is_clean_line(error->message));
        assert_int_equal(error->link, 0);
        assert_int_equal(error->extent, cases[i].extent);
        assert_true(error->offset >= offset);
        assert_true(store_hash(&io.store) == hash);
        assert_int_equal(io.writes, 0);
      }
      assert_ok(vmdk_close(disk));
      assert_int_equal(store_hash(&io.store) == hash, status != VMDK_OK);
      /* What cannot be written keeps its bytes. */
      {
        struct bytes b = file_of(&io, "b.bin"), wanted = pattern_bytes(2, 0, 16 * SECTOR);
        assert_same_bytes(b.data, wanted.data, b.size);
        bytes_free(&b);
        bytes_free(&wanted);
      }
      recording_io_free(&io);
    }
  }
}

static void put_plain(struct recording_io* io, const char* lines, const char* more) {
  struct descriptor descriptor = {0};

  recording_io_init(io);
  descriptor.extents = lines;
  descriptor.more = more;
  store_put(&io->store, "disk.vmdk", descriptor_bytes(&descriptor));
}

static struct sparse small_sparse(void) {
  struct sparse sparse = {0};

  sparse.sectors = 1024;
  sparse.grains = "D.DD";
  return sparse;
}

static void test_refused_at_open(void** state) {
  static const struct {
    const char *what, *lines, *more;
    uint32_t flags;
    vmdk_status status;
    const char *message, *hint;
  } cases[] = {
      {"stream", "RW 1024 SPARSE \"x.bin\"\n", NULL, 0, VMDK_ERR_READ_ONLY, "compressed",
       "snapshot"},
      {"se", "RW 1024 SESPARSE \"x.bin\"\n", NULL, 0, VMDK_ERR_READ_ONLY, "only read", "snapshot"},
      {"version 3", "RW 1024 SPARSE \"x.bin\"\n", NULL, 0, VMDK_ERR_READ_ONLY, "tracked",
       "snapshot"},
      {"hosted", "RDONLY 1024 SPARSE \"x.bin\"\n", NULL, 0, VMDK_ERR_READ_ONLY, "RDONLY",
       "snapshot"},
      {"flat", "RDONLY 1024 FLAT \"x.bin\" 0\n", NULL, 0, VMDK_ERR_READ_ONLY, "RDONLY", "snapshot"},
      {"flat", "NOACCESS 1024 FLAT \"x.bin\" 0\n", NULL, 0, VMDK_ERR_READ_ONLY, "NOACCESS",
       "snapshot"},
      {"hosted", "RW 1024 SPARSE \"x.bin\"\n", "changeTrackPath=\"x-ctk.vmdk\"\n", 0,
       VMDK_ERR_READ_ONLY, "tracked", "snapshot"},
      {"hosted", "RW 1024 SPARSE \"x.bin\"\n", NULL, VMDK_OPEN_RECOVER, VMDK_ERR_INVALID_ARGUMENT,
       "RECOVER", NULL},
      {"hosted", "RW 1024 SPARSE \"x.bin\"\n", NULL, VMDK_OPEN_NO_PARENT, VMDK_OK, NULL, NULL},
      {"hosted", "RW 1024 SPARSE \"x.bin\"\n", NULL, 0, VMDK_OK, NULL, NULL},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct sparse sparse = small_sparse();
    struct recording_io io;
    vmdk_open_options options;
    struct bytes file;
    uint64_t hash;

    put_plain(&io, cases[i].lines, cases[i].more);
    if (strcmp(cases[i].what, "stream") == 0)
      file = stream_bytes(&sparse, NULL);
    else if (strcmp(cases[i].what, "se") == 0) {
      sparse.grain_sectors = 8;
      file = se_bytes(&sparse);
    } else if (strcmp(cases[i].what, "flat") == 0)
      file = pattern_bytes(1, 0, 1024 * SECTOR);
    else
      file = hosted_bytes(&sparse, NULL);
    if (strcmp(cases[i].what, "version 3") == 0) bytes_set32(&file, 4, 3);
    store_put(&io.store, "x.bin", file);
    hash = store_hash(&io.store);
    options = write_options(&io.io);
    options.flags |= cases[i].flags;
    assert_status(try_open("disk.vmdk", &options), cases[i].status);
    if (cases[i].status != VMDK_OK) {
      assert_contains(vmdk_last_error()->message, cases[i].message);
      if (cases[i].hint != NULL) assert_contains(vmdk_last_error()->hint, cases[i].hint);
    }
    assert_true(store_hash(&io.store) == hash);
    assert_int_equal(io.writes, 0);
    assert_int_equal(recording_io_open_files(&io), 0);
    /* To read it opens. */
    options.flags = 0;
    assert_ok(try_open("disk.vmdk", &options));
    recording_io_free(&io);
  }
}

static void test_without_parent(void** state) {
  struct made made;
  struct recording_io io;
  vmdk_open_options options;

  (void)state;
  assert_int_equal(make_kind(kinds + 11, &made), 0);
  recording_io_init_from(&io, &made.store);
  options = write_options(&io.io);
  options.flags |= VMDK_OPEN_NO_PARENT;
  assert_status(try_open(made.name, &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_contains(vmdk_last_error()->message, "VMDK_OPEN_NO_PARENT");
  recording_io_free(&io);
  made_free(&made);
}

static void test_arguments(void** state) {
  struct recording_io io;
  unsigned char byte = 1;
  vmdk_disk* disk;
  uint64_t hash, size = 1024 * SECTOR;

  (void)state;
  recording_io_init(&io);
  create(&io, "disk.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE, size);
  hash = store_hash(&io.store);
  disk = open_to_read(&io, "disk.vmdk");
  assert_status(vmdk_write_at(disk, &byte, 1, 0), VMDK_ERR_READ_ONLY);
  assert_contains(vmdk_last_error()->hint, "VMDK_OPEN_WRITE");
  assert_status(vmdk_zero_at(disk, 1, 0), VMDK_ERR_READ_ONLY);
  assert_status(vmdk_discard_at(disk, 1, 0), VMDK_ERR_READ_ONLY);
  assert_status(vmdk_set_text(disk, "ddb.a", "b"), VMDK_ERR_READ_ONLY);
  assert_ok(vmdk_flush(disk));
  assert_int_equal(info_of(disk, 0).flags & VMDK_INFO_WRITABLE, 0);
  assert_ok(vmdk_close(disk));

  assert_status(vmdk_write_at(NULL, &byte, 1, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_zero_at(NULL, 1, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_discard_at(NULL, 1, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_flush(NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_set_text(NULL, "ddb.a", "b"), VMDK_ERR_INVALID_ARGUMENT);
  assert_ok(vmdk_close(NULL));

  disk = open_to_write(&io, "disk.vmdk");
  assert_status(vmdk_write_at(disk, NULL, 1, 0), VMDK_ERR_INVALID_ARGUMENT);
  assert_ok(vmdk_write_at(disk, NULL, 0, 0));
  assert_ok(vmdk_write_at(disk, NULL, 0, size));
  assert_ok(vmdk_zero_at(disk, 0, size));
  assert_ok(vmdk_discard_at(disk, 0, 5));
  {
    static const struct {
      uint64_t offset, size;
    } beyond[] = {{1024 * SECTOR, 1},    {1024 * SECTOR - 1, 2},   {0, 1024 * SECTOR + 1},
                  {UINT64_MAX, 1},       {UINT64_MAX, UINT64_MAX}, {1, UINT64_MAX},
                  {1024 * SECTOR + 1, 0}};
    size_t i;
    for (i = 0; i < COUNT(beyond); ++i) {
      assert_status(vmdk_write_at(disk, &byte, (size_t)beyond[i].size, beyond[i].offset),
                    VMDK_ERR_OUT_OF_RANGE);
      assert_status(vmdk_zero_at(disk, beyond[i].size, beyond[i].offset), VMDK_ERR_OUT_OF_RANGE);
      assert_status(vmdk_discard_at(disk, beyond[i].size, beyond[i].offset), VMDK_ERR_OUT_OF_RANGE);
    }
  }
  assert_ok(vmdk_flush(disk));
  assert_ok(vmdk_close(disk));
  assert_true(store_hash(&io.store) == hash);
  assert_int_equal(io.wrong, 0);
  recording_io_free(&io);
}

/* ---- The content ID, the mark, and what else is touched ---- */

/* Opening and closing alone is no call that changes anything. */
static void test_nothing_written(void** state) {
  size_t k;

  (void)state;
  for (k = 0; k < kind_count; ++k) {
    struct recording_io io;
    struct made made;
    vmdk_disk* disk;
    uint64_t hash;

    assert_int_equal(make_kind(kinds + k, &made), 0);
    recording_io_init_from(&io, &made.store);
    hash = store_hash(&io.store);
    recording_io_fail(&io, CALL_CHANGES, 1, 0, EIO);
    disk = open_to_write(&io, made.name);
    assert_ok(vmdk_flush(disk));
    assert_ok(vmdk_close(disk));
    assert_int_equal(io.calls, 0);
    assert_true(store_hash(&io.store) == hash);
    recording_io_free(&io);
    made_free(&made);
  }
}

/* The first write gives a content ID, synced before any other byte; later ones do not. */
static void test_content_id_first(void** state) {
  size_t k;

  (void)state;
  for (k = 0; k < kind_count; ++k) {
    struct recording_io io;
    struct made made;
    vmdk_disk* disk;
    vmdk_info before, after;
    unsigned char byte = 0x77;
    size_t i, id_written = SIZE_MAX, id_synced = SIZE_MAX, other = SIZE_MAX;
    struct bytes file;
    uint64_t text_end;
    uint32_t descriptor;
    int single;

    assert_int_equal(make_kind(kinds + k, &made), 0);
    recording_io_init_from(&io, &made.store);
    io.recording = 1;
    descriptor = io.store.files[store_find(&io.store, made.name)].number;
    file = file_of(&io, made.name);
    text_end = (uint64_t)(1 + get32(file.data + 36)) * SECTOR;
    bytes_free(&file);
    disk = open_to_write(&io, made.name);
    before = info_of(disk, 0);
    single = (before.flags & VMDK_INFO_EMBEDDED) != 0;
    assert_ok(vmdk_write_at(disk, &byte, 1, 0));
    after = info_of(disk, 0);
    assert_int_not_equal(after.cid, before.cid);
    assert_int_not_equal(after.cid, 0xffffffffu);
    for (i = 0; i < io.log.count; ++i) {
      const struct record* record = io.log.records + i;
      int is_text = record->file == descriptor &&
                    (!single || (record->offset >= SECTOR && record->offset < text_end));
      if (record->kind == RECORDED_WRITE && is_text && other == SIZE_MAX) id_written = i;
      if (record->kind == RECORDED_SYNC && record->file == descriptor && id_synced == SIZE_MAX)
        id_synced = i;
      if (record->kind != RECORDED_SYNC && !is_text && other == SIZE_MAX) other = i;
    }
    assert_true(id_written < id_synced && id_synced < other);
    assert_ok(vmdk_write_at(disk, &byte, 1, 5));
    assert_ok(vmdk_zero_at(disk, 100, 50));
    assert_ok(vmdk_flush(disk));
    assert_ok(vmdk_write_at(disk, &byte, 1, 5));
    assert_int_equal(info_of(disk, 0).cid, after.cid);
    assert_ok(vmdk_close(disk));
    disk = open_to_write(&io, made.name);
    assert_int_equal(info_of(disk, 0).cid, after.cid);
    assert_int_equal(info_of(disk, 0).parent_cid, before.parent_cid);
    /* Another handle, another content ID; zeroing is writing. */
    assert_ok(vmdk_zero_at(disk, 1, 0));
    assert_int_not_equal(info_of(disk, 0).cid, after.cid);
    assert_ok(vmdk_close(disk));
    recording_io_free(&io);
    made_free(&made);
  }
}

static const char* line_of(const char* text, const char* key) {
  static char line[256];
  const char* at = strstr(text, key);
  size_t size;

  assert_non_null(at);
  size = strcspn(at, "\r\n");
  assert_true(size < sizeof(line));
  memcpy(line, at, size);
  line[size] = 0;
  return line;
}

/* How a content ID is written decides what changes. `*` in `after` stands for a digit. */
static void test_content_id_forms(void** state) {
  static const struct {
    const char *before, *after;
  } cases[] = {
      {"CID=12345678\n", "CID=********\n"},
      {"CID=1234567\n", "CID=*******\n"},
      {"CID=12345\n", "CID=*****\n"},
      {"CID=1234\n", "CID=********\n"},
      {"CID=0\n", "CID=********\n"},
      {"CID=ABCDEF01\r\n", "CID=********\r\n"},
      {"CID = 12345678 \n", "CID = ******** \n"},
      {"cid=12345678\n", "cid=********\n"},
      {"", "CID=********\n"},
      {"CID=fffffffe\nddb.longContentID = \"0123456789abcdef01234567fffffffe\"\n",
       "CID=********\nddb.longContentID = \"0123456789abcdef01234567********\"\n"},
      {"CID=1234567\nddb.longContentID = \"0123456789abcdef0123456701234567\"\n",
       "CID=*******\nddb.longContentID = \"0123456789abcdef01234567********\"\n"},
      {"CID=12345678\nddb.longContentID = \"\"\n", "CID=********\nddb.longContentID = \"\"\n"},
      {"CID=12345678\nddb.longContentID = \"none\"\n",
       "CID=********\nddb.longContentID = \"none\"\n"},
  };
  size_t i, j;
  int embedded;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    for (embedded = 0; embedded < 2; ++embedded) {
      const char* tail =
          embedded ? "parentCID=ffffffff\ncreateType=\"monolithicSparse\"\nRW 1024 SPARSE "
                     "\"disk.vmdk\"\n# end\n"
                   : "parentCID=ffffffff\ncreateType=\"vmfs\"\nRW 16 VMFS \"x.bin\"\n# end";
      char old[1024], pattern_text[1024];
      struct recording_io io;
      struct bytes file;
      const char* got;
      vmdk_disk* disk;
      unsigned char byte = 1;
      char id[9];
      vmdk_info info;

      recording_io_init(&io);
      (void)snprintf(old, sizeof(old), "# Disk DescriptorFile\nversion=1\n%s%s", cases[i].before,
                     tail);
      (void)snprintf(pattern_text, sizeof(pattern_text), "# Disk DescriptorFile\nversion=1\n%s%s",
                     cases[i].after, tail);
      if (embedded) {
        struct sparse sparse = small_sparse();
        struct descriptor any = {0};
        any.extents = "RW 1024 SPARSE \"disk.vmdk\"\n";
        any.more =
            "ddb.a = \"this is here for its length, as the text is put in its place\"\n"
            "ddb.b = \"this is here for its length, as the text is put in its place\"\n";
        sparse.descriptor = &any;
        file = hosted_bytes(&sparse, NULL);
        memset(file.data + SECTOR, 0, (size_t)get32(file.data + 36) * SECTOR);
        memcpy(file.data + SECTOR, old, strlen(old));
        store_put(&io.store, "disk.vmdk", file);
      } else {
        store_put(&io.store, "disk.vmdk", bytes_text(old));
        store_put(&io.store, "x.bin", pattern_bytes(1, 0, 16 * SECTOR));
      }
      disk = open_to_write(&io, "disk.vmdk");
      assert_ok(vmdk_write_at(disk, &byte, 1, 0));
      info = info_of(disk, 0);
      assert_ok(vmdk_close(disk));
      disk = open_to_read(&io, "disk.vmdk");
      assert_int_equal(info_of(disk, 0).cid, info.cid);
      assert_ok(vmdk_close(disk));
      file = file_of(&io, "disk.vmdk");
      got = (const char*)file.data + (embedded ? SECTOR : 0);
      if (!embedded) assert_int_equal(file.size, strlen(pattern_text));
      for (j = 0; pattern_text[j] != 0; ++j) {
        if (pattern_text[j] == '*')
          assert_non_null(strchr("0123456789abcdef", got[j]));
        else if (got[j] != pattern_text[j])
          fail_msg("case %zu: byte %zu is '%c', not '%c'", i, j, got[j], pattern_text[j]);
      }
      if (embedded) assert_int_equal(got[j], 0);
      (void)snprintf(id, sizeof(id), "%08" PRIx32, info.cid);
      if (strstr(cases[i].after, "********\"") != NULL) {
        char copy[1024];
        memcpy(copy, got, strlen(pattern_text));
        copy[strlen(pattern_text)] = 0;
        assert_contains(line_of(copy, "ddb.longContentID"), id);
      }
      bytes_free(&file);
      recording_io_free(&io);
    }
  }
}

/* The mark "in use" is in the file from the first write to the end, of those extents alone that are
 * written to. */
static void test_mark(void** state) {
  struct recording_io io;
  vmdk_create_options options = new_options(VMDK_TYPE_SPLIT_SPARSE, 4 * MIB);
  static const char* const parts[] = {"disk-s001.vmdk", "disk-s002.vmdk", "disk-s003.vmdk",
                                      "disk-s004.vmdk"};
  unsigned char byte = 1;
  vmdk_disk* disk;
  size_t i;
  int step;

  (void)state;
  recording_io_init(&io);
  options.split_bytes = MIB;
  options.io = &io.io;
  assert_ok(vmdk_create("disk.vmdk", &options));
  disk = open_to_write(&io, "disk.vmdk");
  for (step = 0; step < 4; ++step) {
    static const int marked[4][4] = {{0, 0, 0, 0}, {0, 1, 0, 0}, {0, 1, 1, 0}, {0, 0, 0, 0}};
    if (step == 1) assert_ok(vmdk_write_at(disk, &byte, 1, MIB + 5));
    if (step == 2) {
      assert_ok(vmdk_write_at(disk, "ab", 2, 2 * MIB - 1));
      assert_ok(vmdk_flush(disk));
    }
    if (step == 3) assert_ok(vmdk_close(disk));
    for (i = 0; i < COUNT(parts); ++i) {
      struct bytes file = file_of(&io, parts[i]);
      assert_int_equal(file.data[72], marked[step][i]);
      bytes_free(&file);
    }
    if (step == 2) {
      /* Another sees that it is in use. */
      vmdk_disk* other = open_to_read(&io, "disk.vmdk");
      assert_int_equal(info_of(other, 0).flags & VMDK_INFO_UNCLEAN, VMDK_INFO_UNCLEAN);
      assert_ok(vmdk_close(other));
    }
  }
  recording_io_free(&io);
}

/* Header, descriptor and directories stay as they were but for the content ID; tables change only
 * where grains were written; COWD says where its free space begins. */
static void test_rest_untouched(void** state) {
  int cowd;

  (void)state;
  for (cowd = 0; cowd < 2; ++cowd) {
    struct descriptor descriptor = {0};
    struct sparse sparse = {0};
    struct layout layout;
    struct recording_io io;
    struct bytes before, after;
    vmdk_disk* disk;
    size_t i, at = 0;
    const char* name = cowd ? "x.bin" : "disk.vmdk";

    recording_io_init(&io);
    descriptor.extents = cowd ? "RW 4000 VMFSSPARSE \"x.bin\"\n" : "RW 4000 SPARSE \"disk.vmdk\"\n";
    descriptor.more = "# odd = line\n  ddb.UPPER=\"x\"\t\nddb.longContentID = \"short\"\n";
    sparse.sectors = 4000;
    sparse.grain_sectors = 8;
    sparse.grains = "D.D0.D";
    sparse.seed = 3;
    if (!cowd) sparse.descriptor = &descriptor;
    store_put(&io.store, name,
              cowd ? cowd_bytes(&sparse, &layout) : hosted_bytes(&sparse, &layout));
    if (cowd) store_put(&io.store, "disk.vmdk", descriptor_bytes(&descriptor));
    before = file_of(&io, name);
    disk = open_to_write(&io, "disk.vmdk");
    write_pattern(disk, NULL, 4 * 4096 + 100, 3, 8); /* absent */
    write_pattern(disk, NULL, 10, 3000, 8);          /* stored */
    assert_ok(vmdk_close(disk));
    after = file_of(&io, name);
    assert_int_equal(after.size, before.size + 4096);
    if (!cowd)
      at = (size_t)(strstr((const char*)before.data + SECTOR, "CID=") - (const char*)before.data) +
           4;
    for (i = 0; i < before.size; ++i) {
      int may_change =
          (!cowd && i >= at && i < at + 8) || (i >= layout.tables + 16 && i < layout.tables + 20) ||
          (!cowd && i >= layout.redundant_tables + 16 && i < layout.redundant_tables + 20) ||
          (cowd && i >= 28 && i < 32) || (i >= layout.data + 10 && i < layout.data + 3010);
      if (!may_change && before.data[i] != after.data[i])
        fail_msg("byte %zu of %s has changed", i, name);
    }
    assert_int_equal(get32(after.data + layout.tables + 16) * (uint64_t)SECTOR, before.size);
    if (!cowd)
      assert_int_equal(get32(after.data + layout.redundant_tables + 16),
                       get32(after.data + layout.tables + 16));
    if (cowd) assert_int_equal(get32(after.data + 28) * (uint64_t)SECTOR, after.size);
    bytes_free(&before);
    bytes_free(&after);
    recording_io_free(&io);
  }
}

/* ---- Syncs ---- */

static void test_syncs(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_VMFS_SPARSE};
  unsigned char byte = 1;
  size_t t;
  int i;

  (void)state;
  for (t = 0; t < COUNT(types); ++t) {
    struct recording_io io;
    long before;
    vmdk_disk* disk;

    recording_io_init(&io);
    create(&io, "disk.vmdk", types[t], 64 * MIB);
    disk = open_to_write(&io, "disk.vmdk");
    before = io.syncs;
    for (i = 0; i < 100; ++i) assert_ok(vmdk_write_at(disk, &byte, 1, (uint64_t)i * 655360));
    assert_ok(vmdk_flush(disk));
    assert_in_range(io.syncs - before, 2, 4);
    before = io.syncs;
    assert_ok(vmdk_flush(disk));
    assert_int_equal(io.syncs, before);
    /* In place: no table changes. */
    for (i = 0; i < 100; ++i) assert_ok(vmdk_write_at(disk, &byte, 1, (uint64_t)i * 655360));
    assert_ok(vmdk_flush(disk));
    assert_int_equal(io.syncs - before, 1);
    for (i = 0; i < 100; ++i)
      assert_ok(vmdk_write_at(disk, &byte, 1, (uint64_t)i * 655360 + 65536));
    before = io.syncs;
    assert_ok(vmdk_flush(disk));
    assert_in_range(io.syncs - before, 2, 3);
    before = io.syncs;
    assert_ok(vmdk_close(disk));
    assert_in_range(io.syncs - before, 1, 1);
    recording_io_free(&io);
  }
}

/* ---- Damage ---- */

enum damage {
  BEYOND_END,
  IN_HEADER,
  IN_DIRECTORY,
  IN_TABLE,
  SHARED,
  SHARED_IN_PART,
  TABLE_BEYOND_END,
  TABLE_IN_DIRECTORY,
  TABLES_SHARED,
  COPY_BEYOND_END,
  TABLE_MISSING,
  DAMAGES
};

static void do_damage(struct bytes* file, const struct layout* layout, enum damage damage) {
  size_t table = (size_t)layout->tables, gd = (size_t)layout->directory;
  uint32_t end = (uint32_t)(file->size / SECTOR);
  uint32_t first = (uint32_t)(layout->data / SECTOR);

  switch (damage) {
    case BEYOND_END:
      bytes_set32(file, table + 4, end);
      break;
    case IN_HEADER:
      bytes_set32(file, table + 4, 2);
      break;
    case IN_DIRECTORY:
      bytes_set32(file, table + 4, (uint32_t)(layout->directory / SECTOR));
      break;
    case IN_TABLE:
      bytes_set32(file, table + 4, (uint32_t)(layout->tables / SECTOR));
      break;
    case SHARED:
      bytes_set32(file, table + 4, first);
      break;
    case SHARED_IN_PART:
      bytes_set32(file, table + 4, first + 1);
      break;
    case TABLE_BEYOND_END:
      bytes_set32(file, gd + 4, end);
      break;
    case TABLE_IN_DIRECTORY:
      bytes_set32(file, gd + 4, (uint32_t)(layout->directory / SECTOR));
      break;
    case TABLES_SHARED:
      bytes_set32(file, gd + 4, (uint32_t)(layout->tables / SECTOR) + 1);
      break;
    case COPY_BEYOND_END:
      bytes_set32(file, (size_t)layout->redundant_directory + 4, end);
      break;
    default:
      bytes_set32(file, gd + 4, 0);
      break;
  }
}

/* In a damaged extent nothing is changed, wherever the write goes; the others are written. */
static void test_damage(void** state) {
  int damage, cowd, where;

  (void)state;
  for (cowd = 0; cowd < 2; ++cowd) {
    for (damage = 0; damage < DAMAGES; ++damage) {
      if (cowd && damage >= COPY_BEYOND_END) continue;
      for (where = 0; where < 4; ++where) {
        /* Two tables, of 512 and of 4096 entries. */
        uint64_t sectors = cowd ? 5000 : 600 * 8, half = sectors * SECTOR;
        struct descriptor descriptor = {0};
        struct sparse sparse = {0};
        struct recording_io io;
        struct layout layout;
        struct bytes file;
        char lines[128];
        vmdk_disk* disk;
        uint64_t hash;
        unsigned char byte = 1;
        /* The damaged grain, a stored one, the end, across both extents. */
        uint64_t offset = where == 0 ? 5000 : where == 1 ? 0 : where == 2 ? half - 1 : half - 1;
        size_t size = where == 3 ? 2 : 1;

        recording_io_init(&io);
        (void)snprintf(lines, sizeof(lines),
                       "RW %" PRIu64 " %s \"a.bin\"\nRW 4800 SPARSE \"b.bin\"\n", sectors,
                       cowd ? "VMFSSPARSE" : "SPARSE");
        descriptor.extents = lines;
        sparse.sectors = sectors;
        sparse.grain_sectors = cowd ? 1 : 8;
        sparse.grains = "DDDD";
        file = cowd ? cowd_bytes(&sparse, &layout) : hosted_bytes(&sparse, &layout);
        do_damage(&file, &layout, (enum damage)damage);
        /* With grains of one sector the next one is another. */
        if (cowd && damage == SHARED_IN_PART)
          bytes_set32(&file, (size_t)layout.tables + 4, (uint32_t)(layout.data / SECTOR) + 2);
        store_put(&io.store, "a.bin", file);
        sparse.sectors = 4800;
        sparse.grain_sectors = 8;
        store_put(&io.store, "b.bin", hosted_bytes(&sparse, NULL));
        store_put(&io.store, "disk.vmdk", descriptor_bytes(&descriptor));
        disk = open_to_write(&io, "disk.vmdk");
        hash = store_hash(&io.store);
        if (vmdk_write_at(disk, (const unsigned char*)"ab", size, offset) != VMDK_ERR_CORRUPT)
          fail_msg("damage %d of %s is not seen by write %d", damage, cowd ? "COWD" : "hosted",
                   where);
        assert_contains(vmdk_last_error()->message, "a.bin: ");
        assert_true(is_clean_line(vmdk_last_error()->message));
        assert_int_equal(vmdk_last_error()->extent, 0);
        assert_status(vmdk_zero_at(disk, 1, offset), VMDK_ERR_CORRUPT);
        assert_status(vmdk_discard_at(disk, half, 0), VMDK_ERR_CORRUPT);
        assert_ok(vmdk_flush(disk));
        assert_true(store_hash(&io.store) == hash);
        assert_int_equal(io.writes + io.syncs, 0);
        assert_ok(vmdk_write_at(disk, &byte, 1, half));
        assert_ok(vmdk_close(disk));
        disk = open_to_read(&io, "disk.vmdk");
        byte = 0;
        assert_ok(vmdk_read_at(disk, &byte, 1, half));
        assert_int_equal(byte, 1);
        assert_ok(vmdk_close(disk));
        file = file_of(&io, "a.bin");
        assert_int_equal(file.data[cowd ? 1648 : 72], 0);
        bytes_free(&file);
        recording_io_free(&io);
      }
    }
  }
}

/* ---- Failures ---- */

/* A full disk changes nothing that was there, and writing goes on when there is room. */
static void test_no_space(void** state) {
  size_t k;

  (void)state;
  for (k = 0; k < kind_count; ++k) {
    long n;
    int failed = 1;

    for (n = 1; failed; ++n) {
      unsigned char* model = allocate((size_t)WORKLOAD_CAPACITY);
      struct recording_io io;
      struct made made;
      vmdk_disk* disk;
      vmdk_status status;
      unsigned char data[9000];
      uint64_t offset = 40 * 4096 + 100;
      int tries;

      assert_int_equal(make_kind(kinds + k, &made), 0);
      recording_io_init_from(&io, &made.store);
      model_read(&made.model, 0, WORKLOAD_CAPACITY, model);
      pattern_fill(77, 0, data, sizeof(data));
      disk = open_to_write(&io, made.name);
      io.fail_short = 1;
      recording_io_fail(&io, CALL_WRITE | CALL_SET_SIZE | CALL_PUNCH, n, 1, ENOSPC);
      for (tries = 0; tries < 2; ++tries) {
        status = vmdk_write_at(disk, data, sizeof(data), offset);
        if (status == VMDK_OK) status = vmdk_zero_at(disk, 4096, offset + 100);
        if (status == VMDK_OK) status = vmdk_flush(disk);
        if (status == VMDK_OK) break;
        assert_int_equal(status, VMDK_ERR_NO_SPACE);
      }
      failed = io.failed > 0;
      recording_io_fail(&io, 0, 0, 0, 0);
      assert_ok(status);
      memcpy(model + offset, data, sizeof(data));
      memset(model + offset + 100, 0, 4096);
      assert_content(disk, model, WORKLOAD_CAPACITY, 90000);
      assert_ok(vmdk_close(disk));
      assert_clean(&io, made.name, kind_may_miss_tables(kinds + k));
      disk = open_to_read(&io, made.name);
      assert_content(disk, model, WORKLOAD_CAPACITY, 90000);
      assert_ok(vmdk_close(disk));
      assert_int_equal(io.wrong, 0);
      recording_io_free(&io);
      made_free(&made);
      free(model);
    }
    assert_true(n > 3);
  }
}

/* After a failed sync nothing is written any more; reading goes on. */
static void test_poisoned(void** state) {
  unsigned char byte = 1, got = 0;
  long n;

  (void)state;
  for (n = 1; n <= 3; ++n) {
    struct recording_io io;
    vmdk_status status;
    vmdk_disk* disk;
    uint64_t hash;

    recording_io_init(&io);
    create(&io, "disk.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE, 4 * MIB);
    disk = open_to_write(&io, "disk.vmdk");
    recording_io_fail(&io, CALL_SYNC, n, 1, EIO);
    status = vmdk_write_at(disk, &byte, 1, 0);
    assert_status(status, n == 1 ? VMDK_ERR_IO : VMDK_OK);
    if (n > 1) assert_status(vmdk_flush(disk), VMDK_ERR_IO);
    hash = store_hash(&io.store);
    assert_status(vmdk_write_at(disk, &byte, 1, 0), VMDK_ERR_POISONED);
    assert_status(vmdk_zero_at(disk, 1, 0), VMDK_ERR_POISONED);
    assert_status(vmdk_discard_at(disk, 1, 0), VMDK_ERR_POISONED);
    assert_status(vmdk_set_text(disk, "ddb.a", "b"), VMDK_ERR_POISONED);
    assert_status(vmdk_flush(disk), VMDK_ERR_POISONED);
    assert_contains(vmdk_last_error()->message, "disk.vmdk: ");
    assert_ok(vmdk_read_at(disk, &got, 1, 0));
    assert_int_equal(got, n > 1 ? 1 : 0);
    assert_status(vmdk_close(disk), VMDK_ERR_POISONED);
    assert_true(store_hash(&io.store) == hash);
    assert_int_equal(recording_io_open_files(&io), 0);
    recording_io_free(&io);
  }
}

/* ---- Large disks ---- */

static void check_ends(const char* path, uint64_t size, const vmdk_io* io) {
  unsigned char data[2 * SECTOR], got[2 * SECTOR];
  vmdk_open_options options = write_options(io);
  vmdk_disk* disk = open_disk(path, &options);
  static const unsigned char zeros[SECTOR];

  assert_true(info_of(disk, 0).capacity == size);
  pattern_fill(1, 0, data, sizeof(data));
  assert_ok(vmdk_write_at(disk, data, SECTOR, 0));
  assert_ok(vmdk_write_at(disk, data + SECTOR, SECTOR, size - SECTOR));
  assert_status(vmdk_write_at(disk, data, SECTOR + 1, size - SECTOR), VMDK_ERR_OUT_OF_RANGE);
  assert_ok(vmdk_close(disk));
  options.flags = 0;
  disk = open_disk(path, &options);
  assert_ok(vmdk_read_at(disk, got, SECTOR, 0));
  assert_ok(vmdk_read_at(disk, got + SECTOR, SECTOR, size - SECTOR));
  assert_same_bytes(got, data, sizeof(data));
  assert_ok(vmdk_read_at(disk, got, SECTOR, size - 2 * SECTOR));
  assert_same_bytes(got, zeros, SECTOR);
  assert_true(info_of(disk, 0).stored_bytes < 64 * MIB);
  assert_ok(vmdk_close(disk));
}

static void test_large(void** state) {
  static const struct {
    uint32_t type;
    uint64_t size, split;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, 2 * TIB - SECTOR, 0},
      {VMDK_TYPE_MONOLITHIC_SPARSE, 2 * TIB, 0},
      {VMDK_TYPE_MONOLITHIC_SPARSE, 2 * TIB + SECTOR, 0},
      {VMDK_TYPE_SPLIT_SPARSE, 2 * TIB + SECTOR, TIB / 2},
      {VMDK_TYPE_SPLIT_FLAT, 2 * TIB + SECTOR, TIB / 2},
      {VMDK_TYPE_MONOLITHIC_FLAT, 2 * TIB + SECTOR, 0},
      {VMDK_TYPE_VMFS_SPARSE, 2 * TIB - 65536, 0},
      {VMDK_TYPE_MONOLITHIC_SPARSE, 62 * TIB, 0},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options options = new_options(cases[i].type, cases[i].size);
    void* folder = NULL;
    const char* path;

    assert_int_equal(folder_setup(&folder), 0);
    path = path_in(folder, "disk.vmdk");
    options.split_bytes = cases[i].split;
    assert_ok(vmdk_create(path, &options));
    check_ends(path, cases[i].size, NULL);
    assert_int_equal(folder_teardown(&folder), 0);
  }
}

/* Entries of tables have 32 bits: no grain lies behind 2 TiB of its file. */
static void test_full_tables(void** state) {
  struct recording_io io;
  unsigned char data[3 * 65536];
  vmdk_disk* disk;
  long file;

  (void)state;
  recording_io_init(&io);
  create(&io, "disk.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE, 4 * TIB);
  file = store_find(&io.store, "disk.vmdk");
  store_resize(&io.store, file, 2 * TIB - 2 * 65536);
  memset(data, 5, sizeof(data));
  disk = open_to_write(&io, "disk.vmdk");
  assert_ok(vmdk_write_at(disk, data, 65536, 3 * TIB));
  assert_ok(vmdk_write_at(disk, data, 1, 0));
  assert_status(vmdk_write_at(disk, data, 1, TIB), VMDK_ERR_LIMIT);
  assert_contains(vmdk_last_error()->message, "2 TiB");
  assert_status(vmdk_write_at(disk, data, sizeof(data), 2 * TIB), VMDK_ERR_LIMIT);
  /* What is stored is written all the same. */
  assert_ok(vmdk_write_at(disk, data, 65536, 0));
  assert_ok(vmdk_flush(disk));
  assert_ok(vmdk_close(disk));
  assert_true(store_size(&io.store, file) == 2 * TIB);
  disk = open_to_read(&io, "disk.vmdk");
  assert_ok(vmdk_read_at(disk, data + 65536, 65536, 0));
  assert_same_bytes(data, data + 65536, 65536);
  assert_ok(vmdk_read_at(disk, data + 65536, 65536, 3 * TIB));
  assert_same_bytes(data, data + 65536, 65536);
  assert_int_equal(run_at(disk, TIB, 512).kind, VMDK_RUN_ABSENT);
  assert_ok(vmdk_close(disk));
  recording_io_free(&io);
}

/* Extents that share bytes of their file are read, but what is written to one would show up in the
 * other. */
static void test_shared_bytes(void** state) {
  static const struct {
    const char* lines;
    vmdk_status status;
  } cases[] = {
      {"RW 8 FLAT \"data\" 0\nRW 8 FLAT \"data\" 8\n", VMDK_OK},
      {"RW 8 FLAT \"data\" 8\nRW 8 FLAT \"data\" 0\n", VMDK_OK},
      {"RW 8 FLAT \"data\" 0\nRW 8 FLAT \"data\" 7\n", VMDK_ERR_READ_ONLY},
      {"RW 8 FLAT \"data\" 0\nRDONLY 8 FLAT \"data\" 7\n", VMDK_ERR_READ_ONLY},
      {"RDONLY 8 FLAT \"data\" 7\nRW 8 FLAT \"data\" 0\n", VMDK_ERR_READ_ONLY},
      {"RW 4 FLAT \"data\" 0\nRDONLY 8 FLAT \"data\" 4\nRDONLY 8 FLAT \"data\" 6\n", VMDK_OK},
      {"RW 16 FLAT \"data\" 0\nRDONLY 1 FLAT \"data\" 1\nRDONLY 1 FLAT \"data\" 9\n",
       VMDK_ERR_READ_ONLY},
      {"RW 8 FLAT \"data\" 0\nRW 8 FLAT \"other\" 4\n", VMDK_OK},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    struct folder* folder;
    void* own = NULL;
    struct descriptor text = {0};
    vmdk_open_options options = default_options();
    const char* path;

    (void)state;
    assert_int_equal(folder_setup(&own), 0);
    folder = own;
    text.extents = cases[i].lines;
    (void)put_file(folder, "data", pattern_bytes(1, 0, 16 * 512));
    (void)put_file(folder, "other", pattern_bytes(1, 0, 16 * 512));
    path = put_file(folder, "disk.vmdk", descriptor_bytes(&text));
    assert_ok(try_open(path, &options));
    options.flags = VMDK_OPEN_WRITE;
    assert_status(try_open(path, &options), cases[i].status);
    assert_int_equal(folder_teardown(&own), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_chains),
      cmocka_unit_test(test_read_only_extents),
      cmocka_unit_test(test_refused_at_open),
      cmocka_unit_test(test_without_parent),
      cmocka_unit_test(test_arguments),
      cmocka_unit_test(test_nothing_written),
      cmocka_unit_test(test_content_id_first),
      cmocka_unit_test(test_content_id_forms),
      cmocka_unit_test(test_mark),
      cmocka_unit_test(test_rest_untouched),
      cmocka_unit_test(test_syncs),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_no_space),
      cmocka_unit_test(test_poisoned),
      cmocka_unit_test(test_large),
      cmocka_unit_test(test_full_tables),
      cmocka_unit_test(test_shared_bytes),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
