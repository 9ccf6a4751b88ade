// SPDX-License-Identifier: MIT
// `vmdk compare`: whether two disks show the guest the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "copy.h"
#include "errors.h"
#include "messages.h"
#include "output.h"
#include "piece_reader.h"
#include "signals.h"
#include "sizes.h"
#include "verbs.h"

namespace vmdk_tool {
namespace {

constexpr std::uint64_t kSector = 512;
// Looked at in one step: what differs nowhere in it is done.
constexpr std::uint64_t kStep = 64 * 1024;

struct Differences {
  std::optional<std::uint64_t> first;
  std::uint64_t bytes = 0;
  std::uint64_t sectors = 0;
};

std::byte byte_at(const Piece& piece, std::size_t i) {
  return piece.data == nullptr ? std::byte{0} : piece.data[i];
}

bool equal(const Piece& a, const Piece& b, std::size_t at, std::size_t size) {
  if (a.data == nullptr && b.data == nullptr) return true;
  if (a.data == nullptr) return is_zero({b.data + at, size});
  if (b.data == nullptr) return is_zero({a.data + at, size});
  return std::memcmp(a.data + at, b.data + at, size) == 0;
}

// Counts sector by sector: pieces and steps begin at a sector, and only the end
// of a raw file can cut one.
void count_differences(const Piece& a, const Piece& b, std::size_t from, std::size_t size,
                       Differences& differences) {
  std::size_t at = from;
  while (at < from + size) {
    const std::uint64_t offset = a.offset + at;
    const auto to_boundary = static_cast<std::size_t>(kSector - offset % kSector);
    const std::size_t n = std::min(to_boundary, from + size - at);
    if (!equal(a, b, at, n)) {
      std::uint64_t count = 0;
      std::size_t first = n;
      for (std::size_t i = n; i-- > 0;) {
        if (byte_at(a, at + i) == byte_at(b, at + i)) continue;
        ++count;
        first = i;
      }
      if (!differences.first) differences.first = offset + first;
      differences.bytes += count;
      ++differences.sectors;
    }
    at += n;
  }
}

// Compares `size` bytes from the beginning. With --quiet only up to the first
// difference.
Differences compare_sources(Source& a, Source& b, std::uint64_t size, const CommonOptions& common) {
  Differences differences;
  Progress progress(common.progress(), "compare", size);
  const bool threaded = common.threads() > 1;
  PieceReader reader_a(a, 0, size, threaded);
  PieceReader reader_b(b, 0, size, threaded);
  for (;;) {
    throw_if_cancelled();
    const Piece* const piece_a = reader_a.front();
    const Piece* const piece_b = reader_b.front();
    if (piece_a == nullptr || piece_b == nullptr) return differences;
    if (common.quiet() && differences.first) return differences;
    const std::uint64_t common_size = std::min(piece_a->size, piece_b->size);
    const bool both_zero = piece_a->data == nullptr && piece_b->data == nullptr;
    const std::uint64_t n = both_zero ? common_size : std::min(common_size, kStep);
    const auto step = static_cast<std::size_t>(n);
    if (!both_zero && !equal(*piece_a, *piece_b, 0, step))
      count_differences(*piece_a, *piece_b, 0, step, differences);
    progress.add(n, both_zero ? 0 : n);
    reader_a.consume(n);
    reader_b.consume(n);
  }
}

int print_result(const Differences& differences, std::uint64_t size_a, std::uint64_t size_b) {
  TextOutput out;
  const std::uint64_t common_size = std::min(size_a, size_b);
  const auto wide = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  if (size_a != size_b)
    out.print("sizes differ: %llu and %llu bytes\n", wide(size_a), wide(size_b));
  if (differences.first) {
    out.print("first difference at offset %llu (sector %llu)\n", wide(*differences.first),
              wide(*differences.first / kSector));
    out.print("%llu bytes in %llu sectors differ%s\n", wide(differences.bytes),
              wide(differences.sectors), size_a == size_b ? "" : " in the part both have");
  } else if (size_a != size_b) {
    out.print("first difference at offset %llu (sector %llu), where the shorter ends\n",
              wide(common_size), wide(common_size / kSector));
    out.write("0 bytes in 0 sectors differ in the part both have\n");
  } else {
    out.print("same: %s\n", exact_size(size_a).c_str());
  }
  out.finish();
  return differences.first || size_a != size_b ? kExitDifferent : kExitSame;
}

// Raw bytes are never taken for a disk, so they must be asked for.
OpenedSource open_side(const std::string& path, bool raw, const char* option,
                       const CommonOptions& common) {
  try {
    return OpenedSource(path, raw, common);
  } catch (Failure& failure) {
    if (failure.status() == VMDK_ERR_NOT_VMDK)
      failure.set_hint(std::string("if it holds the bytes of a disk as they are, say ") + option);
    throw;
  }
}

}  // namespace

int run_compare(Arguments arguments) {
  std::string path_a;
  std::string path_b;
  bool raw_a = false;
  bool raw_b = false;
  CommonOptions common;
  CommandLine line("compare", verb_summary("compare"));
  line.argument("A", path_a, "A disk");
  line.argument("B", path_b, "The disk to compare it with");
  line.flag("--raw-a", raw_a, "A holds raw bytes, not a VMDK");
  line.flag("--raw-b", raw_b, "B holds raw bytes, not a VMDK");
  line.footer("Exit status: 0 the same, 1 different, 2 trouble. With -q nothing is printed.");
  common.add_to(line);
  line.parse(arguments);
  common.check();

  OpenedSource a = open_side(path_a, raw_a, "--raw-a", common);
  OpenedSource b = open_side(path_b, raw_b, "--raw-b", common);
  const std::uint64_t size_a = a.source().size();
  const std::uint64_t size_b = b.source().size();
  if (common.quiet() && size_a != size_b) return kExitDifferent;
  const Differences differences =
      compare_sources(a.source(), b.source(), std::min(size_a, size_b), common);
  if (common.quiet()) return differences.first ? kExitDifferent : kExitSame;
  return print_result(differences, size_a, size_b);
}

}  // namespace vmdk_tool
