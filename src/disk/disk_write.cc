// SPDX-License-Identifier: MIT
// What changes a disk. The order in which things reach their files is that of docs/design.md,
// "Writing".
#include <algorithm>

#include "disk/descriptor_file.h"
#include "disk/disk.h"
#include "format/descriptor_edit.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/mutant.h"
#include "util/random.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::size_t kMostChanges = 4096;  // sectors of tables kept in memory
constexpr std::uint64_t kZeroedAtOnce = 64 << 20;

}  // namespace

// What lies below an extent of the first link.
class Disk::BelowSlot final : public Below {
 public:
  BelowSlot(const Disk& disk, const Link::Slot& slot) : disk_(disk), begin_(slot.begin) {}
  bool has_data(std::uint64_t offset, std::uint64_t size) const override {
    return size != 0 && disk_.links_.size() > 1 && disk_.has_data_below(begin_ + offset, size);
  }
  void read(std::uint64_t offset, MutableBytes out) const override {
    disk_.read_from(1, begin_ + offset, out);
  }

 private:
  const Disk& disk_;
  std::uint64_t begin_;
};

void Disk::check_writable() const {
  const std::string& name = links_.front().files.front()->name();
  if (!writable_)
    throw Error(VMDK_ERR_READ_ONLY, name + ": was opened to read")
        .with_hint("open it with VMDK_OPEN_WRITE");
  if (poisoned_)
    throw Error(VMDK_ERR_POISONED,
                name +
                    ": an earlier failure left in doubt what is on stable storage; nothing is "
                    "written any more")
        .with_hint("close the disk, and check it before it is used again");
}

// Everything that can be refused is refused here, before a byte changes.
void Disk::begin_change(std::uint64_t offset, std::uint64_t size, Bytes in) {
  Link& link = links_.front();
  for (std::uint64_t at = offset; at < offset + size;) {
    const std::size_t number = link.slot_at(at);
    Link::Slot& slot = link.slots[number];
    const std::uint64_t end = std::min(offset + size, slot.begin + slot.extent->size());
    try {
      if (slot.access != VMDK_ACCESS_READ_WRITE)
        throw Error(VMDK_ERR_READ_ONLY,
                    link.files.front()->name() + ": its extent " + std::to_string(number) + " is " +
                        (slot.access == VMDK_ACCESS_NONE ? "NOACCESS" : "RDONLY") +
                        ": it cannot be written")
            .with_hint(kSnapshotHint);
      const Bytes piece = in.empty() ? in
                                     : in.subspan(static_cast<std::size_t>(at - offset),
                                                  static_cast<std::size_t>(end - at));
      if (slot.extent->kind() == VMDK_EXTENT_ZERO && !is_zero(piece))
        throw Error(VMDK_ERR_READ_ONLY,
                    link.files.front()->name() + ": its extent " + std::to_string(number) +
                        " is a ZERO extent: it has no file, and only zeros can be written to it")
            .with_hint(kSnapshotHint);
      in_use_.reserve(in_use_.size() + 1);
      slot.extent->prepare();
    } catch (Error& error) {
      error.add_place(0, static_cast<std::uint32_t>(number), at);
      throw;
    }
    if (!slot.in_use) in_use_.push_back(&slot);
    slot.in_use = true;
    at = end;
  }
  if (!marked_ && !is_mutant(Mutant::content_id_late)) renew_content_id();
  marked_ = true;
  unsaved_ = true;
}

// On stable storage before the first data: a child can never take a changed parent for its own.
void Disk::renew_content_id() {
  edit_text(text_with_content_id(links_.front().descriptor, random_number()), true);
  if (!is_mutant(Mutant::content_id_not_synced)) sync(*links_.front().files.front());
}

void Disk::edit_text(const std::string& text, bool content_id_only) {
  Link& link = links_.front();
  TextWrite state;
  try {
    write_descriptor(*parts_.files, link, text, limits_, content_id_only, state);
  } catch (Error& error) {
    poisoned_ = state.in_doubt || error.status() == VMDK_ERR_POISONED;
    error.add_place(0, UINT32_MAX, UINT64_MAX);
    if (poisoned_ && error.status() == VMDK_ERR_NO_SPACE)
      throw Error(VMDK_ERR_IO, error.what(), error.os_error());  // it is not that nothing happened
    if (!state.cut || poisoned_) throw;
    try {
      link.files.front()->resize(*state.cut);
    } catch (const Error&) {
      poisoned_ = true;  // what was left behind the end would come to light as the file grows
    }
    throw;
  }
}

void Disk::write(std::uint64_t offset, Bytes in) {
  check_range(offset, in.size());
  check_writable();
  if (in.empty()) return;
  begin_change(offset, in.size(), in);
  memo_.forget(offset, in.size());
  Link& link = links_.front();
  while (!in.empty()) {
    const std::size_t number = link.slot_at(offset);
    Link::Slot& slot = link.slots[number];
    const std::uint64_t within = offset - slot.begin;
    const Bytes piece = in.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), slot.extent->size() - within)));
    try {
      slot.extent->write(within, piece, BelowSlot(*this, slot));
    } catch (Error& error) {
      error.add_place(0, static_cast<std::uint32_t>(number), offset);
      throw;
    }
    offset += piece.size();
    in = in.subspan(piece.size());
    limit_changes();
  }
}

void Disk::zero(std::uint64_t offset, std::uint64_t size, Zeroing how) {
  check_range(offset, size);
  check_writable();
  if (size == 0) return;
  begin_change(offset, size, {});
  const Link& link = links_.front();
  while (size > 0) {
    const Link::Slot& slot = link.slots[link.slot_at(offset)];
    const std::uint64_t grain = std::max<std::uint64_t>(slot.extent->grain_bytes(), 1);
    std::uint64_t piece = std::min(size, slot.begin + slot.extent->size() - offset);
    const DiskRun run = map(offset, piece);
    if (run.run.kind != RunKind::data) {
      // It reads as zero already. Grains are left whole for what comes next.
      const std::uint64_t end = offset + run.run.size;
      const std::uint64_t skip =
          run.run.size == piece
              ? piece
              : std::max(slot.begin + (end - slot.begin) / grain * grain, offset) - offset;
      offset += skip;
      size -= skip;
      if (skip != 0) continue;
    }
    piece = std::min(piece, std::max(kZeroedAtOnce, grain));
    memo_.forget(offset, piece);  // what map() has just learned, too
    zero_piece(offset, piece, how);
    offset += piece;
    size -= piece;
    limit_changes();
  }
}

void Disk::zero_piece(std::uint64_t offset, std::uint64_t size, Zeroing how) {
  Link& link = links_.front();
  const std::size_t number = link.slot_at(offset);
  Link::Slot& slot = link.slots[number];
  try {
    slot.extent->zero(offset - slot.begin, size, BelowSlot(*this, slot), how == Zeroing::give_back);
  } catch (Error& error) {
    error.add_place(0, static_cast<std::uint32_t>(number), offset);
    throw;
  }
}

// -- Saving

void Disk::limit_changes() {
  if (parts_.tables->changes() > kMostChanges) save();
}

void Disk::sync(File& file) {
  try {
    file.sync();
  } catch (const Error& error) {
    poisoned_ = true;  // the system may have dropped what it could not write
    if (error.status() != VMDK_ERR_NO_SPACE) throw;
    throw Error(VMDK_ERR_IO, error.what(), error.os_error());  // room would not help any more
  }
}

void Disk::sync_files() {
  for (const auto& file : links_.front().files) sync(*file);
}

void Disk::save_tables(void (Extent::*step)()) {
  try {
    for (Link::Slot* slot : in_use_) (slot->extent.get()->*step)();
  } catch (const Error& error) {
    poisoned_ = error.status() != VMDK_ERR_NO_SPACE && error.status() != VMDK_ERR_NO_MEMORY;
    throw;
  }
}

// Grains are durable before tables point to them; the primary tables are written after their
// copies, and new entries of the redundant directory when all else is durable.
void Disk::save() {
  for (Link::Slot* slot : in_use_) slot->extent->before_sync();
  if (!is_mutant(Mutant::no_barrier_before_tables)) sync_files();
  const bool changes = std::any_of(in_use_.begin(), in_use_.end(), [](const Link::Slot* slot) {
    return slot->extent->has_changes();
  });
  if (changes) {
    save_tables(&Extent::write_tables);
    if (!is_mutant(Mutant::no_sync_after_tables)) sync_files();
    bool last = false;
    for (const Link::Slot* slot : in_use_) last = last || slot->extent->has_last_tables();
    if (last) {
      save_tables(&Extent::write_last_tables);
      sync_files();
    }
  }
  if (marked_ && is_mutant(Mutant::content_id_late)) renew_content_id();
  for (Link::Slot* slot : in_use_) slot->extent->saved();
}

void Disk::flush() {
  if (!writable_ || (!unsaved_ && !poisoned_)) return;
  check_writable();
  save();
  unsaved_ = false;
}

void Disk::close() {
  if (!writable_) return;
  if (is_mutant(Mutant::flag_cleared_early)) {
    for (Link::Slot* slot : in_use_) slot->extent->finish();
    sync_files();
  }
  flush();
  if (in_use_.empty()) return;
  for (Link::Slot* slot : in_use_) slot->extent->finish();
  sync_files();
}

void Disk::set_text(std::string_view key, std::optional<std::string_view> value) {
  check_writable();
  const Link& link = links_.front();
  const std::string text = text_with_key(link.descriptor, link.encoding, key, value);
  if (text != link.descriptor.text) edit_text(text, false);
}

}  // namespace vmdk
