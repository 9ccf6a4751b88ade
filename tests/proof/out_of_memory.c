/* SPDX-License-Identifier: MIT */
/* One allocation inside the library after the other fails, on every kind of disk that can be
 * written: the failure is reported, nothing leaks, and nothing that was flushed is lost. */
#include <errno.h>

#include "support/check.h"
#include "support/crash_states.h"

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

int main(int argc, char** argv) {
  struct CMUnitTest tests[MOST_KIND_TESTS];
  size_t count;
  int bad;

  count = add_kind_tests(tests, test_kind, argc > 1 ? argv[1] : NULL);
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
