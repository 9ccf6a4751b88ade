// SPDX-License-Identifier: MIT
#include "disk/descriptor_file.h"

#include <algorithm>
#include <array>

#include "util/checked.h"
#include "util/error.h"
#include "util/mutant.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kDescriptorSectorField =
    28;  // descriptorOffset in the header of the extent

// Where two texts of the same length differ.
struct Difference {
  std::size_t begin, end;
};

Difference difference(const std::string& a, const std::string& b) {
  const auto first = std::mismatch(a.begin(), a.end(), b.begin()).first;
  const auto last = std::mismatch(a.rbegin(), a.rend(), b.rbegin()).first;
  const auto begin = static_cast<std::size_t>(first - a.begin());
  return {begin, std::max(begin, static_cast<std::size_t>(a.rend() - last))};
}

class EmbeddedText final {
 public:
  EmbeddedText(Link& link, TextWrite& state) : file_(*link.files[0]), link_(link), state_(state) {}

  void rewrite(const std::string& old, const std::string& text) {
    const Difference change = difference(old, text);
    if (change.begin == change.end) return;
    const std::uint64_t begin = link_.text_offset + change.begin;
    const std::uint64_t end = link_.text_offset + change.end;
    if (begin / kSectorSize == (end - 1) / kSectorSize || is_mutant(Mutant::text_overwritten)) {
      file_.write_at(begin, as_bytes(text).subspan(change.begin, change.end - change.begin));
      sync();
      return;
    }
    const std::uint64_t size = file_.size();
    const std::uint64_t home = link_.text_sector * kSectorSize;
    const std::uint64_t copy = round_up(size, kSectorSize);
    // All of its room, as what is in front of the text stays.
    std::string room(link_.text_room, '\0');
    file_.read_at(home, std::as_writable_bytes(std::span(room)));
    text.copy(room.data() + (link_.text_offset - home), text.size());
    state_.cut = size;
    file_.write_at(copy, as_bytes(room));
    state_.in_doubt = true;
    file_.sync();
    point_to(copy / kSectorSize);
    file_.write_at(home, as_bytes(room));
    file_.sync();
    point_to(link_.text_sector);
    file_.resize(size);
    state_.cut.reset();
    state_.in_doubt = false;
  }

 private:
  void sync() {
    state_.in_doubt = true;
    file_.sync();
    state_.in_doubt = false;
  }

  void point_to(std::uint64_t sector) {
    std::array<std::byte, 8> field;
    store_le(MutableBytes(field), 0, sector);
    file_.write_at(kDescriptorSectorField, field);
    file_.sync();
  }

  File& file_;
  Link& link_;
  TextWrite& state_;
};

}  // namespace

void write_descriptor(FileSystem& files, Link& link, const std::string& text,
                      const DescriptorLimits& limits, bool content_id_only, TextWrite& state) {
  const std::string& name = link.files[0]->name();
  Descriptor fresh = Descriptor::parse(name, text, limits);
  const std::string& old = link.descriptor.text;
  if (content_id_only && text.size() == old.size()) {
    const Difference change = difference(old, text);
    // The short and the long content ID: one write, unless they are far apart.
    constexpr std::size_t kApart = 4096;
    for (std::size_t at = change.begin; at < change.end;) {
      std::size_t end = at, same = 0;
      for (std::size_t i = at; i < change.end && same < kApart; ++i) {
        same = text[i] == old[i] ? same + 1 : 0;
        if (same == 0) end = i + 1;
      }
      link.files[0]->write_at(link.text_offset + at, as_bytes(text).subspan(at, end - at));
      for (at = end; at < change.end && text[at] == old[at];) ++at;
    }
  } else if (link.text_room == 0) {
    // What is in front of the text, a byte order mark, stays.
    std::string whole(link.text_offset, '\0');
    link.files[0]->read_at(0, std::as_writable_bytes(std::span(whole)));
    whole += text;
    state.in_doubt = false;
    files.replace(link.files[0], as_bytes(whole));
  } else {
    const std::uint64_t before = link.text_offset - link.text_sector * kSectorSize;
    if (text.size() > link.text_room - before)
      throw Error(VMDK_ERR_LIMIT, name + ": the descriptor of " + std::to_string(text.size()) +
                                      " bytes does not fit into its room of " +
                                      std::to_string(link.text_room - before));
    // A NUL behind it: in the room there may be more than the old text.
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max(text.size(), old.size()) + 1, link.text_room - before));
    std::string padded_old(size, '\0'), padded_new = text;
    link.files[0]->read_at(link.text_offset, std::as_writable_bytes(std::span(padded_old)));
    padded_new.resize(size, '\0');
    EmbeddedText(link, state).rewrite(padded_old, padded_new);
  }
  link.descriptor = std::move(fresh);
}

}  // namespace vmdk
