#include "agent/requests/stragglers.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;

Straggler straggler(std::string name, std::int64_t came, Straggler::Where where) {
  return {"", {.area = sync::Area::new_, .name = std::move(name), .size = 10}, came * k_second, where};
}

TEST(Stragglers, are_summed_by_root_and_domain_and_named_in_the_order_they_came) {
  Stragglers stragglers;
  stragglers.add("vhosts", 1'700'000'000 * k_second);
  stragglers.add("vhosts", "a@example.org", {straggler("2.x", 1'700'000'020, Straggler::Where::there)});
  stragglers.add("vhosts", "b@example.com",
                 {straggler("1.x", 1'700'000'010, Straggler::Where::waits),
                  straggler("3.x", 1'700'000'030, Straggler::Where::was_there)});
  stragglers.add("mirrored", "c@example.org", {straggler("4.x", 1'700'000'040, Straggler::Where::there)});
  const auto json = stragglers.to_json();
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["root"], "vhosts");
  EXPECT_EQ(json[0]["since"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json[0]["messages"], 3);
  EXPECT_EQ(json[0]["waiting"], 1);
  EXPECT_EQ(json[0]["last"], "2023-11-14T22:13:50Z");
  ASSERT_EQ(json[0]["domains"].size(), 2U);
  EXPECT_EQ(json[0]["domains"][0]["domain"], "example.com");
  EXPECT_EQ(json[0]["domains"][1]["last_unix"], 1'700'000'020);
  ASSERT_EQ(json[0]["named"].size(), 3U);
  EXPECT_EQ(json[0]["named"][0]["path"], "new/1.x");
  EXPECT_EQ(json[0]["named"][2]["where"], "was-there");
}

TEST(Stragglers, of_a_root_to_which_nothing_came) {
  Stragglers stragglers;
  stragglers.add("vhosts", 1'700'000'000 * k_second);
  EXPECT_EQ(stragglers.to_json()[0]["last"], nullptr);
  EXPECT_EQ(stragglers.to_json()[0]["messages"], 0);
}

TEST(Stragglers, begin_when_the_drain_was_said_where_nothing_else_is_known) {
  EXPECT_EQ(drained_since({.when = "2023-11-14T22:13:20Z", .given_until = 5}), 5);
  EXPECT_EQ(drained_since({.when = "2023-11-14T22:13:20Z"}), 1'700'000'000 * k_second);
  EXPECT_EQ(drained_since({.when = "once"}), 0);
}

}  // namespace
}  // namespace maildirsync::agent
