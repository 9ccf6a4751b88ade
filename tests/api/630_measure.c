/* SPDX-License-Identifier: MIT */
/* vmdk_measure(): what a conversion needs is at most what was said, and exactly that where it was
 * said to be exact. */
#include <inttypes.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"

#define GRAINS "D.0EDD....0DDDDDD.E0DD0DDDDDDDDDDEDD"
#define SECTORS (UINT64_C(40) * 128 + 37)

static vmdk_measure_result measured(vmdk_disk* disk, const vmdk_convert_options* options) {
  vmdk_measure_result result;

  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  assert_ok(vmdk_measure(disk, options, &result));
  return result;
}

/* Space and size of what is made of it. */
static void sizes_of(vmdk_disk* disk, const vmdk_convert_options* options, uint64_t* stored,
                     uint64_t* size) {
  vmdk_open_options open = default_options();
  void* state;
  const char* path;
  vmdk_disk* made;

  assert_int_equal(folder_setup(&state), 0);
  path = path_in(state, "disk.vmdk");
  assert_ok(vmdk_convert(disk, path, options));
  if (options->create->type == VMDK_TYPE_RAW) open.flags = VMDK_OPEN_RAW;
  made = open_disk(path, &open);
  *stored = info_of(made, 0).stored_bytes;
  *size = info_of(made, 0).file_bytes;
  assert_ok(vmdk_close(made));
  (void)folder_teardown(&state);
}

static void every_kind_to_every_kind(void** state) {
  size_t i, j;

  (void)state;
  for (i = 0; i < source_kind_count; ++i) {
    void* from;
    struct source source;
    vmdk_disk* disk;
    assert_int_equal(folder_setup(&from), 0);
    source = make_source(from, source_kinds[i], SECTORS, GRAINS);
    disk = source_open(&source);
    for (j = 0; j < destination_count; ++j) {
      vmdk_create_options create = fixed_create_options(destinations[j].type);
      vmdk_convert_options options = options_for(&create, 2);
      const int stream = destinations[j].type == VMDK_TYPE_STREAM_OPTIMIZED;
      vmdk_measure_result quick, exact;
      uint64_t stored, size;
      sizes_of(disk, &options, &stored, &size);
      quick = measured(disk, &options);
      options.flags = VMDK_CONVERT_EXACT;
      exact = measured(disk, &options);
      if (stream) assert_true(exact.exact != 0);
      assert_true(exact.needed <= quick.needed);
      assert_true(quick.needed <= quick.most);
      assert_true(exact.most == quick.most);
      if (quick.exact) assert_true(quick.needed == exact.needed);
      if (stream) {
        if (exact.needed != size)
          fail_msg("%s: %" PRIu64 " bytes, not %" PRIu64, source.name, size, exact.needed);
      } else if (stored > exact.needed + 16 * KIB) {
        /* The file system has a say in it, and blocks of zeros in a grain are holes. */
        fail_msg("%s to %s: %" PRIu64 " bytes are stored, not %" PRIu64, source.name,
                 destinations[j].name, stored, exact.needed);
      } else if (exact.needed > stored + 192 * KIB) {
        fail_msg("%s to %s: only %" PRIu64 " bytes are stored, not %" PRIu64, source.name,
                 destinations[j].name, stored, exact.needed);
      }
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
    (void)folder_teardown(&from);
  }
}

/* Streams of every size, grain and level. */
static void exact_streams(void** state) {
  static const uint64_t sizes[] = {1, 128, 129, 65536, 65537, 200001};
  static const uint64_t grains[] = {0, 4096, 16384, 1048576};
  static const uint32_t levels[] = {0, 1, 9, VMDK_COMPRESSION_STORED};
  size_t i, j, k;

  for (i = 0; i < COUNT(sizes); ++i) {
    struct source source = make_source(*state, "raw", sizes[i], "D.D0DD");
    vmdk_disk* disk = source_open(&source);
    for (j = 0; j < COUNT(grains); ++j) {
      for (k = 0; k < COUNT(levels); ++k) {
        vmdk_create_options create = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
        vmdk_convert_options options = options_for(&create, 3);
        struct collector collector;
        vmdk_measure_result result;
        create.grain_bytes = grains[j];
        options.compression = levels[k];
        options.flags = VMDK_CONVERT_EXACT;
        result = measured(disk, &options);
        options.flags = 0;
        memset(&collector, 0, sizeof(collector));
        assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
        assert_true(result.exact != 0);
        assert_true(result.needed == collector.bytes.size);
        assert_true(result.most >= result.needed);
        assert_true(measured(disk, &options).needed >= result.needed);
        bytes_free(&collector.bytes);
      }
    }
    assert_ok(vmdk_close(disk));
    source_free(&source);
  }
}

/* Nothing but data that does not shrink: `most` is a bound, and close. */
static void the_most(void** state) {
  struct bytes bytes = {NULL, 0};
  vmdk_open_options open = default_options();
  uint64_t random = 9;
  vmdk_disk* disk;
  size_t i;

  bytes_resize(&bytes, 5 * 1000 * 1024);
  for (i = 0; i < bytes.size; ++i) bytes.data[i] = (unsigned char)(1 + next_random(&random) % 255);
  open.flags = VMDK_OPEN_RAW;
  disk = open_disk(put_file(*state, "disk.img", bytes), &open);
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&create, 2);
    vmdk_measure_result result = measured(disk, &options);
    uint64_t stored, size;
    sizes_of(disk, &options, &stored, &size);
    assert_true(stored <= result.most + 16 * KIB);
    assert_true(result.most < 5 * 1000 * 1024 * 105 / 100);
    assert_true(result.needed >= 5 * 1000 * 1024);
  }
  assert_ok(vmdk_close(disk));
}

static void raw_streams(void** state) {
  struct source source = make_source(*state, "monolithicSparse", SECTORS, "D");
  vmdk_disk* disk = source_open(&source);
  vmdk_create_options create = create_options(VMDK_TYPE_RAW);
  vmdk_convert_options options = options_for(&create, 1);
  vmdk_measure_result result = measured(disk, &options);

  /* A file of holes takes less than its size. */
  assert_true(result.needed <= source.size);
  assert_true(result.most >= source.size && result.most < source.size + 4096);
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

/* Huge ones are measured by their tables. */
static void huge_disks(void** state) {
  vmdk_create_options create = create_options(VMDK_TYPE_MONOLITHIC_SPARSE);
  const char* path = path_in(*state, "disk.vmdk");
  vmdk_disk* disk;
  size_t i;

  create.capacity = 2 * TIB - 512;
  assert_ok(vmdk_create(path, &create));
  disk = open_disk(path, NULL);
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options to = create_options(destinations[i].type);
    vmdk_convert_options options = options_for(&to, 1);
    vmdk_measure_result result;
    to.preallocate = destinations[i].sparse ? 0 : VMDK_PREALLOCATE_NONE;
    result = measured(disk, &options);
    assert_true(result.most >= 2 * TIB - 512);
    assert_true(result.needed < 1024 * MIB);
  }
  assert_ok(vmdk_close(disk));
}

static void what_is_refused(void** state) {
  struct source source = make_source(*state, "monolithicSparse", 300, "D");
  vmdk_disk* disk = source_open(&source);
  vmdk_create_options create = create_options(VMDK_TYPE_SE_SPARSE);
  vmdk_convert_options options = options_for(&create, 1);
  vmdk_measure_result result;
  struct {
    vmdk_measure_result result;
    unsigned char more[64];
  } longer;
  size_t i;

  memset(&result, 0, sizeof(result));
  assert_status(vmdk_measure(disk, NULL, &result), VMDK_ERR_INVALID_ARGUMENT);
  result.struct_size = sizeof(result);
  assert_ok(vmdk_measure(disk, NULL, &result));
  assert_status(vmdk_measure(NULL, NULL, &result), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_measure(disk, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_measure(disk, &options, &result), VMDK_ERR_UNSUPPORTED);
  create.type = VMDK_TYPE_MONOLITHIC_FLAT;
  create.grain_bytes = 65536;
  assert_status(vmdk_measure(disk, &options, &result), VMDK_ERR_INVALID_ARGUMENT);
  options = convert_options();
  options.flags = VMDK_CONVERT_FROM_RAW;
  assert_status(vmdk_measure(disk, &options, &result), VMDK_ERR_INVALID_ARGUMENT);
  /* A caller with a newer header, and one with an older. */
  memset(&longer, 0xee, sizeof(longer));
  longer.result.struct_size = sizeof(longer);
  assert_ok(vmdk_measure(disk, NULL, &longer.result));
  for (i = 0; i < sizeof(longer.more); ++i) assert_int_equal(longer.more[i], 0);
  result.struct_size = 8;
  result.needed = 77;
  assert_ok(vmdk_measure(disk, NULL, &result));
  assert_int_equal(result.needed, 77);
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

static void what_is_told(void** state) {
  struct source source = make_source(*state, "streamOptimized", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t i;
  long n;

  for (i = 0; i < destination_count; ++i) {
    for (n = 0;; ++n) {
      vmdk_create_options create = create_options(destinations[i].type);
      vmdk_convert_options options = options_for(&create, 2);
      vmdk_measure_result result;
      struct watcher watcher;
      vmdk_status status;
      options.flags = VMDK_CONVERT_EXACT;
      watch(&watcher, &options, TOLD_PROGRESS, NULL, source.size, source.size);
      watcher.cancel = TOLD_PROGRESS;
      watcher.cancel_at = n;
      memset(&result, 0, sizeof(result));
      result.struct_size = sizeof(result);
      status = vmdk_measure(disk, &options, &result);
      assert_string_equal(watcher.wrong, "");
      assert_int_equal(status, watcher.cancelled ? VMDK_ERR_CANCELLED : VMDK_OK);
      if (!watcher.cancelled) assert_watched(&watcher, TOLD_PROGRESS);
      watcher_free(&watcher);
      if (n > 0 && status == VMDK_OK) break;
    }
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_to_every_kind),
      IN_FOLDER(exact_streams),
      IN_FOLDER(the_most),
      IN_FOLDER(raw_streams),
      IN_FOLDER(huge_disks),
      IN_FOLDER(what_is_refused),
      IN_FOLDER(what_is_told),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
