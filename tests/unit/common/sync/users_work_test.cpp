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

TEST(UsersWork, what_is_missing_as_a_whole_was_lost_where_nothing_shows_users) {
  const auto no_folder = what_users_did(listed(account({mirrored.folders[0]})), mirrored, {}, mirrored);
  EXPECT_EQ(no_folder.in_missing_folders, 1U);
  EXPECT_FALSE(is_evident(no_folder));
  AccountManifest nothing;
  nothing.exists = false;
  const auto no_account = what_users_did(nothing, mirrored, {}, mirrored);
  EXPECT_EQ(no_account.in_missing_folders, 5U);
  EXPECT_FALSE(is_evident(no_account));
}

TEST(UsersWork, what_the_source_removed_with_its_folder_is_not_missing) {
  const auto there = listed(account({mirrored.folders[0]}));
  EXPECT_FALSE(what_users_did(there, mirrored, {}, account({mirrored.folders[0]})).any());
  const auto renamed = account({mirrored.folders[0], folder(".Old", 2, mirrored.folders[1].entries)});
  EXPECT_FALSE(what_users_did(listed(renamed), mirrored, {}, renamed).any());
}

TEST(UsersWork, a_folder_that_was_renamed_there_is_moved_mail) {
  const auto there = listed(account({mirrored.folders[0], folder(".Renamed", 2, mirrored.folders[1].entries)}));
  const auto work = what_users_did(there, mirrored, {}, mirrored);
  EXPECT_EQ(work.moves, 1U);
  EXPECT_EQ(work.in_missing_folders, 0U);
}

/// One row for each sign and its absence.
TEST(UsersWork, is_evident_by_what_no_loss_leaves_behind) {
  struct Row {
    const char* what;
    UsersWork work;
    Surroundings around;
    bool is_evident;
  };
  const Surroundings alone, in_use{.users_in_root = true, .has_record = true},
      in_use_unrecorded{.users_in_root = true, .has_record = false};
  const Row rows[] = {
      {"nothing", {}, alone, false},
      {"an index alone", {.indexed = true}, alone, false},
      {"a test login", {.flags = 1, .added = 1, .uidlists = 1, .indexed = true}, alone, false},
      {"one message came, and nothing else", {.only_there = 1, .arrived = 1, .uidlists = 1}, alone, false},
      {"two came", {.only_there = 2, .arrived = 2, .uidlists = 1}, alone, true},
      {"a folder went, and a server works there", {.in_missing_folders = 6, .indexed = true}, alone, true},
      {"a folder went, and UIDs were given", {.in_missing_folders = 6, .uidlists = 1}, alone, true},
      {"a folder went", {.in_missing_folders = 6}, alone, false},
      {"a folder was emptied, and a server works there", {.deletions = 4, .indexed = true}, alone, true},
      {"a folder was emptied", {.deletions = 4}, alone, false},
      {"other flags, as an older disk has them", {.flags = 9}, alone, false},
      {"two new flags", {.flags = 2, .added = 2}, alone, false},
      {"three new flags", {.flags = 3, .added = 3}, alone, true},
      {"a filter", {.written = 1}, alone, false},
      {"a filter, and a server works there", {.written = 1, .indexed = true}, alone, true},
      {"a filter and subscriptions", {.written = 2}, alone, true},
      {"others' files only", {.only_there = 5, .indexed = true}, alone, false},
      {"nothing, where users are", {}, in_use, false},
      {"an index, where users are", {.indexed = true}, in_use, false},
      {"UIDs, where users are", {.uidlists = 1, .indexed = true}, in_use, true},
      {"one flag, where users are", {.flags = 1}, in_use, true},
      {"the account went, where users are", {.in_missing_folders = 30}, in_use, true},
      {"one message went, where users are", {.deletions = 1}, in_use, true},
      {"a filter, where users are", {.written = 1}, in_use, true},
      {"other flags, where users are and the record was lost", {.flags = 5, .moves = 2}, in_use_unrecorded, false},
      {"a new flag, where users are and the record was lost", {.flags = 1, .added = 1}, in_use_unrecorded, true},
      {"older mail went, where users are and the record was lost", {.in_missing_folders = 2}, in_use_unrecorded, true},
  };
  for (const auto& row : rows)
    EXPECT_EQ(is_evident(row.work, row.around), row.is_evident) << row.what;
}

TEST(UsersWork, counts_what_users_write_and_not_what_a_server_writes_for_itself) {
  const auto ours = account({folder("", 1, {file("subscriptions", 11), file("maildirsize", 12), file("notes.txt", 13)}),
                             folder("sieve", 2, {file("main.sieve", 14), file("main.svbin", 15)})});
  const auto there =
      listed(account({folder("", 1,
                             {written_there("subscriptions", 21), written_there("maildirsize", 22),
                              written_there("notes.txt", 23), written_there(".forward", 26)}),
                      folder("sieve", 2, {written_there("main.sieve", 24), written_there("main.svbin", 25)})}));
  const auto work = what_users_did(there, ours, {}, ours);
  EXPECT_EQ(work.written, 2U);  // nothing takes the place of a .forward that is only there
  EXPECT_EQ(work.uidlists, 0U);
  auto newer = ours;
  newer.folders[0].entries[2].mtime = written_there("subscriptions", 21).mtime + 1;
  ASSERT_EQ(newer.folders[0].entries[2].name, "subscriptions");
  EXPECT_EQ(what_users_did(there, ours, {}, newer).written, 1U) << "the source's is younger";
}

TEST(UsersWork, without_a_record_what_is_older_than_mail_that_is_there_went_there) {
  const auto there =
      listed(account({folder("", 1, {file("cur/1.x:2,", 11), file("new/3.x", 13), file("cur/4.x:2,", 14)})}));
  const auto work = what_users_did(there, {}, {}, mirrored);
  EXPECT_EQ(work.deletions, 1U) << "2.x; 5.x in .Sent is younger than all that is there";
  EXPECT_EQ(work.in_missing_folders, 0U);
  auto later = mirrored;
  later.folders[0].entries.push_back(file("new/6.x", 16));
  auto with_later = there;
  with_later.folders[0].entries.push_back(
      listed(account({folder("", 1, {file("new/6.x", 16)})})).folders[0].entries[0]);
  EXPECT_EQ(what_users_did(with_later, {}, {}, later).in_missing_folders, 1U);
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
  const auto [known, intents, reached_there, after] = testing::break_off(history, changes, meanwhile, reached);
  const auto there = listed(reached_there);
  const auto work = what_users_did(there, known, intents, after);
  RC_LOG() << "known:\n"
           << testing::describe(known) << "there:\n"
           << testing::describe(there) << "after:\n"
           << testing::describe(after) << describe(work) << "\n";
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
