// SPDX-License-Identifier: MIT
#include "extent/grain_record.h"

#include "util/error.h"

namespace vmdk {

void check_packed_grain_size(const std::string& name, std::uint64_t grain_bytes) {
  if (grain_bytes <= kMaxPackedGrainBytes) return;
  throw Error(VMDK_ERR_UNSUPPORTED, name + ": compressed grains of " + std::to_string(grain_bytes) +
                                        " bytes are not read; 16 MiB is the most");
}

void throw_damaged_grain(const std::string& name, const GrainPlace& place, const std::string& why) {
  throw_corrupt(name, "grain " + std::to_string(place.grain) + ", stored at byte " +
                          std::to_string(place.at) + ", " + why);
}

void check_packed_size(const std::string& name, const GrainPlace& place, std::uint64_t size,
                       std::uint64_t grain_bytes) {
  if (size != 0 && size <= max_packed_bytes(grain_bytes)) return;
  throw_damaged_grain(name, place,
                      "has a compressed size of " + std::to_string(size) +
                          " bytes; for a grain of " + std::to_string(grain_bytes) +
                          " bytes that cannot be");
}

void inflate_grain(const std::string& name, const GrainPlace& place, Bytes packed,
                   std::uint64_t grain_bytes, Inflater& inflater, Buffer& scratch,
                   MutableBytes out) {
  // The last grain is stored as far as the disk goes by some writers, whole by others.
  const bool tail = out.size() < grain_bytes;
  if (tail) scratch.reserve(static_cast<std::size_t>(grain_bytes));
  const MutableBytes plain = tail ? scratch.first(static_cast<std::size_t>(grain_bytes)) : out;
  const auto got = inflater.inflate(packed, plain);
  if (!got)
    throw_damaged_grain(name, place,
                        "is damaged: its " + std::to_string(packed.size()) +
                            " compressed bytes do not inflate to a grain");
  if (*got != plain.size() && *got != out.size())
    throw_damaged_grain(name, place,
                        "inflates to " + std::to_string(*got) + " bytes in place of " +
                            std::to_string(plain.size()));
  if (tail) std::memcpy(out.data(), plain.data(), out.size());
}

}  // namespace vmdk
