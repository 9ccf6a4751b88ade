/* SPDX-License-Identifier: MIT */
/* One call of the vmdk_io after the other fails, on every kind of disk that can be written: the
 * failure is reported, nothing that was flushed is lost, and the disk can be used afterwards. */
#include <errno.h>

#include "support/check.h"
#include "support/crash_states.h"

static const struct {
  const char* name;
  unsigned calls;
  int once, with, half;
} faults[] = {
    {"EIO, once", CALL_ANY, 1, EIO, 0},
    {"EIO, from then on", CALL_ANY & ~CALL_REMOVE, 0, EIO, 0},
    {"ENOSPC, once", CALL_CHANGES & ~CALL_SYNC, 1, ENOSPC, 0},
    {"ENOSPC in the middle of a write, once", CALL_WRITE, 1, ENOSPC, 1},
    {"ENOSPC, from then on", CALL_CHANGES & ~CALL_REMOVE & ~CALL_SYNC, 0, ENOSPC, 1},
    {"EIO of a sync, from then on", CALL_SYNC, 0, EIO, 0},
};

static const struct step steps[] = {
    {OP_WRITE, 7 * WORKLOAD_UNIT + 1024, 2 * WORKLOAD_UNIT},
    {OP_WRITE, MIB - 600, 1300},
    {OP_FLUSH, 0, 0},
    {OP_WRITE, 100, 5000},
    {OP_DISCARD, 0, 6 * WORKLOAD_UNIT},
    {OP_ZERO, 12 * WORKLOAD_UNIT - 300, WORKLOAD_UNIT + 1000},
    {OP_FLUSH, 0, 0},
    {OP_WRITE, 2 * MIB - 700, 3 * WORKLOAD_UNIT},
    {OP_SET_TEXT, 0, 900},
    {OP_WRITE, 20 * WORKLOAD_UNIT, 3 * WORKLOAD_UNIT},
    {OP_REOPEN, 0, 0},
    {OP_WRITE, 3 * WORKLOAD_UNIT + 5, 1000},
    {OP_SET_TEXT, 0, 7},
    {OP_SNAPSHOT, 0, 0},
    {OP_WRITE, 9 * WORKLOAD_UNIT + 300, 1000},
};

static unsigned long injected;
static unsigned wrong;

static int changes_data(enum op op) { return op == OP_WRITE || op == OP_ZERO || op == OP_DISCARD; }

/* A step with what must follow if it fails. */
static void do_step(struct run* run, const struct step* step, size_t fault) {
  unsigned failures = run->failures;
  long before = run->io.failed;
  vmdk_status status;

  run_step(run, step);
  if (run->failures == failures || run->disk == NULL || run->problem[0] != 0) return;
  status = run->done[run->done_count - 1].status;
  if (before != 0 || (!changes_data(step->op) && step->op != OP_FLUSH)) return;
  if (run->io.failed_call == CALL_SYNC) {
    if (vmdk_flush(run->disk) != VMDK_ERR_POISONED)
      (void)snprintf(run->problem, sizeof(run->problem), "a flush after a failed sync is good");
  } else if (faults[fault].with == ENOSPC && faults[fault].once) {
    if (status != VMDK_ERR_NO_SPACE)
      (void)snprintf(run->problem, sizeof(run->problem), "a full file system gives \"%s\"",
                     vmdk_status_string(status));
    failures = run->failures;
    run_step(run, step);
    if (run->failures != failures && run->problem[0] == 0)
      (void)snprintf(run->problem, sizeof(run->problem), "%s does not go on: %.400s",
                     step_text(step), vmdk_last_error()->message);
  }
}

static void check_status_of(struct run* run, size_t fault) {
  if (run->problem[0] != 0 || run->first_failure == VMDK_OK || run->first_failure == VMDK_ERR_IO)
    return;
  if (faults[fault].with == ENOSPC && run->first_failure == VMDK_ERR_NO_SPACE) return;
  (void)snprintf(run->problem, sizeof(run->problem), "the failure is reported as \"%s\"",
                 vmdk_status_string(run->first_failure));
}

enum way { STEPS, CREATE, CREATE_WITHOUT_RENAME };

/* Gives 0 when nothing was left to fail. */
static int inject(const struct made* made, enum way way, size_t fault, long n) {
  const int create = way != STEPS;
  struct run run;
  char why[2048] = "";
  size_t i;
  int failed;

  run_begin(&run, made, NULL, 1);
  run.may_fail = 1;
  recording_io_fail(&run.io, faults[fault].calls, n, faults[fault].once, faults[fault].with);
  run.io.fail_short = faults[fault].half;
  if (way == CREATE_WITHOUT_RENAME) run.io.io.rename = NULL;
  if (create)
    run_create(&run);
  else
    for (i = 0; i < COUNT(steps); ++i) do_step(&run, steps + i, fault);
  failed = run.io.failed != 0;
  if (!create || run.first_failure == VMDK_OK) run_end(&run);
  if (failed) {
    struct store store;
    ++injected;
    check_status_of(&run, fault);
    recording_rebuild(&made->store, &run.io.log, run.io.log.count, 1, &store);
    if (run.problem[0] == 0 && (!create || run.first_failure == VMDK_OK))
      (void)check_state(&run, &store, run.io.log.count, 1, why, sizeof(why));
    if (create && run.first_failure != VMDK_OK && store_names(&store) != 0)
      (void)snprintf(why, sizeof(why), "files are left");
    store_free(&store);
  }
  if (run.problem[0] != 0 || why[0] != 0) {
    if (++wrong <= 3) {
      print_error("%s: %s: call %ld (%u): %s%s\n", made->kind->name, faults[fault].name, n,
                  run.io.failed_call, run.problem, why);
      for (i = 1; i < run.done_count; ++i)
        print_error("  step %zu: %s: %s\n", i, step_text(&run.done[i].step),
                    vmdk_status_string(run.done[i].status));
    }
  }
  run_free(&run);
  return failed;
}

static void test_kind(void** state) {
  const struct kind* kind = *state;
  unsigned long before = injected;
  struct made made, nothing;
  size_t fault;
  long n, stride = 1;

  wrong = 0;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  stride = 7;
#endif
  assert_int_equal(make_kind(kind, &made), 0);
  make_nothing(kind, &nothing);
  for (fault = 0; fault < COUNT(faults); ++fault) {
    for (n = 1; kind_is_created(kind) && inject(&nothing, CREATE, fault, n); ++n) continue;
    for (n = 1; kind_is_created(kind) && inject(&nothing, CREATE_WITHOUT_RENAME, fault, n); ++n)
      continue;
    for (n = 1; inject(&made, STEPS, fault, n); n += stride) continue;
  }
  made_free(&made);
  made_free(&nothing);
  print_message("%s: %lu faults, %u wrong\n", kind->name, injected - before, wrong);
  assert_int_equal(wrong, 0);
}

int main(int argc, char** argv) {
  struct CMUnitTest tests[MOST_KIND_TESTS];
  size_t count;
  int failed;

  count = add_kind_tests(tests, test_kind, argc > 1 ? argv[1] : NULL);
  failed = _cmocka_run_group_tests("fault", tests, count, NULL, NULL);
  print_message("figure: %lu faults injected\n", injected);
  return failed;
}
