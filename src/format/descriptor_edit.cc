// SPDX-License-Identifier: MIT
#include "format/descriptor_edit.h"

#include <algorithm>

#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::size_t kMaxLength = 4096;
constexpr std::size_t kDigits = 8, kFewestDigits = 5;  // of content IDs

// Where the line that `at` lies in begins, ends, and where the next one begins.
struct Line {
  std::size_t begin, end, next;
};

Line line_at(std::string_view text, std::size_t at) noexcept {
  Line line{};
  const std::size_t before = at == 0 ? std::string_view::npos : text.find_last_of("\r\n", at - 1);
  line.begin = before == std::string_view::npos ? 0 : before + 1;
  line.end = std::min(text.find_first_of("\r\n", at), text.size());
  line.next = line.end;
  if (text.substr(line.end).starts_with("\r\n"))
    line.next += 2;
  else if (line.end < text.size())
    line.next += 1;
  return line;
}

std::string_view line_end_of(std::string_view text) noexcept {
  const std::size_t at = text.find_first_of("\r\n");
  if (at == std::string_view::npos) return "\n";
  return text.substr(at, text.substr(at).starts_with("\r\n") ? 2 : 1);
}

// Puts a line behind the one that `at` lies in.
void insert_behind(std::string& text, std::size_t at, std::string_view line) {
  const std::string end(line_end_of(text));
  const Line before = line_at(text, at);
  const bool ended = before.next > before.end;
  text.insert(before.next, (ended ? "" : end) + std::string(line) + end);
}

// Puts `value` in the place of what stands behind the '=' of a line.
void replace_value(std::string& text, std::size_t key_at, std::string_view value) {
  const Line line = line_at(text, key_at);
  std::size_t begin = text.find('=', key_at) + 1;
  while (begin < line.end && (text[begin] == ' ' || text[begin] == '\t')) ++begin;
  text.replace(begin, line.end - begin, value);
}

bool is_hex(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
  });
}

// A content ID of so many digits that is not the old one, nor one that means something else.
std::uint32_t other_id(std::uint32_t random, std::uint32_t old, std::size_t digits) noexcept {
  const std::uint32_t most =
      digits == kDigits ? kNeverWritten - 1 : (std::uint32_t{1} << (4 * digits)) - 1;
  const std::uint32_t least = digits == kDigits ? 1 : std::uint32_t{1} << (4 * (digits - 1));
  std::uint32_t id = least + random % (most - least + 1);
  if (id == old) id = id == most ? least : id + 1;
  return id;
}

}  // namespace

bool is_ddb_key(std::string_view key) noexcept {
  constexpr std::string_view kPrefix = "ddb.";
  return starts_with_nocase(key, kPrefix) && key.size() > kPrefix.size() &&
         key.size() <= kMaxLength && std::all_of(key.begin(), key.end(), [](char c) {
           return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

bool is_ddb_value(std::string_view value) noexcept {
  return value.size() <= kMaxLength && is_utf8(value) &&
         std::none_of(value.begin(), value.end(), [](char c) {
           return c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

std::string text_with_key(const Descriptor& descriptor, std::string_view encoding,
                          std::string_view key, std::optional<std::string_view> value) {
  if (!is_ddb_key(key))
    throw Error(
        VMDK_ERR_INVALID_ARGUMENT,
        "\"" + printable(key.substr(0, 100)) +
            "\" is no key of the disk database: it begins with ddb. and goes on with letters, "
            "digits, '.', '_' or '-'");
  if (value && !is_ddb_value(*value))
    throw Error(
        VMDK_ERR_INVALID_ARGUMENT,
        "the value of " + std::string(key) +
            " cannot stand in a descriptor: it has quotes, control characters, bytes that are "
            "not UTF-8, or more than 4096 bytes");
  if (value && !is_ascii(*value) && !encoding.empty() && !equals_nocase(encoding, "UTF-8"))
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                "the value of " + std::string(key) +
                    " is not ASCII, and the descriptor is in the encoding " + printable(encoding));
  std::string text = descriptor.text;
  std::vector<std::size_t> places = descriptor.places(key);
  if (value) {
    const std::string quoted = "\"" + std::string(*value) + "\"";
    if (!places.empty()) {
      replace_value(text, places.back(), quoted);  // the last one counts
    } else {
      const std::size_t behind =
          descriptor.last_ddb_key().value_or(text.empty() ? 0 : text.size() - 1);
      insert_behind(text, behind, std::string(key) + " = " + quoted);
    }
    return text;
  }
  for (auto at = places.rbegin(); at != places.rend(); ++at) {
    const Line line = line_at(text, *at);
    text.erase(line.begin, line.next - line.begin);
  }
  return text;
}

std::string text_with_content_id(const Descriptor& descriptor, std::uint32_t random) {
  std::string text = descriptor.text;
  const auto value = descriptor.find("CID");
  const bool hex_prefix = value && (value->starts_with("0x") || value->starts_with("0X"));
  const std::size_t digits = value ? value->size() - (hex_prefix ? 2 : 0) : 0;
  const bool same_length = digits >= kFewestDigits;
  const std::size_t used = same_length ? std::min(digits, kDigits) : kDigits;
  const std::string id = hex8(other_id(random, descriptor.cid, used));

  const auto place_of = [&](std::string_view piece) {
    return static_cast<std::size_t>(piece.data() - descriptor.text.data());
  };
  const auto longer = descriptor.find("ddb.longContentID");
  if (longer && longer->size() >= kDigits && is_hex(*longer))
    text.replace(place_of(*longer) + longer->size() - kDigits, kDigits, id);

  const auto places = descriptor.places("CID");
  if (same_length) {
    // Of more than eight digits the last eight count.
    text.replace(place_of(*value) + value->size() - used, used, id.substr(kDigits - used));
  } else if (!places.empty()) {
    replace_value(text, places.front(), id);
  } else {
    const auto before = descriptor.places("version");
    insert_behind(text, before.empty() ? 0 : before.front(), "CID=" + id);
  }
  return text;
}

}  // namespace vmdk
