#include "daemon/session/ownership.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

const Ownership::Owner k_first{"sha256:aa", "vhosts"}, k_second{"sha256:bb", "vhosts"},
    k_other_root{"sha256:aa", "more"};

class AnOwner : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    ownership_.reset();
    auto opened = Ownership::open(state_.path());
    ASSERT_TRUE(opened) << opened.error().message();
    ownership_ = std::move(*opened);
    ownership_->use(configuration());
  }

  static config::Receiver configuration(bool with_first = true) {
    config::Receiver receiver;
    if (with_first) receiver.peers.push_back({"one", "sha256:aa", {{.name = "vhosts"}, {.name = "more"}}});
    receiver.peers.push_back({"two", "sha256:bb", {{.name = "vhosts"}}});
    return receiver;
  }

  std::string refusal(const std::string& place, const Ownership::Owner& owner) {
    const auto claimed = ownership_->claim(place, owner, "a@b");
    if (claimed) return "";
    EXPECT_EQ(claimed.error().code, ErrorCode::owned_by_another);
    return claimed.error().detail;
  }

  maildirsync::testing::Tree state_;
  std::unique_ptr<Ownership> ownership_;
};

TEST_F(AnOwner, is_who_brought_the_account_first) {
  EXPECT_EQ(refusal("/srv/a b/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a b/Maildir", k_first), "");
  EXPECT_NE(refusal("/srv/a b/Maildir", k_second).find("belongs to root \"vhosts\" of peer \"one\""),
            std::string::npos);
  EXPECT_NE(refusal("/srv/a b/Maildir", k_other_root), "");
  EXPECT_EQ(refusal("/srv/a b/Maildir2", k_second), "");
}

TEST_F(AnOwner, hands_over_to_another_root_of_the_same_agent_and_to_nobody_else) {
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_EQ(ownership_->other_root("/srv/a/Maildir", k_other_root), "vhosts");
  EXPECT_EQ(ownership_->other_root("/srv/a/Maildir", k_first), std::nullopt);
  EXPECT_EQ(ownership_->other_root("/srv/a/Maildir", k_second), std::nullopt);
  EXPECT_EQ(ownership_->other_root("/srv/b/Maildir", k_other_root), std::nullopt);
  const auto before = ownership_->endings();
  ASSERT_TRUE(ownership_->hand_over("/srv/a/Maildir", "vhosts", k_other_root));
  EXPECT_GT(ownership_->endings(), before) << "whoever believes that it is his asks again";
  ASSERT_TRUE(ownership_->hand_over("/srv/a/Maildir", "vhosts", k_second));
  open();
  EXPECT_NE(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a/Maildir", k_other_root), "");
}

TEST_F(AnOwner, has_what_lies_in_the_account_and_around_it) {
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_NE(refusal("/srv/a/Maildir/.Sent", k_second).find("around it"), std::string::npos);
  EXPECT_NE(refusal("/srv/a", k_second).find("in it"), std::string::npos);
  EXPECT_EQ(refusal("/srv/ab", k_second), "");
}

TEST_F(AnOwner, is_kept_over_a_restart_and_half_a_line_counts_for_nothing) {
  EXPECT_EQ(refusal("/srv/a\nb/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/c", k_second), "");
  std::ofstream(state_.path("owners"), std::ios::app) << "+ sha256:bb vhosts /srv/d";
  open();
  EXPECT_NE(refusal("/srv/a\nb/Maildir", k_second), "");
  EXPECT_NE(refusal("/srv/c", k_first), "");
  EXPECT_EQ(refusal("/srv/d", k_first), "");
}

TEST_F(AnOwner, ends_with_the_peer_the_account_or_by_a_word) {
  EXPECT_EQ(refusal("/srv/a", k_first), "");
  ownership_->use(configuration(false));
  EXPECT_EQ(refusal("/srv/a", k_second), "");
  ownership_->use(configuration());
  EXPECT_TRUE(ownership_->end("/srv/a", k_first));
  EXPECT_NE(refusal("/srv/a", k_first), "") << "only its owner ends it";
  EXPECT_TRUE(ownership_->end("/srv/a", k_second));
  EXPECT_EQ(refusal("/srv/a", k_first), "");
  EXPECT_EQ(ownership_->disown("two", "", "").value(), 0U);
  EXPECT_EQ(ownership_->disown("one", "more", "").value(), 0U);
  EXPECT_EQ(ownership_->disown("one", "", "x@*").value(), 0U);
  EXPECT_EQ(ownership_->disown("one", "vhosts", "a@b").value(), 1U);
  open();
  EXPECT_EQ(refusal("/srv/a", k_second), "");
}

TEST_F(AnOwner, may_find_its_accounts_elsewhere_by_another_layout) {
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a", k_first), "");
  EXPECT_EQ(refusal("/srv/a/Maildir", k_first), "");
  EXPECT_EQ(refusal("/srv/a/sieve", k_second), "") << "/srv/a is nobody's account any more";
}

/// Counts what is synced, and fails when told to.
class CountingSyncs : public os::Syncs {
 public:
  Result<> file(int) override {
    ++synced;
    return fails ? Result<>(failure(ErrorCode::io, "", "")) : Result<>();
  }
  Result<> file_system(int fd) override { return file(fd); }

  int synced = 0;
  bool fails = false;
};

class AClaim : public AnOwner {
 protected:
  void SetUp() override {
    AnOwner::SetUp();
    auto opened = os::Directory::open_root(mail_.path());
    ASSERT_TRUE(opened);
    root_ = std::move(*opened);
  }

  std::unique_ptr<OwnedAccount> opened(const std::string& account, const Ownership::Owner& owner) {
    auto claim = std::make_unique<OwnedAccount>(*ownership_, mail_.path(account), owner, account);
    EXPECT_TRUE(claim->open(root_, account));
    return claim;
  }
  Result<> done(OwnedAccount& claim, sync::OperationKind kind = sync::OperationKind::put) {
    os::SyncSet set(syncs_);
    sync::Operation operation;
    operation.kind = kind;
    MAILDIRSYNC_TRY(claim.done(operation, set));
    auto synced = set.sync();
    claim.synced(synced.has_value());
    return synced;
  }
  std::string kept() const {
    std::ifstream file(state_.path("owners"));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  maildirsync::testing::Tree mail_;
  os::Directory root_;
  CountingSyncs syncs_;
};

TEST_F(AClaim, is_made_by_what_was_done_and_not_by_a_name) {
  const auto first = opened("a", k_first), second = opened("a", k_second);
  EXPECT_EQ(kept(), "");
  EXPECT_TRUE(second->check());
  EXPECT_TRUE(done(*first));
  EXPECT_NE(kept().find("sha256:aa"), std::string::npos);
  EXPECT_EQ(syncs_.synced, 1) << "before it is acknowledged";
  EXPECT_TRUE(done(*first));
  EXPECT_EQ(syncs_.synced, 1) << "once an account";
  const auto refused = second->check();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::owned_by_another);
}

TEST_F(AClaim, is_made_at_once_of_what_is_there) {
  mail_.directory("a");
  const auto first = opened("a", k_first);
  EXPECT_FALSE(ownership_->check(mail_.path("a"), k_second));
  EXPECT_TRUE(done(*first));
  EXPECT_EQ(syncs_.synced, 1);
}

TEST_F(AClaim, ends_with_the_account_and_is_made_again_after_somebody_was_told_to_hand_it_over) {
  const auto first = opened("a", k_first);
  EXPECT_TRUE(done(*first));
  EXPECT_TRUE(done(*first, sync::OperationKind::remove_folder));
  EXPECT_TRUE(ownership_->check(mail_.path("a"), k_second));
  EXPECT_TRUE(done(*first));
  EXPECT_EQ(ownership_->disown("one", "", "").value(), 1U);
  EXPECT_TRUE(ownership_->claim(mail_.path("a"), k_second, "a"));
  EXPECT_FALSE(first->check());
}

TEST_F(AClaim, is_written_again_after_a_sync_that_failed) {
  const auto first = opened("a", k_first);
  syncs_.fails = true;
  EXPECT_FALSE(done(*first));
  syncs_.fails = false;
  std::ofstream(state_.path("owners"), std::ios::trunc);  // what the failure may have lost
  EXPECT_TRUE(done(*first));
  EXPECT_NE(kept().find("sha256:aa"), std::string::npos);
}

TEST_F(AClaim, file_is_bounded_by_the_accounts_that_are_there) {
  const auto first = opened("a", k_first);
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(done(*first));
    ASSERT_TRUE(done(*first, sync::OperationKind::remove_folder));
  }
  EXPECT_LT(kept().size(), 2'000'000U);
}

}  // namespace
}  // namespace maildirsync::daemon
