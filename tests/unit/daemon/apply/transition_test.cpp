#include "daemon/apply/transition.h"

#include <gtest/gtest.h>

#include "common/codec/digest.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

constexpr const char* k_name = "1.M1.host,S=12:2,S";

class Put : public ::testing::TestWithParam<os::WayToWrite> {
 protected:
  Put() {
    tree_.directory("cur");
    account_->root = std::make_shared<const os::Directory>(tree_.open());
    account_->tree = std::make_shared<Tree>(account_->root, "", std::vector<std::optional<sync::Attributes>>());
  }

  Result<Outcome> put(const std::string& content) {
    StagedOperation staged;
    staged.account = account_;
    sync::Entry& result = staged.operation.result;
    staged.operation.kind = sync::OperationKind::put;
    staged.operation.to = {"", sync::Area::cur, k_name};
    result.size = content.size();
    result.attributes = {0600, ::geteuid(), ::getegid()};
    codec::Digester digester;
    digester.update(content);
    result.digest = digester.finish();
    const auto directory = std::make_shared<const os::Directory>(account_->root->open_directory("cur").value());
    staged.aside.emplace(Aside::create(directory, GetParam()).value());
    EXPECT_TRUE(staged.aside->write(content));
    os::SyncSet sync;
    return transition(staged, sync);
  }

  std::string there() { return tree_.content(std::string("cur/") + k_name); }
  std::size_t files() const { return account_->root->open_directory("cur").value().list().value().size(); }

  maildirsync::testing::Tree tree_;
  std::shared_ptr<Account> account_ = std::make_shared<Account>();
};

TEST_P(Put, takes_the_place_of_an_empty_file) {
  tree_.file(std::string("cur/") + k_name, "");
  const auto done = put("Subject: x\n\n");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->renamed, "");
  EXPECT_EQ(there(), "Subject: x\n\n");
  EXPECT_EQ(files(), 1u);
}

TEST_P(Put, takes_the_place_of_its_own_beginning) {
  const std::string whole = "Subject: x\n\n" + std::string(300'000, 'y');
  for (const std::size_t size : {1UL, 12UL, 131'072UL, 200'000UL, whole.size() - 1}) {
    tree_.file(std::string("cur/") + k_name, whole.substr(0, size));
    const auto done = put(whole);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->renamed, "");
    EXPECT_TRUE(there() == whole) << size;
    EXPECT_EQ(files(), 1u);
  }
}

TEST_P(Put, goes_beside_a_file_that_holds_something_else) {
  const std::string whole = "Subject: x\n\n" + std::string(300'000, 'y');
  for (const auto& theirs : {std::string("S0bject"), whole.substr(0, 250'000) + "z", whole + "y"}) {
    tree_.file(std::string("cur/") + k_name, theirs);
    const auto done = put(whole);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_NE(done->renamed, "");
    EXPECT_TRUE(there() == theirs) << theirs.size();
    EXPECT_EQ(files(), 2u);
    tree_.remove("cur/" + done->renamed);
  }
}

TEST_P(Put, leaves_no_name_of_ours_behind) {
  ASSERT_TRUE(put("a message"));
  EXPECT_TRUE(put("a message")) << "the second time";
  EXPECT_EQ(there(), "a message");
  EXPECT_EQ(files(), 1u);
}

INSTANTIATE_TEST_SUITE_P(InEachWay, Put,
                         ::testing::Values(os::WayToWrite::unnamed, os::WayToWrite::relinked, os::WayToWrite::named,
                                           os::WayToWrite::careful),
                         [](const auto& one) { return os::name_of(one.param); });

/// What has no body: each operation finds out first what is there, and can be repeated.
class Transitions : public ::testing::Test {
 protected:
  Transitions() {
    tree_.maildir().maildir(".Sent");
    account_->root = std::make_shared<const os::Directory>(tree_.open());
    account_->tree = std::make_shared<Tree>(account_->root, "", std::vector<std::optional<sync::Attributes>>());
  }

  void message(const std::string& path, const std::string& content = "Subject: x\n\n") {
    tree_.message(path, content).mode(path, 0600).mtime(path, k_mtime);
  }
  static sync::Entry entry(const std::string& content = "Subject: x\n\n") {
    sync::Entry entry;
    entry.size = content.size();
    entry.mtime = k_mtime;
    entry.attributes = {0600, ::geteuid(), ::getegid()};
    codec::Digester digester;
    digester.update(content);
    entry.digest = digester.finish();
    return entry;
  }
  static sync::Location in_cur(const std::string& name, const std::string& folder = "") {
    return {folder, sync::Area::cur, name};
  }

  Result<Outcome> run(sync::OperationKind kind, const sync::Location& from, const sync::Location& to,
                      const sync::Entry& result = entry()) {
    StagedOperation staged;
    staged.account = account_;
    staged.operation = {.kind = kind, .from = from, .to = to, .expected = result, .result = result};
    staged.operation.result.name = to.name;
    os::SyncSet sync;
    auto outcome = transition(staged, sync);
    has_to_sync_ = !sync.empty();
    touched_ = staged.touched;
    return outcome;
  }
  Result<Outcome> rename(const std::string& from, const std::string& to) {
    return run(sync::OperationKind::rename, in_cur(from), in_cur(to));
  }
  Result<Outcome> remove(const std::string& name) { return run(sync::OperationKind::remove, in_cur(name), {}); }
  Result<Outcome> link(const std::string& from, const std::string& to) {
    return run(sync::OperationKind::link, in_cur(from), in_cur(to, ".Sent"));
  }

  static constexpr std::int64_t k_mtime = 1'700'000'000'000'000'000;
  maildirsync::testing::Tree tree_;
  std::shared_ptr<Account> account_ = std::make_shared<Account>();
  bool has_to_sync_ = false;
  bool touched_ = false;
};

TEST_F(Transitions, a_rename_moves_the_message_and_syncs_both_directories) {
  message("cur/1.x:2,");
  ASSERT_TRUE(rename("1.x:2,", "1.x:2,S"));
  EXPECT_FALSE(tree_.exists("cur/1.x:2,"));
  EXPECT_EQ(tree_.content("cur/1.x:2,S"), "Subject: x\n\n");
  EXPECT_TRUE(has_to_sync_);
}

TEST_F(Transitions, a_rename_that_was_done_is_done) {
  message("cur/1.x:2,");
  ASSERT_TRUE(rename("1.x:2,", "1.x:2,S"));
  const auto again = rename("1.x:2,", "1.x:2,S");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(has_to_sync_) << "the first one may not have been synced";
  EXPECT_TRUE(tree_.exists("cur/1.x:2,S"));
}

TEST_F(Transitions, a_rename_of_what_is_not_there_is_unexpected_and_touches_nothing) {
  const auto done = rename("1.x:2,", "1.x:2,S");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::unexpected);
  EXPECT_FALSE(touched_);
}

TEST_F(Transitions, a_rename_leaves_another_file_of_that_name_alone) {
  message("cur/1.x:2,", "theirs, and longer");
  const auto done = rename("1.x:2,", "1.x:2,S");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::unexpected);
  EXPECT_EQ(tree_.content("cur/1.x:2,"), "theirs, and longer");
}

TEST_F(Transitions, a_rename_goes_beside_what_has_its_new_name) {
  message("cur/1.x:2,");
  message("cur/1.x:2,S", "theirs");
  const auto done = rename("1.x:2,", "1.x:2,S");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_NE(done->renamed, "");
  EXPECT_EQ(tree_.content("cur/1.x:2,S"), "theirs");
  EXPECT_EQ(tree_.content("cur/" + done->renamed), "Subject: x\n\n");
  EXPECT_FALSE(tree_.exists("cur/1.x:2,"));
}

TEST_F(Transitions, a_rename_to_a_name_that_has_the_same_content_takes_only_the_old_name_away) {
  message("cur/1.x:2,");
  message("cur/1.x:2,S");
  const auto done = rename("1.x:2,", "1.x:2,S");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->renamed, "");
  EXPECT_FALSE(tree_.exists("cur/1.x:2,"));
  EXPECT_TRUE(tree_.exists("cur/1.x:2,S"));
}

TEST_F(Transitions, a_link_is_one_file_in_two_folders_and_stays_one_when_repeated) {
  message("cur/1.x:2,");
  for (int i = 0; i < 2; ++i) {
    const auto done = link("1.x:2,", "1.x:2,S");
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(tree_.status("cur/1.x:2,").st_ino, tree_.status(".Sent/cur/1.x:2,S").st_ino);
    EXPECT_EQ(tree_.status("cur/1.x:2,").st_nlink, 2u);
  }
}

TEST_F(Transitions, a_link_takes_the_place_of_a_copy_of_the_message) {
  message("cur/1.x:2,");
  message(".Sent/cur/1.x:2,S");
  const auto done = link("1.x:2,", "1.x:2,S");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(tree_.status("cur/1.x:2,").st_ino, tree_.status(".Sent/cur/1.x:2,S").st_ino);
}

TEST_F(Transitions, a_removal_takes_the_message_and_may_be_asked_for_again) {
  message("cur/1.x:2,S");
  ASSERT_TRUE(remove("1.x:2,S"));
  EXPECT_FALSE(tree_.exists("cur/1.x:2,S"));
  EXPECT_TRUE(remove("1.x:2,S"));
  EXPECT_TRUE(has_to_sync_);
}

TEST_F(Transitions, a_removal_takes_nothing_but_what_it_expects) {
  message("cur/1.x:2,S", "somebody else's");
  const auto done = remove("1.x:2,S");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::unexpected);
  EXPECT_TRUE(tree_.exists("cur/1.x:2,S"));
  tree_.remove("cur/1.x:2,S").directory("cur/1.x:2,S");
  EXPECT_FALSE(remove("1.x:2,S"));
  EXPECT_TRUE(tree_.exists("cur/1.x:2,S"));
}

TEST_F(Transitions, a_removal_from_a_folder_that_is_away_is_not_done) {
  const auto done = run(sync::OperationKind::remove, in_cur("1.x:2,S", ".Away"), {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::unexpected);
}

TEST_F(Transitions, attributes_are_set_on_the_file_of_that_size_only) {
  message("cur/1.x:2,");
  auto wanted = entry();
  wanted.attributes.mode = 0640;
  wanted.mtime = k_mtime + 1'000'000'000;
  ASSERT_TRUE(run(sync::OperationKind::set_attributes, {}, in_cur("1.x:2,"), wanted));
  EXPECT_EQ(tree_.status("cur/1.x:2,").st_mode & 07777, 0640u);
  EXPECT_EQ(os::nanoseconds(tree_.status("cur/1.x:2,").st_mtim), wanted.mtime);
  ++wanted.size;
  const auto done = run(sync::OperationKind::set_attributes, {}, in_cur("1.x:2,"), wanted);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::unexpected);
}

TEST_F(Transitions, a_folder_keeps_what_is_not_ours_and_goes_once_that_is_gone) {
  message(".Sent/cur/9.theirs:2,");
  const auto held = run(sync::OperationKind::remove_folder, {".Sent", sync::Area::folder, ""}, {});
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, ErrorCode::not_empty);
  EXPECT_TRUE(tree_.exists(".Sent/cur/9.theirs:2,"));
  tree_.remove(".Sent/cur/9.theirs:2,").file(".Sent/dovecot.index.cache", "of a Dovecot here");
  const auto done = run(sync::OperationKind::remove_folder, {".Sent", sync::Area::folder, ""}, {});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_FALSE(tree_.exists(".Sent"));
}

TEST_F(Transitions, a_renamed_folder_brings_along_what_is_in_it) {
  message(".Sent/cur/1.x:2,S");
  const sync::Location from{".Sent", sync::Area::folder, ""}, to{".Posted", sync::Area::folder, ""};
  for (int i = 0; i < 2; ++i) {
    const auto done = run(sync::OperationKind::rename_folder, from, to);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_TRUE(tree_.exists(".Posted/cur/1.x:2,S"));
    EXPECT_FALSE(tree_.exists(".Sent"));
  }
}

}  // namespace
}  // namespace maildirsync::daemon
