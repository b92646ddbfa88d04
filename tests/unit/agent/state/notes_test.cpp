#include <limits>

#include "agent/state/intents.h"
#include "tests/unit/agent/state/accounts.h"

namespace maildirsync::agent {

namespace {

using namespace testing;

class SignaturesTest : public StateTest {
 protected:
  SignaturesTest() {
    apply({make_folder(""), make_folder(".A"), put(uidlist, 1), put(at("", "cur/1.x"), 5)});
    EXPECT_TRUE(state->set_signature(account, uidlist, "of the uidlist"));
  }
  std::optional<std::string> signature(const sync::Location& place) { return state->signature(account, place).value(); }

  const sync::Location uidlist = at(".A", "dovecot-uidlist");
};

TEST_F(SignaturesTest, survive_a_restart) {
  open();
  EXPECT_EQ(signature(uidlist), "of the uidlist");
}

TEST_F(SignaturesTest, belong_to_one_place) {
  EXPECT_EQ(signature(at("", "dovecot-uidlist")), std::nullopt);
  EXPECT_EQ(signature(at(".A", "cur/dovecot-uidlist")), std::nullopt);
  EXPECT_EQ(signature(at(".Unknown", "dovecot-uidlist")), std::nullopt);
}

TEST_F(SignaturesTest, the_last_one_counts) {
  ASSERT_TRUE(state->set_signature(account, uidlist, std::string("\0newer", 6)));
  EXPECT_EQ(signature(uidlist), std::string("\0newer", 6));
}

TEST_F(SignaturesTest, are_forgotten_with_the_content) {
  ASSERT_TRUE(state->forget_content(account, uidlist));
  ASSERT_TRUE(state->forget_content(account, uidlist));
  EXPECT_EQ(signature(uidlist), std::nullopt);
  const auto entries = state->control_entries(account, uidlist.folder).value();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].digest, std::nullopt);
  EXPECT_NE(entries[0].size, 0u);
  apply({put(uidlist, 1)});
  EXPECT_EQ(signature(uidlist), std::nullopt);
}

TEST_F(SignaturesTest, do_not_hold_for_another_content) {
  apply({put(uidlist, 2)});
  EXPECT_EQ(signature(uidlist), std::nullopt);
  ASSERT_TRUE(state->set_signature(account, uidlist, "of the second"));
  EXPECT_EQ(signature(uidlist), "of the second");
}

TEST_F(SignaturesTest, hold_when_only_the_owner_changes) {
  auto change = put(uidlist, 1);
  change.kind = sync::OperationKind::set_attributes;
  change.result.attributes.uid = 5;
  change.result.digest.reset();
  apply({change});
  EXPECT_EQ(signature(uidlist), "of the uidlist");
}

TEST_F(SignaturesTest, are_not_kept_for_what_is_not_acknowledged) {
  ASSERT_TRUE(state->set_signature(account, at(".A", "subscriptions"), "early"));
  apply({put(at(".A", "subscriptions"), 3)});
  EXPECT_EQ(signature(at(".A", "subscriptions")), std::nullopt);
}

TEST_F(SignaturesTest, move_with_their_file) {
  apply({rename(uidlist, at("", "moved"), 1)});
  EXPECT_EQ(signature(at("", "moved")), "of the uidlist");
  apply({put(uidlist, 1)});
  EXPECT_EQ(signature(uidlist), std::nullopt);
}

TEST_F(SignaturesTest, go_with_their_file_and_do_not_come_back_with_it) {
  apply({remove(uidlist), put(uidlist, 1)});
  EXPECT_EQ(signature(uidlist), std::nullopt);
}

TEST_F(SignaturesTest, follow_a_renamed_folder) {
  apply({rename_folder(".A", ".Z")});
  EXPECT_EQ(signature(at(".Z", "dovecot-uidlist")), "of the uidlist");
  EXPECT_EQ(signature(uidlist), std::nullopt);
}

TEST_F(SignaturesTest, go_with_a_removed_folder) {
  apply({remove_folder(".A"), make_folder(".A"), put(uidlist, 1)});
  EXPECT_EQ(signature(uidlist), std::nullopt);
}

TEST_F(SignaturesTest, stay_over_a_comparison_where_the_content_does) {
  const auto subscriptions = at("", "subscriptions");
  apply({put(subscriptions, 3)});
  ASSERT_TRUE(state->set_signature(account, subscriptions, "of the subscriptions"));
  auto manifest = state->folders(account).value();
  for (auto& folder : manifest.folders)
    folder.entries = state->entries(account, folder.path).value();
  manifest.folders[0].entries[0].digest->bytes[0] ^= 1;
  manifest.folders[1].entries[0].inode = 99;
  ASSERT_TRUE(state->replace(account, manifest));
  EXPECT_EQ(signature(subscriptions), std::nullopt);
  EXPECT_EQ(signature(uidlist), "of the uidlist");
}

class AliasesTest : public StateTest {
 protected:
  using Known = std::map<std::pair<std::string, std::string>, std::string>;
  AliasesTest() {
    // The order of an acknowledgement: the alias is told before the operation is recorded.
    EXPECT_TRUE(state->set_alias(account, ".A", "1.x", "1.x.c\xff"));
    apply({make_folder(""), make_folder(".A"), put(at(".A", "cur/1.x:2,"), 1)});
  }
  Known aliases() { return state->aliases(account).value(); }
};

TEST_F(AliasesTest, survive_a_restart) {
  ASSERT_TRUE(state->set_alias(account, ".A", "1.x", "1.x.d"));
  open();
  EXPECT_EQ(aliases(), (Known{{{".A", "1.x"}, "1.x.d"}}));
}

TEST_F(AliasesTest, belong_to_one_account) {
  const auto other = state->account("vhosts", "example.org/bob").value();
  EXPECT_TRUE(state->aliases(other).value().empty());
}

TEST_F(AliasesTest, stay_when_flags_change) {
  apply({rename(at(".A", "cur/1.x:2,"), at(".A", "cur/1.x:2,S"), 1)});
  EXPECT_EQ(aliases().size(), 1U);
}

TEST_F(AliasesTest, go_with_the_last_name_of_the_message_in_the_folder) {
  apply({put(at(".A", "new/1.x"), 2), remove(at(".A", "cur/1.x:2,"))});
  EXPECT_EQ(aliases().size(), 1U);
  apply({remove(at(".A", "new/1.x"))});
  EXPECT_TRUE(aliases().empty());
}

TEST_F(AliasesTest, do_not_follow_a_message_to_another_folder) {
  apply({rename(at(".A", "cur/1.x:2,"), at("", "cur/1.x:2,"), 1)});
  EXPECT_TRUE(aliases().empty());
}

TEST_F(AliasesTest, follow_a_renamed_folder) {
  apply({make_folder(".A/B"), put(at(".A/B", "cur/2.x"), 2)});
  ASSERT_TRUE(state->set_alias(account, ".A/B", "2.x", "2.x.c"));
  apply({rename_folder(".A", ".Z")});
  EXPECT_EQ(aliases(), (Known{{{".Z", "1.x"}, "1.x.c\xff"}, {{".Z/B", "2.x"}, "2.x.c"}}));
}

TEST_F(AliasesTest, go_with_a_removed_folder) {
  apply({remove_folder(".A")});
  EXPECT_TRUE(aliases().empty());
}

TEST_F(AliasesTest, stay_over_a_comparison) {
  auto manifest = state->folders(account).value();
  ASSERT_TRUE(state->replace(account, manifest));
  EXPECT_EQ(aliases().size(), 1U);
}

class IntentsTest : public StateTest {
 protected:
  using Intents = std::vector<sync::Intent>;
  const Intents some{
      {at(".A", "cur/1.x\xff:2,"), 10, 1'700'000'000'000'000'001, 77},
      {at(".A", "new/2.x"), std::numeric_limits<std::uint64_t>::max(), -1, std::numeric_limits<std::uint64_t>::max()},
      {{"", sync::Area::folder, ""}, 0, std::numeric_limits<std::int64_t>::min(), 0}};
  const Intents more{{at("", "dovecot-uidlist"), 1, 2, 3}};
};

TEST_F(IntentsTest, of_a_job_that_did_not_end_are_known_after_a_restart) {
  ASSERT_TRUE(state->begin_turn(account, some));
  open();
  EXPECT_EQ(state->intents(account).value(), some);
  EXPECT_EQ(state->accounts_with_intents().value(), (std::vector<AccountId>{account}));
}

TEST_F(IntentsTest, go_with_the_end_of_their_job) {
  const auto first = state->begin_turn(account, some).value();
  const auto second = state->begin_turn(account, more).value();
  EXPECT_NE(first, second);
  ASSERT_TRUE(state->end_turn(first));
  EXPECT_EQ(state->intents(account).value(), more);
  ASSERT_TRUE(state->end_turn(second));
  EXPECT_TRUE(state->accounts_with_intents().value().empty());
}

TEST_F(IntentsTest, of_all_jobs_of_an_account_add_up) {
  state->begin_turn(account, some).value();
  state->begin_turn(account, more).value();
  EXPECT_EQ(state->intents(account).value().size(), some.size() + more.size());
}

TEST_F(IntentsTest, can_be_cleared_for_one_account) {
  const auto other = state->account("vhosts", "example.org/bob").value();
  state->begin_turn(account, some).value();
  state->begin_turn(other, more).value();
  ASSERT_TRUE(state->clear_intents(account));
  EXPECT_TRUE(state->intents(account).value().empty());
  EXPECT_EQ(state->accounts_with_intents().value(), (std::vector<AccountId>{other}));
}

TEST_F(IntentsTest, a_jobs_number_is_not_used_again) {
  const auto first = state->begin_turn(account, some).value();
  ASSERT_TRUE(state->end_turn(first));
  open();
  EXPECT_NE(state->begin_turn(account, more).value(), first);
}

TEST_F(IntentsTest, that_are_cut_off_are_not_read_as_others) {
  const std::string bytes = encode(some);
  EXPECT_EQ(decode_intents(bytes), some);
  std::size_t readable = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto part = decode_intents(std::string_view(bytes).substr(0, size));
    if (!part) continue;
    ++readable;
    EXPECT_EQ(*part, Intents(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(part->size())));
  }
  EXPECT_EQ(readable, some.size());  // at the ends of intents: none, one, two
  EXPECT_EQ(decode_intents("\x83"), std::nullopt);
  EXPECT_EQ(decode_intents("\x80"), std::nullopt);
}

}  // namespace
}  // namespace maildirsync::agent
