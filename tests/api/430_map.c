/* SPDX-License-Identifier: MIT */
/* vmdk_map_at(): what it says of a disk is what vmdk_read_at() gives. */
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

/* Walks the disk in steps of at most `step` and holds each run against the disk and its files. */
static void assert_map(vmdk_disk* disk, uint64_t step) {
  uint64_t capacity = info_of(disk, 0).capacity, offset = 0;
  uint32_t links = info_of(disk, 0).chain_length;

  while (offset < capacity) {
    uint64_t ask = capacity - offset < step ? capacity - offset : step;
    vmdk_run run = run_at(disk, offset, ask);
    unsigned char* content = NULL;
    uint64_t i;
    assert_int_equal(run.struct_size, sizeof(run));
    assert_true(run.offset == offset);
    assert_in_range(run.size, 1, ask);
    assert_in_range(run.kind, VMDK_RUN_DATA, VMDK_RUN_ABSENT);
    assert_int_equal(run.flags & ~VMDK_RUN_COMPRESSED, 0);
    assert_int_equal(run.reserved, 0);
    content = allocate((size_t)run.size);
    assert_ok(vmdk_read_at(disk, content, (size_t)run.size, offset));
    if (run.kind == VMDK_RUN_ABSENT) {
      assert_int_equal(run.link, UINT32_MAX);
      assert_int_equal(run.extent, UINT32_MAX);
    } else {
      vmdk_extent_info extent;
      assert_true(run.link < links);
      extent = extent_of(disk, run.link, run.extent);
      assert_true(offset >= extent.offset && offset + run.size <= extent.offset + extent.size);
      assert_int_equal((run.flags & VMDK_RUN_COMPRESSED) != 0,
                       run.kind == VMDK_RUN_DATA && extent.kind == VMDK_EXTENT_STREAM);
    }
    if (run.kind != VMDK_RUN_DATA) {
      assert_true(run.file_offset == UINT64_MAX);
      assert_int_equal(run.flags, 0);
      for (i = 0; i < run.size; ++i) assert_int_equal(content[i], 0);
    } else {
      char key[32];
      struct bytes file;
      (void)snprintf(key, sizeof(key), "@extent.%u", (unsigned)run.extent);
      file = read_file(text_of(disk, run.link, key));
      if ((run.flags & VMDK_RUN_COMPRESSED) == 0) {
        assert_true(run.file_offset <= file.size && run.size <= file.size - run.file_offset);
        assert_same_bytes(file.data + run.file_offset, content, (size_t)run.size);
      } else {
        /* A record begins with the sector of its grain in the extent. */
        vmdk_extent_info extent = extent_of(disk, run.link, run.extent);
        uint64_t sector = (offset - extent.offset) / extent.grain_bytes * extent.grain_bytes / 512,
                 found = 0;
        assert_true(run.file_offset % 512 == 0 && run.file_offset + 12 < file.size);
        for (i = 0; i < 8; ++i) found |= (uint64_t)file.data[run.file_offset + i] << (8 * i);
        assert_true(found == sector);
      }
      bytes_free(&file);
    }
    free(content);
    offset += run.size;
  }
  assert_true(offset == capacity);
}

static void walk(const char* path) {
  static const uint64_t steps[] = {UINT64_MAX / 2, 100000, 5000};
  size_t i;
  vmdk_disk* disk = open_disk(path, NULL);

  for (i = 0; i < COUNT(steps); ++i) assert_map(disk, steps[i]);
  assert_ok(vmdk_close(disk));
}

static struct sparse a_sparse(const char* grains) {
  struct sparse sparse = {0};

  sparse.sectors = 2000;
  sparse.grains = grains;
  sparse.seed = 1;
  return sparse;
}

static const char* put_one(struct folder* folder, const char* keyword, struct bytes data) {
  struct descriptor text = {0};

  text.extents = text_in(folder, "RW 2000 %s \"data\"\n", keyword);
  (void)put_file(folder, "data", data);
  return put_file(folder, "disk.vmdk", descriptor_bytes(&text));
}

static void every_kind(void** state) {
  struct sparse sparse = a_sparse("DD0.EDE..D00DDDD");
  struct sparse se = a_sparse("DD0.EDE..D00DDDD.....DDDDDD");

  walk(put_one(*state, "SPARSE", hosted_bytes(&sparse, NULL)));
  walk(put_one(*state, "SPARSE", stream_bytes(&sparse, NULL)));
  walk(put_one(*state, "VMFSSPARSE", cowd_bytes(&sparse, NULL)));
  se.grain_sectors = 8;
  walk(put_one(*state, "SESPARSE", se_bytes(&se)));
  walk(put_one(*state, "FLAT", pattern_bytes(1, 0, 2000 * 512)));
}

static void kinds(void** state) {
  struct sparse sparse = a_sparse("D0.");
  struct layout layout;
  struct bytes file = hosted_bytes(&sparse, &layout);
  vmdk_disk* disk = open_disk(put_one(*state, "SPARSE", file), NULL);
  vmdk_run run = run_at(disk, 100, 65536 - 100);

  assert_int_equal(run.kind, VMDK_RUN_DATA);
  assert_true(run.size == 65536 - 100);
  assert_true(run.file_offset == layout.data + 100);
  assert_int_equal(run.link, 0);
  assert_int_equal(run.extent, 0);
  run = run_at(disk, 65536, 65536);
  assert_int_equal(run.kind, VMDK_RUN_ZERO);
  assert_int_equal(run.link, 0);
  assert_int_equal(run.extent, 0);
  run = run_at(disk, 2 * 65536, 2000 * 512 - 2 * 65536);
  assert_int_equal(run.kind, VMDK_RUN_ABSENT);
  assert_ok(vmdk_close(disk));
}

static void joined(void** state) {
  struct sparse sparse = a_sparse("DDDD");
  vmdk_disk* disk = open_disk(put_one(*state, "SPARSE", hosted_bytes(&sparse, NULL)), NULL);

  /* Grains that lie one behind the other in the file are one run. */
  assert_true(run_at(disk, 10, 2000 * 512 - 10).size == 4 * 65536 - 10);
  assert_true(run_at(disk, 4 * 65536, 2000 * 512 - 4 * 65536).size == 2000 * 512 - 4 * 65536);
  /* Never more than was asked for. */
  assert_true(run_at(disk, 10, 1).size == 1);
  assert_true(run_at(disk, 65530, 10).size == 10);
  assert_ok(vmdk_close(disk));
}

static void ranges(void** state) {
  struct sparse sparse = a_sparse("D");
  vmdk_disk* disk = open_disk(put_one(*state, "SPARSE", hosted_bytes(&sparse, NULL)), NULL);
  const uint64_t capacity = 2000 * 512;
  static const uint64_t huge[] = {UINT64_MAX, UINT64_MAX - 1000, (uint64_t)1 << 63};
  vmdk_run run;
  size_t i;

  memset(&run, 0, sizeof(run));
  run.struct_size = sizeof(run);
  assert_status(vmdk_map_at(disk, capacity, 1, &run), VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_map_at(disk, 0, capacity + 1, &run), VMDK_ERR_OUT_OF_RANGE);
  assert_status(vmdk_map_at(disk, capacity - 1, 2, &run), VMDK_ERR_OUT_OF_RANGE);
  assert_ok(vmdk_map_at(disk, capacity - 1, 1, &run));
  assert_ok(vmdk_map_at(disk, 0, capacity, &run));
  for (i = 0; i < COUNT(huge); ++i) {
    assert_status(vmdk_map_at(disk, huge[i], 1, &run), VMDK_ERR_OUT_OF_RANGE);
    assert_status(vmdk_map_at(disk, 1, huge[i], &run), VMDK_ERR_OUT_OF_RANGE);
    assert_status(vmdk_map_at(disk, huge[i], UINT64_MAX, &run), VMDK_ERR_OUT_OF_RANGE);
  }
  assert_status(vmdk_map_at(disk, 0, 0, &run), VMDK_ERR_INVALID_ARGUMENT);
  assert_ok(vmdk_close(disk));
}

/* base: DDD.  middle: .0..  top: D...  and beyond the base nothing. */
static void a_chain(void** state) {
  static const struct {
    uint32_t kind, link;
  } expected[] = {
      {VMDK_RUN_DATA, 0}, {VMDK_RUN_ZERO, 1}, {VMDK_RUN_DATA, 2}, {VMDK_RUN_ABSENT, UINT32_MAX}};
  static const char* const grains[] = {"D...", ".0..", "DDD."};
  vmdk_disk* disk;
  size_t i;
  int link;

  for (link = 2; link >= 0; --link) {
    struct descriptor text = {0};
    struct sparse sparse = {0};
    text.cid = 0x10 + (uint32_t)link;
    text.parent = link < 2 ? 0x10 + (uint32_t)link + 1 : 0;
    text.hint = link < 2 ? text_in(*state, "%d.vmdk", link + 1) : NULL;
    text.extents = text_in(*state, "RW %d SPARSE \"%d.data\"\n", link == 2 ? 400 : 600, link);
    sparse.sectors = link == 2 ? 400 : 600;
    sparse.grains = grains[link];
    sparse.seed = (uint32_t)link;
    (void)put_file(*state, text_in(*state, "%d.data", link),
                   link == 1 ? stream_bytes(&sparse, NULL) : hosted_bytes(&sparse, NULL));
    (void)put_file(*state, text_in(*state, "%d.vmdk", link), descriptor_bytes(&text));
  }
  disk = open_disk(path_in(*state, "0.vmdk"), NULL);
  for (i = 0; i < COUNT(expected); ++i) {
    vmdk_run run = run_at(disk, i * 65536, 4096);
    assert_int_equal(run.kind, expected[i].kind);
    assert_int_equal(run.link, expected[i].link);
  }
  assert_true(run_at(disk, 4 * 65536, 600 * 512 - 4 * 65536).kind == VMDK_RUN_ABSENT);
  assert_map(disk, UINT64_MAX / 2);
  assert_map(disk, 30000);
  assert_ok(vmdk_close(disk));
}

static void extents_end_runs(void** state) {
  struct descriptor text = {0};
  vmdk_disk* disk;
  vmdk_run run;

  (void)put_file(*state, "flat", pattern_bytes(1, 0, 40 * 512));
  text.extents =
      "RW 10 FLAT \"flat\" 4\nRW 10 FLAT \"flat\" 14\nRW 10 ZERO\nRW 10 ZERO\nNOACCESS 10 FLAT "
      "\"flat\" 0\n";
  disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL);
  run = run_at(disk, 100, 50 * 512 - 100);
  assert_true(run.size == 5120 - 100 && run.file_offset == 4 * 512 + 100 && run.extent == 0);
  run = run_at(disk, 5120, 1);
  assert_true(run.file_offset == 14 * 512 && run.extent == 1);
  run = run_at(disk, 45 * 512, 1);
  assert_int_equal(run.kind, VMDK_RUN_ZERO);
  assert_int_equal(run.extent, 4);
  assert_map(disk, UINT64_MAX / 2);
  assert_ok(vmdk_close(disk));
}

static void damaged_entries(void** state) {
  static const uint32_t entries[] = {0x7fffffff, 2}; /* beyond the end, in metadata */
  size_t i;

  for (i = 0; i < COUNT(entries); ++i) {
    struct sparse sparse = a_sparse("DDD");
    struct layout layout;
    struct bytes file = hosted_bytes(&sparse, &layout);
    vmdk_disk* disk;
    vmdk_run run = {0};
    bytes_set32(&file, (size_t)layout.tables + 4, entries[i]);
    disk = open_disk(put_one(*state, "SPARSE", file), NULL);
    assert_true(run_at(disk, 0, 2000 * 512).size <= 65536);
    run.struct_size = sizeof(run);
    assert_status(vmdk_map_at(disk, 65536, 1, &run), VMDK_ERR_CORRUPT);
    assert_true(vmdk_last_error()->offset == 65536);
    assert_int_equal(vmdk_last_error()->extent, 0);
    assert_int_equal(run_at(disk, 2 * 65536, 1).kind, VMDK_RUN_DATA);
    assert_ok(vmdk_close(disk));
  }
}

/* A disk of a great many absent grains is walked in a few runs. */
static void a_huge_empty_disk(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  uint64_t capacity = (uint64_t)1 << 40, offset = 0;
  vmdk_disk* disk;
  int runs = 0;

  text.type = "monolithicSparse";
  text.extents = text_in(*state, "RW %lu SPARSE \"disk.vmdk\"\n", (unsigned long)(capacity / 512));
  sparse.sectors = capacity / 512;
  sparse.grain_sectors = 16384;
  sparse.gtes = 64;
  sparse.grains = "";
  sparse.descriptor = &text;
  disk = open_disk(put_file(*state, "disk.vmdk", hosted_bytes(&sparse, NULL)), NULL);
  while (offset < capacity) {
    vmdk_run run = run_at(disk, offset, capacity - offset);
    assert_int_equal(run.kind, VMDK_RUN_ABSENT);
    offset += run.size;
    ++runs;
  }
  assert_true(runs <= 4096);
  assert_ok(vmdk_close(disk));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(every_kind),      TEST(kinds),
      TEST(joined),          TEST(ranges),
      TEST(a_chain),         TEST(extents_end_runs),
      TEST(damaged_entries), TEST(a_huge_empty_disk),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
