// SPDX-License-Identifier: MIT
// Creating a disk: its files come to be all together or not at all.
#ifndef VMDK_OPS_CREATE_H
#define VMDK_OPS_CREATE_H

#include <vmdk/vmdk.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "format/descriptor_writer.h"
#include "io/file.h"

namespace vmdk {

inline constexpr std::uint64_t kUsualGrain = 64 << 10;

// What to create. 0 stands for the usual value of the type.
struct NewDisk {
  vmdk_type type = VMDK_TYPE_MONOLITHIC_SPARSE;
  std::uint64_t sectors = 0;  // at least 1
  std::uint64_t grain_bytes = 0;
  std::uint64_t split_bytes = 0;
  vmdk_preallocate preallocate = VMDK_PREALLOCATE_DEFAULT;
  bool zero_grains = false;  // allow table entries that say "zero"
  std::uint32_t cid = 0;
  std::uint32_t parent_cid = kNoParent;
  std::string parent_hint;
  Database database;
  vmdk_progress_fn on_progress = nullptr;
  void* user = nullptr;  // of on_progress
};

// May a child of this type have grains of this size?
bool is_grain_size(vmdk_type type, std::uint64_t grain_bytes) noexcept;

// The files of a new disk, which come to be when it is complete. Throws what vmdk_create()
// documents; until publish() has returned no file is left by it.
class DiskMaker final {
 public:
  // A file that data goes to: an extent, or all of a stream or a raw disk.
  struct Part {
    File& file;
    ExtentLine line;
  };

  // Judges all of it. `path` and `disk` outlive the maker.
  DiskMaker(FileSystem& files, const std::string& path, const NewDisk& disk);
  ~DiskMaker();

  // Makes the files: an empty disk but for its names; of a stream, an empty file.
  void make(FileSystem::Existing existing = FileSystem::Existing::refuse);
  std::vector<Part> parts();
  // Brings all to stable storage, with the names.
  void publish();

  // What a disk of that name will be made of.
  struct Layout {
    std::string descriptor;
    bool embedded;  // the descriptor is inside the one file
    std::vector<ExtentLine> extents;
    vmdk_preallocate preallocate;  // of flat ones
  };
  static Layout layout(const std::string& name, const NewDisk& disk);

 private:
  class Plan;
  FileSystem& files_;
  std::unique_ptr<Plan> plan_;
};

// Throws what vmdk_create() documents.
void create_disk(FileSystem& files, const std::string& path, const NewDisk& disk);

}  // namespace vmdk

#endif
