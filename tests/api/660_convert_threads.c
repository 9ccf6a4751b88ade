/* SPDX-License-Identifier: MIT */
/* Conversions beside each other and beside readers, each on several threads, whole ones and such as
 * end early; worth running under ThreadSanitizer. */
#include <errno.h>
#include <pthread.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/image.h"

#define GRAINS "D.0EDD....0DDDDDD.E0DD0DDDDDDDDDDEDD"
#define SECTORS (UINT64_C(40) * 128 + 37)

enum task { TASK_STREAM, TASK_RAW, TASK_FILE, TASK_BACK, TASK_MEASURE, TASK_READ, TASKS };

/* What a thread does and what it found. Assertions are for the main thread. */
struct worker {
  pthread_t thread;
  vmdk_disk* disk;
  const struct source* source;
  const struct bytes* stream; /* that the disk becomes */
  const char* path;
  enum task task;
  int rounds;
  /* results */
  char wrong[1024];
};

static void fails(struct worker* worker, const char* what, vmdk_status status) {
  if (worker->wrong[0] == 0)
    (void)snprintf(worker->wrong, sizeof(worker->wrong), "%s: %s: %s", what,
                   vmdk_status_string(status), status == VMDK_OK ? "" : vmdk_last_error()->message);
}

/* Every third one ends early, by the function that takes the bytes. */
static void to_sink(struct worker* worker, int round, uint32_t type) {
  vmdk_create_options create = fixed_create_options(type);
  vmdk_convert_options options = options_for(&create, 1 + (unsigned)round % 4);
  const struct bytes raw = {worker->source->model, (size_t)worker->source->size};
  const struct bytes* wanted = type == VMDK_TYPE_RAW ? &raw : worker->stream;
  struct collector collector;
  vmdk_status status;

  memset(&collector, 0, sizeof(collector));
  if (round % 3 == 2) collector.fail_at = 2 + round;
  collector.fail_with = EPIPE;
  if (worker->task == TASK_BACK) {
    struct feed feed = feed_of(worker->stream, 20000);
    status = vmdk_convert_stream(feed_next, &feed, collect, &collector, &options);
  } else {
    status = vmdk_convert_to_stream(worker->disk, collect, &collector, &options);
  }
  if (collector.fail_at != 0 && collector.calls >= collector.fail_at) {
    if (status != VMDK_ERR_IO) fails(worker, "a sink that fails", status);
  } else if (status != VMDK_OK) {
    fails(worker, "to a sink", status);
  } else if (collector.bytes.size != wanted->size ||
             memcmp(collector.bytes.data, wanted->data, wanted->size) != 0) {
    fails(worker, "other bytes", status);
  }
  bytes_free(&collector.bytes);
}

/* Every third one is cancelled. */
static void to_file(struct worker* worker, int round) {
  const uint64_t size = worker->source->size;
  vmdk_create_options create =
      create_options(round % 2 == 0 ? VMDK_TYPE_MONOLITHIC_SPARSE : VMDK_TYPE_STREAM_OPTIMIZED);
  vmdk_convert_options options = options_for(&create, 1 + (unsigned)round % 4);
  struct watcher watcher;
  vmdk_status status;

  options.flags = VMDK_CONVERT_REPLACE;
  watch(&watcher, &options, TOLD_PROGRESS | TOLD_CONTENT, worker->source->model, size, size);
  if (round % 3 == 1) watcher.cancel_at = 3;
  watcher.cancel = TOLD_CONTENT;
  status = vmdk_convert(worker->disk, worker->path, &options);
  if (status != (watcher.cancelled ? VMDK_ERR_CANCELLED : VMDK_OK))
    fails(worker, "to a file", status);
  if (watcher.wrong[0] != 0) fails(worker, watcher.wrong, VMDK_OK);
  watcher_free(&watcher);
}

static void measure(struct worker* worker, int round) {
  vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
  vmdk_convert_options options = options_for(&create, 1 + (unsigned)round % 4);
  vmdk_measure_result result;
  vmdk_status status;

  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  options.flags = VMDK_CONVERT_EXACT;
  status = vmdk_measure(worker->disk, &options, &result);
  if (status != VMDK_OK) fails(worker, "measuring", status);
  if (result.needed != worker->stream->size) fails(worker, "another size", status);
}

static void read_some(struct worker* worker, int round) {
  unsigned char buffer[70000];
  uint64_t random = (uint64_t)round + 1;
  int i;

  for (i = 0; i < 20; ++i) {
    const uint64_t at = next_random(&random) % (worker->source->size - sizeof(buffer));
    const vmdk_status status = vmdk_read_at(worker->disk, buffer, sizeof(buffer), at);
    if (status != VMDK_OK || memcmp(buffer, worker->source->model + at, sizeof(buffer)) != 0)
      fails(worker, "reading", status);
  }
}

static void* work(void* argument) {
  struct worker* worker = argument;
  int round;

  for (round = 0; round < worker->rounds; ++round) {
    switch (worker->task) {
      case TASK_STREAM:
        to_sink(worker, round, VMDK_TYPE_STREAM_OPTIMIZED);
        break;
      case TASK_RAW:
      case TASK_BACK:
        to_sink(worker, round, VMDK_TYPE_RAW);
        break;
      case TASK_FILE:
        to_file(worker, round);
        break;
      case TASK_MEASURE:
        measure(worker, round);
        break;
      case TASK_READ:
      case TASKS:
        read_some(worker, round);
        break;
    }
  }
  return NULL;
}

static void beside_each_other(void** state) {
  static const char* const kinds[] = {"monolithicSparse", "streamOptimized", "COWD above vmfs",
                                      "raw"};
  size_t i, j;

  for (i = 0; i < COUNT(kinds); ++i) {
    struct source source = make_source(*state, kinds[i], SECTORS, GRAINS);
    vmdk_create_options create = fixed_create_options(VMDK_TYPE_STREAM_OPTIMIZED);
    vmdk_convert_options options = options_for(&create, 1);
    struct worker workers[TASKS];
    struct collector collector;
    vmdk_disk* disk;

    source.open.threads = 3;
    disk = source_open(&source);
    memset(&collector, 0, sizeof(collector));
    assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
    memset(workers, 0, sizeof(workers));
    for (j = 0; j < TASKS; ++j) {
      workers[j].disk = disk;
      workers[j].source = &source;
      workers[j].stream = &collector.bytes;
      workers[j].path = text_in(*state, "%s/%zu.out", folder_path(*state), j);
      workers[j].task = (enum task)j;
      workers[j].rounds = 8;
      assert_int_equal(pthread_create(&workers[j].thread, NULL, work, workers + j), 0);
    }
    for (j = 0; j < TASKS; ++j) {
      assert_int_equal(pthread_join(workers[j].thread, NULL), 0);
      assert_string_equal(workers[j].wrong, "");
    }
    bytes_free(&collector.bytes);
    assert_ok(vmdk_close(disk));
    source_free(&source);
  }
}

/* Damaged grains, found on any thread, are told in order and on the thread that called. */
static void lost_on_many_threads(void** state) {
  unsigned threads;

  for (threads = 1; threads <= 8; threads *= 2) {
    struct source source = make_source(*state, "streamOptimized", SECTORS, GRAINS);
    struct bytes file = read_file(source.path);
    vmdk_create_options create = create_options(VMDK_TYPE_RAW);
    vmdk_convert_options options = options_for(&create, threads);
    vmdk_disk* disk = source_open(&source);
    struct collector collector;
    struct watcher watcher;
    uint64_t at, lost = 0;

    for (at = 0; at < source.size; at += 65536) {
      const vmdk_run run = run_at(disk, at, 512);
      if (run.kind != VMDK_RUN_DATA || at / 65536 % 3 == 0) continue;
      file.data[run.file_offset + 1000] ^= 1;
      memset(source.model + at, 0, (size_t)(source.size - at < 65536 ? source.size - at : 65536));
      lost += source.size - at < 65536 ? source.size - at : 65536;
    }
    assert_ok(vmdk_close(disk));
    source.path = put_file(*state, "disk.vmdk", file);
    disk = source_open(&source);
    memset(&collector, 0, sizeof(collector));
    watch(&watcher, &options, TOLD_LOST | TOLD_CONTENT, source.model, source.size, source.size);
    assert_ok(vmdk_convert_to_stream(disk, collect, &collector, &options));
    assert_watched(&watcher, TOLD_CONTENT);
    assert_true(watcher.lost_count > 5);
    for (at = 0; at < watcher.lost_count; ++at) lost -= watcher.lost[at].size;
    assert_true(lost == 0);
    watcher_free(&watcher);
    bytes_free(&collector.bytes);
    assert_ok(vmdk_close(disk));
    source_free(&source);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(beside_each_other, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(lost_on_many_threads, folder_setup, folder_teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
