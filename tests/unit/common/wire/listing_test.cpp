#include "common/wire/listing.h"

#include <gtest/gtest.h>

#include "common/codec/compression.h"
#include "common/wire/frame.h"

namespace maildirsync::wire {
namespace {

Listing listing() {
  Listing made;
  made.set_id(7);
  made.set_exists(true);
  made.set_last(true);
  auto& folder = *made.add_folders();
  folder.set_path(".Sent");
  for (int i = 0; i < 1000; ++i) {
    auto& entry = *folder.add_entries();
    entry.set_name("1700000000.M" + std::to_string(i) + "P1.host,S=1000:2,S");
    entry.set_size(1000);
    entry.set_mtime(1'700'000'000'000'000'000 + i);
  }
  made.add_accounts("example.org/anna");
  return made;
}

TEST(Listing, is_smaller_packed_and_comes_back_as_it_was) {
  Listing packed = listing();
  pack(packed);
  EXPECT_EQ(packed.folders_size() + packed.accounts_size(), 0);
  EXPECT_TRUE(packed.last());
  EXPECT_LT(packed.ByteSizeLong() * 3, listing().ByteSizeLong());
  ASSERT_TRUE(unpack(packed));
  EXPECT_EQ(packed.SerializeAsString(), listing().SerializeAsString());
}

TEST(Listing, that_is_not_packed_stays) {
  Listing plain = listing();
  ASSERT_TRUE(unpack(plain));
  EXPECT_EQ(plain.SerializeAsString(), listing().SerializeAsString());
}

TEST(Listing, of_nothing_can_be_packed) {
  Listing empty;
  pack(empty);
  ASSERT_TRUE(unpack(empty));
  EXPECT_EQ(empty.ByteSizeLong(), 0U);
}

TEST(Listing, that_is_damaged_or_too_large_is_refused) {
  Listing damaged = listing();
  damaged.set_packed("garbage");
  EXPECT_EQ(unpack(damaged).error().code, ErrorCode::protocol);
  damaged.set_packed(codec::compress_whole("\xff\xff\xff"));
  EXPECT_EQ(unpack(damaged).error().code, ErrorCode::protocol);
  damaged.set_packed(codec::compress_whole(std::string(k_max_header + 1, '\0')));
  EXPECT_EQ(unpack(damaged).error().code, ErrorCode::too_big);
}

}  // namespace
}  // namespace maildirsync::wire
