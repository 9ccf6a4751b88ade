/* SPDX-License-Identifier: MIT */
/* Does the crash suite notice what it is there for? Linked with a build of the library that has the
 * faults of src/util/mutant.h, of which one at a time is switched on in a process of its own. */
#define _POSIX_C_SOURCE 200809L /* fork, alarm */
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"
#include "support/crash_states.h"

int vmdk_mutant;

static const char* const names[] = {"none",
                                    "no barrier before the tables",
                                    "tables before grains",
                                    "no sync after the tables",
                                    "flag cleared early",
                                    "flag never set",
                                    "content ID late",
                                    "content ID not synced",
                                    "freed grain reused at once",
                                    "new grain not filled",
                                    "directory before its table",
                                    "redundant tables not written",
                                    "free sector late",
                                    "descriptor overwritten",
                                    "published before it is synced"};

/* Kinds that together have everything a mutant can break. */
static const char* const chosen[] = {
    "sparse",         "sparse without tables",    "split sparse", "COWD", "COWD without tables",
    "COWD on sparse", "sparse on sparse, 64 KiB", "flat"};

static const struct step sequences[][8] = {
    {{OP_WRITE, 0, 4096}, {OP_WRITE, 37000, 5000}, {OP_FLUSH, 0, 0}, {OP_WRITE, 33000, 3000}},
    {{OP_WRITE, 36000, 6000}, {OP_FLUSH, 0, 0}, {OP_WRITE, 2097000, 9000}, {OP_FLUSH, 0, 0}},
    {{OP_DISCARD, 0, 24576}, {OP_WRITE, 65536, 12288}, {OP_FLUSH, 0, 0}, {OP_WRITE, 81920, 9000}},
    {{OP_DISCARD, 0, 24576}, {OP_FLUSH, 0, 0}, {OP_WRITE, 65536, 12288}, {OP_REOPEN, 0, 0}},
    {{OP_WRITE, 2097152, 4096}, {OP_WRITE, 1048000, 2000}, {OP_FLUSH, 0, 0}},
    {{OP_SET_TEXT, 0, 900}, {OP_SET_TEXT, 0, 5}, {OP_WRITE, 100, 100}},
    {{OP_SNAPSHOT, 0, 0}, {OP_WRITE, 100, 100}},
};

static int is_end(const struct step* step) { return step->op == OP_WRITE && step->size == 0; }

/* Gives 0 if something was noticed. */
static int check_run(struct run* run) {
  const struct crash_options options = {5, 4, 64, 0};
  struct crash_count count = {0, 0, 0};
  char why[2048] = "";
  int good = run->problem[0] == 0;

  if (good) good = check_crashes(run, &options, &count, why, sizeof(why));
  if (!good) printf("    %s: %.150s%.150s\n", run->made->kind->name, run->problem, why);
  return good;
}

static int check_kind(const struct kind* kind) {
  struct made made, nothing;
  struct run run;
  size_t i, j;
  int good = 1;

  if (kind_is_created(kind)) {
    make_nothing(kind, &nothing);
    run_begin(&run, &nothing, NULL, 1);
    run_create(&run);
    run_end(&run);
    good = check_run(&run);
    run_free(&run);
    made_free(&nothing);
  }
  if (!good) return 0;
  if (make_kind(kind, &made) != 0) return 0;
  for (i = 0; good && i < COUNT(sequences); ++i) {
    run_begin(&run, &made, NULL, 1);
    for (j = 0; j < COUNT(sequences[i]) && !is_end(&sequences[i][j]); ++j)
      run_step(&run, &sequences[i][j]);
    run_end(&run);
    good = check_run(&run);
    run_free(&run);
  }
  made_free(&made);
  return good;
}

static int check_all(void) {
  size_t i, j;

  for (i = 0; i < COUNT(chosen); ++i)
    for (j = 0; j < kind_count; ++j)
      if (strcmp(kinds[j].name, chosen[i]) == 0 && !check_kind(kinds + j)) return 0;
  return 1;
}

/* In a process of its own; what ends it in another way is noticed, too. */
static int is_noticed(int mutant) {
  int status = 0;
  pid_t child;

  (void)fflush(stdout);
  child = fork();
  if (child == 0) {
    (void)alarm(120);
    vmdk_mutant = mutant;
    status = check_all();
    (void)fflush(stdout);
    _exit(status ? 0 : 1);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) abort();
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int main(int argc, char** argv) {
  int mutant, noticed = 0, all = 0, wrong;

  if (argc > 1) return is_noticed(atoi(argv[1]));
  wrong = is_noticed(0);
  if (wrong) printf("the library without a mutant fails\n");
  for (mutant = 1; mutant < (int)COUNT(names); ++mutant) {
    int caught;
    ++all;
    printf("mutant %d, %s:\n", mutant, names[mutant]);
    caught = is_noticed(mutant);
    printf("    %s\n", caught ? "caught" : "NOT CAUGHT");
    noticed += caught;
  }
  printf("figure: %d of %d mutants caught\n", noticed, all);
  return wrong || noticed != all;
}
