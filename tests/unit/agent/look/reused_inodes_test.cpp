#include "agent/look/reused_inodes.h"

#include <gtest/gtest.h>

#include "agent/scan/folder.h"
#include "common/codec/digest.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using sync::AccountManifest;
using sync::Entry;

/// An account of one folder, as the scanner sees it.
AccountManifest scanned(const Tree& tree) {
  auto scan = scan_folder(tree.open(), "", {}, Depth::full);
  EXPECT_TRUE(scan) << scan.error().message();
  return {.exists = true, .structure_whole = true, .folders = {std::move(scan->manifest)}};
}

/// As if its only message had had this name and content when it was sent.
AccountManifest sent_as(AccountManifest manifest, const std::string& name, std::string_view content) {
  Entry& entry = manifest.folders[0].entries.at(0);
  entry.name = name;
  entry.digest = codec::digest(content);
  return manifest;
}

TEST(Doubtful, a_message_with_the_inode_of_one_of_another_name_is_read) {
  const Tree tree = Tree{}.maildir().message("cur/2.y:2,S", "content");
  auto after = scanned(tree);
  read_where_inodes_are_reused(tree.open(), "", sent_as(after, "1.x:2,S", "another"), after);
  EXPECT_EQ(after.folders[0].entries.at(0).digest, codec::digest("content"));
}

TEST(Doubtful, a_message_whose_base_name_is_known_is_not_read) {
  const Tree tree = Tree{}.maildir().message("cur/1.x:2,FS", "content");
  auto after = scanned(tree);
  read_where_inodes_are_reused(tree.open(), "", sent_as(after, "1.x:2,S", "content"), after);
  EXPECT_FALSE(after.folders[0].entries.at(0).digest);
}

TEST(Doubtful, a_link_of_a_message_that_is_still_there_is_not_read) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S", "content");
  const auto before = sent_as(scanned(tree), "1.x:2,S", "content");
  tree.hard_link("cur/1.x:2,S", "cur/2.y:2,S");
  auto after = scanned(tree);
  read_where_inodes_are_reused(tree.open(), "", before, after);
  for (const auto& entry : after.folders[0].entries)
    EXPECT_FALSE(entry.digest) << entry.name;
}

TEST(Doubtful, a_message_that_went_meanwhile_stays_unread) {
  Tree tree;
  tree.maildir().message("cur/2.y:2,S", "content");
  auto after = scanned(tree);
  tree.remove("cur/2.y:2,S");
  read_where_inodes_are_reused(tree.open(), "", sent_as(after, "1.x:2,S", "content"), after);
  EXPECT_FALSE(after.folders[0].entries.at(0).digest);
}

}  // namespace
}  // namespace maildirsync::agent
