/* SPDX-License-Identifier: MIT */
/* Every member of vmdk_limits: its default, a lower value, and one above the hard maximum. */
#define _XOPEN_SOURCE 700
#include <pthread.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/memory_io.h"

static vmdk_status open_with(const char* path, const vmdk_limits* limits, const vmdk_io* io) {
  vmdk_open_options options = default_options();

  options.limits = limits;
  options.io = io;
  return try_open(path, &options);
}

/* A descriptor of exactly `size` bytes, filled up with comments. */
static struct bytes long_descriptor(size_t size) {
  struct descriptor text = {0};
  struct bytes bytes;
  size_t at;

  text.extents = "RW 8 ZERO\n";
  bytes = descriptor_bytes(&text);
  at = bytes.size;
  assert_true(at < size);
  bytes_resize(&bytes, size);
  memset(bytes.data + at, '#', size - at);
  for (; at + 80 < size; at += 80) bytes.data[at + 79] = '\n';
  return bytes;
}

static void descriptor_bytes_default(void** state) {
  const size_t most = 16 * MIB;

  assert_ok(try_open(put_file(*state, "at.vmdk", long_descriptor(most)), NULL));
  assert_status(try_open(put_file(*state, "above.vmdk", long_descriptor(most + 1)), NULL),
                VMDK_ERR_LIMIT);
  assert_contains(vmdk_last_error()->hint, "max_descriptor_bytes");
  assert_contains(vmdk_last_error()->message, "above.vmdk");
  assert_contains(vmdk_last_error()->message, "16777216");
}

static void descriptor_bytes_lowered(void** state) {
  const char* path = put_file(*state, "disk.vmdk", long_descriptor(5000));
  vmdk_limits limits = default_limits();

  limits.max_descriptor_bytes = 5000;
  assert_ok(open_with(path, &limits, NULL));
  limits.max_descriptor_bytes = 4999;
  assert_status(open_with(path, &limits, NULL), VMDK_ERR_LIMIT);
  limits.max_descriptor_bytes = 1;
  assert_status(open_with(path, &limits, NULL), VMDK_ERR_LIMIT);
  limits.max_descriptor_bytes = 0;
  assert_ok(open_with(path, &limits, NULL));
}

static void descriptor_bytes_raised(void** state) {
  vmdk_limits limits = default_limits();

  limits.max_descriptor_bytes = 20 * MIB;
  assert_ok(open_with(put_file(*state, "disk.vmdk", long_descriptor(17 * MIB)), &limits, NULL));
  /* Above the hard maximum counts as the maximum. */
  limits.max_descriptor_bytes = UINT32_MAX;
  assert_ok(open_with(put_file(*state, "at.vmdk", long_descriptor(64 * MIB)), &limits, NULL));
  assert_status(
      open_with(put_file(*state, "above.vmdk", long_descriptor(64 * MIB + 1)), &limits, NULL),
      VMDK_ERR_LIMIT);
}

static void descriptor_bytes_embedded(void** state) {
  char more[6000];
  struct descriptor text = {0};
  struct sparse sparse = {0};
  vmdk_limits limits = default_limits();
  const char* path;

  memset(more, '#', sizeof(more));
  more[sizeof(more) - 1] = 0;
  text.type = "monolithicSparse";
  text.extents = "RW 128 SPARSE \"disk.vmdk\"\n";
  text.more = more;
  sparse.sectors = 128;
  sparse.grains = "D";
  sparse.descriptor = &text;
  path = put_file(*state, "disk.vmdk", hosted_bytes(&sparse, NULL));
  assert_ok(open_with(path, &limits, NULL));
  limits.max_descriptor_bytes = 6000;
  assert_status(open_with(path, &limits, NULL), VMDK_ERR_LIMIT);
}

static struct bytes many_extents(size_t count) {
  struct bytes bytes = bytes_text(
      "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
      "createType=\"custom\"\n");
  const char line[] = "RW 1 ZERO\n";
  size_t at = bytes.size, i;

  bytes_resize(&bytes, at + count * (sizeof(line) - 1));
  for (i = 0; i < count; ++i)
    memcpy(bytes.data + at + i * (sizeof(line) - 1), line, sizeof(line) - 1);
  return bytes;
}

static void extents(void** state) {
  const char* three = put_file(*state, "three.vmdk", many_extents(3));
  vmdk_limits limits = default_limits();

  assert_ok(try_open(put_file(*state, "at.vmdk", many_extents(65536)), NULL));
  assert_status(try_open(put_file(*state, "above.vmdk", many_extents(65537)), NULL),
                VMDK_ERR_LIMIT);
  assert_contains(vmdk_last_error()->message, "65536");
  assert_contains(vmdk_last_error()->hint, "max_extents");
  limits.max_extents = 3;
  assert_ok(open_with(three, &limits, NULL));
  limits.max_extents = 2;
  assert_status(open_with(three, &limits, NULL), VMDK_ERR_LIMIT);
  limits.max_extents = 65537;
  assert_ok(open_with(path_in(*state, "above.vmdk"), &limits, NULL));
}

static void extents_hard_maximum(void** state) {
  vmdk_limits limits = default_limits();

  limits.max_extents = UINT32_MAX;
  assert_ok(open_with(put_file(*state, "at.vmdk", many_extents(1048576)), &limits, NULL));
  assert_status(open_with(put_file(*state, "above.vmdk", many_extents(1048577)), &limits, NULL),
                VMDK_ERR_LIMIT);
}

/* A chain in memory: "0" is the base, each further one a child of the one before. */
static void put_chain(struct memory_io* memory, unsigned links) {
  unsigned i;

  for (i = 0; i < links; ++i) {
    struct descriptor text = {0};
    char name[16], parent[16];
    (void)snprintf(name, sizeof(name), "%u", i);
    (void)snprintf(parent, sizeof(parent), "%u", i - 1);
    text.cid = i + 1;
    text.parent = i;
    text.hint = i > 0 ? parent : NULL;
    text.extents = "RW 8 ZERO\n";
    memory_put(memory, name, descriptor_bytes(&text));
  }
}

static void chain_length(void** state) {
  vmdk_limits limits = default_limits();
  struct memory_io memory;

  (void)state;
  memory_init(&memory);
  put_chain(&memory, 1030);
  assert_ok(open_with("0", &limits, &memory.io));
  assert_ok(open_with("127", &limits, &memory.io));
  assert_status(open_with("128", &limits, &memory.io), VMDK_ERR_LIMIT);
  assert_contains(vmdk_last_error()->message, "128");
  assert_contains(vmdk_last_error()->hint, "max_chain_length");
  limits.max_chain_length = 1;
  assert_ok(open_with("0", &limits, &memory.io));
  assert_status(open_with("1", &limits, &memory.io), VMDK_ERR_LIMIT);
  limits.max_chain_length = 2;
  assert_ok(open_with("1", &limits, &memory.io));
  assert_status(open_with("2", &limits, &memory.io), VMDK_ERR_LIMIT);
  limits.max_chain_length = UINT32_MAX;
  assert_ok(open_with("1023", &limits, &memory.io));
  assert_status(open_with("1024", &limits, &memory.io), VMDK_ERR_LIMIT);
  assert_int_equal(memory_leaks(&memory), 0);
  assert_int_equal(memory.wrong, 0);
  memory_free(&memory);
}

/* Tables through the smallest cache: slower, never wrong. */
static void table_bytes(void** state) {
  static const uint64_t sizes[] = {0, 1, 4096, 256 * KIB, 1 * MIB, UINT64_MAX};
  const uint64_t grains = 200 * 1000, capacity = grains * 512;
  char* letters = allocate((size_t)grains + 1);
  struct sparse sparse = {0};
  struct descriptor text = {0};
  unsigned char* model = allocate((size_t)capacity);
  const char* path;
  uint64_t i;

  for (i = 0; i < grains; ++i) letters[i] = i % 7 == 0 ? 'D' : i % 11 == 0 ? '0' : '.';
  letters[grains] = 0;
  text.type = "monolithicSparse";
  text.extents = text_in(*state, "RW %lu SPARSE \"disk.vmdk\"\n", (unsigned long)grains);
  sparse.sectors = grains;
  sparse.grain_sectors = 1;
  sparse.grains = letters;
  sparse.seed = 5;
  sparse.descriptor = &text;
  path = put_file(*state, "disk.vmdk", hosted_bytes(&sparse, NULL));
  memset(model, 0, (size_t)capacity);
  model_put(model, capacity, &sparse);
  for (i = 0; i < COUNT(sizes); ++i) {
    vmdk_open_options options = default_options();
    vmdk_limits limits = default_limits();
    vmdk_disk* disk;
    limits.max_table_bytes = sizes[i];
    options.limits = &limits;
    disk = open_disk(path, &options);
    assert_random_reads(disk, model, capacity, i, 300, 300000);
    assert_random_reads(disk, model, capacity, i + 100, 1000, 3000);
    assert_ok(vmdk_close(disk));
  }
  free(model);
  free(letters);
}

/* With this many extents open at once, how many descriptors does the process hold? */
static int descriptors_with(struct folder* folder, uint32_t max_open_files) {
  vmdk_open_options options = default_options();
  vmdk_limits limits = default_limits();
  unsigned char byte;
  vmdk_disk* disk;
  int before = count_descriptors(), held;
  uint64_t i;

  limits.max_open_files = max_open_files;
  options.limits = &limits;
  disk = open_disk(path_in(folder, "disk.vmdk"), &options);
  for (i = 0; i < 300; ++i) {
    assert_ok(vmdk_read_at(disk, &byte, 1, i * 4096 + i));
    assert_int_equal(byte, pattern(4, i * 4096 + i));
  }
  held = count_descriptors() - before;
  assert_ok(vmdk_close(disk));
  assert_int_equal(count_descriptors(), before);
  return held;
}

static void open_files(void** state) {
  struct bytes text = bytes_text(
      "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
      "createType=\"twoGbMaxExtentFlat\"\n");
  int i;

  for (i = 0; i < 300; ++i) {
    char line[64], name[32];
    (void)snprintf(name, sizeof(name), "disk-f%03d.vmdk", i + 1);
    (void)snprintf(line, sizeof(line), "RW 8 FLAT \"%s\" 0\n", name);
    bytes_append(&text, line, strlen(line));
    (void)put_file(*state, name, pattern_bytes(4, (uint64_t)i * 4096, 4096));
  }
  (void)put_file(*state, "disk.vmdk", text);
  /* Beside files there is the directory that names are resolved in. */
  assert_in_range(descriptors_with(*state, 16), 8, 16 + 2);
  assert_in_range(descriptors_with(*state, 1), 4, 8 + 2);
  assert_in_range(descriptors_with(*state, 0), 64, 128 + 2);
  assert_in_range(descriptors_with(*state, UINT32_MAX), 300, 310);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(descriptor_bytes_default),
      TEST(descriptor_bytes_lowered),
      TEST(descriptor_bytes_raised),
      TEST(descriptor_bytes_embedded),
      TEST(extents),
      TEST(extents_hard_maximum),
      TEST(chain_length),
      TEST(table_bytes),
      TEST(open_files),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
