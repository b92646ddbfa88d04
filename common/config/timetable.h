#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::config {

/// A time of the week in which another bandwidth counts, by the clock on the wall: "mon-fri 08:00-18:00 5MiB/s".
struct Span {
  unsigned days = 0;             ///< bit 0: Sunday, as in tm_wday; the days on which it begins
  unsigned from = 0, until = 0;  ///< minutes of the day; one that ends before it begins goes over midnight
  std::uint64_t limit = 0;       ///< bytes a second; 0: none
  unsigned connections = 0;      ///< at most so many work at once, each with at most one processor; 0: all
  std::string text;              ///< as it was written
};
/// The first that fits counts.
using Timetable = std::vector<Span>;

/// "[DAYS] [HH:MM-HH:MM] RATE [connections=N]"; days such as "mon-fri" or "sat,sun", without them all; without hours
/// the whole day. One of the two is there.
Result<Span> parse_span(const std::string& text);

/// What counts at that time, in local time; null when none of it does. Pure.
const Span* span_at(const Timetable& timetable, const std::tm& local);
/// The same by the time zone of the process, seconds since the epoch.
const Span* span_at(const Timetable& timetable, std::time_t now);

/// When another span, or none, begins to count, seconds since the epoch; 0 when that is never. By the time zone of the
/// process, whose change to and from summer time may move it by that hour.
std::time_t next_change(const Timetable& timetable, std::time_t now);

}  // namespace maildirsync::config
