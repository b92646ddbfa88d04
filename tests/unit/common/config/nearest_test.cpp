#include "common/config/nearest.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::config {
namespace {

TEST(Nearest, counts_letters_that_differ) {
  EXPECT_EQ(edit_distance("state_dir", "state_dir"), 0u);
  EXPECT_EQ(edit_distance("stat_dir", "state_dir"), 1u);
  EXPECT_EQ(edit_distance("tsl", "tls"), 1u) << "two letters swapped are one mistake";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

TEST(Nearest, takes_for_a_slip_what_differs_little) {
  EXPECT_TRUE(is_like("tsl", "tls"));
  EXPECT_TRUE(is_like("state-dir", "state_dir"));
  EXPECT_TRUE(is_like("Receiver", "receiver"));
  EXPECT_FALSE(is_like("file", "level"));
  EXPECT_FALSE(is_like("log", "tls"));
}

TEST(Nearest, the_nearest_comes_first) {
  std::vector<std::string_view> words{"certificate", "key", "receiver_fingerprint"};
  sort_by_distance(words, "fingerprint");
  EXPECT_EQ(words.front(), "receiver_fingerprint");
  sort_by_distance(words, "keys");
  EXPECT_EQ(words.front(), "key");
}

RC_GTEST_PROP(Nearest, distance_is_symmetric_and_bounded, (const std::string& left, const std::string& right)) {
  const std::size_t distance = edit_distance(left, right);
  RC_ASSERT(distance == edit_distance(right, left));
  RC_ASSERT((distance == 0) == (left == right));
  RC_ASSERT(distance <= std::max(left.size(), right.size()));
  RC_ASSERT(distance + std::min(left.size(), right.size()) >= std::max(left.size(), right.size()));
}

}  // namespace
}  // namespace maildirsync::config
