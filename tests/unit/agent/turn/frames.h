#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/codec/compression.h"
#include "common/wire/frame.h"

namespace maildirsync::agent::testing {

/// The frames of some bytes, those of a Packed in its place.
class Frames {
 public:
  std::vector<wire::Frame> of(std::string_view bytes) {
    std::vector<wire::Frame> frames;
    while (!bytes.empty()) {
      const auto lengths = wire::decode_prefix(bytes.substr(0, wire::k_prefix));
      EXPECT_TRUE(lengths);
      bytes.remove_prefix(wire::k_prefix);
      auto frame =
          wire::decode(bytes.substr(0, lengths->header), std::string(bytes.substr(lengths->header, lengths->payload)));
      EXPECT_TRUE(frame);
      bytes.remove_prefix(lengths->header + lengths->payload);
      if (!frame->header.has_packed()) {
        if (frame->header.has_open_account()) decompressor_.reset();
        frames.push_back(std::move(*frame));
        continue;
      }
      ++packed;
      fresh += frame->header.packed().fresh() ? 1 : 0;
      if (frame->header.packed().fresh()) decompressor_.reset();
      std::string plain(frame->header.packed().plain_size(), '\0');
      EXPECT_TRUE(decompressor_.decompress(frame->payload, plain));
      for (auto& inner : of(plain))
        frames.push_back(std::move(inner));
    }
    return frames;
  }

  int packed = 0, fresh = 0;

 private:
  codec::Decompressor decompressor_;
};

}  // namespace maildirsync::agent::testing
