// SPDX-License-Identifier: MIT
// Sectors of grain directories and tables that were changed and are not yet in their file.
#ifndef VMDK_EXTENT_TABLE_CHANGES_H
#define VMDK_EXTENT_TABLE_CHANGES_H

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "extent/table_cache.h"
#include "io/file.h"
#include "util/bytes.h"

namespace vmdk {

// To whoever reads through it, the file with the changes in it. Readers as of any file; what
// changes it needs to be alone.
class TableChanges final : public File {
 public:
  // A changed sector. The same bytes go to its twin, the sector of the redundant table.
  struct Sector {
    std::array<std::byte, kSectorSize> bytes;
    std::uint64_t twin;  // 0 = none
    bool last;           // written when all others are durable
  };

  TableChanges(File& file, TableCache& cache, std::uint32_t number)
      : file_(file), cache_(cache), number_(number) {}
  ~TableChanges() override { forget(); }

  // The sector of that number, to be changed with set(); read from the file the first time.
  Sector& touch(std::uint64_t sector, std::uint64_t twin, bool last);
  // Changes the entry at a byte of the file, whose sector was touched.
  void set(std::uint64_t offset, std::uint32_t entry) noexcept;

  bool empty() const noexcept { return sectors_.empty(); }
  bool has_last() const noexcept;

  // Writes all changes but the last ones, twins first; then those. They stay until forget().
  void write();
  void write_last();
  // They are durable.
  void forget() noexcept;

  void read_at(std::uint64_t offset, MutableBytes out) const override;
  std::uint64_t size() const override { return file_.size(); }
  std::uint64_t stored_bytes() const override { return file_.stored_bytes(); }
  const std::string& name() const override { return file_.name(); }
  std::string identity() const override { return file_.identity(); }
  std::uint64_t next_data(std::uint64_t offset) const override { return file_.next_data(offset); }

 private:
  struct Place {
    std::uint64_t sector;
    const Sector* content;
  };
  void write_places(std::vector<Place>& places);

  File& file_;
  TableCache& cache_;
  std::uint32_t number_;  // of the file in the cache
  std::unordered_map<std::uint64_t, Sector> sectors_;
};

}  // namespace vmdk

#endif
