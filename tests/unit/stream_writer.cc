// SPDX-License-Identifier: MIT
// ops/stream_writer: every byte of the layout, and that the library reads what it writes.
#include "ops/stream_writer.h"

#include <vmdk/vmdk.h>

#include <algorithm>
#include <functional>
#include <map>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::StreamWriter;
using Data = std::vector<std::byte>;
using Records = std::vector<StreamWriter::Record>;

constexpr std::uint64_t kSector = 512, kGrainSectors = 128;

class Sink final : public vmdk::ByteSink {
 public:
  void write(vmdk::Bytes in) override {
    if (sizes.size() == failing) throw vmdk::Error(VMDK_ERR_IO, "the pipe is broken");
    sizes.push_back(in.size());
    total += in.size();
    if (keeping) bytes.insert(bytes.end(), in.begin(), in.end());
  }

  Data bytes;
  std::vector<std::size_t> sizes;  // of each call
  std::uint64_t total = 0;
  bool keeping = true;
  std::size_t failing = SIZE_MAX;
};

// Sectors of a file that is expected, from the front.
class Expected final {
 public:
  vmdk::MutableBytes add(std::uint64_t sectors) {
    const std::size_t at = bytes.size();
    bytes.resize(at + sectors * kSector);
    return vmdk::MutableBytes(bytes).subspan(at);
  }
  std::uint32_t sector() const { return static_cast<std::uint32_t>(bytes.size() / kSector); }
  void marker(std::uint64_t value, std::uint32_t type) {
    const vmdk::MutableBytes out = add(1);
    unit::store_le(out, 0, value);
    unit::store_le(out, 12, type);
  }
  void header(std::uint64_t capacity, std::uint64_t area, std::uint64_t overhead,
              std::uint64_t directory) {
    const vmdk::MutableBytes out = add(1);
    std::memcpy(out.data(), "KDMV", 4);
    unit::store_le(out, 4, std::uint32_t{3});
    unit::store_le(out, 8, std::uint32_t{0x30001});
    unit::store_le(out, 12, capacity);
    unit::store_le(out, 20, kGrainSectors);
    unit::store_le(out, 28, std::uint64_t{1});
    unit::store_le(out, 36, area);
    unit::store_le(out, 44, std::uint32_t{512});
    unit::store_le(out, 56, directory);
    unit::store_le(out, 64, overhead);
    std::memcpy(out.data() + 73, "\n \r\n", 4);
    unit::store_le(out, 77, std::uint16_t{1});
  }

  Data bytes;
};

// A disk of four tables: grains in the first two and the last. The records are anything.
void test_layout() {
  const std::uint64_t capacity = 3 * 512 * kGrainSectors + 5;
  const Data records(5 * kSector, std::byte{0xa5});
  const std::string text = "# Disk DescriptorFile\n";
  Sink sink;
  StreamWriter writer(sink, "s.vmdk", capacity, kGrainSectors, text);
  writer.write(Records{{0, 512}, {511, 1024}, {600, 512}}, vmdk::Bytes(records).first(2048));
  writer.write({}, {});
  writer.write(Records{{1536, 512}}, vmdk::Bytes(records).first(512));
  writer.finish();

  Expected wanted;
  wanted.header(capacity, 20, 128, UINT64_MAX);
  std::memcpy(wanted.add(127).data(), text.data(), text.size());
  std::uint32_t tables[4] = {};
  const auto add_records = [&](std::uint64_t sectors) {
    const vmdk::MutableBytes out = wanted.add(sectors);
    std::fill(out.begin(), out.end(), std::byte{0xa5});
  };
  const auto add_table = [&](std::size_t table, std::map<std::size_t, std::uint32_t> entries) {
    wanted.marker(4, 1);
    tables[table] = wanted.sector();
    const vmdk::MutableBytes out = wanted.add(4);
    for (const auto& [entry, sector] : entries) unit::store_le(out, entry * 4, sector);
  };
  add_records(3);
  add_table(0, {{0, 128}, {511, 129}});
  add_records(1);
  add_table(1, {{600 - 512, 136}});
  add_records(1);
  add_table(3, {{0, 142}});
  wanted.marker(1, 2);
  const std::uint64_t directory = wanted.sector();
  const vmdk::MutableBytes entries = wanted.add(1);
  for (std::size_t i = 0; i < 4; ++i) unit::store_le(entries, i * 4, tables[i]);
  wanted.marker(1, 3);
  wanted.header(capacity, 20, 128, directory);
  wanted.add(1);

  CHECK_EQ(sink.bytes.size(), wanted.bytes.size());
  for (std::size_t i = 0; i < std::min(sink.bytes.size(), wanted.bytes.size()); ++i)
    if (!CHECK_EQ(std::to_integer<int>(sink.bytes[i]), std::to_integer<int>(wanted.bytes[i])))
      return CHECK_EQ(i, SIZE_MAX), void();
  CHECK_EQ(sink.total, vmdk::stream_overhead(capacity, kGrainSectors, 3, text.size()) + 5 * 512);
  // In one go: the head, what belongs to each table, each table, all that follows.
  CHECK_EQ(sink.sizes, (std::vector<std::size_t>{65536, 1536, 2560, 512, 2560, 512, 2560, 2560}));
}

void test_record() {
  unit::Random random(1);
  vmdk::Inflater inflater;
  for (const std::size_t size : {4096u, 65536u, 1u << 20}) {
    for (const bool noise : {false, true}) {
      const unit::Row row(unit::show(size) + (noise ? ", noise" : ", not noise"));
      const Data plain = noise ? unit::random_bytes(random, size) : Data(size, std::byte{0x11});
      vmdk::Deflater deflater(6);
      const std::size_t bound = vmdk::record_bound(size);
      CHECK_EQ(bound % kSector, 0);
      Data out(bound, std::byte{0xa5}), again(bound, std::byte{0x5a}), back(size);
      const std::size_t used = vmdk::encode_record(1280, plain, deflater, out);
      if (!CHECK(used % kSector == 0 && used <= bound)) continue;
      CHECK_EQ(vmdk::load_le<std::uint64_t>(out, 0), 1280);
      const std::size_t packed = vmdk::load_le<std::uint32_t>(out, 8);
      if (!CHECK(packed > 0 && 12 + packed <= used && used < 12 + packed + kSector)) continue;
      CHECK_EQ(inflater.inflate(vmdk::Bytes(out).subspan(12, packed), back), size);
      CHECK(back == plain);
      const vmdk::Bytes padding = vmdk::Bytes(out).first(used).subspan(12 + packed);
      CHECK(std::all_of(padding.begin(), padding.end(),
                        [](std::byte b) { return b == std::byte{0}; }));
      // A sector for the marker and the frame, and no more, where nothing can be saved.
      if (noise) CHECK_EQ(used, size + kSector);
      CHECK_EQ(vmdk::encode_record(1280, plain, deflater, again), used);
      CHECK(
          std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(used), again.begin()));
    }
  }
}

// One file in memory for the library to open.
struct OneFile {
  static int open(void* user, const char* name, std::uint32_t flags, void** out_file) {
    if (flags != 0 || std::string_view(name) != "s.vmdk") return ENOENT;
    *out_file = user;
    return 0;
  }
  static void close(void*, void*) {}
  static int read_at(void*, void* file, std::uint64_t offset, void* buffer, std::size_t size) {
    const Data& bytes = *static_cast<Data*>(file);
    if (offset > bytes.size() || size > bytes.size() - offset) return EIO;
    std::memcpy(buffer, bytes.data() + offset, size);
    return 0;
  }
  static int get_size(void*, void* file, std::uint64_t* out_size) {
    *out_size = static_cast<Data*>(file)->size();
    return 0;
  }
};

std::string descriptor(std::uint64_t capacity) {
  return "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
         "createType=\"streamOptimized\"\n\n# Extent description\nRDONLY " +
         std::to_string(capacity) + " SPARSE \"s.vmdk\"\n\n# The Disk Data Base\n#DDB\n\n";
}

// What the library reads of a stream; nothing if it does not open or read it.
Data read_back(Data& stream, std::uint64_t capacity) {
  vmdk_io io{};
  io.struct_size = sizeof io;
  io.user = &stream;
  io.open = OneFile::open;
  io.close = OneFile::close;
  io.read_at = OneFile::read_at;
  io.get_size = OneFile::get_size;
  vmdk_open_options options{};
  options.struct_size = sizeof options;
  options.io = &io;
  vmdk_disk* disk = nullptr;
  Data content(capacity * kSector);
  if (!CHECK_EQ(vmdk_open("s.vmdk", &options, &disk), VMDK_OK)) {
    CHECK_EQ(std::string(vmdk_last_error()->message), "");
    return {};
  }
  if (!CHECK_EQ(vmdk_read_at(disk, content.data(), content.size(), 0), VMDK_OK)) {
    CHECK_EQ(std::string(vmdk_last_error()->message), "");
    content.clear();
  }
  vmdk_close(disk);
  return content;
}

void test_read_back() {
  unit::Random random(2);
  for (int i = 0; i < 40; ++i) {
    const std::uint64_t grain_sectors = std::uint64_t{1} << random.between(3, 7);
    const std::uint64_t capacity = random.between(1, 1200 * grain_sectors);
    const unit::Row row(unit::show(capacity) + " sectors, grains of " + unit::show(grain_sectors));
    const std::uint64_t grains = (capacity + grain_sectors - 1) / grain_sectors;
    const std::uint64_t rare = random.between(1, 700);
    Data disk(grains * grain_sectors * kSector);  // the last grain whole
    std::vector<bool> tables((grains + 511) / 512);
    const std::string text = descriptor(capacity) + std::string(random.below(30000), '#');

    Sink sink;
    StreamWriter writer(sink, "s.vmdk", capacity, grain_sectors, text);
    vmdk::Deflater deflater(static_cast<int>(random.below(7)));
    Records records;
    Data bytes;
    std::uint64_t stored = 0;
    for (std::uint64_t grain = 0; grain < grains; ++grain) {
      if (random.one_in(rare)) {
        const auto at = static_cast<std::size_t>(grain * grain_sectors * kSector);
        const auto room =
            static_cast<std::size_t>(std::min(capacity * kSector - at, grain_sectors * kSector));
        const Data plain = unit::random_bytes(random, random.one_in(2) ? room : 7);
        std::copy(plain.begin(), plain.end(), disk.begin() + static_cast<std::ptrdiff_t>(at));
        Data record(vmdk::record_bound(static_cast<std::size_t>(grain_sectors * kSector)));
        record.resize(vmdk::encode_record(
            grain * grain_sectors,
            vmdk::Bytes(disk).subspan(at, static_cast<std::size_t>(grain_sectors * kSector)),
            deflater, record));
        records.push_back({grain, record.size()});
        bytes.insert(bytes.end(), record.begin(), record.end());
        stored += record.size();
        tables[static_cast<std::size_t>(grain / 512)] = true;
      }
      if (records.size() == 5 || grain + 1 == grains) {
        writer.write(records, bytes);
        records.clear();
        bytes.clear();
      }
    }
    writer.finish();
    CHECK_EQ(sink.total - stored, vmdk::stream_overhead(capacity, grain_sectors,
                                                        static_cast<std::uint64_t>(std::count(
                                                            tables.begin(), tables.end(), true)),
                                                        text.size()));
    disk.resize(static_cast<std::size_t>(capacity * kSector));
    CHECK(read_back(sink.bytes, capacity) == disk);
  }
}

void test_misuse() {
  const Data bytes(4096);
  const struct {
    const char* name;
    Records records;
    std::size_t size;
  } wrong[] = {
      {"the same again", {{7, 512}}, 512},
      {"one before", {{3, 512}}, 512},
      {"descending", {{20, 512}, {19, 512}}, 1024},
      {"beyond the disk", {{1000, 512}}, 512},
      {"not whole sectors", {{8, 500}}, 500},
      {"nothing", {{8, 0}}, 0},
      {"too few bytes", {{8, 1024}}, 512},
      {"too many bytes", {{8, 512}}, 1024},
      {"bytes of nothing", {}, 512},
  };
  for (const auto& w : wrong) {
    const unit::Row row(w.name);
    Sink sink;
    StreamWriter writer(sink, "s.vmdk", 1000 * kGrainSectors - 1, kGrainSectors, "");
    writer.write(Records{{7, 512}}, vmdk::Bytes(bytes).first(512));
    const auto outcome =
        unit::outcome_of([&] { writer.write(w.records, vmdk::Bytes(bytes).first(w.size)); });
    CHECK_EQ(outcome.status, VMDK_ERR_INTERNAL);
    CHECK_HAS(outcome.message, "s.vmdk: ");
  }
  Sink sink;
  StreamWriter writer(sink, "s.vmdk", 1000 * kGrainSectors, kGrainSectors, "");
  writer.finish();
  const auto outcome = unit::outcome_of([&] {
    writer.write(Records{{7, 512}}, vmdk::Bytes(bytes).first(512));
  });
  CHECK_EQ(outcome.status, VMDK_ERR_INTERNAL);
}

// Entries have 32 bits: a record may begin in the last sector that they reach, none behind it.
void test_limits() {
  const auto limit_of = [](std::uint64_t capacity, const std::string& text) {
    Sink sink;
    const auto outcome =
        unit::outcome_of([&] { StreamWriter(sink, "s.vmdk", capacity, kGrainSectors, text); });
    if (outcome.status != VMDK_OK) CHECK_EQ(sink.total, 0);
    return outcome.status;
  };
  const std::uint64_t most = (std::uint64_t{1} << 32) * kGrainSectors;
  CHECK_EQ(limit_of(most, ""), VMDK_OK);
  CHECK_EQ(limit_of(most + 1, ""), VMDK_ERR_LIMIT);
  CHECK_EQ(limit_of(UINT64_MAX, ""), VMDK_ERR_LIMIT);
  CHECK_EQ(limit_of(1, std::string(10 << 20, '#')), VMDK_ERR_LIMIT);
  CHECK_EQ(limit_of(1, std::string((10 << 20) - 2048, '#')), VMDK_OK);

  Sink sink;
  sink.keeping = false;
  StreamWriter writer(sink, "s.vmdk", most, kGrainSectors, "");
  const Data record(16 << 20);
  const auto left = [&] { return (std::uint64_t{1} << 32) - sink.total / kSector; };
  std::uint64_t grain = 0;
  for (; left() * kSector > 2 * record.size(); ++grain)
    writer.write(Records{{grain, record.size()}}, record);
  grain += 1024 - grain % 512;  // another table, which holds the next grains, too
  writer.write(Records{{grain++, 512}}, vmdk::Bytes(record).first(512));
  const Data rest(static_cast<std::size_t>((left() - 1) * kSector));
  writer.write(Records{{grain++, rest.size()}}, rest);
  CHECK_EQ(sink.total / kSector, UINT32_MAX);
  const std::size_t calls = sink.sizes.size();
  writer.write(Records{{grain++, 512}}, vmdk::Bytes(record).first(512));
  CHECK_EQ(sink.sizes.size(), calls + 1);
  for (const auto& step : {std::function<void()>([&] {
                             writer.write(Records{{grain, 512}}, vmdk::Bytes(record).first(512));
                           }),
                           std::function<void()>([&] { writer.finish(); })}) {
    const auto outcome = unit::outcome_of(step);
    CHECK_EQ(outcome.status, VMDK_ERR_LIMIT);
    CHECK_HAS(outcome.message, "s.vmdk: ");
    CHECK_EQ(sink.sizes.size(), calls + 1);
  }
}

// What the sink throws comes out, whichever call it is.
void test_failing_sink() {
  const Data bytes(1024);
  for (std::size_t failing = 0; failing < 6; ++failing) {
    const unit::Row row(unit::show(failing));
    Sink sink;
    sink.failing = failing;
    const auto outcome = unit::outcome_of([&] {
      StreamWriter writer(sink, "s.vmdk", 1000 * kGrainSectors, kGrainSectors, "");
      writer.write(Records{{7, 512}, {700, 512}}, bytes);
      writer.finish();
    });
    CHECK_EQ(outcome.status, VMDK_ERR_IO);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_layout), UNIT_TEST(test_record), UNIT_TEST(test_read_back),
      UNIT_TEST(test_misuse), UNIT_TEST(test_limits), UNIT_TEST(test_failing_sink),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
