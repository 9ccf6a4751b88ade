/* SPDX-License-Identifier: MIT */
/* VMDK_OPEN_RAW: any file as the bytes of a disk. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"
#include "support/memory_io.h"

static vmdk_open_options raw_options(void) {
  vmdk_open_options options = default_options();

  options.flags = VMDK_OPEN_RAW;
  return options;
}

static void content_and_info(void** state) {
  static const size_t sizes[] = {512, 1024, 65536, 65536 + 512, 1 << 20};
  vmdk_open_options options = raw_options();
  size_t i;

  for (i = 0; i < COUNT(sizes); ++i) {
    struct bytes bytes = pattern_bytes(3, 0, sizes[i]);
    const char* path = put_file(*state, "disk.img", bytes_copy(&bytes));
    vmdk_disk* disk = open_disk(path, &options);
    vmdk_info info = info_of(disk, 0);
    vmdk_extent_info extent;
    size_t needed = 0;

    assert_int_equal(info.type, VMDK_TYPE_RAW);
    assert_true(info.capacity == sizes[i]);
    assert_true(info.file_bytes == sizes[i]);
    assert_true(info.stored_bytes >= sizes[i]);
    assert_int_equal(info.grain_bytes, 0);
    assert_int_equal(info.flags & ~(uint32_t)VMDK_INFO_EMBEDDED, 0);
    assert_int_equal(info.chain_length, 1);
    assert_int_equal(info.extent_count, 1);
    assert_int_equal(info.parent_cid, 0xffffffff);
    assert_int_equal(info.key_count, 0);
    assert_int_equal(info.adapter, VMDK_ADAPTER_UNKNOWN);
    assert_int_equal(info.hardware_version, 0);
    extent = extent_of(disk, 0, 0);
    assert_int_equal(extent.kind, VMDK_EXTENT_FLAT);
    assert_true(extent.size == sizes[i]);
    assert_true(extent.file_offset == 0);
    assert_string_equal(text_of(disk, 0, "@path"), path);
    assert_string_equal(text_of(disk, 0, "@extent.0"), path);
    assert_status(vmdk_get_text(disk, 0, "ddb.adapterType", NULL, 0, &needed), VMDK_ERR_NOT_FOUND);
    assert_status(vmdk_get_link_info(disk, 1, &info), VMDK_ERR_OUT_OF_RANGE);
    assert_content(disk, bytes.data, sizes[i], 777);
    assert_random_reads(disk, bytes.data, sizes[i], 1, 50, 70000);
    assert_int_equal(run_at(disk, 0, sizes[i]).kind, VMDK_RUN_DATA);
    assert_ok(vmdk_close(disk));
    bytes_free(&bytes);
  }
}

/* A disk has whole sectors: what is missing of the last one reads as zeros. */
static void odd_sizes(void** state) {
  static const size_t sizes[] = {1, 511, 513, 100001};
  vmdk_open_options options = raw_options();
  size_t i;

  for (i = 0; i < COUNT(sizes); ++i) {
    struct bytes bytes = pattern_bytes(3, 0, sizes[i]);
    const size_t whole = (sizes[i] + 511) / 512 * 512;
    vmdk_disk* disk = open_disk(put_file(*state, "disk.img", bytes_copy(&bytes)), &options);
    bytes_resize(&bytes, whole);
    assert_true(info_of(disk, 0).capacity == whole);
    assert_content(disk, bytes.data, whole, 100);
    assert_ok(vmdk_close(disk));
    bytes_free(&bytes);
  }
}

/* Holes are shown as zeros. */
static void holes(void** state) {
  static const uint64_t places[] = {1 << 20, 3 << 20};
  vmdk_open_options options = raw_options();
  const char* path = put_holes(*state, "disk.img", 8 * MIB, places, COUNT(places));
  vmdk_disk* disk = open_disk(path, &options);
  uint64_t at = 0, data = 0;

  while (at < 8 * MIB) {
    const vmdk_run run = run_at(disk, at, 8 * MIB - at);
    assert_true(run.size > 0);
    assert_int_not_equal(run.kind, VMDK_RUN_ABSENT);
    if (run.kind == VMDK_RUN_DATA) {
      assert_true(run.file_offset == at);
      data += run.size;
    }
    at += run.size;
  }
  assert_true(data >= 8192);
  /* As far as the file system has holes at all. */
  if (info_of(disk, 0).stored_bytes < MIB) assert_true(data <= 256 * KIB);
  assert_ok(vmdk_close(disk));
}

/* Nothing can be made of no bytes. */
static void empty_files(void** state) {
  vmdk_open_options options = raw_options();
  vmdk_disk* disk = open_disk(put_text(*state, "empty.img", ""), &options);
  size_t i;

  assert_true(info_of(disk, 0).capacity == 0);
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options convert = options_for(&create, 1);
    assert_status(vmdk_convert(disk, path_in(*state, "disk.vmdk"), &convert),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_contains(vmdk_last_error()->message, "capacity");
    assert_int_equal(count_entries(*state), 1);
  }
  assert_ok(vmdk_close(disk));
}

/* A VMDK is bytes like any other. */
static void any_file(void** state) {
  struct source source = make_source(*state, "monolithicSparse", 300, "D");
  struct bytes bytes = read_file(source.path);
  vmdk_open_options options = raw_options();
  vmdk_disk* disk = open_disk(source.path, &options);

  assert_int_equal(info_of(disk, 0).type, VMDK_TYPE_RAW);
  assert_true(info_of(disk, 0).capacity == bytes.size);
  assert_content(disk, bytes.data, bytes.size, 5000);
  assert_ok(vmdk_close(disk));
  disk = open_disk(put_symlink(*state, "link.img", "disk.vmdk"), &options);
  assert_true(info_of(disk, 0).capacity == bytes.size);
  assert_ok(vmdk_close(disk));
  bytes_free(&bytes);
  source_free(&source);
}

static void what_is_refused(void** state) {
  static const uint32_t flags[] = {VMDK_OPEN_WRITE, VMDK_OPEN_NO_PARENT, VMDK_OPEN_RECOVER};
  const char* path = put_file(*state, "disk.img", pattern_bytes(1, 0, 1024));
  vmdk_open_options options = raw_options();
  unsigned char sector[512];
  vmdk_disk* disk;
  size_t i;

  for (i = 0; i < COUNT(flags); ++i) {
    options.flags = VMDK_OPEN_RAW | flags[i];
    assert_status(try_open(path, &options), VMDK_ERR_INVALID_ARGUMENT);
  }
  options.flags = VMDK_OPEN_RAW | VMDK_OPEN_NO_LOCK;
  disk = open_disk(path, &options);
  assert_status(vmdk_write_at(disk, sector, 512, 0), VMDK_ERR_READ_ONLY);
  assert_status(vmdk_zero_at(disk, 512, 0), VMDK_ERR_READ_ONLY);
  assert_status(vmdk_set_text(disk, "ddb.x", "1"), VMDK_ERR_READ_ONLY);
  assert_status(vmdk_read_at(disk, sector, 512, 513), VMDK_ERR_OUT_OF_RANGE);
  assert_ok(vmdk_close(disk));
  options = raw_options();
  assert_status(try_open(path_in(*state, "none.img"), &options), VMDK_ERR_NOT_FOUND);
  assert_int_not_equal(try_open(put_directory(*state, "folder"), &options), VMDK_OK);
  assert_int_not_equal(try_open(put_fifo(*state, "fifo"), &options), VMDK_OK);
  assert_int_not_equal(try_open(put_socket(*state, "s"), &options), VMDK_OK);
  assert_int_not_equal(try_open("/dev/zero", &options), VMDK_OK);
  assert_true(is_clean_line(vmdk_last_error()->message));
  /* It is none without the flag. */
  options = default_options();
  assert_status(try_open(path, &options), VMDK_ERR_NOT_VMDK);
}

static void files_of_the_caller(void** state) {
  struct bytes bytes = pattern_bytes(3, 0, 100 * 512);
  vmdk_open_options options = raw_options();
  struct memory_io memory;
  vmdk_disk* disk;
  long n;

  (void)state;
  memory_init(&memory);
  memory_put(&memory, "disk.img", bytes_copy(&bytes));
  options.io = &memory.io;
  disk = open_disk("disk.img", &options);
  assert_content(disk, bytes.data, bytes.size, 999);
  assert_ok(vmdk_close(disk));
  for (n = 1;; ++n) {
    vmdk_status status;
    memory.fail_calls = MEMORY_ANY;
    memory.fail_at = n;
    memory.fail_once = 1;
    memory.fail_with = EIO;
    memory.calls = 0;
    status = try_open("disk.img", &options);
    if (status == VMDK_OK) break;
    assert_int_equal(status, VMDK_ERR_IO);
  }
  assert_true(n > 1);
  assert_int_equal(memory_leaks(&memory), 0);
  assert_int_equal(memory.wrong, 0);
  memory_free(&memory);
  bytes_free(&bytes);
}

/* Locked like any other disk: beside readers, not beside who writes. */
static void locks(void** state) {
  vmdk_create_options create = create_options(VMDK_TYPE_MONOLITHIC_SPARSE);
  vmdk_open_options options = raw_options(), writing = default_options();
  const char* path = path_in(*state, "disk.vmdk");
  vmdk_disk *one, *two;

  create.capacity = MIB;
  assert_ok(vmdk_create(path, &create));
  writing.flags = VMDK_OPEN_WRITE;
  one = open_disk(path, &options);
  two = open_disk(path, &options);
  assert_status(try_open(path, &writing), VMDK_ERR_LOCKED);
  assert_ok(vmdk_close(two));
  assert_ok(vmdk_close(one));
  one = open_disk(path, &writing);
  assert_status(try_open(path, &options), VMDK_ERR_LOCKED);
  options.flags |= VMDK_OPEN_NO_LOCK;
  two = open_disk(path, &options);
  assert_ok(vmdk_close(two));
  assert_ok(vmdk_close(one));
}

/* A file that becomes shorter while it is open. */
static void files_that_shrink(void** state) {
  const char* path = put_file(*state, "disk.img", pattern_bytes(3, 0, 1 << 20));
  vmdk_open_options options = raw_options();
  vmdk_disk* disk = open_disk(path, &options);
  unsigned char sector[512];

  assert_int_equal(truncate(path, 1000), 0);
  assert_ok(vmdk_read_at(disk, sector, 512, 0));
  assert_int_not_equal(vmdk_read_at(disk, sector, 512, 700 * 1024), VMDK_OK);
  assert_true(is_clean_line(vmdk_last_error()->message));
  assert_status(vmdk_convert(disk, path_in(*state, "new.vmdk"), NULL), vmdk_last_error()->status);
  assert_int_equal(count_entries(*state), 1);
  assert_ok(vmdk_close(disk));
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(content_and_info),    IN_FOLDER(odd_sizes), IN_FOLDER(holes),
      IN_FOLDER(empty_files),         IN_FOLDER(any_file),  IN_FOLDER(what_is_refused),
      IN_FOLDER(files_of_the_caller), IN_FOLDER(locks),     IN_FOLDER(files_that_shrink),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
