#include "common/config/timetable.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "common/config/config.h"
#include "common/config/values.h"

namespace maildirsync::config {

namespace {

constexpr unsigned k_minutes_of_day = 24 * 60;
constexpr unsigned k_all_days = 0x7f;
constexpr std::string_view k_connections = "connections=";
constexpr int k_days_ahead = 8;
constexpr std::array<std::string_view, 7> k_days{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(by, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<unsigned> day_of(std::string_view word) {
  const auto found = std::find(k_days.begin(), k_days.end(), word);
  if (found == k_days.end()) return std::nullopt;
  return static_cast<unsigned>(found - k_days.begin());
}

/// "mon-fri", "sat,sun", "fri-mon"; nothing for what is none.
std::optional<unsigned> parse_days(const std::string& text) {
  unsigned days = 0;
  for (const auto& part : split(text, ',')) {
    const auto ends = split(part, '-');
    const auto first = day_of(ends.front());
    const auto last = day_of(ends.back());
    if (!first || !last || ends.size() > 2) return std::nullopt;
    for (unsigned day = *first;; day = (day + 1) % k_days.size()) {
      days |= 1U << day;
      if (day == *last) break;
    }
  }
  return days;
}

std::optional<unsigned> parse_minutes(const std::string& text) {
  const auto is_digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !is_digit(0) || !is_digit(1) || !is_digit(3) || !is_digit(4))
    return std::nullopt;
  const auto two = [&](std::size_t i) { return static_cast<unsigned>((text[i] - '0') * 10 + (text[i + 1] - '0')); };
  const unsigned minutes = two(0) * 60 + two(3);
  if (two(3) > 59 || minutes > k_minutes_of_day) return std::nullopt;
  return minutes;
}

bool read_hours(const std::string& text, Span& span) {
  const auto ends = split(text, '-');
  if (ends.size() != 2) return false;
  const auto from = parse_minutes(ends[0]);
  const auto until = parse_minutes(ends[1]);
  if (!from || !until || *from == *until || *from == k_minutes_of_day) return false;
  span.from = *from;
  span.until = *until;
  return true;
}

bool read_connections(const std::string& text, Span& span) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), span.connections);
  return error == std::errc{} && rest == text.data() + text.size() && span.connections > 0;
}

bool covers(const Span& span, unsigned day, unsigned minute) {
  const bool begins_today = ((span.days >> day) & 1U) != 0;
  if (span.from < span.until) return begins_today && minute >= span.from && minute < span.until;
  const bool began_yesterday = ((span.days >> ((day + 6) % 7)) & 1U) != 0;
  return (begins_today && minute >= span.from) || (began_yesterday && minute < span.until);
}

std::tm local_time(std::time_t time) {
  std::tm local{};
  ::localtime_r(&time, &local);
  return local;
}

}  // namespace

Result<Span> parse_span(const std::string& text) {
  const auto wrong = [&] {
    return failure(ErrorCode::config, "",
                   in_quotes(text) +
                       " is no time and bandwidth; write such as \"mon-fri 08:00-18:00 5MiB/s\", "
                       "\"22:00-06:00 0\" or \"sat,sun 20MiB/s connections=1\"");
  };
  std::vector<std::string> words;
  for (auto& word : split(text, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  Span span{.days = k_all_days, .from = 0, .until = k_minutes_of_day, .limit = 0, .connections = 0, .text = text};
  std::size_t at = 0;
  const auto days = words.empty() ? std::nullopt : parse_days(words[0]);
  if (days) {
    span.days = *days;
    ++at;
  }
  if (at < words.size() && words[at].find(':') != std::string::npos) {
    if (!read_hours(words[at], span)) return wrong();
    ++at;
  }
  if (!words.empty() && words.back().starts_with(k_connections)) {
    if (!read_connections(words.back().substr(k_connections.size()), span)) return wrong();
    words.pop_back();
  }
  if (at == 0 || at >= words.size()) return wrong();
  std::string rate = words[at];  // "5 MiB/s" is two words
  for (++at; at < words.size(); ++at)
    rate += ' ' + words[at];
  const auto limit = parse_rate(rate);
  if (!limit) return wrong();
  span.limit = *limit;
  return span;
}

const Span* span_at(const Timetable& timetable, const std::tm& local) {
  const auto day = static_cast<unsigned>(local.tm_wday);
  const auto minute = static_cast<unsigned>(local.tm_hour * 60 + local.tm_min);
  const auto found =
      std::find_if(timetable.begin(), timetable.end(), [&](const Span& span) { return covers(span, day, minute); });
  return found == timetable.end() ? nullptr : &*found;
}

const Span* span_at(const Timetable& timetable, std::time_t now) {
  return timetable.empty() ? nullptr : span_at(timetable, local_time(now));
}

std::time_t next_change(const Timetable& timetable, std::time_t now) {
  const std::tm today = local_time(now);
  const Span* current = span_at(timetable, today);
  std::vector<std::time_t> ends;
  for (int day = 0; day <= k_days_ahead; ++day) {
    for (const auto& span : timetable) {
      for (const unsigned minute : {span.from, span.until}) {
        std::tm then = today;
        then.tm_mday += day;
        then.tm_hour = static_cast<int>(minute / 60);
        then.tm_min = static_cast<int>(minute % 60);
        then.tm_sec = 0;
        then.tm_isdst = -1;
        ends.push_back(::mktime(&then));
      }
    }
  }
  std::sort(ends.begin(), ends.end());
  const auto found = std::find_if(ends.begin(), ends.end(),
                                  [&](std::time_t end) { return end > now && span_at(timetable, end) != current; });
  return found == ends.end() ? 0 : *found;
}

}  // namespace maildirsync::config
