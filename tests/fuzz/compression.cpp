// Blocks of a compressed stream that is none, in a decompressor that goes on behind it.

#include "common/codec/compression.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace maildirsync;
  constexpr std::size_t k_step = 1 << 10;
  if (size == 0) return 0;
  const std::string_view block(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = std::min<std::size_t>(data[0], block.size());
  static codec::Decompressor decompressor;
  decompressor.reset();
  for (const auto part : {block.substr(0, cut), block.substr(cut)}) {
    // Of a stream that is none, nobody knows the size: one that the block itself says serves as well as any.
    std::vector<char> out(part.empty() ? 0 : static_cast<unsigned char>(part.front()) * k_step);
    if (!decompressor.decompress(part, out)) break;
  }
  // After a reset it is as new.
  static codec::Compressor compressor(1);
  compressor.reset();
  decompressor.reset();
  std::string packed, plain(block.size(), '\0');
  compressor.compress(block, packed);
  if (!decompressor.decompress(packed, plain) || plain != block) std::abort();
  return 0;
}
