#include "common/service/log.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "common/service/journal.h"
#include "common/service/service.h"

namespace maildirsync::service {

namespace {

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

/// "{}" becomes "{3}", "{:.1f}" "{3:.1f}", so that a part can be formatted with the values of the whole.
std::string numbered(std::string_view part, std::size_t& number) {
  std::string text;
  for (const char c : part) {
    text += c;
    if (c == '{') text += std::to_string(number++);
  }
  return text;
}

}  // namespace

LineParts parts_of(fmt::string_view format, fmt::format_args values) {
  std::string_view rest(format.data(), format.size());
  LineParts parts{rest.substr(0, rest.find(' ')), {}};
  rest.remove_prefix(parts.name.size());
  std::size_t number = 0;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the space
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    const std::string_view key = rest.substr(0, equals);
    rest.remove_prefix(equals + 1);
    const bool is_quoted = rest.starts_with('"');
    if (is_quoted) rest.remove_prefix(1);
    const std::string_view value = rest.substr(0, rest.find(is_quoted ? '"' : ' '));
    rest.remove_prefix(std::min(value.size() + (is_quoted ? 1 : 0), rest.size()));
    parts.fields.emplace_back(key, fmt::vformat(numbered(value, number), values));
  }
  return parts;
}

bool is_logged(Level level) {
  return spdlog::default_logger_raw()->should_log(level_of(level));
}

void flush_log() {
  spdlog::default_logger_raw()->flush();
}

void write_line(Level level, fmt::string_view format, fmt::format_args values) {
  if (!is_logged(level)) return;
  const std::string text = fmt::vformat(format, values);
  if (!is_log_the_journal()) return spdlog::default_logger_raw()->log(level_of(level), spdlog::string_view_t(text));
  const auto parts = parts_of(format, values);
  send_to_journal(level, parts.name, text, parts.fields);
}

void write_event(Level level, std::string_view name, const std::string& text,
                 const std::vector<std::pair<std::string_view, std::string>>& fields) {
  if (!is_logged(level)) return;
  if (!is_log_the_journal()) return spdlog::default_logger_raw()->log(level_of(level), spdlog::string_view_t(text));
  send_to_journal(level, name, text, fields);
}

}  // namespace maildirsync::service
