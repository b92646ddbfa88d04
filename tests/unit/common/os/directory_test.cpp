#include "common/os/directory.h"

#include <algorithm>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>

#include "tests/unit/support/swapper.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::os {
namespace {

using maildirsync::testing::Tree;

class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() { outside.file("secret", "not yours"); }
  Tree outside;
  Tree tree = Tree{}.message("cur/1.x:2,S", "hello").directory("new");
  Directory directory = tree.open();
};

TEST_F(DirectoryTest, opens_what_lies_beneath) {
  const auto fd = directory.open_for_reading("cur/1.x:2,S");
  ASSERT_TRUE(fd);
  EXPECT_EQ(read_all(fd->get(), 100, "x").value(), "hello");
}

TEST_F(DirectoryTest, refuses_a_path_that_goes_up) {
  EXPECT_FALSE(directory.open_for_reading("../" + outside.path().substr(outside.path().rfind('/') + 1) + "/secret"));
  EXPECT_FALSE(directory.open_directory(".."));
  EXPECT_FALSE(directory.open_directory("cur/../.."));
}

TEST_F(DirectoryTest, refuses_an_absolute_path) {
  EXPECT_FALSE(directory.open_for_reading(outside.path("secret")));
  EXPECT_FALSE(directory.open_directory(tree.path()));
}

TEST_F(DirectoryTest, follows_no_link_even_one_that_stays_inside) {
  tree.link("cur", "inside").link(outside.path(), "out").link("1.x:2,S", "cur/alias");
  EXPECT_EQ(directory.open_for_reading("inside/1.x:2,S").error().error_number, ELOOP);
  EXPECT_EQ(directory.open_for_reading("out/secret").error().error_number, ELOOP);
  EXPECT_EQ(directory.open_for_reading("cur/alias").error().code, ErrorCode::in_the_way);
  EXPECT_FALSE(directory.open_directory("inside"));
}

TEST_F(DirectoryTest, creates_nothing_through_a_link) {
  tree.link(outside.path(), "out");
  EXPECT_FALSE(directory.open("out/planted", O_WRONLY | O_CREAT, 0600));
  tree.link(outside.path("planted"), "dangling");
  EXPECT_FALSE(directory.open("dangling", O_WRONLY | O_CREAT, 0600));
  EXPECT_FALSE(outside.exists("planted"));
}

TEST_F(DirectoryTest, never_reads_outside_while_a_directory_and_a_link_change_places) {
  outside.file("1.x:2,S", "not yours");
  tree.link(outside.path(), "trap");
  const maildirsync::testing::Swapper swapper(tree.path("cur"), tree.path("trap"));
  for (int i = 0; i < 2000; ++i) {
    const auto fd = directory.open_for_reading("cur/1.x:2,S");
    if (fd) {
      EXPECT_EQ(read_all(fd->get(), 100, "x").value(), "hello");
    }
  }
}

TEST_F(DirectoryTest, does_not_wait_for_the_writer_of_a_fifo) {
  tree.fifo("cur/pipe");
  const auto fd = directory.open_for_reading("cur/pipe");
  EXPECT_TRUE(fd);
}

TEST_F(DirectoryTest, says_vanished_for_what_is_not_there) {
  EXPECT_EQ(directory.open_for_reading("cur/2.x").error().code, ErrorCode::vanished);
  EXPECT_EQ(directory.status("nothing").error().code, ErrorCode::vanished);
  EXPECT_EQ(Directory::open_root(tree.path("nothing")).error().code, ErrorCode::vanished);
}

TEST_F(DirectoryTest, does_not_open_a_file_as_a_directory) {
  EXPECT_EQ(directory.open_directory("cur/1.x:2,S").error().error_number, ENOTDIR);
}

TEST_F(DirectoryTest, stats_a_link_and_not_its_target) {
  tree.link("cur", "alias");
  EXPECT_TRUE(S_ISLNK(directory.status("alias")->st_mode));
  EXPECT_TRUE(S_ISDIR(directory.status("")->st_mode));
}

TEST_F(DirectoryTest, lists_all_names_but_dots_each_time_from_the_start) {
  std::set<std::string> expected;
  for (int i = 0; i < 1500; ++i) {
    const std::string name = std::to_string(i) + std::string(80, 'x');
    tree.file("new/" + name);
    expected.insert(name);
  }
  const auto opened = directory.open_directory("new").value();
  for (int i = 0; i < 2; ++i) {
    const auto entries = opened.list().value();
    std::set<std::string> names;
    for (const auto& entry : entries)
      names.insert(entry.name);
    EXPECT_EQ(entries.size(), expected.size());
    EXPECT_EQ(names, expected);
  }
}

TEST_F(DirectoryTest, lists_types_and_inodes) {
  tree.link("cur", "alias");
  const auto entries = directory.list().value();
  EXPECT_EQ(entries.size(), 3u);
  for (const auto& entry : entries) {
    EXPECT_EQ(entry.inode, tree.status(entry.name).st_ino);
    EXPECT_TRUE(entry.type == DT_UNKNOWN || entry.type == (entry.name == "alias" ? DT_LNK : DT_DIR)) << entry.name;
  }
}

TEST(ReadAll, reads_up_to_its_limit) {
  const Tree tree = Tree{}.file("f", std::string(10'000, 'x'));
  EXPECT_EQ(read_file(tree.path("f"), 10'000)->size(), 10'000u);
  EXPECT_EQ(read_file(tree.path("f"), 9'999).error().code, ErrorCode::too_big);
}

TEST(ReadAll, reads_an_empty_file) {
  const Tree tree = Tree{}.file("f");
  EXPECT_EQ(read_file(tree.path("f"), 0).value(), "");
}

TEST(ReadAll, bounds_a_file_that_does_not_tell_its_size) {
  EXPECT_GT(read_file("/proc/self/status", 100'000)->size(), 0u);
  EXPECT_EQ(read_file("/proc/self/status", 10).error().code, ErrorCode::too_big);
}

TEST(ReadAll, starts_at_the_beginning_whatever_the_offset) {
  const Tree tree = Tree{}.file("f", "hello");
  const Fd fd(::open(tree.path("f").c_str(), O_RDONLY));
  ::lseek(fd.get(), 3, SEEK_SET);
  EXPECT_EQ(read_all(fd.get(), 100, "f").value(), "hello");
}

TEST(WriteAll, reports_what_cannot_be_written) {
  const Fd full(::open("/dev/full", O_WRONLY));
  ASSERT_TRUE(full);
  EXPECT_EQ(write_all(full.get(), "x", "f").error().code, ErrorCode::no_space);
}

TEST(Confined, takes_relative_paths_only) {
  for (const char* path : {"", "a", "a/b", ".Sent", "...", "a/..b", "cur/1.x:2,S"})
    EXPECT_TRUE(is_confined(path)) << path;
  for (const char* path : {"/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b"})
    EXPECT_FALSE(is_confined(path)) << path;
  EXPECT_FALSE(is_confined(std::string("a\0b", 3)));
  EXPECT_TRUE(is_confined(std::string(255, 'x')));
  EXPECT_FALSE(is_confined(std::string(256, 'x')));
}

TEST(Join, needs_no_slash_where_one_side_is_empty) {
  EXPECT_EQ(join("", "b"), "b");
  EXPECT_EQ(join("a", ""), "a");
  EXPECT_EQ(join("a", "b"), "a/b");
}

TEST(Times, before_the_epoch_have_a_positive_rest) {
  const auto time = to_timespec(-1);
  EXPECT_EQ(time.tv_sec, -1);
  EXPECT_EQ(time.tv_nsec, 999'999'999);
  EXPECT_EQ(nanoseconds(time), -1);
}

RC_GTEST_PROP(Times, survive_the_way_there_and_back, (std::int64_t at)) {
  const auto time = to_timespec(at);
  RC_ASSERT(time.tv_nsec >= 0 && time.tv_nsec < 1'000'000'000);
  RC_ASSERT(nanoseconds(time) == at);
}

TEST(Errors, have_the_code_that_fits_the_errno) {
  EXPECT_EQ(os_error("p", "d", ENOENT).code, ErrorCode::vanished);
  EXPECT_EQ(os_error("p", "d", EACCES).code, ErrorCode::permission);
  EXPECT_EQ(os_error("p", "d", EDQUOT).code, ErrorCode::no_space);
  EXPECT_EQ(os_error("p", "d", ENAMETOOLONG).code, ErrorCode::bad_name);
  EXPECT_EQ(os_error("p", "d", EIO).code, ErrorCode::io);
}

TEST(Errors, read_as_a_sentence) {
  EXPECT_EQ(os_error("/a/b", "cannot open", ENOENT).message(), "cannot open: /a/b: No such file or directory");
  EXPECT_EQ((Error{ErrorCode::protocol, "", "a frame is over the bound", 0}.message()), "a frame is over the bound");
}

}  // namespace
}  // namespace maildirsync::os
