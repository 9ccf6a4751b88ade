// SPDX-License-Identifier: MIT
// Bytes in their order, where there is no going back: a pipe, a socket, an upload.
#ifndef VMDK_IO_BYTE_STREAM_H
#define VMDK_IO_BYTE_STREAM_H

#include <string>

#include "util/bytes.h"

namespace vmdk {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `out`, or as much of it as there is until the end; returns how many bytes.
  virtual std::size_t read(MutableBytes out) = 0;
  // For messages.
  virtual const std::string& name() const = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Takes all of them.
  virtual void write(Bytes in) = 0;
};

}  // namespace vmdk

#endif
