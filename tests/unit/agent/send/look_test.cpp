#include "agent/send/look.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "common/sync/plan.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using sync::Area;
using sync::Operation;
using sync::OperationKind;

/// An account "a" of a root, of which the state knows what it held when it was settled.
class LookTest : public ::testing::Test {
 protected:
  LookTest() {
    root_.maildir("a").maildir("a/.Old").maildir("a/.Drafts").message("a/.Old/cur/1.x:2,S");
    order_.account = state_->account("root", "a").value();
    order_.root_name = "root";
    order_.account_path = order_.account_name = "a";
    order_.root = std::make_shared<const os::Directory>(root_.open());
    settle();
  }

  /// All that is there is acknowledged.
  void settle() {
    Work work;
    work.structure = true;
    EXPECT_TRUE(state_->apply(order_.account, plan_of(work)));
  }

  std::vector<Operation> plan_of(const Work& work) {
    order_.work = work;
    report_ = {};
    const auto looked = look(order_, *state_, *watcher_, totals_, report_);
    EXPECT_TRUE(looked) << looked.error().message();
    return looked ? sync::plan(looked->before, looked->after) : std::vector<Operation>();
  }

  void rename(const std::string& from, const std::string& to) {
    std::filesystem::rename(root_.path(from), root_.path(to));
  }
  void link(const std::string& from, const std::string& to) {
    std::filesystem::create_hard_link(root_.path(from), root_.path(to));
  }

  Tree root_, state_directory_;
  std::unique_ptr<State> state_ = State::open(state_directory_.path()).value();
  std::unique_ptr<Watcher> watcher_ = make_inotify_watcher().value();
  Totals totals_;
  JobOrder order_;
  JobReport report_;
};

TEST_F(LookTest, finds_nothing_to_do_where_nothing_changed) {
  Work work;
  work.structure = true;
  EXPECT_TRUE(plan_of(work).empty());
}

TEST_F(LookTest, a_copy_from_a_folder_that_was_renamed_since_is_a_link) {
  link("a/.Old/cur/1.x:2,S", "a/.Drafts/cur/1.x:2,S");
  rename("a/.Old", "a/.New");
  Work work;
  work.add_name(".Drafts", {Area::cur, "1.x:2,S"}, Clock::now());
  const auto operations = plan_of(work);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::link);
  EXPECT_EQ(path_of(operations[0].from), ".Old/cur/1.x:2,S");  // as the destination still has it
  EXPECT_TRUE(report_.again.structure);

  ASSERT_TRUE(state_->apply(order_.account, operations));
  const auto then = plan_of(report_.again);
  ASSERT_EQ(then.size(), 1u);
  EXPECT_EQ(then[0].kind, OperationKind::rename_folder);
}

TEST_F(LookTest, a_message_of_another_name_from_a_folder_that_is_gone_is_sent) {
  link("a/.Old/cur/1.x:2,S", "a/.Drafts/cur/2.y:2,S");
  std::filesystem::remove_all(root_.path("a/.Old"));
  Work work;
  work.add_name(".Drafts", {Area::cur, "2.y:2,S"}, Clock::now());
  const auto operations = plan_of(work);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
}

}  // namespace
}  // namespace maildirsync::agent
