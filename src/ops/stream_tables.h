// SPDX-License-Identifier: MIT
// Are the tables of a stream those of its grains? Told from both as they come, in any order,
// without keeping them: of a table there is kept how many grains it names and a sum over them that
// no two tables share but by chance.
#ifndef VMDK_OPS_STREAM_TABLES_H
#define VMDK_OPS_STREAM_TABLES_H

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "util/bytes.h"

namespace vmdk {

struct TableShape {
  std::uint64_t grains;       // of the disk
  std::uint64_t gtes_per_gt;  // not 0

  std::uint64_t tables() const noexcept { return (grains + gtes_per_gt - 1) / gtes_per_gt; }
  std::uint64_t grains_in(std::uint64_t table) const noexcept {
    return std::min(gtes_per_gt, grains - table * gtes_per_gt);
  }
};

// What a table names, or what came of it.
struct TableSum {
  std::uint64_t grains = 0, mixed = 0;

  bool operator==(const TableSum&) const = default;
};

// Nobody can make two sums equal who does not know the key.
class TableMixer final {
 public:
  TableMixer();
  void add(TableSum& sum, std::uint64_t entry, std::uint64_t sector) const noexcept;
  void remove(TableSum& sum, std::uint64_t entry, std::uint64_t sector) const noexcept;

 private:
  std::uint64_t mix(std::uint64_t entry, std::uint64_t sector) const noexcept;
  std::uint64_t key_;
};

// Which grains there were. Memory only for parts of the disk that have some.
class GrainsSeen final {
 public:
  // False if it is there already.
  bool insert(std::uint64_t grain);
  // Grains of a table that are not asked for any more.
  void forget(std::uint64_t table, std::uint64_t gtes_per_gt);

 private:
  static constexpr std::uint64_t kBlock = 512;
  std::map<std::uint64_t, std::bitset<kBlock>> blocks_;
};

// All functions of both classes throw VMDK_ERR_CORRUPT. `at` is a byte of the stream; of a grain,
// where its marker stands.

// For streams with directory and tables before the grains.
class TablesInFront final {
 public:
  TablesInFront(std::string name, const TableShape& shape)
      : name_(std::move(name)), shape_(shape) {}

  // A table in pieces; then, when all came, ready().
  void begin_table(std::uint64_t table) noexcept;
  void add_entries(Bytes entries) noexcept;
  void end_table();
  void ready();

  void add_grain(std::uint64_t grain, std::uint64_t at);
  // The stream is over: did all come?
  void finish(std::uint64_t at) const;

 private:
  struct Table {
    std::uint64_t index;
    TableSum missing;
  };

  std::string name_;
  TableShape shape_;
  TableMixer mixer_;
  Table reading_{};
  std::uint64_t entry_ = 0;
  std::vector<Table> tables_;  // that name grains, by index
  GrainsSeen seen_;
};

// For streams whose tables follow their grains. What number a table has is not known before the
// directory tells; the one that is that of the grains right before it is recognised.
class TablesBehind final {
 public:
  TablesBehind(std::string name, const TableShape& shape) : name_(std::move(name)), shape_(shape) {}

  void add_grain(std::uint64_t grain, std::uint64_t at);

  // A table in pieces.
  void begin_table(std::uint64_t at);
  void add_entries(Bytes entries);
  void end_table();

  // An entry of the directory. All of them, in order.
  void check_directory(std::uint64_t table, std::uint32_t entry, std::uint64_t at) const;

 private:
  static constexpr std::size_t kMaxRun = 4096;  // entries that are compared one by one

  struct Stored {
    std::uint32_t entry, sector;
  };
  // The first entry that is not that of the grains before the table.
  struct Difference {
    std::uint64_t table, entry;
    std::uint32_t found, wanted;
  };
  struct Came {
    TableSum all;                          // over all entries
    TableSum in_last;                      // over those that the last table of the disk uses
    std::optional<Difference> difference;  // from the grains before
  };

  [[noreturn]] void throw_difference(const Difference& difference, std::uint64_t at) const;

  std::string name_;
  TableShape shape_;
  TableMixer mixer_;
  GrainsSeen seen_;
  std::map<std::uint64_t, TableSum> open_;         // grains by table, where it was not recognised
  std::map<std::uint64_t, std::uint64_t> closed_;  // tables that were, and their sectors
  std::map<std::uint64_t, Came> came_;             // tables that were not, by sector

  // The last grains that came, while they are of one table.
  std::uint64_t run_table_ = UINT64_MAX;
  std::vector<Stored> run_;
  bool run_whole_ = true;  // all of them are in run_

  // The table that is being read.
  std::uint64_t table_at_ = 0, entry_ = 0, matches_ = 0;
  Came reading_;
  std::vector<std::uint32_t>
      wanted_;  // its entries, by the grains before; empty if that is not known
};

}  // namespace vmdk

#endif
