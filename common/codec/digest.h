#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/os/result.h"
#include "common/sync/manifest.h"

namespace maildirsync::codec {

/// XXH3-128 of all bytes.
sync::Digest digest(std::string_view bytes);

/// XXH3-128 of a file from its start to its end; the descriptor's offset is not moved. `path` is for the error.
/// `stop`, if any, ends it early: cancelled.
Result<sync::Digest> digest_of(int fd, const std::string& path, const std::atomic<bool>* stop = nullptr);

/// The same, piece by piece.
class Digester {
 public:
  Digester();
  ~Digester();
  Digester(Digester&&) noexcept;
  Digester& operator=(Digester&&) noexcept;
  void update(std::string_view bytes);
  sync::Digest finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 32 lower-case hex digits.
std::string to_hex(const sync::Digest& digest);

}  // namespace maildirsync::codec
