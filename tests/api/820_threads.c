/* SPDX-License-Identifier: MIT */
/* Many threads on one disk; worth running under ThreadSanitizer. */
#define _XOPEN_SOURCE 700
#include <pthread.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"
#include "support/messages.h"

#define THREADS 8
#define SECTORS 6001
#define SIZE ((uint64_t)SECTORS * 512)

static const char grains[] = "DD0.EDE..D00DDDD.E.D0DEDED.D.DDDDDDDDDEEDDDDDDD";

/* What a thread does and what it found. Assertions are for the main thread. */
struct worker {
  pthread_t thread;
  vmdk_disk* disk;
  const unsigned char* model;
  uint64_t size, seed;
  int rounds, task;
  size_t most;
  int in_order;
  const vmdk_info* info;
  const char* text;
  /* results */
  long failures, differences;
  char message[768];
};

static void failed(struct worker* worker) {
  if (worker->failures++ == 0)
    (void)snprintf(worker->message, sizeof(worker->message), "%s", vmdk_last_error()->message);
}

static void read_some(struct worker* w, unsigned char* buffer, uint64_t* state,
                      uint64_t* position) {
  uint64_t offset = w->in_order ? *position % w->size : next_random(state) % w->size;
  uint64_t left = w->size - offset;
  size_t size = 1 + (size_t)(next_random(state) % (left < w->most ? left : w->most));

  *position = offset + size;
  if (vmdk_read_at(w->disk, buffer, size, offset) != VMDK_OK)
    failed(w);
  else if (memcmp(buffer, w->model + offset, size) != 0)
    ++w->differences;
}

/* Zeros are where the map says so. */
static void map_some(struct worker* w, uint64_t* state) {
  uint64_t offset = next_random(state) % w->size, i;
  vmdk_run run;

  memset(&run, 0, sizeof(run));
  run.struct_size = sizeof(run);
  if (vmdk_map_at(w->disk, offset, w->size - offset, &run) != VMDK_OK) {
    failed(w);
    return;
  }
  if (run.offset != offset || run.size == 0 || run.size > w->size - offset) ++w->differences;
  for (i = 0; i < run.size && i < 512 && run.kind != VMDK_RUN_DATA; ++i)
    if (w->model[offset + i] != 0) {
      ++w->differences;
      return;
    }
}

static void ask_some(struct worker* w) {
  char buffer[4096];
  size_t size = 0;
  vmdk_info info;
  vmdk_extent_info extent;

  memset(&info, 0, sizeof(info));
  info.struct_size = sizeof(info);
  memset(&extent, 0, sizeof(extent));
  extent.struct_size = sizeof(extent);
  if (vmdk_get_info(w->disk, &info) != VMDK_OK)
    failed(w);
  else if (memcmp(&info, w->info, sizeof(info)) != 0)
    ++w->differences;
  if (vmdk_get_extent(w->disk, 0, 0, &extent) != VMDK_OK) failed(w);
  if (vmdk_get_text(w->disk, 0, "@descriptor", buffer, sizeof(buffer), &size) != VMDK_OK)
    failed(w);
  else if (strcmp(buffer, w->text) != 0)
    ++w->differences;
  if (vmdk_get_key(w->disk, 0, 0, buffer, sizeof(buffer), &size) != VMDK_OK) failed(w);
  /* Failures of one thread are not seen by another. */
  if (vmdk_get_text(w->disk, 0, "no such key", buffer, sizeof(buffer), &size) !=
          VMDK_ERR_NOT_FOUND ||
      vmdk_last_error()->status != VMDK_ERR_NOT_FOUND)
    ++w->differences;
  if (vmdk_read_at(w->disk, buffer, 1, w->size) != VMDK_ERR_OUT_OF_RANGE ||
      vmdk_last_error()->status != VMDK_ERR_OUT_OF_RANGE)
    ++w->differences;
}

static void* work(void* argument) {
  struct worker* w = argument;
  unsigned char* buffer = allocate(w->most);
  uint64_t state = w->seed * 2 + 1, position = w->seed * 100000;
  int i;

  for (i = 0; i < w->rounds; ++i) {
    if (w->task == 0) read_some(w, buffer, &state, &position);
    if (w->task == 1) map_some(w, &state);
    if (w->task == 2) ask_some(w);
  }
  free(buffer);
  return NULL;
}

/* Eight threads: most read, and where `mixed` some map and some ask. */
static void run_threads(vmdk_disk* disk, const unsigned char* model, uint64_t size, size_t most,
                        int rounds, int mixed) {
  struct worker workers[THREADS];
  vmdk_info info = info_of(disk, 0);
  struct bytes text = bytes_text(text_of(disk, 0, "@descriptor"));
  int i;

  bytes_resize(&text, text.size + 1);
  memset(workers, 0, sizeof(workers));
  for (i = 0; i < THREADS; ++i) {
    struct worker* w = &workers[i];
    w->disk = disk;
    w->model = model;
    w->size = size;
    w->seed = (uint64_t)i + 1;
    w->rounds = rounds;
    w->most = most;
    w->task = mixed && i >= 4 ? (i >= 6 ? 2 : 1) : 0;
    w->in_order = i % 2;
    w->info = &info;
    w->text = (const char*)text.data;
    assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
  }
  for (i = 0; i < THREADS; ++i) assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
  for (i = 0; i < THREADS; ++i) {
    if (workers[i].failures != 0) print_error("thread %d: %s\n", i, workers[i].message);
    assert_int_equal(workers[i].failures, 0);
    assert_int_equal(workers[i].differences, 0);
  }
  bytes_free(&text);
}

/* With caches of the usual size and with ones that hardly hold anything, inflating on one thread
 * and on four. */
static void run_all(const char* path, const unsigned char* model, uint64_t size) {
  static const struct {
    uint32_t threads;
    uint64_t cache_bytes, table_bytes;
    uint32_t open_files;
  } cases[] = {{1, 0, 0, 0}, {4, 0, 0, 0}, {1, 1, 1, 8}, {4, 200000, 1, 8}};
  size_t i;

  for (i = 0; i < COUNT(cases); ++i) {
    vmdk_open_options options = default_options();
    vmdk_limits limits = default_limits();
    vmdk_disk* disk;
    options.threads = cases[i].threads;
    options.cache_bytes = cases[i].cache_bytes;
    limits.max_table_bytes = cases[i].table_bytes;
    limits.max_open_files = cases[i].open_files;
    options.limits = &limits;
    disk = open_disk(path, &options);
    run_threads(disk, model, size, 200000, 60, 0);
    run_threads(disk, model, size, 3000, 150, 1);
    assert_ok(vmdk_close(disk));
  }
}

static const char* put_one(struct folder* folder, const char* line, struct bytes data) {
  struct descriptor text = {0};

  text.extents = text_in(folder, line, SECTORS);
  (void)put_file(folder, "data", data);
  return put_file(folder, "disk.vmdk", descriptor_bytes(&text));
}

static struct sparse a_sparse(uint32_t grain_sectors, uint32_t seed) {
  struct sparse sparse = {0};

  sparse.sectors = SECTORS;
  sparse.grain_sectors = grain_sectors;
  sparse.gtes = 16;
  sparse.grains = grains;
  sparse.seed = seed;
  return sparse;
}

static unsigned char* model_of(const struct sparse* sparse) {
  unsigned char* model = allocate(SIZE);

  memset(model, 0, SIZE);
  model_put(model, SIZE, sparse);
  return model;
}

static void flat(void** state) {
  unsigned char* model = allocate(SIZE);

  pattern_fill(1, 0, model, SIZE);
  run_all(put_one(*state, "RW %d FLAT \"data\" 0\n", pattern_bytes(1, 0, SIZE)), model, SIZE);
  free(model);
}

static void hosted(void** state) {
  struct sparse sparse = a_sparse(128, 2);
  unsigned char* model = model_of(&sparse);

  run_all(put_one(*state, "RW %d SPARSE \"data\"\n", hosted_bytes(&sparse, NULL)), model, SIZE);
  free(model);
}

static void stream(void** state) {
  struct sparse sparse = a_sparse(128, 3);
  unsigned char* model = model_of(&sparse);

  run_all(put_one(*state, "RW %d SPARSE \"data\"\n", stream_bytes(&sparse, NULL)), model, SIZE);
  free(model);
}

static void cowd(void** state) {
  struct sparse sparse = a_sparse(64, 4);
  unsigned char* model = model_of(&sparse);

  run_all(put_one(*state, "RW %d VMFSSPARSE \"data\"\n", cowd_bytes(&sparse, NULL)), model, SIZE);
  free(model);
}

static void se_sparse(void** state) {
  struct sparse sparse = a_sparse(8, 5);
  unsigned char* model = model_of(&sparse);

  run_all(put_one(*state, "RW %d SESPARSE \"data\"\n", se_bytes(&sparse)), model, SIZE);
  free(model);
}

/* Many small extents, more than may be open at once. */
static void split(void** state) {
  enum { PARTS = 60 };
  const uint64_t size = (uint64_t)PARTS * 100 * 512;
  unsigned char* model = allocate((size_t)size);
  struct descriptor text = {0};
  const char* lines = "";
  int i;

  memset(model, 0, (size_t)size);
  for (i = 0; i < PARTS; ++i) {
    struct sparse part = {0};
    const char* name = text_in(*state, "part%d", i);
    part.sectors = 100;
    part.grain_sectors = 16;
    part.grains = i % 3 == 0 ? "D.D0ED" : "DDDDDDD";
    part.seed = 6;
    part.disk_offset = (uint64_t)i * 100 * 512;
    if (i % 4 == 0)
      pattern_fill(6, part.disk_offset, model + part.disk_offset, 100 * 512);
    else
      model_put(model, size, &part);
    (void)put_file(*state, name,
                   i % 4 == 0   ? pattern_bytes(6, part.disk_offset, 100 * 512)
                   : i % 4 == 1 ? stream_bytes(&part, NULL)
                                : hosted_bytes(&part, NULL));
    lines = text_in(*state, "%sRW 100 %s \"%s\"%s\n", lines, i % 4 == 0 ? "FLAT" : "SPARSE", name,
                    i % 4 == 0 ? " 0" : "");
  }
  text.extents = lines;
  run_all(put_file(*state, "disk.vmdk", descriptor_bytes(&text)), model, size);
  free(model);
}

static void chain(void** state) {
  unsigned char* model = allocate(SIZE);
  int link;

  pattern_fill(10, 0, model, SIZE);
  (void)put_file(*state, "10", pattern_bytes(10, 0, SIZE));
  for (link = 10; link >= 0; --link) {
    struct descriptor text = {0};
    struct sparse sparse = a_sparse(link % 2 == 0 ? 128 : 64, (uint32_t)link);
    char letters[64];
    size_t i;
    for (i = 0; i + 1 < sizeof(letters); ++i)
      letters[i] = i % 11 == (size_t)link ? 'D' : i % 31 == (size_t)link ? '0' : '.';
    letters[i] = 0;
    sparse.grains = letters;
    text.cid = 0x100 + (uint32_t)link;
    text.parent = link < 10 ? 0x101 + (uint32_t)link : 0;
    text.hint = link < 10 ? text_in(*state, "%d.vmdk", link + 1) : NULL;
    text.extents = text_in(*state, link < 10 ? "RW %d SPARSE \"%d\"\n" : "RW %d FLAT \"%d\" 0\n",
                           SECTORS, link);
    if (link < 10) {
      model_put(model, SIZE, &sparse);
      (void)put_file(*state, text_in(*state, "%d", link),
                     link % 3 == 0 ? stream_bytes(&sparse, NULL) : hosted_bytes(&sparse, NULL));
    }
    (void)put_file(*state, text_in(*state, "%d.vmdk", link), descriptor_bytes(&text));
  }
  run_all(path_in(*state, "0.vmdk"), model, SIZE);
  free(model);
}

/* Tables that are larger than the cache for them. */
static void evicted_tables(void** state) {
  const uint64_t sectors = 150000, size = sectors * 512;
  unsigned char* model = allocate((size_t)size);
  char* letters = allocate((size_t)sectors + 1);
  struct descriptor text = {0};
  struct sparse sparse = {0};
  vmdk_open_options options = default_options();
  vmdk_limits limits = default_limits();
  vmdk_disk* disk;
  uint64_t i;

  for (i = 0; i < sectors; ++i) letters[i] = i % 5 == 0 ? 'D' : i % 7 == 0 ? '0' : '.';
  letters[sectors] = 0;
  text.type = "monolithicSparse";
  text.extents = "RW 150000 SPARSE \"disk.vmdk\"\n";
  sparse.sectors = sectors;
  sparse.grain_sectors = 1;
  sparse.grains = letters;
  sparse.seed = 7;
  sparse.descriptor = &text;
  memset(model, 0, (size_t)size);
  model_put(model, size, &sparse);
  limits.max_table_bytes = 1;
  options.limits = &limits;
  disk = open_disk(put_file(*state, "disk.vmdk", hosted_bytes(&sparse, NULL)), &options);
  run_threads(disk, model, size, 2000, 1500, 1);
  assert_ok(vmdk_close(disk));
  free(model);
  free(letters);
}

/* A damaged disk gives the same error to all, and messages come one at a time. */
static void* read_damage(void* argument) {
  struct worker* w = argument;
  unsigned char byte;
  int i;

  for (i = 0; i < w->rounds; ++i) {
    uint64_t grain = (uint64_t)i % 32, offset = grain * 65536 + w->seed;
    vmdk_status status = vmdk_read_at(w->disk, &byte, 1, offset);
    if (status != VMDK_OK)
      failed(w);
    else if (byte != w->model[offset])
      ++w->differences;
  }
  return NULL;
}

static void recovering(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct bytes file;
  struct messages messages;
  struct worker workers[THREADS];
  vmdk_open_options options = default_options();
  unsigned char* model = allocate(2 * MIB);
  vmdk_disk* disk;
  uint32_t i;

  text.type = "monolithicSparse";
  text.extents = "RW 4096 SPARSE \"disk.vmdk\"\n";
  sparse.sectors = 4096;
  sparse.gtes = 128;
  sparse.grains = "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD";
  sparse.seed = 8;
  sparse.descriptor = &text;
  memset(model, 0, 2 * MIB);
  model_put(model, 2 * MIB, &sparse);
  file = hosted_bytes(&sparse, &layout);
  for (i = 0; i < 16; ++i) bytes_set32(&file, (size_t)layout.tables + 8 * i, 0x70000000 + i);
  messages_init(&messages);
  messages_attach(&messages, &options);
  options.flags = VMDK_OPEN_RECOVER;
  disk = open_disk(put_file(*state, "disk.vmdk", file), &options);
  memset(workers, 0, sizeof(workers));
  for (i = 0; i < THREADS; ++i) {
    workers[i].disk = disk;
    workers[i].model = model;
    workers[i].rounds = 320;
    workers[i].seed = i;
    assert_int_equal(pthread_create(&workers[i].thread, NULL, read_damage, &workers[i]), 0);
  }
  for (i = 0; i < THREADS; ++i) assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
  for (i = 0; i < THREADS; ++i) {
    assert_int_equal(workers[i].failures, 0);
    assert_int_equal(workers[i].differences, 0);
  }
  assert_true(messages.warnings >= 1);
  assert_int_equal(messages.overlapped, 0);
  assert_int_equal(messages.unclean, 0);
  assert_true(info_of(disk, 0).recovered_tables >= 1);
  assert_ok(vmdk_close(disk));
  messages_free(&messages);
  free(model);
}

/* Disks are independent: each thread opens, reads and closes its own. */
struct opener {
  pthread_t thread;
  const char* path;
  long failures;
};

static void* open_and_close(void* argument) {
  struct opener* opener = argument;
  int i;

  for (i = 0; i < 40; ++i) {
    vmdk_open_options options = default_options();
    vmdk_disk* disk;
    unsigned char byte;
    options.threads = i % 4 == 0 ? 4 : 1;
    if (vmdk_open(opener->path, &options, &disk) != VMDK_OK ||
        vmdk_read_at(disk, &byte, 1, 70000) != VMDK_OK || byte != pattern(9, 70000) ||
        vmdk_close(disk) != VMDK_OK)
      ++opener->failures;
    if (vmdk_open("/nowhere/at/all", NULL, &disk) != VMDK_ERR_NOT_FOUND || disk != NULL)
      ++opener->failures;
  }
  return NULL;
}

static void independent_disks(void** state) {
  struct sparse sparse = a_sparse(128, 9);
  struct opener openers[THREADS];
  const char* path = put_one(*state, "RW %d SPARSE \"data\"\n", stream_bytes(&sparse, NULL));
  int i;

  memset(openers, 0, sizeof(openers));
  for (i = 0; i < THREADS; ++i) {
    openers[i].path = path;
    assert_int_equal(pthread_create(&openers[i].thread, NULL, open_and_close, &openers[i]), 0);
  }
  for (i = 0; i < THREADS; ++i) assert_int_equal(pthread_join(openers[i].thread, NULL), 0);
  for (i = 0; i < THREADS; ++i) assert_int_equal(openers[i].failures, 0);
}

/* Any thread may close a disk, and one that was opened with threads may be closed right after a
 * read. */
static void* close_it(void* disk) {
  (void)vmdk_close(disk);
  return NULL;
}

static void closed_elsewhere(void** state) {
  struct sparse sparse = a_sparse(128, 9);
  const char* path = put_one(*state, "RW %d SPARSE \"data\"\n", stream_bytes(&sparse, NULL));
  unsigned char* buffer = allocate(200000);
  int i;

  for (i = 0; i < 50; ++i) {
    vmdk_open_options options = default_options();
    pthread_t thread;
    vmdk_disk* disk;
    options.threads = 4;
    disk = open_disk(path, &options);
    if (i % 2 == 0) assert_ok(vmdk_read_at(disk, buffer, 200000, 0));
    if (i % 4 == 0) assert_ok(vmdk_read_at(disk, buffer, 200000, 200000));
    assert_int_equal(pthread_create(&thread, NULL, close_it, disk), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
  }
  free(buffer);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(flat),
      TEST(hosted),
      TEST(stream),
      TEST(cowd),
      TEST(se_sparse),
      TEST(split),
      TEST(chain),
      TEST(evicted_tables),
      TEST(recovering),
      TEST(independent_disks),
      TEST(closed_elsewhere),
  };

  (void)alarm(280); /* a deadlock */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
