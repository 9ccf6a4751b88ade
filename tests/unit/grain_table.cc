// SPDX-License-Identifier: MIT
// extent/grain_table: runs of grains, what is refused, and reading through the redundant copy in
// each case of damage.
#include "extent/grain_table.h"

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using vmdk::GrainLayout;
using vmdk::GrainRun;
using vmdk::GrainTable;
using vmdk::RunKind;

// An extent in memory: three tables of 128 entries, grains of 8 sectors, the last table half used
// and the last grain cut off. The tables begin at multiples of 4 KiB so that each is read by
// itself.
struct Image {
  static constexpr std::uint64_t kTables = 3, kEntries = 128, kGrain = 8;
  static constexpr std::uint64_t kGrains = 2 * kEntries + 64, kCapacity = kGrains * kGrain - 3;
  static constexpr std::uint32_t kRgd = 8, kGd = 16, kRgt = 24, kGt = 64, kFirst = 128;

  Image() : file(std::vector<std::byte>((kFirst + kGrains * kGrain) * 512)) {
    layout.capacity_sectors = kCapacity;
    layout.grain_sectors = kGrain;
    layout.gtes_per_gt = kEntries;
    layout.gd_sector = kGd;
    layout.gd_entries = kTables;
    layout.rgd_sector = kRgd;
    layout.first_grain_sector = kFirst;
    layout.header = {0, 1};
    layout.descriptor = {1, 4};
    for (std::uint32_t t = 0; t < kTables; ++t) {
      gde(t, kGt + t * 8);
      rgde(t, kRgt + t * 8);
    }
  }

  void put(std::uint64_t sector, std::uint64_t index, std::uint32_t value) {
    unit::store_le(vmdk::MutableBytes(file.data()), sector * 512 + index * 4, value);
  }
  void gde(std::uint64_t t, std::uint32_t value) { put(kGd, t, value); }
  void rgde(std::uint64_t t, std::uint32_t value) { put(kRgd, t, value); }
  void gte(std::uint64_t g, std::uint32_t value) {
    put(kGt + g / kEntries * 8, g % kEntries, value);
  }
  void rgte(std::uint64_t g, std::uint32_t value) {
    put(kRgt + g / kEntries * 8, g % kEntries, value);
  }
  void both(std::uint64_t g, std::uint32_t value) {
    gte(g, value);
    rgte(g, value);
  }
  static std::uint32_t place(std::uint64_t n) {
    return static_cast<std::uint32_t>(kFirst + n * kGrain);
  }

  mutable unit::MemoryFile file;  // tables take one that can be written
  GrainLayout layout;
};

struct Reader {
  explicit Reader(const Image& image, bool recover = false) : Reader(image, image.file, recover) {}
  Reader(const Image& image, vmdk::File& file, bool recover)
      : table(file, image.layout, {cache, messages.reporter(), recover, 64 << 20}) {}

  unit::Messages messages;
  vmdk::TableCache cache{0};
  GrainTable table;
};

// At most `most` grains, and none beyond the end, which nobody asks for.
void check_run(const GrainTable& table, std::uint64_t grain, std::uint64_t most, RunKind kind,
               std::uint64_t grains, std::uint64_t sector = 0) {
  const unit::Row row("run(" + unit::show(grain) + ", " + unit::show(most) + ")");
  GrainRun run{RunKind::absent, 0, 0};
  CHECK_EQ(unit::outcome_of([&] {
             run = table.run(grain, std::min(most, Image::kGrains - grain));
           }).message,
           "");
  CHECK_EQ(run.kind, kind);
  CHECK_EQ(run.grains, grains);
  if (kind == RunKind::data) CHECK_EQ(run.sector, sector);
}

void test_runs() {
  Image image;
  const auto place = &Image::place;
  for (std::uint64_t g = 0; g < 10; ++g) image.both(g, place(g));        // adjacent
  for (std::uint64_t g = 10; g < 14; ++g) image.both(g, place(40 - g));  // backwards
  for (std::uint64_t g = 14; g < 20; ++g) image.both(g, 1);
  image.both(21, place(21));
  for (std::uint64_t g = 120; g < 136; ++g) image.both(g, place(g));  // across two tables
  for (std::uint64_t g = 300; g < Image::kGrains; ++g) image.both(g, place(g));
  const Reader reader(image);
  const GrainTable& t = reader.table;
  check_run(t, 0, 320, RunKind::data, 10, place(0));
  check_run(t, 0, 4, RunKind::data, 4, place(0));
  check_run(t, 3, 320, RunKind::data, 7, place(3));
  check_run(t, 9, 320, RunKind::data, 1, place(9));
  check_run(t, 10, 320, RunKind::data, 1, place(30));
  check_run(t, 11, 320, RunKind::data, 1, place(29));
  check_run(t, 14, 320, RunKind::zero, 6);
  check_run(t, 14, 2, RunKind::zero, 2);
  check_run(t, 20, 320, RunKind::absent, 1);
  check_run(t, 22, 320, RunKind::absent, 98);
  check_run(t, 120, 320, RunKind::data, 8, place(120));  // to the end of its table
  check_run(t, 128, 320, RunKind::data, 8, place(128));
  check_run(t, 300, 320, RunKind::data, 20, place(300));
  check_run(t, 319, 1, RunKind::data, 1, place(319));
  CHECK_EQ(t.recovered(), 0u);
  CHECK(reader.messages.warnings().empty());

  std::array<std::uint32_t, 16> sectors{};
  t.sectors(120, sectors);
  for (std::uint32_t i = 0; i < 16; ++i) CHECK_EQ(sectors[i], place(120 + i));
  const std::pair<std::uint64_t, std::uint32_t> peeks[] = {
      {0, place(0)}, {9, place(9)},     {10, place(30)}, {14, 0},
      {20, 0},       {319, place(319)}, {320, 0},        {UINT64_MAX / 2, 0},
  };
  for (const auto& [grain, sector] : peeks) CHECK_EQ(t.peek(grain), sector);
  CHECK_EQ(t.peek_next(121), place(121));
  CHECK_EQ(t.peek_next(128), 0u);  // in another table
  CHECK_EQ(t.peek_next(320), 0u);
}

// Compressed grains lie where they may; a run of them is not adjacent.
void test_compressed() {
  Image image;
  image.layout.grains_whole = false;
  image.layout.rgd_sector.reset();
  const std::uint32_t last = static_cast<std::uint32_t>(image.file.size() / 512 - 1);
  const std::uint32_t sectors[] = {200, 130, 131, 500, last};
  for (std::uint32_t g = 0; g < 5; ++g) image.gte(g, sectors[g]);
  const Reader reader(image);
  check_run(reader.table, 0, 320, RunKind::data, 5, 200);
  std::array<std::uint32_t, 5> got{};
  reader.table.sectors(0, got);
  for (std::size_t i = 0; i < 5; ++i) CHECK_EQ(got[i], sectors[i]);
}

void test_whole_tables() {
  struct Case {
    std::array<std::uint32_t, 3> primary, redundant;
    std::uint64_t grain, most;
    RunKind kind;
    std::uint64_t grains;
  };
  constexpr std::uint32_t kA = Image::kGt, kB = Image::kGt + 8, kC = Image::kGt + 16;
  const Case cases[] = {
      {{0, 0, 0}, {0, 0, 0}, 0, 320, RunKind::absent, 320},
      {{0, 0, 0}, {0, 0, 0}, 5, 320, RunKind::absent, 315},
      {{0, 0, 0}, {0, 0, 0}, 5, 7, RunKind::absent, 7},
      {{1, 1, 1}, {1, 1, 1}, 0, 320, RunKind::zero, 320},
      {{1, 1, 0}, {0, 0, 0}, 0, 320, RunKind::zero, 256},
      {{0, 1, 0}, {0, 0, 0}, 127, 320, RunKind::absent, 1},
      {{0, 1, 0}, {0, 0, 0}, 128, 320, RunKind::zero, 128},
      {{0, kB, 0}, {0, 0, 0}, 0, 320, RunKind::absent, 128},
      {{0, kB, kC}, {0, 0, 0}, 100, 320, RunKind::absent, 28},
      {{kA, 0, 0}, {0, 0, 0}, 128, 320, RunKind::absent, 192},
      {{0, 0, kC}, {0, 0, 0}, 0, 320, RunKind::absent, 256},
      {{kA, kB, kC}, {0, 0, 0}, 0, 320, RunKind::absent, 128},
      // A copy that is not sane says nothing.
      {{0, 0, 0}, {1, 0, 0}, 0, 1, RunKind::absent, 1},
      {{0, 0, 0}, {0xffffffff, 2, 0}, 0, 1, RunKind::absent, 1},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const Case& c = cases[i];
    const unit::Row row("case " + unit::show(i));
    Image image;
    for (std::uint64_t t = 0; t < 3; ++t) {
      image.gde(t, c.primary[t]);
      image.rgde(t, c.redundant[t]);
    }
    const Reader reader(image);
    check_run(reader.table, c.grain, c.most, c.kind, c.grains);
  }
}

struct Damage {
  const char* what;
  std::uint64_t grain;
  std::uint32_t entry;
  bool damaged;
};

void test_entries() {
  constexpr std::uint32_t kEnd = Image::kFirst + Image::kGrains * Image::kGrain;  // of the file
  const Damage entries[] = {
      {"header", 5, 2, true},
      {"descriptor", 5, 4, true},
      {"redundant directory", 5, Image::kRgd, true},
      {"directory", 5, Image::kGd, true},
      {"redundant table", 5, Image::kRgt, true},
      {"own table", 5, Image::kGt, true},
      {"before the first grain", 5, Image::kFirst - 1, true},
      {"first grain", 5, Image::kFirst, false},
      {"not aligned", 5, Image::kFirst + 3, false},
      {"last place", 5, kEnd - Image::kGrain, false},
      {"over the end", 5, kEnd - Image::kGrain + 1, true},
      {"last sector", 5, kEnd - 1, true},
      {"end", 5, kEnd, true},
      {"2^31", 5, 0x80000000, true},
      {"all ones", 5, 0xffffffff, true},
      // The last grain ends where the disk ends.
      {"cut-off grain, last place", 319, kEnd - Image::kGrain + 3, false},
      {"cut-off grain, over the end", 319, kEnd - Image::kGrain + 4, true},
  };
  for (const Damage& d : entries) {
    for (const bool recover : {false, true}) {
      for (const bool copy_good : {false, true}) {
        const unit::Row row(std::string(d.what) + (recover ? ", recovering" : "") +
                            (copy_good ? ", good copy" : ""));
        Image image;
        image.gte(d.grain, d.entry);
        image.rgte(d.grain, copy_good ? Image::place(7) : d.entry);
        const Reader reader(image, recover);
        GrainRun run{RunKind::absent, 0, 0};
        const auto result = unit::outcome_of([&] { run = reader.table.run(d.grain, 1); });
        std::array<std::uint32_t, 1> sector{};
        const auto filled = unit::outcome_of([&] { reader.table.sectors(d.grain, sector); });
        CHECK_EQ(filled.status, result.status);
        CHECK_EQ(reader.table.peek(d.grain), d.damaged ? 0u : d.entry);
        if (!d.damaged) {
          CHECK_EQ(result.message, "");
          CHECK_EQ(run.sector, d.entry);
          CHECK_EQ(sector[0], d.entry);
          CHECK_EQ(reader.table.recovered(), 0u);
        } else if (recover && copy_good) {
          CHECK_EQ(result.message, "");
          CHECK_EQ(run.kind, RunKind::data);
          CHECK_EQ(run.sector, Image::place(7));
          CHECK_EQ(sector[0], Image::place(7));
          CHECK_EQ(reader.table.recovered(), 1u);  // of the same entry once
          if (CHECK_EQ(reader.messages.warnings().size(), 1u)) {
            CHECK_HAS(reader.messages.warnings()[0], "grain " + std::to_string(d.grain));
            CHECK_HAS(reader.messages.warnings()[0], std::to_string(d.entry));
          }
        } else {
          CHECK_EQ(result.status, VMDK_ERR_CORRUPT);
          CHECK_HAS(result.message, "grain " + std::to_string(d.grain));
          CHECK_HAS(result.message, std::to_string(d.entry));
          CHECK_EQ(result.hint.empty(), recover || !copy_good);
          CHECK_EQ(reader.table.recovered(), 0u);
        }
      }
    }
  }
}

// Tables may stand among the grains; a grain that lies on one of them is damage, whichever it is.
void test_inner_tables() {
  constexpr std::uint32_t kTable1 = Image::kGt + 8;
  const std::pair<std::uint32_t, bool> entries[] = {
      {kTable1 - 9, true},                        // on table 0
      {kTable1 - 7, true},                        // ends on table 1, which is one sector long
      {kTable1, true},      {kTable1 + 1, true},  // ends on table 2
      {kTable1 + 9, false}, {Image::kGt - 8, false}, {Image::kGt - 7, true},
  };
  for (const auto& [entry, damaged] : entries) {
    for (const std::uint64_t grain : {std::uint64_t{5}, std::uint64_t{130}, std::uint64_t{300}}) {
      const unit::Row row("grain " + unit::show(grain) + " at " + unit::show(entry));
      Image image;
      image.layout.first_grain_sector = 40;
      image.both(grain, entry);
      const Reader reader(image);
      CHECK_EQ(unit::outcome_of([&] { reader.table.run(grain, 1); }).status,
               damaged ? VMDK_ERR_CORRUPT : VMDK_OK);
    }
  }
}

// A damaged entry ends a run before it and is an error only to whom it is asked for.
void test_run_before_damage() {
  Image image;
  for (std::uint64_t g = 0; g < 8; ++g) image.both(g, Image::place(g));
  image.gte(4, 0xffffffff);
  {
    const Reader reader(image);
    check_run(reader.table, 0, 320, RunKind::data, 4, Image::place(0));
    CHECK_EQ(unit::outcome_of([&] { reader.table.run(4, 316); }).status, VMDK_ERR_CORRUPT);
    check_run(reader.table, 5, 320, RunKind::data, 3, Image::place(5));
  }
  const Reader reader(image, true);
  check_run(reader.table, 0, 320, RunKind::data, 4, Image::place(0));
  check_run(reader.table, 4, 1, RunKind::data, 1, Image::place(4));
  CHECK_EQ(reader.table.recovered(), 1u);
}

// A copy may say that the grain is absent or zero; it is taken at its word.
void test_copy_without_data() {
  for (const std::uint32_t copy : {0u, 1u}) {
    Image image;
    image.gte(9, 0xffffffff);
    image.rgte(9, copy);
    const Reader reader(image, true);
    check_run(reader.table, 9, 1, copy == 0 ? RunKind::absent : RunKind::zero, 1);
    CHECK_EQ(reader.table.recovered(), 1u);
  }
}

void test_directory_entries() {
  constexpr std::uint32_t kEnd = Image::kFirst + Image::kGrains * Image::kGrain;
  const struct {
    const char* what;
    std::uint32_t entry;
    bool damaged;
  } entries[] = {
      {"header", 2, true},
      {"descriptor", 4, true},
      {"directory", Image::kGd, true},
      {"redundant directory", Image::kRgd, true},
      {"anywhere in the file", 40, false},
      {"last sector", kEnd - 1, false},
      {"end", kEnd, true},
      {"all ones", 0xffffffff, true},
      {"missing, but not in the copy", 0, true},
  };
  for (const auto& e : entries) {
    for (const bool recover : {false, true}) {
      for (const bool copy_good : {false, true}) {
        if (e.entry == 0 && !copy_good) continue;  // then it is absent
        const unit::Row row(std::string(e.what) + (recover ? ", recovering" : "") +
                            (copy_good ? ", good copy" : ""));
        Image image;
        image.gde(1, e.entry);
        if (!copy_good) image.rgde(1, e.entry);
        image.rgte(130, Image::place(3));
        const Reader reader(image, recover);
        GrainRun run{RunKind::absent, 0, 0};
        const auto result = unit::outcome_of([&] { run = reader.table.run(130, 1); });
        check_run(reader.table, 0, 1, RunKind::absent, 1);  // other tables do not mind
        if (!e.damaged) {
          CHECK_EQ(result.message, "");
          CHECK_EQ(run.kind, RunKind::absent);
        } else if (recover && copy_good) {
          CHECK_EQ(result.message, "");
          CHECK_EQ(run.sector, Image::place(3));
          CHECK_EQ(unit::outcome_of([&] { reader.table.run(131, 1); }).message, "");
          CHECK_EQ(reader.table.recovered(), 1u);
          CHECK_EQ(reader.messages.warnings().size(), 1u);
        } else {
          CHECK_EQ(result.status, VMDK_ERR_CORRUPT);
          CHECK_HAS(result.message, "grain table 1");
          CHECK_EQ(result.hint.empty(), recover);
          CHECK_EQ(reader.table.peek(130), 0u);
        }
      }
    }
  }
}

void test_directory_outside() {
  constexpr std::uint64_t kEnd = Image::kFirst + Image::kGrains * Image::kGrain;
  for (const std::uint64_t sector :
       {std::uint64_t{0}, kEnd, kEnd + 1, std::uint64_t{1} << 55, (std::uint64_t{1} << 55) + 16,
        UINT64_MAX, UINT64_MAX / 512 + 16}) {
    const unit::Row row(unit::show(sector));
    Image image;
    image.layout.gd_sector = sector;
    for (std::uint64_t g = 0; g < 4; ++g) image.rgte(g, Image::place(g));
    const auto refused = unit::outcome_of([&] { const Reader reader(image); });
    CHECK_EQ(refused.status, VMDK_ERR_CORRUPT);
    CHECK_HAS(refused.message, "grain directory");
    CHECK(!refused.hint.empty());
    {
      const Reader reader(image, true);
      check_run(reader.table, 0, 320, RunKind::data, 4, Image::place(0));
      check_run(reader.table, 4, 320, RunKind::absent, 124);
      CHECK(reader.table.recovered() >= 1);
      CHECK(!reader.messages.warnings().empty());
    }
    image.layout.rgd_sector = sector == 0 ? kEnd : sector;
    CHECK_EQ(unit::outcome_of([&] { const Reader reader(image, true); }).status, VMDK_ERR_CORRUPT);
    // A copy that lies outside is not used, and said so.
    image.layout.gd_sector = Image::kGd;
    const Reader reader(image);
    CHECK_EQ(reader.messages.warnings().size(), 1u);
    check_run(reader.table, 0, 320, RunKind::absent, 128);
  }
}

// A sector of a table that cannot be read is damage like any other: its copy is read.
void test_unreadable_table() {
  Image image;
  for (std::uint64_t g = 0; g < 320; ++g) image.both(g, Image::place(g));
  unit::ThrowingFile file(image.file);
  file.fail((Image::kGt + 8) * 512, 512);
  {
    const Reader reader(image, file, false);
    const auto result = unit::outcome_of([&] { reader.table.run(128, 1); });
    CHECK_EQ(result.status, VMDK_ERR_IO);
    CHECK_EQ(result.os_error, EIO);
    CHECK(!result.hint.empty());
    check_run(reader.table, 0, 320, RunKind::data, 128, Image::place(0));
  }
  {
    const Reader reader(image, file, true);
    check_run(reader.table, 128, 320, RunKind::data, 128, Image::place(128));
    std::array<std::uint32_t, 130> sectors{};
    reader.table.sectors(127, sectors);
    for (std::uint32_t i = 0; i < 130; ++i) CHECK_EQ(sectors[i], Image::place(127 + i));
    CHECK_EQ(reader.table.recovered(), 1u);
    CHECK_EQ(reader.messages.warnings().size(), 1u);
  }
  file.fail((Image::kRgt + 8) * 512, 512);
  {
    const Reader reader(image, file, true);
    CHECK_EQ(unit::outcome_of([&] { reader.table.run(128, 1); }).status, VMDK_ERR_IO);
    check_run(reader.table, 256, 320, RunKind::data, 64, Image::place(256));
  }
  image.layout.rgd_sector.reset();
  const Reader reader(image, file, true);
  const auto result = unit::outcome_of([&] { reader.table.run(128, 1); });
  CHECK_EQ(result.status, VMDK_ERR_IO);
  CHECK(result.hint.empty());
}

// So is a directory that cannot be read.
void test_unreadable_directory() {
  Image image;
  for (std::uint64_t g = 0; g < 320; ++g) image.both(g, Image::place(g));
  unit::ThrowingFile file(image.file);
  file.fail(Image::kGd * 512, 512);
  {
    const Reader reader(image, file, false);
    CHECK_EQ(unit::outcome_of([&] { reader.table.run(0, 1); }).status, VMDK_ERR_IO);
  }
  const Reader reader(image, file, true);
  check_run(reader.table, 0, 320, RunKind::data, 128, Image::place(0));
  CHECK(reader.table.recovered() >= 1);
}

// Random entries: what is data lies inside the file, behind the metadata; runs are as the entries
// say.
void test_random() {
  unit::Random random(14);
  for (int round = 0; round < 200; ++round) {
    Image image;
    std::vector<std::uint32_t> entries(Image::kGrains);
    for (std::uint64_t g = 0; g < Image::kGrains; ++g) {
      const std::uint64_t dice = random.below(12);
      entries[g] = dice < 2    ? 0
                   : dice < 4  ? 1
                   : dice < 9  ? Image::place(g)
                   : dice < 11 ? Image::place(random.below(Image::kGrains))
                               : static_cast<std::uint32_t>(random.next());
      image.both(g, entries[g]);
    }
    const Reader reader(image, random.one_in(2));
    std::uint64_t g = 0;
    while (g < Image::kGrains) {
      const std::uint64_t most = random.between(1, Image::kGrains - g);
      GrainRun run{RunKind::absent, 0, 0};
      const auto result = unit::outcome_of([&] { run = reader.table.run(g, most); });
      const bool sane =
          entries[g] <= 1 || (entries[g] >= Image::kFirst &&
                              (entries[g] + 8) * std::uint64_t{512} <= image.file.size());
      CHECK_EQ(result.status == VMDK_OK, sane);
      if (!sane) {
        ++g;
        continue;
      }
      const RunKind kind = entries[g] == 0   ? RunKind::absent
                           : entries[g] == 1 ? RunKind::zero
                                             : RunKind::data;
      CHECK_EQ(run.kind, kind);
      if (!CHECK(run.grains >= 1 && run.grains <= most)) break;
      for (std::uint64_t i = 0; i < run.grains; ++i) {
        const std::uint64_t wanted = kind == RunKind::data ? run.sector + i * 8 : entries[g];
        if (entries[g + i] != wanted) CHECK_EQ(entries[g + i], wanted);
      }
      g += run.grains;
    }
  }
}

// -- check_all()

// A sound image: 40 grains in the first table, some in the others, not in order.
void fill_soundly(Image& image) {
  for (std::uint64_t g = 0; g < 40; ++g) image.both(g, Image::place(39 - g));
  for (std::uint64_t g = 130; g < 140; ++g) image.both(g, Image::place(g));
  image.both(141, 1);
  image.both(319, Image::place(319));
}

// Each kind of damage is refused, and nothing is noted down to be written.
void test_check_damage() {
  const struct {
    const char* what;
    void (*damage)(Image&);
    const char* message;  // null: it is sound
    vmdk_status status = VMDK_ERR_CORRUPT;
  } cases[] = {
      {"nothing", [](Image&) {}, nullptr},
      {"a table beyond the end", [](Image& i) { i.gde(1, 1 << 20); }, "grain table 1 at sector"},
      {"a table in the directory", [](Image& i) { i.gde(1, Image::kGd); }, "grain table 1"},
      {"a table in the header", [](Image& i) { i.gde(1, 0x00000002); }, "grain table 1"},
      {"a copy beyond the end", [](Image& i) { i.rgde(2, 1 << 20); },
       "the redundant copy of grain table 2"},
      {"two tables at one place", [](Image& i) { i.gde(1, Image::kGt); }, "overlap"},
      {"a copy on another table", [](Image& i) { i.rgde(1, Image::kGt + 16); }, "overlap"},
      {"a table of zeros", [](Image& i) { i.gde(1, 1); }, "of zeros as a whole",
       VMDK_ERR_READ_ONLY},
      {"a copy of zeros", [](Image& i) { i.rgde(1, 1); }, "of zeros as a whole",
       VMDK_ERR_READ_ONLY},
      {"a table that is missing", [](Image& i) { i.gde(1, 0); }, "is missing"},
      {"both missing",
       [](Image& i) {
         i.gde(1, 0);
         i.rgde(1, 0);
       },
       nullptr},
      {"directories that are one", [](Image& i) { i.rgde(1, Image::kGt + 8); }, nullptr},
      {"a grain beyond the end", [](Image& i) { i.gte(5, 1 << 24); }, "grain 5 is said"},
      {"a grain at the end", [](Image& i) { i.gte(5, Image::kFirst + 320 * 8); }, "grain 5"},
      {"a grain that ends behind the end", [](Image& i) { i.gte(5, Image::kFirst + 320 * 8 - 7); },
       "grain 5"},
      {"a grain in the header", [](Image& i) { i.gte(5, 2); }, "grain 5"},
      {"a grain in a table", [](Image& i) { i.gte(5, Image::kGt); }, "grain 5"},
      {"a grain before all grains", [](Image& i) { i.gte(5, Image::kFirst - 1); }, "grain 5"},
      {"the same place twice", [](Image& i) { i.gte(135, Image::place(3)); }, "shares space"},
      {"a sector shared, before", [](Image& i) { i.gte(135, Image::place(200) - 7 - 8 * 161); },
       "shares space"},
      {"not aligned, but apart", [](Image& i) { i.gte(135, Image::place(200) + 3); }, nullptr},
      {"not aligned, and shared",
       [](Image& i) {
         i.gte(135, Image::place(200) + 3);
         i.gte(136, Image::place(201) + 2);
       },
       "shares space"},
      {"not aligned, side by side",
       [](Image& i) {
         i.gte(135, Image::place(200) + 3);
         i.gte(136, Image::place(201) + 3);
       },
       nullptr},
      {"shared with the last, short one", [](Image& i) { i.gte(135, Image::place(319) - 3); },
       "shares space"},
  };
  for (const auto& c : cases) {
    const unit::Row row(c.what);
    Image image;
    fill_soundly(image);
    c.damage(image);
    Reader reader(image);
    const std::vector<std::byte> before = image.file.data();
    const auto result = unit::outcome_of([&] { reader.table.check_all(false); });
    CHECK_EQ(result.status, c.message != nullptr ? c.status : VMDK_OK);
    if (c.message != nullptr) {
      CHECK_HAS(result.message, c.message);
      CHECK_HAS(result.message, "memory.vmdk: ");
      CHECK(!result.hint.empty());
    }
    CHECK(reader.table.changes().empty());
    CHECK(image.file.data() == before);
  }
}

void test_check_lost_directory() {
  Image image;
  image.layout.rgd_sector = 1 << 20;
  Reader reader(image);
  CHECK_EQ(unit::outcome_of([&] { reader.table.check_all(false); }).status, VMDK_ERR_CORRUPT);
}

// After a crash copies that differ are made as the primary tables; else they are left alone.
void test_check_torn() {
  for (const bool unclean : {false, true}) {
    const unit::Row row(unclean ? "unclean" : "clean");
    Image image;
    fill_soundly(image);
    image.rgte(7, 0);
    image.rgte(300, Image::place(300));
    Reader reader(image);
    reader.table.check_all(unclean);
    CHECK_EQ(reader.table.changes().empty(), !unclean);
    CHECK_EQ(reader.messages.warnings().size(), unclean ? 1u : 0u);
    if (!unclean) continue;
    // The whole sectors of both tables go to the file and its copy.
    CHECK_EQ(reader.cache.changes(), 2u);
    std::byte entry[4];
    reader.table.changes().read_at(Image::kGt * 512 + 7 * 4, entry);
    CHECK_EQ(vmdk::load_le<std::uint32_t>(vmdk::Bytes(entry), 0), Image::place(32));
  }
}

// Tables without a copy are found, and get one.
void test_check_uncopied() {
  Image image;
  fill_soundly(image);
  image.rgde(1, 0);
  Reader reader(image);
  reader.table.check_all(false);
  CHECK_EQ(reader.table.uncopied(), std::vector<std::uint64_t>({1}));
  CHECK(reader.table.changes().empty());
  reader.table.copy_table(1, 100);
  CHECK(reader.table.changes().has_last());
  check_run(reader.table, 130, 10, RunKind::data, 10, Image::place(130));
  std::byte entry[4];
  reader.table.changes().read_at(Image::kRgd * 512 + 4, entry);
  CHECK_EQ(vmdk::load_le<std::uint32_t>(vmdk::Bytes(entry), 0), 100u);
  Image sound;
  fill_soundly(sound);
  Reader other(sound);
  other.table.check_all(false);
  CHECK(other.table.uncopied().empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_runs),
      UNIT_TEST(test_compressed),
      UNIT_TEST(test_whole_tables),
      UNIT_TEST(test_entries),
      UNIT_TEST(test_run_before_damage),
      UNIT_TEST(test_copy_without_data),
      UNIT_TEST(test_directory_entries),
      UNIT_TEST(test_directory_outside),
      UNIT_TEST(test_unreadable_table),
      UNIT_TEST(test_unreadable_directory),
      UNIT_TEST(test_inner_tables),
      UNIT_TEST(test_random),
      UNIT_TEST(test_check_damage),
      UNIT_TEST(test_check_lost_directory),
      UNIT_TEST(test_check_torn),
      UNIT_TEST(test_check_uncopied),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
