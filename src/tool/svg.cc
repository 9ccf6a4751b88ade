// SPDX-License-Identifier: MIT
#include "svg.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "messages.h"
#include "sizes.h"

namespace vmdk_tool {
namespace {

constexpr std::uint64_t kColumns = 64;
constexpr std::uint64_t kMostCells = kColumns * 64;
constexpr std::uint64_t kSmallestCell = 512;
constexpr double kCell = 12;    // pixels
constexpr unsigned kLeft = 96;  // room for the offsets beside the rows
constexpr unsigned kTop = 64;   // room for the title
constexpr unsigned kLine = 20;  // a line of the legend
constexpr unsigned kWidth = kLeft + kColumns * 12 + 24;
constexpr std::size_t kLongestName = 72;

std::string xml_text(const std::string& text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The end of a long path says more than its beginning.
std::string shortened(const std::string& text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  if (text.size() <= kLongestName) return text;
  std::size_t from = text.size() - kLongestName;
  while (from < text.size() && continues(text[from])) ++from;
  return "..." + text.substr(from);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

// Shades of one hue per link. In #rrggbb, which every viewer reads.
std::string hsl_colour(double hue, double saturation, double lightness) {
  const double chroma = saturation * std::min(lightness, 1 - lightness);
  const auto channel = [&](double shift) {
    const double k = std::fmod(shift + hue / 30, 12);
    const double value = lightness - chroma * std::max(-1.0, std::min({k - 3, 9 - k, 1.0}));
    return static_cast<unsigned>(std::lround(value * 255));
  };
  char text[16];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", channel(0), channel(8), channel(4));
  return text;
}

std::string text_at(double x, double y, const char* attributes, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\"" + attributes + ">" +
         xml_text(text) + "</text>\n";
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  const double share = whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", share * 100);
  return text;
}

}  // namespace

SvgMap::SvgMap(std::uint64_t capacity)
    : capacity_(capacity),
      cell_size_(std::max(kSmallestCell,
                          std::bit_ceil(capacity / kMostCells + (capacity % kMostCells != 0)))) {}

std::size_t SvgMap::class_of(const vmdk_run& run) {
  if (run.kind == VMDK_RUN_ABSENT) return kAbsent;
  const std::size_t link = std::min(run.link, kMostLinks - 1);
  if (run.kind == VMDK_RUN_ZERO) return link * 3 + 2;
  return link * 3 + ((run.flags & VMDK_RUN_COMPRESSED) != 0 ? 1 : 0);
}

std::string SvgMap::colour_of(std::size_t kind) {
  if (kind == kAbsent) return "#ececec";
  constexpr double kGoldenAngle = 137.508;
  const std::size_t link = kind / 3;
  const double hue = std::fmod(212 + kGoldenAngle * static_cast<double>(link), 360);
  // Neighbours differ in lightness too, for eyes that do not tell the hues.
  constexpr double kLightness[] = {0.38, 0.26, 0.80};
  return hsl_colour(hue, 0.62, kLightness[kind % 3] + 0.06 * static_cast<double>(link % 3));
}

std::string SvgMap::label_of(std::size_t kind, std::span<const std::string> names) {
  if (kind == kAbsent) return "stored nowhere";
  constexpr const char* kKinds[] = {"data", "compressed data", "zeros"};
  const std::size_t link = kind / 3;
  std::string label = std::string(kKinds[kind % 3]) + " in link " + std::to_string(link);
  if (link + 1 == kMostLinks && names.size() > kMostLinks) return label + " and below";
  if (link < names.size()) label += ": " + shortened(printable(names[link]));
  return label;
}

void SvgMap::add(const vmdk_run& run) {
  const std::size_t kind = class_of(run);
  totals_[kind] += run.size;
  std::uint64_t left = run.size;
  while (left > 0) {
    const std::uint64_t room = cell_size_ - position_ % cell_size_;
    const std::uint64_t n = std::min(left, room);
    cell_[kind] += n;
    position_ += n;
    left -= n;
    if (n == room || position_ == capacity_) end_cell();
  }
}

// A cell of one class joins the bar before it if that is in the same row.
void SvgMap::end_cell() {
  const std::uint64_t cell = (position_ - 1) / cell_size_;
  const auto kinds = std::count_if(cell_.begin(), cell_.end(), [](auto n) { return n != 0; });
  const auto first = std::find_if(cell_.begin(), cell_.end(), [](auto n) { return n != 0; });
  const auto kind = static_cast<std::size_t>(first - cell_.begin());
  const bool joins = bar_cells_ > 0 && kinds == 1 && kind == bar_kind_ && cell % kColumns != 0;
  if (!joins) end_bar();
  if (kinds > 1) {
    draw_mixed_cell(position_ - cell * cell_size_);
  } else {
    if (!joins) bar_first_ = cell;
    bar_kind_ = kind;
    ++bar_cells_;
  }
  cell_.fill(0);
}

void SvgMap::end_bar() {
  if (bar_cells_ == 0) return;
  const std::uint64_t begin = bar_first_ * cell_size_;
  const std::uint64_t end = std::min(capacity_, begin + bar_cells_ * cell_size_);
  draw_bar(
      bar_first_, 0, kCell * static_cast<double>(bar_cells_), bar_kind_,
      "at " + human_size(begin) + ": " + human_size(end - begin) + " " + label_of(bar_kind_, {}));
  bar_cells_ = 0;
}

// Even a single sector gets a stripe wide enough to be seen.
void SvgMap::draw_mixed_cell(std::uint64_t cell_bytes) {
  const std::uint64_t cell = (position_ - 1) / cell_size_;
  constexpr double kNarrowest = 1;
  double shares = 0;
  const auto share_of = [&](std::uint64_t bytes) {
    return std::max(kNarrowest / kCell,
                    static_cast<double>(bytes) / static_cast<double>(cell_bytes));
  };
  for (const std::uint64_t bytes : cell_)
    if (bytes != 0) shares += share_of(bytes);
  double x = 0;
  for (std::size_t kind = 0; kind < kClasses; ++kind) {
    if (cell_[kind] == 0) continue;
    const double width = kCell * share_of(cell_[kind]) / shares;
    draw_bar(cell, x, width, kind,
             "at " + human_size(cell * cell_size_) + ": " + percent(cell_[kind], cell_bytes) + " " +
                 label_of(kind, {}));
    x += width;
  }
}

void SvgMap::draw_bar(std::uint64_t first_cell, double x, double width, std::size_t kind,
                      const std::string& tip) {
  const double left = kLeft + kCell * static_cast<double>(first_cell % kColumns) + x;
  const double top = kTop + kCell * static_cast<double>(first_cell / kColumns);
  body_ += "<rect x=\"" + number(left) + "\" y=\"" + number(top) + "\" width=\"" + number(width) +
           "\" height=\"" + number(kCell - 1) + "\" fill=\"" + colour_of(kind) + "\"><title>" +
           xml_text(tip) + "</title></rect>\n";
}

std::string SvgMap::legend(unsigned top, std::span<const std::string> names) const {
  std::string out;
  double y = top;
  for (std::size_t kind = 0; kind < kClasses; ++kind) {
    if (totals_[kind] == 0) continue;
    out += "<rect x=\"" + number(kLeft) + "\" y=\"" + number(y) +
           "\" width=\"14\" height=\"14\" fill=\"" + colour_of(kind) + "\"/>\n";
    out += text_at(kLeft + 22, y + 12, "",
                   human_size(totals_[kind]) + " (" + percent(totals_[kind], capacity_) + ") " +
                       label_of(kind, names));
    y += kLine;
  }
  return out;
}

std::string SvgMap::finish(const std::string& title, std::span<const std::string> names) {
  end_bar();
  const std::uint64_t cells = capacity_ / cell_size_ + (capacity_ % cell_size_ != 0);
  const std::uint64_t rows = (cells + kColumns - 1) / kColumns;
  const auto bottom = kTop + static_cast<unsigned>(rows) * static_cast<unsigned>(kCell) + 16;
  const auto lines = std::count_if(totals_.begin(), totals_.end(), [](auto n) { return n != 0; });
  const unsigned height = bottom + static_cast<unsigned>(lines) * kLine + 16;
  const std::string size = "\"" + std::to_string(kWidth) + "\" height=\"" + std::to_string(height);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += "<svg xmlns=\"http://www.w3.org/2000/svg\" width=" + size + "\" viewBox=\"0 0 " +
         std::to_string(kWidth) + " " + std::to_string(height) +
         "\" font-family=\"sans-serif\" font-size=\"12\">\n";
  out += "<title>" + xml_text(title) + "</title>\n";
  out += "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  out += text_at(kLeft, 26, " font-size=\"16\"", shortened(printable(title)));
  out += text_at(kLeft, 46, " fill=\"#555555\"",
                 exact_size(capacity_) + "; a cell is " + human_size(cell_size_) + ", a row " +
                     human_size(cell_size_ * kColumns));
  for (std::uint64_t row = 0; row < rows; row += 4)
    out += text_at(kLeft - 8, kTop + kCell * static_cast<double>(row) + 10,
                   " text-anchor=\"end\" font-size=\"10\" fill=\"#555555\"",
                   human_size(row * kColumns * cell_size_));
  return out + body_ + legend(bottom, names) + "</svg>\n";
}

}  // namespace vmdk_tool
