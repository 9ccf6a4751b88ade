// SPDX-License-Identifier: MIT
#include "disk/open_raw.h"

#include "extent/flat_extent.h"
#include "util/checked.h"

namespace vmdk {

Link raw_link(std::unique_ptr<File> file) {
  Link link;
  const std::uint64_t size = file->size();
  link.capacity = round_up(size, kSectorSize);
  link.descriptor.type = VMDK_TYPE_RAW;
  link.descriptor.sectors = link.capacity / kSectorSize;
  const auto add = [&](ExtentType type, std::uint64_t begin, std::uint64_t bytes,
                       std::unique_ptr<Extent> extent) {
    ExtentLine line;
    line.access = VMDK_ACCESS_READ_ONLY;
    line.type = type;
    line.sectors = bytes / kSectorSize;
    link.descriptor.extents.push_back(line);
    link.slots.push_back({begin, line.access, std::move(extent)});
  };
  add(ExtentType::flat, 0, size, std::make_unique<FlatExtent>(*file, 0, size, false));
  if (size < link.capacity)
    add(ExtentType::zero, size, link.capacity - size,
        std::make_unique<ZeroExtent>(link.capacity - size));
  link.files.push_back(std::move(file));
  return link;
}

std::unique_ptr<Disk> open_raw_disk(std::unique_ptr<FileSystem> files,
                                    std::unique_ptr<Reporter> reporter, const std::string& path) {
  std::vector<Link> links;
  links.push_back(raw_link(files->open(path, FileUse::read)));
  Disk::Parts parts;
  parts.files = std::move(files);
  parts.reporter = std::move(reporter);
  return std::make_unique<Disk>(std::move(parts), std::move(links), false, DescriptorLimits{});
}

}  // namespace vmdk
