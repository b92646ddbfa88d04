#include "common/sync/brake.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::sync {
namespace {

// ---- one account ----

struct Case {
  const char* what;
  Removals removals;
  Hold wanted;
};

class AccountCases : public ::testing::TestWithParam<Case> {};

TEST_P(AccountCases, are_decided) {
  EXPECT_EQ(should_hold(GetParam().removals), GetParam().wanted) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    WhatAUserDoes, AccountCases,
    ::testing::Values(
        Case{"deletes a message", {.messages = 200, .lost = 1}, Hold::none},
        Case{"deletes the only message", {.messages = 1, .lost = 1}, Hold::none},
        Case{"empties a Trash of 60 of 200 messages", {.messages = 200, .lost = 60}, Hold::none},
        Case{"purges 900 of 1,000 messages, which are spam", {.messages = 1000, .lost = 900}, Hold::none},
        Case{"fetches all by POP3 and leaves nothing", {.messages = 300, .lost = 300}, Hold::none},
        Case{"goes on deleting", {.messages = 300, .lost = 40, .lost_before = 200}, Hold::none},
        Case{"puts the account back from a backup",
             {.messages = 300, .lost = 10, .damage = Damage::another_account},
             Hold::none},
        Case{"renames folders, and nothing is lost", {.messages = 300, .damage = Damage::no_folders}, Hold::none},
        Case{
            "deletes a little while the root loses much", {.messages = 200, .lost = 9, .root_loses = true}, Hold::none},
        Case{"deletes a fourth while the root loses much",
             {.messages = 200, .lost = 50, .root_loses = true},
             Hold::none},
        Case{"deletes 49 where there is no trash", {.messages = 49, .lost = 49, .has_trash = false}, Hold::none},
        Case{"deletes a fourth where there is no trash",
             {.messages = 200, .lost = 50, .has_trash = false},
             Hold::none}));

INSTANTIATE_TEST_SUITE_P(
    WhatNoUserDoes, AccountCases,
    ::testing::Values(
        Case{"rm -rf Maildir/*, of one message", {.messages = 1, .lost = 1, .damage = Damage::no_inbox}, Hold::damage},
        Case{"rm -rf Maildir/.[A-Z]*", {.messages = 300, .lost = 90, .damage = Damage::no_folders}, Hold::damage},
        Case{"an account's volume unmounted, a skeleton below",
             {.messages = 30, .lost = 30, .damage = Damage::another_account},
             Hold::damage},
        Case{"a folder's volume unmounted",
             {.messages = 900, .lost = 5, .damage = Damage::another_folder},
             Hold::damage},
        Case{"rm of all messages of a domain", {.messages = 30, .lost = 30, .root_loses = true}, Hold::root_loses},
        Case{"the same in two bursts",
             {.messages = 60, .lost = 5, .lost_before = 30, .root_loses = true},
             Hold::root_loses},
        Case{
            "60 of 200 where there is no trash", {.messages = 200, .lost = 60, .has_trash = false}, Hold::beyond_trash},
        Case{"the same in two bursts",
             {.messages = 200, .lost = 30, .lost_before = 30, .has_trash = false},
             Hold::beyond_trash}));

TEST(Brake, waits_for_the_end_of_what_may_be_the_beginning_of_an_rm) {
  EXPECT_FALSE(is_mass(19, 19));
  EXPECT_TRUE(is_mass(20, 20));
  EXPECT_FALSE(is_mass(80, 20));
  EXPECT_TRUE(is_mass(79, 20));
  EXPECT_FALSE(is_most(40, 20));
  EXPECT_TRUE(is_most(39, 20));
}

// ---- a root ----

struct RootCase {
  const char* what;
  RootLosses losses;
  bool wanted;
};

class RootCases : public ::testing::TestWithParam<RootCase> {};

TEST_P(RootCases, are_decided) {
  EXPECT_EQ(is_catastrophe(GetParam().losses), GetParam().wanted) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    WhatHappensInADay, RootCases,
    ::testing::Values(
        RootCase{"nothing", {.accounts = 300, .messages = 9000}, false},
        RootCase{"one user empties a mailbox that is most of the root",
                 {.accounts = 3, .emptied = 1, .losers = 1, .messages = 9000, .lost = 8000},
                 false},
        RootCase{"nightly expiry takes a third from each of 300 accounts",
                 {.accounts = 300, .losers = 300, .messages = 9000, .lost = 3000},
                 false},
        RootCase{"nightly expiry over 50,000 accounts, a few of which had little else",
                 {.accounts = 50'000, .emptied = 900, .losers = 50'000, .messages = 50'000'000, .lost = 1'500'000},
                 false},
        RootCase{"POP3 on a Monday morning",
                 {.accounts = 1000, .emptied = 30, .losers = 60, .messages = 90'000, .lost = 3000},
                 false},
        RootCase{"four of ten users empty their mailboxes within a minute",
                 {.accounts = 10, .emptied = 4, .losers = 4, .messages = 2000, .lost = 400},
                 false}));

INSTANTIATE_TEST_SUITE_P(
    WhatIsACatastrophe, RootCases,
    ::testing::Values(RootCase{"all messages of a domain of 42 of 300 accounts",
                               {.accounts = 300, .emptied = 42, .losers = 42, .messages = 9000, .lost = 1260},
                               true},
                      RootCase{"those of half of a small root",
                               {.accounts = 10, .emptied = 5, .losers = 5, .messages = 300, .lost = 150},
                               true},
                      RootCase{"most of the mail of many accounts with little mail each",
                               {.accounts = 300, .losers = 200, .messages = 2000, .lost = 1500},
                               true}));

TEST(Brake, tells_users_who_left_from_a_domain_that_went) {
  EXPECT_FALSE(vanished_together(1, 300));
  EXPECT_FALSE(vanished_together(4, 20));
  EXPECT_FALSE(vanished_together(14, 300));
  EXPECT_TRUE(vanished_together(42, 300));
  EXPECT_TRUE(vanished_together(5, 100));
  EXPECT_TRUE(vanished_together(2, 3));
  EXPECT_TRUE(vanished_together(1, 1));
}

// ---- directories ----

FolderManifest folder(const std::string& path, std::uint64_t inode, std::vector<Entry> entries = {}) {
  FolderManifest made;
  made.path = path;
  made.inode = inode;
  made.cur = made.new_ = made.tmp = Attributes{0700, 5000, 5000};
  made.entries = std::move(entries);
  return made;
}

AccountManifest account(std::vector<FolderManifest> folders) {
  return {.structure_whole = true, .folders = std::move(folders)};
}

Entry message(std::uint64_t inode) {
  return testing::file("cur/" + std::to_string(inode) + ".x:2,S", inode);
}

TEST(Damage, is_none_when_a_user_removes_messages_and_folders) {
  const auto before = account({folder("", 1, {message(11)}), folder(".A", 2, {message(12)}), folder(".B", 3)});
  EXPECT_EQ(damage_between(before, before), Damage::none);
  EXPECT_EQ(damage_between(before, account({folder("", 1)})), Damage::none);
}

TEST(Damage, is_none_when_a_parent_of_other_mailboxes_loses_its_own_mail) {  // LAYOUT=fs, IMAP's DELETE
  const auto before = account({folder("", 1), folder("A", 2, {message(12)}), folder("A/B", 3, {message(13)})});
  auto after = before;
  after.folders[1].cur = after.folders[1].new_ = after.folders[1].tmp = std::nullopt;
  after.folders[1].entries.clear();
  EXPECT_EQ(damage_between(before, after), Damage::none);
}

TEST(Damage, is_an_inbox_without_its_directories) {
  const auto before = account({folder("", 1, {message(11)})});
  auto after = before;
  after.folders[0].cur.reset();
  EXPECT_EQ(damage_between(before, after), Damage::no_inbox);
}

TEST(Damage, is_an_inbox_that_is_gone_from_a_home) {
  auto home = folder("", 1);
  home.cur = home.new_ = home.tmp = std::nullopt;
  const auto before = account({home, folder("Maildir", 2, {message(11)}), folder("Maildir/.A", 3), folder("sieve", 4)});
  EXPECT_EQ(damage_between(before, account({home, folder("sieve", 4)})), Damage::no_inbox);
  EXPECT_EQ(damage_between(before, account({home, folder("Mail", 2, {message(11)})})), Damage::none) << "renamed";
}

TEST(Damage, is_another_directory_in_the_place_of_one_with_mail) {
  const auto before = account({folder("", 1), folder(".A", 2, {message(12)})});
  auto after = before;
  after.folders[1].inode = 99;
  after.folders[1].entries.clear();
  EXPECT_EQ(damage_between(before, after), Damage::none) << "deleted and made again";
  after.folders[1].cur.reset();
  EXPECT_EQ(damage_between(before, after), Damage::another_folder);
  after.folders[0].inode = 98;
  EXPECT_EQ(damage_between(before, after), Damage::another_account);
}

TEST(Damage, is_all_folders_gone_at_once_and_not_a_few) {
  std::vector<FolderManifest> folders{folder("", 1, {message(11)})};
  for (const char* name : {".A", ".B", ".C"})
    folders.push_back(folder(name, folders.size() + 1, {message(folders.size() + 20)}));
  const auto inbox = account({folder("", 1, {message(11)})});
  EXPECT_EQ(damage_between(account(folders), inbox), Damage::none);
  folders.push_back(folder(".D", 5, {message(25)}));
  EXPECT_EQ(damage_between(account(folders), inbox), Damage::no_folders);
}

TEST(Damage, is_not_found_where_the_walk_saw_only_a_part) {
  const auto before = account({folder("", 1, {message(11)})});
  EXPECT_EQ(damage_between(before, {.structure_whole = false, .folders = {}}), Damage::none);
}

// ---- what counts as lost ----

Operation removal(const std::string& path, std::uint64_t inode, const std::string& in = "") {
  const Entry entry = testing::file(path, inode);
  return {.kind = OperationKind::remove, .from = {in, entry.area, entry.name}, .expected = entry};
}

std::uint64_t lost(const std::vector<Operation>& plan, const std::unordered_map<std::uint64_t, std::size_t>& names) {
  return lost_messages(plan, names).messages;
}

TEST(Lost, counts_a_message_that_goes_with_its_last_name) {
  EXPECT_EQ(lost({removal("cur/1.x:2,", 11), removal("new/2.x", 12)}, {{11, 1}, {12, 1}}), 2u);
}

TEST(Lost, counts_no_control_files) {
  EXPECT_EQ(lost({removal("dovecot-uidlist", 11)}, {}), 0u);
}

// IMAP's MOVE is a link and a removal, and the removal waits until it has settled: by then the link is acknowledged.
TEST(Lost, does_not_count_a_message_that_keeps_another_name) {
  EXPECT_EQ(lost({removal("cur/1.x:2,", 11)}, {{11, 2}}), 0u);
}

TEST(Lost, counts_all_names_of_a_message_when_all_go) {
  EXPECT_EQ(lost({removal("cur/1.x:2,", 11), removal("cur/2.x:2,", 11)}, {{11, 2}}), 2u);
}

TEST(Lost, does_not_count_a_message_that_gets_another_name) {
  Operation link{
      .kind = OperationKind::link, .to = {".A", Area::cur, "1.x:2,"}, .result = testing::file("cur/1.x:2,", 11)};
  EXPECT_EQ(lost({link, removal("cur/1.x:2,", 11)}, {{11, 1}}), 0u);
}

TEST(Lost, counts_a_message_whose_inode_is_not_known) {
  EXPECT_EQ(lost({removal("cur/1.x:2,", 0)}, {{0, 7}}), 1u);
}

TEST(Lost, adds_up_the_bytes_of_what_goes) {
  auto one = removal("cur/1.x:2,", 11);
  one.expected->size = 700;
  auto other = removal("cur/2.x:2,", 0);
  other.expected->size = 30;
  EXPECT_EQ(lost_messages({one, other}, {}).bytes, 730u);
}

// ---- the trash ----

struct TrashCase {
  const char* what;
  Company company;
  bool put_aside;
};

class TrashCases : public ::testing::TestWithParam<TrashCase> {};

TEST_P(TrashCases, are_decided) {
  std::vector<Operation> plan{removal("cur/1.x:2,", 11)};
  mark_for_trash(plan, GetParam().company);
  EXPECT_EQ(plan[0].to_trash, GetParam().put_aside) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    OneByOne, TrashCases,
    ::testing::Values(TrashCase{"a message that was read", {.in_window = 1, .in_hour = 1}, false},
                      TrashCase{"the ninth of a quick hand", {.in_window = 9, .in_hour = 9}, false},
                      TrashCase{"one after another, while mail is read", {.in_window = 2, .in_hour = 29}, false}));

INSTANTIATE_TEST_SUITE_P(
    ByMasses, TrashCases,
    ::testing::Values(TrashCase{"an emptied Trash", {.in_window = 60, .in_hour = 60}, true},
                      TrashCase{"rm -rf, a message every ten seconds", {.in_window = 6, .in_hour = 30}, true},
                      TrashCase{"the same half an hour later", {.in_window = 6, .in_hour = 180}, true},
                      TrashCase{"one of an account, while hundreds lose one each",
                                {.in_window = 1, .in_hour = 1, .root_wanes = true},
                                true},
                      TrashCase{"an account's only message, with the account",
                                {.in_window = 1, .in_hour = 1, .account_gone = true},
                                true}));

TEST(Wanes, a_root_that_loses_a_twentieth_a_minute_and_not_one_whose_users_delete) {
  struct {
    const char* what;
    std::uint64_t messages, lost_in_hour;
    bool wanted;
  } const cases[] = {
      {"a small root, whose user empties a mailbox", 400, 99, false},
      {"5 % in the first minute, of 10,000 accounts with 20 messages each", 200'000, 10'000, true},
      {"a domain of 42 accounts with nine messages each, of 300", 2'700, 378, true},
      {"users of a million messages who delete 9,000 of them within an hour", 1'000'000, 9'000, false},
      {"the hundredth of its messages", 10'000, 100, true},
      {"one fewer", 10'000, 99, false},
  };
  for (const auto& one : cases)
    EXPECT_EQ(wanes(one.messages, one.lost_in_hour), one.wanted) << one.what;
}

std::vector<bool> to_trash(std::vector<Operation> plan, const Company& company) {
  mark_for_trash(plan, company);
  std::vector<bool> marks;
  for (const auto& operation : plan)
    marks.push_back(operation.to_trash);
  return marks;
}

TEST(ToTrash, goes_what_is_much_and_not_what_is_little) {
  const std::vector<Operation> plan{removal("cur/1.x:2,", 11), removal("dovecot-keywords", 12)};
  EXPECT_EQ(to_trash(plan, {.in_window = 9, .in_hour = 9}), (std::vector<bool>{false, false}));
  EXPECT_EQ(to_trash(plan, {.in_window = 10, .in_hour = 10}), (std::vector<bool>{true, false}));
}

TEST(ToTrash, goes_all_of_a_folder_that_is_removed) {
  const std::vector<Operation> plan{removal("cur/1.x:2,", 11),
                                    removal("cur/2.x:2,", 12, ".A"),
                                    removal("dovecot-uidlist", 13, ".A"),
                                    {.kind = OperationKind::remove_folder, .from = {".A", Area::folder, ""}}};
  EXPECT_EQ(to_trash(plan, {.in_window = 2, .in_hour = 2}), (std::vector<bool>{false, true, true, true}));
}

TEST(ToTrash, goes_all_of_an_account_that_is_removed) {
  EXPECT_EQ(to_trash({removal("cur/1.x:2,", 11), removal("subscriptions", 13)}, {.account_gone = true}),
            (std::vector<bool>{true, true}));
}

}  // namespace
}  // namespace maildirsync::sync
