// SPDX-License-Identifier: MIT
// Blocks of files that hold grain directories and tables, kept in memory up to a number of bytes
// for a whole chain. A block that is here is read without a lock.
#ifndef VMDK_EXTENT_TABLE_CACHE_H
#define VMDK_EXTENT_TABLE_CACHE_H

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "io/file.h"
#include "util/bytes.h"

namespace vmdk {

class TableCache final {
 public:
  static constexpr std::size_t kBlockSize = 4096;  // what is read at once, at a multiple of it

  explicit TableCache(std::uint64_t max_bytes);
  ~TableCache();
  TableCache(const TableCache&) = delete;
  TableCache& operator=(const TableCache&) = delete;

  // A number by which a file is known here. One thread at a time, before reading.
  std::uint32_t add_file() noexcept { return next_file_++; }

  // Fills all of `out`, which lies inside the file. `offset` and the size are multiples of 4. Any
  // number of threads.
  void read(const File& file, std::uint32_t number, std::uint64_t offset, MutableBytes out);

  // The file has other bytes there now: a multiple of 4 of them at a multiple of 4, inside a block.
  // No reader may be in it.
  void patch(std::uint32_t number, std::uint64_t offset, Bytes bytes) noexcept;

  // Sectors of tables of the chain that are changed and not yet in their files.
  std::size_t changes() const noexcept { return changes_; }
  void note_changes(std::ptrdiff_t more) noexcept {
    changes_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(changes_) + more);
  }

 private:
  static constexpr std::size_t kBlockWords = kBlockSize / 4;
  static constexpr std::size_t kWays = 4, kSetsPerShard = 16;

  using Block = std::array<std::atomic<std::uint32_t>, kBlockWords>;

  // The sequence is odd while the slot changes, and differs afterwards: a reader that saw the same
  // even value before and after has read one consistent block.
  struct Slot {
    std::atomic<std::uint32_t> sequence{0};
    std::atomic<std::uint64_t> tag{0};  // 0 = empty
    std::atomic<Block*> block{nullptr};
  };
  struct Set {
    std::array<Slot, kWays> slots;
    unsigned next_victim = 0;  // guarded by the mutex of the shard
  };
  struct Shard {
    std::mutex mutex;
    std::array<Set, kSetsPerShard> sets;
  };

  Shard& shard(std::size_t index);
  bool copy(const Set& set, std::uint64_t tag, std::size_t at, MutableBytes out) const noexcept;
  void fill(Shard& home, Set& set, std::uint64_t tag, const File& file, std::uint64_t begin,
            std::size_t at, MutableBytes out);

  struct Home {
    std::size_t shard, set;
    std::uint64_t tag;
  };
  // Where the block belongs; nothing if its number or that of the file is too large to be kept.
  bool find_home(std::uint32_t number, std::uint64_t block, Home& home) const noexcept;

  std::size_t changes_ = 0;
  std::uint32_t next_file_ = 0;
  unsigned shift_;  // a hash shifted by it is the number of a set
  std::mutex mutex_;
  std::vector<std::atomic<Shard*>> shards_;  // made when first used
};

}  // namespace vmdk

#endif
