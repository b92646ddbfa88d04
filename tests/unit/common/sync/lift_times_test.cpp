#include "common/sync/lift_times.h"

#include <gtest/gtest.h>

namespace maildirsync::sync {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::int64_t k_given = 1'600'000'000'123'456'789;
constexpr std::int64_t k_kept = 1'600'000'000 * k_second;
constexpr std::int64_t k_year_2255 = 9'000'000'000 * k_second;
constexpr os::KeptTimes k_ext3{k_second, -2'147'483'648 * k_second, 2'147'483'647 * k_second};

AccountManifest account(const std::string& folder, std::vector<Entry> entries) {
  return {.structure_whole = true, .folders = {{.path = folder, .entries = std::move(entries)}}};
}

Entry message(const std::string& name, std::uint64_t size, std::int64_t mtime) {
  Entry entry;
  entry.name = name;
  entry.size = size;
  entry.mtime = mtime;
  return entry;
}

struct Lifted {
  os::KeptTimes times = k_ext3;
  OtherDates dates = OtherDates::lifted;
  std::vector<Intent> intents;

  std::int64_t operator()(const Entry& listed, const Entry& source, const std::string& source_folder = "") const {
    auto there = account("", {listed});
    const auto here = account(source_folder, {source});
    lift_times(there, {{"", times}}, {&here}, intents, dates);
    return there.folders[0].entries[0].mtime;
  }
};

TEST(LiftTimes, a_whole_second_becomes_the_time_that_was_given) {
  EXPECT_EQ(Lifted()(message("1.x:2,S", 5, k_kept), message("1.x:2,S", 5, k_given)), k_given);
}

TEST(LiftTimes, under_other_flags_and_in_another_folder) {
  EXPECT_EQ(Lifted()(message("1.x:2,", 5, k_kept), message("1.x:2,S", 5, k_given), ".Sent"), k_given);
}

TEST(LiftTimes, not_of_another_size_another_second_or_another_name) {
  EXPECT_EQ(Lifted()(message("1.x:2,", 6, k_kept), message("1.x:2,", 5, k_given)), k_kept) << "it is longer";
  EXPECT_EQ(Lifted()(message("1.x:2,", 5, k_kept), message("1.x:2,", 5, k_given + k_second)), k_kept);
  EXPECT_EQ(Lifted()(message("2.x:2,", 5, k_kept), message("1.x:2,", 5, k_given)), k_kept);
}

TEST(LiftTimes, of_two_that_were_copied_the_one_of_the_same_folder) {
  using Sources = std::vector<const AccountManifest*>;
  const auto here = account("", {message("1.x:2,", 5, k_given)});
  const auto sent = account(".Sent", {message("1.x:2,", 5, k_given + 1)});
  for (const auto& sources : {Sources{&here, &sent}, Sources{&sent, &here}}) {
    auto there = account("", {message("1.x:2,", 5, k_kept)});
    lift_times(there, {{"", k_ext3}}, sources, {}, OtherDates::lifted);
    EXPECT_EQ(there.folders[0].entries[0].mtime, k_given);
  }
}

TEST(LiftTimes, a_control_file_is_that_of_its_folder) {
  auto listed = message("dovecot-uidlist", 5, k_kept);
  auto given = message("dovecot-uidlist", 5, k_given);
  listed.area = given.area = Area::folder;
  EXPECT_EQ(Lifted()(listed, given), k_given);
  EXPECT_EQ(Lifted()(listed, given, ".Sent"), k_kept);
}

TEST(LiftTimes, not_where_nanoseconds_are_kept) {
  EXPECT_EQ(Lifted{.times = {}}(message("1.x:2,", 5, k_kept), message("1.x:2,", 5, k_given)), k_kept);
}

TEST(LiftTimes, one_that_is_equal_stays) {
  EXPECT_EQ(Lifted()(message("1.x:2,", 5, k_kept), message("1.x:2,", 5, k_kept)), k_kept);
}

TEST(LiftTimes, what_was_on_its_way_counts_too) {
  const Lifted lifted{.intents = {{{"", Area::cur, "1.x:2,"}, 5, k_given, 7}}};
  EXPECT_EQ(lifted(message("1.x:2,", 5, k_kept), message("2.x:2,", 5, k_given)), k_given);
}

TEST(LiftTimes, a_date_that_cannot_be_held_is_lifted_or_shown) {
  const auto there = message("1.x:2,", 5, k_ext3.latest);
  const auto here = message("1.x:2,", 5, k_year_2255);
  EXPECT_EQ(Lifted()(there, here), k_year_2255);
  EXPECT_EQ(Lifted{.dates = OtherDates::shown}(there, here), k_ext3.latest);
}

}  // namespace
}  // namespace maildirsync::sync
