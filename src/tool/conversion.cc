// SPDX-License-Identifier: MIT
#include "conversion.h"

#include <cerrno>
#include <utility>

#include "errors.h"
#include "messages.h"

namespace vmdk_tool {

template <class Step>
bool Conversion::attempt(Step step) noexcept {
  try {
    step();
    return true;
  } catch (...) {
    failure_ = std::current_exception();
    return false;
  }
}

// The functions that the library calls; `user` is the Conversion.
struct Conversion::Callbacks {
  static Conversion& self(void* user) { return *static_cast<Conversion*>(user); }

  static std::span<const std::byte> bytes(const void* data, std::size_t size) {
    return {static_cast<const std::byte*>(data), size};
  }

  static int progress(void* user, std::uint64_t done, std::uint64_t total) noexcept {
    return self(user).progress_.report(done, total) ? 0 : 1;
  }

  static int output(void* user, const void* data, std::size_t size) noexcept {
    Conversion& job = self(user);
    return job.attempt([&] { job.output_->add(bytes(data, size)); }) ? 0 : EIO;
  }

  static int content(void* user, const void* data, std::uint64_t size) noexcept {
    Conversion& job = self(user);
    return job.attempt([&] {
      if (data == nullptr)
        job.content_->add_zeros(size);
      else
        job.content_->add(bytes(data, static_cast<std::size_t>(size)));
    })
               ? 0
               : 1;
  }

  static int lost(void* user, std::uint64_t offset, std::uint64_t size,
                  const char* message) noexcept {
    Conversion& job = self(user);
    ++job.lost_ranges_;
    job.lost_bytes_ += size;
    return job.attempt([&] {
      print_message("vmdk: lost " + std::to_string(size) + " bytes at " + std::to_string(offset) +
                    ": " + printable(message));
    })
               ? 0
               : 1;
  }

  static int source(void* user, void* buffer, std::size_t size, std::size_t* out_size) noexcept {
    Conversion& job = self(user);
    return job.attempt([&] {
      *out_size = job.from_->read({static_cast<std::byte*>(buffer), size});
    })
               ? 0
               : EIO;
  }

  static int sink(void* user, const void* data, std::size_t size) noexcept {
    Conversion& job = self(user);
    if (job.to_ == nullptr) return 0;
    const bool good = job.attempt([&] { job.to_->write(job.written_, bytes(data, size)); });
    job.written_ += size;
    return good ? 0 : EIO;
  }
};

Conversion::Conversion(const char* job, const CommonOptions& common)
    : common_(common), progress_(common.progress(), job) {
  options_.struct_size = sizeof options_;
  options_.threads = common.threads();
  options_.on_progress = Callbacks::progress;
  options_.user = this;
}

void Conversion::digest_output(Digests& digests) {
  output_ = &digests;
  options_.on_output = Callbacks::output;
}

void Conversion::digest_content(Digests& digests) {
  content_ = &digests;
  options_.on_content = Callbacks::content;
}

void Conversion::salvage() { options_.on_lost = Callbacks::lost; }

void Conversion::run(const DiskHandle& from, const std::string& to) {
  finish(vmdk_convert(from.get(), to.c_str(), &options_));
}

void Conversion::run(const DiskHandle& from, Sink& to) {
  to_ = &to;
  finish(vmdk_convert_to_stream(from.get(), Callbacks::sink, this, &options_));
}

void Conversion::read_from(Input& from) {
  common_.refuse_for_stream();
  from_ = &from;
  if (common_.raw()) options_.flags |= VMDK_CONVERT_FROM_RAW;
}

void Conversion::run(Input& from, const std::string& to) {
  read_from(from);
  finish(vmdk_convert_from_stream(Callbacks::source, this, to.c_str(), &options_));
}

void Conversion::run(Input& from, Sink& to) {
  read_from(from);
  to_ = &to;
  finish(vmdk_convert_stream(Callbacks::source, this, Callbacks::sink, this, &options_));
}

void Conversion::run(Input& from) {
  read_from(from);
  finish(vmdk_convert_stream(Callbacks::source, this, Callbacks::sink, this, &options_));
}

void Conversion::finish(vmdk_status status) {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (status == VMDK_OK) return progress_.complete();
  common_.throw_open_error(status);
}

}  // namespace vmdk_tool
