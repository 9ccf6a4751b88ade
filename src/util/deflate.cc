// SPDX-License-Identifier: MIT
#include "util/deflate.h"

#include <new>

#ifdef VMDK_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>

#include <limits>
#endif

namespace vmdk {

bool has_zlib_header(Bytes in) noexcept {
  if (in.size() < 2) return false;
  const auto cmf = std::to_integer<unsigned>(in[0]), flg = std::to_integer<unsigned>(in[1]);
  return (cmf & 0x0f) == 8 && (cmf >> 4) <= 7 && (cmf * 256 + flg) % 31 == 0;
}

#ifdef VMDK_HAVE_LIBDEFLATE

struct Inflater::State {
  libdeflate_decompressor* codec;
};

Inflater::Inflater() : state_(std::make_unique<State>(State{libdeflate_alloc_decompressor()})) {
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

#endif

}  // namespace vmdk
