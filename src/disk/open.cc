// SPDX-License-Identifier: MIT
#include "disk/open.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "disk/extent_opener.h"
#include "disk/names.h"
#include "disk/writable.h"
#include "extent/flat_extent.h"
#include "format/probe.h"
#include "format/sparse_header.h"
#include "io/tar_file.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/text.h"

namespace vmdk {

namespace {

constexpr std::size_t kBeginning = 16 << 10;  // header and descriptor of most files
constexpr std::size_t kMaxScanned = 256;      // descriptors looked at for a bare data file
constexpr std::uint64_t kMaxScannedBytes = 1 << 20;
constexpr std::size_t kMaxName = 4095;
constexpr std::uint64_t kMaxBytesAhead = 16 << 20;  // of grains inflated ahead of readers

Buffer read_beginning(const File& file, std::size_t most) {
  Buffer bytes(static_cast<std::size_t>(std::min<std::uint64_t>(most, file.size())));
  file.read_at(0, bytes.first(bytes.size()));
  return bytes;
}

Bytes all_of(const Buffer& buffer) { return buffer.first(buffer.size()); }

// Bytes from `offset` on, up to a NUL, at most `size` of them.
std::string read_text(const File& file, std::uint64_t offset, std::uint64_t size,
                      std::uint32_t max_bytes) {
  constexpr std::uint64_t kPiece = 64 << 10;
  std::string text;
  while (text.size() < size) {
    const std::size_t had = text.size();
    text.resize(static_cast<std::size_t>(std::min(size, had + kPiece)));
    file.read_at(offset + had, std::as_writable_bytes(std::span(text)).subspan(had));
    if (const std::size_t end = text.find('\0', had); end != std::string::npos) {
      text.resize(end);
      break;
    }
    if (text.size() > max_bytes) break;  // Descriptor::parse() refuses it
  }
  return text;
}

// Does the header of a sparse extent say that it has no grains, only a descriptor?
bool is_carrier(const File& file) {
  return SparseHeader::decode(file.name(), all_of(read_beginning(file, kSparseHeaderSize)))
      .is_carrier();
}

std::string quoted(std::string_view text) { return "\"" + printable(text.substr(0, 200)) + "\""; }

class Opener final {
 public:
  Opener(std::unique_ptr<FileSystem> files, std::unique_ptr<Reporter> reporter,
         const OpenOptions& options)
      : options_(options) {
    parts_.files = std::move(files);
    parts_.reporter = std::move(reporter);
    parts_.tables = std::make_unique<TableCache>(options.max_table_bytes);
    parts_.grains = std::make_unique<GrainCache>(options.cache_bytes);
    parts_.states = std::make_unique<InflateStates>();
    parts_.buffers = std::make_unique<GrainBuffers>(kMaxBytesAhead);
    if (options.threads > 1) parts_.pool = std::make_unique<WorkerPool>(options.threads - 1);
  }

  std::unique_ptr<Disk> open(const std::string& path) {
    std::vector<Link> links;
    links.push_back(open_link(open_entry(path), 0, true));
    if (options_.write) check_writable(links.front(), options_.open_parents, *parts_.reporter);
    while (options_.open_parents && links.back().descriptor.has_parent()) {
      if (links.size() == options_.max_chain_length)
        throw Error(VMDK_ERR_LIMIT, links.back().files[0]->name() +
                                        ": the chain of parents is longer than " +
                                        std::to_string(options_.max_chain_length) + " disks")
            .with_hint("raise vmdk_limits::max_chain_length");
      links.push_back(open_parent(links.back(), static_cast<std::uint32_t>(links.size())));
    }
    return std::make_unique<Disk>(std::move(parts_), std::move(links), options_.write,
                                  options_.descriptor_limits);
  }

 private:
  // What a file of the chain is used for. Only flat extents of one link may share a file.
  struct Use {
    std::uint32_t link;
    File* flat;  // null: a descriptor or a sparse extent
  };

  std::unique_ptr<File> open_entry(const std::string& path);
  std::unique_ptr<File> open_member_or_file(const std::string& path,
                                            std::optional<std::string>& member);
  std::unique_ptr<File> enter_tar(std::unique_ptr<File> tar,
                                  const std::optional<std::string>& member);
  bool is_disk(const File& file) const;
  // Null if there is none and the extent is to be read without one.
  std::unique_ptr<File> find_descriptor(const File& data, vmdk_file_kind kind);
  std::string substitute_text(const File& file, Bytes beginning) const;
  bool names(const File& descriptor, std::string_view data_file) const;

  Link open_link(std::unique_ptr<File> file, std::uint32_t number, bool entry);
  std::string embedded_text(const File& file, Bytes beginning) const;
  void learn_encoding(Link& link) const;
  void open_extents(Link& link, std::uint32_t number);
  std::unique_ptr<Extent> open_line(Link& link, std::uint32_t number, const ExtentLine& line,
                                    bool here);
  File& extent_file(Link& link, std::uint32_t number, const ExtentLine& line);
  std::unique_ptr<File> find_file(const Link& link, const std::string& raw, FileUse use);
  std::string same_but_case(const File& from, const std::string& name);
  void use(const File& file, std::uint32_t link, File* flat);

  Link open_parent(const Link& child, std::uint32_t number);
  // Why no parent was found: a file that was there, but could not be the parent; or a name that the
  // path policy forbids.
  struct Failures {
    std::optional<Error> unfit, denied;
  };
  std::optional<Link> try_parent(const Link& child, const std::string& name, std::uint32_t number,
                                 Failures& failures);
  bool fits(const Link& child, const Link& parent, std::optional<Error>& mismatch) const;

  Shared shared() const {
    return {*parts_.tables, *parts_.reporter, options_.recover, options_.max_table_bytes};
  }
  FileUse use_of(std::uint32_t link) const {
    return options_.write && link == 0 ? FileUse::write : FileUse::read;
  }

  const OpenOptions& options_;
  Disk::Parts parts_;
  TarFileSystem* tar_ = nullptr;               // where parts_.files is one
  std::unordered_map<std::string, Use> uses_;  // by identity
  std::string listed_;  // identity of the file whose directory is in listing_
  std::unordered_map<std::string, std::string> listing_;  // by name in lower case
  std::unordered_map<std::string, File*>
      flat_names_;  // files of flat extents of the link being opened, by name
};

// -- The file the caller named

std::unique_ptr<File> Opener::open_entry(const std::string& path) {
  std::optional<std::string> member = options_.member;
  std::unique_ptr<File> file = open_member_or_file(path, member);
  if (is_tar(all_of(read_beginning(*file, kSectorSize)))) return enter_tar(std::move(file), member);
  if (member)
    throw Error(VMDK_ERR_NOT_FOUND, file->name() + ": has no members: it is no OVA or tar");
  return file;
}

// "FILE.ova:MEMBER" is tried where there is no file of that whole name.
std::unique_ptr<File> Opener::open_member_or_file(const std::string& path,
                                                  std::optional<std::string>& member) {
  try {
    return parts_.files->open(path, use_of(0));
  } catch (const Error& error) {
    if (error.status() != VMDK_ERR_NOT_FOUND || member) throw;
    for (std::size_t colon = path.find(':'); colon != std::string::npos;
         colon = path.find(':', colon + 1)) {
      try {
        auto file = parts_.files->open(path.substr(0, colon), use_of(0));
        member = path.substr(colon + 1);
        return file;
      } catch (const Error&) {
        // Not the colon that separates: what was said of the whole name counts.
      }
    }
    throw;
  }
}

bool Opener::is_disk(const File& file) const {
  const Buffer beginning = read_beginning(file, kBeginning);
  const vmdk_file_kind kind = kind_of(all_of(beginning));
  if (kind == VMDK_FILE_KIND_DESCRIPTOR || kind == VMDK_FILE_KIND_ENCRYPTED) return true;
  return kind == VMDK_FILE_KIND_SPARSE && !descriptor_text(all_of(beginning)).empty();
}

std::unique_ptr<File> Opener::enter_tar(std::unique_ptr<File> file,
                                        const std::optional<std::string>& member) {
  if (options_.write)
    throw Error(VMDK_ERR_READ_ONLY, file->name() + ": is an OVA or tar: its members are only read")
        .with_hint("unpack the disk first");
  auto tar = std::make_unique<TarFileSystem>(std::move(file));
  tar_ = tar.get();
  parts_.outer_files = std::move(parts_.files);
  parts_.files = std::move(tar);
  if (member) return tar_->open(*member, FileUse::read);
  std::vector<const TarMember*> disks;
  for (const TarMember& candidate : tar_->members())
    if (is_disk(*tar_->open(candidate.name, FileUse::look))) disks.push_back(&candidate);
  const std::string& name = tar_->tar().name();
  if (disks.empty()) throw Error(VMDK_ERR_NOT_VMDK, name + ": is a tar with no VMDK disk in it");
  if (disks.size() == 1) return tar_->open(disks[0]->name, FileUse::read);
  std::string list;
  for (const TarMember* disk : disks) list += (list.empty() ? "" : ", ") + printable(disk->name);
  throw Error(VMDK_ERR_INVALID_ARGUMENT,
              name + ": holds " + std::to_string(disks.size()) + " disks: " + list)
      .with_hint("name one of them as FILE:MEMBER, --member or vmdk_open_options::member");
}

// -- A data file without its descriptor

bool Opener::names(const File& descriptor, std::string_view data_file) const {
  if (descriptor.size() > kMaxScannedBytes) return false;
  const Buffer beginning = read_beginning(descriptor, kMaxScannedBytes);
  if (kind_of(all_of(beginning)) != VMDK_FILE_KIND_DESCRIPTOR) return false;
  try {
    Link link;
    link.descriptor = Descriptor::parse(descriptor.name(), as_text(all_of(beginning)),
                                        options_.descriptor_limits);
    learn_encoding(link);
    for (const ExtentLine& line : link.descriptor.extents) {
      for (const std::string& name :
           candidate_names(descriptor_utf8(link, line.file), line.file, NameUse::extent))
        if (equals_nocase(base_name(name), data_file)) return true;
    }
  } catch (const Error&) {
    return false;  // not the one that is looked for
  }
  return false;
}

std::unique_ptr<File> Opener::find_descriptor(const File& data, vmdk_file_kind kind) {
  const bool header = kind == VMDK_FILE_KIND_SPARSE || kind == VMDK_FILE_KIND_COWD ||
                      kind == VMDK_FILE_KIND_SE_SPARSE;
  const std::size_t prefix = tar_ == nullptr ? 0 : tar_->tar().name().size() + 1;
  const std::string name(base_name(std::string_view(data.name()).substr(prefix)));
  const std::string expected = descriptor_of_data_file(name);
  if (!header && (kind != VMDK_FILE_KIND_UNKNOWN || expected.empty()))
    throw Error(VMDK_ERR_NOT_VMDK, data.name() + ": " + why_not_a_disk(kind));
  if (!expected.empty()) {
    auto file = parts_.files->open_named(data, expected, FileUse::look);
    if (file && names(*file, name)) return parts_.files->open_named(data, expected, use_of(0));
  }
  std::unique_ptr<File> found;
  std::string found_name;
  std::size_t scanned = 0;
  for (const std::string& sibling : parts_.files->siblings(data)) {
    if (sibling == name || sibling.size() < 5 ||
        !equals_nocase(sibling.substr(sibling.size() - 5), ".vmdk"))
      continue;
    if (++scanned > kMaxScanned) break;
    std::unique_ptr<File> file;
    try {
      file = parts_.files->open_named(data, sibling, FileUse::look);
    } catch (const Error&) {
      continue;  // not to be read, so not the one
    }
    if (!file || !names(*file, name)) continue;
    if (found)
      throw Error(VMDK_ERR_NOT_FOUND, data.name() + ": is an extent of more than one disk: " +
                                          found->name() + " and " + file->name())
          .with_hint("open one of these descriptors");
    found = std::move(file);
    found_name = sibling;
  }
  if (!found) {
    const bool alone = kind == VMDK_FILE_KIND_SPARSE;  // tells enough to be read by itself
    if (alone && options_.recover) return nullptr;
    Error error(VMDK_ERR_NOT_FOUND,
                data.name() + ": is " +
                    (header ? "an extent without a descriptor" : "the raw data of an extent") +
                    ", and no descriptor that names it is beside it" +
                    (expected.empty() ? "" : " (" + printable(expected) + " is expected)"));
    if (alone)
      throw std::move(error).with_hint(
          "open with --recover (VMDK_OPEN_RECOVER) to read the extent by itself");
    throw error;
  }
  parts_.reporter->note(data.name() + ": is an extent; its descriptor " + found->name() +
                        " is opened");
  return parts_.files->open_named(data, found_name, use_of(0));
}

// What the descriptor of a hosted sparse extent that has lost its own must have said.
std::string Opener::substitute_text(const File& file, Bytes beginning) const {
  const SparseHeader header = SparseHeader::decode(file.name(), beginning);
  parts_.reporter->warn(file.name() +
                        ": has no descriptor; its header is taken for the whole disk");
  return std::string("version=1\ncreateType=\"") +
         (header.compressed() ? "streamOptimized" : "monolithicSparse") + "\"\nRW " +
         std::to_string(header.capacity) + " SPARSE \"" + std::string(base_name(file.name())) +
         "\"\n";
}

// -- A link

std::string Opener::embedded_text(const File& file, Bytes beginning) const {
  if (beginning.size() < kSparseHeaderSize) check_inside(file, 0, kSparseHeaderSize);
  const SparseHeader header = SparseHeader::decode(file.name(), beginning);
  if (header.descriptor_sector == 0) return {};
  const std::uint64_t sectors = file.size() / kSectorSize;
  if (!in_bounds(header.descriptor_sector, header.descriptor_sectors, sectors))
    throw_corrupt(file.name(),
                  "its descriptor of " + std::to_string(header.descriptor_sectors) +
                      " sectors at sector " + std::to_string(header.descriptor_sector) +
                      " does not lie inside the file (" + std::to_string(file.size()) + " bytes)");
  std::string text =
      read_text(file, header.descriptor_sector * kSectorSize,
                header.descriptor_sectors * kSectorSize, options_.descriptor_limits.max_bytes);
  return is_embedded_descriptor(file.name(), text) ? text : std::string();
}

Link Opener::open_link(std::unique_ptr<File> file, std::uint32_t number, bool entry) {
  Buffer beginning = read_beginning(*file, kBeginning);
  vmdk_file_kind kind = kind_of(all_of(beginning));
  std::string text;
  if (kind == VMDK_FILE_KIND_SPARSE) text = embedded_text(*file, all_of(beginning));
  if (text.empty() && kind != VMDK_FILE_KIND_DESCRIPTOR && kind != VMDK_FILE_KIND_ENCRYPTED) {
    if (!entry)
      throw Error(VMDK_ERR_NOT_VMDK, file->name() + ": is to be a parent, but holds no descriptor");
    if (auto descriptor = find_descriptor(*file, kind)) {
      file = std::move(descriptor);
      kind = VMDK_FILE_KIND_DESCRIPTOR;
    } else {
      text = substitute_text(*file, all_of(beginning));
    }
  }
  Link link;
  link.embedded = kind == VMDK_FILE_KIND_SPARSE;
  link.member = tar_ != nullptr;
  if (!link.embedded && text.empty())
    text = read_text(*file, 0, file->size(), options_.descriptor_limits.max_bytes);
  if (looks_encrypted(text))
    throw Error(VMDK_ERR_ENCRYPTED, file->name() + ": is the descriptor of an encrypted disk");
  link.descriptor = Descriptor::parse(file->name(), text, options_.descriptor_limits);
  if (link.embedded) {
    const SparseHeader header = SparseHeader::decode(file->name(), all_of(beginning));
    link.text_sector = header.descriptor_sector;
    link.text_room = header.descriptor_sectors * kSectorSize;
  }
  link.text_offset = link.text_sector * kSectorSize + text.find(link.descriptor.text.substr(0, 1));
  if (link.descriptor.extents.empty()) throw_corrupt(file->name(), "its descriptor has no extents");
  learn_encoding(link);
  if (!link.descriptor.find("CID"))
    parts_.reporter->note(file->name() + ": has no content ID; it is taken for 0");
  if (!link.descriptor.has_parent() && link.descriptor.find("parentFileNameHint"))
    parts_.reporter->note(
        file->name() +
        ": names a parent, but its parentCID says that it has none; it is read without");
  use(*file, number, nullptr);
  link.files.push_back(std::move(file));
  link.capacity = link.descriptor.sectors * kSectorSize;
  open_extents(link, number);
  return link;
}

void Opener::learn_encoding(Link& link) const {
  link.encoding = options_.encoding ? *options_.encoding : link.descriptor.encoding();
  if (equals_nocase(link.encoding, "UTF-8")) link.encoding.clear();
}

void Opener::open_extents(Link& link, std::uint32_t number) {
  const std::string& name = link.files[0]->name();
  const auto& lines = link.descriptor.extents;
  if (!link.encoding.empty() && !knows_encoding(link.encoding))
    parts_.reporter->warn(name + ": the encoding " + quoted(link.encoding) +
                          " is not known; names are taken as they are");
  // A descriptor inside a sparse extent goes with that extent, whatever name it has there: files
  // get renamed. But a header of capacity 0 only carries the text.
  const bool here =
      link.embedded && (lines[0].type == ExtentType::sparse || !is_carrier(*link.files[0]));
  if (here && lines[0].type != ExtentType::sparse)
    throw_corrupt(name,
                  "is a sparse extent by its header, but the first extent of the descriptor in it "
                  "is of another type");
  std::uint64_t begin = 0;
  link.slots.reserve(lines.size());
  uses_.reserve(uses_.size() + lines.size());
  for (const ExtentLine& line : lines) {
    const bool this_file = here && link.slots.empty();
    try {
      link.slots.push_back({begin, line.access, open_line(link, number, line, this_file)});
    } catch (Error& error) {
      error.add_place(number, static_cast<std::uint32_t>(link.slots.size()), begin);
      throw;
    }
    const Extent& extent = *link.slots.back().extent;
    if (extent.unclean())
      parts_.reporter->warn(extent.file()->name() + ": was not closed cleanly by its last writer");
    begin += line.sectors * kSectorSize;
  }
}

std::unique_ptr<Extent> Opener::open_line(Link& link, std::uint32_t number, const ExtentLine& line,
                                          bool here) {
  const std::uint64_t size = line.sectors * kSectorSize;
  if (line.type == ExtentType::zero || line.access == VMDK_ACCESS_NONE || size == 0)
    return std::make_unique<ZeroExtent>(size);
  File& file = here ? *link.files[0] : extent_file(link, number, line);
  const bool thick = link.descriptor.type == VMDK_TYPE_VMFS_PREALLOCATED ||
                     link.descriptor.type == VMDK_TYPE_VMFS_EAGER_ZEROED;
  return open_extent(
      file, line,
      {shared(),
       {*parts_.grains, *parts_.states, *parts_.buffers, parts_.pool.get(), options_.threads},
       thick});
}

File& Opener::extent_file(Link& link, std::uint32_t number, const ExtentLine& line) {
  const bool sparse = line.type == ExtentType::sparse || line.type == ExtentType::vmfs_sparse ||
                      line.type == ExtentType::se_sparse;
  // Descriptors of devices name the same file again and again.
  if (const auto known = flat_names_.find(line.file); !sparse && known != flat_names_.end())
    return *known->second;
  const FileUse use_as = line.access == VMDK_ACCESS_READ_WRITE ? use_of(number) : FileUse::read;
  std::unique_ptr<File> file = find_file(link, line.file, use_as);
  File* opened = file.get();
  if (const auto seen = uses_.find(file->identity()); !sparse && seen != uses_.end() &&
                                                      seen->second.flat != nullptr &&
                                                      seen->second.link == number) {
    opened = seen->second.flat;
  } else {
    use(*file, number, sparse ? nullptr : opened);
    link.files.push_back(std::move(file));
  }
  if (!sparse) flat_names_.emplace(line.file, opened);
  return *opened;
}

// The file in the directory of `from` whose name is the last component of `name` but for case; ""
// if there is none. The directory is read once for each link.
std::string Opener::same_but_case(const File& from, const std::string& name) {
  if (listed_ != from.identity()) {
    listed_ = from.identity();
    listing_.clear();
    for (std::string& sibling : parts_.files->siblings(from)) {
      std::string folded = fold_case(sibling);
      listing_.emplace(std::move(folded), std::move(sibling));
    }
  }
  const std::size_t slash = name.find_last_of("/\\");
  const auto at = listing_.find(
      fold_case(slash == std::string::npos ? name : std::string_view(name).substr(slash + 1)));
  return at == listing_.end() ? std::string() : at->second;
}

void Opener::use(const File& file, std::uint32_t link, File* flat) {
  const auto [at, first] = uses_.emplace(file.identity(), Use{link, flat});
  if (first) return;
  throw_corrupt(file.name(),
                link == at->second.link
                    ? "is named more than once by the same disk, or is both descriptor and extent"
                    : "is used by more than one disk of the chain: the chain leads back to itself");
}

std::unique_ptr<File> Opener::find_file(const Link& link, const std::string& raw, FileUse use) {
  const File& from = *link.files[0];
  if (is_object_name(raw))
    throw Error(VMDK_ERR_UNSUPPORTED, from.name() + ": the extent " + quoted(raw) +
                                          " is an object of a datastore, not a file");
  const std::string utf8 = descriptor_utf8(link, raw);
  std::optional<Error> denied;
  const auto try_name = [&](const std::string& name) -> std::unique_ptr<File> {
    try {
      return parts_.files->open_named(from, name, use);
    } catch (const Error& error) {
      if (error.status() != VMDK_ERR_PATH_DENIED) throw;
      if (!denied) denied = error;
      return nullptr;
    }
  };
  if (auto file = try_name(utf8)) return file;
  for (const std::string& name : candidate_names(utf8, raw, NameUse::extent)) {
    auto file = name == utf8 ? nullptr : try_name(name);
    if (!file) continue;
    parts_.reporter->note(from.name() + ": for " + quoted(utf8) + " the file " + file->name() +
                          " is opened");
    return file;
  }
  if (denied) throw *denied;
  if (const std::string other = same_but_case(from, utf8); !other.empty()) {
    if (auto file = parts_.files->open_named(from, other, use)) return file;
  }
  throw Error(VMDK_ERR_NOT_FOUND,
              from.name() + ": the file of its extent " + quoted(utf8) + " is missing");
}

// -- Parents

bool Opener::fits(const Link& child, const Link& parent, std::optional<Error>& mismatch) const {
  const std::string& below = child.files[0]->name();
  const std::string& above = parent.files[0]->name();
  if (parent.descriptor.cid != child.descriptor.parent_cid) {
    if (!mismatch)
      mismatch = Error(VMDK_ERR_PARENT_CHANGED, below + ": was made on a parent with content ID " +
                                                    hex8(child.descriptor.parent_cid) + ", but " +
                                                    above + " has " + hex8(parent.descriptor.cid) +
                                                    ": it was changed since, or is another disk");
    return false;
  }
  // All disks that were never written to have the same content ID. The long one tells them apart,
  // as long as the child, too, was never written to and so still has its parent's.
  const auto mine = child.descriptor.find("ddb.longContentID"),
             its = parent.descriptor.find("ddb.longContentID");
  if (parent.descriptor.cid == kNeverWritten && child.descriptor.cid == kNeverWritten && mine &&
      its && !mine->empty() && !its->empty() && !equals_nocase(*mine, *its)) {
    if (!mismatch)
      mismatch =
          Error(VMDK_ERR_PARENT_CHANGED,
                below + ": was made on a parent with the long content ID " + printable(*mine) +
                    ", but " + above + " has " + printable(*its) + ": it is another disk");
    return false;
  }
  return true;
}

// The disk that `name` leads to, if it is there and the parent that is looked for. Else keeps in
// `failures` why not, of the first name only.
std::optional<Link> Opener::try_parent(const Link& child, const std::string& name,
                                       std::uint32_t number, Failures& failures) {
  std::unique_ptr<File> file;
  try {
    file = parts_.files->open_named(*child.files[0], name, use_of(number));
  } catch (const Error& error) {
    auto& which = error.status() == VMDK_ERR_PATH_DENIED ? failures.denied : failures.unfit;
    if (!which) which = error;
  }
  if (!file) return std::nullopt;
  flat_names_.clear();
  try {
    Link parent = open_link(std::move(file), number, false);
    if (fits(child, parent, failures.unfit)) return parent;
  } catch (const Error& error) {
    if (!failures.unfit) failures.unfit = error;
  }
  std::erase_if(uses_, [&](const auto& entry) { return entry.second.link == number; });
  return std::nullopt;
}

Link Opener::open_parent(const Link& child, std::uint32_t number) {
  const File& from = *child.files[0];
  const auto hint = child.descriptor.find("parentFileNameHint");
  if (!hint || hint->empty())
    throw Error(VMDK_ERR_PARENT_MISSING, from.name() + ": is a child of the disk with content ID " +
                                             hex8(child.descriptor.parent_cid) +
                                             ", but does not name its file")
        .with_hint("open with --no-parent (VMDK_OPEN_NO_PARENT) to read what it holds itself");
  if (hint->size() > kMaxName)
    throw Error(VMDK_ERR_PATH_DENIED, from.name() + ": names a parent with more than 4095 bytes");
  const std::string utf8 = descriptor_utf8(child, *hint);
  Failures failures;
  std::optional<Error> denied;
  std::optional<Link> parent;
  std::string slashed = utf8;
  std::replace(slashed.begin(), slashed.end(), '\\', '/');
  for (const std::string& name : candidate_names(utf8, *hint, NameUse::parent)) {
    parent = try_parent(child, name, number, failures);
    if (parent) break;
    // That a name of our own making is not allowed says nothing.
    const bool literal = name == utf8 || name == *hint || name == slashed;
    if (literal && !denied) denied = failures.denied;
  }
  if (!parent && !failures.unfit) {
    const std::string other = same_but_case(from, utf8);
    if (!other.empty()) parent = try_parent(child, other, number, failures);
  }
  if (parent) {
    if (parent->capacity != child.capacity)
      parts_.reporter->note(from.name() + ": has " + std::to_string(child.capacity) +
                            " bytes, its parent " + parent->files[0]->name() + " " +
                            std::to_string(parent->capacity));
    return std::move(*parent);
  }
  if (failures.unfit) throw *failures.unfit;
  if (denied) throw *denied;
  throw Error(VMDK_ERR_PARENT_MISSING, from.name() + ": its parent " + quoted(utf8) + " is missing")
      .with_hint(
          "put it where the child expects it, or allow its directory with --allow-path "
          "(vmdk_open_options::roots)");
}

}  // namespace

std::unique_ptr<Disk> open_disk(std::unique_ptr<FileSystem> files,
                                std::unique_ptr<Reporter> reporter, const std::string& path,
                                const OpenOptions& options) {
  return Opener(std::move(files), std::move(reporter), options).open(path);
}

}  // namespace vmdk
