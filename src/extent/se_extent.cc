// SPDX-License-Identifier: MIT
#include "extent/se_extent.h"

#include <algorithm>
#include <array>

#include "extent/sparse_extent.h"
#include "util/checked.h"
#include "util/error.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kEntrySize = 8;
constexpr std::uint64_t kTablesPerRun = 65536;  // bounds the work of one run()

RunKind kind_of_grain(SeGrain grain) noexcept {
  return grain == SeGrain::data   ? RunKind::data
         : grain == SeGrain::zero ? RunKind::zero
                                  : RunKind::absent;
}

}  // namespace

SeExtent::SeExtent(const File& file, const SeHeader& header, std::uint64_t size,
                   const Shared& shared)
    : file_(file),
      header_(header),
      size_(size),
      tables_(shared.tables),
      number_(shared.tables.add_file()) {
  const std::uint64_t tables = divide_up(size_, grain_bytes() * kSeTableEntries);
  const std::uint64_t room = header_.directory.sectors * kSectorSize;
  if (tables * kEntrySize > room)
    throw_corrupt(file_.name(), "the grain directory of " + std::to_string(room) +
                                    " bytes is too small for " + std::to_string(tables) +
                                    " tables");
  if (header_.directory.sector == 0 || header_.grains.sector == 0 || header_.tables.sector == 0)
    throw_corrupt(file_.name(),
                  "the header leaves out where the grain directory, the tables or the grains are");
  check_inside(file_, header_.directory.sector * kSectorSize, tables * kEntrySize);
  check_regions();
}

// What two regions share would be read as both.
void SeExtent::check_regions() const {
  struct Named {
    const char* name;
    SeHeader::Region region;
  };
  const std::array<Named, 5> all{{{"header", {0, 1}},
                                  {"volatile header", header_.volatile_header},
                                  {"grain directory", header_.directory},
                                  {"grain tables", header_.tables},
                                  {"grain area", header_.grains}}};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (all[i].region.sector < all[j].region.sector + all[j].region.sectors &&
          all[j].region.sector < all[i].region.sector + all[i].region.sectors)
        throw_corrupt(file_.name(), std::string("the ") + all[j].name + " at sector " +
                                        std::to_string(all[j].region.sector) + " and the " +
                                        all[i].name + " at sector " +
                                        std::to_string(all[i].region.sector) + " overlap");
}

std::uint64_t SeExtent::directory_entry(std::uint64_t index) const {
  std::array<std::byte, kEntrySize> bytes;
  tables_.read(file_, number_, header_.directory.sector * kSectorSize + index * kEntrySize, bytes);
  return load_le<std::uint64_t>(bytes, 0);
}

std::uint64_t SeExtent::find_table(std::uint64_t index) const {
  const std::uint64_t entry = directory_entry(index);
  if (entry == 0) return 0;
  const auto number = se_table_number(entry);
  const std::uint64_t sector = number ? header_.tables.sector + *number * kSeTableSectors : 0;
  const std::uint64_t size = kSeTableSectors * kSectorSize;
  if (!number || !in_bounds(*number * kSeTableSectors, kSeTableSectors, header_.tables.sectors) ||
      !in_bounds(sector * kSectorSize, size, file_.size()))
    throw_corrupt(file_.name(), "entry " + std::to_string(index) + " of the grain directory (" +
                                    std::to_string(entry) +
                                    ") leads to no grain table inside the file (" +
                                    std::to_string(file_.size()) + " bytes)");
  return sector * kSectorSize;
}

std::uint64_t SeExtent::grain_sector(std::uint64_t grain, std::uint64_t entry) const noexcept {
  const std::uint64_t number = se_grain_number(entry);
  const std::uint64_t bytes = std::min(grain_bytes(), size_ - grain * grain_bytes());
  if (number > UINT64_MAX / 1024 / kSeGrainSectors) return 0;
  const std::uint64_t begin = number * kSeGrainSectors;
  if (!in_bounds(begin, divide_up(bytes, kSectorSize), header_.grains.sectors)) return 0;
  const std::uint64_t sector = header_.grains.sector + begin;
  return in_bounds(sector * kSectorSize, bytes, file_.size()) ? sector : 0;
}

GrainRun SeExtent::run(std::uint64_t grain, std::uint64_t most) const {
  const std::uint64_t index = grain / kSeTableEntries;
  const std::uint64_t table = find_table(index);
  std::uint64_t end = (index + 1) * kSeTableEntries;
  if (table != 0) return join(grain, std::min(most, end - grain), table);
  for (std::uint64_t next = index + 1; end < grain + most && next < index + kTablesPerRun; ++next) {
    if (directory_entry(next) != 0) break;
    end += kSeTableEntries;
  }
  return {RunKind::absent, std::min(most, end - grain), 0};
}

GrainRun SeExtent::join(std::uint64_t grain, std::uint64_t most, std::uint64_t table) const {
  std::array<std::byte, 128 * kEntrySize> buffer;
  GrainRun run{RunKind::absent, 0, 0};
  while (run.grains < most) {
    const std::uint64_t first = grain + run.grains;
    const auto want = static_cast<std::size_t>(
        std::min(buffer.size() / kEntrySize, std::size_t{most - run.grains}));
    const MutableBytes some = MutableBytes(buffer).first(want * kEntrySize);
    tables_.read(file_, number_, table + first % kSeTableEntries * kEntrySize, some);
    for (std::size_t i = 0; i < want; ++i) {
      const auto entry = load_le<std::uint64_t>(some, i * kEntrySize);
      const SeGrain kind = se_grain_kind(entry);
      const std::uint64_t sector = kind == SeGrain::data ? grain_sector(first + i, entry) : 0;
      const bool damaged = kind == SeGrain::damaged || (kind == SeGrain::data && sector == 0);
      if (run.grains == 0) {
        if (damaged)
          throw_corrupt(file_.name(), "the table entry of grain " + std::to_string(grain) + " (" +
                                          std::to_string(entry) +
                                          ") is of no known kind or leads outside the file (" +
                                          std::to_string(file_.size()) + " bytes)");
        run.kind = kind_of_grain(kind);
        run.sector = sector;
      } else if (damaged || kind_of_grain(kind) != run.kind ||
                 (run.kind == RunKind::data &&
                  sector != run.sector + run.grains * kSeGrainSectors)) {
        return run;
      }
      ++run.grains;
    }
  }
  return run;
}

Run SeExtent::map(std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t grain = offset / grain_bytes();
  const std::uint64_t last = (offset + size - 1) / grain_bytes();
  return bytes_of(run(grain, last - grain + 1), grain_bytes(), offset, size);
}

}  // namespace vmdk
