// SPDX-License-Identifier: MIT
#include "api/open_request.h"

#include <algorithm>

#include "api/boundary.h"
#include "io/callback_file.h"
#include "io/posix_file_system.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kMaxThreads = 64;

// 0 is the default, and nothing is above the hard maximum.
template <class T>
T limit(T value, T usual, T least, T most) {
  return value == 0 ? usual : std::clamp(value, least, most);
}

}  // namespace

Request read_options(const vmdk_open_options* in) {
  const vmdk_open_options options = copy_options(in);
  const vmdk_limits limits = copy_options(options.limits);
  constexpr std::uint32_t kKnown =
      VMDK_OPEN_WRITE | VMDK_OPEN_NO_PARENT | VMDK_OPEN_NO_LOCK | VMDK_OPEN_RECOVER | VMDK_OPEN_RAW;
  if ((options.flags & ~kKnown) != 0)
    throw Error(VMDK_ERR_UNSUPPORTED,
                "vmdk_open_options::flags has flags this version does not know");
  require(options.paths <= VMDK_PATHS_ANY, "vmdk_open_options::paths is no VMDK_PATHS value");
  require(options.threads <= kMaxThreads, "vmdk_open_options::threads is more than 64");
  Request request;
  OpenOptions& out = request.options;
  out.write = (options.flags & VMDK_OPEN_WRITE) != 0;
  out.open_parents = (options.flags & VMDK_OPEN_NO_PARENT) == 0;
  out.recover = (options.flags & VMDK_OPEN_RECOVER) != 0;
  require(!out.write || !out.recover, "VMDK_OPEN_WRITE does not go with VMDK_OPEN_RECOVER");
  request.raw = (options.flags & VMDK_OPEN_RAW) != 0;
  require(!request.raw || (options.flags & ~(VMDK_OPEN_RAW | VMDK_OPEN_NO_LOCK)) == 0,
          "VMDK_OPEN_RAW goes with VMDK_OPEN_NO_LOCK only");
  require(!request.raw || options.member == nullptr, "VMDK_OPEN_RAW does not go with a member");
  out.threads = std::max(options.threads, 1u);
  if (options.encoding != nullptr) out.encoding = options.encoding;
  if (options.member != nullptr) out.member = options.member;
  out.cache_bytes = limit<std::uint64_t>(options.cache_bytes, out.cache_bytes, 1, UINT64_MAX / 2);
  out.max_table_bytes =
      limit<std::uint64_t>(limits.max_table_bytes, out.max_table_bytes, 256 << 10, UINT64_MAX / 2);
  out.max_chain_length =
      limit<std::uint32_t>(limits.max_chain_length, out.max_chain_length, 1, 1024);
  DescriptorLimits& text = out.descriptor_limits;
  text.max_bytes = limit<std::uint32_t>(limits.max_descriptor_bytes, text.max_bytes, 1, 64 << 20);
  text.max_extents = limit<std::uint32_t>(limits.max_extents, text.max_extents, 1, 1 << 20);
  request.reporter = std::make_unique<Reporter>(options.on_message, options.message_user);
  const bool any_path = options.paths == VMDK_PATHS_ANY;
  if (options.io != nullptr) {
    request.files = std::make_unique<CallbackFileSystem>(
        copy_options(options.io), any_path, out.write ? FileUse::write : FileUse::read);
    return request;
  }
  PathPolicy policy;
  policy.any_path = any_path;
  policy.locks = (options.flags & VMDK_OPEN_NO_LOCK) == 0;
  for (const char* const* root = options.roots; root != nullptr && *root != nullptr; ++root)
    policy.roots.emplace_back(*root);
  policy.max_open_files = limit<std::uint32_t>(limits.max_open_files, 128, 8, 1 << 20);
  request.files = std::make_unique<PosixFileSystem>(std::move(policy));
  return request;
}

}  // namespace vmdk
