// SPDX-License-Identifier: MIT
// Functions that convert disks.
#include <vmdk/vmdk.h>

#include <algorithm>

#include "api/boundary.h"
#include "api/create_request.h"
#include "api/handle.h"
#include "ops/convert.h"
#include "ops/measure.h"
#include "util/worker_pool.h"

namespace vmdk {

namespace {

constexpr std::uint32_t kMaxThreads = 64;

class CallerSink final : public ByteSink {
 public:
  CallerSink(vmdk_sink_fn fn, void* user) : fn_(fn), user_(user) {}
  void write(Bytes in) override {
    if (const int error = fn_(user_, in.data(), in.size()); error != 0)
      throw_os_error("output stream", "writing failed", error);
  }

 private:
  vmdk_sink_fn fn_;
  void* user_;
};

class CallerSource final : public ByteSource {
 public:
  CallerSource(vmdk_source_fn fn, void* user) : fn_(fn), user_(user) {}
  std::size_t read(MutableBytes out) override {
    std::size_t filled = 0;
    while (filled < out.size() && !ended_) {
      const MutableBytes room = out.subspan(filled);
      std::size_t got = 0;
      if (const int error = fn_(user_, room.data(), room.size(), &got); error != 0)
        throw_os_error(name_, "reading failed", error);
      if (got > room.size())
        throw Error(VMDK_ERR_INVALID_ARGUMENT, name_ + ": gave more bytes than there was room for");
      ended_ = got == 0;
      filled += got;
    }
    return filled;
  }
  const std::string& name() const override { return name_; }

 private:
  vmdk_source_fn fn_;
  void* user_;
  std::string name_ = "input stream";
  bool ended_ = false;
};

struct ConvertRequest {
  Conversion how;
  bool exact = false;
  const vmdk_io* io = nullptr;
};

ConvertRequest read_convert_options(const vmdk_convert_options* in, std::uint32_t known_flags) {
  const vmdk_convert_options options = copy_options(in);
  constexpr std::uint32_t kAll = VMDK_CONVERT_REPLACE | VMDK_CONVERT_FROM_RAW | VMDK_CONVERT_EXACT;
  if ((options.flags & ~kAll) != 0)
    throw Error(VMDK_ERR_UNSUPPORTED,
                "vmdk_convert_options::flags has flags this version does not know");
  require((options.flags & ~known_flags) == 0,
          "vmdk_convert_options::flags has a flag that means nothing to this function");
  require(options.threads <= kMaxThreads, "vmdk_convert_options::threads is more than 64");
  require(
      options.compression <= Deflater::kMaxLevel || options.compression == VMDK_COMPRESSION_STORED,
      "vmdk_convert_options::compression is neither 0 to 12 nor VMDK_COMPRESSION_STORED");
  const vmdk_create_options create = copy_options(options.create);
  ConvertRequest out;
  out.how.wish = read_wish(create);
  out.how.replace = (options.flags & VMDK_CONVERT_REPLACE) != 0;
  out.how.from_raw = (options.flags & VMDK_CONVERT_FROM_RAW) != 0;
  out.exact = (options.flags & VMDK_CONVERT_EXACT) != 0;
  out.how.level = options.compression == VMDK_COMPRESSION_STORED ? 0
                  : options.compression == 0                     ? Deflater::kUsualLevel
                                             : static_cast<int>(options.compression);
  out.how.threads =
      options.threads != 0 ? options.threads : std::clamp(processors(), 1u, kMaxThreads);
  out.how.on_progress = options.on_progress;
  out.how.on_output = options.on_output;
  out.how.on_content = options.on_content;
  out.how.on_lost = options.on_lost;
  out.how.user = options.user;
  out.io = create.io;
  return out;
}

void require_stream_type(ConvertRequest& request) {
  vmdk_type& type = request.how.wish.type;
  if (type == VMDK_TYPE_UNKNOWN && request.how.wish.target == VMDK_TARGET_NONE)
    type = VMDK_TYPE_STREAM_OPTIMIZED;
}

std::unique_ptr<FileSystem> target_files(const ConvertRequest& request) {
  return files_for(request.io, request.how.wish.type);
}

}  // namespace

}  // namespace vmdk

extern "C" {

vmdk_status vmdk_convert(vmdk_disk* source, const char* path, const vmdk_convert_options* options) {
  return vmdk::guard([&] {
    vmdk::require(path != nullptr, "path is NULL");
    const vmdk::Reading disk(source);
    const auto request = vmdk::read_convert_options(options, VMDK_CONVERT_REPLACE);
    vmdk::convert_disk(*disk, *vmdk::target_files(request), path, request.how);
  });
}

vmdk_status vmdk_convert_to_stream(vmdk_disk* source, vmdk_sink_fn sink, void* sink_user,
                                   const vmdk_convert_options* options) {
  return vmdk::guard([&] {
    vmdk::require(sink != nullptr, "sink is NULL");
    const vmdk::Reading disk(source);
    auto request = vmdk::read_convert_options(options, 0);
    vmdk::require_stream_type(request);
    vmdk::CallerSink to(sink, sink_user);
    vmdk::convert_disk(*disk, to, request.how);
  });
}

vmdk_status vmdk_convert_from_stream(vmdk_source_fn source, void* source_user, const char* path,
                                     const vmdk_convert_options* options) {
  return vmdk::guard([&] {
    vmdk::require(source != nullptr, "source is NULL");
    vmdk::require(path != nullptr, "path is NULL");
    const auto request =
        vmdk::read_convert_options(options, VMDK_CONVERT_REPLACE | VMDK_CONVERT_FROM_RAW);
    vmdk::CallerSource from(source, source_user);
    vmdk::convert_stream(from, *vmdk::target_files(request), path, request.how);
  });
}

vmdk_status vmdk_convert_stream(vmdk_source_fn source, void* source_user, vmdk_sink_fn sink,
                                void* sink_user, const vmdk_convert_options* options) {
  return vmdk::guard([&] {
    vmdk::require(source != nullptr, "source is NULL");
    vmdk::require(sink != nullptr, "sink is NULL");
    auto request = vmdk::read_convert_options(options, VMDK_CONVERT_FROM_RAW);
    vmdk::require_stream_type(request);
    vmdk::CallerSource from(source, source_user);
    vmdk::CallerSink to(sink, sink_user);
    vmdk::convert_stream(from, to, request.how);
  });
}

vmdk_status vmdk_measure(vmdk_disk* source, const vmdk_convert_options* options,
                         vmdk_measure_result* out_result) {
  return vmdk::guard([&] {
    vmdk::require_sized(out_result);
    const vmdk::Reading disk(source);
    const auto request = vmdk::read_convert_options(options, VMDK_CONVERT_EXACT);
    const vmdk::Measure found = vmdk::measure(*disk, request.how, request.exact);
    vmdk_measure_result result{};
    result.exact = found.exact;
    result.needed = found.needed;
    result.most = found.most;
    vmdk::give(out_result, result);
  });
}

}  // extern "C"
