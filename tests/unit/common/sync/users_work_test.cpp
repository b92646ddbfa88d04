#include "common/sync/users_work.h"

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::file;
using testing::folder;
using testing::listed;

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
