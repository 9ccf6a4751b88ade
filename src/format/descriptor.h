// SPDX-License-Identifier: MIT
// The text part of a disk, as a value (VDF, "The Descriptor File").
#ifndef VMDK_FORMAT_DESCRIPTOR_H
#define VMDK_FORMAT_DESCRIPTOR_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "util/bytes.h"

namespace vmdk {

inline constexpr std::uint32_t kNoParent = 0xffffffff;  // parentCID of a base disk
// CID of a disk that VMware made and nobody wrote to.
inline constexpr std::uint32_t kNeverWritten = 0xfffffffe;

enum class ExtentType { flat, sparse, zero, vmfs, vmfs_sparse, vmfs_rdm, vmfs_raw, se_sparse };

struct ExtentLine {
  vmdk_access access = VMDK_ACCESS_READ_WRITE;
  std::uint64_t sectors = 0;
  ExtentType type = ExtentType::sparse;
  std::string file;  // bytes as they stand; empty for zero extents
  std::uint64_t file_sector = 0;
};

struct DescriptorLimits {
  std::uint32_t max_bytes;
  std::uint32_t max_extents;
};

class Descriptor final {
 public:
  // `name` is the file, for messages. Throws VMDK_ERR_CORRUPT, VMDK_ERR_UNSUPPORTED, VMDK_ERR_LIMIT
  // or VMDK_ERR_ENCRYPTED.
  static Descriptor parse(const std::string& name, std::string_view text,
                          const DescriptorLimits& limits);

  // What can be told without judging the text, which may be cut off or damaged. Never throws.
  struct Summary {
    vmdk_type type = VMDK_TYPE_UNKNOWN;
    std::uint64_t sectors = 0;
    bool has_parent = false;
  };
  static Summary summarize(std::string_view text) noexcept;

  std::uint32_t version = 1;
  std::uint32_t cid = 0;
  std::uint32_t parent_cid = kNoParent;
  vmdk_type type = VMDK_TYPE_UNKNOWN;  // of createType
  std::uint64_t sectors = 0;           // sum over the extents
  std::vector<ExtentLine> extents;
  std::string text;  // all of it, without what follows a NUL

  // The code page it says it is in; "" if it does not.
  std::string encoding() const;

  bool has_parent() const noexcept { return parent_cid != kNoParent; }

  // Value of a key, in any case, with its quotes removed; bytes as they stand. Of a header key that
  // is there twice the first counts, of a ddb key the last.
  std::optional<std::string_view> find(std::string_view key) const;

  // Where in the text a key stands, every time, in order.
  std::vector<std::size_t> places(std::string_view key) const;
  // Where the last key of the disk database stands.
  std::optional<std::size_t> last_ddb_key() const noexcept;

  // Keys in the order of the text, each once.
  std::size_t key_count() const noexcept { return order_.size(); }
  std::string_view key(std::size_t index) const { return piece(entries_[order_[index]].key); }

 private:
  // Where a piece lies in `text`: survives moving and copying the descriptor.
  struct Slice {
    std::uint32_t at, size;
  };
  struct Entry {
    Slice key, value;
    std::string folded;  // the key in lower case
  };

  std::string_view piece(Slice slice) const {
    return std::string_view(text).substr(slice.at, slice.size);
  }
  Slice slice(std::string_view piece) const noexcept;
  void add_line(const std::string& name, std::string_view line, const DescriptorLimits& limits);
  void add_entry(const std::string& name, std::string_view line, std::size_t equals);
  void index_keys();
  void read_header_keys(const std::string& name);

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> order_;   // entries in the order of the text, repeated keys left out
  std::vector<std::uint32_t> sorted_;  // the same ones, by folded key
};

// Is this the beginning of a descriptor? (After comments and blank lines, a key of the header; or
// the comment that all of them begin with.)
bool looks_like_descriptor(std::string_view text) noexcept;

// Is this the beginning of an encrypted descriptor?
bool looks_encrypted(std::string_view text) noexcept;

// Is there a descriptor in the text that a sparse extent has room for one in? Throws
// VMDK_ERR_ENCRYPTED or VMDK_ERR_CORRUPT if there is something else.
bool is_embedded_descriptor(const std::string& name, std::string_view text);

// The type a createType names, in any case.
std::optional<vmdk_type> type_of(std::string_view create_type) noexcept;

}  // namespace vmdk

#endif
