#include "common/sync/plan.h"

#include <gtest/gtest.h>

#include "tests/unit/common/sync/destination.h"
#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::describe;
using testing::file;
using testing::folder;

/// The plan's operations as lines, to be compared with what is expected of it.
std::vector<std::string> lines(const AccountManifest& before, const AccountManifest& after) {
  std::vector<std::string> all;
  for (const auto& operation : plan(before, after))
    all.push_back(describe(operation));
  return all;
}

using Lines = std::vector<std::string>;

TEST(Plan, a_flag_change_is_a_rename) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,FS", 11)})});
  EXPECT_EQ(lines(before, after), Lines({"rename /cur/1.x:2,S -> /cur/1.x:2,FS inode 11"}));
}

TEST(Plan, a_message_that_was_seen_is_a_rename) {
  const auto before = account({folder("", 1, {file("new/1.x", 11)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,", 11)})});
  EXPECT_EQ(lines(before, after), Lines({"rename /new/1.x -> /cur/1.x:2, inode 11"}));
}

TEST(Plan, a_move_to_another_folder_is_a_rename) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,S", 11)}), folder(".Sent", 2)});
  const auto after = account({folder("", 1), folder(".Sent", 2, {file("cur/1.x:2,S", 11)})});
  EXPECT_EQ(lines(before, after), Lines({"rename /cur/1.x:2,S -> /.Sent/cur/1.x:2,S inode 11"}));
}

Entry with_digest(Entry entry, std::uint8_t digest) {
  entry.digest = Digest{{digest}};
  return entry;
}

TEST(Plan, a_move_under_another_name_is_a_rename_when_the_content_is_known_to_be_equal) {
  const auto before = account({folder("", 1, {with_digest(file("cur/1.x:2,S", 11), 1)}), folder(".Sent", 2)});
  const auto after = account({folder("", 1), folder(".Sent", 2, {with_digest(file("new/2.y", 11), 1)})});
  EXPECT_EQ(lines(before, after), Lines({"rename /cur/1.x:2,S -> /.Sent/new/2.y inode 11"}));
}

// A backup that is put back uses the inodes of what it deletes; old mail often has whole seconds as its time.
TEST(Plan, a_new_message_with_the_inode_size_and_time_of_one_that_went_is_put) {
  const auto before = account({folder("", 1, {with_digest(file("cur/1.x:2,S", 11), 1)}), folder(".Sent", 2)});
  for (const auto& reused : {file("new/2.y", 11), with_digest(file("new/2.y", 11), 2)}) {
    EXPECT_EQ(lines(before, account({folder("", 1), folder(".Sent", 2, {reused})})),
              Lines({"put -> /.Sent/new/2.y inode 11", "remove /cur/1.x:2,S"}));
  }
}

TEST(Plan, a_message_that_was_put_back_under_another_inode_is_no_source_of_one_that_has_its_old_one) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,S", 11)}), folder(".Sent", 2)});
  auto put_back = file("cur/1.x:2,S", 11);
  put_back.inode = 12;
  const auto after = account({folder("", 1, {put_back}), folder(".Sent", 2, {file("cur/2.y:2,S", 11)})});
  EXPECT_EQ(lines(before, after),
            Lines({"set_attributes -> /cur/1.x:2,S inode 12", "put -> /.Sent/cur/2.y:2,S inode 11"}));
}

TEST(Plan, a_copy_under_another_name_is_a_link) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,S", 11), file("cur/2.y:2,S", 11)})});
  EXPECT_EQ(lines(before, after), Lines({"link /cur/1.x:2,S -> /cur/2.y:2,S inode 11"}));
}

TEST(Plan, a_copy_is_a_link) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,S", 11)}), folder(".Sent", 2)});
  const auto after = account({folder("", 1, {file("cur/1.x:2,S", 11)}), folder(".Sent", 2, {file("cur/1.x:2,S", 11)})});
  EXPECT_EQ(lines(before, after), Lines({"link /cur/1.x:2,S -> /.Sent/cur/1.x:2,S inode 11"}));
}

TEST(Plan, a_copy_under_another_name_of_a_message_whose_flags_change_is_a_link) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,", 11)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,S", 11), file("cur/2.y:2,", 11)})});
  EXPECT_EQ(lines(before, after),
            Lines({"link /cur/1.x:2, -> /cur/1.x:2,S inode 11", "rename /cur/1.x:2, -> /cur/2.y:2, inode 11"}));
}

TEST(Plan, a_new_message_in_two_folders_is_put_once) {
  const auto before = account({folder("", 1), folder(".Sent", 2)});
  const auto after = account({folder("", 1, {file("cur/1.x:2,", 11)}), folder(".Sent", 2, {file("cur/1.x:2,", 11)})});
  EXPECT_EQ(lines(before, after),
            Lines({"put -> /cur/1.x:2, inode 11", "link /cur/1.x:2, -> /.Sent/cur/1.x:2, inode 11"}));
}

TEST(Plan, a_copy_of_a_message_that_moves_is_made_before_the_move) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,", 11)}), folder(".A", 2), folder(".B", 3)});
  const auto after =
      account({folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11)}), folder(".B", 3, {file("cur/1.x:2,", 11)})});
  EXPECT_EQ(lines(before, after),
            Lines({"link /cur/1.x:2, -> /.A/cur/1.x:2, inode 11", "rename /cur/1.x:2, -> /.B/cur/1.x:2, inode 11"}));
}

TEST(Plan, a_renamed_folder_takes_its_messages_and_what_is_below_it_along) {
  const auto before = account({folder("", 1), folder("Old", 2, {file("cur/1.x:2,", 11), file("dovecot-uidlist", 12)}),
                               folder("Old/Sub", 3, {file("cur/2.x:2,", 13)})});
  const auto after = account({folder("", 1), folder("New", 2, {file("cur/1.x:2,", 11), file("dovecot-uidlist", 12)}),
                              folder("New/Sub", 3, {file("cur/2.x:2,", 13)})});
  EXPECT_EQ(lines(before, after), Lines({"rename_folder /Old -> /New inode 2"}));
}

TEST(Plan, the_children_of_a_renamed_maildir_are_renames_of_their_own) {
  const auto before = account(
      {folder("", 1), folder(".Old", 2, {file("cur/1.x:2,", 11)}), folder(".Old.Sub", 3, {file("cur/2.x:2,", 12)})});
  const auto after = account(
      {folder("", 1), folder(".New", 2, {file("cur/1.x:2,", 11)}), folder(".New.Sub", 3, {file("cur/2.x:2,", 12)})});
  EXPECT_EQ(lines(before, after),
            Lines({"rename_folder /.Old -> /.New inode 2", "rename_folder /.Old.Sub -> /.New.Sub inode 3"}));
}

TEST(Plan, a_chain_of_folder_renames_frees_each_name_first) {
  const auto before = account({folder("", 1), folder(".A", 2), folder(".B", 3)});
  const auto after = account({folder("", 1), folder(".B", 2), folder(".C", 3)});
  EXPECT_EQ(lines(before, after), Lines({"rename_folder /.B -> /.C inode 3", "rename_folder /.A -> /.B inode 2"}));
}

TEST(Plan, a_folder_moves_below_one_that_is_made_for_it) {
  const auto before =
      account({folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11)}), folder(".B", 3), folder(".C", 4)});
  const auto after = account({folder("", 1), folder("Archive", 5), folder("Archive/A", 2, {file("cur/1.x:2,", 11)}),
                              folder(".B", 3), folder(".C", 4)});
  EXPECT_EQ(lines(before, after),
            Lines({"make_folder -> /Archive inode 5", "rename_folder /.A -> /Archive/A inode 2"}));
}

TEST(Plan, folders_that_swap_their_names_send_no_bodies) {
  const auto before =
      account({folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11)}), folder(".B", 3, {file("cur/2.x:2,", 12)})});
  const auto after =
      account({folder("", 1), folder(".A", 3, {file("cur/2.x:2,", 12)}), folder(".B", 2, {file("cur/1.x:2,", 11)})});
  for (const auto& operation : plan(before, after))
    EXPECT_NE(operation.kind, OperationKind::put) << describe(operation);
}

TEST(Plan, a_move_is_at_its_new_place_before_the_rest_is_removed_and_control_files_come_last) {
  const auto before = account(
      {folder("", 1, {file("cur/1.x:2,", 11), file("cur/2.x:2,", 12), file("dovecot-uidlist", 13)}), folder(".A", 2)});
  const auto after = account({folder("", 1, {file("cur/3.x:2,", 15), file("dovecot-uidlist", 14)}),
                              folder(".A", 2, {file("cur/1.x:2,", 11)})});
  EXPECT_EQ(lines(before, after), Lines({"rename /cur/1.x:2, -> /.A/cur/1.x:2, inode 11", "put -> /cur/3.x:2, inode 15",
                                         "remove /cur/2.x:2,", "put_control -> /dovecot-uidlist inode 14"}));
}

TEST(Plan, an_old_name_of_another_message_is_put_over) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,", 11)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,", 12)})});
  const auto operations = plan(before, after);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
  ASSERT_TRUE(operations[0].expected);
  EXPECT_EQ(operations[0].expected->inode, 11u);
}

TEST(Plan, a_message_whose_name_was_taken_moves_before_it_is_put_over) {
  const auto before = account({folder("", 1, {with_digest(file("cur/1.x:2,", 11), 1)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,", 12), with_digest(file("cur/2.x:2,", 11), 1)})});
  EXPECT_EQ(lines(before, after), Lines({"rename /cur/1.x:2, -> /cur/2.x:2, inode 11", "put -> /cur/1.x:2, inode 12"}));
}

TEST(Plan, a_message_that_changed_in_place_replaces_its_old_self) {
  auto changed = file("cur/1.x:2,", 11);
  changed.size += 5;
  const auto operations = plan(account({folder("", 1, {file("cur/1.x:2,", 11)})}), account({folder("", 1, {changed})}));
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
  EXPECT_EQ(operations[0].expected, file("cur/1.x:2,", 11));
}

TEST(Plan, a_message_that_changed_in_place_to_equal_length_replaces_its_old_self) {
  auto changed = file("cur/1.x:2,", 11);
  changed.mtime += 5;
  const auto operations = plan(account({folder("", 1, {file("cur/1.x:2,", 11)})}), account({folder("", 1, {changed})}));
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
  EXPECT_EQ(operations[0].expected, file("cur/1.x:2,", 11));
  EXPECT_EQ(operations[0].result, changed);
}

TEST(Plan, a_message_that_changed_in_place_and_got_another_name_is_put) {
  auto changed = file("cur/1.x:2,S", 11);
  changed.mtime += 5;
  EXPECT_EQ(lines(account({folder("", 1, {file("cur/1.x:2,", 11)})}), account({folder("", 1, {changed})})),
            Lines({"put -> /cur/1.x:2,S inode 11", "remove /cur/1.x:2,"}));
}

// As Dovecot does it itself: a message gets its letter, then the file gives the letter a name.
TEST(Plan, keyword_letters_come_before_the_file_that_names_them) {
  const auto before = account({folder("", 1, {file("cur/1.x:2,S", 11), file("dovecot-keywords", 13)})});
  const auto after = account({folder("", 1, {file("cur/1.x:2,Sa", 11), file("dovecot-keywords", 14)})});
  EXPECT_EQ(lines(before, after),
            Lines({"rename /cur/1.x:2,S -> /cur/1.x:2,Sa inode 11", "put_control -> /dovecot-keywords inode 14"}));
}

TEST(Plan, an_inode_that_was_used_again_is_another_message) {
  auto reused = file("cur/2.x:2,", 11);
  reused.mtime += 1;
  EXPECT_EQ(lines(account({folder("", 1, {file("cur/1.x:2,", 11)})}), account({folder("", 1, {reused})})),
            Lines({"put -> /cur/2.x:2, inode 11", "remove /cur/1.x:2,"}));
}

TEST(Plan, a_change_of_mode_is_no_body) {
  auto after = file("cur/1.x:2,", 11);
  after.attributes.mode = 0640;
  EXPECT_EQ(lines(account({folder("", 1, {file("cur/1.x:2,", 11)})}), account({folder("", 1, {after})})),
            Lines({"set_attributes -> /cur/1.x:2, inode 11"}));
}

TEST(Plan, a_renamed_message_keeps_its_known_digest) {
  auto known = file("cur/1.x:2,", 11);
  known.digest = Digest{{1, 2, 3}};
  const auto operations = plan(account({folder("", 1, {known})}), account({folder("", 1, {file("cur/1.x:2,S", 11)})}));
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].expected, known);
  EXPECT_EQ(operations[0].result.digest, known.digest);
}

TEST(Plan, a_folder_goes_with_all_that_it_holds) {
  const auto before = account(
      {folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11), file("dovecot-uidlist", 12)}), folder(".A/sub", 3)});
  EXPECT_EQ(lines(before, account({folder("", 1)})), Lines({"remove /.A/cur/1.x:2,", "remove /.A/dovecot-uidlist",
                                                            "remove_folder /.A/sub", "remove_folder /.A"}));
}

TEST(Plan, a_folder_that_was_not_seen_stays_when_the_structure_is_not_whole) {
  const auto before = account({folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11)})});
  auto after = account({folder("", 1)});
  after.structure_whole = false;
  EXPECT_EQ(lines(before, after), Lines{});
}

TEST(Plan, a_copy_from_a_folder_that_was_not_seen_does_not_take_the_message_away) {
  const auto before = account({folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11)})});
  auto after = account({folder("", 1, {file("cur/1.x:2,", 11)})});
  after.structure_whole = false;
  EXPECT_EQ(lines(before, after), Lines({"link /.A/cur/1.x:2, -> /cur/1.x:2, inode 11"}));
}

TEST(Plan, a_folder_where_a_control_file_was_waits_until_that_is_gone) {
  const auto before = account({folder("", 1, {file("courierimapkeywords", 11)})});
  const auto after = account({folder("", 1), folder("courierimapkeywords", 2)});
  EXPECT_EQ(lines(before, after),
            Lines({"remove /courierimapkeywords", "make_folder -> /courierimapkeywords inode 2"}));
}

TEST(Plan, a_control_file_where_a_folder_was_waits_until_that_is_gone) {
  const auto before = account({folder("", 1), folder("sieve", 2, {file("a.sieve", 11)})});
  const auto after = account({folder("", 1, {file("sieve", 12)})});
  EXPECT_EQ(lines(before, after),
            Lines({"remove /sieve/a.sieve", "remove_folder /sieve", "put_control -> /sieve inode 12"}));
}

TEST(Plan, a_file_that_a_renamed_folder_brings_makes_room_for_a_folder) {
  const auto before = account({folder("", 1), folder(".A", 2, {file("sieve", 11)})});
  const auto after = account({folder("", 1), folder(".B", 2), folder(".B/sieve", 3)});
  EXPECT_EQ(lines(before, after),
            Lines({"rename_folder /.A -> /.B inode 2", "remove /.B/sieve", "make_folder -> /.B/sieve inode 3"}));
}

TEST(Plan, a_file_named_cur_makes_room_for_the_directory) {
  auto plain = folder("x", 2, {file("cur", 11)});
  plain.cur = plain.new_ = plain.tmp = std::nullopt;
  EXPECT_EQ(lines(account({folder("", 1), plain}), account({folder("", 1), folder("x", 2)})),
            Lines({"remove /x/cur", "make_folder -> /x inode 2"}));
}

TEST(Plan, a_cur_that_went_goes_after_its_messages) {
  auto without = folder(".A", 2);
  without.cur = std::nullopt;
  const auto before = account({folder("", 1), folder(".A", 2, {file("cur/1.x:2,", 11)})});
  EXPECT_EQ(lines(before, account({folder("", 1), without})),
            Lines({"remove /.A/cur/1.x:2,", "make_folder -> /.A inode 2"}));
}

TEST(Plan, a_cur_that_went_makes_room_for_a_file_of_its_name) {
  auto after = folder("", 1, {file("cur", 12)});
  after.cur.reset();
  EXPECT_EQ(lines(account({folder("", 1, {file("cur/1.x:2,", 11)})}), account({after})),
            Lines({"remove /cur/1.x:2,", "make_folder -> / inode 1", "put_control -> /cur inode 12"}));
}

TEST(Plan, a_listed_message_without_an_inode_is_found_by_its_base_name) {
  const auto before = testing::listed(account({folder("", 1, {file("new/1.x", 11)})}));
  auto operations = plan(before, account({folder("", 1, {file("cur/1.x:2,S", 11)})}));
  std::erase_if(operations, [](const Operation& operation) { return operation.kind == OperationKind::make_folder; });
  ASSERT_EQ(operations.size(), 1u) << describe(operations);
  EXPECT_EQ(describe(operations[0]), "rename /new/1.x -> /cur/1.x:2,S inode 11");
}

TEST(Plan, a_symbolic_link_is_put_again_only_when_its_target_changed) {
  Entry link = file("cur/l", 11);
  link.kind = EntryKind::symlink;
  link.target = std::string("1.x:2,S");
  link.size = link.target.text().size();
  Entry touched = link;
  touched.mtime += 5;
  Entry turned = link;
  turned.target = std::string("2.x:2,S");
  const auto before = account({folder("", 1, {link})});
  EXPECT_EQ(lines(before, account({folder("", 1, {touched})})), Lines({"set_attributes -> /cur/l inode 11"}));
  EXPECT_EQ(lines(before, account({folder("", 1, {turned})})), Lines({"put -> /cur/l inode 11"}));
}

}  // namespace
}  // namespace maildirsync::sync
