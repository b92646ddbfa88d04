#include "common/os/replace_file.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST(ReplaceFile, gives_the_new_file_to_whoever_writes_on) {
  maildirsync::testing::Tree tree;
  tree.file("kept", "old");
  const auto file = replace_and_open(tree.path("kept"), "new", O_APPEND);
  ASSERT_TRUE(file);
  ASSERT_TRUE(write_all(file->get(), " and more", "kept"));
  EXPECT_EQ(read_file(tree.path("kept"), 100).value(), "new and more");
}

TEST(ReplaceFile, an_administrators_keeps_its_owner_and_mode) {
  maildirsync::testing::Tree tree;
  tree.file("kept", "old");
  ASSERT_EQ(::chmod(tree.path("kept").c_str(), 0640), 0);
  const bool may_give = ::chown(tree.path("kept").c_str(), 7, 9) == 0;
  ASSERT_TRUE(replace_file_of_others(tree.path("kept"), "new"));
  ASSERT_TRUE(replace_file_of_others(tree.path("anew"), "new"));
  struct stat kept {
  }, anew{};
  ASSERT_EQ(::stat(tree.path("kept").c_str(), &kept), 0);
  ASSERT_EQ(::stat(tree.path("anew").c_str(), &anew), 0);
  EXPECT_EQ(kept.st_mode & 07777U, 0640U);
  EXPECT_EQ(kept.st_uid, may_give ? 7U : ::geteuid());
  EXPECT_EQ(anew.st_mode & 07777U, 0644U);
}

TEST(ReplaceFile, an_administrators_stays_when_the_new_one_is_found_bad) {
  maildirsync::testing::Tree tree;
  tree.file("kept", "old");
  const auto replaced = replace_file_of_others(tree.path("kept"), "new", [](const std::string& aside) -> Result<> {
    EXPECT_EQ(read_file(aside, 100).value(), "new");
    return failure(ErrorCode::config, aside, "bad");
  });
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().detail, "bad");
  EXPECT_EQ(read_file(tree.path("kept"), 100).value(), "old");
  EXPECT_FALSE(exists(tree.path("kept.new")));
}

}  // namespace
}  // namespace maildirsync::os
