#include "agent/inventory/inventory.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;

const std::atomic<bool> k_go_on{false};

TEST(Inventory, counts_what_an_account_holds) {
  Tree tree;
  tree.maildir("a").maildir("a/.Sent");
  tree.message("a/cur/1.x:2,S", "12345")
      .message("a/new/2.x", "1234567")
      .hard_link("a/cur/1.x:2,S", "a/.Sent/cur/1.x:2,S");
  tree.file("a/dovecot-uidlist", "123").file("a/dovecot.index", "left out").file("a/tmp/3.x", "left out");
  tree.settle();
  const auto inventory = take_inventory(tree.open(), "a", k_go_on);
  EXPECT_EQ(inventory.folders, 2U);
  EXPECT_EQ(inventory.directories, 6U);
  EXPECT_EQ(inventory.messages, 3U);
  EXPECT_EQ(inventory.bytes, 17U);
  EXPECT_EQ(inventory.control_files, 1U);
  EXPECT_EQ(inventory.control_bytes, 3U);
  EXPECT_EQ(inventory.biggest_bytes, 7U);
  EXPECT_EQ(inventory.biggest_path, "new/2.x");
  EXPECT_EQ(inventory.inodes, 8U + 3U) << "8 directories; the linked message is one file";
  EXPECT_EQ(inventory.disk_bytes, 11U * k_block);
  EXPECT_EQ(inventory.longest_name, std::string("dovecot-uidlist").size());
  EXPECT_EQ(inventory.owners.size(), 1U);
  EXPECT_TRUE(inventory.left_out.empty());
}

TEST(Inventory, names_what_is_left_out) {
  Tree tree;
  tree.maildir("a").fifo("a/cur/fifo").link("/etc/passwd", "a/link").link("/etc/passwd", "a/new/link");
  tree.settle();
  const auto inventory = take_inventory(tree.open(), "a", k_go_on);
  ASSERT_EQ(inventory.left_out.size(), 3U);
  for (const auto& one : inventory.left_out) {
    const bool is_message = one.path == "new/link";  // for a mail server, what it leads to
    EXPECT_EQ(one.code, is_message ? ErrorCode::mail_left_out : ErrorCode::special_file) << one.path;
  }
  EXPECT_EQ(inventory.messages, 0U);
}

TEST(Inventory, of_an_account_that_is_not_there_is_empty) {
  Tree tree;
  EXPECT_EQ(take_inventory(tree.open(), "a", k_go_on).folders, 0U);
}

TEST(Inventory, ends_early_when_it_is_told_to) {
  Tree tree;
  tree.maildir("a").message("a/cur/1.x:2,S");
  const std::atomic<bool> stop{true};
  EXPECT_EQ(take_inventory(tree.open(), "a", stop).messages, 0U);
}

}  // namespace
}  // namespace maildirsync::agent
