#include "daemon/session/run_mark.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::int64_t k_minute = 60 * k_second;

class Mark : public ::testing::Test {
 protected:
  RunMark begin(const std::string& boot) {
    auto mark = RunMark::begin(tree_.path(""), boot);
    if (!mark) throw std::runtime_error(mark.error().message());
    return std::move(*mark);
  }

  maildirsync::testing::Tree tree_;
};

TEST_F(Mark, tells_of_nothing_at_the_first_start) {
  const auto mark = begin("boot 1");
  EXPECT_FALSE(mark.last_unclean_end());
  EXPECT_FALSE(mark.is_new());
}

TEST_F(Mark, tells_of_nothing_after_a_clean_end) {
  begin("boot 1").end();
  EXPECT_FALSE(begin("boot 2").last_unclean_end());
}

TEST_F(Mark, tells_of_nothing_after_a_kill_in_the_same_boot) {
  begin("boot 1");
  EXPECT_FALSE(begin("boot 1").last_unclean_end());
}

TEST_F(Mark, tells_of_an_end_with_the_machine) {
  begin("boot 1");
  const std::int64_t seen = 1'700'000'000 * k_second;
  tree_.mtime("running", seen);
  const auto mark = begin("boot 2");
  ASSERT_TRUE(mark.last_unclean_end());
  EXPECT_TRUE(mark.is_new());
  EXPECT_EQ(mark.last_unclean_end()->number, 1u);
  EXPECT_LT(mark.last_unclean_end()->since, seen - 5 * k_minute);
  EXPECT_GT(mark.last_unclean_end()->since, seen - 20 * k_minute);
}

TEST_F(Mark, tells_of_a_kill_and_then_a_power_cut) {
  begin("boot 1");
  begin("boot 1");
  EXPECT_TRUE(begin("boot 2").is_new());
}

TEST_F(Mark, keeps_telling_of_the_last_one_and_counts) {
  begin("boot 1");
  const auto since = begin("boot 2").last_unclean_end()->since;
  auto mark = begin("boot 2");
  EXPECT_EQ(mark.last_unclean_end()->number, 1u);
  EXPECT_EQ(mark.last_unclean_end()->since, since);
  EXPECT_FALSE(mark.is_new());
  mark.end();
  EXPECT_EQ(begin("boot 3").last_unclean_end()->number, 1u);
  EXPECT_EQ(begin("boot 4").last_unclean_end()->number, 2u);
}

TEST_F(Mark, takes_any_end_for_unclean_where_boots_cannot_be_told_apart) {
  begin("");
  EXPECT_TRUE(begin("").is_new());
}

TEST_F(Mark, takes_a_sign_of_life_for_the_last_one) {
  const auto mark = begin("boot 1");
  tree_.mtime("running", k_minute);
  mark.live();
  EXPECT_GT(begin("boot 2").last_unclean_end()->since, 1'600'000'000 * k_second);
}

TEST_F(Mark, needs_a_directory_to_write_to) {
  EXPECT_FALSE(RunMark::begin(tree_.path("none"), "boot 1"));
}

}  // namespace
}  // namespace maildirsync::daemon
