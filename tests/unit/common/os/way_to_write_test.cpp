#include "common/os/way_to_write.h"

#include <gtest/gtest.h>
#include <linux/magic.h>

namespace maildirsync::os {
namespace {

constexpr Kernel k_debian_12{6, 1};

TEST(Kernel, is_read_from_a_release) {
  EXPECT_EQ(parse_kernel("6.1.0-18-cloud-amd64"), (Kernel{6, 1}));
  EXPECT_EQ(parse_kernel("5.15.0-91-generic"), (Kernel{5, 15}));
  EXPECT_EQ(parse_kernel("7.0"), (Kernel{7, 0}));
}

TEST(Kernel, that_cannot_be_read_is_older_than_all) {
  for (const auto* release : {"", "6", "6.", "x.y", ".1"}) {
    EXPECT_EQ(parse_kernel(release), Kernel{}) << release;
  }
  EXPECT_LT(Kernel{}, k_debian_12);
}

TEST(WayToWrite, is_unnamed_on_ext4_and_xfs) {
  for (const Kernel kernel : {Kernel{5, 6}, k_debian_12, Kernel{6, 18}}) {
    EXPECT_EQ(way_to_write(EXT4_SUPER_MAGIC, kernel), WayToWrite::unnamed);
    EXPECT_EQ(way_to_write(XFS_SUPER_MAGIC, kernel), WayToWrite::unnamed);
  }
}

TEST(WayToWrite, is_named_on_btrfs_until_a_kernel_that_keeps_linked_files) {
  for (const Kernel kernel : {Kernel{}, Kernel{5, 6}, k_debian_12, Kernel{6, 17}})
    EXPECT_EQ(way_to_write(BTRFS_SUPER_MAGIC, kernel), WayToWrite::named);
  for (const Kernel kernel : {Kernel{6, 18}, Kernel{7, 0}})
    EXPECT_EQ(way_to_write(BTRFS_SUPER_MAGIC, kernel), WayToWrite::unnamed);
}

TEST(WayToWrite, is_careful_where_nothing_was_shown) {
  for (const std::int64_t type : {0L, static_cast<std::int64_t>(NFS_SUPER_MAGIC), 0x2fc12fc1L, 0x12345678L}) {
    EXPECT_EQ(way_to_write(type, {6, 18}), WayToWrite::careful) << type;
  }
}

TEST(WayToWrite, is_the_shortest_where_nothing_is_kept) {
  EXPECT_EQ(way_to_write(TMPFS_MAGIC, k_debian_12), WayToWrite::unnamed);
}

TEST(Ground, names_the_file_system) {
  EXPECT_EQ(name_of_file_system(BTRFS_SUPER_MAGIC), "btrfs");
  EXPECT_EQ(name_of_file_system(0x2fc12fc1), "zfs");
  EXPECT_EQ(name_of_file_system(0x1234), "0x1234");
  EXPECT_EQ((Ground{"btrfs", k_debian_12, WayToWrite::named}.text()),
            "btrfs on Linux 6.1: written in the way \"named\"");
}

TEST(Ground, of_no_descriptor_is_an_error) {
  EXPECT_FALSE(ground_of(-1));
}

}  // namespace
}  // namespace maildirsync::os
