#include "common/os/replace_file.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/os/directory.h"
#include "common/os/path.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::os {
namespace {

TEST(ReplaceFile, has_the_new_text_and_nothing_beside_it) {
  maildirsync::testing::Tree tree;
  tree.file("kept", "old");
  ASSERT_TRUE(replace_file(tree.path("kept"), "new"));
  EXPECT_EQ(read_file(tree.path("kept"), 100).value(), "new");
  EXPECT_FALSE(exists(tree.path("kept.new")));
  struct stat file {};
  ASSERT_EQ(::stat(tree.path("kept").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777U, 0600U);
}

TEST(ReplaceFile, writes_through_no_link_that_lies_in_its_way) {
  maildirsync::testing::Tree tree;
  tree.file("theirs", "theirs").link("theirs", "kept.new");
  ASSERT_TRUE(replace_file(tree.path("kept"), "ours"));
  EXPECT_EQ(read_file(tree.path("theirs"), 100).value(), "theirs");
  EXPECT_EQ(read_file(tree.path("kept"), 100).value(), "ours");
}

TEST(ReplaceFile, leaves_the_old_one_where_it_cannot_be_written) {
  maildirsync::testing::Tree tree;
  tree.file("kept", "old").file("kept.new/in-the-way", "x");
  EXPECT_FALSE(replace_file(tree.path("kept"), "new"));
  EXPECT_EQ(read_file(tree.path("kept"), 100).value(), "old");
}

TEST(ReplaceFile, leaves_nothing_beside_it_where_the_disk_is_full) {
  maildirsync::testing::Tree tree;
  tree.file("kept", "old");
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{10, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_FALSE(replace_file(tree.path("kept"), "more than ten bytes"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(read_file(tree.path("kept"), 100).value(), "old");
  EXPECT_FALSE(exists(tree.path("kept.new")));
}

}  // namespace
}  // namespace maildirsync::os
