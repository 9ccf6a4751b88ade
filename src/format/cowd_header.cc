// SPDX-License-Identifier: MIT
#include "format/cowd_header.h"

#include "format/sparse_header.h"
#include "util/error.h"

namespace vmdk {

CowdHeader CowdHeader::decode(const std::string& name, Bytes in) {
  if (load_le<std::uint32_t>(in, 0) != kCowdMagic)
    throw_corrupt(name, "the magic number of the header is missing");
  const auto version = load_le<std::uint32_t>(in, 4);
  if (version != 1)
    throw Error(VMDK_ERR_UNSUPPORTED,
                name + ": COWD version " + std::to_string(version) + " is not known");
  CowdHeader header;
  header.capacity = load_le<std::uint32_t>(in, 12);
  header.grain_sectors = load_le<std::uint32_t>(in, 16);
  header.gd_sector = load_le<std::uint32_t>(in, 20);
  header.gd_entries = load_le<std::uint32_t>(in, 24);
  header.free_sector = load_le<std::uint32_t>(in, 28);
  header.unclean = load_le<std::uint32_t>(in, 1648) != 0;
  check_grain_size(name, header.grain_sectors);
  if (header.gd_sector < kCowdHeaderSize / kSectorSize)
    throw_corrupt(name, "the grain directory at sector " + std::to_string(header.gd_sector) +
                            " is inside the header");
  return header;
}

}  // namespace vmdk
