#include "common/os/open_beneath.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/fd.h"
#include "tests/unit/support/swapper.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::os {
namespace {

using maildirsync::testing::Tree;

/// What a way makes of a path: the inode that it opened, or the errno. A file that it makes is taken away again.
std::string outcome(Confinement way, const Directory& directory, const std::string& path, int flags) {
  const Fd fd(open_beneath(way, directory.fd(), path.c_str(), flags, 0600));
  if (!fd) return "refused: " + std::to_string(errno);
  if ((flags & O_EXCL) != 0) return ::unlinkat(directory.fd(), path.c_str(), 0) == 0 ? "made" : "not removed";
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return "no status";
  return "inode " + std::to_string(status.st_ino) + " mode " + std::to_string(status.st_mode & S_IFMT) + " access " +
         std::to_string(::fcntl(fd.get(), F_GETFL) & O_ACCMODE);
}

class OpenBeneathTest : public ::testing::TestWithParam<Confinement> {
 protected:
  void SetUp() override {
    if (GetParam() == Confinement::by_kernel && confinement() != Confinement::by_kernel) {
      GTEST_SKIP() << "this kernel has no openat2(2)";
    }
  }
  OpenBeneathTest() {
    outside.file("secret", "not yours");
    tree.link("cur", "inside").link(outside.path(), "out").link("1.x:2,S", "cur/alias").link("/proc/self/fd", "magic");
  }
  Fd open(const std::string& path, int flags = O_RDONLY) const {
    return Fd(open_beneath(GetParam(), directory.fd(), path.c_str(), flags, 0600));
  }
  void expect_refused(int error_number, const std::string& path, int flags = O_RDONLY) const {
    const Fd fd = open(path, flags);
    const int found = errno;
    ASSERT_FALSE(fd) << path;
    EXPECT_EQ(found, error_number) << path << ": " << std::strerror(found);
  }
  Tree outside;
  Tree tree = Tree{}.message("cur/1.x:2,S", "hello").directory("new").directory(".Sent/cur");
  Directory directory = tree.open();
};

TEST_P(OpenBeneathTest, opens_files_and_directories_at_any_depth) {
  EXPECT_TRUE(open("."));
  EXPECT_TRUE(open("cur", O_RDONLY | O_DIRECTORY));
  EXPECT_TRUE(open(".Sent/cur/", O_RDONLY | O_DIRECTORY));
  const Fd file = open("./cur//1.x:2,S");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_all(file.get(), 100, "").value(), "hello");
  EXPECT_NE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_P(OpenBeneathTest, makes_files) {
  const Fd made = open("new/2.x", O_WRONLY | O_CREAT | O_EXCL);
  ASSERT_TRUE(made);
  struct stat status {};
  ASSERT_EQ(::fstat(made.get(), &status), 0);
  EXPECT_EQ(
      status.st_mode & 0777, 0600U & ~[] {
        const mode_t mask = ::umask(0);
        ::umask(mask);
        return mask;
      }());
  expect_refused(EEXIST, "new/2.x", O_WRONLY | O_CREAT | O_EXCL);
  EXPECT_TRUE(open(".", O_TMPFILE | O_RDWR));
}

TEST_P(OpenBeneathTest, refuses_links_wherever_they_are) {
  expect_refused(ELOOP, "inside/1.x:2,S");
  expect_refused(ELOOP, "out/secret");
  expect_refused(ELOOP, "cur/alias");
  expect_refused(ELOOP, "cur/alias", O_RDONLY | O_NOFOLLOW);
  expect_refused(ELOOP, "inside", O_RDONLY | O_DIRECTORY);
  expect_refused(ELOOP, "inside", O_PATH);
  expect_refused(ELOOP, "magic/0");
  expect_refused(ELOOP, "out/planted", O_WRONLY | O_CREAT);
  EXPECT_FALSE(outside.exists("planted"));
}

TEST_P(OpenBeneathTest, opens_a_link_itself_when_asked_to) {
  const Fd link = open("inside", O_PATH | O_NOFOLLOW);
  ASSERT_TRUE(link);
  struct stat status {};
  ASSERT_EQ(::fstat(link.get(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
}

TEST_P(OpenBeneathTest, refuses_what_leads_out) {
  expect_refused(EXDEV, "..");
  expect_refused(EXDEV, "../x");
  expect_refused(EXDEV, "cur/../../x");
  expect_refused(EXDEV, "/etc/passwd");
  expect_refused(EXDEV, "/");
}

TEST_P(OpenBeneathTest, never_opens_what_lies_outside_while_a_directory_and_a_link_change_places) {
  outside.file("1.x:2,S", "not yours");
  tree.link(outside.path(), "trap");
  const maildirsync::testing::Swapper swapper(tree.path("cur"), tree.path("trap"));
  for (int i = 0; i < 5000; ++i) {
    const Fd fd = open("cur/1.x:2,S");
    if (fd) {
      EXPECT_EQ(read_all(fd.get(), 100, "").value(), "hello");
    }
  }
}

TEST_P(OpenBeneathTest, follows_no_link_to_the_directory_that_a_dot_names) {
  tree.link("cur", "way");
  expect_refused(ELOOP, "way/.");
  const Fd link(open_beneath(GetParam(), directory.fd(), "way/.", O_PATH | O_NOFOLLOW, 0));
  EXPECT_FALSE(link);
}

INSTANTIATE_TEST_SUITE_P(BothWays, OpenBeneathTest, ::testing::Values(Confinement::by_kernel, Confinement::by_walk),
                         [](const auto& test) { return std::string(to_string(test.param)); });

/// Random paths over a tree of directories, files and links: the walk answers what the kernel answers.
RC_GTEST_PROP(OpenBeneath, the_walk_answers_as_the_kernel_does, ()) {
  if (confinement() != Confinement::by_kernel) return;
  static const Tree tree = [] {
    Tree made = Tree{}.directory("a/b/c").file("a/f", "1").file("a/b/f", "2");
    made.link("a", "l").link("b", "a/l").link("f", "a/b/l").link("nothing", "a/b/dangling").link("/", "a/root");
    return made;
  }();
  static const Directory directory = tree.open();
  const auto names = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("a", "b", "c", "f", "l", ".", "", "root", "dangling", "absent"));
  std::string path;
  for (const auto& name : names)
    path += (path.empty() ? "" : "/") + name;
  const int flags =
      *rc::gen::element(O_RDONLY, O_RDONLY | O_NOFOLLOW, O_RDONLY | O_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                        O_PATH, O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY, O_WRONLY, O_RDWR | O_CREAT | O_EXCL);
  RC_LOG() << path << " flags " << flags;
  RC_ASSERT(outcome(Confinement::by_walk, directory, path, flags) ==
            outcome(Confinement::by_kernel, directory, path, flags));
}

}  // namespace
}  // namespace maildirsync::os
