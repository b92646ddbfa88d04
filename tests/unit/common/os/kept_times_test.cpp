#include "common/os/kept_times.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::os {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr KeptTimes k_ext3{k_second, -2'147'483'648 * k_second, 2'147'483'647 * k_second};

TEST(KeptTimes, all_are_kept_where_nothing_else_is_known) {
  EXPECT_EQ(KeptTimes().kept(1'600'000'000'123'456'789), 1'600'000'000'123'456'789);
  EXPECT_EQ(KeptTimes().kept(-1), -1);
  EXPECT_TRUE(KeptTimes().holds(std::numeric_limits<std::int64_t>::max()));
}

TEST(KeptTimes, are_cut_to_the_grain_towards_the_past) {
  EXPECT_EQ(k_ext3.kept(1'600'000'000'999'999'999), 1'600'000'000 * k_second);
  EXPECT_EQ(k_ext3.kept(-1), -k_second);
  EXPECT_EQ((KeptTimes{.grain = 1000}.kept(1'600'000'000'123'456'789)), 1'600'000'000'123'456'000);
}

TEST(KeptTimes, beyond_the_last_date_become_the_last_one) {
  const std::int64_t year_2100 = 4'102'444'800 * k_second;
  EXPECT_EQ(k_ext3.kept(year_2100), k_ext3.latest);
  EXPECT_EQ(k_ext3.kept(-year_2100), k_ext3.earliest);
  EXPECT_FALSE(k_ext3.holds(year_2100));
  EXPECT_FALSE(k_ext3.holds(-year_2100));
}

TEST(KeptTimes, a_lost_fraction_is_no_other_date) {
  EXPECT_TRUE(k_ext3.holds(1'600'000'000'123'456'789));
  EXPECT_TRUE(k_ext3.holds(k_ext3.latest + 5));
}

RC_GTEST_PROP(KeptTimes, what_is_kept_is_kept_as_it_is, (std::int64_t time)) {
  RC_ASSERT(k_ext3.kept(k_ext3.kept(time)) == k_ext3.kept(time));
}

TEST(KeptTimes, are_measured_without_a_trace) {
  maildirsync::testing::Tree tree;
  tree.directory("a").settle();
  const auto before = nanoseconds(tree.status("a").st_mtim);
  const auto directory = tree.open().open_directory("a").value();
  const auto times = measure_kept_times(directory).value();
  EXPECT_GE(times.grain, 1);
  EXPECT_LT(times.earliest, times.latest);
  EXPECT_TRUE(directory.list().value().empty());
  EXPECT_EQ(nanoseconds(tree.status("a").st_mtim), before);
  tree.file("a/file").mtime("a/file", 1'600'000'000'123'456'789);
  EXPECT_EQ(nanoseconds(tree.status("a/file").st_mtim), times.kept(1'600'000'000'123'456'789));
}

TEST(Stamps, of_whole_seconds_are_trusted_a_second_or_two_later) {
  const std::int64_t odd = 1'600'000'001 * k_second;
  const std::int64_t even = 1'600'000'000 * k_second;
  EXPECT_TRUE(is_racy(odd, odd + k_second));
  EXPECT_FALSE(is_racy(odd, odd + k_second + 20'000'000));
  EXPECT_TRUE(is_racy(even, even + k_second + 20'000'000)) << "it may be one of a file system of two seconds";
  EXPECT_FALSE(is_racy(even, even + 2 * k_second + 20'000'000));
}

TEST(Stamps, with_a_fraction_are_trusted_a_tick_later) {
  const std::int64_t stamp = 1'600'000'000'123'456'789;
  EXPECT_TRUE(is_racy(stamp, stamp + 9'000'000));
  EXPECT_FALSE(is_racy(stamp, stamp + 10'000'000));
}

TEST(Stamps, of_the_future_are_never_trusted) {
  const std::int64_t now = 1'600'000'000'123'456'789;
  EXPECT_TRUE(is_racy(now + 3600 * k_second, now));
  EXPECT_TRUE(is_racy(std::numeric_limits<std::int64_t>::max(), now));
}

}  // namespace
}  // namespace maildirsync::os
