// SPDX-License-Identifier: MIT
#include "format/se_header.h"

#include <algorithm>

#include "util/error.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kVersion = 0x0000000200000001;
constexpr std::uint64_t kVolatileMagic = 0xcafecafe;
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;  // 2^63 bytes

void expect(const std::string& name, const char* field, std::uint64_t value,
            std::uint64_t expected) {
  if (value == expected) return;
  throw Error(VMDK_ERR_UNSUPPORTED, name + ": the seSparse header has " + field + " " +
                                        std::to_string(value) + " where only " +
                                        std::to_string(expected) + " is known");
}

}  // namespace

SeHeader SeHeader::decode(const std::string& name, Bytes in) {
  const auto at = [&](std::size_t offset) { return load_le<std::uint64_t>(in, offset); };
  const auto region = [&](std::size_t offset, const char* what) {
    const Region r{at(offset), at(offset + 8)};
    if (r.sector > kMaxSectors || r.sectors > kMaxSectors)
      throw_corrupt(name, std::string("the ") + what + " at sector " + std::to_string(r.sector) +
                              ", " + std::to_string(r.sectors) +
                              " sectors long, is beyond 2^63 bytes");
    return r;
  };
  if (at(0) != kSeMagic) throw_corrupt(name, "the magic number of the seSparse header is missing");
  expect(name, "version", at(8), kVersion);
  expect(name, "grain size", at(24), kSeGrainSectors);
  expect(name, "grain table size", at(32), kSeTableSectors);
  expect(name, "flags", at(40), 0);
  for (std::size_t reserved = 48; reserved < 80; reserved += 8)
    expect(name, "reserved field", at(reserved), 0);
  if (!is_zero(in.subspan(208, 304)))
    throw Error(VMDK_ERR_UNSUPPORTED, name + ": the seSparse header has fields that are not known");
  SeHeader header;
  header.capacity = at(16);
  if (header.capacity > kMaxSectors)
    throw_corrupt(name, "the capacity of " + std::to_string(header.capacity) +
                            " sectors is more than 2^63 bytes");
  header.volatile_header = region(80, "volatile header");
  header.directory = region(128, "grain directory");
  header.tables = region(144, "grain tables");
  header.grains = region(192, "grain area");
  return header;
}

void check_se_volatile_header(const std::string& name, Bytes in) {
  if (load_le<std::uint64_t>(in, 0) != kVolatileMagic)
    throw_corrupt(name, "the magic number of the volatile seSparse header is missing");
  if (load_le<std::uint64_t>(in, 24) != 0)
    throw Error(VMDK_ERR_UNSUPPORTED, name +
                                          ": its journal is to be replayed, so that its tables are "
                                          "out of date; only ESXi can do that")
        .with_hint("attach the disk to a virtual machine on ESXi once, and detach it cleanly");
}

std::optional<std::uint64_t> se_table_number(std::uint64_t entry) noexcept {
  if (entry >> 32 != 0x10000000) return std::nullopt;
  return entry & 0xffffffff;
}

SeGrain se_grain_kind(std::uint64_t entry) noexcept {
  switch (entry >> 60) {
    case 0:
      return entry == 0 ? SeGrain::absent : SeGrain::damaged;
    case 1:  // unmapped by the guest: the rest of the entry is for reclaiming
    case 2:
      return SeGrain::zero;
    case 3:
      return SeGrain::data;
    default:
      return SeGrain::damaged;
  }
}

}  // namespace vmdk
