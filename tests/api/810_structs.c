/* SPDX-License-Identifier: MIT */
/* Structures of callers that were compiled with an older or a newer header. */
#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/memory_io.h"

#define TAIL 64 /* what a newer header might append */

/* Each structure that the library fills, behind one signature. */
typedef vmdk_status (*fill_fn)(vmdk_disk* disk, void* structure);

static vmdk_status fill_run(vmdk_disk* disk, void* structure) {
  return vmdk_map_at(disk, 0, 512, structure);
}

static vmdk_status fill_info(vmdk_disk* disk, void* structure) {
  return vmdk_get_info(disk, structure);
}

static vmdk_status fill_link_info(vmdk_disk* disk, void* structure) {
  return vmdk_get_link_info(disk, 0, structure);
}

static vmdk_status fill_extent(vmdk_disk* disk, void* structure) {
  return vmdk_get_extent(disk, 0, 0, structure);
}

static vmdk_status fill_probe(vmdk_disk* disk, void* structure) {
  static const char text[] = "# Disk DescriptorFile\nversion=1\nCID=1\nRW 8 ZERO\n";
  (void)disk;
  return vmdk_probe(text, sizeof(text) - 1, structure);
}

static const struct {
  fill_fn fill;
  size_t size;
} filled[] = {
    {fill_run, sizeof(vmdk_run)},
    {fill_info, sizeof(vmdk_info)},
    {fill_link_info, sizeof(vmdk_info)},
    {fill_extent, sizeof(vmdk_extent_info)},
    {fill_probe, sizeof(vmdk_probe_result)},
};

static vmdk_disk* open_some(struct folder* folder) {
  struct descriptor text = {0};

  text.extents = "RW 8 FLAT \"flat\" 0\n";
  (void)put_file(folder, "flat", pattern_bytes(1, 0, 4096));
  return open_disk(put_file(folder, "disk.vmdk", descriptor_bytes(&text)), NULL);
}

static void set_size(unsigned char* structure, size_t size) {
  uint32_t value = (uint32_t)size;
  memcpy(structure, &value, sizeof(value));
}

static uint32_t get_size(const unsigned char* structure) {
  uint32_t value;
  memcpy(&value, structure, sizeof(value));
  return value;
}

static void a_size_that_is_not_set(void** state) {
  vmdk_disk* disk = open_some(*state);
  size_t i, size;

  for (i = 0; i < COUNT(filled); ++i) {
    for (size = 0; size < sizeof(uint32_t); ++size) {
      unsigned char *structure = allocate(512), *before = allocate(512);
      memset(structure, 0xee, 512);
      set_size(structure, size);
      memcpy(before, structure, 512);
      assert_status(filled[i].fill(disk, structure), VMDK_ERR_INVALID_ARGUMENT);
      assert_memory_equal(structure, before, 512);
      free(structure);
      free(before);
    }
  }
  assert_ok(vmdk_close(disk));
}

static void an_older_caller(void** state) {
  vmdk_disk* disk = open_some(*state);
  size_t i, size;

  for (i = 0; i < COUNT(filled); ++i) {
    unsigned char* whole = allocate(filled[i].size);
    memset(whole, 0, filled[i].size);
    set_size(whole, filled[i].size);
    assert_ok(filled[i].fill(disk, whole));
    for (size = sizeof(uint32_t); size < filled[i].size; size += 4) {
      /* Not a byte more is allocated than the caller knows, for the sanitizer to see. */
      unsigned char* structure = allocate(size);
      memset(structure, 0xee, size);
      set_size(structure, size);
      assert_ok(filled[i].fill(disk, structure));
      assert_int_equal(get_size(structure), size);
      assert_memory_equal(structure + 4, whole + 4, size - 4);
      free(structure);
    }
    free(whole);
  }
  assert_ok(vmdk_close(disk));
}

static void bytes_behind_are_left_alone(void** state) {
  vmdk_disk* disk = open_some(*state);
  size_t i, j;

  for (i = 0; i < COUNT(filled); ++i) {
    unsigned char* structure = allocate(filled[i].size + TAIL);
    size_t size = filled[i].size - 8;
    memset(structure, 0xee, filled[i].size + TAIL);
    set_size(structure, size);
    assert_ok(filled[i].fill(disk, structure));
    for (j = size; j < filled[i].size + TAIL; ++j) assert_int_equal(structure[j], 0xee);
    free(structure);
  }
  assert_ok(vmdk_close(disk));
}

static void a_newer_caller(void** state) {
  vmdk_disk* disk = open_some(*state);
  size_t i, j;

  for (i = 0; i < COUNT(filled); ++i) {
    unsigned char *structure = allocate(filled[i].size + TAIL), *whole = allocate(filled[i].size);
    memset(whole, 0, filled[i].size);
    set_size(whole, filled[i].size);
    assert_ok(filled[i].fill(disk, whole));
    memset(structure, 0xee, filled[i].size + TAIL);
    set_size(structure, filled[i].size + TAIL);
    assert_ok(filled[i].fill(disk, structure));
    assert_int_equal(get_size(structure), filled[i].size + TAIL);
    assert_memory_equal(structure + 4, whole + 4, filled[i].size - 4);
    for (j = filled[i].size; j < filled[i].size + TAIL; ++j) assert_int_equal(structure[j], 0);
    free(structure);
    free(whole);
  }
  assert_ok(vmdk_close(disk));
}

/* -- Options -------------------------------------------------------------- */

/* Opens with these options, limits and callbacks as bytes; NULL = defaults. */
static vmdk_status open_with(const char* path, const void* options) {
  return try_open(path, options);
}

static void options_without_size(void** state) {
  vmdk_open_options options = default_options();
  vmdk_limits limits = default_limits();
  struct memory_io memory;
  const char* path;

  assert_ok(vmdk_close(open_some(*state)));
  path = path_in(*state, "disk.vmdk");
  options.struct_size = 0;
  assert_status(open_with(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  options.struct_size = 3;
  assert_status(open_with(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  options = default_options();
  options.limits = &limits;
  limits.struct_size = 0;
  assert_status(open_with(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  options = default_options();
  memory_init(&memory);
  memory.io.struct_size = 0;
  options.io = &memory.io;
  assert_status(open_with(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(memory.opens, 0);
  memory_free(&memory);
}

/* What is behind the size that the caller set is never looked at. */
static void options_of_an_older_caller(void** state) {
  const char* path;
  size_t size;

  assert_ok(vmdk_close(open_some(*state)));
  path = path_in(*state, "disk.vmdk");
  for (size = sizeof(uint32_t); size <= sizeof(vmdk_open_options); size += 4) {
    unsigned char* options = allocate(size);
    memset(options, 0, size);
    set_size(options, size);
    assert_ok(open_with(path, options));
    free(options);
  }
  for (size = sizeof(uint32_t); size <= sizeof(vmdk_limits); size += 4) {
    vmdk_open_options options = default_options();
    unsigned char* limits = allocate(size);
    memset(limits, 0, size);
    set_size(limits, size);
    options.limits = (const vmdk_limits*)(const void*)limits;
    assert_ok(open_with(path, &options));
    free(limits);
  }
}

/* A structure with a tail, aligned as it must be. */
struct long_options {
  vmdk_open_options options;
  unsigned char tail[TAIL];
};
struct long_limits {
  vmdk_limits limits;
  unsigned char tail[TAIL];
};
struct long_io {
  vmdk_io io;
  unsigned char tail[TAIL];
};

static void options_of_a_newer_caller(void** state) {
  struct long_options options;
  struct long_limits limits;
  struct long_io io;
  struct memory_io memory;
  struct descriptor text = {0};
  const char* path;
  size_t i;

  assert_ok(vmdk_close(open_some(*state)));
  path = path_in(*state, "disk.vmdk");
  memset(&options, 0, sizeof(options));
  memset(&limits, 0, sizeof(limits));
  memset(&io, 0, sizeof(io));
  memory_init(&memory);
  text.extents = "RW 8 ZERO\n";
  memory_put(&memory, path, descriptor_bytes(&text));
  io.io = memory.io;
  options.options.struct_size = sizeof(options);
  limits.limits.struct_size = sizeof(limits);
  io.io.struct_size = sizeof(io);

  assert_ok(open_with(path, &options));
  options.options.limits = &limits.limits;
  assert_ok(open_with(path, &options));
  options.options.io = &io.io;
  assert_ok(open_with(path, &options));
  for (i = 0; i < TAIL; i += TAIL - 1) {
    options.tail[i] = 1;
    assert_status(open_with(path, &options), VMDK_ERR_UNSUPPORTED);
    options.tail[i] = 0;
    limits.tail[i] = 1;
    assert_status(open_with(path, &options), VMDK_ERR_UNSUPPORTED);
    limits.tail[i] = 0;
    io.tail[i] = 1;
    assert_status(open_with(path, &options), VMDK_ERR_UNSUPPORTED);
    io.tail[i] = 0;
  }
  assert_ok(open_with(path, &options));
  assert_int_equal(memory_leaks(&memory), 0);
  memory_free(&memory);
}

/* Members have no gaps and stay where they are. */
static void the_layout_is_fixed(void** state) {
  (void)state;
  assert_int_equal(sizeof(vmdk_status), 4);
  assert_int_equal(sizeof(vmdk_error), 32 + 768 + 256);
  assert_int_equal(offsetof(vmdk_error, offset), 24);
  assert_int_equal(offsetof(vmdk_error, message), 32);
  assert_int_equal(sizeof(vmdk_run), 48);
  assert_int_equal(offsetof(vmdk_run, file_offset), 40);
  assert_int_equal(sizeof(vmdk_limits), 32);
  assert_int_equal(sizeof(vmdk_extent_info), 56);
  assert_int_equal(sizeof(vmdk_probe_result), 32);
  assert_int_equal(offsetof(vmdk_info, capacity), 8);
  assert_int_equal(offsetof(vmdk_info, recovered_tables), sizeof(vmdk_info) - 8);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_size_that_is_not_set),      TEST(an_older_caller),
      TEST(bytes_behind_are_left_alone), TEST(a_newer_caller),
      TEST(options_without_size),        TEST(options_of_an_older_caller),
      TEST(options_of_a_newer_caller),   TEST(the_layout_is_fixed),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
