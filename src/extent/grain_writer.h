// SPDX-License-Identifier: MIT
// Changes the grains of a hosted sparse or COWD extent: in place where they are stored; else at the
// end of the file, or where a freed grain was. Tables are changed in memory only, after what they
// point to is in the file.
#ifndef VMDK_EXTENT_GRAIN_WRITER_H
#define VMDK_EXTENT_GRAIN_WRITER_H

#include <cstdint>
#include <vector>

#include "extent/extent.h"
#include "extent/grain_table.h"
#include "io/file.h"

namespace vmdk {

// One thread, and nothing beside it. Functions as those of Extent.
class GrainWriter final {
 public:
  struct Facts {
    bool cowd;
    bool unclean;       // when it was opened
    bool zero_entries;  // an entry may say that a grain is zeros
  };

  GrainWriter(File& file, GrainTable& table, const Facts& facts)
      : file_(file), table_(table), facts_(facts), unclean_(facts.unclean) {}

  bool unclean() const noexcept { return unclean_; }

  void prepare();
  void write(std::uint64_t offset, Bytes in, const Below& below);
  void zero(std::uint64_t offset, std::uint64_t size, const Below& below, bool give_back);

  bool has_changes() const noexcept { return !table_.changes().empty(); }
  bool has_last_changes() const noexcept { return table_.changes().has_last(); }
  void before_sync();
  void saved();
  void finish();

 private:
  std::uint64_t grain_bytes() const noexcept { return table_.layout().grain_sectors * kSectorSize; }
  std::uint64_t size() const noexcept { return table_.layout().capacity_sectors * kSectorSize; }
  // Where a grain ends on the extent.
  std::uint64_t end_of(std::uint64_t grain) const noexcept;

  void mark();
  void set_unclean(bool unclean);
  std::uint64_t take(std::uint64_t sectors);
  void grow_to(std::uint64_t sector);
  void need_table(std::uint64_t grain);
  void write_new(std::uint64_t offset, Bytes in, const Below& below);
  void write_filled(std::uint64_t grain, std::uint64_t offset, Bytes in, const Below& below);
  void store(std::uint64_t grain, std::uint64_t count, std::uint64_t within, Bytes in);
  std::uint64_t free_neighbours(std::uint64_t most) const noexcept;
  void store_again(std::uint64_t grain, std::uint64_t count, std::uint64_t within, Bytes in);
  void zero_stored(const GrainRun& run, std::uint64_t grain, std::uint64_t offset,
                   std::uint64_t size, const Below& below, bool give_back);
  void zero_absent(std::uint64_t offset, std::uint64_t size, const Below& below);
  void zero_in_grain(std::uint64_t grain, std::uint64_t offset, std::uint64_t size,
                     const Below& below);
  bool free(std::uint64_t grain, std::uint32_t sector, const Below& below);

  File& file_;
  GrainTable& table_;
  Facts facts_;
  bool unclean_;             // what the header says
  bool prepared_ = false;    // the tables were looked through
  bool marked_ = false;      // the header says that it is in use
  bool taken_ = false;       // space at the end was taken
  bool tail_dirty_ = false;  // a failed write has perhaps left bytes at end_
  std::uint64_t end_ = 0;  // sector: space from here on is free, and zeros as far as the file goes
  std::uint64_t free_sector_ = 0;     // COWD: in the header
  std::vector<std::uint32_t> freed_;  // grains that are free once the tables are durable
  std::vector<std::uint32_t> free_;   // grains to be used again
  Buffer buffer_;                     // of a grain
};

}  // namespace vmdk

#endif
