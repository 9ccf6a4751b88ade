// SPDX-License-Identifier: MIT
#include "ops/create.h"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <vector>

#include "format/cowd_header.h"
#include "format/sparse_header.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/mutant.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kMaxFlatSectors = (std::uint64_t{1} << 54) - 1;  // below 2^63 bytes
constexpr std::uint64_t kMaxSectors = std::uint64_t{1} << 54;
constexpr std::uint64_t kMaxParts = 65536;  // readers refuse more
constexpr std::uint64_t kMostGrain = 1 << 20;
constexpr std::uint64_t kUsualPart = std::uint64_t{2047} << 20;  // 64 tables: VMware's
constexpr std::size_t kPiece = 1 << 20;                          // written at once
constexpr std::size_t kMaxName = 255, kMaxHint = 4095;           // readers refuse more

constexpr std::size_t kMaxText = 16 << 20;  // readers refuse more

struct Kind {
  vmdk_type type;
  const char* name;  // createType
  ExtentType extent;
  bool split;
  const char* suffix;  // of the extents' files; "": the descriptor is inside
};

constexpr Kind kKinds[] = {
    {VMDK_TYPE_MONOLITHIC_SPARSE, "monolithicSparse", ExtentType::sparse, false, ""},
    {VMDK_TYPE_STREAM_OPTIMIZED, "streamOptimized", ExtentType::sparse, false, ""},
    {VMDK_TYPE_RAW, "raw", ExtentType::flat, false, ""},
    {VMDK_TYPE_MONOLITHIC_FLAT, "monolithicFlat", ExtentType::flat, false, "-flat"},
    {VMDK_TYPE_SPLIT_SPARSE, "twoGbMaxExtentSparse", ExtentType::sparse, true, "-s"},
    {VMDK_TYPE_SPLIT_FLAT, "twoGbMaxExtentFlat", ExtentType::flat, true, "-f"},
    {VMDK_TYPE_VMFS, "vmfs", ExtentType::vmfs, false, "-flat"},
    {VMDK_TYPE_VMFS_SPARSE, "vmfsSparse", ExtentType::vmfs_sparse, false, "-delta"},
    {VMDK_TYPE_VMFS_THIN, "vmfsThin", ExtentType::vmfs, false, "-flat"},
    {VMDK_TYPE_VMFS_PREALLOCATED, "vmfsPreallocated", ExtentType::vmfs, false, "-flat"},
    {VMDK_TYPE_VMFS_EAGER_ZEROED, "vmfsEagerZeroedThick", ExtentType::vmfs, false, "-flat"},
};

const Kind* kind_of(vmdk_type type) noexcept {
  const auto* const at = std::find_if(std::begin(kKinds), std::end(kKinds),
                                      [&](const Kind& kind) { return kind.type == type; });
  return at == std::end(kKinds) ? nullptr : at;
}

std::uint64_t least_grain(ExtentType extent) noexcept {
  return extent == ExtentType::sparse ? 4096 : kSectorSize;
}

bool is_flat(const Kind& kind) noexcept {
  return kind.extent == ExtentType::flat || kind.extent == ExtentType::vmfs;
}

// The bytes of `count` directory entries, a table behind the other, in pieces.
void write_directory(File& file, std::uint64_t sector, std::uint64_t first_table,
                     std::uint64_t table_sectors, std::uint64_t count) {
  constexpr std::uint64_t kEntries = kPiece / 4;
  Buffer piece(static_cast<std::size_t>(std::min(count, kEntries) * 4));
  for (std::uint64_t done = 0; done < count;) {
    const auto entries = static_cast<std::size_t>(std::min(count - done, kEntries));
    const MutableBytes bytes = piece.first(entries * 4);
    for (std::size_t i = 0; i < entries; ++i)
      store_le(bytes, i * 4, static_cast<std::uint32_t>(first_table + (done + i) * table_sectors));
    file.write_at(sector * kSectorSize + done * 4, bytes);
    done += entries;
  }
}

}  // namespace

class DiskMaker::Plan final {
 public:
  Plan(const std::string& path, const NewDisk& disk)
      : path_(path), disk_(disk), kind_(check_kind()) {
    check_options();
    plan();
    if (disk_.type != VMDK_TYPE_RAW) text_ = descriptor_text();
    for (const ExtentLine& line : lines_) check_addressable(line.sectors);
  }

  Layout layout() const { return {text_, embedded(), lines_, preallocate_}; }

  void make(FileSystem& files, FileSystem::Existing existing) {
    if (existing == FileSystem::Existing::replace && !embedded())
      refuse(VMDK_ERR_INVALID_ARGUMENT, std::string("a ") + kind_.name +
                                            " disk has several files, which cannot be replaced "
                                            "at once");
    // All of them first, so that nothing long is done for a name that is taken.
    for (const ExtentLine& line : lines_)
      if (!embedded())
        extents_.push_back(files.create(beside(line.file), FileSystem::Existing::refuse));
    entry_ = files.create(path_, existing);
    if (disk_.type == VMDK_TYPE_RAW) return write_flat(entry_->file(), total());
    if (stream()) return;
    if (embedded()) return write_hosted(entry_->file(), disk_.sectors);
    for (std::size_t i = 0; i < lines_.size(); ++i)
      write_extent(extents_[i]->file(), lines_[i].sectors);
    entry_->file().write_at(0, as_bytes(text_));
  }

  std::vector<Part> parts() {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < lines_.size(); ++i)
      parts.push_back({embedded() ? entry_->file() : extents_[i]->file(), lines_[i]});
    return parts;
  }

  // The disk is there once its descriptor is, so that comes last: after the names of the extents
  // are durable, whose content is.
  void publish(FileSystem& files) {
    for (const auto& extent : extents_) sync(*extent);
    sync(*entry_);
    progress(total());
    for (const auto& extent : extents_) extent->publish();
    if (!extents_.empty()) files.sync_directory(path_);
    entry_->publish();
    files.sync_directory(path_);
    for (const auto& extent : extents_) extent->keep();
    entry_->keep();
  }

 private:
  [[noreturn]] void refuse(vmdk_status status, const std::string& what) const {
    throw Error(status, path_ + ": " + what);
  }

  const Kind& check_kind() const {
    if (const Kind* kind = kind_of(disk_.type)) return *kind;
    refuse(VMDK_ERR_UNSUPPORTED, "a disk of this type cannot be created");
  }

  bool embedded() const noexcept { return *kind_.suffix == '\0'; }
  bool stream() const noexcept { return kind_.type == VMDK_TYPE_STREAM_OPTIMIZED; }
  std::uint64_t total() const noexcept { return disk_.sectors * kSectorSize; }

  void check_options() {
    const auto invalid = [&](const std::string& what) { refuse(VMDK_ERR_INVALID_ARGUMENT, what); };
    if (disk_.sectors == 0) invalid("a disk needs a capacity");
    const bool flat = is_flat(kind_);
    if (flat && disk_.grain_bytes != 0)
      invalid(std::string(kind_.name) + " disks have no grains, so grain_bytes must be 0");
    const std::uint64_t grain = disk_.grain_bytes != 0 ? disk_.grain_bytes : kUsualGrain;
    if (!flat && !is_grain_size(disk_.type, grain))
      invalid("a grain of " + std::to_string(grain) + " bytes is no power of two from " +
              std::to_string(least_grain(kind_.extent)) + " to 1048576");
    grain_sectors_ = flat ? 1 : grain / kSectorSize;
    if (!kind_.split && disk_.split_bytes != 0)
      invalid(std::string(kind_.name) + " disks have one part, so split_bytes must be 0");
    const std::uint64_t split = disk_.split_bytes != 0 ? disk_.split_bytes : kUsualPart;
    if (split % (grain_sectors_ * kSectorSize) != 0)
      invalid("parts of " + std::to_string(split) + " bytes are no multiple of " +
              std::to_string(grain_sectors_ * kSectorSize));
    part_sectors_ = kind_.split ? split / kSectorSize : disk_.sectors;
    if (disk_.zero_grains && (kind_.extent != ExtentType::sparse || stream()))
      invalid(std::string(kind_.name) + " disks have no entries that say that a grain is zero");
    preallocate_ = disk_.preallocate;
    if (preallocate_ == VMDK_PREALLOCATE_DEFAULT)
      preallocate_ = disk_.type == VMDK_TYPE_VMFS_EAGER_ZEROED   ? VMDK_PREALLOCATE_ZEROS
                     : disk_.type == VMDK_TYPE_VMFS_PREALLOCATED ? VMDK_PREALLOCATE_RESERVE
                                                                 : VMDK_PREALLOCATE_NONE;
    if (!flat && preallocate_ != VMDK_PREALLOCATE_NONE)
      invalid("the space of " + std::string(kind_.name) + " disks is not taken beforehand");
    if (disk_.parent_cid != kNoParent) check_hint();
  }

  void check_hint() const {
    const std::string& hint = disk_.parent_hint;
    if (hint.empty() || hint.size() > kMaxHint || !is_quotable(hint))
      refuse(VMDK_ERR_INVALID_ARGUMENT,
             "the name of the parent \"" + printable(hint.substr(0, 200)) +
                 "\" cannot stand in a descriptor: it is empty, longer than 4095 bytes, not UTF-8, "
                 "or has quotes or control characters");
  }

  void check_name(const std::string& name) const {
    if (disk_.type == VMDK_TYPE_RAW) return;                             // it stands nowhere
    const bool dots = name.find_first_not_of('.') == std::string::npos;  // also if it is empty
    if (dots || name.size() > kMaxName || !is_quotable(name))
      refuse(VMDK_ERR_INVALID_ARGUMENT,
             "the name \"" + printable(name.substr(0, 200)) +
                 "\" cannot stand in a descriptor: it is empty, longer than 255 bytes, not UTF-8, "
                 "or has quotes or control characters");
  }

  [[noreturn]] void too_large(const char* why) const {
    throw Error(VMDK_ERR_LIMIT, path_ + ": " + std::to_string(disk_.sectors) + " sectors: " + why);
  }

  void plan() {
    check_name(std::string(base_name(path_)));
    if (disk_.sectors > kMaxSectors) too_large("a disk holds at most 2^63 bytes");
    if (kind_.extent == ExtentType::vmfs_sparse && disk_.sectors > UINT32_MAX)
      too_large("a COWD extent holds less than 2 TiB");
    if (is_flat(kind_) && std::min(part_sectors_, disk_.sectors) > kMaxFlatSectors)
      too_large("a flat file holds less than 8 EiB");
    const std::uint64_t parts = divide_up(disk_.sectors, part_sectors_);
    if (parts > kMaxParts) too_large("more than 65536 parts");
    for (std::uint64_t part = 0; part < parts; ++part) {
      ExtentLine line;
      line.sectors = std::min(part_sectors_, disk_.sectors - part * part_sectors_);
      line.type = kind_.extent;
      line.file = extent_name(part + 1);
      check_name(line.file);
      lines_.push_back(std::move(line));
    }
  }

  // Do the entries of its tables reach what they have to?
  void check_addressable(std::uint64_t sectors) const {
    if (stream() && divide_up(sectors, grain_sectors_) > std::uint64_t{1} << 32)
      too_large("a stream has at most 2^32 grains; take larger grains");
    if (kind_.extent == ExtentType::sparse && !stream()) hosted_header(sectors);
    if (kind_.extent == ExtentType::vmfs_sparse) cowd_header(sectors);
  }

  SparseHeader hosted_header(std::uint64_t sectors) const {
    const std::uint64_t area = embedded() ? descriptor_area(text_.size()) : 0;
    if (const auto header = new_sparse_header(sectors, grain_sectors_, area)) return *header;
    too_large("its tables do not fit what 32 bits can address; take larger grains");
  }

  CowdHeader cowd_header(std::uint64_t sectors) const {
    if (const auto header = new_cowd_header(static_cast<std::uint32_t>(sectors),
                                            static_cast<std::uint32_t>(grain_sectors_)))
      return *header;
    too_large("its tables do not fit what 32 bits can address; take larger grains");
  }

  std::string extent_name(std::uint64_t number) const {
    constexpr std::string_view kSuffix = ".vmdk";
    std::string_view stem = base_name(path_);
    if (embedded()) return std::string(stem);
    if (stem.size() > kSuffix.size() &&
        equals_nocase(stem.substr(stem.size() - kSuffix.size()), kSuffix))
      stem.remove_suffix(kSuffix.size());
    std::string name(stem);
    name += kind_.suffix;
    if (kind_.split) {
      const std::string digits = std::to_string(number);
      name.append(digits.size() < 3 ? 3 - digits.size() : 0, '0').append(digits);
    }
    return name.append(kSuffix);
  }

  std::string beside(const std::string& name) const {
    return path_.substr(0, path_.size() - base_name(path_).size()) + name;
  }

  std::string descriptor_text() const {
    NewDescriptor descriptor;
    descriptor.cid = disk_.cid;
    descriptor.parent_cid = disk_.parent_cid;
    descriptor.parent_hint = disk_.parent_hint;
    descriptor.create_type = kind_.name;
    descriptor.extents = lines_;
    descriptor.database = disk_.database;
    std::string text = write_descriptor(descriptor);
    const std::size_t most = embedded() ? kMaxEmbeddedText : kMaxText;
    if (text.size() > most)
      refuse(VMDK_ERR_LIMIT, "the descriptor has " + std::to_string(text.size()) +
                                 " bytes, more than the " + std::to_string(most) +
                                 " there is room for");
    return text;
  }

  void write_extent(File& file, std::uint64_t sectors) {
    if (kind_.extent == ExtentType::sparse)
      write_hosted(file, sectors);
    else if (kind_.extent == ExtentType::vmfs_sparse)
      write_cowd(file, sectors);
    else
      write_flat(file, sectors * kSectorSize);
  }

  // Tables are zeros, as all that is not written.
  void write_hosted(File& file, std::uint64_t sectors) const {
    SparseHeader header = hosted_header(sectors);
    if (disk_.zero_grains) {
      header.version = 2;
      header.flags |= SparseHeader::kZeroedGrains;
    }
    const std::uint64_t tables = tables_needed(sectors, grain_sectors_, header.gtes_per_gt);
    const std::uint64_t directory = divide_up(tables * 4, kSectorSize);
    const std::uint64_t table = header.gtes_per_gt * 4 / kSectorSize;
    file.resize(header.overhead * kSectorSize);
    file.write_at(0, header.encode());
    if (embedded()) file.write_at(kSparseHeaderSize, as_bytes(text_));
    for (const std::uint64_t at : {header.rgd_sector, header.gd_sector})
      write_directory(file, at, at + directory, table, tables);
  }

  void write_cowd(File& file, std::uint64_t sectors) const {
    const CowdHeader header = cowd_header(sectors);
    file.resize(std::uint64_t{header.free_sector} * kSectorSize);
    file.write_at(0, header.encode());
    const std::uint64_t directory = divide_up(std::uint64_t{header.gd_entries} * 4, kSectorSize);
    // All tables are there from the beginning: where one is missing, qemu writes a grain over the
    // header.
    write_directory(file, header.gd_sector, header.gd_sector + directory, kCowdTableSectors,
                    header.gd_entries);
  }

  void write_flat(File& file, std::uint64_t size) {
    if (preallocate_ == VMDK_PREALLOCATE_NONE) return file.resize(size);
    if (preallocate_ == VMDK_PREALLOCATE_RESERVE && file.reserve(size)) return;
    if (zeros_.empty()) zeros_.resize(kPiece);
    for (std::uint64_t at = 0; at < size;) {
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, kPiece));
      file.write_at(at, Bytes(zeros_).first(piece));
      at += piece;
      zeroed_ += piece;
      progress(zeroed_);
    }
  }

  void progress(std::uint64_t done) const {
    if (disk_.on_progress != nullptr && disk_.on_progress(disk_.user, done, total()) != 0)
      refuse(VMDK_ERR_CANCELLED, "was not created, as the caller cancelled it");
  }

  static void sync(NewFile& file) {
    if (!is_mutant(Mutant::published_unsynced)) file.file().sync();
  }

  const std::string& path_;
  const NewDisk& disk_;
  const Kind& kind_;
  std::uint64_t grain_sectors_ = 0, part_sectors_ = 0;
  vmdk_preallocate preallocate_ = VMDK_PREALLOCATE_NONE;
  std::vector<ExtentLine> lines_;
  std::string text_;
  std::vector<std::byte> zeros_;
  std::uint64_t zeroed_ = 0;
  std::vector<std::unique_ptr<NewFile>> extents_;
  std::unique_ptr<NewFile> entry_;  // goes first: without it the others are no disk
};

bool is_grain_size(vmdk_type type, std::uint64_t grain_bytes) noexcept {
  const Kind* kind = kind_of(type);
  return kind != nullptr && !is_flat(*kind) && std::has_single_bit(grain_bytes) &&
         grain_bytes >= least_grain(kind->extent) && grain_bytes <= kMostGrain;
}

DiskMaker::DiskMaker(FileSystem& files, const std::string& path, const NewDisk& disk)
    : files_(files), plan_(std::make_unique<Plan>(path, disk)) {}
DiskMaker::~DiskMaker() = default;
void DiskMaker::make(FileSystem::Existing existing) { plan_->make(files_, existing); }
std::vector<DiskMaker::Part> DiskMaker::parts() { return plan_->parts(); }
void DiskMaker::publish() { plan_->publish(files_); }

DiskMaker::Layout DiskMaker::layout(const std::string& name, const NewDisk& disk) {
  return Plan(name, disk).layout();
}

void create_disk(FileSystem& files, const std::string& path, const NewDisk& disk) {
  if (disk.type == VMDK_TYPE_STREAM_OPTIMIZED || disk.type == VMDK_TYPE_RAW)
    throw Error(VMDK_ERR_UNSUPPORTED,
                path + (disk.type == VMDK_TYPE_RAW ? ": a raw disk is no VMDK"
                                                   : ": a streamOptimized disk is written once, "
                                                     "with all that is in it"))
        .with_hint("convert a disk to it (vmdk convert, vmdk_convert())");
  DiskMaker maker(files, path, disk);
  maker.make();
  maker.publish();
}

}  // namespace vmdk
