/* SPDX-License-Identifier: MIT */
/* What a crash can leave behind, at every moment of many short and some long sequences of steps, on
 * every kind of disk that can be written: it opens, holds what was flushed, and is marked as it
 * must be. VMDK_CRASH_SCALE: how much of it, in percent. */
#include "support/check.h"
#include "support/crash_states.h"

static struct crash_count total;
static unsigned scale = 60;

static void check_run(struct run* run, struct crash_count* count) {
  const struct crash_options options = {6, 12, 16, 2048};
  char why[2048];
  unsigned i;
  int good = 1;

  if (run->problem[0] != 0)
    (void)snprintf(why, sizeof(why), "%s", run->problem);
  else
    good = check_crashes(run, &options, count, why, sizeof(why));
  if (run->problem[0] == 0 && good) return;
  print_error("%s: %s\n", run->made->kind->name, why);
  for (i = 1; i < run->done_count; ++i) {
    const struct done* done = run->done + i;
    print_error("  step %u: %s, calls %zu to %zu\n", i, step_text(&done->step), done->begin,
                done->end);
  }
  fail();
}

static void check_steps(const struct made* made, const struct step* steps, size_t step_count,
                        int punch, struct crash_count* count) {
  static const struct step flush = {OP_FLUSH, 0, 0};
  struct run run;
  size_t i;

  run_begin(&run, made, NULL, 1);
  if (!punch) run.io.io.punch = NULL;
  for (i = 0; i < step_count; ++i) run_step(&run, steps + i);
  run_step(&run, &flush);
  run_end(&run);
  check_run(&run, count);
  run_free(&run);
}

static void check_creating(const struct kind* kind, struct crash_count* count) {
  static const struct step steps[] = {{OP_WRITE, 700, 9000}, {OP_SNAPSHOT, 0, 0}};
  struct made made;
  struct run run;
  size_t i;

  make_nothing(kind, &made);
  run_begin(&run, &made, NULL, 1);
  run_create(&run);
  for (i = 0; i < COUNT(steps); ++i) run_step(&run, steps + i);
  run_end(&run);
  check_run(&run, count);
  run_free(&run);
  made_free(&made);
}

static void test_kind(void** state) {
  const struct kind* kind = *state;
  struct crash_count count = {0, 0, 0};
  uint64_t random = 7 + (uint64_t)(kind - kinds);
  struct made made;
  size_t i, j;

  if (kind_is_created(kind)) check_creating(kind, &count);
  assert_int_equal(make_kind(kind, &made), 0);
  for (i = 0; i < step_pool_size; ++i) {
    check_steps(&made, step_pool + i, 1, 1, &count);
    for (j = 0; j < step_pool_size; ++j) {
      struct step steps[3];
      steps[0] = step_pool[i];
      steps[1] = step_pool[j];
      if ((next_random(&random) >> 20) % 100 < scale) check_steps(&made, steps, 2, 1, &count);
    }
  }
  for (i = 0; i < scale; ++i) {
    struct step steps[3];
    for (j = 0; j < 3; ++j) steps[j] = step_pool[next_random(&random) % step_pool_size];
    check_steps(&made, steps, 3, i % 4 != 0, &count);
  }
  for (i = 0; i < (scale + 24) / 25; ++i) {
    struct step steps[24];
    for (j = 0; j < COUNT(steps); ++j) steps[j] = random_step(kind, &random);
    check_steps(&made, steps, COUNT(steps), i % 2, &count);
  }
  made_free(&made);
  print_message("%s: %lu states, %lu of them written to; %lu more were the same\n", kind->name,
                count.states, count.written_on, count.same);
  total.states += count.states;
  total.written_on += count.written_on;
}

int main(int argc, char** argv) {
  const char* text = getenv("VMDK_CRASH_SCALE");
  struct CMUnitTest tests[MOST_KIND_TESTS];
  size_t count;
  int failed;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  scale = 2;
#endif
  if (text != NULL) scale = (unsigned)strtoul(text, NULL, 10);
  count = add_kind_tests(tests, test_kind, argc > 1 ? argv[1] : NULL);
  failed = _cmocka_run_group_tests("crash", tests, count, NULL, NULL);
  print_message("figure: %lu crash states checked, %lu of them written to\n", total.states,
                total.written_on);
  return failed;
}
