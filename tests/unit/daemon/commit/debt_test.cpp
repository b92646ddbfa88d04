// What a sync that failed leaves in doubt is not acknowledged later, and is no proof, until a sync has worked.

#include <atomic>
#include <future>

#include <gtest/gtest.h>

#include "daemon/commit/committer.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

class FailingSyncs : public os::Syncs {
 public:
  Result<> file(int) override { return answer(); }
  Result<> file_system(int) override { return answer(); }
  std::atomic<bool> fails{false};

 private:
  Result<> answer() const { return fails ? Result<>(os_failure("", "cannot sync", EIO)) : Result<>(); }
};

class Sink : public Acknowledged {
 public:
  void committed(std::vector<Committed> done) override { answer.set_value(std::move(done.front())); }
  std::promise<Committed> answer;
};

class Debt : public ::testing::Test {
 protected:
  Debt() { account_ = account_in(tree_); }

  static std::shared_ptr<const Account> account_in(const Tree& tree) {
    auto account = std::make_shared<Account>();
    account->root = std::make_shared<const os::Directory>(tree.open());
    account->tree = std::make_shared<daemon::Tree>(account->root, "", std::vector<std::optional<sync::Attributes>>());
    return account;
  }

  Committed make_folder(const std::string& name, const std::shared_ptr<const Account>& account) {
    std::vector<StagedOperation> staged(1);
    staged[0].sequence = ++sequence_;
    staged[0].account = account;
    staged[0].operation.kind = sync::OperationKind::make_folder;
    staged[0].operation.to = {name, sync::Area::folder, ""};
    staged[0].operation.folder.self = {0700, ::geteuid(), ::getegid()};
    const auto sink = std::make_shared<Sink>();
    committer_.put(std::move(staged), sink);
    return sink->answer.get_future().get();
  }

  Tree tree_, other_;
  std::shared_ptr<const Account> account_;
  FailingSyncs syncs_;
  std::uint64_t sequence_ = 0;
  Committer committer_{100, syncs_};
};

TEST_F(Debt, is_none_while_syncs_work) {
  EXPECT_FALSE(make_folder("a", account_).error);
  EXPECT_FALSE(committer_.debt(*account_->root));
}

TEST_F(Debt, stops_all_in_its_root_until_a_sync_works) {
  syncs_.fails = true;
  const auto first = make_folder("a", account_);
  ASSERT_TRUE(first.error);
  EXPECT_FALSE(first.untouched) << "it is there, and may not stay";
  EXPECT_TRUE(tree_.exists("a"));
  ASSERT_TRUE(committer_.debt(*account_->root));
  const auto second = make_folder("b", account_);
  ASSERT_TRUE(second.error);
  EXPECT_TRUE(second.untouched);
  EXPECT_FALSE(tree_.exists("b"));
  syncs_.fails = false;
  EXPECT_FALSE(make_folder("c", account_).error);
  EXPECT_FALSE(committer_.debt(*account_->root));
}

TEST_F(Debt, is_paid_by_the_next_group) {
  syncs_.fails = true;
  EXPECT_TRUE(make_folder("a", account_).error);
  syncs_.fails = false;
  EXPECT_FALSE(make_folder("a", account_).error);
  EXPECT_FALSE(committer_.debt(*account_->root));
}

TEST_F(Debt, of_one_root_concerns_no_other) {
  syncs_.fails = true;
  EXPECT_TRUE(make_folder("a", account_).error);
  EXPECT_FALSE(committer_.debt(*account_in(other_)->root));
}

}  // namespace
}  // namespace maildirsync::daemon
