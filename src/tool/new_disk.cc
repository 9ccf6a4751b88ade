// SPDX-License-Identifier: MIT
#include "new_disk.h"

#include <strings.h>

#include <charconv>
#include <cstdlib>
#include <span>
#include <string_view>

#include "describe.h"
#include "digest.h"
#include "errors.h"
#include "manifest.h"
#include "messages.h"
#include "sizes.h"

namespace vmdk_tool {
namespace {

constexpr std::uint32_t kNoCid = 0xffffffff;
constexpr std::uint32_t kNeverWritten = 0xfffffffe;  // of a disk that VMware has just created
constexpr std::uint32_t kHighestHardware = 999;

std::uint32_t parse_adapter(const std::string& text) {
  const std::uint32_t adapter = adapter_by_name(text);
  if (adapter == VMDK_ADAPTER_UNKNOWN)
    throw UsageError("--adapter: '" + printable(text) +
                     "' is none of ide, buslogic, lsilogic, legacyESX, pvscsi, lsisas1068, sata "
                     "and nvme");
  return adapter;
}

std::uint32_t parse_preallocate(const std::string& text) {
  if (text == "none") return VMDK_PREALLOCATE_NONE;
  if (text == "reserve") return VMDK_PREALLOCATE_RESERVE;
  if (text == "zeros") return VMDK_PREALLOCATE_ZEROS;
  throw UsageError("--preallocate: '" + printable(text) + "' is none of none, reserve and zeros");
}

std::uint32_t parse_cid(const std::string& text) {
  std::uint32_t cid = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, cid, 16);
  if (error != std::errc{} || stop != end || cid == 0 || cid == kNoCid)
    throw UsageError("--cid: '" + printable(text) +
                     "' is not a hexadecimal number from 1 to fffffffe");
  return cid;
}

// The variable of reproducible-builds.org; empty if it is not set.
std::string source_date_epoch() {
  const char* const set = std::getenv("SOURCE_DATE_EPOCH");
  const std::string text = set == nullptr ? "" : set;
  if (text.find_first_not_of("0123456789") != std::string::npos)
    throw UsageError("SOURCE_DATE_EPOCH: '" + printable(text) + "' is not a number of seconds",
                     UsageError::See::nothing);
  return text;
}

// Hexadecimal digits as VMware writes the UUID of a disk: "60 00 C2 9x", then twelve more bytes.
std::string uuid_of(std::string_view digits) {
  std::string text = "60 00 C2 9";
  text += digits[0];
  for (std::size_t byte = 4; byte < 16; ++byte) {
    text += byte == 8 ? '-' : ' ';
    text += digits.substr(2 * byte, 2);
  }
  return text;
}

}  // namespace

std::string database_key(const std::string& name) {
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (name.empty() || name.find_first_not_of(kLetters) != std::string::npos)
    throw UsageError("'" + printable(name) +
                     "' is no key: letters, digits and . _ - are what one has");
  return strncasecmp(name.c_str(), "ddb.", 4) == 0 ? name : "ddb." + name;
}

std::uint32_t parse_target(const std::string& text) {
  const std::uint32_t target = target_by_name(text);
  if (target == VMDK_TARGET_NONE)
    throw UsageError("--target: '" + printable(text) +
                     "' is none of workstation, fusion, esxi, virtualbox, qemu, ova and aws");
  return target;
}

void NewDiskOptions::add_to(CommandLine& line, const char* kind_help) {
  line.option("-O,--output-kind", kind_text_, "KIND", kind_help);
  line.option("--grain", grain_text_, "SIZE", "Unit of allocation of a sparse disk");
  line.option("--set", set_, "KEY=VALUE", "Set a key of the disk database (repeatable)");
  line.flag("--zero-grains", zero_grains_,
            "Let tables say that a grain is zero; fewer programs can read that");
}

void NewDiskOptions::add_details_to(CommandLine& line) {
  line.option("--target", target_text_, "NAME",
              "Choose what NAME takes: workstation, fusion, esxi, virtualbox, qemu, ova, aws");
  line.option("--split", split_text_, "SIZE", "Size of one part of a split disk; 2047M by default");
  line.option("--adapter", adapter_text_, "NAME", "ide, buslogic, lsilogic, pvscsi, ...");
  line.option("--hwversion", hardware_version_text_, "N", "Virtual hardware version");
  line.option("--preallocate", preallocate_text_, "HOW",
              "Space of a flat disk: none, reserve or zeros");
  line.option("--cid", cid_text_, "HEX", "Content ID; random if not given");
}

void NewDiskOptions::check() {
  if (!kind_text_.empty()) {
    type_ = type_by_name(kind_text_);
    if (type_ == VMDK_TYPE_UNKNOWN)
      throw UsageError("-O: '" + printable(kind_text_) +
                       "' is no kind of disk, such as monolithicSparse or vmfs");
  }
  if (!grain_text_.empty()) grain_bytes_ = parse_size(grain_text_, "--grain");
  if (!split_text_.empty()) split_bytes_ = parse_size(split_text_, "--split");
  if (!adapter_text_.empty()) adapter_ = parse_adapter(adapter_text_);
  if (!hardware_version_text_.empty())
    hardware_version_ = parse_count(hardware_version_text_, "--hwversion", 1, kHighestHardware);
  if (!preallocate_text_.empty()) preallocate_ = parse_preallocate(preallocate_text_);
  if (!cid_text_.empty()) cid_ = parse_cid(cid_text_);
  if (!target_text_.empty()) target_ = parse_target(target_text_);
  for (const std::string& pair : set_) {
    const std::size_t sign = pair.find('=');
    if (sign == std::string::npos)
      throw UsageError("--set: '" + printable(pair) + "' is not KEY=VALUE");
    key_texts_.push_back(database_key(pair.substr(0, sign)));
    key_texts_.push_back(pair.substr(sign + 1));
  }
  point_to_keys();
}

void NewDiskOptions::point_to_keys() {
  keys_.clear();
  for (const std::string& text : key_texts_) keys_.push_back(text.c_str());
  keys_.push_back(nullptr);
}

vmdk_create_options NewDiskOptions::create_options() const {
  vmdk_create_options options = {};
  options.struct_size = sizeof options;
  options.type = type_;
  options.grain_bytes = grain_bytes_;
  options.split_bytes = split_bytes_;
  options.adapter = adapter_;
  options.hardware_version = hardware_version_;
  options.preallocate = preallocate_;
  options.flags = flags();
  options.cid = cid_;
  options.target = target_;
  options.keys = keys();
  return options;
}

bool NewDiskOptions::sets(const char* key) const {
  for (std::size_t i = 0; i < key_texts_.size(); i += 2)
    if (strcasecmp(key_texts_[i].c_str(), key) == 0) return true;
  return false;
}

void NewDiskOptions::add_key(const char* name, const std::string& value) {
  if (sets(name)) return;
  key_texts_.emplace_back(name);
  key_texts_.push_back(value);
}

void NewDiskOptions::make_reproducible(const std::string& path, std::uint64_t capacity) {
  const std::string epoch = source_date_epoch();
  if (epoch.empty()) return;
  Digest digest(nettle_sha256);
  const std::string text = epoch + " " + std::to_string(capacity) + " " + base_name(path);
  digest.add(std::as_bytes(std::span(text)));
  const std::string digits = digest.hex();
  if (cid_ == 0) {
    cid_ = static_cast<std::uint32_t>(std::strtoul(digits.substr(0, 8).c_str(), nullptr, 16));
    if (cid_ == 0 || cid_ >= kNeverWritten) cid_ = 1;
  }
  add_key("ddb.longContentID", digits.substr(8, 24) + cid_text(cid_));
  add_key("ddb.uuid", uuid_of(digits.substr(32, 32)));
  point_to_keys();
}

}  // namespace vmdk_tool
