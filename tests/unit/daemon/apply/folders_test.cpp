#include "daemon/apply/folders.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

class MakeFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  }

  void make_account(const sync::Attributes& domain) {
    Tree tree(std::make_shared<const os::Directory>(root_.open()), "example.org/anna", {domain});
    sync::Operation operation;
    operation.kind = sync::OperationKind::make_folder;
    operation.folder = {k_own, k_own, k_own, k_own};
    os::SyncSet sync;
    const auto made = make_folder(tree, operation, sync);
    ASSERT_TRUE(made) << made.error().message();
  }

  void expect(const std::string& path, const sync::Attributes& wanted) {
    const auto status = root_.status(path);
    EXPECT_EQ(status.st_mode & 07777, wanted.mode) << path;
    EXPECT_EQ(status.st_uid, wanted.uid) << path;
    EXPECT_EQ(status.st_gid, wanted.gid) << path;
  }

  static constexpr sync::Attributes k_own{0700, 5001, 5000}, k_domain{02750, 5000, 5000};
  maildirsync::testing::Tree root_;
};

TEST_F(MakeFolder, makes_the_directories_above_as_they_are_at_the_source) {
  make_account(k_domain);
  expect("example.org", k_domain);
  for (const auto* path : {"example.org/anna", "example.org/anna/cur", "example.org/anna/new", "example.org/anna/tmp"})
    expect(path, k_own);
}

TEST_F(MakeFolder, leaves_a_directory_above_as_it_is_found) {
  root_.directory("example.org").mode("example.org", 0711);
  make_account(k_domain);
  expect("example.org", {0711, 0, 0});
}

TEST_F(MakeFolder, finishes_one_that_has_its_group_from_the_directory_above) {
  root_.directory("example.org").mode("example.org", 03700);
  make_account(k_domain);
  expect("example.org", k_domain);
}

TEST_F(MakeFolder, finishes_a_directory_above_that_a_crash_left_without_owner_or_without_mode) {
  for (const uid_t owner : {0, 5000}) {
    root_.directory("example.org").mode("example.org", 01700);
    ASSERT_EQ(::chown(root_.path("example.org").c_str(), owner, owner), 0);
    make_account(k_domain);
    expect("example.org", k_domain);
    root_.remove("example.org");
  }
}

}  // namespace
}  // namespace maildirsync::daemon
