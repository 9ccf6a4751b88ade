// SPDX-License-Identifier: MIT
#include "util/deflate.h"

#include <algorithm>
#include <new>

#ifdef VMDK_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>

#include <limits>
#endif

#include "util/checked.h"
#include "util/shrink_probe.h"

namespace vmdk {

namespace {

// Of a zlib stream: two bytes in front, the checksum behind. Of a block of stored bytes: its kind,
// its length twice.
constexpr std::size_t kFrame = 6, kBlockHeader = 5, kMaxBlock = 65535;

std::size_t stored_size(std::size_t size) noexcept {
  const std::size_t blocks = std::max<std::size_t>(divide_up(size, kMaxBlock), 1);
  return kFrame + blocks * kBlockHeader + size;
}

std::uint32_t checksum(Bytes in) noexcept;

// A zlib stream of stored blocks.
std::size_t store(Bytes in, MutableBytes out) noexcept {
  const std::uint32_t sum = checksum(in);
  const std::size_t size = stored_size(in.size());
  store_le(out, 0, std::uint16_t{0x0178});
  std::size_t at = 2;
  do {
    const Bytes block = in.first(std::min(in.size(), kMaxBlock));
    in = in.subspan(block.size());
    const auto length = static_cast<std::uint16_t>(block.size());
    store_le(out, at, std::uint8_t{in.empty()});
    store_le(out, at + 1, length);
    store_le(out, at + 3, static_cast<std::uint16_t>(~length));
    std::copy(block.begin(), block.end(),
              out.begin() + static_cast<std::ptrdiff_t>(at + kBlockHeader));
    at += kBlockHeader + block.size();
  } while (!in.empty());
  for (unsigned i = 0; i < 4; ++i) out[at + i] = static_cast<std::byte>(sum >> (24 - 8 * i) & 0xff);
  return size;
}

}  // namespace

bool has_zlib_header(Bytes in) noexcept {
  if (in.size() < 2) return false;
  const auto cmf = std::to_integer<unsigned>(in[0]), flg = std::to_integer<unsigned>(in[1]);
  return (cmf & 0x0f) == 8 && (cmf >> 4) <= 7 && (cmf * 256 + flg) % 31 == 0;
}

#ifdef VMDK_HAVE_LIBDEFLATE

struct Inflater::State {
  libdeflate_decompressor* codec;
};

Inflater::Inflater() : state_(std::make_unique<State>()) {
  state_->codec = libdeflate_alloc_decompressor();
  if (state_->codec == nullptr) throw std::bad_alloc();
}

Inflater::~Inflater() { libdeflate_free_decompressor(state_->codec); }

std::optional<std::size_t> Inflater::inflate(Bytes in, MutableBytes out) {
  std::size_t used = 0, filled = 0;
  const auto decompress =
      has_zlib_header(in) ? libdeflate_zlib_decompress_ex : libdeflate_deflate_decompress_ex;
  const libdeflate_result result =
      decompress(state_->codec, in.data(), in.size(), out.data(), out.size(), &used, &filled);
  if (result != LIBDEFLATE_SUCCESS) return std::nullopt;
  return filled;
}

struct Deflater::State {
  libdeflate_compressor* codec;  // null at level 0
};

Deflater::Deflater(int level) : state_(std::make_unique<State>()), stores_(level == 0) {
  if (stores_) return;
  state_->codec = libdeflate_alloc_compressor(level);
  if (state_->codec == nullptr) throw std::bad_alloc();
}

Deflater::~Deflater() { libdeflate_free_compressor(state_->codec); }

std::size_t Deflater::bound(std::size_t size) noexcept {
  return std::max(stored_size(size), libdeflate_zlib_compress_bound(nullptr, size));
}

std::size_t Deflater::compress(Bytes in, MutableBytes out) {
  return libdeflate_zlib_compress(state_->codec, in.data(), in.size(), out.data(), out.size());
}

namespace {

std::uint32_t checksum(Bytes in) noexcept { return libdeflate_adler32(1, in.data(), in.size()); }

}  // namespace

#else

struct Inflater::State {
  z_stream stream{};
};

Inflater::Inflater() : state_(std::make_unique<State>()) {
  if (inflateInit2(&state_->stream, 15) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { inflateEnd(&state_->stream); }

std::optional<std::size_t> Inflater::inflate(Bytes in, MutableBytes out) {
  z_stream& z = state_->stream;
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  if (in.size() > kMost || out.size() > kMost) return std::nullopt;
  if (inflateReset2(&z, has_zlib_header(in) ? 15 : -15) != Z_OK) return std::nullopt;
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (::inflate(&z, Z_FINISH) != Z_STREAM_END) return std::nullopt;
  return out.size() - z.avail_out;
}

struct Deflater::State {
  z_stream stream{};
};

Deflater::Deflater(int level) : state_(std::make_unique<State>()), stores_(level == 0) {
  if (stores_) return;
  if (deflateInit(&state_->stream, std::min(level, Z_BEST_COMPRESSION)) != Z_OK)
    throw std::bad_alloc();
}

Deflater::~Deflater() {
  if (!stores_) deflateEnd(&state_->stream);
}

std::size_t Deflater::bound(std::size_t size) noexcept {
  return std::max<std::size_t>(stored_size(size), compressBound(static_cast<uLong>(size)));
}

std::size_t Deflater::compress(Bytes in, MutableBytes out) {
  z_stream& z = state_->stream;
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  if (in.size() > kMost || deflateReset(&z) != Z_OK) return 0;
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(std::min(out.size(), kMost));
  const std::size_t room = z.avail_out;
  return ::deflate(&z, Z_FINISH) == Z_STREAM_END ? room - z.avail_out : 0;
}

namespace {

std::uint32_t checksum(Bytes in) noexcept {
  return static_cast<std::uint32_t>(
      adler32_z(1, reinterpret_cast<const Bytef*>(in.data()), in.size()));
}

}  // namespace

#endif

std::size_t Deflater::deflate(Bytes in, MutableBytes out) {
  const std::size_t size = stores_ || cannot_shrink(in) ? 0 : compress(in, out);
  return size != 0 && size < stored_size(in.size()) ? size : store(in, out);
}

}  // namespace vmdk
