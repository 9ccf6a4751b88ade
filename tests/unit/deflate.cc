// SPDX-License-Identifier: MIT
// util/deflate: whatever a compressed grain may hold, whole and damaged.
#include "util/deflate.h"

#include <zlib.h>

#include <algorithm>

#include "../support/unit_check.h"
#include "../support/unit_files.h"

namespace {

using Data = std::vector<std::byte>;

constexpr std::size_t kGrain = 65536;

Data compress(const Data& plain, int level, int window_bits, int strategy = Z_DEFAULT_STRATEGY) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, strategy) != Z_OK) return {};
  Data out(deflateBound(&z, static_cast<uLong>(plain.size())) + 64);
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&z, Z_FINISH);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return result == Z_STREAM_END ? out : Data();
}

struct Sample {
  const char* name;
  Data plain;
};

std::vector<Sample> samples() {
  unit::Random random(3);
  std::vector<Sample> all;
  all.push_back({"zeros", Data(kGrain)});
  all.push_back({"noise", unit::random_bytes(random, kGrain)});
  Data text(kGrain);
  for (std::size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<std::byte>("the quick brown fox "[(i + i / 97) % 20]);
  all.push_back({"text", std::move(text)});
  Data mixed(kGrain);
  for (std::size_t i = 0; i < kGrain / 2; ++i) mixed[i] = static_cast<std::byte>(random.next() & 3);
  all.push_back({"mixed", std::move(mixed)});
  all.push_back({"one byte", unit::random_bytes(random, 1)});
  all.push_back({"a sector", unit::random_bytes(random, 512)});
  all.push_back({"a grain and a byte", unit::random_bytes(random, kGrain + 1)});
  all.push_back({"nothing", {}});
  return all;
}

std::optional<Data> inflate(vmdk::Inflater& inflater, vmdk::Bytes packed, std::size_t room) {
  Data out(room + 1, std::byte{0xa5});
  const auto filled = inflater.inflate(packed, vmdk::MutableBytes(out).first(room));
  if (out[room] != std::byte{0xa5}) CHECK_EQ(room, SIZE_MAX);
  if (!filled || *filled > room) return std::nullopt;
  out.resize(*filled);
  return out;
}

void test_round_trip() {
  vmdk::Inflater inflater;  // the same one for all: nothing of one grain is left for the next
  for (const Sample& sample : samples()) {
    for (const int level : {0, 1, 3, 6, 9}) {
      for (const int window_bits : {15, 9, -15, -9}) {
        for (const int strategy : {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY}) {
          const unit::Row row(std::string(sample.name) + ", level " + unit::show(level) +
                              ", window " + unit::show(window_bits) + ", strategy " +
                              unit::show(strategy));
          Data packed = compress(sample.plain, level, window_bits, strategy);
          if (!CHECK(!packed.empty())) continue;
          CHECK_EQ(vmdk::has_zlib_header(packed), window_bits > 0);
          CHECK(inflate(inflater, packed, sample.plain.size()) == sample.plain);
          CHECK(inflate(inflater, packed, sample.plain.size() + 1000) == sample.plain);
          if (!sample.plain.empty()) CHECK(!inflate(inflater, packed, sample.plain.size() - 1));
          packed.insert(packed.end(), 700, std::byte{0x5a});
          CHECK(inflate(inflater, packed, sample.plain.size()) == sample.plain);
        }
      }
    }
  }
}

// A cut-off stream is an error wherever it is cut, even in the checksum.
void test_truncated() {
  vmdk::Inflater inflater;
  for (const Sample& sample : samples()) {
    for (const int window_bits : {15, -15}) {
      const Data packed = compress(sample.plain, 6, window_bits);
      const std::size_t step = std::max<std::size_t>(packed.size() / 50, 1);
      for (std::size_t cut = 1; cut <= packed.size(); cut += cut < 16 ? 1 : step) {
        const unit::Row row(std::string(sample.name) + ", window " + unit::show(window_bits) +
                            ", without " + unit::show(cut) + " bytes");
        const vmdk::Bytes some = vmdk::Bytes(packed).first(packed.size() - cut);
        CHECK(!inflate(inflater, some, sample.plain.size()));
      }
    }
  }
}

// Only a zlib stream has a checksum, of four bytes at its end.
void test_wrong_checksum() {
  vmdk::Inflater inflater;
  for (const Sample& sample : samples()) {
    const Data packed = compress(sample.plain, 6, 15);
    for (std::size_t at = 1; at <= 4; ++at) {
      const unit::Row row(std::string(sample.name) + ", byte " + unit::show(at));
      Data wrong = packed;
      wrong[wrong.size() - at] ^= std::byte{1};
      CHECK(!inflate(inflater, wrong, sample.plain.size()));
    }
    CHECK(inflate(inflater, packed, sample.plain.size()) == sample.plain);
  }
}

// What comes out of a damaged zlib stream fits its checksum: the plain bytes where the bit did not
// matter, or, rarely, others that Adler-32 cannot tell from them.
void test_flipped_bits() {
  vmdk::Inflater inflater;
  unit::Random random(4);
  Data plain(4096);
  for (std::byte& byte : plain) byte = static_cast<std::byte>(random.next() & 0x0f);
  const Data packed = compress(plain, 9, 15);
  const uLong wanted =
      adler32(1, reinterpret_cast<const Bytef*>(plain.data()), static_cast<uInt>(plain.size()));
  std::size_t refused = 0;
  for (std::size_t bit = 16; bit < packed.size() * 8; bit += 5) {
    Data wrong = packed;
    wrong[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    const auto got = inflate(inflater, wrong, plain.size());
    if (!got) {
      ++refused;
      continue;
    }
    const uLong sum =
        adler32(1, reinterpret_cast<const Bytef*>(got->data()), static_cast<uInt>(got->size()));
    if (sum != wanted) CHECK_EQ(bit, 0u);
  }
  CHECK(refused > packed.size());  // of the 8/5 of it that were tried
  CHECK(inflate(inflater, packed, plain.size()) == plain);
}

void test_zlib_header() {
  const struct {
    unsigned first, second;
    bool header;
  } cases[] = {
      {0x78, 0x01, true},  {0x78, 0x5e, true},  {0x78, 0x9c, true},
      {0x78, 0xda, true},  {0x18, 0x19, true},  {0x08, 0x1d, true},
      {0x48, 0x89, true},  {0x78, 0x9d, false},  // not a multiple of 31
      {0x88, 0x1c, false},                       // a window of more than 32 KiB
      {0x79, 0x20, false},                       // not deflate
      {0x77, 0x85, false}, {0x00, 0x00, false}, {0xff, 0xff, false},
      {0xed, 0xc1, false}, {0x1f, 0x8b, false},  // gzip
  };
  for (const auto& c : cases) {
    const std::array bytes{static_cast<std::byte>(c.first), static_cast<std::byte>(c.second)};
    const unit::Row row(unit::show(c.first) + " " + unit::show(c.second));
    CHECK_EQ(vmdk::has_zlib_header(bytes), c.header);
    CHECK(!vmdk::has_zlib_header(vmdk::Bytes(bytes).first(1)));
  }
  CHECK(!vmdk::has_zlib_header({}));
}

void test_nonsense() {
  vmdk::Inflater inflater;
  CHECK(!inflate(inflater, {}, kGrain));
  const Data stored_wrong = {std::byte{0x01}, std::byte{0x01}, std::byte{0x00}, std::byte{0x00},
                             std::byte{0x00}, std::byte{0x00}};  // length and its complement differ
  CHECK(!inflate(inflater, stored_wrong, kGrain));
  CHECK(!inflate(inflater, Data(1, std::byte{0x07}), kGrain));  // a block of the reserved kind
  CHECK(!inflate(inflater, Data(100, std::byte{0xff}), kGrain));
  // A distance that goes back beyond the beginning.
  const Data too_far = {std::byte{0x63}, std::byte{0x02}, std::byte{0x04}, std::byte{0x40}};
  (void)inflate(inflater, too_far, kGrain);
  unit::Random random(5);
  for (int i = 0; i < 20000; ++i) {
    Data noise = unit::random_bytes(random, random.between(1, 80));
    if (random.one_in(2)) {
      noise[0] = std::byte{0x78};
      if (noise.size() > 1) noise[1] = std::byte{0x9c};
      // Without its checksum nothing gets through.
      if (inflate(inflater, noise, 4096)) CHECK_EQ(i, -1);
    } else {
      (void)inflate(inflater, noise, 4096);
    }
  }
  // It still works.
  const Data plain(kGrain, std::byte{9});
  CHECK(inflate(inflater, compress(plain, 6, 15), kGrain) == plain);
}

// A few bytes that become a great many stop where the room ends.
void test_bomb() {
  vmdk::Inflater inflater;
  const Data packed = compress(Data(16 << 20), 9, 15);
  CHECK(packed.size() < 32768);
  CHECK(!inflate(inflater, packed, kGrain));
  CHECK(!inflate(inflater, packed, (16 << 20) - 1));
  CHECK(inflate(inflater, packed, 16 << 20).has_value());
}

// The shortest zlib stream of stored blocks, two bytes, then 5 for each 65535, then the checksum.
std::size_t stored_size(std::size_t size) {
  return 6 + std::max<std::size_t>(1, (size + 65534) / 65535) * 5 + size;
}

std::vector<Sample> deflate_samples() {
  unit::Random random(6);
  std::vector<Sample> all = samples();
  for (const std::size_t size : {511u, 4095u, 4096u, 65535u, 1u << 20})
    all.push_back({"noise", unit::random_bytes(random, size)});
  all.push_back({"1 MiB of zeros", Data(1 << 20)});
  Data end = unit::random_bytes(random, 1 << 20);
  std::fill(end.end() - 40000, end.end(), std::byte{7});
  all.push_back({"noise that ends", std::move(end)});
  return all;
}

// What comes out is a zlib stream to this library and to zlib, and the same each time.
void test_deflate() {
  vmdk::Inflater inflater;
  const std::vector<Sample> all = deflate_samples();
  for (int level = 0; level <= vmdk::Deflater::kMaxLevel; ++level) {
    vmdk::Deflater deflater(level);
    for (const Sample& sample : all) {
      const unit::Row row(std::string(sample.name) + ", " + unit::show(sample.plain.size()) +
                          " bytes, level " + unit::show(level));
      const std::size_t bound = vmdk::Deflater::bound(sample.plain.size());
      Data packed(bound + 1, std::byte{0xa5});
      const std::size_t size =
          deflater.deflate(sample.plain, vmdk::MutableBytes(packed).first(bound));
      CHECK(packed[bound] == std::byte{0xa5});
      if (!CHECK(size <= stored_size(sample.plain.size()))) continue;
      packed.resize(size);
      if (level == 0) CHECK_EQ(size, stored_size(sample.plain.size()));
      CHECK(vmdk::has_zlib_header(packed));
      CHECK(inflate(inflater, packed, sample.plain.size()) == sample.plain);

      Data by_zlib(sample.plain.size() + 1);
      auto filled = static_cast<uLongf>(by_zlib.size());
      CHECK_EQ(uncompress(reinterpret_cast<Bytef*>(by_zlib.data()), &filled,
                          reinterpret_cast<const Bytef*>(packed.data()),
                          static_cast<uLong>(packed.size())),
               Z_OK);
      by_zlib.resize(filled);
      CHECK(by_zlib == sample.plain);

      vmdk::Deflater another(level);
      Data again(bound);
      again.resize(another.deflate(sample.plain, again));
      CHECK(again == packed);
    }
  }
}

// It does compress, and stores what cannot be.
void test_deflated_size() {
  unit::Random random(7);
  Data text(kGrain);
  for (std::byte& byte : text) byte = static_cast<std::byte>('a' + random.below(16));
  const Data noise = unit::random_bytes(random, kGrain);
  Data out(vmdk::Deflater::bound(kGrain));
  for (int level = 1; level <= vmdk::Deflater::kMaxLevel; ++level) {
    const unit::Row row("level " + unit::show(level));
    vmdk::Deflater deflater(level);
    CHECK(deflater.deflate(text, out) < kGrain * 6 / 10);
    CHECK_EQ(deflater.deflate(noise, out), stored_size(kGrain));
    CHECK(deflater.deflate(Data(kGrain), out) < 400);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      UNIT_TEST(test_round_trip),   UNIT_TEST(test_truncated),   UNIT_TEST(test_wrong_checksum),
      UNIT_TEST(test_flipped_bits), UNIT_TEST(test_zlib_header), UNIT_TEST(test_nonsense),
      UNIT_TEST(test_bomb),         UNIT_TEST(test_deflate),     UNIT_TEST(test_deflated_size),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
