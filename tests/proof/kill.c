/* SPDX-License-Identifier: MIT */
/* A writing process is killed at random moments, again and again: what it said was flushed is
 * there, everything else is one of the values that were written, and the image is in order.
 * VMDK_KILLS: how many times. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/check.h"
#include "support/folder.h"
#include "support/raw_check.h"

#define UNIT 4096u
#define UNITS 1024u
#define CAPACITY ((uint64_t)UNITS * UNIT)
#define ROUND 40u /* operations between two flushes */

/* Every unit holds its number and the operation that wrote it, over and over; or zeros. */
struct stamp {
  uint64_t unit, operation;
};

static void fill(unsigned char* unit, uint64_t number, uint64_t operation) {
  struct stamp stamp;
  size_t at;

  stamp.unit = number;
  stamp.operation = operation;
  for (at = 0; at < UNIT; at += sizeof(stamp)) memcpy(unit + at, &stamp, sizeof(stamp));
}

/* What an operation does is told by its number and the seed alone. */
struct operation {
  uint64_t unit;
  int clears, discards;
};

static struct operation operation_of(uint64_t seed, uint64_t number) {
  uint64_t state = (seed + 1) * 1000003 + number * 2654435761u + 1;
  struct operation operation;

  (void)next_random(&state);
  (void)next_random(&state);
  operation.unit = next_random(&state) % UNITS;
  operation.clears = next_random(&state) % 5 == 0;
  operation.discards = next_random(&state) % 2 == 0;
  return operation;
}

/* Writes until it is killed; says in the pipe which operation was flushed last. */
static void write_on(const char* path, uint64_t seed, uint64_t first, int pipe_end) {
  vmdk_open_options options = default_options();
  unsigned char unit[UNIT];
  vmdk_disk* disk = NULL;
  uint64_t number = first;

  options.flags = VMDK_OPEN_WRITE;
  if (vmdk_open(path, &options, &disk) != VMDK_OK) _exit(1);
  for (;;) {
    struct operation operation = operation_of(seed, number);
    vmdk_status status;
    if (operation.clears && operation.discards) {
      status = vmdk_discard_at(disk, UNIT, operation.unit * UNIT);
    } else if (operation.clears) {
      status = vmdk_zero_at(disk, UNIT, operation.unit * UNIT);
    } else {
      fill(unit, operation.unit, number);
      status = vmdk_write_at(disk, unit, UNIT, operation.unit * UNIT);
    }
    if (status != VMDK_OK) _exit(2);
    ++number;
    if (number % ROUND == 0) {
      if (vmdk_flush(disk) != VMDK_OK) _exit(3);
      if (write(pipe_end, &number, sizeof(number)) != (ssize_t)sizeof(number)) _exit(4);
    }
    if (number % (ROUND * 8) == 0) {
      if (vmdk_close(disk) != VMDK_OK) _exit(5);
      if (vmdk_open(path, &options, &disk) != VMDK_OK) _exit(6);
    }
  }
}

/* The last operation on each unit among the first `end`, plus one; 0 = none. */
static void last_operations(uint64_t seed, uint64_t begin, uint64_t end, uint64_t* last) {
  uint64_t number;

  for (number = begin; number < end; ++number) last[operation_of(seed, number).unit] = number + 1;
}

static int is_zero(const unsigned char* unit) {
  return unit[0] == 0 && memcmp(unit, unit + 1, UNIT - 1) == 0;
}

/* Each unit is as the last flushed operation on it left it, or a later one. `found`: at the least
 * which one. */
static void check_units(const char* path, uint64_t seed, const uint64_t* flushed, uint64_t begin,
                        uint64_t* found) {
  vmdk_disk* disk = open_disk(path, NULL);
  unsigned char unit[UNIT], wanted[UNIT];
  uint64_t i;

  for (i = 0; i < UNITS; ++i) {
    struct stamp stamp;
    assert_ok(vmdk_read_at(disk, unit, UNIT, i * UNIT));
    memcpy(&stamp, unit, sizeof(stamp));
    if (is_zero(unit)) {
      /* Cleared by the last flushed operation, by a later one, or never written. */
      int cleared = flushed[i] == 0 || operation_of(seed, flushed[i] - 1).clears;
      uint64_t number;
      found[i] = flushed[i];
      for (number = begin; !cleared && number < begin + 4096; ++number) {
        struct operation operation = operation_of(seed, number);
        cleared = operation.unit == i && operation.clears;
        found[i] = number + 1;
      }
      if (!cleared) fail_msg("unit %" PRIu64 " is zeros, not of operation %" PRIu64, i, flushed[i]);
      continue;
    }
    fill(wanted, i, stamp.operation);
    if (stamp.unit != i || memcmp(unit, wanted, UNIT) != 0)
      fail_msg("unit %" PRIu64 " holds what was never written", i);
    if (stamp.operation + 1 < flushed[i])
      fail_msg("unit %" PRIu64 " is of operation %" PRIu64 ", where %" PRIu64 " was flushed", i,
               stamp.operation, flushed[i] - 1);
    found[i] = stamp.operation + 1;
  }
  assert_ok(vmdk_close(disk));
}

static void check_image(const char* path, int with_qemu) {
  struct raw_result result;
  char command[1024];

  raw_check(raw_local_files(), path, 0, &result);
  if (result.damage[0] != 0) fail_msg("%s: %s", path, result.damage);
  if (!with_qemu) return;
  (void)snprintf(command, sizeof(command), "qemu-img check -q -f vmdk '%s' >/dev/null 2>&1", path);
  /* 3: grains that no entry leads to, which a crash may leave; 63: not for flat disks. */
  {
    int status = system(command);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code != 0 && code != 3 && code != 63) fail_msg("%s: qemu-img check gives %d", path, code);
  }
}

static void test_kill(void** state) {
  static const struct {
    uint32_t type;
    uint64_t grain;
    const char* name;
  } kinds[] = {
      {VMDK_TYPE_MONOLITHIC_SPARSE, 65536, "sparse"},
      {VMDK_TYPE_MONOLITHIC_SPARSE, 4096, "sparse-4k"},
      {VMDK_TYPE_SPLIT_SPARSE, 65536, "split"},
      {VMDK_TYPE_MONOLITHIC_FLAT, 0, "flat"},
      {VMDK_TYPE_VMFS_SPARSE, 512, "cowd"},
  };
  const char* wish = getenv("VMDK_KILLS");
  unsigned kills = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : 40, n;
  int with_qemu = system("qemu-img --version >/dev/null 2>&1") == 0;
  struct folder* folder = *state;
  uint64_t flushed[UNITS], found[UNITS], random = 77, seed = 5, operations = 0;
  unsigned acknowledged = 0;
  uint64_t begins[COUNT(kinds)] = {0};
  uint64_t(*known)[UNITS] = allocate(sizeof(*known) * COUNT(kinds));
  size_t k;

  memset(known, 0, sizeof(*known) * COUNT(kinds));
  for (k = 0; k < COUNT(kinds); ++k) {
    vmdk_create_options options;
    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    options.type = kinds[k].type;
    options.capacity = CAPACITY;
    options.grain_bytes = kinds[k].grain;
    options.split_bytes = kinds[k].type == VMDK_TYPE_SPLIT_SPARSE ? MIB : 0;
    assert_ok(
        vmdk_create(text_in(folder, "%s/%s.vmdk", folder_path(folder), kinds[k].name), &options));
  }
  for (n = 0; n < kills; ++n) {
    const char* path;
    struct timespec wait;
    uint64_t number, end;
    int ends[2], status;
    pid_t child;

    k = n % COUNT(kinds);
    path = text_in(folder, "%s/%s.vmdk", folder_path(folder), kinds[k].name);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) write_on(path, seed + k, begins[k], ends[1]);
    (void)close(ends[1]);
    wait.tv_sec = 0;
    wait.tv_nsec = (long)(next_random(&random) % 250 + 2) * 1000000;
    (void)nanosleep(&wait, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) fail_msg("the writer of %s gave up: %d", path, WEXITSTATUS(status));
    end = begins[k];
    while (read(ends[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
      end = number;
      ++acknowledged;
    }
    (void)close(ends[0]);
    memcpy(flushed, known[k], sizeof(flushed));
    last_operations(seed + k, begins[k], end, flushed);
    check_units(path, seed + k, flushed, end, found);
    check_image(path, with_qemu);
    /* What is there now is what the next one begins with. */
    operations += end - begins[k];
    memcpy(known[k], found, sizeof(found));
    begins[k] = end + 4096 - end % 4096; /* numbers that were not used */
  }
  for (k = 0; k < COUNT(kinds); ++k) {
    vmdk_open_options options = default_options();
    const char* path = text_in(folder, "%s/%s.vmdk", folder_path(folder), kinds[k].name);
    vmdk_disk* disk;
    struct raw_result result;
    char why[256];
    options.flags = VMDK_OPEN_WRITE;
    disk = open_disk(path, &options);
    assert_ok(vmdk_zero_at(disk, CAPACITY, 0));
    assert_ok(vmdk_close(disk));
    raw_check(raw_local_files(), path, 0, &result);
    if (result.damage[0] == 0 && !raw_is_clean(&result, NULL, why, sizeof(why)))
      print_message("%s: %s\n", kinds[k].name, why);
  }
  free(known);
  assert_true(acknowledged > 0);
  print_message("figure: %u writers killed, %u flushes acknowledged, %" PRIu64 " operations\n",
                kills, acknowledged, operations);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_kill, folder_setup, folder_teardown),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
