// SPDX-License-Identifier: MIT
// Grain directory and grain tables of hosted sparse and COWD extents: which grain is stored where
// (VDF, "Grain Directory", "Grain Table"). Entries are judged when they are used: what leads
// outside the file or into metadata is an error, never data.
#ifndef VMDK_EXTENT_GRAIN_TABLE_H
#define VMDK_EXTENT_GRAIN_TABLE_H

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "extent/extent.h"
#include "extent/table_cache.h"
#include "extent/table_changes.h"
#include "format/sparse_header.h"
#include "io/file.h"
#include "util/reporter.h"

namespace vmdk {

// What an extent shares with the others of its chain.
struct Shared {
  TableCache& tables;
  Reporter& reporter;
  bool recover;  // read through whichever copy of a table is sane
  std::uint64_t max_table_bytes;
};

// Grains from some grain on that are stored in one way; data lies adjacent in the file, unless it
// is compressed.
struct GrainRun {
  RunKind kind;
  std::uint64_t grains;
  std::uint64_t sector;  // of the first grain, if it is data
};

// Const functions: any number of threads.
class GrainTable final {
 public:
  // Entries that are no place, and the size of each.
  static constexpr std::uint32_t kAbsent = 0, kZero = 1;
  static constexpr std::uint64_t kEntrySize = 4;

  // Throws VMDK_ERR_CORRUPT if the directory is not inside the file (when recovering, neither
  // copy).
  GrainTable(File& file, const GrainLayout& layout, const Shared& shared);
  ~GrainTable();
  GrainTable(const GrainTable&) = delete;
  GrainTable& operator=(const GrainTable&) = delete;

  // The run from `grain` on, at most `most` grains of it, at least one.
  GrainRun run(std::uint64_t grain, std::uint64_t most) const;

  // Fills the sectors of grains that run() found to be data.
  void sectors(std::uint64_t grain, std::span<std::uint32_t> out) const;

  // As sectors() for one grain; 0 if it is beyond the end, no data or damaged.
  std::uint32_t peek(std::uint64_t grain) const;

  // As peek(), but 0 also where the entry is not beside that of the grain before, which was looked
  // up: nothing is read that could fail.
  std::uint32_t peek_next(std::uint64_t grain) const;

  const GrainLayout& layout() const noexcept { return layout_; }
  std::uint64_t recovered() const noexcept { return recovered_.load(std::memory_order_relaxed); }

  // -- To write. Beside these nothing may run. Changes are seen at once and stay in memory until
  // they are written.

  // Looks through all of the directory and the tables, to be called before the first change. Throws
  // VMDK_ERR_CORRUPT if an entry leads outside the file or into metadata, or two tables or grains
  // share a sector: the growth of the file would make such an entry come alive. With `unclean` the
  // redundant tables are compared, and where they differ changed to be as the primary ones.
  void check_all(bool unclean);

  // Tables that check_all() found to have no redundant copy: give each one.
  const std::vector<std::uint64_t>& uncopied() const noexcept { return uncopied_; }
  void copy_table(std::uint64_t index, std::uint64_t redundant_sector);

  bool has_table(std::uint64_t index) const { return find_table(index).sector > 1; }
  // Sectors of one table.
  std::uint64_t table_sectors() const noexcept;
  bool has_redundant() const noexcept { return layout_.rgd_sector.has_value(); }
  // The table is at `sector`, its copy at `redundant_sector` (if there are such); both are zeros.
  void add_table(std::uint64_t index, std::uint64_t sector, std::uint64_t redundant_sector);

  // Makes ready for setting the entries of these grains, all of one table that is there.
  void touch(std::uint64_t grain, std::uint64_t count);
  // Of grains that touch() made ready; adjacent ones at adjacent places (or all 0 or 1).
  void set(std::uint64_t grain, std::uint64_t count, std::uint32_t entry) noexcept;

  TableChanges& changes() noexcept { return changes_; }

 private:
  // Where a table is: 0 = there is none, 1 = its grains are zeros.
  struct Table {
    std::uint64_t sector;
    bool redundant;
  };

  Table find_table(std::uint64_t index) const;
  Table look_up_table(std::uint64_t index) const;
  bool is_table(std::uint64_t index, std::uint32_t sector) const noexcept;
  std::uint32_t directory_entry(std::uint64_t directory_sector, std::uint64_t index) const;
  std::optional<std::uint32_t> readable_entry(std::uint64_t directory_sector,
                                              std::uint64_t index) const;
  std::size_t entries(std::uint64_t grain, const Table& table, std::span<std::uint32_t> out) const;
  void read_entries(std::uint64_t grain, const Table& table, std::span<std::uint32_t> out) const;
  std::uint64_t bytes_needed(std::uint64_t grain) const noexcept;
  bool is_grain(std::uint64_t grain, std::uint32_t sector, const Table& table) const noexcept;
  bool is_sane(std::uint64_t grain, std::uint32_t entry, const Table& table) const noexcept {
    return entry <= 1 || is_grain(grain, entry, table);
  }
  std::optional<std::uint32_t> sane_copy(std::uint64_t grain) const;
  std::uint32_t mend(std::uint64_t grain, std::uint32_t entry, const Table& table) const;
  GrainRun join(std::uint64_t grain, std::uint64_t most, const Table& table) const;
  void learn_inner_tables() const;
  bool overlaps_metadata(std::uint64_t sector, std::uint64_t sectors) const noexcept;
  bool overlaps_inner_table(std::uint64_t sector, std::uint64_t sectors) const noexcept;
  std::uint64_t grains_in_table(std::uint64_t index) const noexcept;
  void note_recovered(std::uint64_t key, const std::string& message) const;
  [[noreturn]] void throw_damaged(const std::string& what) const;

  std::vector<std::uint32_t> read_directory(std::uint64_t sector) const;
  void check_tables(const std::vector<std::uint32_t>& primary,
                    const std::vector<std::uint32_t>& redundant);
  void check_grains(const std::vector<std::uint32_t>& primary) const;
  void compare_copies(const std::vector<std::uint32_t>& primary,
                      const std::vector<std::uint32_t>& redundant);
  template <class Visit>
  void visit_tables(const std::vector<std::uint32_t>& primary, Visit visit) const;
  [[noreturn]] void refuse(const std::string& what) const;

  const File& file_;
  GrainLayout layout_;
  Shared shared_;
  std::uint32_t number_;  // of the file in the cache
  std::uint64_t grains_;
  TableChanges changes_;
  bool gd_lost_ = false;   // the primary directory is not inside the file
  bool rgd_lost_ = false;  // nor is the redundant one, where there should be one
  std::vector<std::uint64_t> uncopied_;
  std::array<SectorRange, 4>
      metadata_;  // header, descriptor, both directories; of size 0 where there is none

  // Tables of the primary directory found lately: the lower half is the sector, the upper the
  // index.
  static constexpr std::size_t kMemo = 32;
  using Memo = std::array<std::atomic<std::uint64_t>, kMemo>;
  Memo& memo() const;
  mutable std::atomic<Memo*> memo_{nullptr};

  // Sectors of the tables that stand among the grains, in order; learned before the first grain is
  // judged.
  mutable std::vector<std::uint32_t> inner_tables_;
  mutable std::atomic<bool> learned_{false};

  mutable std::atomic<std::uint64_t> recovered_{0};
  mutable std::mutex mutex_;
  mutable std::set<std::uint64_t> reported_;
};

}  // namespace vmdk

#endif
