#include "daemon/apply/trash.h"

#include <filesystem>
#include <set>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/apply/folders.h"
#include "daemon/apply/tree.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

constexpr std::int64_t k_then = 1'700'000'000'123'456'789;

class Trashing : public ::testing::Test {
 protected:
  void SetUp() override {
    root_.maildir("example.org/a").message("example.org/a/cur/1.x:2,S", "first").message("example.org/a/cur/2.x:2,S");
    root_.mtime("example.org/a/cur/1.x:2,S", k_then);
    root_.file("example.org/a/dovecot-uidlist", "3 V1 N3 G0\n1 :1.x\n2 :2.x\n");
  }

  Tree open() {
    Tree tree(std::make_shared<const os::Directory>(root_.open()), "example.org/a", {});
    tree.keep_trash({"a@example.org", "vhosts", "old-server"});
    return tree;
  }

  void take(const std::string& path) {
    Tree tree = open();
    os::SyncSet sync;
    const auto taken = tree.trash()->take(tree, path, sync);
    ASSERT_TRUE(taken) << taken.error().message();
    ASSERT_TRUE(sync.sync());
  }

  /// Below the trash, without the date; what is ours alone is left out.
  std::set<std::string> names(const std::string& date = "") const {
    std::set<std::string> found;
    const std::string base = root_.path(".maildirsync.trash") + "/" + (date.empty() ? day() : date);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base)) {
      if (!entry.is_directory()) found.insert(std::filesystem::relative(entry.path(), base).string());
    }
    return found;
  }

  std::string day() const {
    for (const auto& entry : std::filesystem::directory_iterator(root_.path(".maildirsync.trash"))) {
      const std::string name = entry.path().filename();
      if (name.size() == 10) return name;
    }
    return "";
  }

  maildirsync::testing::Tree root_;
};

TEST_F(Trashing, keeps_path_name_content_and_time_and_what_brings_the_uid_back) {
  take("cur/1.x:2,S");
  EXPECT_EQ(names(), (std::set<std::string>{"example.org/.maildirsync.folder", "example.org/a/.maildirsync.account",
                                            "example.org/a/.maildirsync.folder", "example.org/a/.maildirsync.uidlist.1",
                                            "example.org/a/cur/1.x:2,S"}));
  const std::string account = ".maildirsync.trash/" + day() + "/example.org/a/";
  EXPECT_EQ(root_.content(account + "cur/1.x:2,S"), "first");
  EXPECT_EQ(os::nanoseconds(root_.status(account + "cur/1.x:2,S").st_mtim), k_then);
  EXPECT_EQ(root_.content(account + ".maildirsync.uidlist.1"), root_.content("example.org/a/dovecot-uidlist"));
  EXPECT_EQ(root_.content(account + ".maildirsync.account"), "name a@example.org\nroot vhosts\npeer old-server\n");
  EXPECT_FALSE(root_.exists("example.org/a/cur/1.x:2,S"));
  EXPECT_TRUE(root_.exists("example.org/a/cur/2.x:2,S"));
}

TEST_F(Trashing, is_open_to_nobody_else_whatever_the_directory_above_gives_to_new_ones) {
  root_.mode("", 02775);
  take("cur/1.x:2,S");
  for (const std::string& below :
       {std::string(), "/" + day(), "/" + day() + "/example.org", "/" + day() + "/example.org/a/cur"})
    EXPECT_EQ(root_.status(".maildirsync.trash" + below).st_mode & 07777, 0700U) << below;
}

TEST_F(Trashing, can_be_asked_twice) {
  take("cur/1.x:2,S");
  take("cur/1.x:2,S");
  take("gone/cur/1.x:2,S");
  EXPECT_TRUE(names().contains("example.org/a/cur/1.x:2,S"));
}

TEST_F(Trashing, gives_a_name_that_is_taken_a_directory_of_its_own) {
  take("cur/1.x:2,S");
  root_.message("example.org/a/cur/1.x:2,S", "second");
  take("cur/1.x:2,S");
  EXPECT_EQ(root_.content(".maildirsync.trash/" + day() + "/example.org/a/cur/1.x:2,S"), "first");
  EXPECT_EQ(root_.content(".maildirsync.trash/" + day() + ".1/example.org/a/cur/1.x:2,S"), "second");
  EXPECT_TRUE(names(day() + ".1").contains("example.org/a/.maildirsync.uidlist.1"));
}

TEST_F(Trashing, keeps_each_version_of_the_uidlist_once) {
  take("cur/1.x:2,S");
  root_.file("example.org/a/dovecot-uidlist", "3 V1 N4 G0\n2 :2.x\n3 :3.x\n");
  root_.message("example.org/a/cur/3.x:2,");
  take("cur/2.x:2,S");
  take("cur/3.x:2,");
  EXPECT_TRUE(names().contains("example.org/a/.maildirsync.uidlist.2"));
  EXPECT_FALSE(names().contains("example.org/a/.maildirsync.uidlist.3"));
}

TEST_F(Trashing, follows_no_link_that_lies_where_the_trash_would_be) {
  root_.directory("elsewhere").link("elsewhere", ".maildirsync.trash");
  Tree tree = open();
  os::SyncSet sync;
  EXPECT_FALSE(tree.trash()->take(tree, "cur/1.x:2,S", sync));
  EXPECT_TRUE(root_.exists("example.org/a/cur/1.x:2,S"));
  EXPECT_TRUE(std::filesystem::is_empty(root_.path("elsewhere")));
}

TEST_F(Trashing, copies_from_another_file_system) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root mounts";
  root_.directory("example.org/a/.Other/cur");
  const std::string other = root_.path("example.org/a/.Other");
  if (::mount("tmpfs", other.c_str(), "tmpfs", 0, "size=1m") != 0) GTEST_SKIP() << "cannot mount here";
  root_.maildir("example.org/a/.Other").message("example.org/a/.Other/cur/5.x:2,F", "fifth");
  root_.mtime("example.org/a/.Other/cur/5.x:2,F", k_then).mode("example.org/a/.Other/cur/5.x:2,F", 0640);
  take(".Other/cur/5.x:2,F");
  EXPECT_FALSE(root_.exists("example.org/a/.Other/cur/5.x:2,F"));
  const std::string kept = ".maildirsync.trash/" + day() + "/example.org/a/.Other/cur/5.x:2,F";
  EXPECT_EQ(root_.content(kept), "fifth");
  EXPECT_EQ(os::nanoseconds(root_.status(kept).st_mtim), k_then);
  EXPECT_EQ(root_.status(kept).st_mode & 07777, 0640U);
  ::umount2(other.c_str(), MNT_DETACH);
}

TEST_F(Trashing, of_a_removed_folder_keeps_its_uids_its_keywords_and_its_shape) {
  root_.maildir("example.org/a/.Sent").file("example.org/a/.Sent/dovecot-uidlist", "3 V2 N1 G0\n");
  root_.file("example.org/a/.Sent/dovecot-keywords", "0 Work\n").file("example.org/a/.Sent/dovecot.index", "x");
  root_.mode("example.org/a/.Sent/cur", 02770);
  Tree tree = open();
  sync::Operation operation;
  operation.kind = sync::OperationKind::remove_folder;
  operation.from.folder = ".Sent";
  operation.to_trash = true;
  os::SyncSet sync;
  const auto removed = remove_folder(tree, operation, sync);
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_FALSE(root_.exists("example.org/a/.Sent"));
  const std::string kept = ".maildirsync.trash/" + day() + "/example.org/a/.Sent/";
  EXPECT_EQ(root_.content(kept + "dovecot-uidlist"), "3 V2 N1 G0\n");
  EXPECT_EQ(root_.content(kept + "dovecot-keywords"), "0 Work\n");
  EXPECT_NE(root_.content(kept + ".maildirsync.folder").find("cur 2770 "), std::string::npos);
  EXPECT_FALSE(root_.exists(kept + "dovecot.index"));
}

TEST(TrashDays, are_read_from_the_names_of_directories) {
  EXPECT_EQ(day_of_trash("1970-01-02"), 1);
  EXPECT_EQ(day_of_trash("2026-11-28"), day_of_trash("2026-11-28.12"));
  for (const auto* name : {"", "2026-11-2", "2026-13-01", "2026-11-28.", "2026-11-28.x", "2026-11-28x", "..........",
                           "2026-02-30", "2026/11/28"})
    EXPECT_FALSE(day_of_trash(name)) << name;
}

}  // namespace
}  // namespace maildirsync::daemon
