#include "cli/cutover/steps.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

constexpr Script k_all{.freeze = true, .thaw = true, .switch_over = true, .unswitch = true, .check = true};
constexpr Script k_no_way_back{.freeze = true, .thaw = true, .switch_over = true, .check = true};
constexpr Script k_rehearsal{.freeze = true, .thaw = true, .switch_over = true, .check = true, .rehearse = true};

struct Played {
  std::string words;
  std::vector<Done> history;
};

/// A cutover from a history on in which these end badly ("flush"), are not begun ("-flush"), or are the last thing
/// that was begun when the program was killed ("+flush").
Played play_on(const Script& script, const std::set<std::string>& bad, std::vector<Done> history, Way way = Way::on) {
  std::string words;
  while (const auto task = next_task(script, history, way)) {
    const std::string name(task->undoes ? undo_of(task->step) : name_of(task->step));
    const bool killed = bad.contains("+" + name);
    const End end = killed                     ? End::unknown
                    : bad.contains(name)       ? End::bad
                    : bad.contains("-" + name) ? End::not_begun
                                               : End::good;
    const char* mark = killed ? "+" : end == End::good ? "" : end == End::bad ? "!" : "?";
    words += (words.empty() ? "" : " ") + name + mark;
    history.push_back({*task, end});
    if (killed) break;
    if (history.size() > 40) return {"endless", history};
  }
  return {words, history};
}

std::string play(const Script& script, const std::set<std::string>& bad = {}) {
  const auto played = play_on(script, bad, {});
  EXPECT_EQ(is_complete(script, played.history), bad.empty());
  return played.words;
}

bool ends_open(const Script& script, const std::set<std::string>& bad) {
  return is_open(script, play_on(script, bad, {}).history);
}

/// What one that goes on does after such an end.
std::string go_on(const Script& script, const std::set<std::string>& bad, const std::set<std::string>& bad_then = {}) {
  return play_on(script, bad_then, to_go_on(play_on(script, bad, {}).history)).words;
}

std::string go_back(const Script& script, const std::set<std::string>& bad) {
  return play_on(script, {}, to_go_back(play_on(script, bad, {}).history), Way::back).words;
}

TEST(CutoverSteps, go_in_order) {
  EXPECT_EQ(play(k_all), "presync freeze flush verify indexes switch check drain");
  EXPECT_FALSE(ends_open(k_all, {}));
}

TEST(CutoverSteps, without_commands_are_left_out) {
  EXPECT_EQ(play({}), "presync flush verify indexes drain");
  EXPECT_EQ(play({.switch_over = true}), "presync flush verify indexes switch drain");
}

TEST(CutoverSteps, of_a_rehearsal_end_with_the_thaw_after_the_verification) {
  EXPECT_EQ(play(k_rehearsal), "presync freeze flush verify thaw");
  EXPECT_EQ(play({.rehearse = true}), "presync flush verify");
  EXPECT_EQ(play(k_rehearsal, {"flush"}), "presync freeze flush! thaw");
  EXPECT_FALSE(ends_open(k_rehearsal, {}));
  EXPECT_TRUE(ends_open(k_rehearsal, {"thaw"}));
}

TEST(CutoverSteps, a_failed_presync_leaves_nothing_to_undo) {
  EXPECT_EQ(play(k_all, {"presync"}), "presync!");
  EXPECT_FALSE(ends_open(k_all, {"presync"}));
}

TEST(CutoverSteps, a_failed_freeze_may_be_half_a_freeze_and_is_thawed) {
  EXPECT_EQ(play(k_all, {"freeze"}), "presync freeze! thaw");
  EXPECT_FALSE(ends_open(k_all, {"freeze"}));
}

TEST(CutoverSteps, a_failed_flush_or_verification_is_thawed) {
  EXPECT_EQ(play(k_all, {"flush"}), "presync freeze flush! thaw");
  EXPECT_EQ(play(k_all, {"verify"}), "presync freeze flush verify! thaw");
  EXPECT_EQ(play(k_all, {"indexes"}), "presync freeze flush verify indexes! thaw");
}

TEST(CutoverSteps, a_failed_switch_is_undone_before_the_freeze) {
  EXPECT_EQ(play(k_all, {"switch"}), "presync freeze flush verify indexes switch! unswitch thaw");
  EXPECT_FALSE(ends_open(k_all, {"switch"}));
}

TEST(CutoverSteps, a_failed_check_is_a_failed_switch) {
  EXPECT_EQ(play(k_all, {"check"}), "presync freeze flush verify indexes switch check! unswitch thaw");
  EXPECT_EQ(play(k_no_way_back, {"check"}), "presync freeze flush verify indexes switch check!");
}

TEST(CutoverSteps, a_switch_that_began_and_cannot_be_undone_leaves_the_source_frozen) {
  EXPECT_EQ(play(k_no_way_back, {"switch"}), "presync freeze flush verify indexes switch!");
  EXPECT_TRUE(ends_open(k_no_way_back, {"switch"}));
  EXPECT_EQ(play(k_no_way_back, {"drain"}), "presync freeze flush verify indexes switch check drain!");
  EXPECT_TRUE(ends_open(k_no_way_back, {"drain"}));
}

TEST(CutoverSteps, a_failed_undoing_of_the_switch_leaves_the_source_frozen) {
  EXPECT_EQ(play(k_all, {"switch", "unswitch"}), "presync freeze flush verify indexes switch! unswitch!");
  EXPECT_TRUE(ends_open(k_all, {"switch", "unswitch"}));
}

TEST(CutoverSteps, a_failed_drain_is_undone_the_last_step_first) {
  EXPECT_EQ(play(k_all, {"drain"}), "presync freeze flush verify indexes switch check drain! mirror unswitch thaw");
  EXPECT_EQ(play({.freeze = true, .thaw = true}, {"drain"}), "presync freeze flush verify indexes drain! mirror thaw");
}

TEST(CutoverSteps, another_undoing_that_fails_keeps_back_none) {
  EXPECT_EQ(play(k_all, {"drain", "mirror"}),
            "presync freeze flush verify indexes switch check drain! mirror! unswitch thaw");
  EXPECT_TRUE(ends_open(k_all, {"drain", "mirror"}));
}

TEST(CutoverSteps, what_was_not_begun_is_not_undone) {
  EXPECT_EQ(play(k_all, {"-freeze"}), "presync freeze?");
  EXPECT_EQ(play(k_all, {"-switch"}), "presync freeze flush verify indexes switch? thaw");
}

TEST(CutoverSteps, a_freeze_without_a_thaw_is_left_to_a_person) {
  EXPECT_EQ(play({.freeze = true}, {"verify"}), "presync freeze flush verify!");
  EXPECT_TRUE(ends_open({.freeze = true}, {"verify"}));
}

TEST(CutoverGoingOn, before_the_switch_begins_with_the_freeze) {
  const std::string all = "freeze flush verify indexes switch check drain";
  EXPECT_EQ(go_on(k_all, {"+presync"}), "presync " + all);
  for (const char* killed : {"+freeze", "+flush", "+verify", "+indexes"})
    EXPECT_EQ(go_on(k_all, {killed}), all) << killed;
  EXPECT_EQ(go_on(k_rehearsal, {"+verify"}), "freeze flush verify thaw");
}

TEST(CutoverGoingOn, after_the_switch_began_compares_nothing) {
  EXPECT_EQ(go_on(k_all, {"+switch"}), "freeze switch check drain");
  EXPECT_EQ(go_on(k_no_way_back, {"switch"}), "freeze switch check drain");
  EXPECT_EQ(go_on(k_all, {"+check"}), "freeze check drain");
  EXPECT_EQ(go_on(k_no_way_back, {"check"}), "freeze check drain");
  EXPECT_EQ(go_on(k_all, {"+drain"}), "freeze drain");
}

TEST(CutoverGoingOn, does_not_forget_that_the_switch_began) {
  EXPECT_EQ(go_on(k_no_way_back, {"+switch"}, {"freeze"}), "freeze!");
  EXPECT_EQ(go_on(k_no_way_back, {"+switch"}, {"-switch"}), "freeze switch?");
  EXPECT_EQ(go_on(k_all, {"+switch"}, {"-switch"}), "freeze switch? unswitch thaw");
  EXPECT_EQ(go_on(k_all, {"+drain"}, {"freeze"}), "freeze! mirror unswitch thaw");
}

TEST(CutoverGoingOn, again_and_again_comes_to_its_end) {
  for (const char* killed : {"+presync", "+freeze", "+flush", "+verify", "+indexes", "+switch", "+check", "+drain"}) {
    auto history = play_on(k_all, {killed}, {}).history;
    for (int i = 0; i < 3; ++i)
      history = play_on(k_all, {"+freeze"}, to_go_on(history)).history;
    EXPECT_FALSE(goes_back(history));
    EXPECT_TRUE(is_complete(k_all, play_on(k_all, {}, to_go_on(history)).history)) << killed;
  }
}

TEST(CutoverGoingBack, undoes_what_was_begun) {
  EXPECT_EQ(go_back(k_all, {"+presync"}), "");
  EXPECT_EQ(go_back(k_all, {"+freeze"}), "thaw");
  EXPECT_EQ(go_back(k_all, {"+verify"}), "thaw");
  EXPECT_EQ(go_back(k_all, {"+switch"}), "unswitch thaw");
  EXPECT_EQ(go_back(k_all, {"+check"}), "unswitch thaw");
  EXPECT_EQ(go_back(k_all, {"+drain"}), "mirror unswitch thaw");
}

TEST(CutoverGoingBack, goes_on_where_an_undoing_was_killed_or_failed) {
  EXPECT_TRUE(goes_back(play_on(k_all, {"switch", "+unswitch"}, {}).history));
  EXPECT_EQ(go_back(k_all, {"switch", "+unswitch"}), "unswitch thaw");
  EXPECT_EQ(go_back(k_all, {"switch", "unswitch"}), "unswitch thaw");
  EXPECT_EQ(go_back(k_all, {"switch", "+thaw"}), "thaw");
  EXPECT_EQ(go_back(k_all, {"switch", "thaw"}), "thaw");
  EXPECT_EQ(go_back(k_rehearsal, {"+thaw"}), "thaw");
}

TEST(CutoverGoingBack, needs_a_way_to_undo_the_switch) {
  EXPECT_EQ(go_back(k_no_way_back, {"+switch"}), "");
  const auto history = play_on(k_no_way_back, {"+switch"}, {}).history;
  EXPECT_EQ(play_on(k_all, {}, to_go_back(history), Way::back).words, "unswitch thaw");
}

}  // namespace
}  // namespace maildirsync::cli
