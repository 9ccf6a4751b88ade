// SPDX-License-Identifier: MIT
// `vmdk ddb`: the disk database of a descriptor, shown and changed in place.
#include <strings.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"
#include "json.h"
#include "messages.h"
#include "new_disk.h"
#include "options.h"
#include "output.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

using Entry = std::pair<std::string, std::string>;

struct Request {
  std::vector<std::string> removed;
  std::vector<Entry> set;
  std::vector<std::string> shown;

  bool changes() const { return !removed.empty() || !set.empty(); }
};

Request make_request(const std::vector<std::string>& words,
                     const std::vector<std::string>& removed) {
  Request request;
  for (const std::string& word : words) {
    const std::size_t sign = word.find('=');
    if (sign == std::string::npos)
      request.shown.push_back(database_key(word));
    else
      request.set.emplace_back(database_key(word.substr(0, sign)), word.substr(sign + 1));
  }
  for (const std::string& key : removed) request.removed.push_back(database_key(key));
  return request;
}

void change(DiskHandle& disk, const Request& request) {
  for (const std::string& key : request.removed) disk.set_text(key, std::nullopt);
  for (const auto& [key, value] : request.set) disk.set_text(key, value);
}

// What the disk itself says, not its parents.
std::vector<Entry> read_database(const DiskHandle& disk) {
  std::vector<Entry> database;
  const std::uint32_t count = disk.info().key_count;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string key = disk.key(0, i);
    if (strncasecmp(key.c_str(), "ddb.", 4) != 0) continue;
    std::string value = disk.text(0, key).value_or("");
    database.emplace_back(std::move(key), std::move(value));
  }
  return database;
}

[[noreturn]] void throw_missing(const DiskHandle& disk, const std::string& key) {
  const std::optional<std::string> inherited = disk.text(0, key);
  throw Failure(printable(disk.path()) + ": the disk database has no " + printable(key),
                inherited ? "a parent has it: " + printable(*inherited) : "", VMDK_ERR_NOT_FOUND);
}

// Those that are asked for, in that order.
std::vector<Entry> select_entries(const DiskHandle& disk, const std::vector<std::string>& keys) {
  const std::vector<Entry> database = read_database(disk);
  std::vector<Entry> selected;
  for (const std::string& key : keys) {
    const auto found = std::find_if(database.begin(), database.end(), [&](const Entry& entry) {
      return strcasecmp(entry.first.c_str(), key.c_str()) == 0;
    });
    if (found == database.end()) throw_missing(disk, key);
    selected.push_back(*found);
  }
  return selected;
}

std::string database_json(const DiskHandle& disk, const std::vector<Entry>& entries) {
  // Appended, not looked up, as in info_report.cc.
  Json keys = Json::object();
  auto& fields = keys.get_ref<Json::object_t&>();
  for (const auto& [key, value] : entries) fields.emplace_back(key, value);
  Json json;
  json["file"] = disk.path();
  json["path"] = disk.text(0, "@path").value_or("");
  json["keys"] = std::move(keys);
  return json_document(json);
}

}  // namespace

int run_ddb(Arguments arguments) {
  std::string file;
  std::vector<std::string> words;
  std::vector<std::string> removed;
  bool json = false;
  CommonOptions common;
  CommandLine line("ddb", verb_summary("ddb"));
  line.argument("FILE", file, "The disk");
  line.arguments("KEY[=VALUE]", words, "Print a key, or set it; without any all keys are listed");
  line.option("--remove", removed, "KEY", "Remove a key (repeatable)");
  line.flag("--json", json, "Print a JSON document");
  line.footer("The \"ddb.\" in front of a key may be left out.");
  common.add_to(line, kTakesPaths | kTakesReading);
  line.parse(arguments);
  common.check();
  const Request request = make_request(words, removed);

  DiskHandle disk(file, common, request.changes() ? Work::changes : Work::tables);
  change(disk, request);
  TextOutput out;
  const bool all = request.shown.empty();
  const std::vector<Entry> entries =
      all ? read_database(disk) : select_entries(disk, request.shown);
  if (json) {
    out.write(database_json(disk, entries));
  } else if (!all) {
    for (const Entry& entry : entries) out.write(printable(entry.second) + "\n");
  } else if (!request.changes()) {
    for (const auto& [key, value] : entries)
      out.write(printable(key) + "=" + printable(value) + "\n");
  }
  disk.close();
  out.finish();
  return kExitDone;
}

}  // namespace vmdk_tool
