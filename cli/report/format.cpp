#include "cli/report/format.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <cmath>
#include <cwchar>

#include <fmt/format.h>
#include <locale.h>
#include <wchar.h>

#include "common/os/clock.h"

namespace maildirsync::cli {

namespace {

/// Knows how wide characters are, whatever the locale of the program: for its own thread, while it lives.
class Widths {
 public:
  Widths() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Widths() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Widths(const Widths&) = delete;
  Widths& operator=(const Widths&) = delete;

  struct Character {
    std::size_t bytes = 1;
    std::size_t columns = 1;  ///< 2 for East Asian ones, 0 for accents that stand on the one before
  };
  /// Of UTF-8 text that is not empty. Where the system has no such locale, each character is one column wide.
  Character first(std::string_view text) const {
    if (locale_ == nullptr) return {length_of(text), 1};
    wchar_t character = 0;
    std::mbstate_t state{};
    const std::size_t bytes = std::mbrtowc(&character, text.data(), text.size(), &state);
    if (bytes == 0 || bytes > text.size()) return {1, 1};
    const int columns = ::wcwidth(character);
    return {bytes, columns < 0 ? 1 : static_cast<std::size_t>(columns)};
  }

 private:
  static std::size_t length_of(std::string_view text) {
    std::size_t length = 1;
    while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80)
      ++length;
    return length;
  }

  locale_t locale_;
  locale_t before_ = nullptr;
};

std::size_t width_of(std::string_view text) {
  const Widths widths;
  std::size_t width = 0;
  while (!text.empty()) {
    const auto [bytes, columns] = widths.first(text);
    width += columns;
    text.remove_prefix(bytes);
  }
  return width;
}

const char* code_of(Style style) {
  switch (style) {
    case Style::plain:
      break;
    case Style::strong:
      return "1";
    case Style::faint:
      return "2";
    case Style::good:
      return "32";
    case Style::warning:
      return "33";
    case Style::bad:
      return "31";
  }
  return "0";
}

}  // namespace

std::string paint(Colour colour, Style style, const std::string& text) {
  if (colour == Colour::off || style == Style::plain || text.empty()) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(style), text);
}

std::string format_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string format_bytes(double bytes) {
  constexpr std::array k_units{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{:.0f} B", bytes);
  std::size_t unit = 0;
  double value = bytes / 1024;
  while (value >= 1023.95 && unit + 1 < k_units.size()) {  // which would be shown as 1024.0
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, k_units[unit]);
}

std::string format_seconds(double seconds) {
  constexpr double k_minute = 60, k_hour = 3600, k_day = 86400;
  if (seconds < 2 * k_minute) return fmt::format("{:.1f} s", seconds);
  if (seconds < 2 * k_hour) return fmt::format("{:.0f} min", seconds / k_minute);
  if (seconds < 2 * k_day) return fmt::format("{:.1f} h", seconds / k_hour);
  return fmt::format("{:.1f} days", seconds / k_day);
}

std::string format_plural(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

std::string format_plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", format_count(count), count == 1 ? one : many);
}

std::string shortened(const std::string& text, std::size_t columns) {
  if (width_of(text) <= columns) return text;
  const Widths widths;
  std::size_t width = 1;  // of the "…"
  std::size_t end = 0;
  while (end < text.size()) {
    const auto character = widths.first(std::string_view(text).substr(end));
    if (width + character.columns > columns) break;
    width += character.columns;
    end += character.bytes;
  }
  return text.substr(0, end) + "…";
}

std::string Table::text(Colour colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].title);
    for (const auto& row : rows_)
      width = std::max(width, width_of(row[i].text));
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    std::size_t owed = 0;  // spaces that only count when something follows
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Cell cell = cell_of(i);
      const std::size_t gap = widths[i] - width_of(cell.text);
      if (columns_[i].align == Align::right) owed += gap;
      if (!cell.text.empty()) {
        line.append(owed, ' ');
        line += paint(colour, cell.style, cell.text);
        owed = 0;
      }
      if (columns_[i].align == Align::left) owed += gap;
      owed += 2;
    }
    text += line + '\n';
  };
  add_line([&](std::size_t i) { return Cell{columns_[i].title, Style::strong}; });
  for (const auto& row : rows_) {
    add_line([&](std::size_t i) { return row[i]; });
  }
  return text;
}

std::string format_bar(double share, std::size_t width) {
  const double inside = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
  const auto filled = static_cast<std::size_t>(inside * static_cast<double>(width));
  return "[" + std::string(filled, '#') + std::string(width - filled, '-') + "]";
}

std::string format_stamp(std::time_t moment) {
  return os::stamp_of(moment);
}

}  // namespace maildirsync::cli
