#include "daemon/owner/mode.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

TEST(AttainableFileMode, is_any_mode_with_the_capability) {
  for (const std::uint32_t mode : {0600U, 02640U, 02770U, 04755U, 06755U, 07777U})
    EXPECT_EQ(attainable_file_mode(mode, true), mode);
}

TEST(AttainableFileMode, lacks_the_bit_that_chown_takes_away) {
  EXPECT_EQ(attainable_file_mode(02770, false), 0770U);
  EXPECT_EQ(attainable_file_mode(02610, false), 0610U);
}

TEST(AttainableFileMode, lacks_it_beside_the_set_user_id_bit) {
  EXPECT_EQ(attainable_file_mode(06600, false), 04600U);
}

TEST(AttainableFileMode, is_otherwise_the_mode_itself) {
  for (const std::uint32_t mode : {0U, 0600U, 0777U, 01644U, 02640U, 02660U, 04755U})
    EXPECT_EQ(attainable_file_mode(mode, false), mode);
}

}  // namespace
}  // namespace maildirsync::daemon
