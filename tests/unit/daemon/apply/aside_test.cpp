#include "daemon/apply/aside.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

/// chown(2) takes the set-id bits away, from root as well.
class SetAttributes : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  }

  Tree tree_;
};

constexpr std::int64_t k_long_ago = 1'600'000'000'123'456'789;

TEST_F(SetAttributes, of_a_file_keeps_all_bits_of_the_mode_beside_another_owner) {
  for (const std::uint32_t mode : {0600U, 01644U, 02640U, 02770U, 04700U, 04755U, 06755U, 07777U}) {
    tree_.file("f", "x");
    const os::Fd fd(::open(tree_.path("f").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(set_attributes(fd.get(), {mode, 5000, 5001}, k_long_ago, "f"));
    const auto status = tree_.status("f");
    EXPECT_EQ(status.st_mode & 07777, mode);
    EXPECT_EQ(status.st_uid, 5000u);
    EXPECT_EQ(status.st_gid, 5001u);
    EXPECT_EQ(os::nanoseconds(status.st_mtim), k_long_ago);
    tree_.remove("f");
  }
}

TEST_F(SetAttributes, of_a_file_keeps_the_bits_that_it_has_already) {
  tree_.file("f", "x").mode("f", 04755);
  const os::Fd fd(::open(tree_.path("f").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(set_attributes(fd.get(), {04755, 5000, 5001}, k_long_ago, "f"));
  EXPECT_EQ(tree_.status("f").st_mode & 07777, 04755u);
}

TEST_F(SetAttributes, of_a_directory_keeps_all_bits_of_the_mode_beside_another_owner) {
  for (const std::uint32_t mode : {0700U, 01777U, 02751U, 02770U, 03771U}) {
    tree_.directory("d");
    const auto directory = tree_.open().open_directory("d").value();
    ASSERT_TRUE(set_directory_attributes(directory, {mode, 5000, 5001}));
    EXPECT_EQ(tree_.status("d").st_mode & 07777, mode);
    EXPECT_EQ(tree_.status("d").st_uid, 5000u);
    tree_.remove("d");
  }
}

}  // namespace
}  // namespace maildirsync::daemon
