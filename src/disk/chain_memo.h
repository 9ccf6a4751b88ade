// SPDX-License-Identifier: MIT
// Remembers, for small pieces of a disk with parents, how many links from the top hold nothing
// there, so that a scattered read asks one link in place of all.
#ifndef VMDK_DISK_CHAIN_MEMO_H
#define VMDK_DISK_CHAIN_MEMO_H

#include <atomic>
#include <cstdint>
#include <vector>

namespace vmdk {

struct Link;

// Any number of threads.
class ChainMemo final {
 public:
  // Works only where every extent begins at a multiple of the cell, which is as small as the
  // smallest grain: then a grain that is absent leaves a whole cell, or several, absent.
  explicit ChainMemo(const std::vector<Link>& links);

  // Size of a cell; 0 if the chain is not fit for this.
  std::uint64_t cell_bytes() const noexcept { return cell_bytes_; }

  // Links from the top that hold nothing in the cell of `offset`, as far as that is known.
  std::size_t absent_links(std::uint64_t offset) const noexcept;

  // Something may be stored in the range now.
  void forget(std::uint64_t offset, std::uint64_t size) noexcept;

  // The first `links` links hold nothing in the whole cell of `offset`.
  void learn(std::uint64_t offset, std::size_t links) noexcept;

 private:
  static constexpr std::size_t kCells = 32768;
  static constexpr unsigned kLinkBits = 11;  // 1024 links and one more

  std::uint64_t cell_bytes_ = 0;
  // Each is the number of a cell and the number of links.
  std::vector<std::atomic<std::uint64_t>> cells_;
};

}  // namespace vmdk

#endif
