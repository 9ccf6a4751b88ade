/* SPDX-License-Identifier: MIT */
/* Who may have a disk open beside whom, in one process and in two; and threads beside a writer. */
#define _XOPEN_SOURCE 700
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/image.h"

enum use { READER, WRITER, LOOKER, USES }; /* LOOKER: to read, without locks */

static const uint32_t use_flags[USES] = {0, VMDK_OPEN_WRITE, VMDK_OPEN_NO_LOCK};
static const int goes_with[USES][USES] = {
    /* comes: reader, writer, looker */
    {1, 0, 1}, /* a reader is there */
    {0, 0, 1}, /* a writer */
    {1, 1, 1}, /* a looker */
};

static const uint32_t types[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_MONOLITHIC_FLAT,
                                 VMDK_TYPE_SPLIT_SPARSE, VMDK_TYPE_VMFS_SPARSE};

static const char* create(struct folder* folder, const char* name, uint32_t type) {
  const char* path = path_in(folder, name);
  vmdk_create_options options;

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.type = type;
  options.capacity = MIB;
  options.split_bytes = type == VMDK_TYPE_SPLIT_SPARSE ? 256 * KIB : 0;
  assert_ok(vmdk_create(path, &options));
  return path;
}

static vmdk_disk* open_as(const char* path, enum use use) {
  vmdk_open_options options = default_options();

  options.flags = use_flags[use];
  return open_disk(path, &options);
}

static vmdk_status try_as(const char* path, enum use use) {
  vmdk_open_options options = default_options();

  options.flags = use_flags[use];
  return try_open(path, &options);
}

/* ---- One process ---- */

static void test_one_process(void** state) {
  size_t t, there, comes;

  (void)state;
  for (t = 0; t < COUNT(types); ++t) {
    void* folder = NULL;
    const char* path;

    assert_int_equal(folder_setup(&folder), 0);
    path = create(folder, "disk.vmdk", types[t]);
    for (there = 0; there < USES; ++there) {
      vmdk_disk* disk = open_as(path, (enum use)there);
      for (comes = 0; comes < USES; ++comes) {
        vmdk_status status = try_as(path, (enum use)comes);
        if (status != (goes_with[there][comes] ? VMDK_OK : VMDK_ERR_LOCKED))
          fail_msg("%zu beside %zu gives %d", comes, there, (int)status);
        if (status == VMDK_OK) continue;
        assert_contains(vmdk_last_error()->message, path);
        assert_contains(vmdk_last_error()->message, "in use");
        assert_true(vmdk_last_error()->hint[0] != 0);
        assert_true(is_clean_line(vmdk_last_error()->message));
      }
      /* A refused one leaves nothing behind, neither locks nor descriptors. */
      assert_ok(vmdk_close(disk));
      for (comes = 0; comes < USES; ++comes) assert_ok(try_as(path, (enum use)comes));
    }
    assert_int_equal(folder_teardown(&folder), 0);
  }
}

/* What a writer has open is refused to whoever names any of its files. */
static void test_data_files(void** state) {
  struct folder* folder = *state;
  const char* path = create(folder, "disk.vmdk", VMDK_TYPE_SPLIT_SPARSE);
  const char* other;
  vmdk_disk* disk = open_as(path, WRITER);

  assert_status(try_as(path_in(folder, "disk-s002.vmdk"), READER), VMDK_ERR_LOCKED);
  /* Another descriptor over the same data. */
  other = put_text(folder, "other.vmdk",
                   "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                   "createType=\"custom\"\nRW 512 SPARSE \"disk-s003.vmdk\"\n");
  assert_status(try_as(other, READER), VMDK_ERR_LOCKED);
  assert_contains(vmdk_last_error()->message, "disk-s003.vmdk");
  assert_status(try_as(other, WRITER), VMDK_ERR_LOCKED);
  assert_ok(vmdk_close(disk));
  assert_ok(try_as(path, WRITER)); /* `other` has left nothing */
  assert_ok(try_as(other, WRITER));
}

/* Descriptors that somebody writes to do not matter where another disk is looked for. */
static void test_neighbours(void** state) {
  struct folder* folder = *state;
  const char* flat = create(folder, "flat.vmdk", VMDK_TYPE_MONOLITHIC_FLAT);
  const char* other = create(folder, "another.vmdk", VMDK_TYPE_MONOLITHIC_FLAT);
  vmdk_disk* disk = open_as(other, WRITER);

  {
    /* Its descriptor is found by looking into all that are there. */
    struct sparse sparse = {0};
    sparse.sectors = 8;
    sparse.grains = "D";
    (void)put_file(folder, "odd.bin", hosted_bytes(&sparse, NULL));
    (void)put_text(folder, "z.vmdk",
                   "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                   "createType=\"custom\"\nRW 8 SPARSE \"odd.bin\"\n");
    assert_ok(try_as(path_in(folder, "odd.bin"), READER));
    assert_ok(try_as(path_in(folder, "odd.bin"), WRITER));
  }
  assert_ok(try_as(path_in(folder, "flat-flat.vmdk"), READER));
  assert_ok(try_as(path_in(folder, "flat-flat.vmdk"), WRITER));
  assert_ok(try_as(flat, WRITER));
  assert_ok(vmdk_close(disk));
}

/* The folder FILE.lck of VMware. */
static void test_vmware(void** state) {
  struct folder* folder = *state;
  const char* flat = create(folder, "flat.vmdk", VMDK_TYPE_MONOLITHIC_FLAT);
  vmdk_open_options options = default_options();
  const char* lock;

  (void)put_directory(folder, "flat.vmdk.lck");
  assert_ok(try_as(flat, WRITER)); /* empty */
  (void)put_text(folder, "flat.vmdk.lck/README", "no lock");
  assert_ok(try_as(flat, WRITER));
  lock = put_text(folder, "flat.vmdk.lck/M12345.lck", "uuid=x");
  assert_status(try_as(flat, WRITER), VMDK_ERR_LOCKED);
  assert_contains(vmdk_last_error()->message, "M12345.lck");
  assert_contains(vmdk_last_error()->message, "VMware");
  assert_ok(try_as(flat, READER));
  options.flags = VMDK_OPEN_WRITE | VMDK_OPEN_NO_LOCK;
  assert_ok(try_open(flat, &options));
  assert_int_equal(unlink(lock), 0);
  assert_ok(try_as(flat, WRITER));
  (void)put_text(folder, "flat-flat.vmdk.lck/M1.lck", "x");
  assert_status(try_as(flat, WRITER), VMDK_ERR_LOCKED);
  assert_contains(vmdk_last_error()->message, "flat-flat.vmdk");
}

/* ---- Snapshots ---- */

static vmdk_status snapshot(const char* parent, const char* child, uint32_t flags) {
  vmdk_snapshot_options options;
  vmdk_open_options open = default_options();

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  open.flags = flags;
  options.open = &open;
  return vmdk_snapshot(parent, child, &options);
}

static void test_snapshots(void** state) {
  struct folder* folder = *state;
  const char* base = create(folder, "base.vmdk", VMDK_TYPE_MONOLITHIC_SPARSE);
  const char *child = path_in(folder, "child.vmdk"), *second = path_in(folder, "second.vmdk"),
             *third = path_in(folder, "third.vmdk");
  vmdk_disk *disk = open_as(base, WRITER), *other;

  assert_status(snapshot(base, child, 0), VMDK_ERR_LOCKED);
  assert_int_equal(access(child, F_OK), -1);
  assert_ok(snapshot(base, third, VMDK_OPEN_NO_LOCK));
  assert_ok(vmdk_close(disk));
  assert_ok(snapshot(base, child, 0));

  /* A child that is written to: its parent is read, also by others, and not written. */
  disk = open_as(child, WRITER);
  assert_ok(vmdk_write_at(disk, "a", 1, 0));
  assert_ok(try_as(base, READER));
  assert_status(try_as(base, WRITER), VMDK_ERR_LOCKED);
  assert_ok(snapshot(base, second, 0));
  assert_status(snapshot(child, path_in(folder, "x.vmdk"), 0), VMDK_ERR_LOCKED);
  other = open_as(second, WRITER); /* two children of one parent */
  assert_ok(vmdk_write_at(other, "b", 1, 0));
  assert_ok(vmdk_close(other));
  assert_ok(vmdk_close(disk));

  /* A parent that is written to lets nobody read its child. */
  disk = open_as(base, WRITER);
  assert_status(try_as(child, READER), VMDK_ERR_LOCKED);
  assert_contains(vmdk_last_error()->message, "base.vmdk");
  assert_ok(vmdk_close(disk));
  assert_ok(try_as(child, WRITER));
}

/* ---- Two processes ---- */

static int to_child[2], from_child[2];

static void put_byte(int fd, unsigned char byte) {
  if (write(fd, &byte, 1) != 1) _exit(9);
}

static unsigned char get_byte(int fd) {
  unsigned char byte = 255;

  if (read(fd, &byte, 1) != 1) return 255;
  return byte;
}

/* Opens and closes as it is told: 0 to 2 opens in that use, 8 closes, 9 ends. Answers the status.
 */
static void be_holder(const char* path) {
  vmdk_disk* disk = NULL;

  for (;;) {
    vmdk_open_options options;
    unsigned char order = get_byte(to_child[0]);
    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    if (order < USES) {
      options.flags = use_flags[order];
      put_byte(from_child[1], (unsigned char)vmdk_open(path, &options, &disk));
    } else if (order == 8) {
      put_byte(from_child[1], (unsigned char)vmdk_close(disk));
      disk = NULL;
    } else {
      _exit(0);
    }
  }
}

static unsigned char ask(unsigned char order) {
  put_byte(to_child[1], order);
  return get_byte(from_child[0]);
}

static void test_two_processes(void** state) {
  struct folder* folder = *state;
  unsigned char there, comes;
  size_t t;

  for (t = 0; t < COUNT(types); ++t) {
    const char* path = create(folder, text_in(folder, "disk%zu.vmdk", t), types[t]);
    char process[32];
    pid_t child;
    int status;

    assert_int_equal(pipe(to_child) | pipe(from_child), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) be_holder(path);
    (void)snprintf(process, sizeof(process), "(process %ld)", (long)child);
    for (there = 0; there < USES; ++there) {
      assert_int_equal(ask(there), VMDK_OK);
      for (comes = 0; comes < USES; ++comes) {
        vmdk_status got = try_as(path, (enum use)comes);
        assert_int_equal(got, goes_with[there][comes] ? VMDK_OK : VMDK_ERR_LOCKED);
        if (got == VMDK_ERR_LOCKED && access("/proc/self/fdinfo", R_OK) == 0)
          assert_contains(vmdk_last_error()->message, process);
      }
      assert_int_equal(ask(8), VMDK_OK);
      assert_ok(try_as(path, WRITER));
      /* The other way round. */
      {
        vmdk_disk* disk = open_as(path, (enum use)there);
        for (comes = 0; comes < USES; ++comes) {
          assert_int_equal(ask(comes), goes_with[there][comes] ? VMDK_OK : VMDK_ERR_LOCKED);
          assert_int_equal(ask(8), VMDK_OK);
        }
        assert_ok(vmdk_close(disk));
      }
    }
    /* A process that dies holds nothing. */
    assert_int_equal(ask(WRITER), VMDK_OK);
    put_byte(to_child[1], 9);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_ok(try_as(path, WRITER));
    (void)close(to_child[0]);
    (void)close(to_child[1]);
    (void)close(from_child[0]);
    (void)close(from_child[1]);
  }
}

/* ---- Threads beside a writer ---- */

#define BLOCK 16384u
#define BLOCKS 64u
#define READERS 4

static struct {
  vmdk_disk* disk;
  pthread_mutex_t mutex;
  int stop;
  long reads, mixed, failures;
} shared;

static int is_stopped(void) {
  int stop;

  (void)pthread_mutex_lock(&shared.mutex);
  stop = shared.stop;
  (void)pthread_mutex_unlock(&shared.mutex);
  return stop;
}

/* Each block is of one value, as each is written by one call. */
static void* read_blocks(void* seed) {
  uint64_t state = *(uint64_t*)seed;
  unsigned char* buffer = allocate(BLOCK);
  long reads = 0, mixed = 0, failures = 0;

  while (!is_stopped()) {
    uint64_t block = next_random(&state) % BLOCKS;
    vmdk_info info;
    if (vmdk_read_at(shared.disk, buffer, BLOCK, block * BLOCK) != VMDK_OK) ++failures;
    if (memcmp(buffer, buffer + 1, BLOCK - 1) != 0) ++mixed;
    info.struct_size = sizeof(info);
    if (reads % 16 == 0 && vmdk_get_info(shared.disk, &info) != VMDK_OK) ++failures;
    if (reads % 64 == 5 && vmdk_flush(shared.disk) != VMDK_OK) ++failures;
    ++reads;
  }
  (void)pthread_mutex_lock(&shared.mutex);
  shared.reads += reads;
  shared.mixed += mixed;
  shared.failures += failures;
  (void)pthread_mutex_unlock(&shared.mutex);
  free(buffer);
  return NULL;
}

static void test_threads(void** state) {
  static const uint32_t kinds[] = {VMDK_TYPE_MONOLITHIC_SPARSE, VMDK_TYPE_SPLIT_FLAT,
                                   VMDK_TYPE_VMFS_SPARSE};
  struct folder* folder = *state;
  size_t k;

  for (k = 0; k < COUNT(kinds); ++k) {
    uint64_t seeds[READERS], random = 5;
    pthread_t threads[READERS];
    unsigned char* buffer = allocate(BLOCK);
    char value[32];
    const char* path;
    int i;

    memset(&shared, 0, sizeof(shared));
    (void)pthread_mutex_init(&shared.mutex, NULL);
    path = create(folder, text_in(folder, "threads%zu.vmdk", k), kinds[k]);
    shared.disk = open_as(path, WRITER);
    for (i = 0; i < READERS; ++i) {
      seeds[i] = 11 + (uint64_t)i;
      assert_int_equal(pthread_create(&threads[i], NULL, read_blocks, &seeds[i]), 0);
    }
    /* Were the writer starved this would not end. */
    for (i = 0; i < 600; ++i) {
      uint64_t block = next_random(&random) % BLOCKS;
      memset(buffer, 1 + i % 250, BLOCK);
      if (i % 7 == 3)
        assert_ok(vmdk_discard_at(shared.disk, BLOCK, block * BLOCK));
      else if (i % 7 == 4)
        assert_ok(vmdk_zero_at(shared.disk, BLOCK, block * BLOCK));
      else
        assert_ok(vmdk_write_at(shared.disk, buffer, BLOCK, block * BLOCK));
      (void)snprintf(value, sizeof(value), "%d", i);
      if (i % 100 == 50) assert_ok(vmdk_set_text(shared.disk, "ddb.comment", value));
    }
    (void)pthread_mutex_lock(&shared.mutex);
    shared.stop = 1;
    (void)pthread_mutex_unlock(&shared.mutex);
    for (i = 0; i < READERS; ++i) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(shared.reads > 0);
    assert_int_equal(shared.mixed, 0);
    assert_int_equal(shared.failures, 0);
    assert_ok(vmdk_close(shared.disk));
    (void)pthread_mutex_destroy(&shared.mutex);
    free(buffer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_process),
      cmocka_unit_test_setup_teardown(test_data_files, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_neighbours, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_vmware, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_snapshots, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_two_processes, folder_setup, folder_teardown),
      cmocka_unit_test_setup_teardown(test_threads, folder_setup, folder_teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
