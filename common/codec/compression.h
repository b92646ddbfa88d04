#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/os/result.h"

namespace maildirsync::codec {

/// One zstd stream. Each compress() call yields one flushed block that the peer can decompress at once; the window
/// reaches back over the earlier ones until reset(). Not thread-safe.
class Compressor {
 public:
  explicit Compressor(int level);
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  /// Forgets everything before: the next block opens a new zstd frame. At each account, so that no account's bytes
  /// shape another's sizes.
  void reset();
  /// Takes effect at the next reset().
  void set_level(int level);
  int level() const;
  /// Appends the compressed form of `bytes` to `out`.
  void compress(std::string_view bytes, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The other end. The window is bounded (8 MiB), so that a peer cannot make it use more memory. Not thread-safe.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  void reset();
  /// Fills `out` with what one compress() call took in. too_big when there is more of it, protocol when there is less,
  /// or for garbage; then reset() must be called.
  Result<> decompress(std::string_view block, std::span<char> out);
  /// Bytes that it holds: as much as the largest window that it met.
  std::size_t memory() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One zstd frame that stands for itself.
std::string compress_whole(std::string_view bytes);
/// The other way; too_big beyond `limit` bytes, protocol for garbage.
Result<std::string> decompress_whole(std::string_view frame, std::size_t limit);

/// Chooses the next level in "auto": one or two up while we wait for the wire, one down while we wait for a core.
/// `wire_share` is the share of the last time (0..1) in which the sender waited for the wire. Pure.
int pick_level(int current, double wire_share);
inline constexpr int k_auto_start_level = 2;

}  // namespace maildirsync::codec
