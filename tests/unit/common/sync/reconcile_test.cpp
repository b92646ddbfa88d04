#include "common/sync/reconcile.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/sync/plan.h"
#include "tests/unit/common/sync/destination.h"
#include "tests/unit/common/sync/manifests.h"
#include "tests/unit/common/sync/source.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::describe;
using testing::file;
using testing::folder;
using testing::listed;
using testing::Source;
using Steps = std::vector<testing::Step>;

/// Source ids live 1000 higher at the destination; id 66 is not mapped.
std::optional<std::pair<std::uint32_t, std::uint32_t>> mapped(const Attributes& owner) {
  if (owner.uid == 66) return std::nullopt;
  return std::pair(owner.uid + 1000, owner.gid + 1000);
}

AccountManifest at_destination(AccountManifest manifest) {
  manifest = listed(std::move(manifest));
  const auto move = [](Attributes& attributes) {
    attributes.uid += 1000;
    attributes.gid += 1000;
  };
  for (auto& folder : manifest.folders) {
    move(folder.self);
    for (auto* area : {&folder.cur, &folder.new_, &folder.tmp}) {
      if (*area) move(**area);
    }
    for (auto& entry : folder.entries)
      move(entry.attributes);
  }
  return manifest;
}

Reconciled reconciled(const AccountManifest& there, const AccountManifest& known, const std::vector<Intent>& intents,
                      const AccountManifest& after) {
  return reconcile(there, known, intents, after, mapped);
}

TEST(Reconcile, adopts_what_another_tool_copied) {
  const auto source = account({folder("", 1, {file("cur/1.x:2,S", 11), file("dovecot-uidlist", 12)}),
                               folder(".Sent", 2, {file("new/2.x", 13)})});
  const auto result = reconciled(at_destination(source), {}, {}, source);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_TRUE(plan(result.before, source).empty()) << describe(plan(result.before, source));
}

TEST(Reconcile, adopts_a_message_whose_flags_changed_since_it_was_copied) {
  const auto there = at_destination(account({folder("", 1, {file("new/1.x", 11)})}));
  const auto after = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto result = reconciled(there, {}, {}, after);
  const auto operations = plan(result.before, after);
  ASSERT_EQ(operations.size(), 1u) << describe(operations);
  EXPECT_EQ(operations[0].kind, OperationKind::rename);
}

TEST(Reconcile, never_touches_mail_of_others) {
  const auto source = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  auto there = at_destination(account({folder("", 1, {file("cur/1.x:2,S", 11), file("new/9.other", 19)}),
                                       folder(".Theirs", 5, {file("new/8.other", 18)})}));
  const auto result = reconciled(there, source, {}, source);
  EXPECT_EQ(result.extra, (std::vector<Location>{{"", Area::new_, "9.other"}, {".Theirs", Area::folder, ""}}));
  EXPECT_TRUE(plan(result.before, source).empty());
}

TEST(Reconcile, takes_another_message_under_our_name_for_the_others) {
  const auto source = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto there = at_destination(account({folder("", 1, {file("cur/1.x:2,S", 99)})}));
  const auto result = reconciled(there, {}, {}, source);
  EXPECT_EQ(result.extra, (std::vector<Location>{{"", Area::cur, "1.x:2,S"}}));
}

/// As a power cut leaves it on a file system that had not written the body.
Entry shortened(Entry entry, std::uint64_t size) {
  entry.size = size;
  return entry;
}

TEST(Reconcile, puts_a_shortened_message_again_in_its_place) {
  const Entry whole = file("cur/1.x:2,S", 11);
  const auto source = account({folder("", 1, {whole})});
  for (const std::uint64_t size : {std::uint64_t{0}, whole.size - 1}) {
    const auto there = at_destination(account({folder("", 1, {shortened(whole, size)})}));
    for (const auto& known : {source, AccountManifest{}}) {
      const auto result = reconciled(there, known, {}, source);
      EXPECT_TRUE(result.extra.empty());
      const auto operations = plan(result.before, source);
      ASSERT_EQ(operations.size(), 1u) << describe(operations);
      EXPECT_EQ(operations[0].kind, OperationKind::put);
      ASSERT_TRUE(operations[0].expected);
      EXPECT_EQ(operations[0].expected->size, size);
    }
  }
}

TEST(Reconcile, removes_a_shortened_message_that_has_another_name_by_now) {
  const Entry whole = file("new/1.x", 11);
  const auto known = account({folder("", 1, {whole})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto there = at_destination(account({folder("", 1, {shortened(whole, 0)})}));
  const auto operations = plan(reconciled(there, known, {}, after).before, after);
  ASSERT_EQ(operations.size(), 2u) << describe(operations);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
  EXPECT_EQ(describe(operations[1]), "remove /new/1.x");
}

TEST(Reconcile, leaves_a_shorter_file_of_another_time_to_the_others) {
  const Entry whole = file("cur/1.x:2,S", 11);
  Entry theirs = shortened(whole, whole.size - 1);
  ++theirs.mtime;
  const auto source = account({folder("", 1, {whole})});
  const auto result = reconciled(at_destination(account({folder("", 1, {theirs})})), source, {}, source);
  EXPECT_EQ(result.extra.size(), 1u);
}

TEST(Reconcile, puts_a_message_again_whose_content_is_another_under_its_size_and_time) {
  const auto source = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  auto known = source;
  auto there = at_destination(source);
  const Digest right{{1}}, wrong{{2}};
  known.folders[0].entries[0].digest = there.folders[0].entries[0].digest = right;
  EXPECT_TRUE(plan(reconciled(there, known, {}, source).before, source).empty());
  there.folders[0].entries[0].digest = wrong;
  const auto operations = plan(reconciled(there, known, {}, source).before, source);
  ASSERT_EQ(operations.size(), 1u) << describe(operations);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
  EXPECT_EQ(operations[0].expected->digest, wrong);
}

TEST(Reconcile, sends_again_what_the_destination_lost) {
  const auto source = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto result = reconciled(at_destination(account({folder("", 1)})), source, {}, source);
  const auto operations = plan(result.before, source);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
}

TEST(Reconcile, removes_what_is_known_and_gone_at_the_source) {
  const auto known = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto after = account({folder("", 1)});
  const auto operations = plan(reconciled(at_destination(known), known, {}, after).before, after);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(describe(operations[0]), "remove /cur/1.x:2,S");
}

TEST(Reconcile, knows_an_unacknowledged_message_by_its_intent) {
  const Entry put = file("new/1.x", 11);
  const auto there = at_destination(account({folder("", 1, {put})}));
  const auto after = account({folder("", 1)});
  EXPECT_EQ(reconciled(there, {}, {}, after).extra.size(), 1u);
  const auto result = reconciled(there, {}, {{{"", Area::new_, "1.x"}, put.size, put.mtime}}, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, after)), "  remove /new/1.x\n");
}

TEST(Reconcile, renames_an_unacknowledged_message_that_was_renamed_meanwhile) {
  const Entry put = file("new/1.x", 11);
  const auto there = at_destination(account({folder("", 1, {put})}));
  const auto after = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto result = reconciled(there, {}, {{{"", Area::new_, "1.x"}, put.size, put.mtime}}, after);
  EXPECT_EQ(describe(plan(result.before, after)), "  rename /new/1.x -> /cur/1.x:2,S inode 11\n");
}

/// A message that is being renamed can escape a listing for a moment: its link must not be sent as a message of its
/// own.
TEST(Reconcile, links_to_an_unacknowledged_message_that_the_look_has_missed) {
  const auto there = at_destination(account({folder("", 1), folder(".Trash", 2, {file("new/1.x", 11)})}));
  const auto seen = account({folder("", 1, {file("new/1.x", 11)}), folder(".Trash", 2)});
  const std::vector<Intent> intents{{{".Trash", Area::new_, "1.x"}, 1011, testing::k_mtime + 11, 11}};
  const auto result = reconciled(there, {}, intents, seen);
  const auto operations = plan(result.before, seen);
  ASSERT_EQ(operations.size(), 1u) << describe(operations);
  EXPECT_EQ(operations[0].kind, OperationKind::rename);
}

TEST(Reconcile, knows_an_unacknowledged_message_in_a_folder_that_was_renamed_and_removed_since) {
  const auto there = at_destination(account({folder("", 1), folder("B", 2, {file("new/1.x", 11)})}));
  const auto after = account({folder("", 1)});
  const std::vector<Intent> intents{{{"A", Area::folder, ""}, 0, 0, 0},
                                    {{"A", Area::new_, "1.x"}, 1011, testing::k_mtime + 11, 11},
                                    {{"B", Area::folder, ""}, 0, 0, 0}};
  const auto result = reconciled(there, {}, intents, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, after)), "  remove /B/new/1.x\n  remove_folder /B\n");
}

TEST(Reconcile, does_not_take_another_file_under_an_intended_name_for_ours) {
  const Entry put = file("new/1.x", 11);
  const auto there = at_destination(account({folder("", 1, {file("new/1.x", 77)})}));
  const auto result = reconciled(there, {}, {{{"", Area::new_, "1.x"}, put.size, put.mtime}}, account({folder("", 1)}));
  EXPECT_EQ(result.extra.size(), 1u);
}

TEST(Reconcile, knows_a_folder_whose_rename_was_not_acknowledged) {
  const auto known = account({folder("", 1), folder(".Old", 2, {file("cur/1.x:2,", 11), file("cur/2.x:2,", 12)})});
  const auto there =
      at_destination(account({folder("", 1), folder(".New", 2, {file("cur/1.x:2,", 11), file("cur/2.x:2,", 12)})}));
  const auto after = account({folder("", 1), folder(".New", 2, {file("cur/1.x:2,", 11)})});
  const auto result = reconciled(there, known, {{{".New", Area::folder, ""}, 0, 0}}, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, after)), "  remove /.New/cur/2.x:2,\n");
}

TEST(Reconcile, knows_what_a_folder_holds_that_was_renamed_twice_with_only_one_rename_under_way) {
  const auto known = account(
      {folder("", 1), folder("Old", 2, {file("cur/1.x:2,", 11)}), folder("Old/Sub", 3, {file("cur/2.x:2,", 12)})});
  const auto there = at_destination(account(
      {folder("", 1), folder("New", 2, {file("cur/1.x:2,", 11)}), folder("New/Sub", 3, {file("cur/2.x:2,", 12)})}));
  const auto after = account({folder("", 1), folder("Newer", 2, {file("cur/1.x:2,", 11)})});
  const auto result = reconciled(there, known, {{{"New", Area::folder, ""}, 0, 0}}, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, after)),
            "  make_folder -> /Newer inode 2\n"
            "  rename /New/cur/1.x:2, -> /Newer/cur/1.x:2, inode 11\n"
            "  remove /New/Sub/cur/2.x:2,\n"
            "  remove_folder /New/Sub\n"
            "  remove_folder /New\n");
}

TEST(Reconcile, replaces_control_files_whoever_wrote_them) {
  const auto source = account({folder("", 1, {file("dovecot-uidlist", 12)})});
  const auto there = at_destination(account({folder("", 1, {file("dovecot-uidlist", 99)})}));
  const auto result = reconciled(there, {}, {}, source);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, source)), "  put_control -> /dovecot-uidlist inode 12\n");
}

TEST(Reconcile, leaves_control_files_that_only_the_destination_has) {
  const auto source = account({folder("", 1)});
  const auto there = at_destination(account({folder("", 1, {file("dovecot-acl", 99)})}));
  EXPECT_EQ(reconciled(there, {}, {}, source).extra.size(), 1u);
}

TEST(Reconcile, moves_what_was_moved_at_the_source_while_nobody_looked) {
  const auto there = at_destination(account({folder("", 1, {file("cur/1.x:2,S", 11)}), folder(".Sent", 2)}));
  const auto after = account({folder("", 1), folder(".Sent", 2, {file("cur/1.x:2,S", 11)})});
  const auto result = reconciled(there, {}, {}, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(result.left_over, (std::vector<Location>{{"", Area::cur, "1.x:2,S"}}));
  EXPECT_EQ(describe(plan(result.before, after)), "  rename /cur/1.x:2,S -> /.Sent/cur/1.x:2,S inode 11\n");
}

TEST(Reconcile, moves_back_what_a_power_cut_at_the_source_moved_back) {
  const auto before_move = account({folder("", 1, {file("cur/1.x:2,S", 11)}), folder(".Sent", 2)});
  const auto there = at_destination(account({folder("", 1), folder(".Sent", 2, {file("cur/1.x:2,S", 11)})}));
  const auto result = reconciled(there, before_move, {}, before_move);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, before_move)), "  rename /.Sent/cur/1.x:2,S -> /cur/1.x:2,S inode 11\n");
}

TEST(Reconcile, removes_the_double_at_the_wrong_place) {
  const Entry message = file("cur/1.x:2,S", 11);
  const auto there = at_destination(account({folder("", 1, {message}), folder(".Sent", 2, {message})}));
  const auto after = account({folder("", 1), folder(".Sent", 2, {message})});
  const auto result = reconciled(there, {}, {}, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(result.left_over, (std::vector<Location>{{"", Area::cur, "1.x:2,S"}}));
  EXPECT_EQ(describe(plan(result.before, after)), "  remove /cur/1.x:2,S\n");
}

TEST(Reconcile, moves_a_folder_that_was_renamed_while_nobody_looked) {
  const auto there = at_destination(
      account({folder("", 1), folder(".Old", 2, {file("cur/1.x:2,S", 11), file("dovecot-uidlist", 13)})}));
  const auto after =
      account({folder("", 1), folder(".New", 2, {file("cur/1.x:2,S", 11), file("dovecot-uidlist", 13)})});
  const auto result = reconciled(there, {}, {}, after);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, after)),
            "  make_folder -> /.New inode 2\n"
            "  rename /.Old/cur/1.x:2,S -> /.New/cur/1.x:2,S inode 11\n"
            "  put_control -> /.New/dovecot-uidlist inode 13\n"
            "  remove /.Old/dovecot-uidlist\n"
            "  remove_folder /.Old\n");
}

TEST(Reconcile, leaves_to_others_what_the_source_has_twice_or_otherwise) {
  const Entry message = file("cur/1.x:2,S", 11);
  const auto there = at_destination(account({folder("", 1, {message}), folder(".A", 2), folder(".B", 3)}));
  const auto twice = account({folder("", 1), folder(".A", 2, {message}), folder(".B", 3, {message})});
  EXPECT_EQ(reconciled(there, {}, {}, twice).extra.size(), 1u);
  Entry another = message;
  ++another.mtime;
  const auto otherwise = account({folder("", 1), folder(".A", 2, {another}), folder(".B", 3)});
  EXPECT_EQ(reconciled(there, {}, {}, otherwise).extra.size(), 1u);
}

TEST(Reconcile, sets_an_owner_that_is_not_as_mapped) {
  const auto source = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  auto there = at_destination(source);
  there.folders[0].entries[0].attributes.uid = 5;
  const auto operations = plan(reconciled(there, {}, {}, source).before, source);
  EXPECT_EQ(describe(operations), "  set_attributes -> /cur/1.x:2,S inode 11\n");
}

TEST(Reconcile, sets_an_owner_that_is_not_mapped_so_that_it_is_reported) {
  auto message = file("cur/1.x:2,S", 11);
  message.attributes.uid = 66;
  const auto source = account({folder("", 1, {message})});
  const auto operations = plan(reconciled(at_destination(source), {}, {}, source).before, source);
  EXPECT_EQ(describe(operations), "  set_attributes -> /cur/1.x:2,S inode 11\n");
}

RC_GTEST_PROP(ReconcileProperties, adopts_an_equal_destination_without_a_single_operation, (const Steps& history)) {
  Source source;
  source.steps(history);
  const auto after = source.manifest();
  const auto result = reconciled(at_destination(after), {}, {}, after);
  RC_LOG() << describe(after) << describe(plan(result.before, after));
  RC_ASSERT(result.extra.empty());
  RC_ASSERT(plan(result.before, after).empty());
}

RC_GTEST_PROP(ReconcileProperties, needs_nothing_new_for_what_is_known, (const Steps& history, const Steps& changes)) {
  Source source;
  source.steps(history);
  const auto known = source.manifest();
  source.steps(changes);
  const auto after = source.manifest();
  const auto result = reconciled(at_destination(known), known, {}, after);
  RC_ASSERT(result.extra.empty());
  RC_ASSERT(result.before.folders.size() == known.folders.size());
  for (std::size_t i = 0; i < known.folders.size(); ++i) {
    RC_ASSERT(result.before.folders[i].entries.size() == known.folders[i].entries.size());
  }
}

RC_GTEST_PROP(ReconcileProperties, never_has_extra_files_in_before, (const Steps& history)) {
  Source source;
  source.steps(history);
  const auto after = source.manifest();
  auto there = at_destination(after);
  std::vector<Location> expected;
  for (auto& at : there.folders) {
    if (!at.cur) continue;
    at.entries.push_back(file("cur/99.other", 0));
    at.entries.back().attributes.uid = 4242;
    std::sort(at.entries.begin(), at.entries.end(), before_in_folder);
    expected.push_back({at.path, Area::cur, "99.other"});
  }
  const auto result = reconciled(there, {}, {}, after);
  RC_ASSERT(result.extra == expected);
  for (const auto& at : result.before.folders) {
    for (const auto& entry : at.entries)
      RC_ASSERT(entry.name != "99.other");
  }
}

/// Whatever of a turn reached the destination, its intents and the state make the next turn end in the right place.
RC_GTEST_PROP(ReconcileProperties, resumes_a_turn_that_broke_off_anywhere,
              (const Steps& history, const Steps& changes, const Steps& meanwhile, std::uint16_t reached)) {
  const auto [known, intents, there, after] = testing::break_off(history, changes, meanwhile, reached);
  const auto result = reconciled(at_destination(there), known, intents, after);
  const auto rest = plan(result.before, after);
  RC_LOG() << "known:\n"
           << describe(known) << "there:\n"
           << describe(there) << "after:\n"
           << describe(after) << describe(rest);
  RC_ASSERT(result.extra.empty());
  testing::Destination destination(result.before);
  for (const auto& operation : rest) {
    const std::string refused = destination.step(operation);
    if (!refused.empty()) RC_FAIL(describe(operation) + ": " + refused);
  }
  const auto ended = sync::apply(result.before, rest);
  RC_ASSERT(ended.folders.size() == after.folders.size());
  for (std::size_t i = 0; i < after.folders.size(); ++i)
    RC_ASSERT(ended.folders[i].entries == after.folders[i].entries);
}

TEST(Reconcile, takes_away_what_a_power_cut_has_left_of_a_message_that_was_moved_since) {
  Entry left = file("new/1.x", 11);
  left.size = 0;
  const auto moved = account({folder("", 1), folder(".Archive", 2, {file("cur/1.x:2,S", 11)})});
  auto there = moved;
  there.folders[0].entries.push_back(left);
  const auto result = reconciled(at_destination(there), moved, {}, moved);
  EXPECT_TRUE(result.extra.empty());
  ASSERT_EQ(result.left_over.size(), 1u);
  EXPECT_EQ(describe(plan(result.before, moved)), "  remove /new/1.x\n");
}

TEST(Reconcile, takes_a_control_file_for_ours_of_which_only_the_first_sending_is_on_record) {
  const auto nothing = account({folder("", 1)});
  auto sent_again = nothing;
  sent_again.folders[0].entries.push_back(file("subscriptions", 12));
  Intent first{{"", Area::folder, "subscriptions"}, 1, 1, 11};
  const auto result = reconciled(at_destination(sent_again), {}, {first}, nothing);
  EXPECT_TRUE(result.extra.empty());
  EXPECT_EQ(describe(plan(result.before, nothing)), "  remove /subscriptions\n");
}

/// The agent's record, as a power cut at the source can leave it: it ends before what was sent.
struct Record {
  AccountManifest known;
  std::vector<Intent> intents;
};

/// Whatever the record lacks but for the intents that are on the disk before anything is sent, and whatever the source
/// has lost with its power, nothing at the destination is taken for somebody else's, and it becomes the source's.
RC_GTEST_PROP(ReconcileProperties, knows_what_was_sent_before_a_power_cut_at_the_source,
              (const std::vector<Steps>& turns, const Steps& meanwhile, std::uint16_t cut, std::uint8_t lost)) {
  Source source;
  std::vector<Source> sources{source};
  AccountManifest there;
  there.structure_whole = true;
  std::vector<Record> records(1);
  records.back().known.structure_whole = true;
  std::size_t on_disk = 0;
  for (const auto& steps : turns) {
    source.steps(steps);
    sources.push_back(source);
    const auto operations = plan(there, source.manifest());
    Record record = records.back();
    const auto sent = intents_of(operations);
    record.intents.insert(record.intents.end(), sent.begin(), sent.end());
    records.push_back(record);
    if (std::any_of(operations.begin(), operations.end(), is_known_by_intent_only)) on_disk = records.size() - 1;
    there = sync::apply(std::move(there), operations);
    records.push_back({there, record.intents});
    records.push_back({there, {}});
  }
  const Record& left = records[on_disk + cut % (records.size() - on_disk)];
  source = sources[sources.size() - 1 - lost % std::min<std::size_t>(3, sources.size())];
  source.steps(meanwhile);
  const auto after = source.manifest();
  const auto result = reconciled(at_destination(there), left.known, left.intents, after);
  RC_LOG() << "known:\n" << describe(left.known) << "there:\n" << describe(there) << "after:\n" << describe(after);
  for (const auto& extra : result.extra)
    RC_LOG() << "extra: " << extra.folder << " " << extra.name << "\n";
  RC_ASSERT(result.extra.empty());
  const auto ended = sync::apply(result.before, plan(result.before, after));
  RC_ASSERT(ended.folders.size() == after.folders.size());
  for (std::size_t i = 0; i < after.folders.size(); ++i)
    RC_ASSERT(ended.folders[i].entries == after.folders[i].entries);
}

}  // namespace
}  // namespace maildirsync::sync
