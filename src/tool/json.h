// SPDX-License-Identifier: MIT
// JSON text that never fails because of what a file holds: bytes that are no
// UTF-8 come out as U+FFFD. Objects keep the order their fields were added in.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace vmdk_tool {

using Json = nlohmann::ordered_json;

// A whole document, indented by two, with a line end.
std::string json_document(const Json& json);

// A string with its quotation marks.
std::string json_string(std::string_view text);

}  // namespace vmdk_tool
