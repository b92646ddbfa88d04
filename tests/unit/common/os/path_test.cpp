#include "common/os/path.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::os {
namespace {

using Split = std::pair<std::string, std::string>;

TEST(Path, is_split_at_its_last_slash) {
  EXPECT_EQ(split_last("a/b/c"), Split("a/b", "c"));
  EXPECT_EQ(split_last("c"), Split("", "c"));
  EXPECT_EQ(split_last(""), Split("", ""));
}

TEST(Path, has_something_above_it_or_the_place_where_it_begins) {
  EXPECT_EQ(above("a/b"), "a");
  EXPECT_EQ(above("a"), "");
}

TEST(Path, of_a_file_has_a_directory) {
  EXPECT_EQ(directory_of("/a/b"), "/a");
  EXPECT_EQ(directory_of("/b"), "/");
  EXPECT_EQ(directory_of("b"), ".");
}

TEST(Path, exists_where_a_link_leads_somewhere) {
  maildirsync::testing::Tree tree;
  tree.file("there").link("there", "link").link("nowhere", "broken");
  EXPECT_TRUE(exists(tree.path("link")));
  EXPECT_FALSE(exists(tree.path("broken")));
  EXPECT_FALSE(exists(tree.path("absent")));
}

TEST(Path, of_a_directory_can_be_synced_and_of_a_file_not) {
  maildirsync::testing::Tree tree;
  tree.file("file");
  EXPECT_TRUE(sync_directory(tree.path()));
  EXPECT_FALSE(sync_directory(tree.path("file")));
}

}  // namespace
}  // namespace maildirsync::os
