/* SPDX-License-Identifier: MIT */
/* Files that the caller reads: vmdk_io. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "support/archive.h"
#include "support/check.h"
#include "support/image.h"
#include "support/memory_io.h"
#include "support/messages.h"

#define SECTORS 1500
#define SIZE ((uint64_t)SECTORS * 512)

/* A chain: a stream on a split disk of a hosted, a flat and a zero extent, on a flat base, in two
 * directories. */
static void put_chain(struct memory_io* memory, unsigned char* model) {
  struct descriptor text = {0};
  struct sparse sparse = {0};

  memset(model, 0, SIZE);
  pattern_fill(1, 0, model, SIZE);
  memory_put(memory, "vm/base-flat", pattern_bytes(1, 0, SIZE));
  text.cid = 0x10;
  text.extents = "RW 1500 FLAT \"base-flat\" 0\n";
  memory_put(memory, "vm/base.vmdk", descriptor_bytes(&text));

  sparse.sectors = 700;
  sparse.grain_sectors = 64;
  sparse.gtes = 4;
  sparse.grains = "D.0.D..D";
  sparse.seed = 2;
  model_put(model, SIZE, &sparse);
  memory_put(memory, "vm/sub/m1", hosted_bytes(&sparse, NULL));
  pattern_fill(3, 700 * 512, model + 700 * 512, 100 * 512);
  memory_put(memory, "vm/m2", pattern_bytes(3, 700 * 512, 100 * 512));
  memset(model + 800 * 512, 0, 700 * 512);
  text.cid = 0x11;
  text.parent = 0x10;
  text.hint = "base.vmdk";
  text.extents = "RW 700 SPARSE \"sub/m1\"\nRW 100 FLAT \"m2\" 0\nRW 700 ZERO\n";
  memory_put(memory, "vm/middle.vmdk", descriptor_bytes(&text));

  memset(&sparse, 0, sizeof(sparse));
  text.type = "streamOptimized";
  text.cid = 0x12;
  text.parent = 0x11;
  text.hint = "middle.vmdk";
  text.extents = "RW 1500 SPARSE \"top.vmdk\"\n";
  sparse.sectors = SECTORS;
  sparse.grain_sectors = 128;
  sparse.grains = ".D..D0..DE";
  sparse.seed = 4;
  sparse.descriptor = &text;
  model_put(model, SIZE, &sparse);
  memory_put(memory, "vm/top.vmdk", stream_bytes(&sparse, NULL));
}

static void everything_in_memory(void** state) {
  struct memory_io memory;
  vmdk_open_options options = default_options();
  unsigned char* model = allocate(SIZE);
  struct memory_name* name;
  vmdk_disk* disk;

  (void)state;
  memory_init(&memory);
  put_chain(&memory, model);
  options.io = &memory.io;
  disk = open_disk("vm/top.vmdk", &options);
  assert_int_equal(info_of(disk, 0).chain_length, 3);
  assert_string_equal(text_of(disk, 0, "@path"), "vm/top.vmdk");
  assert_string_equal(text_of(disk, 1, "@path"), "vm/middle.vmdk");
  assert_string_equal(text_of(disk, 1, "@extent.0"), "vm/sub/m1");
  assert_string_equal(text_of(disk, 1, "@extent.2"), "");
  assert_content(disk, model, SIZE, 10000);
  assert_random_reads(disk, model, SIZE, 1, 300, 100000);
  assert_int_equal(memory_leaks(&memory), memory.opens - memory.closes);
  assert_ok(vmdk_close(disk));
  assert_int_equal(memory.opens, memory.closes);
  assert_int_equal(memory_leaks(&memory), 0);
  assert_int_equal(memory.wrong, 0);
  /* Each file once, under its name joined with the directory. */
  assert_true(memory_was_asked(&memory, "vm/top.vmdk"));
  assert_true(memory_was_asked(&memory, "vm/middle.vmdk"));
  assert_true(memory_was_asked(&memory, "vm/sub/m1"));
  assert_true(memory_was_asked(&memory, "vm/m2"));
  assert_true(memory_was_asked(&memory, "vm/base.vmdk"));
  assert_true(memory_was_asked(&memory, "vm/base-flat"));
  for (name = memory.names; name != NULL; name = name->next)
    assert_memory_equal(name->name, "vm/", 3);
  memory_free(&memory);
  free(model);
}

static void missing_functions(void** state) {
  struct memory_io memory;
  vmdk_open_options options = default_options();
  unsigned char* model = allocate(SIZE);
  int i;

  (void)state;
  memory_init(&memory);
  put_chain(&memory, model);
  for (i = 0; i < 4; ++i) {
    vmdk_io io = memory.io;
    if (i == 0) io.open = NULL;
    if (i == 1) io.close = NULL;
    if (i == 2) io.read_at = NULL;
    if (i == 3) io.get_size = NULL;
    options.io = &io;
    assert_status(try_open("vm/top.vmdk", &options), VMDK_ERR_INVALID_ARGUMENT);
    assert_int_equal(memory.opens, 0);
  }
  /* What only writing needs may be missing, and is. */
  assert_true(memory.io.write_at == NULL && memory.io.set_size == NULL && memory.io.sync == NULL);
  options.io = &memory.io;
  assert_ok(try_open("vm/top.vmdk", &options));
  assert_int_equal(memory_leaks(&memory), 0);
  memory_free(&memory);
  free(model);
}

/* The structure itself is copied; what its functions get must stay. */
static void the_structure_is_copied(void** state) {
  struct memory_io memory;
  vmdk_open_options options = default_options();
  unsigned char* model = allocate(SIZE);
  vmdk_io io;
  vmdk_disk* disk;

  (void)state;
  memory_init(&memory);
  put_chain(&memory, model);
  io = memory.io;
  options.io = &io;
  disk = open_disk("vm/top.vmdk", &options);
  memset(&io, 0xff, sizeof(io));
  memset(&options, 0xff, sizeof(options));
  assert_content(disk, model, SIZE, 65536);
  assert_ok(vmdk_close(disk));
  memory_free(&memory);
  free(model);
}

static void errors_of_open(void** state) {
  static const struct {
    int os_error;
    vmdk_status status;
  } cases[] = {
      {ENOENT, VMDK_ERR_NOT_FOUND}, {EACCES, VMDK_ERR_ACCESS}, {EPERM, VMDK_ERR_ACCESS},
      {EIO, VMDK_ERR_IO},           {EMFILE, VMDK_ERR_IO},     {ENOMEM, VMDK_ERR_NO_MEMORY},
      {ENOSPC, VMDK_ERR_NO_SPACE},  {12345, VMDK_ERR_IO},
  };
  unsigned char* model = allocate(SIZE);
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); ++i) {
    struct memory_io memory;
    vmdk_open_options options = default_options();
    memory_init(&memory);
    put_chain(&memory, model);
    memory.fail_calls = MEMORY_OPEN;
    memory.fail_at = 1;
    memory.fail_with = cases[i].os_error;
    options.io = &memory.io;
    assert_status(try_open("vm/top.vmdk", &options), cases[i].status);
    assert_int_equal(vmdk_last_error()->os_error, cases[i].os_error);
    assert_contains(vmdk_last_error()->message, "vm/top.vmdk");
    assert_int_equal(memory_leaks(&memory), 0);
    memory_free(&memory);
  }
  free(model);
}

/* Reads everything and maps everything; gives the first failure. */
static vmdk_status use_all(const struct memory_io* memory, uint32_t threads,
                           const unsigned char* model, vmdk_error* error) {
  vmdk_open_options options = default_options();
  unsigned char* buffer = allocate(SIZE);
  vmdk_disk* disk;
  vmdk_status status;
  uint64_t offset;

  options.io = &memory->io;
  options.threads = threads;
  status = vmdk_open("vm/top.vmdk", &options, &disk);
  if (status != VMDK_OK) assert_null(disk);
  for (offset = 0; status == VMDK_OK && offset < SIZE;) {
    vmdk_run run;
    memset(&run, 0, sizeof(run));
    run.struct_size = sizeof(run);
    status = vmdk_map_at(disk, offset, SIZE - offset, &run);
    offset += run.size;
  }
  for (offset = 0; status == VMDK_OK && offset < SIZE; offset += 50000) {
    size_t size = SIZE - offset < 50000 ? (size_t)(SIZE - offset) : 50000;
    status = vmdk_read_at(disk, buffer, size, offset);
    if (status == VMDK_OK) assert_same_bytes(buffer, model + offset, size);
  }
  if (status != VMDK_OK) *error = *vmdk_last_error();
  assert_ok(vmdk_close(disk));
  free(buffer);
  return status;
}

/* The n-th call fails, for every n until a run is not touched. A call that fails once may be made
 * again, or not have mattered: then all that was read is right, which use_all() makes sure of. */
static void fail_everywhere(unsigned calls, int once, uint32_t threads) {
  unsigned char* model = allocate(SIZE);
  long n, failed = 0, survived = 0;

  for (n = 1;; ++n) {
    struct memory_io memory;
    vmdk_error error;
    vmdk_status status;
    long hit;
    memset(&error, 0, sizeof(error));
    memory_init(&memory);
    put_chain(&memory, model);
    memory.fail_calls = calls;
    memory.fail_at = n;
    memory.fail_once = once;
    status = use_all(&memory, threads, model, &error);
    hit = memory.failed;
    assert_int_equal(memory_leaks(&memory), 0);
    assert_int_equal(memory.opens, memory.closes);
    assert_int_equal(memory.wrong, 0);
    memory_free(&memory);
    if (hit == 0) {
      assert_int_equal(status, VMDK_OK);
      break;
    }
    /* Nobody asked for what a worker could not read ahead. */
    if (status == VMDK_OK && (once || threads > 1)) {
      ++survived;
      continue;
    }
    if (status != VMDK_ERR_IO) print_error("call %ld: %d %s\n", n, (int)status, error.message);
    assert_int_equal(status, VMDK_ERR_IO);
    assert_int_equal(error.os_error, EIO);
    assert_contains(error.message, "vm/");
    assert_true(is_clean_line(error.message));
    ++failed;
    assert_true(n < 10000);
  }
  assert_true(failed > survived);
  free(model);
}

static void every_call_fails_once(void** state) {
  (void)state;
  fail_everywhere(MEMORY_ANY, 1, 1);
}

static void every_call_fails_from_then_on(void** state) {
  (void)state;
  fail_everywhere(MEMORY_ANY, 0, 1);
  fail_everywhere(MEMORY_OPEN, 0, 1);
  fail_everywhere(MEMORY_SIZE, 0, 1);
}

static void every_read_fails_with_threads(void** state) {
  (void)state;
  fail_everywhere(MEMORY_READ, 1, 4);
  fail_everywhere(MEMORY_READ, 0, 4);
}

/* A failed read is no end: the next one works. */
static void reading_again_works(void** state) {
  struct memory_io memory;
  vmdk_open_options options = default_options();
  unsigned char *model = allocate(SIZE), buffer[1000];
  uint32_t threads;

  (void)state;
  for (threads = 1; threads <= 4; threads += 3) {
    vmdk_disk* disk;
    memory_init(&memory);
    put_chain(&memory, model);
    options.io = &memory.io;
    options.threads = threads;
    disk = open_disk("vm/top.vmdk", &options);
    memory.fail_calls = MEMORY_READ;
    memory.fail_at = memory.calls + 1;
    assert_status(vmdk_read_at(disk, buffer, sizeof(buffer), 70000), VMDK_ERR_IO);
    assert_int_equal(vmdk_last_error()->link, 0);
    assert_int_equal(vmdk_last_error()->extent, 0);
    assert_true(vmdk_last_error()->offset == 70000);
    memory.fail_calls = 0;
    assert_content(disk, model, SIZE, 65536);
    assert_ok(vmdk_close(disk));
    assert_int_equal(memory_leaks(&memory), 0);
    memory_free(&memory);
  }
  free(model);
}

static void names_stay_in_the_directory(void** state) {
  static const char* const names[] = {"../out", "/out",           "sub/../../out", "..\\out",
                                      "..",     "a/../../../out", "C:\\..\\out"};
  size_t i;
  int parent;

  (void)state;
  for (i = 0; i < COUNT(names); ++i) {
    for (parent = 0; parent < 2; ++parent) {
      struct memory_io memory;
      struct descriptor text = {0};
      struct memory_name* asked;
      vmdk_open_options options = default_options();
      vmdk_status status;
      char line[100];
      memory_init(&memory);
      (void)snprintf(line, sizeof(line), "RW 8 FLAT \"%s\" 0\n", names[i]);
      text.extents = parent ? "RW 8 ZERO\n" : line;
      text.hint = parent ? names[i] : NULL;
      text.parent = parent ? 5 : 0;
      memory_put(&memory, "a/b/disk.vmdk", descriptor_bytes(&text));
      options.io = &memory.io;
      status = try_open("a/b/disk.vmdk", &options);
      assert_true(status == VMDK_ERR_PATH_DENIED || status == VMDK_ERR_NOT_FOUND ||
                  status == VMDK_ERR_PARENT_MISSING);
      for (asked = memory.names; asked != NULL; asked = asked->next) {
        assert_memory_equal(asked->name, "a/b/", 4);
        assert_null(strstr(asked->name, "/../"));
        assert_string_not_equal(asked->name + strlen(asked->name) - 3, "/..");
      }
      assert_int_equal(memory_leaks(&memory), 0);
      memory_free(&memory);
    }
  }
}

static void any_path(void** state) {
  struct memory_io memory;
  struct descriptor text = {0};
  vmdk_open_options options = default_options();

  (void)state;
  memory_init(&memory);
  text.extents = "RW 8 FLAT \"../x\" 0\nRW 8 FLAT \"/y\" 0\n";
  memory_put(&memory, "a/disk.vmdk", descriptor_bytes(&text));
  memory_put(&memory, "a/../x", pattern_bytes(1, 0, 4096));
  memory_put(&memory, "/y", pattern_bytes(1, 0, 4096));
  options.io = &memory.io;
  assert_status(try_open("a/disk.vmdk", &options), VMDK_ERR_PATH_DENIED);
  assert_contains(vmdk_last_error()->message, "../x");
  assert_contains(vmdk_last_error()->hint, "VMDK_PATHS_ANY");
  options.paths = VMDK_PATHS_ANY;
  assert_ok(try_open("a/disk.vmdk", &options));
  memory_free(&memory);
}

/* Names that hold no slash have no directory. */
static void without_directory(void** state) {
  struct memory_io memory;
  struct descriptor text = {0};
  vmdk_open_options options = default_options();
  vmdk_disk* disk;

  (void)state;
  memory_init(&memory);
  text.extents = "RW 8 FLAT \"data\" 0\n";
  memory_put(&memory, "disk.vmdk", descriptor_bytes(&text));
  memory_put(&memory, "data", pattern_bytes(1, 0, 4096));
  memory_put(&memory, "/disk.vmdk", descriptor_bytes(&text));
  memory_put(&memory, "/data", pattern_bytes(1, 0, 4096));
  options.io = &memory.io;
  disk = open_disk("disk.vmdk", &options);
  assert_string_equal(text_of(disk, 0, "@extent.0"), "data");
  assert_ok(vmdk_close(disk));
  disk = open_disk("/disk.vmdk", &options);
  assert_string_equal(text_of(disk, 0, "@extent.0"), "/data");
  assert_ok(vmdk_close(disk));
  memory_free(&memory);
}

static void a_tar_in_memory(void** state) {
  struct memory_io memory;
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct bytes tar = {NULL, 0};
  vmdk_open_options options = default_options();
  unsigned char* model = allocate(SIZE);
  vmdk_disk* disk;

  (void)state;
  memory_init(&memory);
  text.type = "streamOptimized";
  text.extents = "RW 1500 SPARSE \"disk.vmdk\"\n";
  sparse.sectors = SECTORS;
  sparse.grains = "D.DDD";
  sparse.descriptor = &text;
  memset(model, 0, SIZE);
  model_put(model, SIZE, &sparse);
  tar_add(&tar, "disk.vmdk", stream_bytes(&sparse, NULL), NULL);
  tar_end(&tar);
  memory_put(&memory, "x/y.ova", tar);
  options.io = &memory.io;
  disk = open_disk("x/y.ova", &options);
  assert_content(disk, model, SIZE, 65536);
  assert_ok(vmdk_close(disk));
  disk = open_disk("x/y.ova:disk.vmdk", &options);
  assert_content(disk, model, SIZE, 65536);
  assert_ok(vmdk_close(disk));
  assert_int_equal(memory_leaks(&memory), 0);
  assert_int_equal(memory.wrong, 0);
  memory_free(&memory);
  free(model);
}

/* -- Sizes that are wrong -------------------------------------------------- */

static uint64_t said_size;

static int say_size(void* user, void* file, uint64_t* out_size) {
  (void)user;
  (void)file;
  *out_size = said_size;
  return 0;
}

static void sizes_that_are_wrong(void** state) {
  static const uint64_t sizes[] = {
      0, 1, 511, 512, 4096, (uint64_t)1 << 40, (uint64_t)1 << 63, UINT64_MAX - 1, UINT64_MAX};
  unsigned char* model = allocate(SIZE);
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(sizes); ++i) {
    struct memory_io memory;
    vmdk_open_options options = default_options();
    unsigned char byte;
    vmdk_disk* disk = NULL;
    memory_init(&memory);
    put_chain(&memory, model);
    memory.io.get_size = say_size;
    said_size = sizes[i];
    options.io = &memory.io;
    options.flags = i % 2 == 0 ? VMDK_OPEN_RECOVER : 0;
    if (vmdk_open("vm/base.vmdk", &options, &disk) == VMDK_OK)
      (void)vmdk_read_at(disk, &byte, 1, SIZE - 1);
    assert_ok(vmdk_close(disk));
    assert_int_not_equal(try_open("vm/top.vmdk", &options), VMDK_OK);
    assert_int_equal(memory_leaks(&memory), 0);
    memory_free(&memory);
  }
  free(model);
}

/* -- Threads --------------------------------------------------------------- */

struct reader {
  pthread_t thread;
  vmdk_disk* disk;
  const unsigned char* model;
  uint64_t seed;
  long bad;
};

static void* read_much(void* argument) {
  struct reader* reader = argument;
  unsigned char* buffer = allocate(100000);
  uint64_t state = reader->seed * 2 + 1;
  int i;

  for (i = 0; i < 25; ++i) {
    uint64_t offset = next_random(&state) % SIZE, left = SIZE - offset;
    size_t size = (size_t)(next_random(&state) % (left < 100000 ? left + 1 : 100000));
    if (vmdk_read_at(reader->disk, buffer, size, offset) != VMDK_OK ||
        (size > 0 && memcmp(buffer, reader->model + offset, size) != 0))
      ++reader->bad;
  }
  free(buffer);
  return NULL;
}

static void from_many_threads(void** state) {
  unsigned char* model = allocate(SIZE);
  uint32_t threads;

  (void)state;
  for (threads = 1; threads <= 4; threads += 3) {
    struct memory_io memory;
    struct reader readers[8];
    vmdk_open_options options = default_options();
    vmdk_disk* disk;
    size_t i;
    memory_init(&memory);
    put_chain(&memory, model);
    memory.latency_ns = 1000000;
    options.io = &memory.io;
    options.threads = threads;
    options.cache_bytes = 1;
    disk = open_disk("vm/top.vmdk", &options);
    memset(readers, 0, sizeof(readers));
    for (i = 0; i < COUNT(readers); ++i) {
      readers[i].disk = disk;
      readers[i].model = model;
      readers[i].seed = i + 1;
      assert_int_equal(pthread_create(&readers[i].thread, NULL, read_much, &readers[i]), 0);
    }
    for (i = 0; i < COUNT(readers); ++i) assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    for (i = 0; i < COUNT(readers); ++i) assert_int_equal(readers[i].bad, 0);
    assert_ok(vmdk_close(disk));
    assert_int_equal(memory_leaks(&memory), 0);
    assert_int_equal(memory.wrong, 0);
    assert_int_equal(memory.running, 0);
    /* Reads do not wait for each other. */
    assert_true(memory.most_running > 1);
    memory_free(&memory);
  }
  free(model);
}

/* -- Messages -------------------------------------------------------------- */

static void messages_are_given(void** state) {
  struct memory_io memory;
  struct messages messages;
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct layout layout;
  struct bytes file;
  vmdk_open_options options = default_options();
  unsigned char byte;
  vmdk_disk* disk;
  int before;

  (void)state;
  memory_init(&memory);
  messages_init(&messages);
  text.extents = "RW 2048 SPARSE \"data\"\n";
  sparse.sectors = 2048;
  sparse.grains = "DD";
  sparse.unclean = 1;
  file = hosted_bytes(&sparse, &layout);
  bytes_set32(&file, (size_t)layout.tables, 0x7fffffff);
  memory_put(&memory, "data", file);
  memory_put(&memory, "disk.vmdk", descriptor_bytes(&text));
  options.io = &memory.io;
  options.flags = VMDK_OPEN_RECOVER;
  messages_attach(&messages, &options);
  disk = open_disk("disk.vmdk", &options);
  assert_int_equal(messages.warnings, 1); /* not closed cleanly */
  assert_memory_equal(messages.text, "2 data: ", 8);
  before = messages.warnings;
  assert_ok(vmdk_read_at(disk, &byte, 1, 0));
  assert_int_equal(messages.warnings, before + 1); /* read from the copy */
  assert_int_equal(messages.unclean, 0);
  assert_int_equal(messages.others, 0);
  assert_int_equal(byte, pattern(0, 0));
  assert_ok(vmdk_close(disk));
  messages_free(&messages);
  memory_free(&memory);
}

/* Without a function for them messages are dropped. */
static void messages_are_dropped(void** state) {
  struct memory_io memory;
  struct descriptor text = {0};
  struct sparse sparse = {0};
  vmdk_open_options options = default_options();

  (void)state;
  memory_init(&memory);
  text.extents = "RW 2048 SPARSE \"data\"\n";
  sparse.sectors = 2048;
  sparse.grains = "DD";
  sparse.unclean = 1;
  memory_put(&memory, "data", hosted_bytes(&sparse, NULL));
  memory_put(&memory, "disk.vmdk", descriptor_bytes(&text));
  options.io = &memory.io;
  assert_ok(try_open("disk.vmdk", &options));
  memory_free(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_in_memory),
      cmocka_unit_test(missing_functions),
      cmocka_unit_test(the_structure_is_copied),
      cmocka_unit_test(errors_of_open),
      cmocka_unit_test(every_call_fails_once),
      cmocka_unit_test(every_call_fails_from_then_on),
      cmocka_unit_test(every_read_fails_with_threads),
      cmocka_unit_test(reading_again_works),
      cmocka_unit_test(names_stay_in_the_directory),
      cmocka_unit_test(any_path),
      cmocka_unit_test(without_directory),
      cmocka_unit_test(a_tar_in_memory),
      cmocka_unit_test(sizes_that_are_wrong),
      cmocka_unit_test(from_many_threads),
      cmocka_unit_test(messages_are_given),
      cmocka_unit_test(messages_are_dropped),
  };

  (void)alarm(280); /* a deadlock */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
