// SPDX-License-Identifier: MIT
// disk/chain_memo and the walk through a chain: random reads of random chains against a model that
// knows every byte.
#include "disk/chain_memo.h"

#include <atomic>
#include <thread>

#include "../support/unit_check.h"
#include "../support/unit_files.h"
#include "disk/disk.h"

namespace {

using vmdk::Bytes;
using vmdk::ChainMemo;
using vmdk::Disk;
using vmdk::Extent;
using vmdk::Link;
using vmdk::Run;
using vmdk::RunKind;

// An extent whose grains are stored, zero or absent as a table says. It counts how often it is
// asked.
class ModelExtent final : public Extent {
 public:
  ModelExtent(std::uint64_t grain_bytes, std::uint64_t size, std::vector<RunKind> grains,
              std::uint64_t seed)
      : grain_bytes_(grain_bytes), size_(size), grains_(std::move(grains)), file_(seed, size) {}

  vmdk_extent_kind kind() const noexcept override {
    return grain_bytes_ == 0 ? VMDK_EXTENT_FLAT : VMDK_EXTENT_SPARSE;
  }
  std::uint64_t size() const noexcept override { return size_; }
  std::uint64_t grain_bytes() const noexcept override { return grain_bytes_; }
  const vmdk::File* file() const noexcept override { return &file_; }

  Run map(std::uint64_t offset, std::uint64_t size) const override {
    asked_.fetch_add(1, std::memory_order_relaxed);
    if (size == 0 || offset >= size_ || size > size_ - offset)
      throw vmdk::Error(VMDK_ERR_INTERNAL, "map() beyond the extent");
    Run run{kind_at(offset), false, offset, 0, offset};
    std::uint64_t end = offset;
    while (end < offset + size && kind_at(end) == run.kind)
      end = grain_bytes_ == 0 ? size_ : (end / grain_bytes_ + 1) * grain_bytes_;
    run.size = std::min(end, offset + size) - offset;
    return run;
  }

  RunKind kind_at(std::uint64_t offset) const {
    return grain_bytes_ == 0 ? RunKind::data : grains_[offset / grain_bytes_];
  }
  int asked() const { return asked_.load(std::memory_order_relaxed); }

 private:
  std::uint64_t grain_bytes_, size_;
  std::vector<RunKind> grains_;
  unit::PatternFile file_;
  mutable std::atomic<int> asked_{0};
};

std::unique_ptr<ModelExtent> make_extent(unit::Random& random, std::uint64_t grain_bytes,
                                         std::uint64_t size) {
  std::vector<RunKind> grains;
  // Long absent stretches, so that reads go deep.
  const std::uint64_t absent = random.between(2, 12);
  for (std::uint64_t g = 0; grain_bytes != 0 && g * grain_bytes < size; ++g) {
    const std::uint64_t dice = random.below(absent);
    grains.push_back(dice == 0                       ? RunKind::data
                     : dice == 1 && random.one_in(3) ? RunKind::zero
                                                     : RunKind::absent);
  }
  return std::make_unique<ModelExtent>(grain_bytes, size, std::move(grains), random.next());
}

// The disk byte by byte: what the links in order say.
std::vector<std::byte> model_of(const std::vector<Link>& links) {
  std::vector<std::byte> bytes(links[0].capacity);
  constexpr std::uint64_t kStep = 512;
  for (std::uint64_t at = 0; at < bytes.size(); at += kStep) {
    for (const Link& link : links) {
      if (at >= link.capacity) continue;
      std::size_t s = link.slots.size() - 1;
      while (link.slots[s].begin > at || link.slots[s].extent->size() == 0) --s;
      const auto& extent = static_cast<const ModelExtent&>(*link.slots[s].extent);
      const std::uint64_t within = at - link.slots[s].begin;
      const RunKind kind = extent.kind_at(within);
      if (kind == RunKind::absent) continue;
      if (kind == RunKind::data)
        extent.file()->read_at(within, vmdk::MutableBytes(bytes).subspan(at, kStep));
      break;
    }
  }
  return bytes;
}

Link make_link(unit::Random& random, const std::vector<std::uint64_t>& sizes,
               std::uint64_t grain_bytes) {
  Link link;
  link.files.push_back(std::make_unique<unit::MemoryFile>(std::vector<std::byte>(), "link.vmdk"));
  for (const std::uint64_t size : sizes) {
    link.slots.push_back(
        {link.capacity, VMDK_ACCESS_READ_WRITE, make_extent(random, grain_bytes, size)});
    link.capacity += size;
  }
  return link;
}

struct Shape {
  const char* what;
  std::vector<std::vector<std::uint64_t>> sizes;  // of the extents of each link, in KiB
  std::vector<std::uint64_t> grains;              // of each link, in bytes; 0 = flat
  std::uint64_t cell;                             // wanted; 0 = the chain is not fit
};

std::vector<Shape> shapes() {
  return {
      {"one link", {{2048}}, {65536}, 0},
      {"two equal", {{2048}, {2048}}, {65536, 65536}, 65536},
      {"five equal",
       {{2048}, {2048}, {2048}, {2048}, {2048}},
       {65536, 65536, 65536, 65536, 65536},
       65536},
      {"twenty", std::vector<std::vector<std::uint64_t>>(20, {1024}),
       std::vector<std::uint64_t>(20, 65536), 65536},
      {"small grains below", {{2048}, {2048}, {2048}}, {65536, 4096, 16384}, 4096},
      {"large grains below", {{2048}, {2048}, {2048}}, {4096, 1048576, 65536}, 4096},
      {"all large", {{2048}, {2048}}, {1048576, 262144}, 65536},
      {"too small grains", {{512}, {512}}, {2048, 65536}, 0},
      {"sectors", {{256}, {256}}, {512, 512}, 0},
      {"a flat base", {{2048}, {2048}, {2048}}, {65536, 65536, 0}, 65536},
      {"smaller parents", {{2048}, {1000}, {500}}, {65536, 65536, 65536}, 65536},
      {"a parent that ends within a cell", {{2048}, {1001}, {1003}}, {65536, 65536, 65536}, 65536},
      {"parents that end within a small cell",
       {{2048}, {1001}, {1003}, {5}},
       {65536, 4096, 65536, 4096},
       4096},
      {"larger parents", {{500}, {1000}, {2048}}, {65536, 65536, 65536}, 65536},
      {"an odd end", {{1021}, {1021}}, {65536, 65536}, 65536},
      {"split alike", {{512, 512, 512}, {512, 512, 512}}, {65536, 65536}, 65536},
      {"split in other ways", {{512, 1024}, {64, 128, 1344}}, {65536, 65536}, 65536},
      {"split within a cell", {{512, 512}, {500, 524}}, {65536, 65536}, 0},
      {"empty extents", {{512, 0, 0, 512}, {0, 1024, 0}}, {65536, 65536}, 65536},
      {"smallest", {{4}, {4}}, {4096, 4096}, 4096},
  };
}

std::vector<Link> make_chain(unit::Random& random, const Shape& shape) {
  std::vector<Link> links;
  for (std::size_t i = 0; i < shape.sizes.size(); ++i) {
    std::vector<std::uint64_t> sizes = shape.sizes[i];
    for (std::uint64_t& size : sizes) size *= 1024;
    links.push_back(make_link(random, sizes, shape.grains[i]));
  }
  return links;
}

bool read_holds(const Disk& disk, const std::vector<std::byte>& model, std::uint64_t offset,
                std::size_t size) {
  std::vector<std::byte> out(size, std::byte{0x5a});
  disk.read(offset, out);
  return size == 0 || std::memcmp(out.data(), model.data() + offset, size) == 0;
}

// A run of the map says the same as the model.
bool map_holds(const Disk& disk, const std::vector<std::byte>& model, std::uint64_t offset,
               std::uint64_t size) {
  const vmdk::DiskRun found = disk.map(offset, size);
  if (found.run.size == 0 || found.run.size > size) return false;
  const Bytes wanted = Bytes(model).subspan(offset, static_cast<std::size_t>(found.run.size));
  if (found.run.kind != RunKind::data)
    return std::all_of(wanted.begin(), wanted.end(), [](std::byte b) { return b == std::byte{0}; });
  std::vector<std::byte> bytes(wanted.size());
  const Extent& extent = *disk.links()[found.link].slots[found.extent].extent;
  extent.read(found.run, found.run.offset, bytes);
  return std::memcmp(bytes.data(), wanted.data(), wanted.size()) == 0;
}

void test_cells() {
  unit::Random random(16);
  for (const Shape& shape : shapes()) {
    const unit::Row row(shape.what);
    CHECK_EQ(ChainMemo(make_chain(random, shape)).cell_bytes(), shape.cell);
  }
}

void test_memo() {
  unit::Random random(17);
  ChainMemo memo(make_chain(random, shapes()[1]));
  constexpr std::uint64_t kCell = 65536;
  CHECK_EQ(memo.absent_links(0), 0u);
  memo.learn(100, 1);
  CHECK_EQ(memo.absent_links(0), 1u);
  CHECK_EQ(memo.absent_links(kCell - 1), 1u);
  CHECK_EQ(memo.absent_links(kCell), 0u);
  memo.learn(5 * kCell, 1024);
  CHECK_EQ(memo.absent_links(5 * kCell + 7), 1024u);
  CHECK_EQ(memo.absent_links(0), 1u);
  memo.learn(5 * kCell, 2);
  CHECK_EQ(memo.absent_links(5 * kCell), 2u);
  // Cells that share a place are told apart, up to the end of the largest disk.
  constexpr std::uint64_t kLast = (std::uint64_t{1} << 63) - 1;
  for (const std::uint64_t far : {32768 * kCell, 65536 * kCell, kLast}) {
    memo.learn(far, 3);
    CHECK_EQ(memo.absent_links(far), 3u);
  }
  CHECK_EQ(memo.absent_links(0), 0u);
  CHECK_EQ(memo.absent_links(32768 * kCell), 0u);
}

void test_model() {
  unit::Random random(18);
  for (const Shape& shape : shapes()) {
    for (int round = 0; round < 2; ++round) {
      const unit::Row row(std::string(shape.what) + ", " + unit::show(round));
      std::vector<Link> links = make_chain(random, shape);
      const std::vector<std::byte> model = model_of(links);
      const Disk disk({}, std::move(links), false, {1 << 20, 1024});
      CHECK_EQ(disk.capacity(), model.size());
      CHECK(read_holds(disk, model, 0, model.size()));
      std::uint64_t near = 0;
      for (int i = 0; i < 1000; ++i) {
        const std::uint64_t most = random.one_in(50) ? 300000 : random.one_in(2) ? 4096 : 70000;
        // Again and again in the same few cells, so that what was learnt is used.
        if (random.one_in(4)) near = random.below(model.size());
        const std::uint64_t offset =
            std::min<std::uint64_t>(near + random.below(100000), model.size());
        const std::size_t size =
            random.below(std::min<std::uint64_t>(most, model.size() - offset) + 1);
        if (!read_holds(disk, model, offset, size))
          CHECK_EQ("read of " + std::to_string(size), "right at " + std::to_string(offset));
        if (size != 0 && !map_holds(disk, model, offset, size))
          CHECK_EQ("map of " + std::to_string(size), "right at " + std::to_string(offset));
      }
    }
  }
}

// Every sector in turn, forwards and backwards: both ends of each cell.
void test_sectors() {
  unit::Random random(19);
  for (const Shape& shape : shapes()) {
    const unit::Row row(shape.what);
    std::vector<Link> links = make_chain(random, shape);
    const std::vector<std::byte> model = model_of(links);
    const Disk disk({}, std::move(links), false, {1 << 20, 1024});
    int wrong = 0;
    for (std::uint64_t at = model.size(); at > 0; at -= 512)
      wrong += read_holds(disk, model, at - 512, 512) ? 0 : 1;
    for (std::uint64_t at = 0; at < model.size(); at += 512)
      wrong += read_holds(disk, model, at, 512) ? 0 : 1;
    CHECK_EQ(wrong, 0);
  }
}

// A parent that ends within a cell: what was learnt behind its end says nothing of what is before
// it.
void test_end_within_cell() {
  constexpr std::uint64_t kCell = 65536, kEnd = 3 * kCell + 1024;
  for (const RunKind below : {RunKind::data, RunKind::zero, RunKind::absent}) {
    unit::Random random(23);
    std::vector<Link> links;
    links.push_back(make_link(random, {4 * kCell}, kCell));
    links.push_back(make_link(random, {kEnd}, kCell));
    links.push_back(make_link(random, {4 * kCell}, kCell));
    const RunKind kinds[] = {RunKind::absent, RunKind::data, below};
    for (std::size_t i = 0; i < 3; ++i) {
      const std::uint64_t size = links[i].capacity;
      const std::vector<RunKind> grains(4, kinds[i]);
      links[i].slots[0].extent = std::make_unique<ModelExtent>(kCell, size, grains, i);
    }
    const std::vector<std::byte> model = model_of(links);
    const Disk disk({}, std::move(links), false, {1 << 20, 1024});
    for (int round = 0; round < 2; ++round)
      for (std::uint64_t at = 4 * kCell; at > 3 * kCell; at -= 512)
        CHECK(read_holds(disk, model, at - 512, 512));
  }
}

// What it is for: the second read of a cell asks one link, or none.
void test_asks_once() {
  unit::Random random(20);
  std::vector<Link> links;
  for (int i = 0; i < 10; ++i) links.push_back(make_link(random, {1 << 20}, 65536));
  std::vector<const ModelExtent*> extents;
  std::vector<RunKind> absent(16, RunKind::absent), stored(16, RunKind::data);
  for (std::size_t i = 0; i < links.size(); ++i) {
    auto extent = std::make_unique<ModelExtent>(65536, 1 << 20, i == 9 ? stored : absent, i);
    extents.push_back(extent.get());
    links[i].slots[0].extent = std::move(extent);
  }
  const Disk disk({}, std::move(links), false, {1 << 20, 1024});
  std::array<std::byte, 512> bytes;
  const auto asked = [&] {
    int sum = 0;
    for (const ModelExtent* extent : extents) sum += extent->asked();
    return sum;
  };
  disk.read(65536, bytes);
  const int first = asked();
  CHECK_EQ(first, 10);
  for (std::uint64_t at = 65536; at < 131072; at += 512) disk.read(at, bytes);
  CHECK_EQ(asked() - first, 128);
}

void test_threads() {
  unit::Random random(21);
  const Shape shape = shapes()[11];
  std::vector<Link> links = make_chain(random, shape);
  const std::vector<std::byte> model = model_of(links);
  const Disk disk({}, std::move(links), false, {1 << 20, 1024});
  std::atomic<int> wrong{0};
  const auto reader = [&](std::uint64_t seed) {
    unit::Random own(seed);
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t offset = own.below(model.size());
      const std::size_t size = own.below(std::min<std::uint64_t>(9000, model.size() - offset) + 1);
      if (!read_holds(disk, model, offset, size)) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) threads.emplace_back(reader, t + 50);
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
}

void test_range() {
  unit::Random random(22);
  std::vector<Link> links = make_chain(random, shapes()[1]);
  const Disk disk({}, std::move(links), false, {1 << 20, 1024});
  std::array<std::byte, 16> bytes;
  const std::uint64_t end = disk.capacity();
  for (const std::uint64_t offset : {end - 15, end, end + 1, UINT64_MAX - 8, UINT64_MAX}) {
    const auto result = unit::outcome_of([&] { disk.read(offset, bytes); });
    CHECK_EQ(result.status, VMDK_ERR_OUT_OF_RANGE);
    CHECK_EQ(unit::outcome_of([&] { disk.map(offset, 16); }).status, VMDK_ERR_OUT_OF_RANGE);
  }
  CHECK_EQ(unit::outcome_of([&] { disk.read(end - 16, bytes); }).status, VMDK_OK);
  CHECK_EQ(unit::outcome_of([&] { disk.read(end, {}); }).status, VMDK_OK);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_cells),           UNIT_TEST(test_memo),
      UNIT_TEST(test_model),           UNIT_TEST(test_sectors),
      UNIT_TEST(test_end_within_cell), UNIT_TEST(test_asks_once),
      UNIT_TEST(test_threads),         UNIT_TEST(test_range),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
