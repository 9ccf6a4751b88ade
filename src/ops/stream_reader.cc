// SPDX-License-Identifier: MIT
#include "ops/stream_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "format/probe.h"
#include "io/tar_file.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::size_t kBeginning = 16 << 10;  // tells the kind
constexpr std::size_t kPiece = 16 << 10;
constexpr std::size_t kEntrySize = sizeof(std::uint32_t);
constexpr std::size_t kMostFrontTables = 1 << 22;  // of 128 TiB in grains of 64 KiB
constexpr std::uint64_t kMaxSector = UINT32_MAX;   // as far as entries of tables reach

std::string text(std::uint64_t number) { return std::to_string(number); }

// A VMDK, but none that tells on the way what it is.
[[noreturn]] void throw_no_stream(const std::string& name, const std::string& what) {
  throw Error(VMDK_ERR_UNSUPPORTED, name + ": " + what + ": it cannot be read in order")
      .with_hint("save it to a file and open that");
}

// Throws unless a sparse extent begins with these bytes.
void check_kind(const std::string& name, Bytes beginning) {
  if (is_tar(beginning)) throw_no_stream(name, "is a tar, such as an OVA");
  const vmdk_file_kind kind = kind_of(beginning);
  switch (kind) {
    case VMDK_FILE_KIND_SPARSE:
      return;
    case VMDK_FILE_KIND_DESCRIPTOR:
      throw_no_stream(name, "is a text descriptor, which names other files");
    case VMDK_FILE_KIND_COWD:
      throw_no_stream(name, "is a COWD extent");
    case VMDK_FILE_KIND_SE_SPARSE:
      throw_no_stream(name, "is a seSparse extent");
    case VMDK_FILE_KIND_ENCRYPTED:
      throw Error(VMDK_ERR_ENCRYPTED, name + ": " + why_not_a_disk(kind));
    default:
      throw Error(VMDK_ERR_NOT_VMDK, name + ": " + why_not_a_disk(kind));
  }
}

}  // namespace

StreamReader::StreamReader(ByteSource& source, const DescriptorLimits& limits) : in_(source) {
  check_kind(in_.name(), in_.peek(kBeginning));
  read_header();
  read_descriptor(limits);
  shape_ = {divide_up(capacity_sectors(), header_.grain_sectors), header_.gtes_per_gt};
  if (tables_in_front())
    front_.emplace(in_.name(), shape_);
  else
    behind_.emplace(in_.name(), shape_);
}

void StreamReader::throw_ended(const std::string& where) {
  // What of a sector is left was not taken.
  const std::uint64_t end = in_.at() + in_.skip(UINT64_MAX);
  throw_corrupt(in_.name(),
                "the stream ends at byte " + text(end) + ", " + where + ": it is truncated");
}

void StreamReader::throw_marker(const Marker& marker, const std::string& why) const {
  throw_corrupt(in_.name(), "the marker of type " + text(marker.type) + " at byte " +
                                text(in_.at() - kSectorSize) + " " + why);
}

void StreamReader::pass(std::uint64_t bytes, const char* what) {
  if (in_.skip(bytes) != bytes) throw_ended(what);
}

void StreamReader::read_header() {
  const std::string& name = in_.name();
  const Bytes sector = in_.peek(kSparseHeaderSize);
  if (sector.size() < kSparseHeaderSize) throw_ended("inside its header");
  header_ = SparseHeader::decode(name, sector);
  if (!header_.compressed()) {
    if (header_.gd_sector == kDirectoryAtEnd)
      throw_corrupt(name,
                    "its header says that the grain directory is at the end, but its grains are "
                    "not compressed");
    throw_no_stream(name, "is a sparse extent whose grains are not compressed");
  }
  if (header_.is_carrier()) throw_no_stream(name, "its header says that it has 0 sectors");
  if (!header_.markers()) throw_no_stream(name, "its grains do not say which they are");
  check_packed_grain_size(name, grain_bytes());
  if (header_.gd_sector == 0)
    throw_corrupt(name, "its header says that the grain directory is at sector 0");
  if (header_.overhead > kMaxSector)
    throw_corrupt(name, "its header says that its metadata takes " + text(header_.overhead) +
                            " sectors, beyond which no grain can be");
  pass(kSectorSize, "inside its header");
}

// Skips to a sector that lies ahead.
void StreamReader::go_to(std::uint64_t sector, const char* what) {
  const std::uint64_t here = divide_up(in_.at(), kSectorSize);
  if (sector < here || sector > kMaxSector)
    throw_no_stream(in_.name(), std::string(what) + " at sector " + text(sector) +
                                    " does not come in its turn, after sector " + text(here));
  if (const std::uint64_t gap = sector * kSectorSize - in_.at(); in_.skip(gap) != gap)
    throw_ended(std::string("before ") + what);
}

void StreamReader::read_descriptor(const DescriptorLimits& limits) {
  const std::string& name = in_.name();
  std::string descriptor;
  if (header_.descriptor_sector != 0) {
    go_to(header_.descriptor_sector, "its descriptor");
    if (header_.descriptor_sectors > kMaxSector)
      throw_corrupt(name, "its descriptor of " + text(header_.descriptor_sectors) +
                              " sectors is longer than an extent can be");
    std::uint64_t left = header_.descriptor_sectors * kSectorSize;
    bool more = true;
    while (left > 0) {
      const Bytes piece = in_.peek(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)));
      if (piece.empty()) throw_ended("inside its descriptor");
      const std::string_view some = as_text(piece).substr(0, as_text(piece).find('\0'));
      if (more) descriptor += some;
      // What is longer than allowed Descriptor::parse() refuses.
      more = more && some.size() == piece.size() && descriptor.size() <= limits.max_bytes;
      left -= piece.size();
      pass(piece.size(), "inside its descriptor");
    }
  }
  if (!is_embedded_descriptor(name, descriptor))
    throw_no_stream(name, "is an extent without a descriptor");
  if (looks_encrypted(descriptor))
    throw Error(VMDK_ERR_ENCRYPTED, name + ": " + why_not_a_disk(VMDK_FILE_KIND_ENCRYPTED));
  descriptor_ = Descriptor::parse(name, descriptor, limits);
  const std::vector<ExtentLine>& lines = descriptor_.extents;
  if (lines.empty()) throw_corrupt(name, "its descriptor has no extents");
  if (lines[0].type != ExtentType::sparse)
    throw_corrupt(name,
                  "is a sparse extent by its header, but the first extent of the descriptor in it "
                  "is of another type");
  if (lines[0].sectors != descriptor_.sectors)
    throw_no_stream(name, "is one of the " + text(lines.size()) + " extents of its disk");
  if (lines[0].access == VMDK_ACCESS_NONE)
    throw_no_stream(name, "may not be read, says the first extent of its descriptor");
  check_capacity(name, header_.capacity, lines[0].sectors,
                 std::max(header_.grain_sectors, kCapacityRounding));
}

// Entries that begin here, in pieces; then goes on to the next sector.
template <class Use>
void StreamReader::read_entries(std::uint64_t count, const char* what, Use use) {
  std::uint64_t left = count * kEntrySize;
  while (left > 0) {
    const Bytes piece = in_.peek(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)));
    if (piece.size() < std::min<std::uint64_t>(left, kPiece)) throw_ended(what);
    use(piece);
    left -= piece.size();
    pass(piece.size(), what);
  }
  pass(round_up(in_.at(), kSectorSize) - in_.at(), what);
}

void StreamReader::read_tables_in_front() {
  go_to(header_.gd_sector, "its grain directory");
  struct Place {
    std::uint32_t sector, table;
  };
  if (shape_.tables() > UINT32_MAX)
    throw_no_stream(in_.name(), "has " + text(shape_.tables()) + " grain tables");
  std::vector<Place> places;
  std::uint32_t index = 0;
  read_entries(shape_.tables(), "inside its grain directory", [&](Bytes entries) {
    for (std::size_t i = 0; i < entries.size(); i += kEntrySize, ++index)
      if (const auto sector = load_le<std::uint32_t>(entries, i); sector > 1) {
        if (places.size() == kMostFrontTables)
          throw_no_stream(in_.name(),
                          "has more than " + text(kMostFrontTables) + " grain tables in front");
        places.push_back({sector, index});
      }
  });
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.sector < b.sector; });
  for (const Place& place : places) {
    const std::string what = "grain table " + text(place.table);
    const std::uint64_t end = std::uint64_t{place.sector} +
                              divide_up(shape_.grains_in(place.table) * kEntrySize, kSectorSize);
    if (end > header_.overhead)
      throw_no_stream(in_.name(),
                      what + " at sector " + text(place.sector) +
                          " does not lie in front of the grains, which begin at sector " +
                          text(header_.overhead));
    go_to(place.sector, what.c_str());
    front_->begin_table(place.table);
    read_entries(shape_.grains_in(place.table), "inside a grain table",
                 [&](Bytes entries) { front_->add_entries(entries); });
    front_->end_table();
  }
  front_->ready();
}

std::optional<StreamReader::Record> StreamReader::next(MutableBytes out) {
  if (!started_) {
    if (front_) read_tables_in_front();
    go_to(header_.overhead, "its first grain");
    started_ = true;
  }
  while (stage_ != Stage::end) {
    const Bytes sector = in_.peek(kSectorSize);
    if (sector.size() < kSectorSize) {
      if (!front_) throw_ended("before its end-of-stream marker");
      if (!is_zero(sector)) throw_ended("inside a sector");
      in_.skip(kSectorSize);
      finish();
      break;
    }
    const Marker marker = Marker::decode(sector);
    if (marker.is(MarkerType::end_of_stream)) {
      take_end(sector);
    } else if (marker.size != 0) {
      if (const auto record = take_grain(marker, out)) return record;
    } else {
      pass(kSectorSize, "");
      take_marker(marker);
    }
  }
  return std::nullopt;
}

std::optional<StreamReader::Record> StreamReader::take_grain(const Marker& marker,
                                                             MutableBytes out) {
  const std::uint64_t at = in_.at();
  check_marker(marker);
  const std::uint64_t grain = marker.value / header_.grain_sectors;
  check_packed_size(in_.name(), {grain, at}, marker.size, grain_bytes());
  // Beyond the extent line, where a rounded capacity in the header still reaches.
  const bool beyond = grain >= shape_.grains;
  const std::uint64_t end = kGrainMarkerSize + marker.size;
  const std::uint64_t padding = round_up(end, kSectorSize) - end;
  const bool whole =
      in_.skip(kGrainMarkerSize) == kGrainMarkerSize &&
      (beyond ? in_.skip(marker.size) : in_.read(out.first(marker.size))) == marker.size;
  // Where no end-of-stream marker has to follow the padding may be missing.
  if (!whole || (in_.skip(padding) != padding && !front_))
    throw_ended("inside grain " + text(grain) + ", stored at byte " + text(at));
  if (beyond) return std::nullopt;
  if (front_)
    front_->add_grain(grain, at);
  else
    behind_->add_grain(grain, at);
  return Record{grain, at, marker.size};
}

// Of a grain.
void StreamReader::check_marker(const Marker& marker) const {
  const auto refuse = [&](const std::string& why) {
    throw_corrupt(in_.name(), "the grain at byte " + text(in_.at()) + " " + why);
  };
  const auto belongs = [&] {
    return "says that it belongs to sector " + text(marker.value) + " of the disk, ";
  };
  if (stage_ != Stage::grains)
    refuse(stage_ == Stage::directory ? "comes behind the grain directory"
                                      : "comes behind the footer");
  if (in_.at() / kSectorSize > kMaxSector) refuse("lies at a sector that no grain table can name");
  if (marker.value % header_.grain_sectors != 0)
    refuse(belongs() + "where no grain of " + text(header_.grain_sectors) + " sectors begins");
  if (marker.value >= header_.capacity)
    refuse(belongs() + "which has " + text(header_.capacity) + " sectors");
}

void StreamReader::take_marker(const Marker& marker) {
  if (marker.value > kMaxSector)
    throw_marker(marker, "says that " + text(marker.value) + " sectors follow");
  const bool ended = stage_ == Stage::footer;
  if (!front_ && !ended && marker.is(MarkerType::grain_table)) return take_table(marker);
  if (!front_ && !ended && marker.is(MarkerType::grain_directory)) return take_directory(marker);
  if (marker.is(MarkerType::footer)) return take_footer(marker);
  if (ended) throw_marker(marker, "comes behind the footer");
  pass(marker.value * kSectorSize, "inside what follows a marker");
}

void StreamReader::take_table(const Marker& marker) {
  if (stage_ != Stage::grains) throw_marker(marker, "comes behind the grain directory");
  const std::uint64_t sectors = divide_up(shape_.gtes_per_gt * kEntrySize, kSectorSize);
  if (marker.value != 0 && marker.value < sectors)
    throw_marker(marker, "says that " + text(marker.value) + " sectors follow; a grain table has " +
                             text(sectors));
  behind_->begin_table(in_.at());
  read_entries(shape_.gtes_per_gt, "inside a grain table",
               [&](Bytes entries) { behind_->add_entries(entries); });
  behind_->end_table();
  if (marker.value > sectors) pass((marker.value - sectors) * kSectorSize, "behind a grain table");
}

void StreamReader::take_directory(const Marker& marker) {
  if (stage_ != Stage::grains) throw_marker(marker, "is that of a second grain directory");
  const std::uint64_t sectors = divide_up(shape_.tables() * kEntrySize, kSectorSize);
  if (marker.value != 0 && marker.value < sectors)
    throw_marker(marker, "says that " + text(marker.value) +
                             " sectors follow; the grain directory has " + text(sectors));
  directory_sector_ = in_.at() / kSectorSize;
  if (header_.gd_sector != kDirectoryAtEnd && header_.gd_sector != directory_sector_)
    throw_corrupt(in_.name(), "its header says that the grain directory is at sector " +
                                  text(header_.gd_sector) + ", but it comes at byte " +
                                  text(in_.at()) + " (sector " + text(directory_sector_) + ")");
  std::uint64_t table = 0;
  read_entries(shape_.tables(), "inside its grain directory", [&](Bytes entries) {
    for (std::size_t i = 0; i < entries.size(); i += kEntrySize, ++table)
      behind_->check_directory(table, load_le<std::uint32_t>(entries, i), in_.at() + i);
  });
  if (marker.value > sectors)
    pass((marker.value - sectors) * kSectorSize, "behind its grain directory");
  stage_ = Stage::directory;
}

void StreamReader::take_footer(const Marker& marker) {
  const std::string& name = in_.name();
  const std::uint64_t at = in_.at();
  if (stage_ == Stage::footer) throw_marker(marker, "is that of a second footer");
  if (behind_ && stage_ == Stage::grains)
    throw_marker(marker, "is that of the footer, but the grain directory was not there");
  if (marker.value > 1)
    throw_marker(marker, "says that " + text(marker.value) + " sectors follow; a footer has 1");
  const Bytes sector = in_.peek(kSectorSize);
  if (sector.size() < kSectorSize) throw_ended("inside its footer");
  const std::string footer_name = name + " (footer at byte " + text(at) + ")";
  const SparseHeader footer = SparseHeader::decode(footer_name, sector);
  check_footer(footer_name, header_, footer);
  if (behind_ && footer.gd_sector != directory_sector_)
    throw_corrupt(footer_name, "says that the grain directory is at sector " +
                                   text(footer.gd_sector) + ", but it was at sector " +
                                   text(directory_sector_));
  pass(kSectorSize, "inside its footer");
  stage_ = Stage::footer;
}

// The end-of-stream marker, or padding where there is none.
void StreamReader::take_end(Bytes sector) {
  const std::string& name = in_.name();
  const std::string what = "the end-of-stream marker at byte " + text(in_.at());
  if (!is_zero(sector)) throw_corrupt(name, what + " is damaged: it has bytes that are not 0");
  if (behind_ && stage_ == Stage::grains)
    throw_corrupt(name, what + " comes before the grain directory");
  if (header_.gd_sector == kDirectoryAtEnd && stage_ != Stage::footer)
    throw_corrupt(name, what + " comes before the footer");
  in_.skip(kSectorSize);
  finish();
}

// To the end of the source.
void StreamReader::finish() {
  const std::string& name = in_.name();
  const std::uint64_t at = in_.at();
  if (front_) front_->finish(at);
  for (Bytes piece = in_.peek(kPiece); !piece.empty(); piece = in_.peek(kPiece)) {
    if (!is_zero(piece)) {
      const auto odd = std::find_if(piece.begin(), piece.end(),
                                    [](std::byte byte) { return byte != std::byte{0}; });
      throw_corrupt(name, "something follows the end of the stream: the byte " +
                              text(in_.at() + static_cast<std::uint64_t>(odd - piece.begin())) +
                              " is not 0, but the stream ends at byte " + text(at));
    }
    pass(piece.size(), "");
  }
  if (header_.gtes_per_gt * std::uint64_t{kEntrySize} > in_.at())
    throw_corrupt(name, "its header says that a grain table has " + text(header_.gtes_per_gt) +
                            " entries, which do not fit into the stream (" + text(in_.at()) +
                            " bytes)");
  stage_ = Stage::end;
}

void StreamReader::inflate(const Record& record, Bytes packed, Inflater& inflater,
                           MutableBytes plain) const {
  Buffer scratch;
  inflate_grain(in_.name(), {record.grain, record.at}, packed, grain_bytes(), inflater, scratch,
                plain);
}

}  // namespace vmdk
