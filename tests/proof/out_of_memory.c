/* SPDX-License-Identifier: MIT */
/* One allocation inside the library after the other fails, on every kind of disk that can be
 * written, and converting to it: the failure is reported, nothing leaks, and nothing that was
 * flushed is lost. */
#include <errno.h>

#include "support/check.h"
#include "support/conversion.h"
#include "support/crash_states.h"
#include "support/image.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

/* ---- Allocation ---- */

extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t count, size_t size);
extern void* __libc_realloc(void* block, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void* block);

static int inside;           /* the library is running, and nothing that it calls back */
static int may_fail;         /* and what it does is not only for the test to see */
static long allocations;     /* inside */
static long fail_at;         /* the n-th of them fails, counted from 1; 0 = none */
static int fail_once;        /* else all later ones, too */
static long failed, balance; /* blocks that were had and not given back */

static int refuse(void) {
  if (!inside || !may_fail) return 0;
  ++allocations;
  if (fail_at == 0 || allocations < fail_at || (fail_once && allocations > fail_at)) return 0;
  ++failed;
  errno = ENOMEM;
  return 1;
}

static void* had(void* block) {
  if (inside && block != NULL) ++balance;
  return block;
}

void* malloc(size_t size) { return refuse() ? NULL : had(__libc_malloc(size)); }
void* calloc(size_t count, size_t size) {
  return refuse() ? NULL : had(__libc_calloc(count, size));
}
void* realloc(void* block, size_t size) {
  if (refuse()) return NULL;
  return block == NULL ? had(__libc_realloc(block, size)) : __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
  return refuse() ? NULL : had(__libc_memalign(alignment, size));
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  void* block = memalign(alignment, size);
  if (block == NULL) return ENOMEM;
  *out = block;
  return 0;
}
void free(void* block) {
  if (inside && block != NULL) --balance;
  __libc_free(block);
}

static int library;

static void on_library(enum library entered) {
  inside = library = entered != LIBRARY_LEFT;
  may_fail = entered == LIBRARY_WORKS;
}
static void on_call(int entered) { inside = library && !entered; }

/* ---- The test ---- */

static const struct step steps[] = {
    {OP_WRITE, 7 * WORKLOAD_UNIT + 1024, 2 * WORKLOAD_UNIT},
    {OP_WRITE, MIB - 600, 1300},
    {OP_FLUSH, 0, 0},
    {OP_DISCARD, 0, 6 * WORKLOAD_UNIT},
    {OP_ZERO, 12 * WORKLOAD_UNIT - 300, WORKLOAD_UNIT + 1000},
    {OP_FLUSH, 0, 0},
    {OP_SET_TEXT, 0, 900},
    {OP_WRITE, 2 * MIB - 700, 3 * WORKLOAD_UNIT},
    {OP_REOPEN, 0, 0},
    {OP_WRITE, 3 * WORKLOAD_UNIT + 5, 1000},
    {OP_SNAPSHOT, 0, 0},
    {OP_WRITE, 9 * WORKLOAD_UNIT + 300, 1000},
};

static unsigned long injected;

/* Gives 0 when nothing was left to fail. */
static int inject(const struct made* made, int create, int once, long n) {
  struct run run;
  char why[2048] = "";
  size_t i;
  int hit;

  allocations = failed = balance = 0;
  run_begin(&run, made, NULL, 1);
  run.may_fail = 1;
  run.on_library = on_library;
  run.io.on_call = on_call;
  fail_at = n;
  fail_once = once;
  if (create)
    run_create(&run);
  else
    for (i = 0; i < COUNT(steps); ++i) run_step(&run, steps + i);
  hit = failed != 0;
  if (!create || run.first_failure == VMDK_OK) run_end(&run);
  fail_at = 0;
  run.on_library = NULL;
  if (run.problem[0] == 0 && hit) {
    ++injected;
    if (run.first_failure != VMDK_OK && run.first_failure != VMDK_ERR_NO_MEMORY)
      (void)snprintf(why, sizeof(why), "the failure is reported as \"%s\"",
                     vmdk_status_string(run.first_failure));
    if (!create || run.first_failure == VMDK_OK) {
      struct store store;
      recording_rebuild(&made->store, &run.io.log, run.io.log.count, 1, &store);
      (void)check_state(&run, &store, run.io.log.count, 1, why, sizeof(why));
      store_free(&store);
    }
  }
  if (n != 0 && balance != 0 && run.disk == NULL)
    (void)snprintf(why, sizeof(why), "%ld blocks are not given back", balance);
  if (run.problem[0] != 0 || why[0] != 0) {
    print_error("%s: %sallocation %ld%s: %s%s\n", made->kind->name, create ? "creating, " : "", n,
                once ? "" : " and all later ones", run.problem, why);
    for (i = 1; i < run.done_count; ++i)
      print_error("  step %zu: %s: %s\n", i, step_text(&run.done[i].step),
                  vmdk_status_string(run.done[i].status));
    fail();
  }
  run_free(&run);
  return hit;
}

static void test_kind(void** state) {
  const struct kind* kind = *state;
  unsigned long before = injected;
  struct made made, nothing;
  long n;
  int once;

  assert_int_equal(make_kind(kind, &made), 0);
  make_nothing(kind, &nothing);
  /* What is allocated once for good is so by now. */
  (void)inject(&made, 0, 1, 0);
  for (once = 0; once < 2; ++once) {
    for (n = 1; kind_is_created(kind) && inject(&nothing, 1, once, n); ++n) continue;
    for (n = 1; inject(&made, 0, once, n); ++n) continue;
  }
  made_free(&made);
  made_free(&nothing);
  print_message("%s: %lu allocations failed\n", kind->name, injected - before);
}

/* ---- Converting ---- */

#define SECTORS UINT64_C(1605)

/* Outside the library, while it waits for the caller. */
static int quiet_feed(void* user, void* buffer, size_t size, size_t* out_size) {
  int error;

  inside = 0;
  error = feed_next(user, buffer, size, out_size);
  inside = library;
  return error;
}

/* Gives 0 when nothing was left to fail. */
static int inject_into_conversion(const struct store* sources, const struct bytes* stream,
                                  const struct destination* to, int once, long n) {
  vmdk_create_options create = fixed_create_options(to->type);
  vmdk_convert_options options = options_for(&create, 1);
  vmdk_open_options open = default_options();
  struct feed feed;
  struct recording_io io;
  vmdk_disk* disk = NULL;
  vmdk_status status;

  recording_io_init_from(&io, sources);
  io.on_call = on_call;
  create.io = open.io = &io.io;
  allocations = failed = balance = 0;
  fail_at = n;
  fail_once = once;
  if (stream != NULL) {
    feed = feed_of(stream, 30000);
    on_library(LIBRARY_WORKS);
    status = vmdk_convert_from_stream(quiet_feed, &feed, "disk.vmdk", &options);
  } else {
    on_library(LIBRARY_LOOKS);
    status = vmdk_open("sparse.vmdk", &open, &disk);
    on_library(LIBRARY_WORKS);
    if (status == VMDK_OK) status = vmdk_convert(disk, "disk.vmdk", &options);
    on_library(LIBRARY_LOOKS);
    (void)vmdk_close(disk);
  }
  on_library(LIBRARY_LEFT);
  fail_at = 0;
  if (failed != 0) ++injected;
  /* What can be done without is. */
  if (status != VMDK_OK && (failed == 0 || status != VMDK_ERR_NO_MEMORY))
    fail_msg("%s, allocation %ld: %s: %s", to->name, n, vmdk_status_string(status),
             vmdk_last_error()->message);
  if ((store_find(&io.store, "disk.vmdk") >= 0) != (status == VMDK_OK) ||
      (status != VMDK_OK && store_names(&io.store) != store_names(sources)))
    fail_msg("%s, allocation %ld: files are left or missing", to->name, n);
  if (n != 0 && balance != 0)
    fail_msg("%s, allocation %ld: %ld blocks are not given back", to->name, n, balance);
  if (recording_io_open_files(&io) != 0)
    fail_msg("%s, allocation %ld: files are left open", to->name, n);
  recording_io_free(&io);
  return failed != 0;
}

static void test_conversion(void** state) {
  struct descriptor text = {0};
  struct sparse sparse = {0};
  struct store sources;
  struct bytes stream;
  size_t i;
  long n;
  int once;

  (void)state;
  store_init(&sources);
  sparse.sectors = SECTORS;
  sparse.grains = "D.0DDDD...D.DD";
  sparse.descriptor = &text;
  text.type = "monolithicSparse";
  text.extents = "RW 1605 SPARSE \"sparse.vmdk\"\n";
  store_put(&sources, "sparse.vmdk", hosted_bytes(&sparse, NULL));
  text.type = "streamOptimized";
  stream = stream_bytes(&sparse, NULL);
  for (i = 0; i < destination_count; ++i) {
    (void)inject_into_conversion(&sources, NULL, destinations + i, 1, 0);
    (void)inject_into_conversion(&sources, &stream, destinations + i, 1, 0);
    for (once = 0; once < 2; ++once) {
      for (n = 1; inject_into_conversion(&sources, NULL, destinations + i, once, n); ++n) continue;
      for (n = 1; inject_into_conversion(&sources, &stream, destinations + i, once, n); ++n)
        continue;
    }
  }
  bytes_free(&stream);
  store_free(&sources);
}

int main(int argc, char** argv) {
  struct CMUnitTest tests[MOST_KIND_TESTS + 1];
  size_t count;
  int bad;

  count = add_kind_tests(tests, test_kind, argc > 1 ? argv[1] : NULL);
  if (argc < 2 || strcmp(argv[1], "convert") == 0) {
    memset(tests + count, 0, sizeof(*tests));
    tests[count].name = "convert";
    tests[count++].test_func = test_conversion;
  }
  bad = _cmocka_run_group_tests("out_of_memory", tests, count, NULL, NULL);
  print_message("figure: %lu allocations made to fail\n", injected);
  return bad;
}

#else

int main(void) {
  printf("skipped: allocations cannot be made to fail in this build\n");
  return 77;
}

#endif
