// SPDX-License-Identifier: MIT
#include "ops/convert.h"

#include <algorithm>
#include <array>

#include "disk/open_raw.h"
#include "ops/piece_source.h"
#include "ops/piece_target.h"
#include "ops/pipeline.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/random.h"
#include "util/text.h"
#include "util/zeros.h"

namespace vmdk {

namespace {

constexpr std::uint64_t kWatched = 64 << 20;      // zeros shown between two looks at the progress
constexpr const char* kStreamName = "disk.vmdk";  // of a disk that is no file
constexpr DescriptorLimits kStreamLimits{16 << 20, 65536};

// The end of a new file.
class FileSink final : public ByteSink {
 public:
  explicit FileSink(File& file) : file_(file) {}
  void write(Bytes in) override {
    file_.write_at(position_, in);
    position_ += in.size();
  }

 private:
  File& file_;
  std::uint64_t position_ = 0;
};

void show_output(const Conversion& how, Bytes bytes) {
  if (const int error = how.on_output(how.user, bytes.data(), bytes.size()); error != 0)
    throw_os_error("on_output", "the caller's function failed", error);
}

// Shows what it takes to the caller first.
class ShownSink final : public ByteSink {
 public:
  ShownSink(ByteSink& to, const Conversion& how) : to_(to), how_(how) {}
  void write(Bytes in) override {
    if (how_.on_output != nullptr) show_output(how_, in);
    to_.write(in);
  }

 private:
  ByteSink& to_;
  const Conversion& how_;
};

// One conversion, from source to target.
class Conveyor final : private PieceWork {
 public:
  // `name` is that of the new disk.
  // With `shows_output` the content is the output.
  Conveyor(PieceSource& source, PieceTarget& target, const Conversion& how, std::string name,
           std::uint64_t capacity, bool shows_output)
      : source_(source),
        target_(target),
        how_(how),
        name_(std::move(name)),
        capacity_(capacity),
        shows_output_(shows_output && how.on_output != nullptr),
        shows_(how.on_content != nullptr || shows_output_) {}

  void run() {
    // What a piece becomes takes as much again.
    Pipeline pipeline(*this, how_.threads, 2 * source_.piece_bytes());
    target_.watch([this](std::uint64_t done) { progress(done); });
    progress(0);
    for (;;) {
      fill(pipeline);
      Piece* const piece = pipeline.take();
      if (piece == nullptr) break;
      deal_with(*piece);
      pipeline.release();
      if (!target_.takes_files()) source_.stop_files();
    }
    tell_lost();
    if (failure_) std::rethrow_exception(failure_);
    show_zeros(std::max(capacity_, position_));
    target_.finish();
    if (capacity_ != 0) progress(capacity_);
  }

 private:
  // What goes wrong here comes behind the pieces that are under way.
  void fill(Pipeline& pipeline) {
    try {
      while (more_) {
        Piece* const piece = pipeline.vacant();
        if (piece == nullptr) break;
        more_ = source_.fill(*piece);
        if (more_) pipeline.add();
      }
    } catch (const Error&) {
      more_ = false;
      failure_ = std::current_exception();
    }
  }

  void work(Piece& piece) override {
    if (piece.file != nullptr) return;
    source_.load(piece);
    target_.prepare(piece);
  }

  void deal_with(Piece& piece) {
    // Some were found when it was planned, some later.
    std::sort(piece.lost.begin(), piece.lost.end(),
              [](const Piece::Lost& a, const Piece::Lost& b) { return a.offset < b.offset; });
    for (const Piece::Lost& lost : piece.lost) note_lost(lost);
    if (shows_ || target_.needs_order()) check_order(piece);
    if (shows_) show(piece);
    target_.take(piece);
    progress(piece.done);
  }

  // Adjacent ones are told as one.
  void note_lost(const Piece::Lost& lost) {
    if (lost_ && lost_->offset + lost_->size == lost.offset) {
      lost_->size += lost.size;
      return;
    }
    tell_lost();
    lost_ = lost;
  }

  void tell_lost() {
    if (!lost_) return;
    const Piece::Lost lost = *lost_;
    lost_.reset();
    if (how_.on_lost(how_.user, lost.offset, lost.size, printable(lost.why.what()).c_str()) != 0)
      throw_lost(lost);
  }

  void check_order(const Piece& piece) {
    for (const Piece::Part& part : piece.parts) {
      if (part.offset < ordered_until_)
        throw Error(VMDK_ERR_UNSUPPORTED,
                    name_ + ": the source has its grains out of order (that of byte " +
                        std::to_string(part.offset) +
                        " of the disk comes too late), which this conversion needs in order")
            .with_hint("save the source to a file, and convert that");
      ordered_until_ = part.offset + part.size;
    }
  }

  void show(const Piece& piece) {
    const Bytes plain = piece.plain.first(piece.plain.size());
    for (const Piece::Part& part : piece.parts) {
      show_zeros(part.offset);
      show_bytes(plain.data() + part.at, part.size);
      position_ = part.offset + part.size;
    }
    show_zeros(std::max(piece.done, position_));
  }

  void show_zeros(std::uint64_t until) {
    if (!shows_ || until <= position_) return;
    show_bytes(nullptr, until - position_);
    position_ = until;
  }

  // Null: zeros.
  void show_bytes(const std::byte* data, std::uint64_t size) {
    if (how_.on_content != nullptr && how_.on_content(how_.user, data, size) != 0) cancel();
    if (!shows_output_) return;
    if (data != nullptr) return show_output(how_, {data, static_cast<std::size_t>(size)});
    for (std::uint64_t shown = 0; shown < size;) {
      const Bytes zeros = kZeros.first(
          static_cast<std::size_t>(std::min<std::uint64_t>(size - shown, kZeros.size())));
      show_output(how_, zeros);
      shown += zeros.size();
      if (shown % kWatched == 0) progress(position_ + shown);
    }
  }

  // Never goes back.
  void progress(std::uint64_t done) {
    told_ = std::max(told_, done);
    if (how_.on_progress != nullptr && how_.on_progress(how_.user, told_, capacity_) != 0) cancel();
  }

  [[noreturn]] void cancel() const {
    throw Error(VMDK_ERR_CANCELLED, name_ + ": was not written, as the caller cancelled it");
  }

  PieceSource& source_;
  PieceTarget& target_;
  const Conversion& how_;
  std::string name_;
  std::uint64_t capacity_;
  bool shows_output_, shows_;
  std::uint64_t position_ = 0;       // content up to here was shown
  std::uint64_t ordered_until_ = 0;  // what comes must not be before it
  std::optional<Piece::Lost> lost_;  // not told yet
  std::uint64_t told_ = 0;           // of progress
  bool more_ = true;                 // of the source
  std::exception_ptr failure_;       // of filling
};

// Where a conversion gets its pieces from, once it is known what they should be like.
class Origin {
 public:
  virtual ~Origin() = default;
  virtual const Original* original() const noexcept = 0;
  // A grain that the target should have if nobody says otherwise; 0: none in particular.
  virtual std::uint64_t grain_bytes() const noexcept { return 0; }
  virtual std::unique_ptr<PieceSource> pieces(const PieceShape& shape) const = 0;
};

class DiskOrigin final : public Origin {
 public:
  explicit DiskOrigin(const Disk& disk)
      : disk_(disk), original_{disk.capacity(), [&disk](std::string_view key, std::string& out) {
                                 return disk.find_text(0, key, out);
                               }} {}
  const Original* original() const noexcept override { return &original_; }
  std::unique_ptr<PieceSource> pieces(const PieceShape& shape) const override {
    return std::make_unique<DiskPieces>(disk_, shape);
  }

 private:
  const Disk& disk_;
  Original original_;
};

class StreamOrigin final : public Origin {
 public:
  explicit StreamOrigin(ByteSource& source) : reader_(source, kStreamLimits) {
    if (reader_.descriptor().has_parent())
      throw Error(VMDK_ERR_UNSUPPORTED,
                  source.name() + ": rests on a parent, which a stream does not bring along")
          .with_hint("save it beside its parent, and convert the file");
    original_ = {reader_.capacity_sectors() * kSectorSize,
                 [this](std::string_view key, std::string& out) {
                   const auto value = reader_.descriptor().find(key);
                   if (value) out = *value;
                   return value.has_value();
                 }};
  }
  const Original* original() const noexcept override { return &original_; }
  std::uint64_t grain_bytes() const noexcept override { return reader_.grain_bytes(); }
  std::unique_ptr<PieceSource> pieces(const PieceShape& shape) const override {
    return std::make_unique<StreamPieces>(reader_, shape);
  }

 private:
  mutable StreamReader reader_;
  Original original_;
};

class RawOrigin final : public Origin {
 public:
  RawOrigin(ByteSource& source, std::uint64_t capacity)
      : source_(source),
        capacity_(capacity),
        original_{capacity, [](std::string_view, std::string&) { return false; }} {}
  const Original* original() const noexcept override { return &original_; }
  std::unique_ptr<PieceSource> pieces(const PieceShape& shape) const override {
    return std::make_unique<RawPieces>(source_, capacity_, shape);
  }

 private:
  ByteSource& source_;
  std::uint64_t capacity_;
  Original original_;
};

PieceShape shape_for(const PieceTarget& target, const Conversion& how) {
  const bool looks =
      how.on_content != nullptr || how.on_output != nullptr || how.on_lost != nullptr;
  return {target.unit(), target.takes_files() && !looks, how.on_lost != nullptr};
}

void convey(const Origin& origin, PieceTarget& target, const Conversion& how,
            const std::string& name, const NewDisk& disk) {
  const auto pieces = origin.pieces(shape_for(target, how));
  const bool file = !target.needs_order();
  Conveyor(*pieces, target, how, name, disk.sectors * kSectorSize, file).run();
}

// A stream keeps the grains of the stream it comes from: what comes in order is never put together.
void choose_grain(NewDisk& disk, const Origin& origin, const std::string& name) {
  const std::uint64_t its = origin.grain_bytes();
  if (disk.type != VMDK_TYPE_STREAM_OPTIMIZED || its == 0) return;
  if (disk.grain_bytes == 0) disk.grain_bytes = is_grain_size(disk.type, its) ? its : kUsualGrain;
  if (its % disk.grain_bytes == 0) return;
  throw Error(VMDK_ERR_UNSUPPORTED, name + ": grains of " + std::to_string(disk.grain_bytes) +
                                        " bytes cannot be made of the stream's, which have " +
                                        std::to_string(its))
      .with_hint("take grains of that size, or save the source to a file and convert that");
}

void refuse_output_function(const Conversion& how, const std::string& name) {
  if (how.on_output != nullptr)
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                name + ": a disk of this type is not written in order, so on_output cannot see it");
}

void convert(const Origin& origin, FileSystem& files, const std::string& path,
             const Conversion& how) {
  NewDisk disk = settle(how.wish, origin.original(), path);
  choose_grain(disk, origin, path);
  DiskMaker maker(files, path, disk);
  const bool stream = disk.type == VMDK_TYPE_STREAM_OPTIMIZED;
  if (!stream && disk.type != VMDK_TYPE_RAW) refuse_output_function(how, path);
  maker.make(how.replace ? FileSystem::Existing::replace : FileSystem::Existing::refuse);
  if (stream) {
    FileSink file(maker.parts().front().file);
    ShownSink sink(file, how);
    StreamTarget target(sink, path, disk, DiskMaker::layout(path, disk).descriptor, how.level);
    convey(origin, target, how, path, disk);
  } else {
    FilesTarget target(maker, disk);
    convey(origin, target, how, path, disk);
  }
  maker.publish();
}

void check_in_order(const NewDisk& disk, const std::string& name) {
  if (disk.type != VMDK_TYPE_STREAM_OPTIMIZED && disk.type != VMDK_TYPE_RAW)
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                name +
                    ": a disk of this type is not written in order: only streamOptimized and "
                    "raw can be sent");
}

void convert(const Origin& origin, ByteSink& to, const Conversion& how) {
  const std::string name = kStreamName;
  NewDisk disk = settle(how.wish, origin.original(), name);
  choose_grain(disk, origin, name);
  ShownSink sink(to, how);
  check_in_order(disk, name);
  const DiskMaker::Layout layout = DiskMaker::layout(name, disk);
  if (disk.type == VMDK_TYPE_RAW) {
    RawTarget target(sink, disk.sectors * kSectorSize);
    return convey(origin, target, how, name, disk);
  }
  StreamTarget target(sink, name, disk, layout.descriptor, how.level);
  convey(origin, target, how, name, disk);
}

// A file that belongs to somebody else.
class BorrowedFile final : public File {
 public:
  explicit BorrowedFile(const File& file) : file_(file) {}
  void read_at(std::uint64_t offset, MutableBytes out) const override {
    file_.read_at(offset, out);
  }
  std::uint64_t size() const override { return file_.size(); }
  std::uint64_t stored_bytes() const override { return file_.stored_bytes(); }
  const std::string& name() const override { return file_.name(); }
  std::string identity() const override { return file_.identity(); }
  std::uint64_t next_data(std::uint64_t offset) const override { return file_.next_data(offset); }
  std::uint64_t next_hole(std::uint64_t offset) const override { return file_.next_hole(offset); }

 private:
  const File& file_;
};

// Raw bytes of which nobody knows how many there will be, into a file: it has holes for zeros.
class GrowingTarget final : public PieceTarget {
 public:
  explicit GrowingTarget(File& file) : file_(file) {}
  std::uint64_t unit() const noexcept override { return 4096; }
  void prepare(Piece& piece) override { find_data(piece); }
  void take(Piece& piece) override {
    const Bytes plain = piece.plain.first(piece.plain.size());
    for (const Piece::Part& part : piece.data)
      file_.write_at(part.offset, plain.subspan(part.at, part.size));
    end_ = round_up(piece.done, kSectorSize);
  }
  void finish() override { file_.resize(end_); }

 private:
  File& file_;
  std::uint64_t end_ = 0;
};

// The disk as it would be if it were small: for what can be refused before its size is known.
NewDisk provisional_disk(const Conversion& how, const std::string& name) {
  DiskWish wish = how.wish;
  wish.capacity = kSectorSize;
  return settle(wish, nullptr, name);
}

[[noreturn]] void throw_empty(const ByteSource& source) {
  throw_corrupt(source.name(), "is empty: a disk has a capacity");
}

// First to a file, which becomes the disk, or is what the disk is made of.
void convert_unsized(ByteSource& source, FileSystem& files, const std::string& path,
                     const Conversion& how) {
  const auto existing = how.replace ? FileSystem::Existing::replace : FileSystem::Existing::refuse;
  const NewDisk small = provisional_disk(how, path);
  const bool raw = small.type == VMDK_TYPE_RAW;
  if (!raw && small.type != VMDK_TYPE_STREAM_OPTIMIZED) refuse_output_function(how, path);
  DiskMaker(files, path, small).make(existing);  // are its names free?
  const auto fresh =
      raw ? files.create(path, existing)
          : files.create(path + ".raw-" + hex8(random_number()), FileSystem::Existing::refuse);
  RawPieces pieces(source, std::nullopt, {});
  GrowingTarget target(fresh->file());
  Conversion first = how;
  if (!raw) first.on_content = nullptr;
  Conveyor(pieces, target, first, path, 0, raw).run();
  if (pieces.bytes_read() == 0) throw_empty(source);
  if (raw) {
    fresh->file().sync();
    fresh->publish();
    files.sync_directory(path);
    return fresh->keep();
  }
  std::vector<Link> links;
  links.push_back(raw_link(std::make_unique<BorrowedFile>(fresh->file())));
  const Disk disk({}, std::move(links), false, kStreamLimits);
  convert(DiskOrigin(disk), files, path, how);
}

}  // namespace

void convert_disk(const Disk& source, FileSystem& files, const std::string& path,
                  const Conversion& how) {
  convert(DiskOrigin(source), files, path, how);
}

void convert_disk(const Disk& source, ByteSink& sink, const Conversion& how) {
  convert(DiskOrigin(source), sink, how);
}

NewDisk new_disk_for(const Disk& source, const Conversion& how, const std::string& name) {
  return settle(how.wish, DiskOrigin(source).original(), name);
}

void convey_disk(const Disk& source, PieceTarget& target, const Conversion& how,
                 const std::string& name, const NewDisk& disk) {
  convey(DiskOrigin(source), target, how, name, disk);
}

void convert_stream(ByteSource& source, FileSystem& files, const std::string& path,
                    const Conversion& how) {
  if (!how.from_raw) return convert(StreamOrigin(source), files, path, how);
  if (how.wish.capacity == 0) return convert_unsized(source, files, path, how);
  convert(RawOrigin(source, how.wish.capacity), files, path, how);
}

void convert_stream(ByteSource& source, ByteSink& sink, const Conversion& how) {
  if (!how.from_raw) return convert(StreamOrigin(source), sink, how);
  if (how.wish.capacity != 0) return convert(RawOrigin(source, how.wish.capacity), sink, how);
  const NewDisk small = provisional_disk(how, kStreamName);
  check_in_order(small, kStreamName);
  DiskMaker::layout(kStreamName, small);
  if (small.type != VMDK_TYPE_RAW)
    throw Error(VMDK_ERR_INVALID_ARGUMENT,
                source.name() +
                    ": the capacity of raw bytes has to be said where they become a "
                    "stream, whose header comes first");
  RawPieces pieces(source, std::nullopt, {});
  ShownSink shown(sink, how);
  RawTarget target(shown, 0);
  Conveyor(pieces, target, how, kStreamName, 0, false).run();
  if (pieces.bytes_read() == 0) throw_empty(source);
}

}  // namespace vmdk
