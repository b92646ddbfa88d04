#include "daemon/owner/mode.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

TEST(FileMode, never_has_a_set_id_bit) {
  for (std::uint32_t mode = 0; mode <= 07777U; ++mode)
    EXPECT_EQ(file_mode(mode), mode & 01777U) << std::oct << mode;
}

TEST(DirectoryMode, keeps_the_group_that_shared_folders_give_to_what_is_in_them) {
  EXPECT_EQ(directory_mode(02770), 02770U);
  EXPECT_EQ(directory_mode(03771), 03771U);
  EXPECT_EQ(directory_mode(06750), 02750U);
  EXPECT_EQ(directory_mode(07777), 03777U);
}

}  // namespace
}  // namespace maildirsync::daemon
