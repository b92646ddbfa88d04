#include "agent/engine/root_hold.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using Directory = WalkedRoot::Directory;

WalkedRoot root() {
  return {.path = "/mail", .known = 3, .found = 3, .file_system = "uuid:a", .file_system_then = "uuid:a"};
}

TEST(RootHold, a_root_with_its_accounts_goes_on) {
  EXPECT_EQ(reason_to_hold(root()), "");
}

TEST(RootHold, a_root_that_lost_some_accounts_goes_on) {
  auto walked = root();
  walked.found = 1;
  EXPECT_EQ(reason_to_hold(walked), "");
}

TEST(RootHold, a_root_that_is_missing_is_held_even_when_nothing_was_known) {
  auto walked = root();
  walked.directory = Directory::missing;
  walked.trouble = "no such directory";
  walked.known = walked.found = 0;
  EXPECT_EQ(reason_to_hold(walked), "the root cannot be opened (no such directory)");
}

TEST(RootHold, a_root_that_is_empty_where_there_were_accounts_is_held) {
  auto walked = root();
  walked.found = 0;
  EXPECT_EQ(reason_to_hold(walked), "the root /mail is empty where there were 3 accounts");
}

TEST(RootHold, a_root_that_was_empty_may_be_empty) {
  auto walked = root();
  walked.known = walked.found = 0;
  EXPECT_EQ(reason_to_hold(walked), "");
}

TEST(RootHold, a_root_that_cannot_be_listed_is_held_when_it_had_accounts) {
  auto walked = root();
  walked.directory = Directory::unreadable;
  walked.trouble = "permission denied";
  walked.found = 0;
  EXPECT_EQ(reason_to_hold(walked), "the root cannot be read (permission denied)");
  walked.known = 0;
  EXPECT_EQ(reason_to_hold(walked), "");
}

TEST(RootHold, a_root_on_another_file_system_is_held_whatever_is_there) {
  auto walked = root();
  walked.file_system = "uuid:b";
  EXPECT_EQ(reason_to_hold(walked), "the root /mail is on another file system (uuid:b) than before (uuid:a)");
}

TEST(RootHold, another_directory_on_the_same_file_system_is_held) {
  auto walked = root();
  walked.inode_then = 7;
  walked.inode = 7;
  EXPECT_EQ(reason_to_hold(walked), "");
  walked.inode = 8;
  EXPECT_EQ(reason_to_hold(walked), "the root /mail is another directory than before, a copy or one that was put back");
  walked.known = 0;
  EXPECT_EQ(reason_to_hold(walked), "");
}

TEST(RootHold, a_directory_whose_number_was_not_known_or_does_not_last_is_no_other_one) {
  auto walked = root();
  walked.inode = 8;
  EXPECT_EQ(reason_to_hold(walked), "");
  walked.inode_then = 7;
  walked.file_system = walked.file_system_then = "";
  EXPECT_EQ(reason_to_hold(walked), "");
}

TEST(RootHold, a_file_system_that_was_not_known_is_no_other_one) {
  auto walked = root();
  walked.file_system_then.clear();
  EXPECT_EQ(reason_to_hold(walked), "");
}

TEST(RootHold, a_root_is_held_when_its_file_system_cannot_be_told_any_more) {
  auto walked = root();
  walked.file_system.clear();
  EXPECT_EQ(reason_to_hold(walked), "the root /mail is on another file system () than before (uuid:a)");
}

}  // namespace
}  // namespace maildirsync::agent
