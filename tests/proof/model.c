/* SPDX-License-Identifier: MIT */
/* Random steps on every kind of disk that can be written, in memory and in local files, against a
 * model of what it holds; qemu-img looks at the files where it is there. VMDK_SEED: the first seed;
 * VMDK_MODEL_SECONDS: for each kind and place. */
#define _POSIX_C_SOURCE 200809L /* clock_gettime, popen */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/workload.h"

static uint64_t seed = 1;
static double seconds = 0.5;
static int with_qemu;
static unsigned long steps_done, looked_at;

static double now(void) {
  struct timespec time;

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int run_command(const char* command) {
  int status = system(command);

  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Kinds that qemu knows: it ignores ZERO extents, and createType "custom". */
static int qemu_knows(const struct kind* kind) { return kind->layers[0] != LAYER_MIXTURE; }

/* qemu-img reads the same, and finds nothing wrong. */
static void ask_qemu(struct run* run) {
  const struct run_disk* disk = run->disks + run->current;
  unsigned char *wanted = allocate((size_t)WORKLOAD_CAPACITY), *got;
  char command[4096];
  FILE* pipe;
  size_t size;
  int code;

  (void)snprintf(command, sizeof(command), "qemu-img check -q -f vmdk '%s' >/dev/null 2>&1",
                 disk->name);
  code = run_command(command);
  if (code != 0 && code != 63) /* 63: not for flat disks */
    fail_msg("%s: qemu-img check gives %d", run->made->kind->name, code);
  (void)snprintf(command, sizeof(command),
                 "qemu-img convert -f vmdk -O raw '%s' '%s/out.raw' && cat '%s/out.raw'",
                 disk->name, run->folder, run->folder);
  got = allocate((size_t)WORKLOAD_CAPACITY + 1);
  pipe = popen(command, "r");
  assert_non_null(pipe);
  size = fread(got, 1, (size_t)WORKLOAD_CAPACITY + 1, pipe);
  assert_int_equal(pclose(pipe), 0);
  assert_int_equal(size, WORKLOAD_CAPACITY);
  model_read(&disk->model, 0, WORKLOAD_CAPACITY, wanted);
  assert_same_bytes(wanted, got, (size_t)WORKLOAD_CAPACITY);
  free(wanted);
  free(got);
  ++looked_at;
}

/* Runs follow each other to the end; what is absent reads as zero. */
static void check_map(struct run* run) {
  const struct run_disk* at = run->disks + run->current;
  vmdk_open_options options = workload_options(run_io(run), 0);
  vmdk_disk* disk = open_disk(at->name, &options);
  unsigned char* zeros = calloc(1, (size_t)WORKLOAD_CAPACITY);
  unsigned char* wanted = allocate((size_t)WORKLOAD_CAPACITY);
  uint32_t links = info_of(disk, 0).chain_length;
  uint64_t offset = 0;

  model_read(&at->model, 0, WORKLOAD_CAPACITY, wanted);
  while (offset < WORKLOAD_CAPACITY) {
    vmdk_run part = run_at(disk, offset, WORKLOAD_CAPACITY - offset);
    assert_int_equal(part.offset, offset);
    assert_true(part.size > 0 && part.size <= WORKLOAD_CAPACITY - offset);
    if (part.kind == VMDK_RUN_DATA) {
      vmdk_extent_info extent = extent_of(disk, part.link, part.extent);
      assert_true(part.link < links);
      assert_true(part.file_offset + part.size <= extent.file_bytes);
    } else {
      assert_same_bytes(wanted + offset, zeros, (size_t)part.size);
    }
    offset += part.size;
  }
  free(zeros);
  free(wanted);
  assert_ok(vmdk_close(disk));
}

/* Reads that are not whole sectors, while the disk is open to write. */
static void read_some(struct run* run, uint64_t* random) {
  unsigned char got[10000], wanted[sizeof(got)];
  size_t size = 1 + (size_t)(next_random(random) % sizeof(got));
  uint64_t offset = next_random(random) % (WORKLOAD_CAPACITY - size);

  model_read(&run->disks[run->current].model, offset, size, wanted);
  if (vmdk_read_at(run->disk, got, size, offset) != VMDK_OK)
    (void)snprintf(run->problem, sizeof(run->problem), "cannot be read: %.400s",
                   vmdk_last_error()->message);
  else if (memcmp(got, wanted, size) != 0)
    (void)snprintf(run->problem, sizeof(run->problem), "%zu bytes at %llu differ", size,
                   (unsigned long long)offset);
}

static void run_once(const struct made* made, const char* folder, uint64_t from) {
  uint64_t random = from * UINT64_C(0x9e3779b97f4a7c15) | 1;
  unsigned steps = 20 + (unsigned)(next_random(&random) % 100), i;
  struct run run;

  run_begin(&run, made, folder, 0);
  if (from % 3 == 0) run.io.io.punch = NULL;
  run_open(&run);
  for (i = 0; i < steps && run.problem[0] == 0; ++i) {
    struct step step = random_step(made->kind, &random);
    run_step(&run, &step);
    if (run.problem[0] == 0) read_some(&run, &random);
    ++steps_done;
  }
  run_end(&run);
  if (run.problem[0] != 0) {
    print_error("%s, %s, VMDK_SEED=%llu: %s\n", made->kind->name,
                folder != NULL ? "files" : "memory", (unsigned long long)from, run.problem);
    for (i = 1; i < run.done_count; ++i)
      print_error("  step %u: %s\n", i, step_text(&run.done[i].step));
    fail();
  }
  check_map(&run);
  if (folder != NULL && with_qemu && qemu_knows(made->kind)) ask_qemu(&run);
  run_free(&run);
}

static void test_kind(void** state) {
  const struct kind* kind = *state;
  struct made made;
  uint64_t at;
  double begin;

  assert_int_equal(make_kind(kind, &made), 0);
  begin = now();
  for (at = seed; at == seed || now() - begin < seconds; ++at) run_once(&made, NULL, at);
  begin = now();
  for (at = seed; at == seed || now() - begin < seconds; ++at) {
    void* folder = NULL;
    (void)folder_setup(&folder);
    store_to_folder(&made.store, folder_path(folder));
    run_once(&made, folder_path(folder), at);
    (void)folder_teardown(&folder);
  }
  made_free(&made);
}

/* What is not zero cannot be written to a ZERO extent, and nothing of it is. */
static void test_zero_extent(void** state) {
  const struct kind* kind = kinds;
  const uint64_t begin = 3072 * UINT64_C(512);
  unsigned char data[2048], got[2048];
  struct made made;
  struct run run;

  (void)state;
  while (kind->layers[0] != LAYER_MIXTURE) ++kind;
  assert_true(kind_is_read_only(kind, begin, 1));
  assert_false(kind_is_read_only(kind, 0, begin));
  assert_int_equal(make_kind(kind, &made), 0);
  run_begin(&run, &made, NULL, 0);
  run_open(&run);
  assert_string_equal(run.problem, "");
  memset(data, 7, sizeof(data));
  assert_status(vmdk_write_at(run.disk, data, sizeof(data), begin - 1024), VMDK_ERR_READ_ONLY);
  assert_ok(vmdk_read_at(run.disk, got, sizeof(got), begin - 1024));
  memset(data, 0, sizeof(data));
  assert_same_bytes(got, data, sizeof(data));
  assert_ok(vmdk_write_at(run.disk, data, sizeof(data), begin - 1024));
  assert_ok(vmdk_zero_at(run.disk, 2048, begin - 1024));
  assert_ok(vmdk_discard_at(run.disk, 2048, begin - 1024));
  run_end(&run);
  assert_string_equal(run.problem, "");
  run_free(&run);
  made_free(&made);
}

/* More tables change than are kept in memory: they are saved before a flush, and in order. */
static void test_many_tables(void** state) {
  const uint64_t step = 512 * KIB, count = 4500; /* one sector of a table each */
  vmdk_create_options create;
  vmdk_open_options options;
  struct recording_io io;
  struct store before, durable;
  struct raw_result raw;
  unsigned char data[512], got[512];
  uint64_t i, there = 0;
  vmdk_disk* disk;

  (void)state;
  recording_io_init(&io);
  options = workload_options(&io.io, VMDK_OPEN_WRITE);
  memset(&create, 0, sizeof(create));
  create.struct_size = sizeof(create);
  create.capacity = count * step;
  create.grain_bytes = WORKLOAD_UNIT;
  create.io = &io.io;
  assert_ok(vmdk_create("large.vmdk", &create));
  store_clone(&io.store, &before);
  io.recording = 1;
  disk = open_disk("large.vmdk", &options);
  for (i = 0; i < count; ++i) {
    uint64_t offset = (i * 2741 % count) * step;
    memset(data, (int)(1 + offset / step % 255), sizeof(data));
    assert_ok(vmdk_write_at(disk, data, sizeof(data), offset));
  }
  recording_rebuild(&before, &io.log, io.log.count, 1, &durable);
  assert_ok(vmdk_close(disk));
  raw_check(&io.io, "large.vmdk", 0, &raw);
  assert_true(raw_is_clean(&raw, NULL, (char*)data, sizeof(data)));
  store_free(&io.store);
  store_clone(&durable, &io.store);
  raw_check(&io.io, "large.vmdk", 0, &raw);
  assert_string_equal(raw.damage, "");
  options.flags = 0;
  disk = open_disk("large.vmdk", &options);
  for (i = 0; i < count; ++i) {
    assert_ok(vmdk_read_at(disk, got, sizeof(got), i * step));
    memset(data, got[0] == 0 ? 0 : (int)(1 + i % 255), sizeof(data));
    assert_same_bytes(got, data, sizeof(got));
    there += got[0] != 0 ? 1u : 0u;
  }
  assert_true(there > 4000);
  assert_ok(vmdk_close(disk));
  store_free(&before);
  store_free(&durable);
  recording_io_free(&io);
}

int main(int argc, char** argv) {
  struct CMUnitTest tests[MOST_KIND_TESTS + 2];
  size_t count;
  int failed;

  if (getenv("VMDK_SEED") != NULL) seed = strtoull(getenv("VMDK_SEED"), NULL, 10);
  if (getenv("VMDK_MODEL_SECONDS") != NULL) seconds = strtod(getenv("VMDK_MODEL_SECONDS"), NULL);
  with_qemu = run_command("qemu-img --version >/dev/null 2>&1") == 0;
  print_message("VMDK_SEED=%llu%s\n", (unsigned long long)seed,
                with_qemu ? "" : "; skipped: qemu-img is not installed");
  memset(tests, 0, sizeof(tests));
  count = add_kind_tests(tests, test_kind, argc > 1 ? argv[1] : NULL);
  tests[count].name = "a ZERO extent";
  tests[count++].test_func = test_zero_extent;
  tests[count].name = "many tables";
  tests[count++].test_func = test_many_tables;
  failed = _cmocka_run_group_tests("model", tests, count, NULL, NULL);
  print_message("figure: %lu steps beside a model, %lu disks looked at by qemu-img\n", steps_done,
                looked_at);
  return failed;
}
