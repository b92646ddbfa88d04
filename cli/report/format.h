#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace maildirsync::cli {

enum class Colour { off, on };
enum class Style { plain, strong, faint, good, warning, bad };

/// The text in its style, or as it is without colours.
std::string paint(Colour colour, Style style, const std::string& text);

/// 1,234,567
std::string format_count(std::uint64_t count);
/// "17 B", "1.2 GiB"
std::string format_bytes(double bytes);
/// "0.0 s", "35 min", "7.5 h", "3.1 days"
std::string format_seconds(double seconds);
/// "1 message", "2 messages"
std::string format_plural(std::uint64_t count, std::string_view noun);
/// The same for a noun whose plural takes more than an "s".
std::string format_plural(std::uint64_t count, std::string_view one, std::string_view many);
/// At most so many columns of a terminal, with "…" for what was cut.
std::string shortened(const std::string& text, std::size_t columns);

/// Columns below each other under a heading, as wide as a terminal shows them: East Asian characters take two. Cells
/// are fit for a terminal already.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  struct Cell {
    std::string text;
    Style style = Style::plain;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell a column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  /// Lines without spaces at their ends.
  std::string text(Colour colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// "[#####-----]" of `width` characters for a share from 0 to 1.
std::string format_bar(double share, std::size_t width);

/// A moment as RFC 3339 in UTC, to the second.
std::string format_stamp(std::time_t moment);

}  // namespace maildirsync::cli
