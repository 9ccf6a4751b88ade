// SPDX-License-Identifier: MIT
#include "format/descriptor.h"

#include <algorithm>
#include <array>

#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::size_t kMaxKeys = 65536;
constexpr std::size_t kMaxName = 4095;
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;  // 2^63 bytes

struct TypeName {
  std::string_view name;
  vmdk_type type;
};

constexpr std::array kTypeNames = {
    TypeName{"monolithicSparse", VMDK_TYPE_MONOLITHIC_SPARSE},
    TypeName{"monolithicFlat", VMDK_TYPE_MONOLITHIC_FLAT},
    TypeName{"twoGbMaxExtentSparse", VMDK_TYPE_SPLIT_SPARSE},
    TypeName{"2GbMaxExtentSparse", VMDK_TYPE_SPLIT_SPARSE},
    TypeName{"twoGbMaxExtentFlat", VMDK_TYPE_SPLIT_FLAT},
    TypeName{"2GbMaxExtentFlat", VMDK_TYPE_SPLIT_FLAT},
    TypeName{"streamOptimized", VMDK_TYPE_STREAM_OPTIMIZED},
    TypeName{"vmfs", VMDK_TYPE_VMFS},
    TypeName{"vmfsSparse", VMDK_TYPE_VMFS_SPARSE},
    TypeName{"seSparse", VMDK_TYPE_SE_SPARSE},
    TypeName{"vmfsSeSparse", VMDK_TYPE_SE_SPARSE},
    TypeName{"vmfsThin", VMDK_TYPE_VMFS_THIN},
    TypeName{"vmfsThick", VMDK_TYPE_VMFS_PREALLOCATED},
    TypeName{"vmfsPreallocated", VMDK_TYPE_VMFS_PREALLOCATED},
    TypeName{"vmfsEagerZeroedThick", VMDK_TYPE_VMFS_EAGER_ZEROED},
    TypeName{"vmfsRaw", VMDK_TYPE_VMFS_RAW},
    TypeName{"vmfsRDM", VMDK_TYPE_VMFS_RDM},
    TypeName{"vmfsRawDeviceMap", VMDK_TYPE_VMFS_RDM},
    TypeName{"vmfsRDMP", VMDK_TYPE_VMFS_RDMP},
    TypeName{"vmfsPassthroughRawDeviceMap", VMDK_TYPE_VMFS_RDMP},
    TypeName{"fullDevice", VMDK_TYPE_FULL_DEVICE},
    TypeName{"partitionedDevice", VMDK_TYPE_PARTITIONED_DEVICE},
    TypeName{"custom", VMDK_TYPE_CUSTOM},
};

std::optional<vmdk_access> access_of(std::string_view word) noexcept {
  if (equals_nocase(word, "RW")) return VMDK_ACCESS_READ_WRITE;
  // RONLY stands only in the text of VDF; everyone writes RDONLY.
  if (equals_nocase(word, "RDONLY") || equals_nocase(word, "RONLY")) return VMDK_ACCESS_READ_ONLY;
  if (equals_nocase(word, "NOACCESS")) return VMDK_ACCESS_NONE;
  return std::nullopt;
}

std::optional<ExtentType> extent_type_of(std::string_view word) noexcept {
  if (equals_nocase(word, "FLAT")) return ExtentType::flat;
  if (equals_nocase(word, "SPARSE")) return ExtentType::sparse;
  if (equals_nocase(word, "ZERO")) return ExtentType::zero;
  if (equals_nocase(word, "VMFS")) return ExtentType::vmfs;
  if (equals_nocase(word, "VMFSSPARSE")) return ExtentType::vmfs_sparse;
  if (equals_nocase(word, "VMFSRDM")) return ExtentType::vmfs_rdm;
  if (equals_nocase(word, "VMFSRAW")) return ExtentType::vmfs_raw;
  if (equals_nocase(word, "SESPARSE")) return ExtentType::se_sparse;
  return std::nullopt;
}

// The next word, removed from `rest` together with the blanks around it.
std::string_view take_word(std::string_view& rest) noexcept {
  rest = trim(rest);
  const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest = trim(rest.substr(end));
  return word;
}

// One line of the text, removed from `rest`. Lines end in LF, CRLF or CR.
std::string_view take_line(std::string_view& rest) noexcept {
  const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end);
  if (rest.starts_with("\r\n"))
    rest.remove_prefix(2);
  else if (!rest.empty())
    rest.remove_prefix(1);
  return line;
}

// The comment that descriptors begin with, as 16-bit text.
bool is_utf16(std::string_view text) noexcept {
  return text.starts_with(std::string_view("\xff\xfe#\0", 4)) ||
         text.starts_with(std::string_view("\xfe\xff\0#", 4));
}

std::string_view without_bom(std::string_view text) noexcept {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

std::string_view unquote(std::string_view value) noexcept {
  value = trim(value);
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  return value;
}

// What may stand behind the file's name: nothing, or the offset, or also partitionUUID and a
// device. Looks at a few characters only: it is asked for every quote of a line.
bool is_tail(std::string_view tail) noexcept {
  std::size_t digits = 0;
  while (digits < std::min<std::size_t>(tail.size(), 20) && tail[digits] >= '0' &&
         tail[digits] <= '9')
    ++digits;
  std::string_view rest = tail.substr(digits);
  if (rest.empty()) return digits <= 19;
  if (digits == 0 || digits > 19 || (rest.front() != ' ' && rest.front() != '\t')) return false;
  rest = trim(rest);
  constexpr std::string_view kDevice = "partitionUUID";
  return starts_with_nocase(rest, kDevice) &&
         (rest.size() == kDevice.size() || rest[kDevice.size()] == ' ' ||
          rest[kDevice.size()] == '\t');
}

// "NAME" OFFSET: names hold blanks and even quotes, so the closing quote is the last one that is
// followed by nothing but what may follow.
bool parse_file(std::string_view rest, ExtentLine& extent) {
  if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) return false;
  for (std::size_t close = rest.rfind(rest.front()); close != 0 && close != std::string_view::npos;
       close = rest.rfind(rest.front(), close - 1)) {
    std::string_view tail = trim(rest.substr(close + 1));
    if (!is_tail(tail)) continue;
    extent.file = rest.substr(1, close - 1);
    if (!tail.empty()) extent.file_sector = *parse_decimal(take_word(tail));
    return true;
  }
  return false;
}

std::string quoted_line(std::string_view line) {
  return "the line \"" + printable(line.substr(0, 120)) + (line.size() > 120 ? "...\"" : "\"");
}

ExtentLine parse_extent(const std::string& name, std::string_view line) {
  const auto damaged = [&](const char* why) {
    throw_corrupt(name, quoted_line(line) + " is no extent: " + why);
  };
  std::string_view rest = line;
  ExtentLine extent;
  extent.access = *access_of(take_word(rest));
  const auto sectors = parse_decimal(take_word(rest));
  if (!sectors) damaged("its size is no number of sectors");
  extent.sectors = *sectors;
  const std::string_view type = take_word(rest);
  const auto known = extent_type_of(type);
  if (!known) {
    const char* what =
        starts_with_nocase(type, "VSAN") ? "vSAN objects are not files" : "its type is not known";
    throw Error(VMDK_ERR_UNSUPPORTED, name + ": " + quoted_line(line) + " cannot be read: " + what);
  }
  extent.type = *known;
  // Some writers give zero extents a name; it means nothing.
  if (extent.type == ExtentType::zero) return extent;
  if (rest.empty()) damaged("the name of its file is missing");
  if (!parse_file(rest, extent))
    damaged("the name of its file or what follows it is not understood");
  if (extent.file.size() > kMaxName)
    throw Error(VMDK_ERR_PATH_DENIED,
                name + ": " + quoted_line(line) + " names a file with more than 4095 bytes");
  if (extent.file_sector > kMaxSectors) damaged("its offset is beyond 2^63 bytes");
  return extent;
}

// Does it have the shape of an extent, WORD NUMBER WORD?
bool shaped_like_extent(std::string_view line) noexcept {
  const std::string_view word = take_word(line), size = take_word(line);
  if (word.empty() || size.empty() || line.empty()) return false;
  for (const char c : word)
    if (to_lower(c) < 'a' || to_lower(c) > 'z') return false;
  return parse_decimal(size).has_value();
}

bool is_ddb(std::string_view key) noexcept { return starts_with_nocase(key, "ddb."); }

bool contains_nocase(std::string_view text, std::string_view word) noexcept {
  for (; text.size() >= word.size(); text.remove_prefix(1))
    if (starts_with_nocase(text, word)) return true;
  return false;
}

// Mostly bytes that text does not have?
bool is_binary(std::string_view text) noexcept {
  text = text.substr(0, 512);
  const auto odd = std::count_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x7f || (byte < 0x20 && c != '\n' && c != '\r' && c != '\t');
  });
  return static_cast<std::size_t>(odd) * 4 > text.size();
}

}  // namespace

std::optional<vmdk_type> type_of(std::string_view create_type) noexcept {
  for (const TypeName& known : kTypeNames)
    if (equals_nocase(create_type, known.name)) return known.type;
  return std::nullopt;
}

bool looks_like_descriptor(std::string_view text) noexcept {
  if (is_utf16(text)) return true;
  text = without_bom(text.substr(0, text.find('\0')));
  while (!text.empty()) {
    const std::string_view line = trim(take_line(text));
    if (line.empty()) continue;
    if (line.front() == '#') {
      std::string_view comment = trim(line.substr(1));
      if (starts_with_nocase(comment, "Disk Descriptor")) return true;
      continue;
    }
    const std::string_view key = trim(line.substr(0, line.find('=')));
    for (const std::string_view known : {"version", "encoding", "CID", "parentCID", "createType"})
      if (key.size() < line.size() && equals_nocase(key, known)) return true;
    return false;
  }
  return false;
}

bool looks_encrypted(std::string_view text) noexcept {
  text = without_bom(text.substr(0, text.find('\0')));
  for (int lines = 0; lines < 64 && !text.empty(); ++lines) {
    const std::string_view line = trim(take_line(text));
    if (starts_with_nocase(line, "encryption.") || starts_with_nocase(line, "encryptionKeys") ||
        starts_with_nocase(line, "keyID"))
      return true;
  }
  return false;
}

bool is_embedded_descriptor(const std::string& name, std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return false;
  if (looks_like_descriptor(text) || looks_encrypted(text)) return true;
  if (is_binary(text))
    throw Error(VMDK_ERR_ENCRYPTED,
                name + ": its descriptor is not text: the disk is encrypted (or damaged)");
  throw_corrupt(name, "its descriptor begins with \"" + printable(text.substr(0, 60)) +
                          "\", which no descriptor does");
}

std::optional<std::string_view> Descriptor::find(std::string_view key) const {
  const std::string folded = fold_case(key);
  const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), folded,
                                   [&](std::uint32_t entry, const std::string& wanted) {
                                     return entries_[entry].folded < wanted;
                                   });
  if (at == sorted_.end() || entries_[*at].folded != folded) return std::nullopt;
  return piece(entries_[*at].value);
}

std::vector<std::size_t> Descriptor::places(std::string_view key) const {
  const std::string folded = fold_case(key);
  std::vector<std::size_t> places;
  for (const Entry& entry : entries_)
    if (entry.folded == folded) places.push_back(entry.key.at);
  return places;
}

std::optional<std::size_t> Descriptor::last_ddb_key() const noexcept {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    if (is_ddb(entry->folded)) return entry->key.at;
  return std::nullopt;
}

std::string Descriptor::encoding() const {
  const auto in_header = find("encoding"), in_ddb = find("ddb.encoding");
  return std::string(in_header ? *in_header : in_ddb.value_or(""));
}

Descriptor::Summary Descriptor::summarize(std::string_view text) noexcept {
  Summary summary;
  text = without_bom(text);
  while (!text.empty()) {
    std::string_view rest = trim(take_line(text));
    const std::size_t equals = std::min(rest.find('='), rest.size());
    const std::string_view key = trim(rest.substr(0, equals));
    const std::string_view value = equals < rest.size() ? unquote(rest.substr(equals + 1)) : "";
    if (equals_nocase(key, "createType")) summary.type = type_of(value).value_or(VMDK_TYPE_UNKNOWN);
    if (equals_nocase(key, "parentCID"))
      summary.has_parent = parse_content_id(value).value_or(kNoParent) != kNoParent;
    if (!access_of(take_word(rest))) continue;
    const std::uint64_t size = parse_decimal(take_word(rest)).value_or(0);
    summary.sectors = std::min(summary.sectors + std::min(size, kMaxSectors), kMaxSectors);
  }
  return summary;
}

Descriptor Descriptor::parse(const std::string& name, std::string_view text,
                             const DescriptorLimits& limits) {
  if (is_utf16(text) || text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw Error(VMDK_ERR_UNSUPPORTED,
                name + ": the descriptor is UTF-16 text; it must be single bytes or UTF-8");
  text = without_bom(text.substr(0, text.find('\0')));
  if (text.size() > limits.max_bytes)
    throw Error(VMDK_ERR_LIMIT, name + ": the descriptor is longer than " +
                                    std::to_string(limits.max_bytes) + " bytes")
        .with_hint("raise vmdk_limits::max_descriptor_bytes");
  Descriptor descriptor;
  descriptor.text = text;
  std::string_view rest = descriptor.text;
  while (!rest.empty()) {
    const std::string_view line = trim(take_line(rest));
    if (!line.empty() && line.front() != '#') descriptor.add_line(name, line, limits);
  }
  descriptor.index_keys();
  descriptor.read_header_keys(name);
  return descriptor;
}

void Descriptor::add_line(const std::string& name, std::string_view line,
                          const DescriptorLimits& limits) {
  std::string_view rest = line;
  const std::string_view first = take_word(rest);
  const std::size_t equals = line.find('=');
  if (access_of(first) && !rest.starts_with('=')) {
    if (extents.size() == limits.max_extents)
      throw Error(VMDK_ERR_LIMIT,
                  name + ": has more than " + std::to_string(limits.max_extents) + " extents")
          .with_hint("raise vmdk_limits::max_extents");
    extents.push_back(parse_extent(name, line));
    sectors += std::min(extents.back().sectors, kMaxSectors + 1);
    if (sectors > kMaxSectors) throw_corrupt(name, "the extents add up to more than 2^63 bytes");
  } else if (equals != std::string_view::npos && equals > 0) {
    add_entry(name, line, equals);
  } else if (shaped_like_extent(line)) {
    // To pass over an extent would shift everything behind it.
    throw_corrupt(name,
                  quoted_line(line) + " is no extent: its access is not RW, RDONLY or NOACCESS");
  }
}

void Descriptor::add_entry(const std::string& name, std::string_view line, std::size_t equals) {
  if (entries_.size() == kMaxKeys)
    throw Error(VMDK_ERR_LIMIT, name + ": the descriptor has more than 65536 keys");
  const std::string_view key = trim(line.substr(0, equals));
  entries_.push_back({slice(key), slice(unquote(line.substr(equals + 1))), fold_case(key)});
}

// `piece` is a part of `text`.
Descriptor::Slice Descriptor::slice(std::string_view piece) const noexcept {
  if (piece.empty()) return {0, 0};
  return {static_cast<std::uint32_t>(piece.data() - text.data()),
          static_cast<std::uint32_t>(piece.size())};
}

void Descriptor::index_keys() {
  sorted_.resize(entries_.size());
  for (std::size_t i = 0; i < sorted_.size(); ++i) sorted_[i] = static_cast<std::uint32_t>(i);
  std::stable_sort(sorted_.begin(), sorted_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return entries_[a].folded < entries_[b].folded;
  });
  // Of the same key: the first one for a header key, the last one for the disk database.
  std::vector<std::uint32_t> kept;
  for (const std::uint32_t entry : sorted_) {
    if (kept.empty() || entries_[kept.back()].folded != entries_[entry].folded)
      kept.push_back(entry);
    else if (is_ddb(entries_[entry].folded))
      kept.back() = entry;
  }
  sorted_ = std::move(kept);
  order_ = sorted_;
  std::sort(order_.begin(), order_.end());
}

void Descriptor::read_header_keys(const std::string& name) {
  if (find("encryptionKeys") || find("keyID") || find("encryption.keySafe") ||
      find("encryption.data"))
    throw Error(VMDK_ERR_ENCRYPTED, name + ": the disk is encrypted, and its keys are not here");
  if (const auto filters = find("ddb.iofilters");
      filters && contains_nocase(*filters, "vmwarevmcrypt"))
    throw Error(VMDK_ERR_ENCRYPTED, name + ": the disk is encrypted by vSphere (ddb.iofilters)");
  if (const auto value = find("version")) {
    const auto number = parse_decimal(*value);
    if (!number)
      throw_corrupt(name, "version is \"" + printable(*value) + "\", which is no number");
    if (*number == 4)
      throw Error(VMDK_ERR_UNSUPPORTED,
                  name + ": descriptor version 4 is that of vSAN objects, which are not files");
    if (*number < 1 || *number > 4)
      throw Error(VMDK_ERR_UNSUPPORTED,
                  name + ": descriptor version " + std::to_string(*number) + " is not known");
    version = static_cast<std::uint32_t>(*number);
  }
  const auto content_id = [&](const char* key, std::uint32_t& id) {
    const auto value = find(key);
    if (!value) return;
    const auto number = parse_content_id(*value);
    if (!number)
      throw_corrupt(name,
                    std::string(key) + " is \"" + printable(*value) + "\", which is no content ID");
    id = *number;
  };
  content_id("CID", cid);
  content_id("parentCID", parent_cid);
  if (const auto value = find("createType"); value && !value->empty()) {
    const auto known = type_of(*value);
    if (!known) {
      const char* why =
          starts_with_nocase(*value, "vsan") ? "vSAN objects are not files" : "it is not known";
      throw Error(VMDK_ERR_UNSUPPORTED,
                  name + ": createType \"" + printable(*value) + "\" cannot be read: " + why);
    }
    type = *known;
  }
}

}  // namespace vmdk
