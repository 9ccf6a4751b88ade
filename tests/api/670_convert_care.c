/* SPDX-License-Identifier: MIT */
/* What conversions must be careful with: files that change or fail meanwhile, damage whose extent
 * has to be found, long gaps, and options that are wrong before anything is read. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"
#include "support/conversion.h"

#define SECTOR 512u

static const unsigned char zeros[64 * 1024];

static const char* put_image(struct folder* folder, const char* name, uint64_t size) {
  return put_file(folder, name, pattern_bytes(3, 0, (size_t)size));
}

static vmdk_disk* open_raw(const char* path, const vmdk_io* io) {
  vmdk_open_options options = default_options();

  options.flags = VMDK_OPEN_RAW;
  options.io = io;
  return open_disk(path, &options);
}

/* What a file has lost is an error, not a hole. */
static void source_that_becomes_shorter(void** state) {
  const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_RAW, VMDK_TYPE_MONOLITHIC_FLAT};
  size_t i;

  for (i = 0; i < COUNT(types); ++i) {
    const char* path = put_image(*state, "disk.img", 8 * MIB);
    vmdk_create_options create = create_options(types[i]);
    vmdk_convert_options options = options_for(&create, 2);
    vmdk_disk* disk = open_raw(path, NULL);

    assert_int_equal(truncate(path, 3 * MIB), 0);
    assert_status(vmdk_convert(disk, path_in(*state, "new.vmdk"), &options), VMDK_ERR_CORRUPT);
    assert_int_equal(count_entries(*state), 1);
    assert_ok(vmdk_close(disk));
  }
}

/* A vmdk_io over one local file that fails in one place. */
struct local {
  FILE* file;
  uint64_t size, fail_at;
  int opened;
};

static int local_open(void* user, const char* name, uint32_t flags, void** out_file) {
  (void)flags;
  if (strcmp(name, "disk.img") != 0) return ENOENT;
  *out_file = user;
  return 0;
}

static void local_close(void* user, void* file) {
  (void)user;
  (void)file;
}

static int local_read(void* user, void* file, uint64_t offset, void* buffer, size_t size) {
  const struct local* local = file;

  (void)user;
  if (offset <= local->fail_at && local->fail_at < offset + size) return EIO;
  return pread(fileno(local->file), buffer, size, (off_t)offset) == (ssize_t)size ? 0 : EIO;
}

static int local_size(void* user, void* file, uint64_t* out_size) {
  (void)user;
  *out_size = ((struct local*)file)->size;
  return 0;
}

static vmdk_io local_io(struct local* local) {
  vmdk_io io;

  memset(&io, 0, sizeof(io));
  io.struct_size = sizeof(io);
  io.user = local;
  io.open = local_open;
  io.close = local_close;
  io.read_at = local_read;
  io.get_size = local_size;
  return io;
}

/* Where the system does not copy, zeros are left out, and failures say where. */
static void files_that_the_system_does_not_copy(void** state) {
  const char* path = put_image(*state, "disk.img", 4 * MIB);
  struct local local = {fopen(path, "r+b"), 4 * MIB, UINT64_MAX, 0};
  const vmdk_io io = local_io(&local);
  vmdk_create_options create = create_options(VMDK_TYPE_RAW);
  vmdk_convert_options options = options_for(&create, 1);
  vmdk_disk* disk;
  struct stat stored;
  size_t i;

  assert_non_null(local.file);
  for (i = 0; i < 32; ++i)
    assert_int_equal(pwrite(fileno(local.file), zeros, sizeof(zeros), (off_t)(MIB + i * 65536)),
                     sizeof(zeros));
  disk = open_raw("disk.img", &io);
  assert_ok(vmdk_convert(disk, path_in(*state, "new.img"), &options));
  assert_int_equal(stat(path_in(*state, "new.img"), &stored), 0);
  assert_true((uint64_t)stored.st_blocks * 512 < 3 * MIB);
  assert_int_equal(unlink(path_in(*state, "new.img")), 0);

  local.fail_at = 3 * MIB + 5000;
  assert_status(vmdk_convert(disk, path_in(*state, "new.img"), &options), VMDK_ERR_IO);
  assert_int_equal(vmdk_last_error()->os_error, EIO);
  assert_true(vmdk_last_error()->offset == 3 * MIB + 4096);
  assert_contains(vmdk_last_error()->message, "bytes 3149824 to 3153919 of the disk");
  assert_int_equal(count_entries(*state), 1);
  assert_ok(vmdk_close(disk));
  (void)fclose(local.file);
}

/* ---- Damage ---- */

struct losses {
  unsigned count;
  uint64_t offset[8], size[8];
};

static int note_loss(void* user, uint64_t offset, uint64_t size, const char* message) {
  struct losses* losses = user;

  assert_true(is_clean_line(message));
  assert_true(losses->count < COUNT(losses->offset));
  losses->offset[losses->count] = offset;
  losses->size[losses->count++] = size;
  return 0;
}

/* Every entry of both directories leads nowhere. */
static void spoil_directories(const char* path) {
  FILE* file = fopen(path, "r+b");
  unsigned char header[512], bad[4] = {0xfe, 0xff, 0xff, 0xfe};
  uint64_t at[2], entries;
  size_t i, j;

  assert_non_null(file);
  assert_int_equal(fread(header, 1, sizeof(header), file), sizeof(header));
  memcpy(&at[0], header + 48, 8);
  memcpy(&at[1], header + 56, 8);
  memcpy(&entries, header + 12, 8);
  entries = (entries + 65535) / 65536;
  for (i = 0; i < 2; ++i) {
    assert_int_equal(fseek(file, (long)(at[i] * SECTOR), SEEK_SET), 0);
    for (j = 0; j < entries; ++j) assert_int_equal(fwrite(bad, 1, 4, file), 4);
  }
  assert_int_equal(fclose(file), 0);
}

/* All the tables of a large disk are lost: that is found without a look at each 64 KiB. */
static void lost_directory(void** state) {
  const char* path = path_in(*state, "lost.vmdk");
  vmdk_create_options create = create_options(VMDK_TYPE_MONOLITHIC_SPARSE), stream;
  vmdk_convert_options options;
  struct collector collector;
  struct losses losses = {0};
  vmdk_disk* disk;

  create.capacity = 64 * (uint64_t)1024 * MIB;
  assert_ok(vmdk_create(path, &create));
  spoil_directories(path);
  disk = open_disk(path, NULL);
  stream = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
  options = options_for(&stream, 2);
  memset(&collector, 0, sizeof(collector));
  assert_status(vmdk_convert_to_stream(disk, collect, &collector, &options), VMDK_ERR_CORRUPT);
  options.on_lost = note_loss;
  options.user = &losses;
  bytes_free(&collector.bytes);
  memset(&collector, 0, sizeof(collector));
  assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
  assert_int_equal(losses.count, 1);
  assert_true(losses.offset[0] == 0);
  assert_true(losses.size[0] == create.capacity);
  bytes_free(&collector.bytes);
  assert_ok(vmdk_close(disk));
}

/* What is lost ends where the damaged extent does, in the middle of a grain of the new disk. */
static void good_data_beside_a_lost_table(void** state) {
  const uint64_t lost = 136 * SECTOR, good = 200 * SECTOR;
  struct bytes flat = pattern_bytes(7, 0, (size_t)good);
  vmdk_create_options create = create_options(VMDK_TYPE_MONOLITHIC_SPARSE);
  const uint32_t types[] = {VMDK_TYPE_RAW, VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_MONOLITHIC_SPARSE};
  unsigned char* model = allocate((size_t)(lost + good));
  const char* path;
  size_t i, j;

  create.capacity = lost;
  assert_ok(vmdk_create(path_in(*state, "a.vmdk"), &create));
  spoil_directories(path_in(*state, "a.vmdk"));
  memset(model, 0, (size_t)lost);
  memcpy(model + lost, flat.data, (size_t)good);
  (void)put_file(*state, "b.img", flat);
  path = put_text(*state, "both.vmdk",
                  "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
                  "createType=\"custom\"\nRW 136 SPARSE \"a.vmdk\"\nRW 200 FLAT \"b.img\" 0\n");
  for (i = 0; i < COUNT(types); ++i) {
    vmdk_create_options wish = create_options(types[i]);
    vmdk_convert_options options = options_for(&wish, 2);
    struct folder* folder = *state;
    struct losses losses = {0};
    vmdk_disk* disk = open_disk(path, NULL);

    options.on_lost = note_loss;
    options.user = &losses;
    assert_ok(vmdk_convert(disk, path_in(folder, "new.vmdk"), &options));
    assert_int_equal(losses.count, 1);
    assert_true(losses.offset[0] == 0);
    assert_true(losses.size[0] == lost);
    for (j = 0; destinations[j].type != types[i]; ++j) continue;
    assert_disk_is(path_in(folder, "new.vmdk"), destinations + j, model, lost + good, lost + good);
    assert_int_equal(unlink(path_in(folder, "new.vmdk")), 0);
    assert_ok(vmdk_close(disk));
  }
  free(model);
}

/* ---- Streams ---- */

static int drop(void* user, const void* data, size_t size) {
  (void)data;
  *(uint64_t*)user += size;
  return 0;
}

struct looks {
  unsigned count, cancel_at;
  uint64_t last, widest;
};

static int look(void* user, uint64_t done, uint64_t total) {
  struct looks* looks = user;

  (void)total;
  if (done - looks->last > looks->widest) looks->widest = done - looks->last;
  looks->last = done;
  return ++looks->count == looks->cancel_at;
}

/* Zeros that are sent can be watched, and stopped. */
static void long_gaps(void** state) {
  vmdk_create_options create = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
  vmdk_create_options raw = create_options(VMDK_TYPE_RAW);
  vmdk_convert_options options = options_for(&create, 1);
  struct collector stream;
  struct looks looks = {0};
  uint64_t sent = 0;
  const char* path = put_image(*state, "disk.img", 65536);
  vmdk_disk* disk = open_raw(path, NULL);
  struct feed feed;

  create.capacity = 8 * (uint64_t)1024 * MIB;
  memset(&stream, 0, sizeof(stream));
  assert_ok(vmdk_convert_to_stream(disk, collect, &stream, &options));
  assert_ok(vmdk_close(disk));

  options = options_for(&raw, 1);
  options.on_progress = look;
  options.user = &looks;
  feed = feed_of(&stream.bytes, 0);
  assert_ok(vmdk_convert_stream(feed_next, &feed, drop, &sent, &options));
  assert_true(sent == create.capacity);
  assert_true(looks.last == create.capacity);
  assert_true(looks.widest <= 64 * MIB);

  memset(&looks, 0, sizeof(looks));
  looks.cancel_at = 10;
  sent = 0;
  feed = feed_of(&stream.bytes, 0);
  assert_status(vmdk_convert_stream(feed_next, &feed, drop, &sent, &options), VMDK_ERR_CANCELLED);
  assert_int_equal(looks.count, 10);
  assert_true(sent < create.capacity / 4);
  bytes_free(&stream.bytes);
}

struct ended {
  unsigned calls_left, ends;
};

static int give_blocks(void* user, void* buffer, size_t size, size_t* out_size) {
  struct ended* ended = user;

  memset(buffer, 'x', size);
  *out_size = ended->calls_left == 0 ? 0 : size;
  if (ended->calls_left == 0)
    ++ended->ends;
  else
    --ended->calls_left;
  return 0;
}

/* The end is asked for once, as a terminal would say it once; and nothing is no disk. */
static void end_of_raw_bytes(void** state) {
  vmdk_create_options create = create_options(VMDK_TYPE_RAW);
  vmdk_convert_options options = options_for(&create, 1);
  struct ended ended = {2, 0}, empty = {0, 0};
  uint64_t sent = 0;

  options.flags = VMDK_CONVERT_FROM_RAW;
  assert_ok(vmdk_convert_from_stream(give_blocks, &ended, path_in(*state, "new.img"), &options));
  assert_int_equal(ended.ends, 1);
  assert_status(vmdk_convert_stream(give_blocks, &empty, drop, &sent, &options), VMDK_ERR_CORRUPT);
  assert_status(
      vmdk_convert_from_stream(give_blocks, &empty, path_in(*state, "empty.img"), &options),
      VMDK_ERR_CORRUPT);
  assert_int_equal(count_entries(*state), 1);
}

/* ---- Options ---- */

static int no_source(void* user, void* buffer, size_t size, size_t* out_size) {
  (void)user;
  (void)buffer;
  (void)size;
  *out_size = 0;
  fail_msg("the source was read");
  return EIO;
}

/* A pipe is not read to its end only to find that the options were wrong. */
static void wrong_options_of_pipes(void** state) {
  static const struct {
    uint32_t type, target;
    uint64_t grain, split;
    vmdk_status to_file, to_sink;
  } cases[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, 0, 777, 0, VMDK_ERR_INVALID_ARGUMENT,
       VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_RAW, 0, 65536, 0, VMDK_ERR_INVALID_ARGUMENT, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_RAW, 0, 0, 65536, VMDK_ERR_INVALID_ARGUMENT, VMDK_ERR_INVALID_ARGUMENT},
      {VMDK_TYPE_RAW, VMDK_TARGET_ESXI, 0, 0, VMDK_ERR_UNSUPPORTED, VMDK_ERR_UNSUPPORTED},
      {VMDK_TYPE_SE_SPARSE, 0, 0, 0, VMDK_ERR_UNSUPPORTED, VMDK_ERR_INVALID_ARGUMENT},
  };
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_create_options create = create_options(cases[i].type);
    vmdk_convert_options options = options_for(&create, 1);
    uint64_t sent = 0;

    create.grain_bytes = cases[i].grain;
    create.split_bytes = cases[i].split;
    create.target = cases[i].target;
    options.flags = VMDK_CONVERT_FROM_RAW;
    assert_status(vmdk_convert_from_stream(no_source, NULL, path_in(*state, "a.vmdk"), &options),
                  cases[i].to_file);
    assert_status(vmdk_convert_stream(no_source, NULL, drop, &sent, &options), cases[i].to_sink);
  }
  {
    vmdk_create_options create = create_options(VMDK_TYPE_SPLIT_FLAT);
    vmdk_convert_options options = options_for(&create, 1);
    options.flags = VMDK_CONVERT_FROM_RAW;
    (void)put_text(*state, "taken-f001.vmdk", "");
    assert_status(
        vmdk_convert_from_stream(no_source, NULL, path_in(*state, "taken.vmdk"), &options),
        VMDK_ERR_EXISTS);
  }
  assert_int_equal(count_entries(*state), 1);
}

/* What a conversion refuses for its size, measuring refuses too. */
static void too_large(void** state) {
  const char* path = put_image(*state, "disk.img", 65536);
  const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_RAW,
                            VMDK_TYPE_VMFS_SPARSE};
  vmdk_disk* disk = open_raw(path, NULL);
  size_t i;

  for (i = 0; i < COUNT(types); ++i) {
    vmdk_create_options create = create_options(types[i]);
    vmdk_convert_options options = options_for(&create, 1);
    vmdk_measure_result result;

    create.capacity = types[i] == VMDK_TYPE_RAW ? UINT64_MAX : (uint64_t)1 << 62;
    memset(&result, 0, sizeof(result));
    result.struct_size = sizeof(result);
    assert_status(vmdk_measure(disk, &options, &result), VMDK_ERR_LIMIT);
    assert_status(vmdk_convert(disk, path_in(*state, "new.vmdk"), &options), VMDK_ERR_LIMIT);
    assert_int_equal(count_entries(*state), 1);
  }
  assert_ok(vmdk_close(disk));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(source_that_becomes_shorter),
      TEST(files_that_the_system_does_not_copy),
      TEST(lost_directory),
      TEST(good_data_beside_a_lost_table),
      TEST(long_gaps),
      TEST(end_of_raw_bytes),
      TEST(wrong_options_of_pipes),
      TEST(too_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
