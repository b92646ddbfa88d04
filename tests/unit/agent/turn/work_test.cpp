#include "agent/turn/work.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using sync::Area;

constexpr Time k_early{std::chrono::seconds(10)};
constexpr Time k_late{std::chrono::seconds(20)};

TEST(Work, is_empty_until_something_is_to_be_looked_at) {
  Work work;
  EXPECT_TRUE(work.empty());
  work.settled = true;
  EXPECT_TRUE(work.empty());
  work.add_name("", {Area::cur, "1.x"}, k_early);
  EXPECT_FALSE(work.empty());
}

TEST(Work, says_the_same_name_once) {
  Work work;
  for (int i = 0; i < 5; ++i)
    work.add_name(".Sent", {Area::cur, "1.x"}, k_late);
  work.add_name(".Sent", {Area::new_, "1.x"}, k_early);
  EXPECT_EQ(work.names(), 2u);
  EXPECT_EQ(work.oldest, k_early);
}

TEST(Work, of_a_whole_folder_swallows_its_names) {
  Work work;
  work.add_name("", {Area::cur, "1.x"}, k_early);
  work.folders[""] = {.everything = true, .names = {}};
  work.changed_at(k_late);
  work.add_name("", {Area::cur, "2.x"}, k_late);
  EXPECT_TRUE(work.folders.at("").everything);
  EXPECT_TRUE(work.folders.at("").names.empty());
  EXPECT_EQ(work.oldest, k_early);
}

TEST(Work, lists_a_folder_rather_than_very_many_names) {
  Work work;
  for (std::size_t i = 0; i < k_names_before_listing; ++i)
    work.add_name("", {Area::cur, std::to_string(i)}, k_early);
  EXPECT_FALSE(work.folders.at("").everything);
  work.add_name("", {Area::cur, "one more"}, k_early);
  EXPECT_TRUE(work.folders.at("").everything);
  EXPECT_EQ(work.names(), 1u);
}

TEST(Work, merges_into_all_that_both_say) {
  Work mine, other;
  mine.add_name("a", {Area::cur, "1"}, k_late);
  mine.folders["b"] = {.everything = true, .names = {}};
  mine.changed_at(k_late);
  other.add_name("a", {Area::cur, "2"}, k_early);
  other.add_name("b", {Area::cur, "3"}, k_early);
  other.folders["c"] = {.everything = true, .names = {}};
  other.changed_at(k_early);
  other.compare = other.full = other.settled = true;
  other.add_structure(k_early);
  mine.merge(other);
  EXPECT_EQ(mine.folders.at("a").names.size(), 2u);
  EXPECT_TRUE(mine.folders.at("b").everything);
  EXPECT_TRUE(mine.folders.at("b").names.empty());
  EXPECT_TRUE(mine.folders.at("c").everything);
  EXPECT_TRUE(mine.structure && mine.full && mine.compare && mine.settled);
  EXPECT_EQ(mine.oldest, k_early);
}

TEST(Work, a_look_that_only_makes_sure_has_no_age) {
  Work mine, other;
  other.structure = true;
  mine.merge(other);
  EXPECT_FALSE(mine.oldest);
}

TEST(Work, a_whole_folder_that_is_merged_swallows_names) {
  Work mine, other;
  mine.add_name("a", {Area::cur, "1"}, k_early);
  other.folders["a"] = {.everything = true, .names = {}};
  other.changed_at(k_late);
  mine.merge(other);
  EXPECT_TRUE(mine.folders.at("a").everything);
  EXPECT_TRUE(mine.folders.at("a").names.empty());
}

TEST(Work, merges_very_many_names_into_a_listing) {
  Work mine, other;
  for (std::size_t i = 0; i < k_names_before_listing; ++i)
    mine.add_name("a", {Area::cur, "x" + std::to_string(i)}, k_early);
  for (std::size_t i = 0; i < k_names_before_listing; ++i)
    other.add_name("a", {Area::cur, "y" + std::to_string(i)}, k_early);
  mine.merge(other);
  EXPECT_TRUE(mine.folders.at("a").everything);
  EXPECT_TRUE(mine.folders.at("a").names.empty());
}

}  // namespace
}  // namespace maildirsync::agent
