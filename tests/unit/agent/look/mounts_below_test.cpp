#include "agent/look/mounts_below.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using sync::Area;
using sync::Operation;
using sync::OperationKind;

Operation removal(const std::string& folder) {
  return {.kind = OperationKind::remove, .from = {folder, Area::cur, "1"}};
}

TEST(MountsBelow, holds_where_a_mount_went_and_messages_with_it) {
  EXPECT_EQ(mount_to_hold({{"", 0}, {".Archive", 5}}, {{"", 0}, {".Archive", 0}}, {removal(".Archive")}), ".Archive");
  EXPECT_EQ(mount_to_hold({{".Archive", 5}}, {}, {removal(".Archive/2024")}), ".Archive");
  EXPECT_EQ(mount_to_hold({{"", 5}}, {{"", 0}}, {removal(".Sent")}), "");
}

TEST(MountsBelow, holds_where_a_mount_came_over_messages_or_was_exchanged) {
  EXPECT_EQ(mount_to_hold({{".Archive", 0}}, {{".Archive", 5}}, {removal(".Archive")}), ".Archive");
  EXPECT_EQ(mount_to_hold({{".Archive", 7}}, {{".Archive", 5}}, {removal(".Archive")}), ".Archive");
}

TEST(MountsBelow, lets_go_what_has_nothing_to_do_with_it) {
  EXPECT_EQ(mount_to_hold({{".Archive", 5}}, {{".Archive", 5}}, {removal(".Archive")}), std::nullopt);
  EXPECT_EQ(mount_to_hold({{".Archive", 5}}, {{".Archive", 0}}, {removal(".Archive2"), removal("")}), std::nullopt);
  EXPECT_EQ(mount_to_hold({{".Archive", 0}}, {{".Archive", 5}}, {}), std::nullopt);
  EXPECT_EQ(mount_to_hold({}, {{".Archive", 0}}, {removal(".Archive")}), std::nullopt);
  EXPECT_EQ(mount_to_hold({{".Sent", 0}}, {}, {removal(".Sent")}), std::nullopt);
}

}  // namespace
}  // namespace maildirsync::agent
