/* SPDX-License-Identifier: MIT */
/* Converting over files in memory: one call of the vmdk_io after the other fails, and what is left
 * by a crash at any moment. There is the whole disk, or there is none. */
#include <errno.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"
#include "support/recording_io.h"

#define SECTORS UINT64_C(1605)
#define SIZE ((size_t)SECTORS * 512)
#define GRAINS "D.0DDDD...D.DD"

static const struct {
  const char* name;
  unsigned calls;
  int once, with, half;
} faults[] = {
    {"EIO, once", CALL_ANY & ~CALL_REMOVE, 1, EIO, 0},
    {"EIO, from then on", CALL_ANY & ~CALL_REMOVE, 0, EIO, 0},
    {"ENOSPC, once", CALL_CHANGES & ~CALL_REMOVE & ~CALL_SYNC, 1, ENOSPC, 0},
    {"ENOSPC in the middle of a write, from then on", CALL_WRITE | CALL_SET_SIZE, 0, ENOSPC, 1},
    {"EIO of a sync", CALL_SYNC, 1, EIO, 0},
};

/* The source, in memory, too. */
static struct store sources;
static unsigned char model[SIZE];

static void put_source(void) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct bytes all = {NULL, 0};

  sparse.sectors = SECTORS;
  sparse.grains = GRAINS;
  sparse.seed = 1;
  model_put(model, SIZE, &sparse);
  store_init(&sources);
  text.type = "streamOptimized";
  text.extents = "RW 1605 SPARSE \"stream.vmdk\"\n";
  sparse.descriptor = &text;
  store_put(&sources, "stream.vmdk", stream_bytes(&sparse, NULL));
  text.type = "monolithicSparse";
  text.extents = "RW 1605 SPARSE \"sparse.vmdk\"\n";
  store_put(&sources, "sparse.vmdk", hosted_bytes(&sparse, NULL));
  bytes_append(&all, model, SIZE);
  store_put(&sources, "raw.img", all);
}

static const struct way {
  const char* source;
  int streamed, raw, sized;
} ways[] = {
    {"stream.vmdk", 0, 0, 0}, {"sparse.vmdk", 0, 0, 0}, {"raw.img", 0, 1, 0},
    {"stream.vmdk", 1, 0, 0}, {"raw.img", 1, 1, 1},     {"raw.img", 1, 1, 0},
};

/* One conversion by this way over these files. */
static vmdk_status convert(struct recording_io* io, const struct way* way,
                           const struct destination* to, unsigned threads, uint32_t flags) {
  vmdk_create_options create = fixed_create_options(to->type);
  vmdk_convert_options options = options_for(&create, threads);
  vmdk_open_options open = default_options();
  vmdk_status status;
  vmdk_disk* disk;

  create.io = &io->io;
  create.split_bytes = strstr(to->name, "twoGb") != NULL ? 262144 : 0;
  options.flags = flags;
  if (way->streamed) {
    struct bytes bytes = store_get(&sources, way->source);
    struct feed feed = feed_of(&bytes, 30000);
    if (way->raw) options.flags |= VMDK_CONVERT_FROM_RAW;
    if (way->sized) create.capacity = SIZE;
    status = vmdk_convert_from_stream(feed_next, &feed, "disk.vmdk", &options);
    bytes_free(&bytes);
    return status;
  }
  open.io = &io->io;
  if (way->raw) open.flags = VMDK_OPEN_RAW;
  status = vmdk_open(way->source, &open, &disk);
  if (status != VMDK_OK) return status;
  status = vmdk_convert(disk, "disk.vmdk", &options);
  (void)vmdk_close(disk);
  return status;
}

/* Is the disk there, and is it the whole disk? Gives 0 and says why not. */
static int is_whole(const struct store* store, const struct destination* to, char* why,
                    size_t size) {
  vmdk_open_options open = default_options();
  unsigned char* bytes = allocate(SIZE);
  struct recording_io io;
  vmdk_disk* disk;

  recording_io_init_from(&io, store);
  open.io = &io.io;
  if (to->type == VMDK_TYPE_RAW) open.flags = VMDK_OPEN_RAW;
  why[0] = 0;
  if (vmdk_open("disk.vmdk", &open, &disk) != VMDK_OK) {
    (void)snprintf(why, size, "%s", vmdk_last_error()->message);
  } else {
    if (info_of(disk, 0).capacity != SIZE)
      (void)snprintf(why, size, "another capacity");
    else if (vmdk_read_at(disk, bytes, SIZE, 0) != VMDK_OK)
      (void)snprintf(why, size, "%s", vmdk_last_error()->message);
    else if (memcmp(bytes, model, SIZE) != 0)
      (void)snprintf(why, size, "other content");
    (void)vmdk_close(disk);
  }
  recording_io_free(&io);
  free(bytes);
  return why[0] == 0;
}

static unsigned long injected, states;

/* Gives 0 when nothing was left to fail. */
static int inject(const struct way* way, const struct destination* to, size_t fault, long n,
                  unsigned threads, int with_rename) {
  const size_t before = store_names(&sources);
  struct recording_io io;
  vmdk_status status;
  char why[1024] = "";
  int failed;

  recording_io_init_from(&io, &sources);
  io.recording = 1;
  if (!with_rename) io.io.rename = NULL;
  recording_io_fail(&io, faults[fault].calls, n, faults[fault].once, faults[fault].with);
  io.fail_short = faults[fault].half;
  status = convert(&io, way, to, threads, 0);
  failed = io.failed != 0;
  if (status == VMDK_OK) {
    (void)is_whole(&io.store, to, why, sizeof(why));
  } else if (!failed) {
    (void)snprintf(why, sizeof(why), "%s", vmdk_last_error()->message);
  } else {
    if (status != (faults[fault].with == ENOSPC ? VMDK_ERR_NO_SPACE : VMDK_ERR_IO))
      (void)snprintf(why, sizeof(why), "the failure is reported as \"%s\": %.500s",
                     vmdk_status_string(status), vmdk_last_error()->message);
    else if (store_names(&io.store) != before)
      (void)snprintf(why, sizeof(why), "files are left");
  }
  if (recording_io_open_files(&io) != 0) (void)snprintf(why, sizeof(why), "files are left open");
  if (io.wrong != 0) (void)snprintf(why, sizeof(why), "%ld wrong calls", io.wrong);
  if (why[0] != 0)
    fail_msg("%s%s to %s: %s, call %ld (%u), %u threads: %s", way->source,
             way->streamed ? ", streamed," : "", to->name, faults[fault].name, n, io.failed_call,
             threads, why);
  injected += (unsigned long)failed;
  recording_io_free(&io);
  return failed;
}

static void every_call_fails(void** state) {
  const struct destination* to = *state;
  size_t i, j;
  long n, stride = 1;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  stride = 5;
#endif
  for (i = 0; i < COUNT(ways); ++i) {
    for (j = 0; j < COUNT(faults); ++j) {
      for (n = 1; inject(ways + i, to, j, n, 1, 1); n += stride) continue;
      for (n = 1; inject(ways + i, to, j, n, 3, 1); n += 3 * stride) continue;
      for (n = 1; inject(ways + i, to, j, n, 1, 0); n += 3 * stride) continue;
    }
  }
}

/* After each record of the log only what was synced is there. */
static void crash_at_any_moment(void** state) {
  const struct destination* to = *state;
  size_t i, count;

  for (i = 0; i < COUNT(ways); ++i) {
    int replace;
    for (replace = 0; replace <= to->one_file; ++replace) {
      struct store before;
      struct recording_io io;
      int there = 0;
      store_clone(&sources, &before);
      if (replace) store_put(&before, "disk.vmdk", bytes_text("not to be lost"));
      recording_io_init_from(&io, &before);
      io.recording = 1;
      if (convert(&io, ways + i, to, 2, replace ? VMDK_CONVERT_REPLACE : 0) != VMDK_OK)
        fail_msg("%s", vmdk_last_error()->message);
      for (count = 0; count <= io.log.count; ++count) {
        struct store store;
        char why[1024] = "";
        long file;
        recording_rebuild(&before, &io.log, count, 1, &store);
        ++states;
        file = store_find(&store, "disk.vmdk");
        if (file >= 0 && replace && store_size(&store, file) == 14) {
          unsigned char old[14];
          store_read(&store, file, 0, old, sizeof(old));
          assert_memory_equal(old, "not to be lost", 14);
          assert_false(there);
        } else if (file >= 0) {
          there = 1;
          if (!is_whole(&store, to, why, sizeof(why)))
            fail_msg("%s to %s: after record %zu of %zu: %s", ways[i].source, to->name, count,
                     io.log.count, why);
        } else {
          assert_false(there || replace);
        }
        store_free(&store);
      }
      assert_true(there);
      if (to->one_file) assert_int_equal(store_names(&io.store), store_names(&sources) + 1);
      recording_io_free(&io);
      store_free(&before);
    }
  }
}

int main(int argc, char** argv) {
  struct CMUnitTest tests[64];
  size_t count = 0, i;
  int failed;

  put_source();
  memset(tests, 0, sizeof(tests));
  for (i = 0; i < destination_count; ++i) {
    if (argc > 1 && strcmp(argv[1], destinations[i].name) != 0) continue;
    tests[count].name = destinations[i].name;
    tests[count].initial_state = (void*)(uintptr_t)(destinations + i);
    tests[count++].test_func = every_call_fails;
    tests[count].name = destinations[i].name;
    tests[count].initial_state = (void*)(uintptr_t)(destinations + i);
    tests[count++].test_func = crash_at_any_moment;
  }
  failed = _cmocka_run_group_tests("convert", tests, count, NULL, NULL);
  print_message("figure: %lu faults injected, %lu states after a crash\n", injected, states);
  store_free(&sources);
  return failed;
}
