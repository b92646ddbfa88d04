#include "common/wire/frame.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::wire {
namespace {

Header ping(std::uint64_t number) {
  Header header;
  header.mutable_ping()->set_number(number);
  return header;
}

TEST(Frame, begins_with_two_little_endian_lengths) {
  std::string bytes;
  encode(ping(1), "abc", bytes);
  const std::string header = ping(1).SerializeAsString();
  ASSERT_EQ(bytes.size(), k_prefix + header.size() + 3);
  EXPECT_EQ(bytes.substr(0, k_prefix), std::string({static_cast<char>(header.size()), 0, 0, 0, 3, 0, 0, 0}));
  EXPECT_EQ(bytes.substr(k_prefix), header + "abc");
}

RC_GTEST_PROP(Frame, comes_back_as_it_was,
              (std::uint64_t number, const std::string& payload, const std::string& before)) {
  std::string bytes = before;
  encode(ping(number), payload, bytes);
  const std::string_view frame = std::string_view(bytes).substr(before.size());
  const auto lengths = decode_prefix(frame.substr(0, k_prefix));
  RC_ASSERT(lengths.has_value());
  RC_ASSERT(k_prefix + lengths->header + lengths->payload == frame.size());
  const auto decoded =
      decode(frame.substr(k_prefix, lengths->header), std::string(frame.substr(k_prefix + lengths->header)));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(decoded->header.ping().number() == number);
  RC_ASSERT(decoded->payload == payload);
}

std::string prefix(std::uint32_t header, std::uint32_t payload) {
  std::string bytes;
  for (const auto value : {header, payload}) {
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<char>(value >> shift));
  }
  return bytes;
}

TEST(Frame, has_bounds_that_it_may_reach) {
  EXPECT_TRUE(decode_prefix(prefix(k_max_header, k_max_payload)));
  EXPECT_EQ(decode_prefix(prefix(k_max_header + 1, 0)).error().code, ErrorCode::protocol);
  EXPECT_EQ(decode_prefix(prefix(0, k_max_payload + 1)).error().code, ErrorCode::protocol);
  EXPECT_EQ(decode_prefix(prefix(0xffffffff, 0xffffffff)).error().code, ErrorCode::protocol);
}

TEST(Frame, has_a_prefix_of_eight_bytes) {
  EXPECT_FALSE(decode_prefix(std::string(7, '\0')));
  EXPECT_FALSE(decode_prefix(std::string(9, '\0')));
}

TEST(Frame, without_a_kind_is_refused) {
  EXPECT_EQ(decode("", "").error().code, ErrorCode::protocol);
  EXPECT_EQ(decode("\xff\xff\xff", "").error().code, ErrorCode::protocol);
  // Field 100, of a later version.
  EXPECT_EQ(decode(std::string("\xa2\x06\x00", 3), "").error().code, ErrorCode::protocol);
}

TEST(Frame, that_is_cut_is_refused) {
  Header header;
  header.mutable_goodbye()->set_sentence("a sentence");
  const std::string bytes = header.SerializeAsString();
  EXPECT_FALSE(decode(bytes.substr(0, bytes.size() - 1), ""));
}

}  // namespace
}  // namespace maildirsync::wire
