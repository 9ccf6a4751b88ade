// SPDX-License-Identifier: MIT
// Faults that can be switched on in a build for tests, to prove that the tests of crash safety
// notice them (tests/proof). In every other build there are none.
#ifndef VMDK_UTIL_MUTANT_H
#define VMDK_UTIL_MUTANT_H

namespace vmdk {

enum class Mutant {
  none,
  no_barrier_before_tables,  // tables are written without their grains being durable
  tables_before_grains,      // an entry is written before the grain it points to
  no_sync_after_tables,      // a flush returns before the tables are durable
  flag_cleared_early,        // the unclean flag goes before the last flush
  flag_never_set,            // the unclean flag is not set
  content_id_late,           // the content ID changes after the first data
  content_id_not_synced,     // the content ID is not durable before the first data
  freed_reused_at_once,      // a freed grain is used again before that it is free is durable
  grain_not_filled,          // a new grain does not get the rest of its content from the parent
  directory_before_table,    // a directory entry is written before its new table is durable
  redundant_not_written,     // the redundant tables are left behind
  free_sector_late,          // COWD: the free sector is written after what uses it
  text_overwritten,          // a descriptor is edited in place over several sectors
  published_unsynced,        // a new file gets its name before its content is durable
  count
};

#ifdef VMDK_MUTANTS
extern "C" int vmdk_mutant;  // defined by the test
inline bool is_mutant(Mutant mutant) noexcept { return vmdk_mutant == static_cast<int>(mutant); }
#else
constexpr bool is_mutant(Mutant) noexcept { return false; }
#endif

}  // namespace vmdk

#endif
