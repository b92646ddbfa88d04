#include "common/config/timetable.h"

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace maildirsync::config {
namespace {

Timetable timetable(const std::vector<std::string>& lines) {
  Timetable parsed;
  for (const auto& line : lines) {
    auto span = parse_span(line);
    EXPECT_TRUE(span) << line;
    if (span) parsed.push_back(std::move(*span));
  }
  return parsed;
}

/// 2 November 2026 is a Monday.
std::tm on(int day, int hour, int minute) {
  std::tm local{};
  local.tm_year = 126;
  local.tm_mon = 10;
  local.tm_mday = day;
  local.tm_hour = hour;
  local.tm_min = minute;
  local.tm_wday = (day - 1) % 7;
  return local;
}

/// The limit that counts, or nothing.
std::string at(const std::vector<std::string>& lines, const std::tm& local) {
  const Timetable spans = timetable(lines);
  const Span* span = span_at(spans, local);
  return span == nullptr ? "-" : std::to_string(span->limit);
}

TEST(Timetable, a_line_counts_on_its_days_from_its_first_minute_to_the_one_before_its_end) {
  const std::vector<std::string> working{"mon-fri 08:00-18:00 5"};
  struct Case {
    std::tm when;
    const char* limit;
  };
  for (const auto& [when, limit] : std::vector<Case>{{on(2, 7, 59), "-"},
                                                     {on(2, 8, 0), "5"},
                                                     {on(2, 17, 59), "5"},
                                                     {on(2, 18, 0), "-"},
                                                     {on(6, 12, 0), "5"},
                                                     {on(7, 12, 0), "-"},
                                                     {on(8, 12, 0), "-"}}) {
    EXPECT_EQ(at(working, when), limit) << when.tm_mday << ' ' << when.tm_hour << ':' << when.tm_min;
  }
}

TEST(Timetable, one_over_midnight_belongs_to_the_day_on_which_it_begins) {
  const std::vector<std::string> night{"fri 22:00-06:00 7"};
  EXPECT_EQ(at(night, on(6, 21, 59)), "-");
  EXPECT_EQ(at(night, on(6, 22, 0)), "7");
  EXPECT_EQ(at(night, on(7, 5, 59)), "7");
  EXPECT_EQ(at(night, on(7, 6, 0)), "-");
  EXPECT_EQ(at(night, on(7, 23, 0)), "-");
  EXPECT_EQ(at(night, on(6, 3, 0)), "-");
}

TEST(Timetable, the_first_line_that_fits_counts) {
  const std::vector<std::string> lines{"sat,sun 0", "12:00-13:00 3", "00:00-24:00 9"};
  EXPECT_EQ(at(lines, on(7, 12, 30)), "0");
  EXPECT_EQ(at(lines, on(2, 12, 30)), "3");
  EXPECT_EQ(at(lines, on(2, 13, 0)), "9");
}

TEST(Timetable, days_are_lists_and_ranges_that_may_go_over_the_end_of_the_week) {
  EXPECT_EQ(parse_span("mon 1")->days, 0b0000010u);
  EXPECT_EQ(parse_span("fri-mon 1")->days, 0b1100011u);
  EXPECT_EQ(parse_span("tue,thu-sat 1")->days, 0b1110100u);
  EXPECT_EQ(parse_span("08:00-09:00 1")->days, 0b1111111u);
}

TEST(Timetable, a_line_may_say_how_many_connections_work_at_once) {
  EXPECT_EQ(parse_span("mon-fri 1.5 MiB/s connections=2")->connections, 2u);
  EXPECT_EQ(parse_span("mon-fri 1.5 MiB/s connections=2")->limit, 1572864u);
  EXPECT_EQ(parse_span("mon-fri 1")->connections, 0u);
}

TEST(Timetable, what_is_none_is_refused) {
  for (const char* line :
       {"", "5MiB/s", "mon", "mon 08:00-18:00", "monday 5", "mon-tue-wed 5", "mon 8:00-18:00 5", "mon 08:00-08:00 5",
        "mon 24:00-08:00 5", "mon 08:60-09:00 5", "mon 08:00 5", "mon 25:00-26:00 5", "mon 08:00-09:00 fast",
        "mon 5 connections=0", "mon 5 connections=x", "mon connections=2", "mon, 5"}) {
    EXPECT_FALSE(parse_span(line)) << line;
  }
}

class InBerlin : public ::testing::Test {
 protected:
  InBerlin() {
    const char* zone = std::getenv("TZ");
    before_ = zone == nullptr ? "" : zone;
    had_ = zone != nullptr;
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    ::tzset();
  }
  ~InBerlin() override {
    had_ ? ::setenv("TZ", before_.c_str(), 1) : ::unsetenv("TZ");
    ::tzset();
  }
  static std::time_t utc(int month, int day, int hour, int minute) {
    std::tm when{};
    when.tm_year = 126;
    when.tm_mon = month - 1;
    when.tm_mday = day;
    when.tm_hour = hour;
    when.tm_min = minute;
    return ::timegm(&when);
  }

 private:
  std::string before_;
  bool had_ = false;
};

TEST_F(InBerlin, a_line_goes_by_the_clock_on_the_wall_in_summer_and_in_winter) {
  const Timetable working = timetable({"08:00-18:00 5"});
  EXPECT_EQ(span_at(working, utc(7, 1, 5, 59)), nullptr);
  EXPECT_NE(span_at(working, utc(7, 1, 6, 0)), nullptr);
  EXPECT_EQ(span_at(working, utc(12, 1, 6, 59)), nullptr);
  EXPECT_NE(span_at(working, utc(12, 1, 7, 0)), nullptr);
}

TEST_F(InBerlin, the_next_change_is_told_over_a_night_in_which_the_clock_changes) {
  const Timetable working = timetable({"mon-fri 08:00-18:00 5"});
  EXPECT_EQ(next_change(working, utc(11, 2, 9, 0)), utc(11, 2, 17, 0));
  // From Friday, 23 October, 18:00 in summer time, to Monday, 08:00 in winter time.
  EXPECT_EQ(next_change(working, utc(10, 23, 16, 0)), utc(10, 26, 7, 0));
  EXPECT_EQ(next_change({}, utc(11, 2, 9, 0)), 0);
  EXPECT_EQ(next_change(timetable({"00:00-24:00 5"}), utc(11, 2, 9, 0)), 0);
}

}  // namespace
}  // namespace maildirsync::config
