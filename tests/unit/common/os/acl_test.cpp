#include "common/os/acl.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace maildirsync::os {
namespace {

constexpr std::uint16_t k_user_obj = 1, k_user = 2, k_group_obj = 4, k_group = 8, k_mask = 16, k_other = 32;

struct Entry {
  std::uint16_t tag, permissions;
  std::uint32_t id = 0xffffffff;
};

std::string acl(const std::vector<Entry>& entries) {
  std::string bytes("\x02\0\0\0", 4);
  const auto add = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i)
      bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  };
  for (const auto& entry : entries) {
    add(entry.tag, 2);
    add(entry.permissions, 2);
    add(entry.id, 4);
  }
  return bytes;
}

std::string named_user(std::uint16_t user, std::uint16_t group, std::uint16_t mask, std::uint16_t other) {
  return acl({{k_user_obj, 6}, {k_user, user, 1000}, {k_group_obj, group}, {k_mask, mask}, {k_other, other}});
}

TEST(Acl, the_group_gets_its_own_entry_and_not_the_mask) {
  EXPECT_EQ(mode_without_acl(0660, named_user(6, 0, 6, 0)).mode, 0600U);
  EXPECT_EQ(mode_without_acl(0660, named_user(6, 4, 6, 0)).mode, 0640U);
  EXPECT_TRUE(mode_without_acl(0660, named_user(6, 0, 6, 0)).had_acl);
}

TEST(Acl, the_mask_limits_the_group) {
  EXPECT_EQ(mode_without_acl(0640, named_user(7, 6, 4, 0)).mode, 0640U);
  EXPECT_EQ(mode_without_acl(0600, named_user(7, 6, 0, 0)).mode, 0600U);
}

TEST(Acl, whom_it_keeps_out_does_not_come_in_as_one_of_the_group_or_the_others) {
  EXPECT_EQ(mode_without_acl(0664, named_user(0, 6, 6, 4)).mode, 0600U);
  EXPECT_EQ(mode_without_acl(0664, named_user(4, 6, 6, 4)).mode, 0644U);
}

TEST(Acl, special_bits_and_the_owners_stay) {
  EXPECT_EQ(mode_without_acl(02770, named_user(7, 0, 7, 0)).mode, 02700U);
}

TEST(Acl, one_without_named_entries_and_mask_says_what_the_mode_says) {
  const auto plain = mode_without_acl(0640, acl({{k_user_obj, 6}, {k_group_obj, 4}, {k_other, 0}}));
  EXPECT_EQ(plain.mode, 0640U);
  EXPECT_FALSE(plain.had_acl);
}

TEST(Acl, what_cannot_be_read_leaves_the_owner_alone) {
  EXPECT_EQ(mode_without_acl(0666, "").mode, 0600U);
  EXPECT_EQ(mode_without_acl(0666, std::string("\x01\0\0\0", 4)).mode, 0600U);
  EXPECT_EQ(mode_without_acl(0666, named_user(6, 6, 6, 6) + "x").mode, 0600U);
}

TEST(Acl, never_more_than_before) {
  for (std::uint32_t mode = 0; mode < 01000; mode += 7) {
    for (std::uint16_t group = 0; group < 8; ++group) {
      const auto plain = mode_without_acl(
          mode, named_user(5, group, static_cast<std::uint16_t>(mode >> 3 & 7), static_cast<std::uint16_t>(mode & 7)));
      EXPECT_EQ(plain.mode & ~mode, 0U);
    }
  }
}

TEST(Acl, of_a_file_is_asked_for_on_the_disk) {
  std::string pattern = "/var/tmp/maildirsync-acl-XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  const std::string file = directory + "/f";
  std::ofstream(file) << "x";
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY);
  EXPECT_FALSE(mode_without_acl_of(fd, "f", 0640).had_acl);
  const std::string value = named_user(6, 0, 6, 0);
  if (::setxattr(file.c_str(), "system.posix_acl_access", value.data(), value.size(), 0) == 0) {
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0660U);
    EXPECT_EQ(mode_without_acl_of(fd, "f", 0660).mode, 0600U);
  }
  ::close(fd);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace maildirsync::os
