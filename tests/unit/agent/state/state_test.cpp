#include <thread>
#include <unordered_map>

#include "agent/state/entries.h"
#include "tests/unit/agent/state/accounts.h"

namespace maildirsync::agent {
namespace {

using namespace testing;
using sync::Area;
using sync::Entry;

class AccountsTest : public StateTest {
 protected:
  State::AccountRow row() { return state->account_row(account).value(); }
};

TEST_F(AccountsTest, values_survive_a_restart) {
  EXPECT_EQ(state->value("mode:vhosts").value(), std::nullopt);
  ASSERT_TRUE(state->set_value("mode:vhosts", "mirror"));
  ASSERT_TRUE(state->set_value("mode:vhosts", std::string("dr\0ain", 6)));
  ASSERT_TRUE(state->set_value("empty", ""));
  open();
  EXPECT_EQ(state->value("mode:vhosts").value(), std::string("dr\0ain", 6));
  EXPECT_EQ(state->value("empty").value(), "");
}

TEST_F(AccountsTest, an_account_keeps_its_number_over_restarts) {
  const auto other = state->account("vhosts", "example.org/bob").value();
  const auto same_path_elsewhere = state->account("archive", "example.org/ann").value();
  EXPECT_NE(account, other);
  EXPECT_NE(account, same_path_elsewhere);
  open();
  EXPECT_EQ(state->account("vhosts", "example.org/bob").value(), other);
  EXPECT_EQ(state->account("archive", "example.org/ann").value(), same_path_elsewhere);
}

TEST_F(AccountsTest, accounts_are_listed_by_root) {
  state->account("vhosts", "example.org/\xff\n").value();
  state->account("archive", "x").value();
  const auto rows = state->accounts("vhosts").value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].path, "example.org/ann");
  EXPECT_EQ(rows[1].path, "example.org/\xff\n");
}

TEST_F(AccountsTest, an_account_moves_to_another_root_with_all_that_is_known_of_it) {
  apply({make_folder(""), put(at("", "cur/1.x:2,"), 1)});
  ASSERT_TRUE(state->set_complete(account, true));
  const auto there = state->account("moved", "example.org/ann").value();
  ASSERT_TRUE(state->move_account(account, "moved"));
  EXPECT_TRUE(state->accounts("vhosts").value().empty());
  ASSERT_EQ(state->accounts("moved").value().size(), 1U);
  EXPECT_EQ(state->account("moved", "example.org/ann").value(), account);
  EXPECT_FALSE(state->account_row(there));
  EXPECT_TRUE(row().complete);
  EXPECT_EQ(row().messages, 1U);
  EXPECT_EQ(state->entries(account, "").value().size(), 1U);
  ASSERT_TRUE(state->move_account(account, "moved"));
  EXPECT_EQ(row().messages, 1U);
}

TEST_F(AccountsTest, completeness_survives_a_restart) {
  EXPECT_FALSE(row().complete);
  ASSERT_TRUE(state->set_complete(account, true));
  open();
  EXPECT_TRUE(row().complete);
  ASSERT_TRUE(state->set_complete(account, false));
  EXPECT_FALSE(row().complete);
}

TEST_F(AccountsTest, messages_and_their_bytes_are_counted_and_control_files_are_not) {
  apply({make_folder(""), make_folder(".Sent"), put(at("", "cur/1.x:2,"), 1), put(at(".Sent", "new/2.x"), 2),
         put(at("", "dovecot-uidlist"), 3)});
  EXPECT_EQ(row().folders, 2U);
  EXPECT_EQ(row().messages, 2U);
  EXPECT_EQ(row().bytes, 1001U + 1002U);
}

TEST_F(AccountsTest, counts_follow_replacement_renames_and_removal) {
  apply({make_folder(""), make_folder(".Sent"), put(at("", "cur/1.x:2,"), 1), put(at("", "cur/2.x:2,"), 2)});
  apply({put(at("", "cur/1.x:2,"), 5), rename(at("", "cur/2.x:2,"), at(".Sent", "cur/2.x:2,S"), 2),
         remove(at("", "cur/unknown"))});
  EXPECT_EQ(row().messages, 2U);
  EXPECT_EQ(row().bytes, 1005U + 1002U);
  apply({remove_folder(".Sent"), remove_folder(".Unknown")});
  EXPECT_EQ(row().folders, 1U);
  EXPECT_EQ(row().messages, 1U);
  EXPECT_EQ(row().bytes, 1005U);
}

TEST_F(AccountsTest, a_forgotten_account_leaves_nothing_and_its_number_is_not_used_again) {
  apply({make_folder(""), put(at("", "cur/1.x:2,"), 1), put(at("", "dovecot-uidlist"), 2)});
  ASSERT_TRUE(state->set_signature(account, at("", "dovecot-uidlist"), "signature"));
  ASSERT_TRUE(state->set_alias(account, "", "1.x", "1.x.c"));
  ASSERT_TRUE(state->begin_turn(account, {{at("", "cur/1.x:2,"), 1, 1}}));
  ASSERT_TRUE(state->forget_account(account));
  EXPECT_TRUE(state->accounts("vhosts").value().empty());
  EXPECT_TRUE(state->folders(account).value().folders.empty());
  EXPECT_TRUE(state->entries(account, "").value().empty());
  EXPECT_TRUE(state->aliases(account).value().empty());
  EXPECT_TRUE(state->accounts_with_intents().value().empty());
  EXPECT_TRUE(state->find_inodes(account, {1}).value().empty());
  EXPECT_NE(state->account("vhosts", "example.org/ann").value(), account);
}

TEST_F(AccountsTest, what_is_acknowledged_after_its_account_was_forgotten_is_refused_as_a_whole) {
  ASSERT_TRUE(state->forget_account(account));
  const auto applied = state->apply(account, {make_folder(""), put(at("", "cur/1.x:2,"), 1)});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::state);
  EXPECT_TRUE(state->folders(account).value().folders.empty());
  EXPECT_FALSE(state->account_row(account));
}

class EntriesTest : public StateTest {};

TEST_F(EntriesTest, everything_of_an_entry_survives_a_restart) {
  Entry message = entry(at("", "cur/1.x:2,S"), 1);
  message.inode = ~std::uint64_t{0};
  message.size = std::uint64_t{1} << 40U;
  message.mtime = -1;
  message.attributes = {07777, 4'294'967'295U, 4'294'967'294U};
  message.digest.reset();
  Entry symlink = entry(at("", "link"), 2);
  symlink.kind = sync::EntryKind::symlink;
  symlink.target = std::string("../\xfe target");
  apply({make_folder(""),
         {.kind = sync::OperationKind::put, .to = at("", "cur/1.x:2,S"), .result = message},
         {.kind = sync::OperationKind::put_control, .to = at("", "link"), .result = symlink}});
  open();
  EXPECT_EQ(state->entries(account, "").value(), (std::vector<Entry>{symlink, message}));
}

TEST_F(EntriesTest, names_may_have_any_bytes) {
  const Names wanted{"cur/\x01", "cur/a\nb:2,S", "cur/\xff\xfe:2,", "new/:2,"};
  const std::string folder = ".\xff\n'\"%";
  apply({make_folder(folder)});
  for (const auto& name : wanted)
    apply({put(at(folder, name), 1)});
  open();
  EXPECT_EQ(names(folder), wanted);
  EXPECT_EQ(state->folders(account).value().folders.front().path, folder);
  EXPECT_EQ(state->entries_named(account, folder, {"\xff\xfe", "a\nb", ""}).value().size(), 3U);
}

TEST_F(EntriesTest, an_unknown_folder_has_none) {
  apply({make_folder(""), put(at(".Other", "cur/1.x"), 1)});
  EXPECT_TRUE(state->entries(account, ".Other").value().empty());
  EXPECT_TRUE(state->control_entries(account, ".Other").value().empty());
  EXPECT_TRUE(state->entries_named(account, ".Other", {"1.x"}).value().empty());
}

TEST_F(EntriesTest, a_base_name_finds_it_under_all_flags_and_in_both_areas) {
  apply({make_folder(""), make_folder(".Sent"), put(at("", "new/1.x"), 1), put(at("", "cur/1.x:2,S"), 2),
         put(at("", "cur/1.x:2,RS"), 3), put(at("", "cur/1.xy:2,"), 4), put(at("", "1.x"), 5),
         put(at(".Sent", "cur/1.x:2,"), 6)});
  Names found;
  const auto entries = state->entries_named(account, "", {"1.x", "unknown", "1.x"}).value();
  for (const auto& entry : entries) {
    found.push_back(path_of(entry));
  }
  EXPECT_EQ(found, (Names{"1.x", "cur/1.x:2,RS", "cur/1.x:2,S", "new/1.x"}));
}

TEST_F(EntriesTest, more_base_names_can_be_asked_for_than_a_statement_has_parameters) {
  apply({make_folder(""), put(at("", "cur/39999.x:2,"), 9)});
  std::vector<std::string> bases;
  std::vector<std::uint64_t> inodes;
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    bases.push_back(std::to_string(i) + ".x");
    inodes.push_back(i);
  }
  EXPECT_EQ(state->entries_named(account, "", bases).value().size(), 1U);
  EXPECT_EQ(state->find_inodes(account, inodes).value().size(), 1U);
}

TEST_F(EntriesTest, control_files_are_listed_alone) {
  apply(
      {make_folder(""), put(at("", "cur/1.x"), 1), put(at("", "subscriptions"), 2), put(at("", "dovecot-uidlist"), 3)});
  const auto control = state->control_entries(account, "").value();
  ASSERT_EQ(control.size(), 2U);
  EXPECT_EQ(control[0], entry(at("", "dovecot-uidlist"), 3));
  EXPECT_EQ(control[1], entry(at("", "subscriptions"), 2));
}

TEST_F(EntriesTest, an_inode_is_found_in_all_folders_of_its_account_only) {
  const auto other = state->account("vhosts", "example.org/bob").value();
  ASSERT_TRUE(state->apply(other, {make_folder(""), put(at("", "cur/9.x"), 1)}));
  apply({make_folder(""), make_folder(".Sent"), put(at("", "cur/1.x"), 1), put(at(".Sent", "cur/2.x"), 1),
         put(at("", "cur/3.x"), 3), put(at("", "cur/4.x"), 0)});
  const auto found = state->find_inodes(account, {0, 3, 1, 17, 1}).value();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].entry.name, "3.x");
  Names folders{found[1].folder + "/" + found[1].entry.name, found[2].folder + "/" + found[2].entry.name};
  std::sort(folders.begin(), folders.end());
  EXPECT_EQ(folders, (Names{".Sent/2.x", "/1.x"}));
}

TEST_F(EntriesTest, an_inode_is_not_found_where_it_was) {
  apply({make_folder(""), put(at("", "cur/1.x"), 1), put(at("", "cur/1.x"), 2)});
  EXPECT_TRUE(state->find_inodes(account, {1}).value().empty());
  EXPECT_EQ(state->find_inodes(account, {2}).value().size(), 1U);
}

/// Two base names with one hash, found as two people with one birthday are.
std::pair<std::string, std::string> names_of_one_hash() {
  std::unordered_map<std::int32_t, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string name = std::to_string(i) + ".x";
    const auto [known, is_new] = seen.emplace(hash_of(entry(at("", "cur/" + name), 1)), name);
    if (!is_new) return {known->second, name};
  }
}

TEST_F(EntriesTest, names_of_one_hash_are_kept_apart) {
  const auto [one, two] = names_of_one_hash();
  apply({make_folder(""), put(at("", "cur/" + one), 1), put(at("", "cur/" + two), 2)});
  EXPECT_EQ(state->entries_named(account, "", {two}).value(), (std::vector<Entry>{entry(at("", "cur/" + two), 2)}));
  apply({remove(at("", "cur/" + one))});
  EXPECT_EQ(names(""), (Names{"cur/" + two}));
  apply({put(at("", "cur/" + two), 3), put(at("", "cur/" + one), 4), put(at("", "new/" + one), 5)});
  EXPECT_EQ(state->entries_named(account, "", {one}).value(),
            (std::vector<Entry>{entry(at("", "cur/" + one), 4), entry(at("", "new/" + one), 5)}));
  EXPECT_EQ(state->entries_named(account, "", {two}).value(), (std::vector<Entry>{entry(at("", "cur/" + two), 3)}));
}

TEST_F(EntriesTest, can_be_read_while_others_are_written) {
  apply({make_folder("")});
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < 200; ++i) {
      ASSERT_TRUE(state->apply(account, {put(at("", "cur/" + std::to_string(i)), i + 1)}));
    }
  });
  std::size_t last = 0;
  while (last < 200) {
    const auto entries = state->entries(account, "");
    if (!entries || entries->size() < last) break;
    last = entries->size();
  }
  writer.join();
  EXPECT_EQ(last, 200U);
}

class StampsTest : public StateTest {
 protected:
  StampsTest() {
    apply({make_folder(""), make_folder(".A", 8), make_folder(".A/B", 9)});
    EXPECT_TRUE(state->set_stamps(account, {{".A", {1, 2, 3}}, {".A/B", {4, 0, 5}}, {".Unknown", {1, 1, 1}}}));
  }
  using Known = std::map<std::string, Stamps>;
};

TEST_F(StampsTest, are_kept_for_known_folders) {
  open();
  EXPECT_EQ(state->stamps(account).value(), (Known{{".A", {1, 2, 3}}, {".A/B", {4, 0, 5}}}));
  ASSERT_TRUE(state->set_stamps(account, {{".A", {0, 0, 0}}}));
  EXPECT_EQ(state->stamps(account).value(), (Known{{".A/B", {4, 0, 5}}}));
}

TEST_F(StampsTest, go_along_with_a_renamed_folder) {
  apply({rename_folder(".A", ".Z", 8)});
  EXPECT_EQ(state->stamps(account).value(), (Known{{".Z", {1, 2, 3}}, {".Z/B", {4, 0, 5}}}));
}

TEST_F(StampsTest, go_with_a_removed_folder) {
  apply({remove_folder(".A/B"), make_folder(".A/B", 9)});
  EXPECT_EQ(state->stamps(account).value(), (Known{{".A", {1, 2, 3}}}));
}

TEST_F(StampsTest, stay_when_a_folder_gets_another_mode_and_go_when_it_is_another_directory) {
  apply({make_folder(".A", 8), make_folder(".A/B", 77)});
  EXPECT_EQ(state->stamps(account).value(), (Known{{".A", {1, 2, 3}}}));
}

TEST_F(StampsTest, are_forgotten_by_a_comparison) {
  ASSERT_TRUE(state->replace(account, state->folders(account).value()));
  EXPECT_TRUE(state->stamps(account).value().empty());
}

}  // namespace
}  // namespace maildirsync::agent
