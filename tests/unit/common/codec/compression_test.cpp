#include "common/codec/compression.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::codec {
namespace {

std::string compressed(Compressor& compressor, std::string_view bytes) {
  std::string block;
  compressor.compress(bytes, block);
  return block;
}

/// As much as `size` says, or why not.
Result<std::string> decompressed(Decompressor& decompressor, std::string_view block, std::size_t size) {
  std::string back(size, '\0');
  if (auto done = decompressor.decompress(block, back); !done) return Failure(done.error());
  return back;
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

TEST(Compression, gives_each_block_back_at_once) {
  Compressor compressor(3);
  Decompressor decompressor;
  for (const auto& plain :
       {std::string("hello"), std::string(), std::string(1'000'000, 'x'), noise(300'000, 1), std::string("end")}) {
    const auto back = decompressed(decompressor, compressed(compressor, plain), plain.size());
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, plain);
  }
}

RC_GTEST_PROP(Compression, survives_resets_of_both_ends,
              (const std::vector<std::pair<std::string, bool>>& blocks, std::uint8_t level)) {
  Compressor compressor(level % 10);
  Decompressor decompressor;
  for (const auto& [plain, reset] : blocks) {
    if (reset) {
      compressor.reset();
      decompressor.reset();
    }
    const auto back = decompressed(decompressor, compressed(compressor, plain), plain.size());
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == plain);
  }
}

RC_GTEST_PROP(Compression, of_something_whole_gives_it_back, (const std::string& plain)) {
  const auto back = decompress_whole(compress_whole(plain), plain.size());
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == plain);
}

TEST(Compression, of_something_whole_is_bounded_and_checked) {
  const std::string frame = compress_whole(std::string(1000, 'x'));
  EXPECT_TRUE(decompress_whole(frame, 1000));
  EXPECT_EQ(decompress_whole(frame, 999).error().code, ErrorCode::too_big);
  EXPECT_EQ(decompress_whole(frame.substr(0, frame.size() - 1), 1000).error().code, ErrorCode::protocol);
  EXPECT_EQ(decompress_whole(frame + "x", 1000).error().code, ErrorCode::protocol);
  EXPECT_EQ(decompress_whole("garbage", 1000).error().code, ErrorCode::protocol);
  EXPECT_EQ(decompress_whole("", 1000).error().code, ErrorCode::protocol);
  Compressor streamed(1);
  std::string open_ended;
  streamed.compress("no size is said", open_ended);
  EXPECT_EQ(decompress_whole(open_ended, 1000).error().code, ErrorCode::protocol);
}

TEST(Compression, remembers_what_came_before_until_a_reset) {
  const std::string plain = noise(20'000, 2);
  Compressor compressor(3);
  const auto first = compressed(compressor, plain).size();
  const auto again = compressed(compressor, plain).size();
  compressor.reset();
  const auto afresh = compressed(compressor, plain).size();
  EXPECT_LT(again * 10, first);
  EXPECT_EQ(afresh, first);
}

TEST(Compression, takes_a_new_level_at_the_next_reset) {
  Compressor compressor(1);
  compressor.set_level(19);
  EXPECT_EQ(compressor.level(), 19);
  compressor.reset();
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, compressed(compressor, "hello"), 5).value(), "hello");
}

TEST(Compression, keeps_levels_in_their_bounds) {
  EXPECT_EQ(Compressor(0).level(), 1);
  EXPECT_EQ(Compressor(99).level(), 19);
}

TEST(Compression, windows_of_the_highest_level_fit_the_other_end) {
  Compressor compressor(19);
  Decompressor decompressor;
  for (unsigned i = 0; i < 10; ++i) {
    const std::string plain = noise(1'000'000, i % 3);
    const auto back = decompressed(decompressor, compressed(compressor, plain), plain.size());
    ASSERT_TRUE(back) << back.error().message();
    ASSERT_EQ(*back, plain);
  }
}

TEST(Compression, a_bomb_is_too_big) {
  Compressor compressor(19);
  const std::string bomb = compressed(compressor, std::string(100'000'000, '\0'));
  ASSERT_LT(bomb.size(), 100'000u);
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, bomb, 1000).error().code, ErrorCode::too_big);
}

TEST(Compression, has_just_the_size_that_is_asked_for) {
  for (const auto& [size, code] : {std::pair(4, ErrorCode::too_big), std::pair(0, ErrorCode::too_big),
                                   std::pair(6, ErrorCode::protocol), std::pair(1'000'000, ErrorCode::protocol)}) {
    Compressor compressor(3);
    Decompressor decompressor;
    EXPECT_EQ(decompressed(decompressor, compressed(compressor, "hello"), size).error().code, code) << size;
  }
}

TEST(Compression, a_window_over_the_bound_is_refused) {
  // A zstd frame (RFC 8878, 3.1.1) whose header asks for a window of 2^31 bytes.
  const std::string frame("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9);
  Decompressor decompressor;
  EXPECT_EQ(decompressed(decompressor, frame, 1000).error().code, ErrorCode::protocol);
}

RC_GTEST_PROP(Compression, garbage_is_an_error_or_within_its_limit, (const std::string& garbage)) {
  Decompressor decompressor;
  const auto result = decompressed(decompressor, "\x28\xb5\x2f\xfd" + garbage, 1000);
  RC_ASSERT(result || result.error().code == ErrorCode::protocol || result.error().code == ErrorCode::too_big);
}

TEST(Compression, a_reset_makes_good_what_garbage_left) {
  Compressor compressor(3);
  Decompressor decompressor;
  EXPECT_FALSE(decompressed(decompressor, "garbage that is none of zstd's", 1000));
  decompressor.reset();
  EXPECT_EQ(decompressed(decompressor, compressed(compressor, "hello"), 5).value(), "hello");
}

TEST(Level, rises_while_the_wire_is_waited_for_and_falls_while_a_core_is) {
  EXPECT_EQ(pick_level(3, 0.9), 5);
  EXPECT_EQ(pick_level(3, 0.7), 4);
  EXPECT_EQ(pick_level(3, 0.5), 3);
  EXPECT_EQ(pick_level(3, 0.1), 2);
}

TEST(Level, stays_in_its_bounds) {
  EXPECT_EQ(pick_level(2, 0.0), 2);
  EXPECT_EQ(pick_level(9, 1.0), 9);
}

}  // namespace
}  // namespace maildirsync::codec
