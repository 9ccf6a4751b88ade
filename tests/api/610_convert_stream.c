/* SPDX-License-Identifier: MIT */
/* vmdk_convert_to_stream(): the streams that are written, marker by marker; large disks; sinks that
 * fail. */
#define _DEFAULT_SOURCE /* fork, wait4 */
#include <errno.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"

#define SECTOR 512u
#define GRAINS "D.0EDD....0DDDDDD.E0DD0DDDDDDDDDDEDD"
#define SECTORS (UINT64_C(40) * 128 + 37)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW 1
#endif
#endif
#ifndef SLOW
#define SLOW 0
#endif

static double now(void) {
  struct timespec time;

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A sink that holds a stream to the layout as it comes. */
static int check_sink(void* check, const void* data, size_t size) {
  return stream_check_feed(check, data, size);
}

static void assert_good(struct stream_check* check) {
  if (stream_check_end(check) != 0)
    fail_msg("the stream at byte %" PRIu64 ": %s", check->damage_at, check->damage);
}

/* ---- Layout ---- */

/* Sizes at which tables and directories begin; grains of every size. */
static void every_layout(void** state) {
  static const uint64_t grains[] = {8, 16, 64, 128, 512, 2048};
  size_t i, j, k;

  for (i = 0; i < COUNT(grains); ++i) {
    const uint64_t table = grains[i] * 512;
    const uint64_t sizes[] = {1,         grains[i] - 1,   grains[i],       grains[i] + 1,
                              table - 1, table,           table + 1,       2 * table + 1,
                              5 * table, 128 * table - 1, 128 * table + 1, 1024 * table};
    for (j = 0; j < COUNT(sizes); ++j) {
      const uint64_t size = sizes[j] * SECTOR;
      const uint64_t places[] = {0, size / 2 / 4096 * 4096, (size - 1) / 4096 * 4096};
      const char* path = put_holes(*state, "disk.img", size, places, COUNT(places));
      vmdk_create_options create = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
      vmdk_convert_options options = options_for(&create, 1 + (unsigned)(j % 3));
      vmdk_open_options open = default_options();
      struct stream_check check;
      uint64_t count = 1;
      vmdk_disk* disk;

      assert_non_null(path);
      open.flags = VMDK_OPEN_RAW;
      create.grain_bytes = grains[i] * SECTOR;
      disk = open_disk(path, &open);
      stream_check_begin(&check);
      assert_ok(vmdk_convert_to_stream(disk, check_sink, &check, &options));
      assert_good(&check);
      assert_true(check.capacity == size);
      assert_true(check.grain_bytes == grains[i] * SECTOR);
      for (k = 1; k < COUNT(places); ++k)
        count += places[k] / create.grain_bytes != places[k - 1] / create.grain_bytes;
      assert_true(check.grains == count);
      stream_check_free(&check);
      assert_ok(vmdk_close(disk));
    }
  }
}

/* Grains that are stored and zero are left out. */
static void stored_zeros(void** state) {
  struct bytes bytes = {NULL, 0};
  vmdk_open_options open = default_options();
  struct stream_check check;
  vmdk_disk* disk;

  bytes_resize(&bytes, 40 * 65536);
  bytes.data[3 * 65536 + 65535] = 1;
  bytes.data[30 * 65536] = 1;
  open.flags = VMDK_OPEN_RAW;
  disk = open_disk(put_file(*state, "disk.img", bytes), &open);
  stream_check_begin(&check);
  assert_ok(vmdk_convert_to_stream(disk, check_sink, &check, NULL));
  assert_good(&check);
  assert_int_equal(check.grains, 2);
  assert_int_equal(check.tables, 1);
  stream_check_free(&check);
  assert_ok(vmdk_close(disk));
}

/* Data of every kind: what shrinks, what does not, both in turn. */
static void every_data(void** state) {
  const size_t grain = 65536, count = 48;
  uint64_t random = 77;
  unsigned level;

  for (level = 0; level <= 13; ++level) {
    struct bytes bytes = {NULL, 0};
    vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    vmdk_convert_options options = options_for(&create, 2);
    vmdk_open_options open = default_options();
    struct collector collector;
    vmdk_disk* disk;
    size_t i, j;

    bytes_resize(&bytes, count * grain - 100 * SECTOR);
    for (i = 0; i < bytes.size; ++i) {
      j = i / grain;
      if (j % 4 == 1) bytes.data[i] = (unsigned char)(next_random(&random) >> 24);
      if (j % 4 == 2)
        bytes.data[i] = (unsigned char)(i % 251 < 20 ? next_random(&random) >> 24 : i / 4096);
      if (j % 4 == 3 && (i % grain < 16384 || i % grain > 60000))
        bytes.data[i] = (unsigned char)(next_random(&random) >> 24);
    }
    open.flags = VMDK_OPEN_RAW;
    options.compression = level == 13 ? VMDK_COMPRESSION_STORED : level;
    disk = open_disk(put_file(*state, "disk.img", bytes_copy(&bytes)), &open);
    memset(&collector, 0, sizeof(collector));
    assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
    assert_stream_is(&collector.bytes, bytes.data, bytes.size, bytes.size);
    bytes_free(&collector.bytes);
    assert_ok(vmdk_close(disk));
    bytes_free(&bytes);
  }
}

/* The descriptor, to the letter. */
static void exact_text(void** state) {
  static const char wanted[] =
      "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=12345678\nparentCID=ffffffff\n"
      "createType=\"streamOptimized\"\n\n# Extent description\nRW 20000 SPARSE "
      "\"disk.vmdk\"\n\n"
      "# The Disk Data Base\n#DDB\n\nddb.adapterType = \"ide\"\nddb.geometry.cylinders = \"19\"\n"
      "ddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\n"
      "ddb.longContentID = \"" FIXED_LONG_ID
      "\"\nddb.toolsVersion = \"10341\"\n"
      "ddb.uuid = \"" FIXED_UUID "\"\nddb.virtualHWVersion = \"9\"\n";
  struct source source = make_source(*state, "monolithicSparse", 20000, "D");
  vmdk_disk* disk = source_open(&source);
  vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
  vmdk_convert_options options = options_for(&create, 1);
  struct stream_check check;

  stream_check_begin(&check);
  assert_ok(vmdk_convert_to_stream(disk, check_sink, &check, &options));
  assert_good(&check);
  assert_string_equal((const char*)check.text.data, wanted);
  stream_check_free(&check);
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

/* Keys that need more room than usual get it. */
static void many_keys(void** state) {
  static const unsigned counts[] = {1, 40, 80, 90, 100, 300, 3000};
  struct source source = make_source(*state, "monolithicSparse", 20000, "D");
  vmdk_disk* disk = source_open(&source);
  size_t i;
  unsigned j;

  for (i = 0; i < COUNT(counts); ++i) {
    const char** keys = allocate((2 * (size_t)counts[i] + 1) * sizeof(*keys));
    vmdk_create_options create = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    vmdk_convert_options options = options_for(&create, 1);
    struct collector collector;
    for (j = 0; j < counts[i]; ++j) {
      keys[2 * j] = text_in(*state, "ddb.key%u", j);
      keys[2 * j + 1] = "a value of so many letters that the room for the descriptor runs out";
    }
    keys[2 * counts[i]] = NULL;
    create.keys = keys;
    memset(&collector, 0, sizeof(collector));
    assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
    assert_stream_is(&collector.bytes, source.model, source.size, source.size);
    {
      const char* path = put_file(*state, "made.vmdk", collector.bytes);
      vmdk_disk* made = open_disk(path, NULL);
      assert_string_equal(text_of(made, 0, keys[2 * (counts[i] - 1)]), keys[1]);
      assert_content(made, source.model, source.size, 100000);
      assert_ok(vmdk_close(made));
    }
    free(keys);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

/* ---- Sinks ---- */

static void sinks_that_fail(void** state) {
  static const struct {
    int with;
    vmdk_status status;
  } cases[] = {{EIO, VMDK_ERR_IO}, {EPIPE, VMDK_ERR_IO}, {ENOSPC, VMDK_ERR_NO_SPACE}};
  static const uint32_t types[] = {VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_RAW};
  struct source source = make_source(*state, "streamOptimized", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t i, j;
  unsigned threads;
  long n;

  for (i = 0; i < COUNT(cases); ++i) {
    for (j = 0; j < COUNT(types); ++j) {
      for (threads = 1; threads <= 4; threads += 3) {
        for (n = 1;; ++n) {
          vmdk_create_options create = create_options(types[j]);
          vmdk_convert_options options = options_for(&create, threads);
          struct collector collector;
          vmdk_status status;
          memset(&collector, 0, sizeof(collector));
          collector.fail_at = n;
          collector.fail_with = cases[i].with;
          status = vmdk_convert_to_stream(disk, collect, &collector, &options);
          bytes_free(&collector.bytes);
          if (collector.calls < n) {
            assert_int_equal(status, VMDK_OK);
            break;
          }
          assert_int_equal(status, cases[i].status);
          assert_int_equal(vmdk_last_error()->os_error, cases[i].with);
          assert_int_equal(collector.calls, n);
        }
        assert_true(n > 3);
      }
    }
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

static void what_is_told(void** state) {
  static const uint32_t types[] = {0, VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_RAW};
  static const unsigned all = TOLD_PROGRESS | TOLD_CONTENT | TOLD_OUTPUT;
  struct source source = make_source(*state, "sparse above a stream", SECTORS, GRAINS);
  vmdk_disk* disk = source_open(&source);
  size_t i;
  long n;

  for (i = 0; i < COUNT(types); ++i) {
    for (n = 0;; ++n) {
      vmdk_create_options create = create_options(types[i]);
      vmdk_convert_options options = options_for(&create, 3);
      struct collector collector;
      struct watcher watcher;
      vmdk_status status;
      memset(&collector, 0, sizeof(collector));
      watch(&watcher, &options, all, source.model, source.size, source.size);
      watcher.cancel = TOLD_PROGRESS | TOLD_CONTENT;
      watcher.cancel_at = n;
      status = vmdk_convert_to_stream(disk, collect, &collector, &options);
      if (watcher.cancelled) {
        assert_int_equal(status, VMDK_ERR_CANCELLED);
        assert_string_equal(watcher.wrong, "");
        assert_int_equal(watcher.calls_after, 0);
      } else {
        assert_int_equal(status, VMDK_OK);
        assert_watched(&watcher, all);
        assert_int_equal(watcher.output.bytes.size, collector.bytes.size);
        assert_same_bytes(watcher.output.bytes.data, collector.bytes.data, collector.bytes.size);
      }
      watcher_free(&watcher);
      bytes_free(&collector.bytes);
      if (n > 0 && status == VMDK_OK) break;
    }
    assert_true(n > 3);
  }
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

static void what_is_refused(void** state) {
  struct source source = make_source(*state, "monolithicSparse", 300, "D");
  vmdk_disk* disk = source_open(&source);
  struct collector collector;
  vmdk_convert_options options = convert_options();
  size_t i;

  memset(&collector, 0, sizeof(collector));
  for (i = 0; i < destination_count; ++i) {
    vmdk_create_options create = create_options(destinations[i].type);
    if (destinations[i].in_order) continue;
    options.create = &create;
    assert_status(vmdk_convert_to_stream(disk, collect, &collector, &options),
                  VMDK_ERR_INVALID_ARGUMENT);
    assert_contains(vmdk_last_error()->message, "streamOptimized");
  }
  options.create = NULL;
  options.flags = VMDK_CONVERT_REPLACE;
  assert_status(vmdk_convert_to_stream(disk, collect, &collector, &options),
                VMDK_ERR_INVALID_ARGUMENT);
  options.flags = VMDK_CONVERT_FROM_RAW;
  assert_status(vmdk_convert_to_stream(disk, collect, &collector, &options),
                VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert_to_stream(NULL, collect, &collector, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_status(vmdk_convert_to_stream(disk, NULL, NULL, NULL), VMDK_ERR_INVALID_ARGUMENT);
  assert_int_equal(collector.calls, 0);
  assert_ok(vmdk_close(disk));
  source_free(&source);
}

/* ---- Large disks ---- */

/* Bytes that nobody stores: a vmdk_io with one file, made up as it is read. */
struct made_up {
  vmdk_io io;
  uint64_t size;
  unsigned char piece[1 << 20]; /* what all of it is made of */
};

static int made_up_open(void* user, const char* name, uint32_t flags, void** out_file) {
  *out_file = user;
  return strcmp(name, "disk.img") == 0 && flags == 0 ? 0 : ENOENT;
}

static void made_up_close(void* user, void* file) {
  (void)user;
  (void)file;
}

/* The piece again and again, but for the number of the 64 KiB at the beginning of each. */
static void make_up(const struct made_up* file, uint64_t offset, unsigned char* to, size_t size) {
  size_t done = 0, i;

  while (done < size) {
    const uint64_t at = offset + done, within = at % sizeof(file->piece);
    size_t part = sizeof(file->piece) - (size_t)within;
    if (part > size - done) part = size - done;
    memcpy(to + done, file->piece + within, part);
    done += part;
  }
  for (i = (size_t)((65536 - offset % 65536) % 65536); i < size; i += 65536) {
    const uint64_t number = (offset + i) / 65536;
    size_t j;
    for (j = 0; j < 8 && i + j < size; ++j) to[i + j] = (unsigned char)(number >> (8 * j));
  }
}

static int made_up_read(void* user, void* file, uint64_t offset, void* buffer, size_t size) {
  (void)file;
  make_up(user, offset, buffer, size);
  return 0;
}

static int made_up_size(void* user, void* file, uint64_t* out_size) {
  (void)file;
  *out_size = ((const struct made_up*)user)->size;
  return 0;
}

static struct made_up* make_file(uint64_t size) {
  struct made_up* file = allocate(sizeof(*file));
  uint64_t random = 5;
  size_t i;

  memset(&file->io, 0, sizeof(file->io));
  file->io.struct_size = sizeof(file->io);
  file->io.user = file;
  file->io.open = made_up_open;
  file->io.close = made_up_close;
  file->io.read_at = made_up_read;
  file->io.get_size = made_up_size;
  file->size = size;
  for (i = 0; i < sizeof(file->piece); ++i)
    file->piece[i] = (unsigned char)(next_random(&random) >> 33);
  return file;
}

struct compared {
  const struct made_up* file;
  unsigned char* buffer;
  uint64_t next, wrong;
};

static void compare_grain(void* user, uint64_t offset, const unsigned char* bytes, size_t size) {
  struct compared* compared = user;

  make_up(compared->file, offset, compared->buffer, size);
  if (offset != compared->next || memcmp(compared->buffer, bytes, size) != 0) ++compared->wrong;
  compared->next = offset + size;
}

static int compare_raw(void* user, const void* data, size_t size) {
  struct compared* compared = user;
  const unsigned char* bytes = data;

  while (size > 0) {
    const size_t part = size < 65536 ? size : 65536;
    compare_grain(user, compared->next, bytes, part);
    bytes += part;
    size -= part;
  }
  return compared->wrong != 0 ? EILSEQ : 0;
}

/* Checks a stream and hands it on. */
struct check_and_pass {
  struct stream_check check;
  int fd;
};

static int check_and_pass(void* user, const void* data, size_t size) {
  struct check_and_pass* pass = user;
  const unsigned char* bytes = data;

  if (stream_check_feed(&pass->check, data, size) != 0) return EILSEQ;
  while (size > 0) {
    const ssize_t done = write(pass->fd, bytes, size);
    if (done <= 0) return errno;
    bytes += done;
    size -= (size_t)done;
  }
  return 0;
}

static int read_pipe(void* user, void* buffer, size_t size, size_t* out_size) {
  const ssize_t got = read(*(const int*)user, buffer, size);

  if (got < 0) return errno;
  *out_size = (size_t)got;
  return 0;
}

static struct compared compared_with(const struct made_up* file) {
  struct compared compared;

  memset(&compared, 0, sizeof(compared));
  compared.file = file;
  compared.buffer = allocate(65536);
  return compared;
}

/* In a process of its own: a stream of the file into the pipe. Gives what to exit with. */
static int send_stream(const struct made_up* file, int fd) {
  vmdk_open_options open = default_options();
  vmdk_convert_options options = convert_options();
  struct compared compared = compared_with(file);
  struct check_and_pass pass;
  vmdk_disk* disk;

  open.flags = VMDK_OPEN_RAW;
  open.io = &file->io;
  options.compression = VMDK_COMPRESSION_STORED;
  options.threads = 1;
  if (vmdk_open("disk.img", &open, &disk) != VMDK_OK) return 1;
  stream_check_begin(&pass.check);
  pass.check.on_grain = compare_grain;
  pass.check.user = &compared;
  pass.fd = fd;
  if (vmdk_convert_to_stream(disk, check_and_pass, &pass, &options) != VMDK_OK) {
    print_error("%s; at byte %" PRIu64 ": %s\n", vmdk_last_error()->message, pass.check.damage_at,
                pass.check.damage);
    return 2;
  }
  if (stream_check_end(&pass.check) != 0 || compared.wrong != 0 || compared.next != file->size)
    return 3;
  return 0;
}

/* More than 4 GiB of data that does not shrink, through a pipe and back. */
static void more_than_4_gib(void** state) {
  struct made_up* file = make_file((SLOW ? 96 : 4400) * MIB + 5 * SECTOR);
  struct compared compared = compared_with(file);
  vmdk_create_options create = create_options(VMDK_TYPE_RAW);
  vmdk_convert_options options = options_for(&create, 1);
  const double begin = now();
  int ends[2], status = -1;
  pid_t child;

  (void)state;
  assert_int_equal(pipe(ends), 0);
  child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)close(ends[0]);
    _exit(send_stream(file, ends[1]));
  }
  (void)close(ends[1]);
  assert_ok(vmdk_convert_stream(read_pipe, ends, compare_raw, &compared, &options));
  assert_true(compared.next == file->size);
  assert_int_equal(compared.wrong, 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  (void)close(ends[0]);
  free(compared.buffer);
  free(file);
  print_message("%.1f s\n", now() - begin);
}

/* ---- Sparse ones ---- */

struct counted {
  uint64_t bytes;
};

static int count_bytes(void* user, const void* data, size_t size) {
  (void)data;
  ((struct counted*)user)->bytes += size;
  return 0;
}

/* A disk of one page each so many bytes. */
static const char* put_sparse(struct folder* folder, uint64_t size, uint64_t step) {
  vmdk_create_options create = create_options(VMDK_TYPE_MONOLITHIC_SPARSE);
  vmdk_open_options open = default_options();
  const char* path = path_in(folder, "sparse.vmdk");
  unsigned char page[4096];
  vmdk_disk* disk;
  uint64_t at;

  create.capacity = size;
  assert_ok(vmdk_create(path, &create));
  open.flags = VMDK_OPEN_WRITE;
  disk = open_disk(path, &open);
  for (at = 0; at < size; at += step) {
    pattern_fill(5, at, page, sizeof(page));
    assert_ok(vmdk_write_at(disk, page, sizeof(page), at));
  }
  pattern_fill(5, size - 512, page, 512);
  assert_ok(vmdk_write_at(disk, page, 512, size - 512));
  assert_ok(vmdk_close(disk));
  return path;
}

static void little_data_in_2_tib(void** state) {
  static const uint32_t types[] = {VMDK_TYPE_RAW, VMDK_TYPE_MONOLITHIC_SPARSE,
                                   VMDK_TYPE_STREAM_OPTIMIZED, VMDK_TYPE_SPLIT_SPARSE};
  const uint64_t size = 2 * TIB - 512;
  const char* path = put_sparse(*state, size, 40 * 1024 * MIB);
  vmdk_disk* disk = open_disk(path, NULL);
  size_t i;

  for (i = 0; i < COUNT(types); ++i) {
    vmdk_create_options create = create_options(types[i]);
    vmdk_convert_options options = options_for(&create, 2);
    vmdk_open_options open = default_options();
    const char* to = text_in(*state, "%s/%u.out", folder_path(*state), (unsigned)i);
    const double begin = now();
    vmdk_disk* made;
    unsigned char page[4096], wanted[4096];
    uint64_t at;

    if (types[i] == VMDK_TYPE_SPLIT_SPARSE) create.split_bytes = 64 * 1024 * MIB;
    assert_ok(vmdk_convert(disk, to, &options));
    if (now() - begin > (SLOW ? 60 : 5)) fail_msg("%.1f s", now() - begin);
    if (types[i] == VMDK_TYPE_RAW) open.flags = VMDK_OPEN_RAW;
    made = open_disk(to, &open);
    assert_true(info_of(made, 0).capacity == size);
    assert_true(info_of(made, 0).stored_bytes < 64 * MIB);
    for (at = 0; at < size; at += 40 * 1024 * MIB) {
      assert_ok(vmdk_read_at(made, page, sizeof(page), at));
      pattern_fill(5, at, wanted, sizeof(wanted));
      assert_same_bytes(page, wanted, sizeof(page));
    }
    assert_ok(vmdk_close(made));
    /* And back from there. */
    made = open_disk(to, &open);
    create = create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    {
      struct stream_check check;
      stream_check_begin(&check);
      assert_ok(vmdk_convert_to_stream(made, check_sink, &check, &options));
      assert_good(&check);
      assert_int_equal(check.grains, (size + 40 * 1024 * MIB - 1) / (40 * 1024 * MIB) + 1);
      stream_check_free(&check);
    }
    if (now() - begin > (SLOW ? 120 : 10)) fail_msg("%.1f s", now() - begin);
    assert_ok(vmdk_close(made));
  }
  assert_ok(vmdk_close(disk));
}

/* ---- Memory ---- */

/* The most memory that this process ever had, in KiB. */
static long most_memory(void) {
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  long value = -1;

  assert_non_null(file);
  while (fgets(line, sizeof(line), file) != NULL)
    if (strncmp(line, "VmHWM:", 6) == 0) value = strtol(line + 6, NULL, 10);
  (void)fclose(file);
  assert_true(value > 0);
  return value;
}

/* This program in a process of its own: PATH FLAGS TYPE THREADS [TO]. PATH "disk.img" is made up;
 * without TO it goes to a function. Exits with 0 if that took no more memory than is promised. */
static int convert_within(char** words) {
  struct made_up* file = make_file(200 * MIB);
  const unsigned threads = (unsigned)strtoul(words[3], NULL, 10);
  vmdk_create_options create = create_options((uint32_t)strtoul(words[2], NULL, 10));
  vmdk_convert_options options = options_for(&create, threads);
  vmdk_open_options open = default_options();
  struct counted counted = {0};
  long before, grown;
  vmdk_disk* disk;
  vmdk_status status;

  open.flags = (uint32_t)strtoul(words[1], NULL, 10);
  if (strcmp(words[0], "disk.img") == 0) open.io = &file->io;
  before = most_memory();
  if (vmdk_open(words[0], &open, &disk) != VMDK_OK) return 1;
  status = words[4] != NULL ? vmdk_convert(disk, words[4], &options)
                            : vmdk_convert_to_stream(disk, count_bytes, &counted, &options);
  grown = most_memory() - before;
  if (status != VMDK_OK) {
    print_error("%s\n", vmdk_last_error()->message);
    return 2;
  }
  print_message("%s to %s, %u threads: %ld KiB\n", words[0], words[2], threads, grown);
  free(file);
  if (grown > 64 * 1024 + 2 * 1024 * (long)threads && !SLOW) return 3;
  return vmdk_close(disk) != VMDK_OK;
}

static void memory_is_bounded(void** state) {
  static const unsigned threads[] = {1, 16};
  const struct {
    const char* path;
    uint32_t flags, type;
    int to_file;
  } cases[] = {
      {put_sparse(*state, 62 * TIB, 200 * 1024 * MIB), 0, VMDK_TYPE_STREAM_OPTIMIZED, 0},
      {path_in(*state, "sparse.vmdk"), 0, VMDK_TYPE_MONOLITHIC_SPARSE, 1},
      {"disk.img", VMDK_OPEN_RAW, VMDK_TYPE_STREAM_OPTIMIZED, 0},
      {"disk.img", VMDK_OPEN_RAW, VMDK_TYPE_RAW, 0},
      {put_holes(*state, "holes.img", 8 * TIB, NULL, 0), VMDK_OPEN_RAW, VMDK_TYPE_RAW, 1},
  };
  size_t i, j;
  int wrong = 0;

  for (i = 0; i < COUNT(cases); ++i) {
    for (j = 0; j < COUNT(threads); ++j) {
      const char* to =
          cases[i].to_file ? text_in(*state, "%s/%zu-%zu", folder_path(*state), i, j) : NULL;
      const char* flags = text_in(*state, "%u", (unsigned)cases[i].flags);
      const char* type = text_in(*state, "%u", (unsigned)cases[i].type);
      const char* count = text_in(*state, "%u", threads[j]);
      int status = -1;
      pid_t child;
      if (cases[i].path == NULL || (i + j) % sampling() != 0) continue;
      child = fork();
      assert_true(child >= 0);
      if (child == 0) {
        (void)execl("/proc/self/exe", "610", cases[i].path, flags, type, count, to, (char*)NULL);
        _exit(99);
      }
      assert_int_equal(waitpid(child, &status, 0), child);
      if (status != 0) {
        print_error("case %zu with %u threads: %d\n", i, threads[j], WEXITSTATUS(status));
        ++wrong;
      }
      if (to != NULL) (void)unlink(to);
    }
  }
  assert_int_equal(wrong, 0);
}

/* ---- The same bytes ---- */

static void the_same_bytes_on_all_threads(void** state) {
  static const unsigned threads[] = {1, 2, 3, 4, 8, 16};
  struct made_up* file = make_file(9 * MIB + 7 * SECTOR);
  vmdk_open_options open = default_options();
  struct collector first;
  vmdk_disk* disk;
  size_t i, j;

  (void)state;
  for (i = 0; i < sizeof(file->piece); ++i)
    if (i / 65536 % 3 != 0) file->piece[i] = (unsigned char)(file->piece[i] & (i >> 12 & 0x1f));
  open.flags = VMDK_OPEN_RAW;
  open.io = &file->io;
  disk = open_disk("disk.img", &open);
  for (j = 1; j <= 9; j += 4) {
    memset(&first, 0, sizeof(first));
    for (i = 0; i < COUNT(threads); ++i) {
      vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
      vmdk_convert_options options = options_for(&create, threads[i]);
      struct collector collector;
      memset(&collector, 0, sizeof(collector));
      options.compression = (uint32_t)j;
      assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
      if (i == 0) {
        first = collector;
        continue;
      }
      assert_int_equal(collector.bytes.size, first.bytes.size);
      assert_same_bytes(collector.bytes.data, first.bytes.data, first.bytes.size);
      bytes_free(&collector.bytes);
    }
    bytes_free(&first.bytes);
  }
  assert_ok(vmdk_close(disk));
  free(file);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_layout, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(stored_zeros, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(every_data, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(exact_text, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(many_keys, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(sinks_that_fail, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(what_is_told, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(what_is_refused, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(little_data_in_2_tib, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(memory_is_bounded, folder_setup, folder_teardown),
      cmocka_unit_test(more_than_4_gib),
      cmocka_unit_test(the_same_bytes_on_all_threads),
  };

  if (argc > 4) return convert_within(argv + 1);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
