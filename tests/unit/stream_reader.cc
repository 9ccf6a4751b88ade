// SPDX-License-Identifier: MIT
// ops/stream_reader, ops/stream_tables, io/byte_reader: streams of every shape give what
// vmdk_open() shows of the same bytes; what breaks them is found, with the place; memory stays
// bounded.
#include "ops/stream_reader.h"

#include <malloc.h>
#include <sys/stat.h>
#include <vmdk/vmdk.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <new>

#include "../support/unit_check.h"
#include "../support/unit_files.h"
#include "../support/unit_tree.h"

// -- How much memory is in use

namespace {

std::atomic<std::size_t> g_used{0}, g_most{0};

}  // namespace

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(size);
  if (memory == nullptr) return nullptr;
  const std::size_t used = g_used += malloc_usable_size(memory);
  if (used > g_most) g_most = used;
  return memory;
}

void* operator new(std::size_t size) {
  if (void* const memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}

void operator delete(void* memory) noexcept {
  g_used -= malloc_usable_size(memory);
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace {

using unit::Random;
using vmdk::Bytes;
using vmdk::MutableBytes;
using vmdk::StreamReader;
using Content = std::vector<std::byte>;

constexpr std::size_t kSector = 512;
constexpr std::uint64_t kAtEnd = UINT64_MAX;
constexpr vmdk::DescriptorLimits kLimits{1 << 20, 64};

// -- Making streams

enum class Codec { zlib, stored, raw };

struct Recipe {
  std::uint64_t capacity = 16 * 8, grain = 8;
  std::uint32_t gtes = 512;
  bool front = false;      // directory and tables before the grains
  bool redundant = false;  // with a copy in front of them
  bool true_gd = false;    // the header tells where the directory behind is
  bool footer = true, end = true;
  bool whole_grain = false;   // padded with zeros to a grain behind the start of the last one
  bool short_last = false;    // of the last grain only what lies on the disk
  bool empty_tables = false;  // are written, too
  bool late_tables = false;   // all of them behind all grains
  bool marker_values = true;
  bool progress = false, unknown = false;
  std::uint64_t overhead = 0;  // 0: as little as there has to be
  std::uint64_t line = 0;      // sectors that the descriptor tells; 0: capacity
  Codec codec = Codec::zlib;
  std::vector<std::uint64_t> grains = {0, 1, 5, 9, 15};
};

// A stream, and where in it is what.
struct Made {
  Content bytes;
  std::map<std::uint64_t, std::size_t> grain_at, table_at;  // bytes; of markers, of tables
  std::size_t directory_at = 0, footer_at = 0, end_at = 0, data_end = 0;
  Content disk;
};

Content grain_data(std::uint64_t number, std::size_t size) {
  Random random(number + 77);
  Content data(size);
  for (std::size_t i = 0; i < size / 2; ++i) data[i] = static_cast<std::byte>(random.next() & 0x0f);
  for (std::size_t i = size / 2; i < size; ++i) data[i] = static_cast<std::byte>(number + 1);
  return data;
}

Content pack(const Content& data, Codec codec) {
  vmdk::Deflater deflater(codec == Codec::stored ? 0 : 6);
  Content packed(vmdk::Deflater::bound(data.size()));
  packed.resize(deflater.deflate(data, packed));
  if (codec != Codec::raw) return packed;
  return Content(packed.begin() + 2, packed.end() - 4);
}

class Maker final {
 public:
  explicit Maker(const Recipe& recipe) : r_(recipe) { make(); }

  Made made;

 private:
  std::size_t at() const { return made.bytes.size(); }
  void fill(std::size_t to) { made.bytes.resize(std::max(to, at())); }
  void round() { fill((at() + kSector - 1) / kSector * kSector); }
  void marker(std::uint64_t sectors, std::uint32_t type) {
    const std::size_t here = at();
    fill(here + kSector);
    unit::store_le(made.bytes, here, r_.marker_values ? sectors : 0);
    unit::store_le(made.bytes, here + 12, type);
  }
  std::uint64_t tables() const {
    return ((r_.capacity + r_.grain - 1) / r_.grain + r_.gtes - 1) / r_.gtes;
  }
  std::size_t table_sectors() const { return (r_.gtes * std::size_t{4} + kSector - 1) / kSector; }
  std::size_t directory_sectors() const {
    return static_cast<std::size_t>((tables() * 4 + kSector - 1) / kSector);
  }

  void put_header(std::size_t where, std::uint64_t gd, std::uint64_t rgd, std::uint64_t overhead) {
    vmdk::SparseHeader header;
    header.version = 3;
    header.flags = 0x30001 | (r_.redundant ? 2 : 0);
    header.capacity = r_.capacity;
    header.grain_sectors = r_.grain;
    header.descriptor_sector = 1;
    header.descriptor_sectors = 2;
    header.gtes_per_gt = r_.gtes;
    header.gd_sector = gd;
    header.rgd_sector = rgd;
    header.overhead = overhead;
    header.compression = 1;
    const auto bytes = header.encode();
    std::copy(bytes.begin(), bytes.end(), made.bytes.begin() + static_cast<std::ptrdiff_t>(where));
  }
  void set(std::size_t where, std::uint64_t value) {
    unit::store_le(made.bytes, where, static_cast<std::uint32_t>(value));
  }

  void put_grain(std::uint64_t number) {
    const std::size_t whole = static_cast<std::size_t>(r_.grain) * kSector;
    const std::uint64_t sectors = std::min(r_.grain, r_.capacity - number * r_.grain);
    Content data = grain_data(number, whole);
    if (const std::size_t from = static_cast<std::size_t>(number * whole); from < made.disk.size())
      std::copy_n(data.begin(), std::min(whole, made.disk.size() - from),
                  made.disk.begin() + static_cast<std::ptrdiff_t>(from));
    if (r_.short_last) data.resize(static_cast<std::size_t>(sectors) * kSector);
    const Content packed = pack(data, r_.codec);
    const std::size_t here = made.grain_at[number] = at();
    fill(here + 12);
    unit::store_le(made.bytes, here, number * r_.grain);
    set(here + 8, packed.size());
    made.bytes.insert(made.bytes.end(), packed.begin(), packed.end());
    if (number * whole < made.disk.size()) made.data_end = at();
    round();
    if (r_.progress)
      for (int i = 0; i < 4; ++i) {
        marker(0, 4);
        unit::store_le(made.bytes, at() - kSector + 16, number * r_.grain);
      }
    if (r_.unknown) {
      marker(0, 77);
      marker(2, 0x80000001);
      fill(at() + (r_.marker_values ? 2 * kSector : 0));
    }
  }

  void put_table(std::uint64_t table) {
    marker(table_sectors(), 1);
    made.table_at[table] = at();
    fill(at() + table_sectors() * kSector);
    name_grains(table, made.table_at[table]);
  }
  void name_grains(std::uint64_t table, std::size_t where) {
    for (const auto& [grain, byte] : made.grain_at)
      if (grain / r_.gtes == table) set(where + grain % r_.gtes * 4, byte / kSector);
  }

  void make() {
    const std::uint64_t line = r_.line == 0 ? r_.capacity : r_.line;
    made.disk.resize(static_cast<std::size_t>(line) * kSector);
    fill(3 * kSector);
    const std::string text =
        "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
        "createType=\"streamOptimized\"\nRDONLY " +
        std::to_string(line) + " SPARSE \"a.vmdk\"\n";
    const Content words = unit::bytes_of_text(text);
    std::copy(words.begin(), words.end(), made.bytes.begin() + kSector);
    std::size_t rgd = 0;
    std::map<std::uint64_t, std::size_t> copies;
    if (r_.front) {
      const auto place = [&](std::size_t& directory, std::map<std::uint64_t, std::size_t>& places) {
        directory = at();
        fill(at() + directory_sectors() * kSector);
        for (std::uint64_t i = 0; i < tables(); ++i) {
          set(directory + i * 4, at() / kSector);
          places[i] = at();
          fill(at() + table_sectors() * kSector);
        }
      };
      if (r_.redundant) place(rgd, copies);
      place(made.directory_at, made.table_at);
    }
    fill(static_cast<std::size_t>(r_.overhead) * kSector);
    const std::size_t overhead = at();
    std::map<std::uint64_t, std::size_t> left;
    for (const std::uint64_t grain : r_.grains) ++left[grain / r_.gtes];
    std::uint64_t next_table = 0;
    for (const std::uint64_t grain : r_.grains) {
      put_grain(grain);
      if (r_.front || r_.late_tables || --left[grain / r_.gtes] != 0) continue;
      for (; r_.empty_tables && next_table < grain / r_.gtes; ++next_table)
        if (!made.table_at.contains(next_table) && left[next_table] == 0) put_table(next_table);
      put_table(grain / r_.gtes);
    }
    if (r_.front) {
      for (const auto& [table, where] : made.table_at) name_grains(table, where);
      for (const auto& [table, where] : copies) name_grains(table, where);
      if (r_.whole_grain && !made.grain_at.empty())
        fill(made.grain_at[r_.grains.back()] + static_cast<std::size_t>(r_.grain) * kSector);
    } else {
      for (std::uint64_t i = 0; i < tables(); ++i)
        if (!made.table_at.contains(i) && (r_.empty_tables || left.contains(i))) put_table(i);
      marker(directory_sectors(), 2);
      made.directory_at = at();
      fill(at() + directory_sectors() * kSector);
      for (const auto& [table, where] : made.table_at)
        set(made.directory_at + table * 4, where / kSector);
    }
    const std::uint64_t gd = made.directory_at / kSector;
    put_header(0, r_.front || r_.true_gd ? gd : kAtEnd, rgd / kSector, overhead / kSector);
    if (r_.footer) {
      marker(1, 3);
      made.footer_at = at();
      fill(at() + kSector);
      put_header(made.footer_at, gd, rgd / kSector, overhead / kSector);
    }
    made.end_at = at();
    if (r_.end) marker(0, 0);
  }

  const Recipe& r_;
};

Made make(const Recipe& recipe) { return Maker(recipe).made; }

Recipe vmware() { return {}; }
Recipe two_tables() {
  Recipe r;
  r.gtes = 4;
  r.capacity = 12 * 8;
  r.grains = {0, 2, 3, 8, 9};
  return r;
}
Recipe qemu() {
  Recipe r;
  r.front = r.redundant = r.whole_grain = true;
  r.footer = r.end = false;
  r.overhead = 32;
  return r;
}
Recipe open_vmdk() {
  Recipe r;
  r.front = true;
  r.footer = false;
  return r;
}
Recipe vmdktool() {
  Recipe r = two_tables();
  r.true_gd = r.empty_tables = true;
  return r;
}

// -- Reading them

// Gives so many bytes a call.
class Source final : public vmdk::ByteSource {
 public:
  explicit Source(Bytes bytes, std::size_t most = SIZE_MAX) : bytes_(bytes), most_(most) {}
  std::size_t read(MutableBytes out) override {
    const std::size_t size = std::min({out.size(), most_, bytes_.size()});
    std::copy_n(bytes_.begin(), size, out.begin());
    bytes_ = bytes_.subspan(size);
    return size;
  }
  const std::string& name() const override { return name_; }

 private:
  Bytes bytes_;
  std::size_t most_;
  std::string name_ = "pipe";
};

struct Got {
  unit::Outcome outcome;
  Content disk;
  std::vector<std::uint64_t> grains;
};

// The whole disk; only for those that are known to be small.
Got read_stream(vmdk::ByteSource& source, std::uint64_t most_bytes = 64 << 20) {
  Got got;
  got.outcome = unit::outcome_of([&] {
    StreamReader reader(source, kLimits);
    const std::uint64_t size = reader.capacity_sectors() * kSector;
    if (size > most_bytes) throw std::runtime_error("the disk is too large for this test");
    got.disk.resize(static_cast<std::size_t>(size));
    vmdk::Inflater inflater;
    vmdk::Buffer packed(reader.max_packed());
    while (const auto record = reader.next(packed.first(packed.size()))) {
      const std::uint64_t from = record->grain * reader.grain_bytes();
      if (!CHECK(from < size)) return;
      reader.inflate(*record, packed.first(record->size), inflater,
                     MutableBytes(got.disk).subspan(
                         static_cast<std::size_t>(from),
                         static_cast<std::size_t>(std::min(reader.grain_bytes(), size - from))));
      got.grains.push_back(record->grain);
    }
    CHECK(!reader.next(packed.first(packed.size())));
  });
  return got;
}
Got read_stream(Bytes bytes, std::size_t piece = SIZE_MAX) {
  Source source(bytes, piece);
  return read_stream(source);
}

// What vmdk_open() shows of the same bytes: nothing if it fails.
std::optional<Content> read_opened(const Content& bytes) {
  vmdk_io io{};
  io.struct_size = sizeof io;
  io.user = const_cast<Content*>(&bytes);
  io.open = [](void* user, const char* name, std::uint32_t, void** out) {
    *out = user;
    return std::string_view(name) == "a.vmdk" ? 0 : ENOENT;
  };
  io.close = [](void*, void*) {};
  io.read_at = [](void*, void* file, std::uint64_t offset, void* out, std::size_t size) {
    const auto& all = *static_cast<const Content*>(file);
    if (offset > all.size() || size > all.size() - offset) return EIO;
    if (size != 0) std::memcpy(out, all.data() + offset, size);
    return 0;
  };
  io.get_size = [](void*, void* file, std::uint64_t* out) {
    *out = static_cast<const Content*>(file)->size();
    return 0;
  };
  vmdk_open_options options{};
  options.struct_size = sizeof options;
  options.io = &io;
  options.flags = VMDK_OPEN_NO_PARENT;  // parents are not the reader's business
  vmdk_disk* disk = nullptr;
  if (vmdk_open("a.vmdk", &options, &disk) != VMDK_OK) return std::nullopt;
  vmdk_info info{};
  info.struct_size = sizeof info;
  std::optional<Content> content;
  if (vmdk_get_info(disk, &info) == VMDK_OK && info.capacity <= 64 << 20) {
    content.emplace(static_cast<std::size_t>(info.capacity));
    if (vmdk_read_at(disk, content->data(), content->size(), 0) != VMDK_OK) content.reset();
  }
  vmdk_close(disk);
  return content;
}

// -- Tests

struct Shape {
  const char* name;
  Recipe recipe;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all = {{"vmware", vmware()},
                            {"two tables", two_tables()},
                            {"qemu", qemu()},
                            {"open-vmdk", open_vmdk()},
                            {"vmdktool", vmdktool()}};
  const auto add = [&](const char* name, Recipe from, auto change) {
    change(from);
    all.push_back({name, std::move(from)});
  };
  add("no grains", vmware(), [](Recipe& r) { r.grains.clear(); });
  add("no grains, qemu", qemu(), [](Recipe& r) { r.grains.clear(); });
  add("no grains, empty tables", vmdktool(), [](Recipe& r) { r.grains.clear(); });
  add("short last grain", vmware(), [](Recipe& r) { r.capacity = 125, r.short_last = true; });
  add("whole last grain", vmware(), [](Recipe& r) { r.capacity = 125; });
  add("short last grain, qemu", qemu(), [](Recipe& r) { r.capacity = 121, r.short_last = true; });
  add("header rounded up", vmware(), [](Recipe& r) { r.line = 122; });
  add("grain beyond the line", vmware(), [](Recipe& r) { r.line = 115; });
  add("grain beyond the line, qemu", qemu(), [](Recipe& r) { r.line = 115; });
  add("late tables", two_tables(), [](Recipe& r) { r.late_tables = true; });
  add("reversed", two_tables(), [](Recipe& r) { r.grains = {9, 8, 3, 2, 0}; });
  add("mixed", two_tables(), [](Recipe& r) { r.grains = {8, 0, 9, 3, 2, 6, 11, 5}; });
  add("mixed, late", two_tables(), [](Recipe& r) {
    r.grains = {8, 0, 9, 3, 2, 6, 11, 5};
    r.late_tables = true;
  });
  add("mixed, qemu", qemu(), [](Recipe& r) { r.gtes = 4, r.grains = {8, 0, 9, 3, 2, 15, 11, 5}; });
  add("no lengths in markers", two_tables(), [](Recipe& r) { r.marker_values = false; });
  add("progress", two_tables(), [](Recipe& r) { r.progress = true; });
  add("unknown markers", two_tables(), [](Recipe& r) { r.unknown = true; });
  add("progress, in front", open_vmdk(), [](Recipe& r) { r.progress = true; });
  add("footer and directory in front", open_vmdk(), [](Recipe& r) { r.footer = true; });
  add("footer and no end, in front", open_vmdk(),
      [](Recipe& r) { r.footer = true, r.end = false; });
  add("directory told, no footer", two_tables(), [](Recipe& r) {
    r.true_gd = true;
    r.footer = false;
  });
  add("overhead", two_tables(), [](Recipe& r) { r.overhead = 129; });
  add("stored", vmware(), [](Recipe& r) { r.codec = Codec::stored; });
  add("raw deflate", vmware(), [](Recipe& r) { r.codec = Codec::raw; });
  add("grains of a sector", vmware(), [](Recipe& r) { r.grain = 1, r.capacity = 16; });
  add("grains of 1 MiB", vmware(), [](Recipe& r) {
    r.grain = 2048, r.capacity = 3 * 2048 + 1;
    r.grains = {0, 2, 3};
    r.codec = Codec::stored;
  });
  add("tables of one entry", vmware(), [](Recipe& r) { r.gtes = 1; });
  add("tables of 7 entries", vmware(), [](Recipe& r) { r.gtes = 7; });
  add("tables of 7 entries, qemu", qemu(), [](Recipe& r) { r.gtes = 7; });
  add("tables of 9000 entries", vmware(), [](Recipe& r) { r.gtes = 9000; });
  add("many tables", vmware(), [](Recipe& r) {
    r.gtes = 128, r.capacity = 1000 * 8;
    r.grains.clear();
    for (std::uint64_t i = 3; i < 1000; i += i % 5 + 1) r.grains.push_back(i);
  });
  return all;
}

void test_shapes() {
  for (const Shape& shape : shapes()) {
    const unit::Row row(shape.name);
    const Made made = make(shape.recipe);
    const auto opened = read_opened(made.bytes);
    if (!CHECK(opened) || !CHECK(*opened == made.disk)) continue;
    for (const std::size_t piece :
         {SIZE_MAX, std::size_t{1}, std::size_t{513}, std::size_t{4096}}) {
      const unit::Row in_pieces(std::to_string(piece));
      const Got got = read_stream(made.bytes, piece);
      CHECK_EQ(got.outcome.message, "");
      CHECK(got.disk == made.disk);
      std::vector<std::uint64_t> wanted = shape.recipe.grains;
      std::erase_if(wanted, [&](std::uint64_t g) {
        return g * shape.recipe.grain * kSector >= made.disk.size();
      });
      CHECK_EQ(got.grains, wanted);
    }
  }
}

// Zeros may follow the end, nothing else.
void test_behind_the_end() {
  for (const Shape& shape : shapes()) {
    const unit::Row row(shape.name);
    Made made = make(shape.recipe);
    const std::size_t size = made.bytes.size();
    for (const std::size_t zeros : {1u, 511u, 512u, 100000u}) {
      made.bytes.resize(size);
      made.bytes.resize(size + zeros);
      CHECK_EQ(read_stream(made.bytes).outcome.message, "");
      made.bytes.back() = std::byte{1};
      const unit::Outcome outcome = read_stream(made.bytes).outcome;
      CHECK_EQ(outcome.status, VMDK_ERR_CORRUPT);
      // Where no end was marked the byte may be taken for a piece of a sector or for a marker.
      if (shape.recipe.end)
        CHECK_HAS(outcome.message, "the byte " + std::to_string(size + zeros - 1) +
                                       " is not 0, but the stream ends");
    }
  }
}

// At every byte of the usual shapes, around every sector of the others.
void test_truncated() {
  constexpr std::size_t kUsual = 5;
  std::size_t number = 0;
  for (const Shape& shape : shapes()) {
    const unit::Row row(shape.name);
    const Made made = make(shape.recipe);
    const bool usual = number++ < kUsual;
    if (made.bytes.size() > 100000) continue;
    for (std::size_t size = 0; size < made.bytes.size(); ++size) {
      if (!usual && (size + 1) % kSector > 2) continue;
      const unit::Row cut(std::to_string(size));
      const Content some(made.bytes.begin(),
                         made.bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const Got got = read_stream(some);
      const bool in_front = shape.recipe.front;
      if (got.outcome.status == VMDK_OK) {
        const std::size_t least =
            !in_front ? made.bytes.size()
                      : std::max(made.data_end,
                                 made.table_at.empty() ? 0 : made.table_at.rbegin()->second);
        CHECK(size >= least);
        CHECK(got.disk == made.disk);
      } else if (size >= 512) {
        CHECK_EQ(got.outcome.status, VMDK_ERR_CORRUPT);
        CHECK_HAS(got.outcome.message,
                  "pipe: the stream ends at byte " + std::to_string(size) + ", ");
      } else {
        CHECK(got.outcome.status == VMDK_ERR_CORRUPT || got.outcome.status == VMDK_ERR_NOT_VMDK);
      }
    }
  }
}

struct Damage {
  const char* name;
  Recipe recipe;
  std::function<std::string(Made&)> change;  // gives what the message must have
  vmdk_status status = VMDK_ERR_CORRUPT;
};

void set32(Made& m, std::size_t at, std::uint64_t value) {
  unit::store_le(m.bytes, at, static_cast<std::uint32_t>(value));
}
void set64(Made& m, std::size_t at, std::uint64_t value) { unit::store_le(m.bytes, at, value); }
std::string num(std::uint64_t value) { return std::to_string(value); }

std::vector<Damage> damages() {
  std::vector<Damage> all;
  const auto add = [&](const char* name, const Recipe& recipe, auto change) {
    all.push_back({name, recipe, change, VMDK_ERR_CORRUPT});
  };
  add("no boundary", vmware(), [](Made& m) {
    set64(m, m.grain_at[5], 41);
    return "the grain at byte " + num(m.grain_at[5]) +
           " says that it belongs to sector 41 of the disk, where no grain of 8 sectors begins";
  });
  add("beyond the disk", vmware(), [](Made& m) {
    set64(m, m.grain_at[5], 128);
    return "the grain at byte " + num(m.grain_at[5]) +
           " says that it belongs to sector 128 of the disk, which has 128 sectors";
  });
  add("high bits", vmware(), [](Made& m) {
    set64(m, m.grain_at[5], std::uint64_t{1} << 63 | 40);
    return "the grain at byte " + num(m.grain_at[5]) + " says that it belongs to sector 9223";
  });
  for (const Recipe& recipe : {vmware(), qemu()})
    add("twice", recipe, [](Made& m) {
      set64(m, m.grain_at[5], 8);
      return "grain 1, stored at byte " + num(m.grain_at[5]) + ", is there twice";
    });
  add("too large", vmware(), [](Made& m) {
    set32(m, m.grain_at[5] + 8, 2 * 4096 + 1025);
    return "grain 5, stored at byte " + num(m.grain_at[5]) +
           ", has a compressed size of 9217 bytes; for a grain of 4096 bytes that cannot be";
  });
  add("size ones", qemu(), [](Made& m) {
    set32(m, m.grain_at[5] + 8, UINT32_MAX);
    return "has a compressed size of 4294967295 bytes";
  });
  add("noise", vmware(), [](Made& m) {
    m.bytes[m.grain_at[5] + 40] ^= std::byte{0x55};
    return "grain 5, stored at byte " + num(m.grain_at[5]) + ", is damaged: its ";
  });
  add("entry of another sector", two_tables(), [](Made& m) {
    set32(m, m.table_at[0] + 8, 77);
    return "grain table 0 at byte " + num(m.table_at[0]) +
           " contradicts the grains before it: its entry 2, at byte " + num(m.table_at[0] + 8) +
           ", is 77, but grain 2 is at sector " + num(m.grain_at[2] / kSector);
  });
  add("entry too many", two_tables(), [](Made& m) {
    set32(m, m.table_at[2] + 12, 77);
    return "grain table 2 at byte " + num(m.table_at[2]) +
           " contradicts the grains before it: its entry 3, at byte " + num(m.table_at[2] + 12) +
           ", is 77, but grain 11 was not there";
  });
  add("entry lost", two_tables(), [](Made& m) {
    set32(m, m.table_at[2] + 4, 0);
    return "its entry 1, at byte " + num(m.table_at[2] + 4) + ", is 0, but grain 9 is at sector " +
           num(m.grain_at[9] / kSector);
  });
  add("entry of zeros", two_tables(), [](Made& m) {
    set32(m, m.table_at[2] + 4, 1);
    return "its entry 1, at byte " + num(m.table_at[2] + 4) + ", is 1, but grain 9 is at sector " +
           num(m.grain_at[9] / kSector);
  });
  add("all entries lost", two_tables(), [](Made& m) {
    set32(m, m.table_at[2], 0);
    set32(m, m.table_at[2] + 4, 0);
    return "grain table 2 at byte " + num(m.table_at[2]) +
           " contradicts the grains before it: its entry 0, at byte " + num(m.table_at[2]) +
           ", is 0, but grain 8 is at sector " + num(m.grain_at[8] / kSector);
  });
  Recipe late = two_tables();
  late.late_tables = true;
  add("late table", late, [](Made& m) {
    set32(m, m.table_at[0] + 12, 99);
    return "the grain directory says at byte " + num(m.directory_at) +
           " that grain table 0 is at sector " + num(m.table_at[0] / kSector) +
           ", but that table is not that of its grains: it names 3 grains, and 3 were there";
  });
  add("tables exchanged", late, [](Made& m) {
    set32(m, m.directory_at, m.table_at[2] / kSector);
    set32(m, m.directory_at + 8, m.table_at[0] / kSector);
    return "the grain directory says at byte " + num(m.directory_at) +
           " that grain table 0 is at sector " + num(m.table_at[2] / kSector);
  });
  add("directory entry wrong", two_tables(), [](Made& m) {
    set32(m, m.directory_at + 8, 50);
    return "the grain directory says at byte " + num(m.directory_at + 8) +
           " that grain table 2 is at sector 50, but it was at sector " +
           num(m.table_at[2] / kSector);
  });
  add("directory entry lost", two_tables(), [](Made& m) {
    set32(m, m.directory_at + 8, 0);
    return "the grain directory says at byte " + num(m.directory_at + 8) +
           " that grain table 2 is not there, but it was at sector " + num(m.table_at[2] / kSector);
  });
  add("directory entry lost, late", late, [](Made& m) {
    set32(m, m.directory_at, 0);
    return "that grain table 0 is not there, but 3 of its grains were";
  });
  add("directory entry too many", two_tables(), [](Made& m) {
    set32(m, m.directory_at + 4, 50);
    return "the grain directory says at byte " + num(m.directory_at + 4) +
           " that grain table 1 is at sector 50, where it was not";
  });
  add("grain behind its table", two_tables(), [](Made& m) {
    set64(m, m.grain_at[9], 8);
    return "grain 1, stored at byte " + num(m.grain_at[9]) +
           ", comes behind its grain table 0 at sector " + num(m.table_at[0] / kSector);
  });
  add("table too short", two_tables(), [](Made& m) {
    Recipe r = two_tables();
    r.gtes = 200;
    m = make(r);
    set64(m, m.table_at[0] - kSector, 1);
    return "the marker of type 1 at byte " + num(m.table_at[0] - kSector) +
           " says that 1 sectors follow; a grain table has 2";
  });
  add("marker too long", two_tables(), [](Made& m) {
    set64(m, m.table_at[0] - kSector, std::uint64_t{1} << 60);
    return "the marker of type 1 at byte " + num(m.table_at[0] - kSector) +
           " says that 1152921504606846976 sectors follow";
  });
  add("second directory", vmware(), [](Made& m) {
    const Content again(m.bytes.begin() + static_cast<std::ptrdiff_t>(m.directory_at - kSector),
                        m.bytes.begin() + static_cast<std::ptrdiff_t>(m.directory_at + kSector));
    m.bytes.insert(m.bytes.begin() + static_cast<std::ptrdiff_t>(m.directory_at + kSector),
                   again.begin(), again.end());
    return "the marker of type 2 at byte " + num(m.directory_at + kSector) +
           " is that of a second grain directory";
  });
  add("grain behind the directory", vmware(), [](Made& m) {
    set32(m, m.footer_at - kSector + 8, 1);
    return "the grain at byte " + num(m.footer_at - kSector) + " comes behind the grain directory";
  });
  add("grain behind the footer", vmware(), [](Made& m) {
    set32(m, m.end_at + 8, 1);
    return "the grain at byte " + num(m.end_at) + " comes behind the footer";
  });
  add("table behind the footer", vmware(), [](Made& m) {
    set32(m, m.end_at + 12, 1);
    return "the marker of type 1 at byte " + num(m.end_at) + " comes behind the footer";
  });
  add("second footer", vmware(), [](Made& m) {
    set32(m, m.end_at + 12, 3);
    return "the marker of type 3 at byte " + num(m.end_at) + " is that of a second footer";
  });
  add("footer without a directory", vmware(), [](Made& m) {
    set32(m, m.directory_at - kSector + 12, 99);
    return "the marker of type 3 at byte " + num(m.footer_at - kSector) +
           " is that of the footer, but the grain directory was not there";
  });
  add("footer longer", vmware(), [](Made& m) {
    set64(m, m.footer_at - kSector, 2);
    return "the marker of type 3 at byte " + num(m.footer_at - kSector) +
           " says that 2 sectors follow; a footer has 1";
  });
  add("footer damaged", vmware(), [](Made& m) {
    m.bytes[m.footer_at] = std::byte{0};
    return "pipe (footer at byte " + num(m.footer_at) +
           "): the magic number of the header is missing";
  });
  add("footer of another capacity", vmware(), [](Made& m) {
    set64(m, m.footer_at + 12, 120);
    return "pipe (footer at byte " + num(m.footer_at) +
           "): its header and its footer contradict each other: capacity 128 and 120";
  });
  add("footer says footer", vmware(), [](Made& m) {
    set64(m, m.footer_at + 56, kAtEnd);
    return std::string("its footer does not say where the grain directory is");
  });
  add("footer of another directory", vmware(), [](Made& m) {
    set64(m, m.footer_at + 56, 9);
    return "says that the grain directory is at sector 9, but it was at sector " +
           num(m.directory_at / kSector);
  });
  Recipe told = two_tables();
  told.true_gd = true;
  add("header of another directory", told, [](Made& m) {
    set64(m, 56, 30);
    return "its header says that the grain directory is at sector 30, but it comes at byte " +
           num(m.directory_at);
  });
  add("end marker damaged", vmware(), [](Made& m) {
    m.bytes[m.end_at + 100] = std::byte{9};
    return "the end-of-stream marker at byte " + num(m.end_at) + " is damaged";
  });
  add("end before the directory", vmware(), [](Made& m) {
    std::fill_n(m.bytes.begin() + static_cast<std::ptrdiff_t>(m.directory_at - kSector), kSector,
                std::byte{0});
    return "the end-of-stream marker at byte " + num(m.directory_at - kSector) +
           " comes before the grain directory";
  });
  add("end before the footer", vmware(), [](Made& m) {
    std::fill_n(m.bytes.begin() + static_cast<std::ptrdiff_t>(m.footer_at - kSector), kSector,
                std::byte{0});
    return "the end-of-stream marker at byte " + num(m.footer_at - kSector) +
           " comes before the footer";
  });
  add("behind the end", vmware(), [](Made& m) {
    const std::size_t size = m.bytes.size();
    m.bytes.resize(size + 2000);
    m.bytes[size + 1234] = std::byte{1};
    return "something follows the end of the stream: the byte " + num(size + 1234) + " is not 0";
  });
  add("front: grain missing", qemu(), [](Made& m) {
    m.bytes.resize(m.grain_at[15]);
    return "the stream ends at byte " + num(m.grain_at[15]) +
           ", but 1 of the grains that grain table 0 names were not there";
  });
  add("front: grain not named", qemu(), [](Made& m) {
    set64(m, m.grain_at[15], 14 * 8);
    return "grain table 0 is not that of its grains, the last of which is grain 14 at sector " +
           num(m.grain_at[15] / kSector) + " (byte " + num(m.grain_at[15]) + ")";
  });
  add("front: wrong sector", qemu(), [](Made& m) {
    set32(m, m.table_at[0] + 4, m.grain_at[1] / kSector + 1);
    return std::string("grain table 0 is not that of its grains, the last of which is grain 15");
  });
  add("front: entry lost", qemu(), [](Made& m) {
    set32(m, m.table_at[0] + 4, 0);
    return std::string("grain table 0 is not that of its grains");
  });
  add("front: no table", open_vmdk(), [](Made& m) {
    set32(m, m.directory_at, 0);
    return "grain 0, stored at byte " + num(m.grain_at[0]) + ", is not named by any grain table";
  });
  add("front: grain too many", open_vmdk(), [](Made& m) {
    Content again(m.bytes.begin() + static_cast<std::ptrdiff_t>(m.grain_at[15]),
                  m.bytes.begin() + static_cast<std::ptrdiff_t>(m.end_at));
    m.bytes.insert(m.bytes.begin() + static_cast<std::ptrdiff_t>(m.end_at), again.begin(),
                   again.end());
    return "grain 15, stored at byte " + num(m.end_at) +
           ", is there twice, or not named by grain table 0";
  });
  add("directory at sector 0", vmware(), [](Made& m) {
    set64(m, 56, 0);
    return std::string("its header says that the grain directory is at sector 0");
  });
  add("line too long", vmware(), [](Made& m) {
    set64(m, 12, 120);
    set64(m, m.footer_at + 12, 120);
    return std::string("its header says that it has 120 sectors, the descriptor says 128 sectors");
  });
  add("entries that do not fit", vmware(), [](Made& m) {
    Recipe r = vmware();
    r.grains.clear();
    m = make(r);
    set32(m, 44, 1 << 20);
    set32(m, m.footer_at + 44, 1 << 20);
    return "its header says that a grain table has 1048576 entries, which do not fit into the "
           "stream (" +
           num(m.bytes.size()) + " bytes)";
  });
  const auto unsupported = [&](const char* name, const Recipe& recipe, auto change) {
    all.push_back({name, recipe, change, VMDK_ERR_UNSUPPORTED});
  };
  unsupported("front: table among the grains", qemu(), [](Made& m) {
    set32(m, m.directory_at, m.grain_at[0] / kSector);
    return "grain table 0 at sector " + num(m.grain_at[0] / kSector) +
           " does not lie in front of the grains, which begin at sector 32";
  });
  unsupported("front: table before the directory", qemu(), [](Made& m) {
    set32(m, m.directory_at, 4);
    return std::string("grain table 0 at sector 4 does not come in its turn");
  });
  unsupported("descriptor behind", vmware(), [](Made& m) {
    set64(m, 64, 2);
    return std::string("its first grain at sector 2 does not come in its turn, after sector 3");
  });
  unsupported("capacity 0", vmware(), [](Made& m) {
    set64(m, 12, 0);
    return std::string("its header says that it has 0 sectors");
  });
  unsupported("size alone", qemu(), [](Made& m) {
    set32(m, 8, 0x10001);
    return std::string("its grains do not say which they are");
  });
  unsupported("no descriptor", vmware(), [](Made& m) {
    set64(m, 28, 0);
    return std::string("is an extent without a descriptor");
  });
  unsupported("plain", vmware(), [](Made& m) {
    set32(m, 8, 3);
    unit::store_le(m.bytes, 77, std::uint16_t{0});
    set64(m, 56, 4);
    return std::string("is a sparse extent whose grains are not compressed");
  });
  unsupported("grains of 32 MiB", vmware(), [](Made& m) {
    set64(m, 20, 65536);
    return std::string("compressed grains of 33554432 bytes are not read; 16 MiB is the most");
  });
  return all;
}

void test_damage() {
  for (const Damage& damage : damages()) {
    const unit::Row row(damage.name);
    Made made = make(damage.recipe);
    const std::string wanted = damage.change(made);
    for (const std::size_t piece : {SIZE_MAX, std::size_t{1}}) {
      const unit::Outcome outcome = read_stream(made.bytes, piece).outcome;
      CHECK_EQ(outcome.status, damage.status);
      CHECK_HAS(outcome.message, wanted);
      CHECK(outcome.message.starts_with("pipe"));
    }
  }
}

void test_other_files() {
  struct Case {
    std::string bytes;
    vmdk_status status;
    std::string_view part;
  };
  std::string tar(1024, '\0');
  tar.replace(0, 5, "a.ovf");
  tar.replace(257, 6, std::string("ustar\0", 6));
  tar.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : tar) sum += static_cast<unsigned char>(c);
  std::snprintf(tar.data() + 148, 8, "%06o", sum);
  const std::string zeros(600, '\0');
  const Case cases[] = {
      {"", VMDK_ERR_NOT_VMDK, "is empty"},
      {"KDM", VMDK_ERR_NOT_VMDK, "is not a VMDK"},
      {zeros, VMDK_ERR_NOT_VMDK, "is not a VMDK"},
      {"\x1f\x8b\x08" + zeros, VMDK_ERR_NOT_VMDK, "is not a VMDK"},
      {"kdmv" + zeros, VMDK_ERR_NOT_VMDK, "was never finished"},
      {"KDMV\3\0\0\0", VMDK_ERR_NOT_VMDK, "is not a VMDK"},
      {std::string("KDMV\3\0\0\0", 8), VMDK_ERR_CORRUPT, "ends at byte 8, inside its header"},
      {"COWD" + zeros, VMDK_ERR_UNSUPPORTED, "is a COWD extent"},
      {std::string("\xbe\xba\xfe\xca\0\0\0\0", 8) + zeros, VMDK_ERR_UNSUPPORTED,
       "is a seSparse extent"},
      {"# Disk DescriptorFile\nversion=1\n", VMDK_ERR_UNSUPPORTED, "is a text descriptor"},
      {"encryption.keySafe = \"x\"\n", VMDK_ERR_ENCRYPTED,
       "is the descriptor of an encrypted disk"},
      {tar, VMDK_ERR_UNSUPPORTED, "is a tar"},
  };
  for (const Case& each : cases) {
    const unit::Outcome outcome =
        read_stream(std::as_bytes(std::span(each.bytes.data(), each.bytes.size()))).outcome;
    CHECK_EQ(outcome.status, each.status);
    CHECK_HAS(outcome.message, each.part);
    if (each.status == VMDK_ERR_UNSUPPORTED)
      CHECK_EQ(outcome.hint, "save it to a file and open that");
  }
}

void put_text(Made& made, std::string_view text) {
  std::fill_n(made.bytes.begin() + kSector, 2 * kSector, std::byte{0});
  const Content words = unit::bytes_of_text(text);
  std::copy(words.begin(), words.end(), made.bytes.begin() + kSector);
}

void test_descriptors() {
  struct Case {
    std::string_view text;
    vmdk_status status;
    std::string_view part;
  };
  const Case cases[] = {
      {"version=1\nRW 128 SPARSE \"x\"\n", VMDK_OK, ""},
      {"version=1\nRW 128 SPARSE \"x\"\nNOACCESS 0 ZERO\n", VMDK_OK, ""},
      {"version=1\nRW 128 SPARSE \"x\"\n\n\0RW 1 SPARSE \"y\"\n", VMDK_OK, ""},
      {"version=1\nRW 128 SPARSE \"x\"\nRW 8 SPARSE \"y\"\n", VMDK_ERR_UNSUPPORTED,
       "is one of the 2 extents of its disk"},
      {"version=1\nNOACCESS 128 SPARSE \"x\"\n", VMDK_ERR_UNSUPPORTED, "may not be read"},
      {"version=1\nRW 128 FLAT \"x\" 0\n", VMDK_ERR_CORRUPT, "is of another type"},
      {"version=1\nCID=1\n", VMDK_ERR_CORRUPT, "has no extents"},
      {"version=4\nRW 128 SPARSE \"x\"\n", VMDK_ERR_UNSUPPORTED, ""},
      {"hello\n", VMDK_ERR_CORRUPT, "begins with"},
      {"\x01\x02\x03\x04\x05", VMDK_ERR_ENCRYPTED, "is not text"},
      {"encryption.keySafe = \"x\"\n", VMDK_ERR_ENCRYPTED, "encrypted"},
      {" \n", VMDK_ERR_UNSUPPORTED, "without a descriptor"},
  };
  for (const Case& each : cases) {
    const unit::Row row(unit::show(each.text));
    Made made = make(vmware());
    put_text(made, each.text);
    const unit::Outcome outcome = read_stream(made.bytes).outcome;
    CHECK_EQ(outcome.status, each.status);
    CHECK_HAS(outcome.message, each.part);
  }
  Made made = make(vmware());
  Source source(made.bytes);
  const unit::Outcome outcome = unit::outcome_of([&] { StreamReader(source, {20, 64}); });
  CHECK_EQ(outcome.status, VMDK_ERR_LIMIT);
}

// A read error is the source's own.
void test_source_fails() {
  class Failing final : public vmdk::ByteSource {
   public:
    explicit Failing(Bytes bytes) : whole_(bytes, 512) {}
    std::size_t read(MutableBytes out) override {
      if (++reads_ > 8) vmdk::throw_os_error(name(), "reading failed", EIO);
      return whole_.read(out);
    }
    const std::string& name() const override { return whole_.name(); }

   private:
    Source whole_;
    int reads_ = 0;
  };
  const Made made = make(vmware());
  Failing source(made.bytes);
  const unit::Outcome outcome = read_stream(source).outcome;
  CHECK_EQ(outcome.status, VMDK_ERR_IO);
  CHECK_EQ(outcome.os_error, EIO);
  CHECK_HAS(outcome.message, "pipe: reading failed");
}

// Any byte, any value: an error, or the disk as vmdk_open() shows it.
void test_corrupted() {
  Random random(4);
  std::size_t read = 0, refused = 0;
  std::vector<Made> originals;
  for (const Shape& shape : shapes())
    if (Made made = make(shape.recipe); made.bytes.size() < 20000)
      originals.push_back(std::move(made));
  for (int i = 0; i < 10000; ++i) {
    const Made& original = originals[random.below(originals.size())];
    Content bytes = original.bytes;
    const std::size_t at = random.below(bytes.size());
    const auto change = static_cast<std::byte>(random.between(1, 255));
    bytes[at] ^= random.one_in(2) ? change : std::byte{1} << (std::to_integer<int>(change) & 7);
    if (bytes[at] == original.bytes[at]) continue;
    const unit::Row row("change " + num(static_cast<std::uint64_t>(i)) + " at byte " + num(at));
    const Got got = read_stream(bytes);
    if (got.outcome.status != VMDK_OK) {
      ++refused;
      CHECK(got.outcome.status == VMDK_ERR_CORRUPT || got.outcome.status == VMDK_ERR_UNSUPPORTED ||
            got.outcome.status == VMDK_ERR_NOT_VMDK || got.outcome.status == VMDK_ERR_ENCRYPTED);
      continue;
    }
    ++read;
    const auto opened = read_opened(bytes);
    if (!opened || *opened != got.disk) {
      CHECK(opened);
      CHECK(got.disk == (opened ? *opened : original.disk));
    }
  }
  CHECK(read > 100);
  CHECK(refused > 1000);
}

// -- Memory

// Bytes that are made as they are read: a beginning, and sectors by a function.
class Formula final : public vmdk::ByteSource {
 public:
  Formula(Content beginning, std::uint64_t size, std::function<void(std::uint64_t, MutableBytes)> f)
      : beginning_(std::move(beginning)), size_(size), sector_(std::move(f)) {}
  std::size_t read(MutableBytes out) override {
    std::size_t done = 0;
    while (done + kSector <= out.size() && at_ < size_) {
      const MutableBytes some = out.subspan(done, kSector);
      std::fill(some.begin(), some.end(), std::byte{0});
      if (at_ < beginning_.size())
        std::copy_n(beginning_.begin() + static_cast<std::ptrdiff_t>(at_), kSector, some.begin());
      else
        sector_(at_ / kSector, some);
      at_ += kSector;
      done += kSector;
    }
    return done;
  }
  const std::string& name() const override { return name_; }
  std::uint64_t at() const { return at_; }

 private:
  Content beginning_;
  std::uint64_t size_, at_ = 0;
  std::function<void(std::uint64_t, MutableBytes)> sector_;
  std::string name_ = "pipe";
};

// The most memory that reading took, and what it came to.
std::pair<std::size_t, unit::Outcome> memory_of(vmdk::ByteSource& source) {
  vmdk::Buffer packed(1 << 20);
  const std::size_t before = g_used;
  g_most = before;
  unit::Outcome outcome = unit::outcome_of([&] {
    StreamReader reader(source, kLimits);
    if (reader.max_packed() > packed.size()) throw std::runtime_error("grains are too large");
    while (reader.next(packed.first(packed.size()))) {
    }
  });
  return {g_most - before, std::move(outcome)};
}

// The beginning of a stream of so many sectors: header and descriptor.
Content beginning(std::uint64_t capacity, std::uint64_t gd, std::uint64_t overhead,
                  std::uint32_t gtes = 512, std::uint64_t grain = 128) {
  Recipe r;
  r.grains.clear();
  Made made = make(r);
  put_text(made, "version=1\nRW " + num(capacity) + " SPARSE \"a\"\n");
  set64(made, 12, capacity);
  set64(made, 20, grain);
  set32(made, 44, gtes);
  set64(made, 56, gd);
  set64(made, 64, overhead);
  made.bytes.resize(3 * kSector);
  return made.bytes;
}

void test_memory() {
  constexpr std::size_t kMiB = 1 << 20;
  {
    const unit::Row row("2 TiB, tables in front");
    const std::uint64_t tables = 65536, gd = 3, first = gd + tables / 128;
    const std::uint64_t overhead = first + tables * 4;
    Formula source(beginning(tables * 65536, gd, overhead), overhead * kSector,
                   [&](std::uint64_t sector, MutableBytes out) {
                     if (sector < first) {
                       for (std::uint64_t i = 0; i < 128; ++i)
                         unit::store_le(
                             out, i * 4,
                             static_cast<std::uint32_t>(first + ((sector - gd) * 128 + i) * 4));
                     } else {
                       unit::store_le(out, sector % 128 * 4, static_cast<std::uint32_t>(sector));
                     }
                   });
    const auto [most, outcome] = memory_of(source);
    CHECK_EQ(outcome.status, VMDK_ERR_CORRUPT);
    CHECK_HAS(outcome.message, "but 4 of the grains that grain table 0 names were not there");
    CHECK(most < 8 * kMiB);
  }
  // A record is a sector: each sector of the stream may cost no more than that.
  const auto grain = [](MutableBytes out, std::uint64_t sector) {
    unit::store_le(out, 0, sector);
    unit::store_le(out, 8, std::uint32_t{100});
  };
  {
    const unit::Row row("grains far apart");
    const std::uint64_t size = 64 * kMiB;
    Formula source(beginning(std::uint64_t{1} << 50, kAtEnd, 3), size,
                   [&](std::uint64_t sector, MutableBytes out) { grain(out, sector << 25); });
    const auto [most, outcome] = memory_of(source);
    CHECK_HAS(outcome.message, "the stream ends at byte 67108864, before its end-of-stream marker");
    CHECK(most < size + kMiB);
  }
  {
    const unit::Row row("grains in order");
    Formula source(beginning(std::uint64_t{1} << 40, kAtEnd, 3), 512 * kMiB,
                   [&](std::uint64_t sector, MutableBytes out) {
                     const std::uint64_t i = sector - 3, table = i / 517, entry = i % 517;
                     if (entry < 512) return grain(out, (table * 512 + entry) * 128);
                     if (entry == 512) return unit::store_le(out, 12, std::uint32_t{1});
                     for (std::uint64_t k = 0; k < 128; ++k)
                       unit::store_le(
                           out, k * 4,
                           static_cast<std::uint32_t>(3 + table * 517 + (entry - 513) * 128 + k));
                   });
    const auto [most, outcome] = memory_of(source);
    CHECK_HAS(outcome.message, "the stream ends at byte 536870912, ");
    CHECK(most < kMiB);
  }
  {
    const unit::Row row("tables without grains");
    Formula source(beginning(std::uint64_t{1} << 50, kAtEnd, 3, 1), 64 * kMiB,
                   [&](std::uint64_t sector, MutableBytes out) {
                     if (sector % 2 == 1) unit::store_le(out, 12, std::uint32_t{1});
                   });
    const auto [most, outcome] = memory_of(source);
    CHECK_EQ(outcome.status, VMDK_ERR_CORRUPT);
    CHECK(most < 32 * kMiB);
  }
  for (const std::uint32_t gtes : {1u, 512u, UINT32_MAX})
    for (const std::uint64_t grain_sectors : {1u, 512u})
      for (const std::uint64_t gd : {std::uint64_t{3}, std::uint64_t{5000}, kAtEnd}) {
        const unit::Row row("largest numbers");
        Formula source(beginning(std::uint64_t{1} << 54, gd, 4000, gtes, grain_sectors), 3 * kMiB,
                       [&](std::uint64_t sector, MutableBytes out) {
                         for (std::size_t i = 0; i < kSector; i += 4)
                           unit::store_le(out, i, static_cast<std::uint32_t>(sector));
                         if (sector % 2 == 0) unit::store_le(out, 8, std::uint64_t{1} << 32);
                       });
        const auto [most, outcome] = memory_of(source);
        CHECK(outcome.status == VMDK_ERR_CORRUPT || outcome.status == VMDK_ERR_UNSUPPORTED);
        CHECK(most < 8 * source.at() + kMiB);
      }
}

// -- Images of others

class FileSource final : public vmdk::ByteSource {
 public:
  explicit FileSource(const std::string& path) : in_(path, std::ios::binary) {}
  std::size_t read(MutableBytes out) override {
    in_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    return static_cast<std::size_t>(in_.gcount());
  }
  const std::string& name() const override { return name_; }

 private:
  std::ifstream in_;
  std::string name_ = "pipe";
};

// Reads a file in order and compares it with the opened one, grain by grain.
void compare_file(const std::string& path) {
  vmdk_disk* disk = nullptr;
  if (!CHECK_EQ(vmdk_open(path.c_str(), nullptr, &disk), VMDK_OK)) return;
  FileSource source(path);
  std::uint64_t stored = 0, came = 0;
  const unit::Outcome outcome = unit::outcome_of([&] {
    StreamReader reader(source, kLimits);
    const std::uint64_t size = reader.capacity_sectors() * kSector;
    vmdk::Inflater inflater;
    vmdk::Buffer packed(reader.max_packed());
    while (const auto record = reader.next(packed.first(packed.size()))) {
      const std::uint64_t from = record->grain * reader.grain_bytes();
      Content plain(static_cast<std::size_t>(std::min(reader.grain_bytes(), size - from)));
      Content opened(plain.size());
      reader.inflate(*record, packed.first(record->size), inflater, plain);
      CHECK_EQ(vmdk_read_at(disk, opened.data(), opened.size(), from), VMDK_OK);
      CHECK(plain == opened);
      came += plain.size();
    }
    vmdk_run run{};
    run.struct_size = sizeof run;
    for (std::uint64_t at = 0; at < size; at += run.size) {
      if (!CHECK_EQ(vmdk_map_at(disk, at, size - at, &run), VMDK_OK)) break;
      if (run.kind == VMDK_RUN_DATA) stored += run.size;
    }
  });
  CHECK_EQ(outcome.message, "");
  CHECK_EQ(came, stored);
  vmdk_close(disk);
}

void test_corpus() {
  const char* const corpus = std::getenv("VMDK_CORPUS");
  std::ifstream index(std::string(corpus == nullptr ? "" : corpus) + "/index.tsv");
  if (corpus == nullptr || !index) {
    print_message("skipped: there is no corpus (VMDK_CORPUS)\n");
    return;
  }
  std::size_t count = 0;
  for (std::string line; std::getline(index, line);) {
    const std::string path = line.substr(0, line.find('\t'));
    if (line.find("\tstreamOptimized ") == std::string::npos) continue;
    const unit::Row row(path);
    if (line.find("\tdamaged") != std::string::npos) {
      FileSource source(std::string(corpus) + "/" + path);
      CHECK_EQ(read_stream(source).outcome.status, VMDK_ERR_CORRUPT);
      continue;
    }
    compare_file(std::string(corpus) + "/" + path);
    ++count;
  }
  CHECK(count > 0);
}

void test_qemu_img() {
  if (std::system("qemu-img --version >/dev/null 2>&1") != 0) {
    print_message("skipped: there is no qemu-img\n");
    return;
  }
  const unit::Tree tree;
  for (const std::uint64_t size :
       {std::uint64_t{65536}, std::uint64_t{1000000 / 512 * 512}, std::uint64_t{70} << 20}) {
    const unit::Row row(num(size));
    {
      std::ofstream raw(tree.at("a.img"), std::ios::binary);
      for (std::uint64_t at = 0; at < size; at += size / 11 + 1) {
        const Content data = grain_data(at, 20000);
        raw.seekp(static_cast<std::streamoff>(at));
        raw.write(reinterpret_cast<const char*>(data.data()),
                  static_cast<std::streamsize>(std::min<std::uint64_t>(data.size(), size - at)));
      }
    }
    CHECK_EQ(::truncate(tree.at("a.img").c_str(), static_cast<off_t>(size)), 0);
    for (const char* const how : {"", "-W -m 4"}) {
      tree.remove("a.vmdk");
      const std::string command = "cd '" + tree.root() + "' && qemu-img convert " + how +
                                  " -O vmdk -o subformat=streamOptimized a.img a.vmdk";
      if (CHECK_EQ(std::system(command.c_str()), 0)) compare_file(tree.at("a.vmdk"));
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_shapes),       UNIT_TEST(test_behind_the_end), UNIT_TEST(test_truncated),
      UNIT_TEST(test_damage),       UNIT_TEST(test_other_files),    UNIT_TEST(test_descriptors),
      UNIT_TEST(test_source_fails), UNIT_TEST(test_corrupted),      UNIT_TEST(test_memory),
      UNIT_TEST(test_corpus),       UNIT_TEST(test_qemu_img),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
