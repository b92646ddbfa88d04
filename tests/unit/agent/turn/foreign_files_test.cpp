#include "agent/turn/foreign_files.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

class ForeignFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    tree_.maildir().maildir(".Sent");
    for (const auto* directory : {"", "cur", "new", "tmp", ".Sent", ".Sent/cur", ".Sent/new", ".Sent/tmp"})
      own(directory, 5000, 5000);
  }

  void own(const std::string& path, uid_t user, gid_t group) {
    ASSERT_EQ(::chown(tree_.path(path).c_str(), user, group), 0);
  }

  bool is_foreign(const std::string& folder, sync::Area area, const sync::Attributes& file) {
    const auto account = tree_.open();
    return ForeignFiles(account).is_foreign({folder, area, "x"}, file);
  }

  maildirsync::testing::Tree tree_;
};

TEST_F(ForeignFilesTest, are_those_that_the_accounts_owner_cannot_read) {
  for (const auto area : {sync::Area::cur, sync::Area::new_, sync::Area::folder}) {
    EXPECT_FALSE(is_foreign(".Sent", area, {0600, 5000, 0}));
    EXPECT_TRUE(is_foreign(".Sent", area, {0600, 0, 0}));
    EXPECT_TRUE(is_foreign(".Sent", area, {0600, 5001, 5000}));
    EXPECT_TRUE(is_foreign(".Sent", area, {0640, 5001, 5001}));
    EXPECT_FALSE(is_foreign(".Sent", area, {0640, 5001, 5000})) << "the group may read it";
    EXPECT_FALSE(is_foreign(".Sent", area, {0604, 5001, 5001})) << "everybody may read it";
  }
}

TEST_F(ForeignFilesTest, are_those_of_a_group_that_their_owner_is_not_in) {
  const passwd* user = ::getpwnam("daemon");
  const group* other = ::getgrnam("mail");
  if (user == nullptr || other == nullptr) GTEST_SKIP() << "there is no user daemon, or no group mail";
  for (const auto* directory : {"", "cur"})
    own(directory, user->pw_uid, other->gr_gid);  // as in a set-group-ID /var/mail
  EXPECT_TRUE(is_foreign("", sync::Area::cur, {0660, 5001, other->gr_gid}));
  for (const auto* directory : {"", "cur"})
    own(directory, user->pw_uid, user->pw_gid);
  EXPECT_FALSE(is_foreign("", sync::Area::cur, {0660, 5001, user->pw_gid}));
}

TEST_F(ForeignFilesTest, are_not_those_of_the_owner_of_any_directory_on_the_way) {
  own(".Sent/cur", 5002, 5002);
  own(".Sent", 5001, 5001);
  for (const uid_t user : {5000U, 5001U, 5002U})
    EXPECT_FALSE(is_foreign(".Sent", sync::Area::cur, {0600, user, 0})) << user;
  EXPECT_TRUE(is_foreign(".Sent", sync::Area::new_, {0600, 5002, 0}));
}

TEST_F(ForeignFilesTest, are_not_what_root_put_where_nobody_else_can) {
  own("cur", 0, 5000);
  tree_.mode("cur", 0750);
  EXPECT_FALSE(is_foreign("", sync::Area::cur, {0600, 5009, 5009}));
  tree_.mode("cur", 0770);
  EXPECT_TRUE(is_foreign("", sync::Area::cur, {0600, 5009, 5009}));
  EXPECT_TRUE(is_foreign("", sync::Area::cur, {0600, 0, 0})) << "a link of root's that the group made";
}

}  // namespace
}  // namespace maildirsync::agent
