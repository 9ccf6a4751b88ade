/* SPDX-License-Identifier: MIT */
/* Builds what a crash can leave behind at every moment of a recorded run, and checks each of these
 * states.
 *
 * Of each file everything up to its last sync is there; of what came later any part may be: whole
 * calls, sectors of them, the length without the content and the content without the length. Names
 * change in order and at once. */
#ifndef VMDK_TEST_CRASH_STATES_H
#define VMDK_TEST_CRASH_STATES_H

#include "support/workload.h"

struct crash_options {
  unsigned exhaustive; /* up to so many unsynced calls all combinations are tried */
  unsigned random;     /* beyond that so many, besides the simple ones */
  unsigned write_on;   /* every so many states are written to, closed and checked again */
  unsigned again;      /* every so many are where another run begins, and crashes; 0 = none */
};

struct crash_count {
  unsigned long states; /* different ones that were checked */
  unsigned long same;   /* others that were the same */
  unsigned long written_on;
};

/* Gives 0 if a state is not as it must be. */
int check_crashes(const struct run* run, const struct crash_options* options,
                  struct crash_count* count, char* why, size_t size);

/* Checks the files as they would be after `place` records of the log. */
int check_state(const struct run* run, const struct store* store, size_t place, int write_on,
                char* why, size_t size);

#endif
