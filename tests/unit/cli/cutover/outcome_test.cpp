#include "cli/cutover/outcome.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

constexpr Script k_all{.freeze = true, .thaw = true, .switch_over = true, .unswitch = true};
constexpr Script k_no_unswitch{.freeze = true, .thaw = true, .switch_over = true};

bool says(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

TEST(CutoverRemedy, there_is_none_where_nothing_stands) {
  EXPECT_EQ(remedy_of(k_all, {{{Step::presync, false}, End::bad}}), "");
  EXPECT_EQ(remedy_of(k_all, {{{Step::freeze, false}, End::bad}, {{Step::freeze, true}, End::good}}), "");
}

TEST(CutoverRemedy, says_both_ways_from_a_switch_that_cannot_be_undone) {
  const std::string half =
      remedy_of(k_no_unswitch, {{{Step::freeze, false}, End::good}, {{Step::switch_over, false}, End::bad}});
  EXPECT_TRUE(says(half, "may serve already") && says(half, "--resume") && says(half, "--undo --unswitch true"))
      << half;
  const std::string done = remedy_of(
      k_no_unswitch,
      {{{Step::freeze, false}, End::good}, {{Step::switch_over, false}, End::good}, {{Step::drain, false}, End::bad}});
  EXPECT_TRUE(says(done, "the switch is done") && says(done, "--resume") && says(done, "--undo")) << done;
}

TEST(CutoverRemedy, names_the_undoing_that_failed) {
  const std::vector<Done> switched{{{Step::freeze, false}, End::good}, {{Step::switch_over, false}, End::bad}};
  auto unswitched = switched;
  unswitched.push_back({{Step::switch_over, true}, End::bad});
  EXPECT_TRUE(says(remedy_of(k_all, unswitched), "--unswitch failed"));
  auto thawed = switched;
  thawed.push_back({{Step::switch_over, true}, End::good});
  thawed.push_back({{Step::freeze, true}, End::bad});
  EXPECT_TRUE(says(remedy_of(k_all, thawed), "--thaw failed"));
}

TEST(CutoverRemedy, a_freeze_that_nothing_undoes_is_undone_by_hand) {
  EXPECT_TRUE(says(remedy_of({.freeze = true}, {{{Step::freeze, false}, End::good}, {{Step::flush, false}, End::bad}}),
                   "--undo --thaw true"));
}

}  // namespace
}  // namespace maildirsync::cli
