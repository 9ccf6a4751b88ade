// SPDX-License-Identifier: MIT
#include "new_disk.h"

#include <strings.h>

#include "describe.h"
#include "errors.h"
#include "messages.h"
#include "sizes.h"

namespace vmdk_tool {

std::string database_key(const std::string& name) {
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (name.empty() || name.find_first_not_of(kLetters) != std::string::npos)
    throw UsageError("'" + printable(name) +
                     "' is no key: letters, digits and . _ - are what one has");
  return strncasecmp(name.c_str(), "ddb.", 4) == 0 ? name : "ddb." + name;
}

void NewDiskOptions::add_to(CommandLine& line, const char* kind_help) {
  line.option("-O,--output-kind", kind_text_, "KIND", kind_help);
  line.option("--grain", grain_text_, "SIZE", "Unit of allocation of a sparse disk");
  line.option("--set", set_, "KEY=VALUE", "Set a key of the disk database (repeatable)");
  line.flag("--zero-grains", zero_grains_,
            "Let tables say that a grain is zero; fewer programs can read that");
}

void NewDiskOptions::check() {
  if (!kind_text_.empty()) {
    type_ = type_by_name(kind_text_);
    if (type_ == VMDK_TYPE_UNKNOWN)
      throw UsageError("-O: '" + printable(kind_text_) +
                       "' is no kind of disk, such as monolithicSparse or vmfs");
  }
  if (!grain_text_.empty()) grain_bytes_ = parse_size(grain_text_, "--grain");
  for (const std::string& pair : set_) {
    const std::size_t sign = pair.find('=');
    if (sign == std::string::npos)
      throw UsageError("--set: '" + printable(pair) + "' is not KEY=VALUE");
    key_texts_.push_back(database_key(pair.substr(0, sign)));
    key_texts_.push_back(pair.substr(sign + 1));
  }
  for (const std::string& text : key_texts_) keys_.push_back(text.c_str());
  keys_.push_back(nullptr);
}

}  // namespace vmdk_tool
