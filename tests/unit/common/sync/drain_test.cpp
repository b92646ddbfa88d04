#include "common/sync/drain.h"

#include <gtest/gtest.h>

#include "common/sync/plan.h"
#include "manifests.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::file;
using testing::folder;
using testing::listed;

std::vector<std::string> words(const std::vector<Operation>& operations) {
  std::vector<std::string> words;
  for (const auto& operation : operations) {
    const std::string kind = operation.kind == OperationKind::put           ? "put "
                             : operation.kind == OperationKind::make_folder ? "make "
                                                                            : "other ";
    const std::string at = operation.to.folder + ":" + operation.to.name;
    words.push_back(kind + at);
  }
  return words;
}

using Words = std::vector<std::string>;

AccountManifest inbox(std::vector<Entry> entries) {
  return account({folder("", 1, std::move(entries))});
}

TEST(PlanDrain, gives_a_new_message_only) {
  const auto before = inbox({file("cur/1.a:2,S", 10)});
  const auto after = inbox({file("cur/1.a:2,S", 10), file("new/2.b", 11)});
  EXPECT_EQ(words(plan_drain(before, after)), Words{"put :2.b"});
}

TEST(PlanDrain, changes_nothing_for_flags_moves_deletions_edits_and_control_files) {
  auto edited = file("cur/4.d:2,", 13);
  const auto before =
      account({folder("", 1, {file("new/1.a", 10), file("cur/2.b:2,", 11), file("cur/3.c:2,", 12), edited}),
               folder(".Sent", 2)});
  edited.size += 7;
  edited.mtime += 7;
  const auto after = account({folder("", 1, {file("cur/1.a:2,S", 10), edited, file("dovecot-uidlist", 20)}),
                              folder(".Sent", 2, {file("cur/2.b:2,", 11)})});
  EXPECT_EQ(words(plan_drain(before, after)), Words{});
}

TEST(PlanDrain, a_renamed_folder_is_not_followed_but_its_new_mail_is_given) {
  const auto before = account({folder("", 1), folder(".Old", 2, {file("cur/1.a:2,", 10)})});
  const auto after = account({folder("", 1), folder(".New", 2, {file("cur/1.a:2,", 10), file("new/2.b", 11)})});
  EXPECT_EQ(words(plan_drain(before, after)), (Words{"make .New:", "put .New:2.b"}));
}

TEST(PlanDrain, a_folder_without_new_mail_is_not_made) {
  EXPECT_EQ(words(plan_drain(inbox({}), account({folder("", 1), folder(".Made", 2)}))), Words{});
}

TEST(PlanDrain, makes_the_folders_above_a_new_one_first) {
  const auto after = account({folder("", 1), folder("a", 2), folder("a/b", 3, {file("new/1.a", 10)})});
  EXPECT_EQ(words(plan_drain(inbox({}), after)), (Words{"make a:", "make a/b:", "put a/b:1.a"}));
}

TEST(PlanDrain, a_copy_beside_its_original_is_given) {
  const auto before = account({folder("", 1, {file("cur/1.a:2,", 10)}), folder(".Copies", 2)});
  const auto after =
      account({folder("", 1, {file("cur/1.a:2,S", 10)}), folder(".Copies", 2, {file("cur/1.a:2,S", 10)})});
  EXPECT_EQ(words(plan_drain(before, after)), Words{"put .Copies:1.a:2,S"});
}

TEST(PlanDrain, two_links_of_a_new_message_are_both_given) {
  const auto before = account({folder("", 1), folder(".Copies", 2)});
  const auto after = account({folder("", 1, {file("new/1.a", 10)}), folder(".Copies", 2, {file("new/1.a", 10)})});
  EXPECT_EQ(words(plan_drain(before, after)), (Words{"put :1.a", "put .Copies:1.a"}));
}

TEST(PlanDrain, a_message_seen_in_new_and_in_cur_is_given_once) {
  const auto after = inbox({file("new/1.a", 10), file("cur/1.a:2,", 10)});
  EXPECT_EQ(words(plan_drain(inbox({}), after)), Words{"put :1.a:2,"});
}

TEST(PlanDrain, another_message_under_a_known_name_is_given) {
  EXPECT_EQ(words(plan_drain(inbox({file("cur/1:2,", 10)}), inbox({file("cur/1:2,", 11)}))), Words{"put :1:2,"});
}

TEST(PlanDrain, a_known_message_restored_with_another_inode_is_not_given) {
  auto restored = file("cur/1.a:2,S", 10);
  restored.inode = 99;
  EXPECT_EQ(words(plan_drain(inbox({file("cur/1.a:2,", 10)}), inbox({restored}))), Words{});
}

TEST(PlanDrain, what_was_given_is_known_afterwards) {
  const auto before = inbox({file("cur/1.a:2,", 10)});
  const auto after = account({folder("", 1, {file("cur/1.a:2,", 10)}), folder(".New", 2, {file("new/2.b", 11)})});
  EXPECT_EQ(words(plan_drain(sync::apply(before, plan_drain(before, after)), after)), Words{});
}

TEST(PlanDrain, a_folder_that_the_destination_lost_is_made_for_new_mail) {
  const auto before = account({folder("", 1), folder(".Lists", 2, {file("cur/1.a:2,", 10)})});
  const auto after = account({folder("", 1), folder(".Lists", 2, {file("cur/1.a:2,", 10), file("new/2.b", 11)})});
  EXPECT_EQ(words(plan_drain(before, after, {".Lists"})), (Words{"make .Lists:", "put .Lists:2.b"}));
  EXPECT_EQ(words(plan_drain(before, before, {".Lists"})), Words{});
}

TEST(ReconcileDrain, what_users_removed_at_the_destination_does_not_come_back) {
  const auto known = inbox({file("cur/1.a:2,", 10)});
  const auto reconciled = reconcile_drain(listed(inbox({})), known, known);
  EXPECT_EQ(words(reconciled.given), Words{});
  EXPECT_EQ(words(plan_drain(sync::apply(known, reconciled.given), known, reconciled.missing)), Words{});
}

TEST(ReconcileDrain, what_arrived_before_the_connection_broke_is_recorded_wherever_users_moved_it) {
  const auto known = inbox({});
  const auto after = inbox({file("new/1.a", 10), file("new/2.b", 11)});
  const auto there = listed(account({folder("", 1), folder(".Read", 2, {file("cur/1.a:2,RS", 10)})}));
  const auto reconciled = reconcile_drain(there, known, after);
  EXPECT_EQ(words(reconciled.given), Words{"put :1.a"});
  EXPECT_EQ(words(plan_drain(sync::apply(known, reconciled.given), after, reconciled.missing)), Words{"put :2.b"});
}

TEST(ReconcileDrain, names_the_folders_that_the_destination_does_not_have) {
  const auto known = account({folder("", 1), folder(".Lists", 2, {file("cur/1.a:2,", 10)})});
  const auto reconciled = reconcile_drain(listed(inbox({})), known, known);
  EXPECT_EQ(reconciled.missing, MissingFolders{".Lists"});
}

TEST(ForgetTorn, has_what_a_power_cut_left_at_the_destination_given_again) {
  const auto known = inbox({file("new/1.a", 10), file("new/2.b", 11), file("new/3.c", 12), file("new/4.d", 13)});
  auto there = listed(known);
  auto& entries = there.folders[0].entries;
  entries[0].size = 0;
  --entries[1].size;
  entries[2].area = Area::cur;  // a user has read it
  entries[2].name += ":2,S";
  entries[2].size = 0;
  const auto torn = forget_torn(there, known);
  EXPECT_EQ(torn.size(), 3u);
  ASSERT_EQ(there.folders[0].entries.size(), 1u);
  const auto before = sync::apply(known, torn);
  const auto reconciled = reconcile_drain(there, before, known);
  EXPECT_TRUE(reconciled.given.empty());
  EXPECT_EQ(words(plan_drain(before, known)), (Words{"put :1.a", "put :2.b", "put :3.c"}));
}

TEST(ForgetTorn, leaves_what_users_changed) {
  const auto known = inbox({file("new/1.a", 10), file("new/2.b", 11)});
  auto there = listed(known);
  --there.folders[0].entries[0].size;  // at another time: edited
  ++there.folders[0].entries[0].mtime;
  there.folders[0].entries.pop_back();  // deleted
  EXPECT_TRUE(forget_torn(there, known).empty());
}

TEST(ForgetUnlisted, forgets_what_is_nowhere_in_the_account) {
  const auto known = account({folder("", 1, {file("new/1.a", 10), file("cur/2.b:2,", 11), file("subscriptions", 14)}),
                              folder(".Sent", 2, {file("cur/3.c:2,S", 12)})});
  EXPECT_TRUE(forget_unlisted(listed(known), known).empty());
  // Read, and moved by its user; 3.c is missing with its folder.
  const auto there =
      listed(account({folder("", 1, {file("cur/1.a:2,S", 10)}), folder(".New", 3, {file("cur/2.b:2,", 11)})}));
  const auto lost = forget_unlisted(there, known);
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].from, (Location{".Sent", Area::cur, "3.c:2,S"}));
  const auto before = sync::apply(known, lost);
  const auto reconciled = reconcile_drain(there, before, known);
  EXPECT_EQ(words(plan_drain(sync::apply(before, reconciled.given), known, reconciled.missing)),
            (Words{"make .Sent:", "put .Sent:3.c:2,S"}));
}

TEST(ReconcileDrain, without_any_record_everything_that_is_not_there_is_given) {
  AccountManifest nothing{.exists = true, .structure_whole = true, .folders = {}};
  const auto after = account({folder("", 1, {file("cur/1.a:2,", 10), file("cur/2.b:2,", 11)})});
  const auto reconciled = reconcile_drain(listed(inbox({file("cur/1.a:2,S", 10)})), nothing, after);
  EXPECT_EQ(words(reconciled.given), (Words{"make :", "put :1.a:2,"}));
  EXPECT_EQ(words(plan_drain(sync::apply(nothing, reconciled.given), after, reconciled.missing)), Words{"put :2.b:2,"});
}

// The record was lost after the drain: what is missing of the mail that came before it was removed there.
TEST(ReconcileDrain, without_a_record_what_came_before_the_drain_is_not_given_again) {
  constexpr std::int64_t k_second = 1'000'000'000;
  AccountManifest nothing{.exists = true, .structure_whole = true, .folders = {}};
  auto old = file("cur/1699999000.M1P1.mx:2,", 10);
  auto late = file("new/1700000500.M1P1.mx", 11);
  auto late_by_its_stamp = file("new/without-a-time", 12);
  old.mtime = late.mtime = 1'699'999'000 * k_second;
  late_by_its_stamp.mtime = 1'700'000'500 * k_second;
  const auto after = inbox({old, late, late_by_its_stamp});
  const auto reconciled = reconcile_drain(listed(inbox({})), nothing, after, 1'700'000'000 * k_second);
  EXPECT_EQ(reconciled.withheld, 1U);
  EXPECT_EQ(words(plan_drain(sync::apply(nothing, reconciled.given), after, reconciled.missing)),
            (Words{"put :1700000500.M1P1.mx", "put :without-a-time"}));
  EXPECT_EQ(reconcile_drain(listed(inbox({})), nothing, after).withheld, 0U);
}

TEST(CameAt, goes_by_the_later_of_stamp_and_name) {
  auto entry = file("cur/1700000500.M1P1.mx:2,", 10);
  entry.mtime = 1'600'000'000'000'000'000;
  EXPECT_EQ(came_at(entry), 1'700'000'500'000'000'000);
  entry.mtime = 1'800'000'000'000'000'000;
  EXPECT_EQ(came_at(entry), 1'800'000'000'000'000'000);
  entry.name = "12345.x";
  EXPECT_EQ(came_at(entry), 1'800'000'000'000'000'000);
  entry.name = "170000050012345.x";
  EXPECT_EQ(came_at(entry), 1'800'000'000'000'000'000);
}

}  // namespace
}  // namespace maildirsync::sync
