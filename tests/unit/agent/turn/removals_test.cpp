#include "agent/turn/removals.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using namespace std::chrono_literals;
using Extent = Going::Extent;
using Found = Going::Found;

TEST(Removals, of_this_second_settle) {
  EXPECT_EQ(settle({.operations = 1, .age = 900ms}), Removals::settle);
}

TEST(Removals, go_once_they_are_older_than_a_second) {
  EXPECT_EQ(settle({.operations = 1, .age = 1100ms}), Removals::go);
}

TEST(Removals, go_once_they_have_settled) {
  EXPECT_EQ(settle({.operations = 1, .settled = true, .age = 0ns}), Removals::go);
}

TEST(Removals, that_a_walk_finds_settle_however_old_the_change_is) {
  EXPECT_EQ(settle({.operations = 1, .found = Found::by_walk, .age = 1h}), Removals::settle);
}

TEST(Removals, that_nobody_told_of_go) {
  EXPECT_EQ(settle({.operations = 1, .found = Found::by_walk}), Removals::go);
}

TEST(Removals, that_empty_a_folder_wait_until_nothing_more_goes) {
  EXPECT_EQ(settle({.operations = 3, .extent = Extent::a_whole_kind, .age = 1h}), Removals::in_mass);
}

TEST(Removals, in_a_mass_wait_though_they_have_settled_and_nobody_told_of_them) {
  EXPECT_EQ(settle({.operations = 300, .extent = Extent::mass, .settled = true}), Removals::in_mass);
}

TEST(Removals, in_a_mass_go_when_they_are_no_more_than_an_old_look_saw) {
  EXPECT_EQ(settle({.operations = 300, .extent = Extent::mass, .seen = 300, .settled = true}), Removals::go);
}

TEST(Removals, in_a_mass_that_has_grown_wait_on) {
  EXPECT_EQ(settle({.operations = 301, .extent = Extent::mass, .seen = 300, .settled = true}), Removals::in_mass);
}

}  // namespace
}  // namespace maildirsync::agent
