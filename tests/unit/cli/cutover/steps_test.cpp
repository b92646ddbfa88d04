#include "cli/cutover/steps.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

constexpr Script k_all{.freeze = true, .thaw = true, .switch_over = true, .unswitch = true};
constexpr Script k_no_way_back{.freeze = true, .thaw = true, .switch_over = true, .unswitch = false};

/// The words of a whole cutover in which these end badly ("flush") or are not begun ("-flush").
std::string play(const Script& script, const std::set<std::string>& bad = {}) {
  std::vector<Done> history;
  std::string words;
  while (const auto task = next_task(script, history)) {
    const std::string name(task->undoes ? undo_of(task->step) : name_of(task->step));
    const End end = bad.contains(name) ? End::bad : bad.contains("-" + name) ? End::not_begun : End::good;
    words += (words.empty() ? "" : " ") + name + (end == End::good ? "" : end == End::bad ? "!" : "?");
    history.push_back({*task, end});
    if (history.size() > 20) return "endless";
  }
  EXPECT_EQ(is_complete(script, history), bad.empty());
  return words;
}

TEST(CutoverSteps, go_in_order) {
  EXPECT_EQ(play(k_all), "presync freeze flush verify switch drain");
}

TEST(CutoverSteps, without_commands_are_left_out) {
  EXPECT_EQ(play({}), "presync flush verify drain");
}

TEST(CutoverSteps, a_failed_presync_leaves_nothing_to_undo) {
  EXPECT_EQ(play(k_all, {"presync"}), "presync!");
}

TEST(CutoverSteps, a_failed_freeze_may_be_half_a_freeze_and_is_thawed) {
  EXPECT_EQ(play(k_all, {"freeze"}), "presync freeze! thaw");
}

TEST(CutoverSteps, a_failed_flush_or_verification_is_thawed) {
  EXPECT_EQ(play(k_all, {"flush"}), "presync freeze flush! thaw");
  EXPECT_EQ(play(k_all, {"verify"}), "presync freeze flush verify! thaw");
}

TEST(CutoverSteps, a_failed_switch_is_undone_before_the_freeze) {
  EXPECT_EQ(play(k_all, {"switch"}), "presync freeze flush verify switch! unswitch thaw");
  EXPECT_EQ(play(k_no_way_back, {"switch"}), "presync freeze flush verify switch! thaw");
}

TEST(CutoverSteps, a_failed_drain_is_undone_the_last_step_first) {
  EXPECT_EQ(play(k_all, {"drain"}), "presync freeze flush verify switch drain! mirror unswitch thaw");
  EXPECT_EQ(play({.freeze = true, .thaw = true}, {"drain"}), "presync freeze flush verify drain! mirror thaw");
}

TEST(CutoverSteps, a_switch_that_cannot_be_undone_is_the_point_of_no_return) {
  EXPECT_EQ(play(k_no_way_back, {"drain"}), "presync freeze flush verify switch drain!");
}

TEST(CutoverSteps, an_undoing_that_fails_keeps_back_no_other) {
  EXPECT_EQ(play(k_all, {"drain", "mirror", "unswitch"}),
            "presync freeze flush verify switch drain! mirror! unswitch! thaw");
}

TEST(CutoverSteps, what_was_not_begun_is_not_undone) {
  EXPECT_EQ(play(k_all, {"-freeze"}), "presync freeze?");
  EXPECT_EQ(play(k_all, {"-switch"}), "presync freeze flush verify switch? thaw");
}

TEST(CutoverSteps, a_freeze_without_a_thaw_is_left_to_a_person) {
  EXPECT_EQ(play({.freeze = true}, {"verify"}), "presync freeze flush verify!");
}

}  // namespace
}  // namespace maildirsync::cli
