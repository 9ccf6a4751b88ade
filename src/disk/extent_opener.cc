// SPDX-License-Identifier: MIT
#include "disk/extent_opener.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "extent/flat_extent.h"
#include "extent/se_extent.h"
#include "extent/sparse_extent.h"
#include "format/cowd_header.h"
#include "format/marker.h"
#include "format/probe.h"
#include "format/se_header.h"
#include "format/sparse_header.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kMaxPadding = 64 << 10;  // of zeros behind a stream, as in an OVA

std::string sectors_text(std::uint64_t sectors) { return std::to_string(sectors) + " sectors"; }

// A copy of the header, behind its marker, at the end of a stream.
struct Footer {
  SparseHeader header;
  bool ended;  // the end-of-stream marker follows
};

// Behind the footer stand one sector of zeros, the end of the stream, and padding: zeros up to
// kMaxPadding, and less than a sector of anything.
std::optional<Footer> find_footer(const File& file) {
  const std::uint64_t end = file.size() / kSectorSize * kSectorSize;
  const std::uint64_t size = std::min(end, kMaxPadding + 3 * kSectorSize);
  std::vector<std::byte> tail(static_cast<std::size_t>(size));
  file.read_at(end - size, tail);
  for (std::size_t at = tail.size(); at >= 2 * kSectorSize; at -= kSectorSize) {
    const Bytes sector = Bytes(tail).subspan(at - kSectorSize, kSectorSize);
    if (is_zero(sector)) continue;
    const Marker marker = Marker::decode(Bytes(tail).subspan(at - 2 * kSectorSize, kSectorSize));
    if (load_le<std::uint32_t>(sector, 0) != kSparseMagic || !marker.is(MarkerType::footer))
      return std::nullopt;
    return Footer{SparseHeader::decode(file.name() + " (footer)", sector), at < tail.size()};
  }
  return std::nullopt;
}

// The header that counts: the footer where the directory is at the end.
SparseHeader effective_header(const File& file, const SparseHeader& header, bool recover) {
  const bool at_end = header.gd_sector == kDirectoryAtEnd;
  if (at_end && !header.compressed())
    throw_corrupt(file.name(),
                  "its header says that the grain directory is at the end, but its grains are not "
                  "compressed");
  if (!header.compressed()) return header;
  const auto footer = find_footer(file);
  if (!footer) {
    if (!at_end) return header;
    throw_corrupt(
        file.name(),
        "its header says that the grain directory is at the end, but there is no footer at the "
        "end of its " +
            std::to_string(file.size()) + " bytes: it is truncated");
  }
  check_footer(file.name(), header, footer->header);
  if (at_end && !footer->ended && !recover)
    throw Error(VMDK_ERR_CORRUPT,
                file.name() + ": its end-of-stream marker is missing: it is truncated")
        .with_hint("open with --recover (VMDK_OPEN_RECOVER) to read what is there");
  return footer->header;
}

std::unique_ptr<Extent> open_hosted(File& file, Bytes beginning, const ExtentLine& line,
                                    const ExtentParts& parts) {
  const bool recover = parts.shared.recover;
  const SparseHeader header =
      effective_header(file, SparseHeader::decode(file.name(), beginning), recover);
  if (header.is_carrier())
    throw_corrupt(file.name(), "its header says that it has 0 sectors, the descriptor says " +
                                   sectors_text(line.sectors));
  check_capacity(file.name(), header.capacity, line.sectors,
                 std::max(header.grain_sectors, kCapacityRounding));
  if (!header.compressed() && header.overhead > file.size() / kSectorSize && !recover)
    throw Error(VMDK_ERR_CORRUPT, file.name() + ": its metadata takes " +
                                      sectors_text(header.overhead) + ", but the file ends after " +
                                      std::to_string(file.size()) + " bytes: it is truncated")
        .with_hint("open with --recover (VMDK_OPEN_RECOVER) to read what is there");
  if (header.gtes_per_gt * std::uint64_t{4} > file.size())
    throw_corrupt(file.name(), "its header says that a grain table has " +
                                   std::to_string(header.gtes_per_gt) +
                                   " entries, which do not fit into the file (" +
                                   std::to_string(file.size()) + " bytes)");
  GrainLayout layout;
  layout.capacity_sectors = line.sectors;
  layout.grain_sectors = header.grain_sectors;
  layout.gtes_per_gt = header.gtes_per_gt;
  layout.gd_sector = header.gd_sector;
  layout.gd_entries = tables_needed(line.sectors, header.grain_sectors, header.gtes_per_gt);
  if (header.has_redundant()) layout.rgd_sector = header.rgd_sector;
  layout.first_grain_sector = header.overhead;
  layout.grains_whole = !header.compressed();
  layout.header = {0, 1};
  if (header.descriptor_sector != 0 &&
      in_bounds(header.descriptor_sector, header.descriptor_sectors, file.size() / kSectorSize))
    layout.descriptor = {header.descriptor_sector, header.descriptor_sectors};
  const SparseFacts facts{header.compressed() ? VMDK_EXTENT_STREAM : VMDK_EXTENT_SPARSE,
                          header.version, header.unclean,
                          header.version >= 2 && (header.flags & SparseHeader::kZeroedGrains) != 0};
  if (header.compressed())
    return std::make_unique<StreamExtent>(file, layout, facts, header.markers(), parts.shared,
                                          parts.inflating);
  return std::make_unique<SparseExtent>(file, layout, facts, parts.shared);
}

std::unique_ptr<Extent> open_cowd(File& file, const ExtentLine& line, const ExtentParts& parts) {
  std::array<std::byte, kCowdHeaderSize> beginning;
  file.read_at(0, beginning);
  const CowdHeader header = CowdHeader::decode(file.name(), beginning);
  check_capacity(file.name(), header.capacity, line.sectors, header.grain_sectors);
  GrainLayout layout;
  layout.capacity_sectors = line.sectors;
  layout.grain_sectors = header.grain_sectors;
  layout.gtes_per_gt = kCowdTableEntries;
  layout.gd_sector = header.gd_sector;
  layout.gd_entries = tables_needed(line.sectors, header.grain_sectors, kCowdTableEntries);
  if (header.gd_entries < layout.gd_entries)
    throw_corrupt(file.name(), "its header says that the grain directory has " +
                                   std::to_string(header.gd_entries) + " entries, but " +
                                   sectors_text(line.sectors) + " need " +
                                   std::to_string(layout.gd_entries));
  layout.first_grain_sector = kCowdHeaderSize / kSectorSize;
  layout.header = {0, kCowdHeaderSize / kSectorSize};
  return std::make_unique<SparseExtent>(
      file, layout, SparseFacts{VMDK_EXTENT_COWD, 1, header.unclean}, parts.shared);
}

std::unique_ptr<Extent> open_se(const File& file, Bytes beginning, const ExtentLine& line,
                                const ExtentParts& parts) {
  const SeHeader header = SeHeader::decode(file.name(), beginning);
  check_capacity(file.name(), header.capacity, line.sectors, kSeGrainSectors);
  std::array<std::byte, kSeHeaderSize> second;
  file.read_at(header.volatile_header.sector * kSectorSize, second);
  check_se_volatile_header(file.name(), second);
  return std::make_unique<SeExtent>(file, header, line.sectors * kSectorSize, parts.shared);
}

std::unique_ptr<Extent> open_flat(File& file, const ExtentLine& line, bool thick) {
  const std::uint64_t offset = line.file_sector * kSectorSize, size = line.sectors * kSectorSize;
  if (line.type == ExtentType::vmfs_rdm && !in_bounds(offset, size, file.size()))
    throw Error(VMDK_ERR_UNSUPPORTED,
                file.name() +
                    ": is a raw device mapping: the data is on a LUN of the ESX host, "
                    "not in this file");
  return std::make_unique<FlatExtent>(file, offset, size, thick);
}

}  // namespace

std::unique_ptr<Extent> open_extent(File& file, const ExtentLine& line, const ExtentParts& parts) {
  const bool sparse = line.type == ExtentType::sparse || line.type == ExtentType::vmfs_sparse;
  if (!sparse && line.type != ExtentType::se_sparse)
    return open_flat(file, line, parts.thick);  // raw, whatever the bytes look like
  std::array<std::byte, kSparseHeaderSize> buffer;
  const Bytes beginning(
      buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), file.size())));
  file.read_at(0, MutableBytes(buffer).first(beginning.size()));
  const vmdk_file_kind kind = kind_of(beginning);
  if (beginning.size() < kSparseHeaderSize) check_inside(file, 0, kSparseHeaderSize);
  if (sparse && kind == VMDK_FILE_KIND_SPARSE) return open_hosted(file, beginning, line, parts);
  if (sparse && kind == VMDK_FILE_KIND_COWD) return open_cowd(file, line, parts);
  if (!sparse && kind == VMDK_FILE_KIND_SE_SPARSE) return open_se(file, beginning, line, parts);
  throw_corrupt(file.name(), std::string("the descriptor says that it is a ") +
                                 (sparse ? "sparse" : "seSparse") +
                                 " extent, but its first bytes do not");
}

}  // namespace vmdk
