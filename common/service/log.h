#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace maildirsync::service {

// The log. This folder alone knows the library that writes it. A line has one event: its name, and details as key=value
// or key="value with spaces":
//
//   log_warning("root-held root={} reason=\"{}\"", name, reason);
//
// In the journal the name is the field EVENT, and each detail is a field of its key, too. For what people search for
// and keep, and for what may come in masses, there is log_event() (event.h). Thread-safe.

enum class Level : std::uint8_t { debug, info, warning, error };

/// Whether lines of that level are written: for details that cost something to find out.
bool is_logged(Level level);

/// Writes out what is still in memory, before a process ends at once.
void flush_log();

/// Not for direct use.
void write_line(Level level, fmt::string_view format, fmt::format_args values);

template <class... Values>
void log_debug(fmt::format_string<Values...> format, const Values&... values) {
  write_line(Level::debug, format, fmt::make_format_args(values...));
}
template <class... Values>
void log_info(fmt::format_string<Values...> format, const Values&... values) {
  write_line(Level::info, format, fmt::make_format_args(values...));
}
template <class... Values>
void log_warning(fmt::format_string<Values...> format, const Values&... values) {
  write_line(Level::warning, format, fmt::make_format_args(values...));
}
template <class... Values>
void log_error(fmt::format_string<Values...> format, const Values&... values) {
  write_line(Level::error, format, fmt::make_format_args(values...));
}

/// A line that has its text and its parts already.
void write_event(Level level, std::string_view name, const std::string& text,
                 const std::vector<std::pair<std::string_view, std::string>>& fields);

/// What the line says, apart: the event's name, and each detail's key and value.
struct LineParts {
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string>> fields;
};
LineParts parts_of(fmt::string_view format, fmt::format_args values);

}  // namespace maildirsync::service
