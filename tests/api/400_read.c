/* SPDX-License-Identifier: MIT */
/* vmdk_read_at() against a model that is an array of bytes. */
#define _XOPEN_SOURCE 700
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

/* Not a multiple of a grain, so that the last one is cut. */
#define SECTORS 5001
#define SIZE ((uint64_t)SECTORS * 512)

static const char grains[] = "DD0.EDE..D00DDDD.E.D0DEDED.D.DDDDDDDDDEE";

static void compare(vmdk_disk* disk, const unsigned char* model, uint64_t size) {
  assert_true(info_of(disk, 0).capacity == size);
  assert_content(disk, model, size, 65536);
  assert_content(disk, model, size, (size_t)size);
  assert_content(disk, model, size, 3001);
  assert_random_reads(disk, model, size, 42, 400, 400000);
}

static void compare_and_close(const char* path, const unsigned char* model, uint64_t size) {
  static const uint32_t threads[] = {0, 1, 3};
  size_t i;

  for (i = 0; i < COUNT(threads); ++i) {
    vmdk_open_options options = default_options();
    vmdk_disk* disk;
    options.threads = threads[i];
    options.cache_bytes = i == 1 ? 1 : 0;
    disk = open_disk(path, &options);
    compare(disk, model, size);
    assert_ok(vmdk_close(disk));
  }
}

static unsigned char* new_model(uint64_t size) {
  unsigned char* model = allocate((size_t)size);
  memset(model, 0, (size_t)size);
  return model;
}

static void flat(void** state) {
  struct descriptor text = {0};
  struct bytes file = pattern_bytes(9, 0, 1024);
  unsigned char* model = new_model(SIZE);

  pattern_fill(1, 0, model, SIZE);
  bytes_append(&file, model, SIZE);
  (void)put_file(*state, "flat", file);
  text.extents = text_in(*state, "RW %d FLAT \"flat\" 2\n", SECTORS);
  compare_and_close(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), model, SIZE);
  free(model);
}

static void try_sparse(struct folder* folder, int compressed, uint32_t grain_sectors,
                       uint32_t gtes) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  unsigned char* model = new_model(SIZE);

  text.type = compressed ? "streamOptimized" : "monolithicSparse";
  text.extents = text_in(folder, "RW %d SPARSE \"disk.vmdk\"\n", SECTORS);
  sparse.sectors = SECTORS;
  sparse.grain_sectors = grain_sectors;
  sparse.gtes = gtes;
  sparse.grains = grains;
  sparse.seed = 2;
  sparse.descriptor = &text;
  model_put(model, SIZE, &sparse);
  compare_and_close(
      put_file(folder, "disk.vmdk",
               compressed ? stream_bytes(&sparse, NULL) : hosted_bytes(&sparse, NULL)),
      model, SIZE);
  free(model);
}

static void hosted(void** state) {
  try_sparse(*state, 0, 128, 512);
  try_sparse(*state, 0, 8, 512);
  try_sparse(*state, 0, 256, 4);
}

static void stream(void** state) {
  try_sparse(*state, 1, 128, 512);
  try_sparse(*state, 1, 16, 8);
  try_sparse(*state, 1, 256, 4);
}

/* Two or more extents of each sparse kind, of sizes that are no multiples of anything. */
static void split(void** state) {
  static const uint64_t sectors[] = {1000, 777, 2048, 1};
  static const char* const keywords[] = {"SPARSE", "SPARSE", "VMFSSPARSE", "SESPARSE"};
  size_t kind, i;

  for (kind = 0; kind < COUNT(keywords); ++kind) {
    struct descriptor text = {0};
    const char* lines = "";
    uint64_t size = 0;
    unsigned char* model;
    for (i = 0; i < COUNT(sectors); ++i) size += sectors[i] * 512;
    model = new_model(size);
    size = 0;
    for (i = 0; i < COUNT(sectors); ++i) {
      const char* name = text_in(*state, "part%u", (unsigned)i);
      struct sparse part = {0};
      part.sectors = sectors[i];
      part.grain_sectors = kind == 3 ? 8 : 64;
      part.grains = grains + i;
      part.seed = 3 + (uint32_t)kind;
      part.disk_offset = size;
      model_put(model, size + sectors[i] * 512, &part);
      (void)put_file(*state, name,
                     kind == 0   ? hosted_bytes(&part, NULL)
                     : kind == 1 ? stream_bytes(&part, NULL)
                     : kind == 2 ? cowd_bytes(&part, NULL)
                                 : se_bytes(&part));
      lines = text_in(*state, "%sRW %lu %s \"%s\"\n", lines, (unsigned long)sectors[i],
                      keywords[kind], name);
      size += sectors[i] * 512;
    }
    text.extents = lines;
    compare_and_close(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), model, size);
    free(model);
  }
}

/* A chain of five: flat, COWD, split, stream, seSparse on top; the base is smaller than the rest.
 */
static void chain(void** state) {
  struct descriptor text = {0};
  struct sparse cowd = {0}, part = {0}, packed = {0}, se = {0};
  unsigned char* model = new_model(SIZE);
  char letters[SECTORS / 8 + 2];
  size_t i;

  pattern_fill(1, 0, model, 4000 * 512);
  (void)put_file(*state, "flat", pattern_bytes(1, 0, 4000 * 512));
  text.cid = 0x10;
  text.extents = "RW 4000 FLAT \"flat\" 0\n";
  (void)put_file(*state, "0.vmdk", descriptor_bytes(&text));

  cowd.sectors = SECTORS;
  cowd.grain_sectors = 1;
  cowd.grains = "D.D0D..DDDD...0";
  cowd.seed = 2;
  model_put(model, SIZE, &cowd);
  (void)put_file(*state, "1.data", cowd_bytes(&cowd, NULL));
  text.cid = 0x11;
  text.parent = 0x10;
  text.hint = "0.vmdk";
  text.extents = text_in(*state, "RW %d VMFSSPARSE \"1.data\"\n", SECTORS);
  (void)put_file(*state, "1.vmdk", descriptor_bytes(&text));

  part.grain_sectors = 64;
  part.seed = 3;
  part.sectors = 1001;
  part.grains = "..D0D..";
  model_put(model, SIZE, &part);
  (void)put_file(*state, "2.data1", hosted_bytes(&part, NULL));
  memset(model + 1001 * 512, 0, 1000 * 512); /* a ZERO extent hides the parent */
  part.disk_offset = 2001 * 512;
  part.sectors = SECTORS - 2001;
  part.grains = "D...D0....D....DD...0";
  model_put(model, SIZE, &part);
  (void)put_file(*state, "2.data2", hosted_bytes(&part, NULL));
  text.cid = 0x12;
  text.parent = 0x11;
  text.hint = "1.vmdk";
  text.extents =
      text_in(*state, "RW 1001 SPARSE \"2.data1\"\nRW 1000 ZERO\nRW %d SPARSE \"2.data2\"\n",
              SECTORS - 2001);
  (void)put_file(*state, "2.vmdk", descriptor_bytes(&text));

  packed.sectors = SECTORS;
  packed.grains = "....D0...E.....D...........0.......D...D";
  packed.seed = 4;
  model_put(model, SIZE, &packed);
  (void)put_file(*state, "3.data", stream_bytes(&packed, NULL));
  text.cid = 0x13;
  text.parent = 0x12;
  text.hint = "2.vmdk";
  text.extents = text_in(*state, "RW %d SPARSE \"3.data\"\n", SECTORS);
  (void)put_file(*state, "3.vmdk", descriptor_bytes(&text));

  for (i = 0; i + 1 < sizeof(letters); ++i)
    letters[i] = i % 13 == 3 ? 'D' : i % 29 == 5 ? '0' : '.';
  letters[i] = 0;
  se.sectors = SECTORS;
  se.grain_sectors = 8;
  se.grains = letters;
  se.seed = 5;
  model_put(model, SIZE, &se);
  (void)put_file(*state, "4.data", se_bytes(&se));
  text.cid = 0x14;
  text.parent = 0x13;
  text.hint = "3.vmdk";
  text.extents = text_in(*state, "RW %d SESPARSE \"4.data\"\n", SECTORS);
  compare_and_close(put_file(*state, "4.vmdk", descriptor_bytes(&text)), model, SIZE);
  free(model);
}

/* What one link alone holds, over a long chain, in grains of different sizes. */
static void a_long_chain(void** state) {
  enum { LINKS = 40 };
  const uint64_t size = 2048 * 512;
  unsigned char* model = new_model(size);
  unsigned i;

  for (i = 0; i < LINKS; ++i) {
    struct descriptor text = {0};
    struct sparse sparse = {0};
    char letters[257];
    uint32_t grain = 8u << i % 5;
    size_t count = 2048 / grain, j;
    for (j = 0; j < count; ++j) letters[j] = j % LINKS == i ? 'D' : j % 97 == i ? '0' : '.';
    letters[count] = 0;
    text.type = "monolithicSparse";
    text.cid = 0x100 + i;
    text.parent = i > 0 ? 0x100 + i - 1 : 0;
    text.hint = i > 0 ? text_in(*state, "%u.vmdk", i - 1) : NULL;
    text.extents = text_in(*state, "RW 2048 SPARSE \"%u.vmdk\"\n", i);
    sparse.sectors = 2048;
    sparse.grain_sectors = grain;
    sparse.grains = letters;
    sparse.seed = 50 + i;
    sparse.descriptor = &text;
    model_put(model, size, &sparse);
    (void)put_file(*state, text_in(*state, "%u.vmdk", i), hosted_bytes(&sparse, NULL));
  }
  compare_and_close(path_in(*state, text_in(*state, "%u.vmdk", LINKS - 1)), model, size);
  free(model);
}

static void flat_zero_flat(void** state) {
  struct descriptor text = {0};
  unsigned char *model = new_model(3 * MIB), *buffer = allocate(MIB);
  vmdk_disk* disk;
  const char* path;

  pattern_fill(1, 0, model, MIB);
  pattern_fill(2, 0, model + 2 * MIB, MIB);
  (void)put_file(*state, "a", pattern_bytes(1, 0, MIB));
  (void)put_file(*state, "b", pattern_bytes(2, 0, MIB));
  text.extents = "RW 2048 FLAT \"a\" 0\nRW 2048 ZERO\nRW 2048 FLAT \"b\" 0\n";
  path = put_file(*state, "disk.vmdk", descriptor_bytes(&text));
  disk = open_disk(path, NULL);
  assert_true(info_of(disk, 0).capacity == 3 * MIB);
  assert_true(extent_of(disk, 0, 2).offset == 2 * MIB);
  assert_ok(vmdk_read_at(disk, buffer, MIB, 2 * MIB));
  assert_same_bytes(buffer, model + 2 * MIB, MIB);
  assert_ok(vmdk_close(disk));
  compare_and_close(path, model, 3 * MIB);
  free(model);
  free(buffer);
}

/* NOACCESS reads as zeros, whatever the file holds or whether there is one; empty extents are
 * passed over. */
static void noaccess_and_empty(void** state) {
  struct descriptor text = {0};
  unsigned char* model = new_model(24 * 512);

  pattern_fill(1, 0, model, 8 * 512);
  pattern_fill(1, 0, model + 16 * 512, 8 * 512);
  (void)put_file(*state, "a", pattern_bytes(1, 0, 8 * 512));
  text.extents =
      "RW 8 FLAT \"a\" 0\nRW 0 ZERO\nNOACCESS 8 FLAT \"missing\" 0\nRW 0 ZERO\nRDONLY 8 FLAT \"a\" "
      "0\nRW 0 ZERO\n";
  compare_and_close(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), model, 24 * 512);
  free(model);
}

static void edges(void** state) {
  struct descriptor text = {0};
  vmdk_disk* disk;
  unsigned char buffer[16];
  size_t i;
  static const struct {
    uint64_t offset;
    size_t size;
  } beyond[] = {
      {4096, 1},
      {4095, 2},
      {0, 4097},
      {4097, 0},
      {UINT64_MAX, 0},
      {UINT64_MAX, 1},
      {UINT64_MAX - 7, 8},
      {1, SIZE_MAX},
      {0, SIZE_MAX},
      {4096, SIZE_MAX},
      {UINT64_MAX, SIZE_MAX},
      {(uint64_t)1 << 63, 16},
  };

  text.extents = "RW 8 FLAT \"flat\" 0\n";
  (void)put_file(*state, "flat", pattern_bytes(1, 0, 4096));
  disk = open_disk(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), NULL);
  assert_ok(vmdk_read_at(disk, NULL, 0, 0));
  assert_ok(vmdk_read_at(disk, NULL, 0, 4096));
  memset(buffer, 0xee, sizeof(buffer));
  assert_ok(vmdk_read_at(disk, buffer, 0, 5));
  assert_int_equal(buffer[0], 0xee);
  for (i = 0; i < COUNT(beyond); ++i) {
    assert_status(vmdk_read_at(disk, buffer, beyond[i].size, beyond[i].offset),
                  VMDK_ERR_OUT_OF_RANGE);
    assert_contains(vmdk_last_error()->message, "4096");
  }
  assert_int_equal(buffer[0], 0xee);
  assert_ok(vmdk_read_at(disk, buffer, 1, 4095));
  assert_int_equal(buffer[0], pattern(1, 4095));
  assert_int_equal(buffer[1], 0xee);
  assert_ok(vmdk_close(disk));
}

static void a_truncated_sparse_disk(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct bytes file;
  unsigned char *model = new_model(MIB), *buffer = allocate(65536);
  const vmdk_error* error = vmdk_last_error();
  size_t whole, cut;
  vmdk_disk* disk;

  text.type = "monolithicSparse";
  text.extents = "RW 2048 SPARSE \"disk.vmdk\"\n";
  sparse.sectors = 2048;
  sparse.grains = "DDDD.DDD";
  sparse.descriptor = &text;
  model_put(model, MIB, &sparse);
  file = hosted_bytes(&sparse, &layout);
  whole = file.size;
  /* In the middle of the grain before the last one, which is grain 6. */
  cut = (size_t)grain_place(&sparse, &layout, 6) + 1000;
  bytes_resize(&file, cut);
  assert_true(cut < whole);
  disk = open_disk(put_file(*state, "disk.vmdk", file), NULL);
  assert_ok(vmdk_read_at(disk, buffer, 65536, 5 * 65536));
  assert_same_bytes(buffer, model + 5 * 65536, 65536);
  assert_status(vmdk_read_at(disk, buffer, 100, 6 * 65536 + 7), VMDK_ERR_CORRUPT);
  assert_contains(error->message, "disk.vmdk");
  assert_contains(error->message, "grain 6");
  assert_contains(error->message, "65536");
  assert_contains(error->message, text_in(*state, "%lu", (unsigned long)cut));
  assert_contains(error->message, "truncated");
  assert_int_equal(error->link, 0);
  assert_int_equal(error->extent, 0);
  assert_true(error->offset == 6 * 65536 + 7);
  assert_int_equal(error->os_error, 0);
  /* All or nothing: a read that touches it fails as a whole, where it begins is good. */
  {
    unsigned char* large = allocate(MIB);
    assert_status(vmdk_read_at(disk, large, MIB, 0), VMDK_ERR_CORRUPT);
    assert_true(error->offset >= 6 * 65536 && error->offset < 7 * 65536);
    assert_status(vmdk_read_at(disk, large, MIB - 1, 1), VMDK_ERR_CORRUPT);
    free(large);
  }
  assert_content(disk, model, 6 * 65536, 65536);
  assert_ok(vmdk_read_at(disk, buffer, 65536, 8 * 65536));
  assert_same_bytes(buffer, model + 8 * 65536, 65536);
  assert_ok(vmdk_close(disk));
  free(buffer);
  free(model);
}

static void damage_leaves_the_rest(void** state) {
  size_t damage;

  for (damage = 0; damage < 4; ++damage) {
    static const uint32_t threads[] = {1, 4};
    struct descriptor text = {0};
    struct sparse sparse = {0};
    struct layout layout;
    struct bytes file;
    unsigned char *model = new_model(MIB), *buffer = allocate(MIB);
    uint32_t sector;
    size_t at, i, t;
    const char* path;
    text.type = "streamOptimized";
    text.extents = "RW 2048 SPARSE \"disk.vmdk\"\n";
    sparse.sectors = 2048;
    sparse.grains = "DDDDDDDDDDDDDDDD";
    sparse.descriptor = &text;
    model_put(model, MIB, &sparse);
    file = stream_bytes(&sparse, &layout);
    memcpy(&sector, file.data + layout.tables + 4 * 5, 4);
    at = (size_t)sector * 512;
    switch (damage) {
      case 0: /* in the compressed data */
        memset(file.data + at + 60, 0xff, 300);
        break;
      case 1: /* the marker says that it is another grain's */
        bytes_set64(&file, at, 128);
        break;
      case 2: /* its size */
        bytes_set32(&file, at + 8, 0x7fffffff);
        break;
      default: /* its entry leads out of the file */
        bytes_set32(&file, (size_t)layout.tables + 4 * 5, 0x7fffffff);
        break;
    }
    path = put_file(*state, "disk.vmdk", file);
    for (t = 0; t < COUNT(threads); ++t) {
      vmdk_open_options options = default_options();
      vmdk_disk* disk;
      options.threads = threads[t];
      disk = open_disk(path, &options);
      assert_status(vmdk_read_at(disk, buffer, MIB, 0), VMDK_ERR_CORRUPT);
      for (i = 0; i < 16; ++i) {
        vmdk_status status = vmdk_read_at(disk, buffer, 65536, i * 65536);
        assert_int_equal(status, i == 5 ? VMDK_ERR_CORRUPT : VMDK_OK);
        if (i == 5) {
          assert_contains(vmdk_last_error()->message, "grain 5");
          assert_contains(vmdk_last_error()->message, "disk.vmdk");
          assert_true(vmdk_last_error()->offset >= 5 * 65536 &&
                      vmdk_last_error()->offset < 6 * 65536);
          assert_int_equal(vmdk_last_error()->extent, 0);
          assert_int_equal(vmdk_last_error()->link, 0);
        } else {
          assert_same_bytes(buffer, model + i * 65536, 65536);
        }
      }
      assert_ok(vmdk_close(disk));
    }
    free(model);
    free(buffer);
  }
}

/* Damage in a parent is said to be there. */
static void damage_in_a_parent(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct bytes file;
  unsigned char byte;
  vmdk_disk* disk;

  text.extents = "RW 100 ZERO\nRW 1948 SPARSE \"base.data\"\n";
  sparse.sectors = 1948;
  sparse.grains = "DDDD";
  file = hosted_bytes(&sparse, &layout);
  bytes_set32(&file, (size_t)layout.tables + 8, 0x7ffffff0);
  (void)put_file(*state, "base.data", file);
  (void)put_file(*state, "base.vmdk", descriptor_bytes(&text));
  sparse.sectors = 2048;
  sparse.grains = ".";
  text.cid = 0x22222222;
  text.parent = 0x11111111;
  text.hint = "base.vmdk";
  text.extents = "RW 2048 SPARSE \"top.data\"\n";
  (void)put_file(*state, "top.data", hosted_bytes(&sparse, NULL));
  disk = open_disk(put_file(*state, "top.vmdk", descriptor_bytes(&text)), NULL);
  assert_status(vmdk_read_at(disk, &byte, 1, 100 * 512 + 2 * 65536 + 3), VMDK_ERR_CORRUPT);
  assert_int_equal(vmdk_last_error()->link, 1);
  assert_int_equal(vmdk_last_error()->extent, 1);
  assert_true(vmdk_last_error()->offset == 100 * 512 + 2 * 65536 + 3);
  assert_contains(vmdk_last_error()->message, "base.data");
  assert_ok(vmdk_close(disk));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(flat),
      TEST(hosted),
      TEST(stream),
      TEST(split),
      TEST(chain),
      TEST(a_long_chain),
      TEST(flat_zero_flat),
      TEST(noaccess_and_empty),
      TEST(edges),
      TEST(a_truncated_sparse_disk),
      TEST(damage_leaves_the_rest),
      TEST(damage_in_a_parent),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
