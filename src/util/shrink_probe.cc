// SPDX-License-Identifier: MIT
#include "util/shrink_probe.h"

#include <array>
#include <bit>

namespace vmdk {

namespace {

// Deflate gains from two things: bytes that are not equally frequent, and strings that come again.
// Both are looked for piece by piece, so that a part that shrinks is not lost among the rest.
constexpr std::size_t kPiece = 64 << 10, kSection = 16 << 10, kLeast = 4096;

// The chi-square statistic of bytes that are equally frequent is 255 give or take 23, whatever
// their number. A code made for the frequencies counted saves at most 0.09 bytes for each unit of
// it, and costs several dozen bytes to describe.
constexpr std::uint64_t kMaxSectionChi = 600, kMaxPieceChi = 700;

using Counts = std::array<std::uint32_t, 256>;

// Four tables, so that equal bytes in a row do not wait for each other.
void count(Bytes in, Counts& counts) noexcept {
  std::array<Counts, 4> tables{};
  for (std::size_t i = 0; i + 8 <= in.size(); i += 8) {
    const auto word = load_le<std::uint64_t>(in, i);
    ++tables[0][word & 255];
    ++tables[1][word >> 8 & 255];
    ++tables[2][word >> 16 & 255];
    ++tables[3][word >> 24 & 255];
    ++tables[0][word >> 32 & 255];
    ++tables[1][word >> 40 & 255];
    ++tables[2][word >> 48 & 255];
    ++tables[3][word >> 56];
  }
  for (std::size_t i = 0; i < counts.size(); ++i)
    counts[i] = tables[0][i] + tables[1][i] + tables[2][i] + tables[3][i];
}

// Of `total` bytes counted.
std::uint64_t chi_square(const Counts& counts, std::size_t total) noexcept {
  std::uint64_t squares = 0;
  for (const std::uint32_t n : counts) squares += std::uint64_t{n} * n;
  return squares * counts.size() / total - total;
}

bool equally_frequent(Bytes piece) noexcept {
  piece = piece.first(piece.size() / 8 * 8);  // what is counted
  Counts all{};
  for (std::size_t at = 0; at < piece.size(); at += kSection) {
    const Bytes section = piece.subspan(at, std::min(kSection, piece.size() - at));
    Counts counts;
    count(section, counts);
    if (chi_square(counts, section.size()) > kMaxSectionChi) return false;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] += counts[i];
  }
  return chi_square(all, piece.size()) <= kMaxPieceChi;
}

// Looks at one string of 8 bytes for each 8 bytes, chosen by their content, so that of a string
// that comes again the same are chosen wherever it stands.
bool repeats(Bytes piece) noexcept {
  constexpr std::uint64_t kLowBits = 0x0707070707070707, kTopBits = 0x8080808080808080;
  std::array<std::uint16_t, 8192> last{};
  for (std::size_t i = 0; i + 16 <= piece.size(); i += 8) {
    // The first byte whose three low bits are 0, or the last one.
    const std::uint64_t word = load_le<std::uint64_t>(piece, i) & kLowBits;
    const std::uint64_t chosen = (~(word + ~kTopBits) & kTopBits) | std::uint64_t{1} << 63;
    const std::size_t at = i + static_cast<std::size_t>(std::countr_zero(chosen)) / 8;
    const auto string = load_le<std::uint64_t>(piece, at);
    std::uint16_t& slot = last[string * 0x9e3779b97f4a7c15 >> 51];
    const std::size_t before = slot;
    slot = static_cast<std::uint16_t>(at);
    if (load_le<std::uint64_t>(piece, before) == string && before < at) return true;
  }
  return false;
}

}  // namespace

bool cannot_shrink(Bytes in) noexcept {
  for (; !in.empty(); in = in.subspan(std::min(kPiece, in.size()))) {
    const Bytes piece = in.first(std::min(kPiece, in.size()));
    if (piece.size() < kLeast || !equally_frequent(piece) || repeats(piece)) return false;
  }
  return true;
}

}  // namespace vmdk
