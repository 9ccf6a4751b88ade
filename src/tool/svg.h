// SPDX-License-Identifier: MIT
// The picture of `vmdk map --svg`: the capacity of a disk as rows of cells,
// coloured by which disk of the chain holds what. A disk of any size becomes at most
// 4096 cells; a cell that holds several things is divided between them.
#pragma once

#include <vmdk/vmdk.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace vmdk_tool {

class SvgMap {
 public:
  explicit SvgMap(std::uint64_t capacity);

  // Runs must come in order and without gaps.
  void add(const vmdk_run& run);
  // The whole picture, once all runs are in. `names` are the files of the
  // chain, link 0 first.
  std::string finish(const std::string& title, std::span<const std::string> names);

 private:
  // Links from here on share a colour.
  static constexpr std::uint32_t kMostLinks = 16;
  // Three kinds (data, compressed, zero) for each link, and absent.
  static constexpr std::size_t kClasses = kMostLinks * 3 + 1;
  static constexpr std::size_t kAbsent = kClasses - 1;

  static std::size_t class_of(const vmdk_run& run);
  static std::string colour_of(std::size_t kind);
  static std::string label_of(std::size_t kind, std::span<const std::string> names);

  void add_bytes(std::size_t kind, std::uint64_t bytes);
  void end_cell();
  void end_bar();
  void draw_mixed_cell(std::uint64_t cell_bytes);
  void draw_bar(std::uint64_t first_cell, double x, double width, std::size_t kind,
                const std::string& tip);
  std::string legend(unsigned top, std::span<const std::string> names) const;

  std::uint64_t capacity_;
  std::uint64_t cell_size_;
  std::uint64_t position_ = 0;
  std::array<std::uint64_t, kClasses> cell_ = {};    // bytes in the cell at hand
  std::array<std::uint64_t, kClasses> totals_ = {};  // bytes in all
  // A bar of whole cells of one class in one row, not drawn yet.
  std::uint64_t bar_first_ = 0;
  std::uint64_t bar_cells_ = 0;
  std::size_t bar_kind_ = 0;
  std::string body_;
};

}  // namespace vmdk_tool
