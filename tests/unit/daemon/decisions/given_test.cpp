#include "daemon/decisions/given.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

/// A root with two accounts.
class GivenTest : public ::testing::Test {
 protected:
  GivenTest() {
    tree_.maildir("a").maildir("a/.Sent").maildir("b");
    tree_.message("a/cur/1.x:2,S", "1").message("a/.Sent/new/2.x", "2").message("b/cur/3.x:2,", "3");
  }
  Result<bool> take_stock(Given& given, const std::string& drain) {
    return given.take_stock(root_, drain, {"a", "gone"}, stops_);
  }
  std::string file() const { return os::join(tree_.path(), ".maildirsync.given"); }

  Tree tree_;
  os::Directory root_ = tree_.open();
  std::atomic<bool> stops_ = false;
};

TEST_F(GivenTest, what_was_noted_is_known_after_a_restart_once_it_was_kept) {
  Given given;
  EXPECT_FALSE(given.has(root_, "a", "9.x"));
  given.note(root_, "a", "9.x");
  EXPECT_TRUE(given.has(root_, "a", "9.x"));
  EXPECT_FALSE(Given().has(root_, "a", "9.x"));
  ASSERT_TRUE(given.keep(root_));
  EXPECT_TRUE(Given().has(root_, "a", "9.x"));
  EXPECT_FALSE(Given().has(root_, "b", "9.x")) << "of another account";
  EXPECT_EQ(0600, static_cast<int>(std::filesystem::status(file()).permissions()));
}

TEST_F(GivenTest, what_came_after_a_file_that_was_put_back_is_forgotten) {
  Given given;
  given.note(root_, "a", "1");
  ASSERT_TRUE(given.keep(root_));
  std::filesystem::copy_file(file(), file() + ".older");
  given.note(root_, "a", "2");
  ASSERT_TRUE(given.keep(root_));
  std::filesystem::rename(file() + ".older", file());
  given.forget();
  EXPECT_TRUE(given.has(root_, "a", "1"));
  EXPECT_FALSE(given.has(root_, "a", "2"));
  given.note(root_, "a", "3");
  ASSERT_TRUE(given.keep(root_));
  EXPECT_TRUE(Given().has(root_, "a", "3"));
  EXPECT_FALSE(Given().has(root_, "a", "2"));
}

TEST_F(GivenTest, one_account_is_noted_with_all_its_folders_and_durably) {
  ASSERT_TRUE(Given().note_account(root_, "a"));
  EXPECT_TRUE(Given().has(root_, "a", "1.x"));
  EXPECT_TRUE(Given().has(root_, "a", "2.x"));
  EXPECT_FALSE(Given().has(root_, "b", "3.x"));
  ASSERT_TRUE(Given().note_account(root_, "gone"));
}

TEST_F(GivenTest, a_stock_has_the_messages_of_every_folder_and_is_taken_once_a_drain) {
  Given given;
  EXPECT_FALSE(given.took_stock(root_, "drain 2"));
  EXPECT_TRUE(take_stock(given, "drain 2").value());
  EXPECT_TRUE(given.took_stock(root_, "drain 2"));
  Given after;
  EXPECT_TRUE(after.took_stock(root_, "drain 2"));
  EXPECT_FALSE(after.took_stock(root_, "drain 4"));
  EXPECT_TRUE(after.has(root_, "a", "1.x"));
  EXPECT_TRUE(after.has(root_, "a", "2.x"));
  EXPECT_TRUE(after.has(root_, "b", "3.x"));
  EXPECT_FALSE(after.has(root_, "b", "1.x"));
}

TEST_F(GivenTest, a_stock_that_was_stopped_is_not_taken) {
  Given given;
  stops_ = true;
  EXPECT_EQ(ErrorCode::cancelled, take_stock(given, "drain 2").error().code);
  EXPECT_FALSE(Given().took_stock(root_, "drain 2"));
  stops_ = false;
  EXPECT_TRUE(take_stock(given, "drain 2").value());
}

TEST_F(GivenTest, thousands_are_kept) {
  Given given;
  constexpr int k_many = 20'000;
  for (int i = 0; i < k_many; ++i) {
    given.note(root_, "a", std::to_string(i));
    if (i % 1000 == 0) {
      ASSERT_TRUE(given.keep(root_));
    }
  }
  ASSERT_TRUE(given.keep(root_));
  Given after;
  for (int i = 0; i < k_many; ++i)
    ASSERT_TRUE(given.has(root_, "a", std::to_string(i)) && after.has(root_, "a", std::to_string(i))) << i;
  EXPECT_FALSE(after.has(root_, "a", std::to_string(k_many)));
}

TEST_F(GivenTest, what_a_power_cut_left_of_the_last_record_harms_no_other) {
  {
    Given given;
    for (const auto* base : {"1", "2"}) {
      given.note(root_, "a", base);
      ASSERT_TRUE(given.keep(root_));
    }
  }
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) - 3);
  {
    Given given;
    EXPECT_TRUE(given.has(root_, "a", "1"));
    EXPECT_FALSE(given.has(root_, "a", "2"));
    given.note(root_, "a", "3");
    ASSERT_TRUE(given.keep(root_));
  }
  Given after;
  EXPECT_TRUE(after.has(root_, "a", "1") && after.has(root_, "a", "3"));
}

TEST_F(GivenTest, what_was_taken_away_while_it_was_in_use_is_written_again) {
  Given given;
  given.note(root_, "a", "1");
  ASSERT_TRUE(given.keep(root_));
  std::filesystem::remove(file());
  given.note(root_, "a", "2");
  ASSERT_TRUE(given.keep(root_));
  Given after;
  EXPECT_TRUE(after.has(root_, "a", "1") && after.has(root_, "a", "2"));
}

TEST_F(GivenTest, what_others_put_in_its_place_is_neither_believed_nor_waited_for) {
  {
    Given given;
    given.note(root_, "a", "1");
    ASSERT_TRUE(given.keep(root_));
  }
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(file().c_str(), 5000, 5000), 0);
    EXPECT_FALSE(Given().has(root_, "a", "1"));
  }
  std::filesystem::remove(file());
  ASSERT_EQ(::mkfifo(file().c_str(), 0666), 0);
  Given given;
  EXPECT_FALSE(given.has(root_, "a", "1"));
  given.note(root_, "a", "2");
  ASSERT_TRUE(given.keep(root_));
  EXPECT_TRUE(Given().has(root_, "a", "2"));
}

TEST_F(GivenTest, a_damaged_file_counts_as_none) {
  std::ofstream(file()) << "something else";
  Given given;
  EXPECT_FALSE(given.has(root_, "a", "1"));
  given.note(root_, "a", "1");
  ASSERT_TRUE(given.keep(root_));
  EXPECT_TRUE(Given().has(root_, "a", "1"));
}

}  // namespace
}  // namespace maildirsync::daemon
