// SPDX-License-Identifier: MIT
#include "disk/disk.h"

#include <algorithm>
#include <array>

#include "util/checked.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

std::size_t Link::slot_at(std::uint64_t offset) const noexcept {
  if (slots.size() == 1) return 0;
  const auto behind =
      std::upper_bound(slots.begin(), slots.end(), offset,
                       [](std::uint64_t o, const Slot& slot) { return o < slot.begin; });
  // Of several that begin here all but the last are empty.
  return static_cast<std::size_t>(behind - slots.begin()) - 1;
}

// Goes through a range of the disk, run by run. What a link does not hold is asked of the next one;
// how far each link holds nothing is remembered, so that it is asked once.
class Disk::Walk final {
 public:
  Walk(const Disk& disk, std::uint64_t offset, std::uint64_t size, std::size_t first_link = 0)
      : links_(disk.links_),
        memo_(disk.memo_),
        first_link_(first_link),
        offset_(offset),
        end_(offset + size) {
    if (links_.size() > few_.size()) many_.resize(links_.size());
    absent_until_ = many_.empty() ? few_.data() : many_.data();
    // What is remembered is cut into cells, which would cut a long read into as many pieces.
    use_memo_ = first_link == 0 && memo_.cell_bytes() != 0 && size <= memo_.cell_bytes();
  }

  bool done() const noexcept { return offset_ == end_; }
  std::uint64_t offset() const noexcept { return offset_; }
  void advance(std::uint64_t size) noexcept { offset_ += size; }

  DiskRun next() {
    std::uint64_t until = end_;  // where this run ends at the latest
    std::uint64_t cell_begin = 0;
    std::size_t first = first_link_;
    if (use_memo_) {
      cell_begin = offset_ - offset_ % memo_.cell_bytes();
      until = std::min(until, cell_begin + memo_.cell_bytes());
      first = memo_.absent_links(offset_);
    }
    bool whole_cell = use_memo_;  // do the links so far hold nothing in all of it?
    for (std::size_t i = first; i < links_.size(); ++i) {
      const Link& link = links_[i];
      if (offset_ < absent_until_[i]) {
        until = std::min(until, absent_until_[i]);
        whole_cell = false;  // not known any more
        continue;
      }
      if (offset_ >= link.capacity) {  // a parent smaller than its child
        absent_until_[i] = UINT64_MAX;
        whole_cell = whole_cell && cell_begin >= link.capacity;
        continue;
      }
      const std::size_t at = link.slot_at(offset_);
      const Link::Slot& slot = link.slots[at];
      const std::uint64_t within = offset_ - slot.begin;
      const std::uint64_t size = std::min(until - offset_, slot.extent->size() - within);
      DiskRun found{map(i, at, within, size), static_cast<std::uint32_t>(i),
                    static_cast<std::uint32_t>(at)};
      if (found.run.kind != RunKind::absent) {
        if (whole_cell && i > first) memo_.learn(offset_, i);
        return found;
      }
      absent_until_[i] = offset_ + found.run.size;
      until = absent_until_[i];
    }
    if (whole_cell && first < links_.size()) memo_.learn(offset_, links_.size());
    return {{RunKind::absent, false, 0, until - offset_, UINT64_MAX}};
  }

 private:
  Run map(std::size_t link, std::size_t slot, std::uint64_t within, std::uint64_t size) const {
    try {
      return links_[link].slots[slot].extent->map(within, size);
    } catch (Error& error) {
      error.add_place(static_cast<std::uint32_t>(link), static_cast<std::uint32_t>(slot), offset_);
      throw;
    }
  }

  const std::vector<Link>& links_;
  ChainMemo& memo_;
  std::size_t first_link_;
  std::uint64_t offset_, end_;
  bool use_memo_;
  std::array<std::uint64_t, 16> few_{};
  std::vector<std::uint64_t> many_;
  std::uint64_t* absent_until_;
};

void Disk::check_range(std::uint64_t offset, std::uint64_t size) const {
  if (in_bounds(offset, size, capacity())) return;
  throw Error(VMDK_ERR_OUT_OF_RANGE,
              links_.front().files.front()->name() + ": " + std::to_string(size) +
                  " bytes at offset " + std::to_string(offset) +
                  " go beyond the end of the disk (" + std::to_string(capacity()) + " bytes)");
}

void Disk::read(std::uint64_t offset, MutableBytes out) const {
  check_range(offset, out.size());
  read_from(0, offset, out);
}

void Disk::read_from(std::size_t first_link, std::uint64_t offset, MutableBytes out) const {
  for (Walk walk(*this, offset, out.size(), first_link); !walk.done();) {
    const DiskRun found = walk.next();
    const MutableBytes piece = out.first(static_cast<std::size_t>(found.run.size));
    if (found.run.kind == RunKind::data) {
      try {
        links_[found.link].slots[found.extent].extent->read(found.run, found.run.offset, piece);
      } catch (Error& error) {
        error.add_place(found.link, found.extent, walk.offset());
        throw;
      }
    } else {
      std::memset(piece.data(), 0, piece.size());
    }
    walk.advance(found.run.size);
    out = out.subspan(piece.size());
  }
}

// What a flat file has no block for is zeros. Reading does not ask: that would cost more than it
// saves.
DiskRun Disk::map(std::uint64_t offset, std::uint64_t size) const {
  check_range(offset, size);
  DiskRun found = Walk(*this, offset, size).next();
  Run& run = found.run;
  if (run.kind != RunKind::data) return found;
  const Extent& extent = *links_[found.link].slots[found.extent].extent;
  if (extent.kind() != VMDK_EXTENT_FLAT) return found;
  const std::uint64_t data = extent.file()->next_data(run.file_offset);
  const bool hole = data > run.file_offset;
  const std::uint64_t until = hole ? data : extent.file()->next_hole(run.file_offset);
  run.size = std::min(run.size, until - run.file_offset);
  if (!hole) return found;
  run.kind = RunKind::zero;
  run.file_offset = UINT64_MAX;
  return found;
}

bool Disk::has_data_below(std::uint64_t offset, std::uint64_t size) const {
  for (Walk walk(*this, offset, size, 1); !walk.done();) {
    const DiskRun found = walk.next();
    if (found.run.kind == RunKind::data) return true;
    walk.advance(found.run.size);
  }
  return false;
}

std::string descriptor_utf8(const Link& link, std::string_view text) {
  if (is_ascii(text) || (link.encoding.empty() && is_utf8(text))) return std::string(text);
  auto converted = to_utf8(text, link.encoding.empty() ? "windows-1252" : link.encoding);
  return converted ? std::move(*converted) : std::string(text);
}

bool Disk::find_text(std::size_t link, std::string_view key, std::string& out) const {
  constexpr std::string_view kDdb = "ddb.";
  const bool along = starts_with_nocase(key, kDdb) && !starts_with_nocase(key, "ddb.uuid") &&
                     !equals_nocase(key, "ddb.longContentID");
  for (std::size_t i = link; i < links_.size(); ++i) {
    const Descriptor& descriptor = links_[i].descriptor;
    auto value = descriptor.find(key);
    // Content libraries of vSphere write the keys of the disk database without their prefix.
    if (!value && starts_with_nocase(key, kDdb)) value = descriptor.find(key.substr(kDdb.size()));
    if (value) {
      out = descriptor_utf8(links_[i], *value);
      return true;
    }
    if (!along) return false;
  }
  return false;
}

}  // namespace vmdk
