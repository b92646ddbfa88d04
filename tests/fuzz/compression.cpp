// Blocks of a compressed stream that is none, in a decompressor that goes on behind it.

#include "common/codec/compression.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace maildirsync;
  constexpr std::size_t k_limit = 1 << 20;
  if (size == 0) return 0;
  const std::string_view block(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = std::min<std::size_t>(data[0], block.size());
  static codec::Decompressor decompressor;
  decompressor.reset();
  for (const auto part : {block.substr(0, cut), block.substr(cut)}) {
    std::string out;
    if (!decompressor.decompress(part, k_limit, out)) break;
    if (out.size() > k_limit) std::abort();
  }
  // After a reset it is as new.
  static codec::Compressor compressor(1);
  compressor.reset();
  decompressor.reset();
  std::string packed, plain;
  compressor.compress(block, packed);
  if (!decompressor.decompress(packed, block.size(), plain) || plain != block) std::abort();
  return 0;
}
