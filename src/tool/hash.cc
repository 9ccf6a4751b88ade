// SPDX-License-Identifier: MIT
// `vmdk hash`: the digest of what the guest sees.
#include <nettle/nettle-meta.h>
#include <vmdk/vmdk.h>

#include <string>

#include "conversion.h"
#include "digests.h"
#include "errors.h"
#include "input.h"
#include "messages.h"
#include "output.h"
#include "source.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

const nettle_hash& find_algorithm(const std::string& name) {
  const nettle_hash* const known[] = {&nettle_sha256, &nettle_sha1, &nettle_md5, &nettle_sha512};
  for (const nettle_hash* const hash : known)
    if (name == hash->name) return *hash;
  throw UsageError("--algorithm: '" + printable(name) +
                   "' is none of sha256, sha1, md5 and sha512");
}

void hash_disk(const std::string& file, Digests& digests, const CommonOptions& common) {
  const DiskHandle disk(file, common, Work::data);
  const auto source = make_disk_source(disk);
  Progress progress(common.progress(), "hash", source->size());
  digests.add_source(*source, common.threads(), progress);
}

void hash_stream(const std::string& file, Digests& digests, const CommonOptions& common) {
  Input input(file);
  vmdk_create_options raw = {};
  raw.struct_size = sizeof raw;
  raw.type = VMDK_TYPE_RAW;
  Conversion conversion("hash", common);
  conversion.options().create = &raw;
  conversion.digest_content(digests);
  conversion.run(input);
}

}  // namespace

int run_hash(Arguments arguments) {
  std::string file;
  std::string algorithm = "sha256";
  CommonOptions common;
  CommandLine line("hash", verb_summary("hash"));
  line.argument("FILE", file, "The disk; - is standard input");
  line.option("--algorithm", algorithm, "NAME", "sha256 (if not given), sha1, md5 or sha512");
  common.add_to(line, kTakesAll | kTakesFrom);
  line.parse(arguments);
  common.check();
  Digests digests({&find_algorithm(algorithm)});
  if (is_stream(file))
    hash_stream(file, digests, common);
  else
    hash_disk(file, digests, common);
  TextOutput out;
  out.print("%s  %s\n", digests.results().front().hex.c_str(), printable(file).c_str());
  out.finish();
  return kExitDone;
}

}  // namespace vmdk_tool
