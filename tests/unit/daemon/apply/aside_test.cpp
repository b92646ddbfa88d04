#include "daemon/apply/aside.h"

#include <cerrno>
#include <functional>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/// Of the calling thread alone. It has other credentials from then on, whether or not it had the capability.
void give_up_search_capability() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  ASSERT_EQ(::syscall(SYS_capget, &header, data), 0);
  data[0].effective &= ~(1U << CAP_DAC_READ_SEARCH);
  ASSERT_EQ(::syscall(SYS_capset, &header, data), 0);
}

TEST(Aside, gets_its_name_with_and_without_the_right_to_give_it_by_descriptor) {
  Tree tree;
  const auto directory = std::make_shared<const os::Directory>(tree.open());
  const auto link_one = [&](const std::string& name, const std::function<void()>& in_between) {
    auto aside = Aside::create(directory, os::WayToWrite::unnamed);
    ASSERT_TRUE(aside);
    ASSERT_TRUE(aside->write(name));
    in_between();
    ASSERT_TRUE(aside->link(*directory, name));
    EXPECT_EQ(tree.content(name), name);
    const auto again = aside->link(*directory, name);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().error_number, EEXIST);
  };
  link_one("with", [] {});
  std::thread([&] {
    link_one("without", give_up_search_capability);
    link_one("still without", [] {});
  }).join();
}

}  // namespace
}  // namespace maildirsync::daemon
