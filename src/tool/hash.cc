// SPDX-License-Identifier: MIT
// `vmdk hash`: the digest of what the guest sees.
#include <nettle/nettle-meta.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "errors.h"
#include "messages.h"
#include "output.h"
#include "piece_reader.h"
#include "signals.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

// Small enough to stay in the processor's cache.
constexpr std::size_t kZeroPiece = 256 * 1024;

const nettle_hash& find_algorithm(const std::string& name) {
  const nettle_hash* const known[] = {&nettle_sha256, &nettle_sha1, &nettle_md5, &nettle_sha512};
  for (const nettle_hash* const hash : known)
    if (name == hash->name) return *hash;
  throw UsageError("--algorithm: '" + printable(name) +
                   "' is none of sha256, sha1, md5 and sha512");
}

class Digest {
 public:
  explicit Digest(const nettle_hash& hash)
      : hash_(hash),
        context_(hash.context_size / sizeof(std::max_align_t) + 1),
        zeros_(std::make_unique<std::uint8_t[]>(kZeroPiece)) {
    hash_.init(context_.data());
  }

  void add(const std::byte* data, std::size_t size) {
    const void* const bytes = data;
    hash_.update(context_.data(), size, static_cast<const std::uint8_t*>(bytes));
  }

  // Returns how many of the zeros it took: a piece of them, so that a job of
  // many TiB can be watched and cancelled.
  std::uint64_t add_zeros(std::uint64_t size) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size, kZeroPiece));
    hash_.update(context_.data(), n, zeros_.get());
    return n;
  }

  std::string hex() {
    std::vector<std::uint8_t> digest(hash_.digest_size);
    hash_.digest(context_.data(), digest.size(), digest.data());
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : digest) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  const nettle_hash& hash_;
  std::vector<std::max_align_t> context_;
  std::unique_ptr<std::uint8_t[]> zeros_;
};

}  // namespace

int run_hash(Arguments arguments) {
  std::string file;
  std::string algorithm = "sha256";
  CommonOptions common;
  CommandLine line("hash", verb_summary("hash"));
  line.argument("FILE", file, "The disk");
  line.option("--algorithm", algorithm, "NAME", "sha256 (if not given), sha1, md5 or sha512");
  common.add_to(line);
  line.parse(arguments);
  common.check();
  Digest digest(find_algorithm(algorithm));

  const DiskHandle disk(file, common, Work::data);
  const auto source = make_disk_source(disk);
  {
    Progress progress(common.progress(), "hash", source->size());
    PieceReader reader(*source, 0, source->size(), common.threads() > 1);
    while (const Piece* const piece = reader.front()) {
      throw_if_cancelled();
      std::uint64_t done = piece->size;
      if (piece->data == nullptr)
        done = digest.add_zeros(piece->size);
      else
        digest.add(piece->data, static_cast<std::size_t>(piece->size));
      progress.add(done, done);
      reader.consume(done);
    }
  }
  TextOutput out;
  out.print("%s  %s\n", digest.hex().c_str(), printable(file).c_str());
  out.finish();
  return kExitDone;
}

}  // namespace vmdk_tool
