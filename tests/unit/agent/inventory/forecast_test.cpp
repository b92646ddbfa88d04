#include "agent/inventory/forecast.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using nlohmann::json;

constexpr std::uint64_t k_gib = 1ULL << 30U;

/// One account of 100 GiB in 1,000,000 messages, and room enough for it.
Facts facts() {
  Facts facts;
  Inventory inventory;
  inventory.folders = 10;
  inventory.directories = 30;
  inventory.messages = inventory.inodes = 1'000'000;
  inventory.bytes = inventory.disk_bytes = 100 * k_gib;
  inventory.biggest_bytes = 1000;
  inventory.biggest_path = "cur/1";
  inventory.longest_name = 60;
  facts.accounts.push_back({.root = "r", .name = "a@x", .inventory = inventory});
  facts.roots.push_back({.name = "r",
                         .path = "/mail",
                         .mode = "mirror",
                         .space = Space{.file_system = 1,
                                        .total_bytes = 200 * k_gib,
                                        .free_bytes = 120 * k_gib,
                                        .total_inodes = 2'000'000,
                                        .free_inodes = 1'200'000,
                                        .longest_name = 255}});
  facts.is_receiver_asked = true;
  facts.owners.push_back({.root = "r", .uid = 5000, .gid = 5000, .is_mapped = true});
  facts.watch_limit = 31;
  facts.directories_above = 1;
  return facts;
}

std::vector<std::string> codes(const json& answer) {
  std::vector<std::string> codes;
  for (const auto& one : answer["to_do"]) {
    codes.push_back(one["code"]);
    EXPECT_NE(one["remedy"], "");
    EXPECT_NE(one["detail"], "");
  }
  EXPECT_EQ(answer["ready"], codes.empty());
  return codes;
}

using Codes = std::vector<std::string>;

TEST(Forecast, is_ready_when_nothing_is_to_be_done) {
  const auto answer = forecast(facts());
  EXPECT_EQ(codes(answer), Codes{});
  EXPECT_EQ(answer["totals"]["messages"], 1'000'000);
  EXPECT_EQ(answer["space"][0]["needed_bytes"], 120 * k_gib);
  EXPECT_EQ(answer["watches"]["needed"], 31);
}

TEST(Forecast, wants_a_fifth_more_space) {
  auto less = facts();
  less.roots[0].space->free_bytes -= 1;
  EXPECT_EQ(codes(forecast(less)), Codes{"no-space"});
}

TEST(Forecast, what_is_there_already_needs_no_space) {
  auto half = facts();
  half.accounts[0].there_bytes = 50 * k_gib;
  half.roots[0].space->free_bytes = 70 * k_gib;
  EXPECT_EQ(codes(forecast(half)), Codes{});
}

TEST(Forecast, wants_inodes_where_they_are_numbered) {
  auto few = facts();
  few.roots[0].space->free_inodes = 1'000'000;
  EXPECT_EQ(codes(forecast(few)), Codes{"no-space"});
  few.roots[0].space->total_inodes = 0;
  EXPECT_EQ(codes(forecast(few)), Codes{});
}

TEST(Forecast, tells_what_the_trash_takes_and_how_long) {
  Facts one = facts();
  EXPECT_TRUE(forecast(one)["space"][0]["trash"].empty()) << "an older receiver tells nothing of it";
  one.roots[0].space->trash = Space::Trash{.days = 14, .files = 30, .bytes = k_gib, .oldest = "2026-11-14"};
  const auto trash = forecast(one)["space"][0]["trash"];
  ASSERT_EQ(trash.size(), 1U);
  EXPECT_EQ(trash[0], nlohmann::json::parse(R"({"root": "r", "days": 14, "files": 30, "bytes": 1073741824,
                                                "oldest": "2026-11-14"})"));
  one.roots[0].space->trash = Space::Trash{};
  EXPECT_TRUE(forecast(one)["space"][0]["trash"][0]["oldest"].is_null());
}

TEST(Forecast, roots_on_one_file_system_share_its_space) {
  auto two = facts();
  two.roots.push_back(two.roots[0]);
  two.roots[1].name = "s";
  two.accounts.push_back(two.accounts[0]);
  two.accounts[1].root = "s";
  two.watch_limit = 100;
  two.roots[0].space->total_inodes = 0;
  EXPECT_EQ(codes(forecast(two)), Codes{"no-space"});
  two.roots[1].space->file_system = 2;
  EXPECT_EQ(codes(forecast(two)), Codes{});
}

TEST(Forecast, wants_a_watch_for_each_directory_where_they_are_limited) {
  auto few = facts();
  few.watch_limit = 30;
  EXPECT_EQ(codes(forecast(few)), Codes{"unwatched"});
  few.needs_watches = false;
  EXPECT_EQ(codes(forecast(few)), Codes{});
}

TEST(Forecast, names_owners_that_are_not_mapped) {
  auto unmapped = facts();
  unmapped.owners.push_back({.root = "r", .uid = 7, .gid = 7, .is_mapped = false, .detail = "user 7 is not mapped"});
  EXPECT_EQ(codes(forecast(unmapped)), Codes{"unmapped-owner"});
}

TEST(Forecast, tells_unreadable_mail_from_what_is_no_mail) {
  auto some = facts();
  some.accounts[0].inventory.left_out = {{ErrorCode::special_file, "cur/socket", "it is a socket"},
                                         {ErrorCode::permission, ".Private", "permission denied"}};
  const auto answer = forecast(some);
  EXPECT_EQ(codes(answer), Codes{"permission"});
  EXPECT_EQ(answer["left_out_count"], 2);
}

TEST(Forecast, a_link_where_an_account_would_be_must_be_put_right) {
  auto linked = facts();
  linked.roots[0].left_out = {{ErrorCode::special_file, "example.org/b", "a symbolic link"}};
  EXPECT_EQ(codes(forecast(linked)), Codes{"special-file"});
}

TEST(Forecast, mail_that_is_left_out_must_be_put_right) {
  auto some = facts();
  some.accounts[0].inventory.left_out = {{ErrorCode::mail_left_out, ".Archive", "a link to a directory"}};
  EXPECT_EQ(codes(forecast(some)), Codes{"mail-left-out"});
}

TEST(Forecast, a_root_without_accounts_is_not_ready) {
  auto none = facts();
  none.accounts.clear();
  EXPECT_EQ(codes(forecast(none)), Codes{"no-accounts"});
  none.is_of_all = false;
  EXPECT_EQ(codes(forecast(none)), Codes{});
}

TEST(Forecast, names_that_the_destination_cannot_hold) {
  auto narrow = facts();
  narrow.roots[0].space->longest_name = 59;
  EXPECT_EQ(codes(forecast(narrow)), Codes{"bad-name"});
}

TEST(Forecast, without_a_receiver_there_is_still_the_inventory) {
  auto alone = facts();
  alone.is_receiver_asked = false;
  alone.receiver_trouble = "cannot connect";
  alone.roots[0].space.reset();
  alone.owners.clear();
  const auto answer = forecast(alone);
  EXPECT_EQ(codes(answer), Codes{"unreachable"});
  EXPECT_EQ(answer["totals"]["bytes"], 100 * k_gib);
}

TEST(Forecast, says_how_the_time_was_computed) {
  auto some = facts();
  EXPECT_EQ(forecast(some)["expected"]["basis"], "assumed");
  some.measured_bytes_per_second = 1.0 * k_gib;
  EXPECT_EQ(forecast(some)["expected"]["basis"], "measured");
  EXPECT_DOUBLE_EQ(forecast(some)["expected"]["first_copy_seconds"], 100);
  some.bandwidth_limit = k_gib / 2;
  EXPECT_EQ(forecast(some)["expected"]["basis"], "bandwidth-limit");
  EXPECT_DOUBLE_EQ(forecast(some)["expected"]["first_copy_seconds"], 200);
  some.accounts[0].there_bytes = 50 * k_gib;
  EXPECT_DOUBLE_EQ(forecast(some)["expected"]["first_copy_seconds"], 100);
}

}  // namespace
}  // namespace maildirsync::agent
