// SPDX-License-Identifier: MIT
// Converting: what the guest sees in one disk becomes another one, of any kind.
#ifndef VMDK_OPS_CONVERT_H
#define VMDK_OPS_CONVERT_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <optional>
#include <string>

#include "disk/disk.h"
#include "io/byte_stream.h"
#include "ops/new_disk.h"
#include "ops/piece_target.h"

namespace vmdk {

// How to convert. Functions may be null.
struct Conversion {
  DiskWish wish;
  bool replace = false;   // a file that has the name
  bool from_raw = false;  // a source of bytes gives those of the disk
  int level = 6;          // of Deflater
  unsigned threads = 1;   // the calling one included
  vmdk_progress_fn on_progress = nullptr;
  vmdk_sink_fn on_output = nullptr;
  vmdk_content_fn on_content = nullptr;
  vmdk_lost_fn on_lost = nullptr;
  void* user = nullptr;  // of all of them
};

// Throw what vmdk_convert() and its kin document; then no file is left.
void convert_disk(const Disk& source, FileSystem& files, const std::string& path,
                  const Conversion& how);
void convert_disk(const Disk& source, ByteSink& sink, const Conversion& how);
void convert_stream(ByteSource& source, FileSystem& files, const std::string& path,
                    const Conversion& how);
void convert_stream(ByteSource& source, ByteSink& sink, const Conversion& how);

// The steps of the first: the disk that is to be made, and moving the data.
NewDisk new_disk_for(const Disk& source, const Conversion& how, const std::string& name);
void convey_disk(const Disk& source, PieceTarget& target, const Conversion& how,
                 const std::string& name, const NewDisk& disk);

}  // namespace vmdk

#endif
