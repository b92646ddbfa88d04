#include "common/sync/users_work.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/sync/plan.h"
#include "tests/unit/common/sync/destination.h"
#include "tests/unit/common/sync/manifests.h"
#include "tests/unit/common/sync/source.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::file;
using testing::folder;
using testing::listed;
using testing::Source;
using Steps = std::vector<testing::Step>;

/// A file that the destination's server wrote after ours.
Entry written_there(const std::string& path, std::uint64_t inode) {
  Entry entry = file(path, inode);
  entry.mtime += 3'600'000'000'000;
  return entry;
}

const AccountManifest mirrored = account({folder("", 1,
                                                 {file("cur/1.x:2,", 11), file("cur/2.x:2,S", 12), file("new/3.x", 13),
                                                  file("cur/4.x:2,", 14), file("dovecot-uidlist", 19)}),
                                          folder(".Sent", 2, {file("cur/5.x:2,S", 15)})});

TEST(UsersWork, is_nothing_where_both_sides_are_equal) {
  const auto work = what_users_did(listed(mirrored), mirrored, {}, mirrored);
  EXPECT_FALSE(work.any());
  EXPECT_FALSE(is_evident(work));
}

TEST(UsersWork, counts_flags_deletions_moves_and_mail_that_came) {
  const auto there = listed(account({folder("", 1,
                                            {file("cur/1.x:2,FS", 11), file("cur/3.x:2,", 13),
                                             written_there("new/9.new", 21), written_there("dovecot-uidlist", 31)}),
                                     folder(".Sent", 2, {file("cur/5.x:2,S", 15), file("cur/4.x:2,T", 14)})}));
  const auto work = what_users_did(there, mirrored, {}, mirrored);
  EXPECT_EQ(work.flags, 1U);  // 3.x only left new/
  EXPECT_EQ(work.added, 1U);
  EXPECT_EQ(work.deletions, 1U);
  EXPECT_EQ(work.moves, 1U);
  EXPECT_EQ(work.only_there, 1U);
  EXPECT_EQ(work.arrived, 1U);
  EXPECT_EQ(work.uidlists, 1U);
  EXPECT_TRUE(is_evident(work));
}

TEST(UsersWork, is_not_what_the_source_did) {
  // 1 was flagged, 2 removed, 4 moved, 6 came; some of it had been sent, and its acknowledgement was lost.
  const auto after = account({folder("", 1,
                                     {file("cur/1.x:2,FS", 11), file("new/3.x", 13), file("new/6.x", 16),
                                      written_there("dovecot-uidlist", 19)}),
                              folder(".Sent", 2, {file("cur/5.x:2,S", 15), file("cur/4.x:2,", 14)})});
  EXPECT_FALSE(what_users_did(listed(mirrored), mirrored, {}, after).any());
  EXPECT_FALSE(what_users_did(listed(after), mirrored, {}, after).any());
}

TEST(UsersWork, is_not_what_was_on_its_way) {
  const auto there = listed(account({folder("", 1,
                                            {file("cur/1.x:2,S", 11), file("cur/2.x:2,S", 12), file("new/3.x", 13),
                                             file("cur/4.x:2,", 14), file("dovecot-uidlist", 19)}),
                                     folder(".Sent", 2, {file("cur/5.x:2,S", 15)})}));
  auto after = mirrored;
  after.folders[0].entries[1].name = "1.x:2,ST";
  const auto& entry = mirrored.folders[0].entries[1];
  ASSERT_EQ(entry.name, "1.x:2,");
  const std::vector<Intent> intents{{{"", Area::cur, "1.x:2,S"}, entry.size, entry.mtime, entry.inode}};
  EXPECT_FALSE(what_users_did(there, mirrored, intents, after).any());
  EXPECT_EQ(what_users_did(there, mirrored, {}, after).flags, 1U);
}

TEST(UsersWork, is_not_what_lies_in_a_folder_that_was_on_its_way_to_another_name) {
  const auto known = account({folder("", 1), folder(".Sent", 2, {file("cur/5.x:2,", 15), file("cur/6.x:2,", 16)})});
  const auto there = listed(
      account({folder("", 1),
               folder(".Old", 2, {file("cur/5.x:2,S", 15), file("cur/6.x:2,", 16), file("dovecot-uidlist", 19)})}));
  // Since then it was renamed once more, and its messages were moved and flagged.
  const auto after = account({folder("", 1, {file("cur/6.x:2,S", 16)}),
                              folder(".Older", 2, {file("cur/5.x:2,FS", 15), written_there("dovecot-uidlist", 20)})});
  const std::vector<Intent> intents{{{".Sent", Area::cur, "5.x:2,S"}, 1015, file("", 15).mtime, 15},
                                    {{".Sent", Area::folder, "dovecot-uidlist"}, 1019, file("", 19).mtime, 19},
                                    {{".Old", Area::folder, ""}, 0, 0, 0}};
  EXPECT_FALSE(what_users_did(there, known, intents, after).any());
  auto moved_there = there;
  moved_there.folders[1].entries.push_back(file("cur/7.x:2,", 17));
  EXPECT_EQ(what_users_did(moved_there, known, intents, after).only_there, 1U);
}

TEST(UsersWork, what_is_missing_as_a_whole_was_lost) {
  const auto no_folder = listed(account({mirrored.folders[0]}));
  EXPECT_FALSE(what_users_did(no_folder, mirrored, {}, mirrored).any());
  AccountManifest nothing;
  nothing.exists = false;
  EXPECT_FALSE(what_users_did(nothing, mirrored, {}, mirrored).any());
}

TEST(UsersWork, a_test_login_is_not_evident) {
  auto there = listed(mirrored);
  there.folders[0].entries =
      listed(account({folder("", 1,
                             {file("cur/1.x:2,S", 11), file("cur/2.x:2,S", 12), file("cur/3.x:2,", 13),
                              file("cur/4.x:2,", 14), written_there("dovecot-uidlist", 31)})}))
          .folders[0]
          .entries;
  auto work = what_users_did(there, mirrored, {}, mirrored);
  work.indexed = true;
  EXPECT_EQ(work.flags, 1U);
  EXPECT_TRUE(work.any());
  EXPECT_FALSE(is_evident(work));
}

TEST(UsersWork, a_restored_disk_is_not_users) {
  // Older flags, mail that was removed since, mail that is missing, an older uidlist.
  auto known = mirrored;
  for (auto& entry : known.folders[0].entries)
    if (entry.area == Area::folder) entry.mtime += 1'000'000'000;
  const auto there = listed(account(
      {folder("", 1,
              {file("cur/2.x:2,", 12), file("cur/7.x:2,S", 10), file("cur/8.x:2,S", 9), file("dovecot-uidlist", 19)}),
       folder(".Sent", 2, {file("cur/5.x:2,", 15)})}));
  const auto work = what_users_did(there, known, {}, known);
  EXPECT_EQ(work.deletions, 3U);
  EXPECT_EQ(work.flags, 2U);
  EXPECT_EQ(work.only_there, 2U);
  EXPECT_FALSE(is_evident(work));
}

TEST(UsersWork, without_a_record_flags_and_moves_still_show) {
  const auto there =
      listed(account({folder("", 1, {file("cur/1.x:2,FS", 11), file("cur/2.x:2,FS", 12), file("cur/3.x:2,S", 13)}),
                      folder(".Sent", 2, {file("cur/5.x:2,S", 15), file("cur/4.x:2,T", 14)})}));
  const auto work = what_users_did(there, {}, {}, mirrored);
  EXPECT_EQ(work.flags, 3U);
  EXPECT_EQ(work.moves, 1U);
  EXPECT_EQ(work.deletions, 0U);
  EXPECT_TRUE(is_evident(work));
}

/// Folders are renamed, messages moved and flagged, turn for turn, and the acknowledgements of the last turn were lost.
RC_GTEST_PROP(UsersWorkProperties, are_nothing_after_a_turn_that_broke_off_anywhere,
              (const Steps& history, const Steps& changes, const Steps& meanwhile, std::uint16_t reached)) {
  Source source;
  source.steps(history);
  const auto known = source.manifest();
  source.steps(changes);
  auto operations = plan(known, source.manifest());
  const auto intents = intents_of(operations);
  operations.resize(operations.empty() ? 0 : reached % (operations.size() + 1));
  const auto there = listed(sync::apply(known, operations));
  source.steps(meanwhile);
  const auto work = what_users_did(there, known, intents, source.manifest());
  RC_LOG() << "known:\n"
           << testing::describe(known) << "there:\n"
           << testing::describe(there) << "after:\n"
           << testing::describe(source.manifest()) << describe(work) << "\n";
  RC_ASSERT(!work.any());
}

TEST(CountMissing, tells_messages_by_their_base_name_within_their_folder) {
  const auto known = account({folder("", 1, {file("cur/1.x:2,", 11), file("new/2.x", 12), file("subscriptions", 13)}),
                              folder(".Sent", 2, {file("cur/5.x:2,S", 15)})});
  EXPECT_EQ(count_missing(known, known), 0U);
  const auto read_there = account({folder("", 1, {file("cur/1.x:2,S", 11), file("cur/2.x:2,S", 12)}),
                                   folder(".Sent", 2, {file("cur/5.x:2,S", 15), file("cur/9.x:2,", 19)})});
  EXPECT_EQ(count_missing(known, read_there), 0U) << "flags, a control file and others' mail do not count";
  const auto moved =
      account({folder("", 1, {file("cur/1.x:2,", 11), file("cur/5.x:2,S", 15)}), folder(".Sent", 2, {})});
  EXPECT_EQ(count_missing(known, moved), 2U);
  EXPECT_EQ(count_missing(known, account({})), 3U);
  EXPECT_EQ(count_missing({}, known), 0U);
}

}  // namespace
}  // namespace maildirsync::sync
