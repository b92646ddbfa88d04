#include "agent/watch/mounts.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;

TEST(Mounts, of_a_line_the_mount_point_is_the_fifth_field) {
  EXPECT_EQ(mount_point_of("36 35 98:0 /mnt1 /var/mail rw,noatime master:1 - ext3 /dev/root rw"), "/var/mail");
  EXPECT_EQ(mount_point_of("36 35 98:0 / /with\\040space\\134 rw - ext3 /dev/root rw"), "/with space\\");
  EXPECT_EQ(mount_point_of("36 35 98:0 / /short\\04"), "/short\\04");
  EXPECT_EQ(mount_point_of("36"), "");
  EXPECT_EQ(mount_point_of(""), "");
}

TEST(Mounts, decide_what_is_seen_at_and_below_them_and_of_what_they_lie_in) {
  EXPECT_TRUE(decides("/var/mail", "/var/mail"));
  EXPECT_TRUE(decides("/var", "/var/mail"));
  EXPECT_TRUE(decides("/", "/var/mail"));
  EXPECT_TRUE(decides("/var/mail/vhosts/example.org", "/var/mail"));
  EXPECT_FALSE(decides("/var/mail2", "/var/mail"));
  EXPECT_FALSE(decides("/var/ma", "/var/mail"));
  EXPECT_FALSE(decides("/var/mail/a", "/var/mail/b"));
}

TEST(Mounts, that_come_and_go_are_told_once) {
  // In a namespace of mounts of its own, so that nobody else's mounts are seen here, nor these elsewhere.
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    GTEST_SKIP() << "mounting is not permitted here";
  }
  Tree tree;
  tree.directory("a b");
  const std::string point = tree.path("a b");
  Mounts mounts;
  pollfd poller{mounts.fd(), POLLPRI, 0};
  EXPECT_EQ(::poll(&poller, 1, 0), 0);
  EXPECT_EQ(mounts.changed(), std::vector<std::string>{});
  ASSERT_EQ(::mount("none", point.c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_EQ(::poll(&poller, 1, 0), 1);
  EXPECT_EQ(mounts.changed(), std::vector<std::string>{point});
  EXPECT_EQ(mounts.changed(), std::vector<std::string>{});
  ASSERT_EQ(::umount(point.c_str()), 0);
  EXPECT_EQ(mounts.changed(), std::vector<std::string>{point});
}

}  // namespace
}  // namespace maildirsync::agent
