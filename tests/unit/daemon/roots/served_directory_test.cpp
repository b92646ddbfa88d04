#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "daemon/roots/served_directories.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

class ServedDirectoryTest : public ::testing::Test {
 protected:
  ServedDirectoryTest() { start(); }

  void start() {
    directories_ = ServedDirectories::open(state_.path()).value();
    directories_->configure({{"old-server", "vhosts", root_.path()}});
    directory_ = directories_->find(root_.path());
  }

  Marker marker() const { return read_marker(os::Directory::open_root(root_.path()).value()).value().value(); }

  Tree state_, root_;
  std::unique_ptr<ServedDirectories> directories_;
  std::shared_ptr<ServedDirectory> directory_;
};

TEST(Marker, is_read_as_it_was_written) {
  const Marker marker{std::string(32, 'f'), 42};
  EXPECT_EQ(os::parse_marker(os::to_text(marker)), marker);
  const Marker put_back{marker.id, 42, std::string(32, 'e')};
  EXPECT_EQ(os::parse_marker(os::to_text(put_back)), put_back);
  const std::vector<std::string> others{"", "id x\n", os::to_text(marker).substr(0, 100), os::to_text({"xyz", 1}),
                                        os::to_text({marker.id, 0})};
  for (const auto& text : others)
    EXPECT_EQ(os::parse_marker(text), std::nullopt) << text;
}

TEST_F(ServedDirectoryTest, marks_what_it_serves_with_a_file_of_its_own) {
  ASSERT_TRUE(directory_->open());
  struct stat status {};
  ASSERT_EQ(::stat((root_.path() + "/.maildirsync.root").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(directory_->known()->marker, marker());
}

TEST_F(ServedDirectoryTest, knows_it_again_after_a_restart_and_raises_the_number_when_an_agent_greets) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  start();
  directory_->greet(first);
  EXPECT_EQ(marker().id, first.id);
  EXPECT_GT(marker().counter, first.counter);
  EXPECT_EQ(directory_->trouble(), std::nullopt);
}

TEST_F(ServedDirectoryTest, says_of_an_account_that_is_away_whether_all_of_them_are) {
  root_.directory("a/cur");
  const auto opened = directory_->open().value();
  EXPECT_TRUE(directory_->check_not_emptied(opened)) << "another account is there";
  std::filesystem::remove_all(root_.path("a"));
  const auto checked = directory_->check_not_emptied(opened);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::destination_gone);
  EXPECT_EQ(directory_->trouble()->code, ErrorCode::destination_gone);
  ASSERT_TRUE(directory_->take());
  EXPECT_TRUE(directory_->check_not_emptied(opened)) << "a person said that it is right so";
}

TEST_F(ServedDirectoryTest, is_held_without_its_marker_until_a_person_says_that_it_is_right) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  std::filesystem::remove(root_.path() + "/.maildirsync.root");
  start();
  const auto opened = directory_->open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::destination_gone);
  EXPECT_EQ(directories_->held().size(), 1U);
  ASSERT_TRUE(directory_->take());
  EXPECT_TRUE(directory_->open());
  EXPECT_NE(marker().id, first.id);  // so that agents compare what is in it
}

TEST_F(ServedDirectoryTest, an_older_one_gets_another_name) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  directory_->greet(Marker{first.id, first.counter + 10});
  EXPECT_NE(marker().id, first.id);
  EXPECT_EQ(marker().former, first.id);
  EXPECT_TRUE(directory_->open());
}

TEST_F(ServedDirectoryTest, what_was_put_back_is_told_at_once_and_known_over_restarts) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  std::vector<std::string> told;
  directories_->on_put_back([&](const std::string& path) { told.push_back(path); });
  directory_->greet(Marker{first.id, first.counter + 10, ""});
  EXPECT_EQ(told, std::vector{root_.path()});
  start();
  directory_->greet(marker());
  EXPECT_EQ(directory_->known()->marker.former, first.id);
  ASSERT_TRUE(directory_->take());
  EXPECT_EQ(marker().former, "") << "a person took it as it is";
}

TEST_F(ServedDirectoryTest, names_all_that_an_agent_may_know_when_it_is_put_back_again) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  directory_->greet(Marker{first.id, first.counter + 10, ""});
  const Marker second = marker();
  ASSERT_TRUE(write_marker(os::Directory::open_root(root_.path()).value(), first));
  directory_->look();
  const Marker third = marker();
  EXPECT_EQ(directory_->trouble(), std::nullopt);
  EXPECT_NE(third.id, first.id);
  EXPECT_TRUE(third.former.starts_with(first.id + ' ' + second.id)) << third.former;
}

TEST_F(ServedDirectoryTest, a_greeting_that_remembers_nothing_does_not_take_away_what_another_said) {
  std::filesystem::remove_all(root_.path());
  std::filesystem::create_directory(root_.path());
  directory_->greet(Marker{std::string(32, 'a'), 3});
  directory_->greet(std::nullopt);  // a doctor's
  EXPECT_EQ(directory_->trouble()->code, ErrorCode::destination_gone);
  EXPECT_FALSE(std::filesystem::exists(root_.path() + "/.maildirsync.root"));
}

TEST_F(ServedDirectoryTest, another_directory_at_its_path_is_noticed_by_what_was_opened_before) {
  const auto opened = directory_->open();
  ASSERT_TRUE(opened);
  EXPECT_TRUE(directory_->check(*opened));
  std::filesystem::rename(root_.path(), root_.path() + ".away");
  EXPECT_FALSE(directory_->check(*opened));
  std::filesystem::create_directory(root_.path());
  EXPECT_EQ(directory_->check(*opened).error().code, ErrorCode::destination_gone);
  std::filesystem::remove(root_.path());
  std::filesystem::rename(root_.path() + ".away", root_.path());
  EXPECT_TRUE(directory_->open());
}

TEST_F(ServedDirectoryTest, the_last_account_may_go) {
  root_.maildir("a");
  const auto opened = directory_->open();
  ASSERT_TRUE(opened);
  EXPECT_TRUE(directory_->known()->had_accounts);
  std::filesystem::remove_all(root_.path() + "/a");
  directory_->account_removed(*opened);
  directory_->look();
  EXPECT_EQ(directory_->trouble(), std::nullopt);
}

TEST_F(ServedDirectoryTest, an_emptied_one_is_held) {
  root_.maildir("a");
  ASSERT_TRUE(directory_->open());
  std::filesystem::remove_all(root_.path() + "/a");
  directory_->look();
  EXPECT_EQ(directory_->trouble()->code, ErrorCode::destination_gone);
}

TEST_F(ServedDirectoryTest, what_is_not_configured_any_more_loses_its_marker) {
  ASSERT_TRUE(directory_->open());
  directories_->configure({});
  directories_->look_at_all();
  directories_->wait();
  EXPECT_FALSE(std::filesystem::exists(root_.path() + "/.maildirsync.root"));
}

TEST_F(ServedDirectoryTest, another_path_of_the_same_directory_keeps_the_marker) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  directories_->configure({{"old-server", "vhosts", root_.path() + "/."}});
  directories_->find(root_.path() + "/.");
  EXPECT_TRUE(directories_->has_moved("old-server", "vhosts"));
  directories_->look_at_all();
  directories_->wait();
  EXPECT_EQ(marker().id, first.id);
}

TEST_F(ServedDirectoryTest, a_damaged_memory_is_put_aside_and_the_marker_believed) {
  ASSERT_TRUE(directory_->open());
  const Marker first = marker();
  state_.file("roots.json", "{");
  start();
  ASSERT_TRUE(directory_->open());
  EXPECT_EQ(marker().id, first.id);
}

}  // namespace
}  // namespace maildirsync::daemon
