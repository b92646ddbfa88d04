#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/link/outbox.h"
#include "common/codec/compression.h"
#include "common/config/config.h"

namespace maildirsync::agent {

/// Packs the frames of one account after the other and puts them into the outbox: one Packed, one wake-up and one
/// record of TLS for many small messages, and names shrink with the bodies. Owned by the lane's thread.
class Packer {
 public:
  explicit Packer(Outbox& outbox) : outbox_(outbox) {}

  /// A connection, by its epoch, and how to compress on it.
  void begin(std::uint64_t epoch, const config::Transfer& transfer);
  /// Begins an account with the frame that opens it. What was left of the one before is dropped: its connection broke.
  /// This and all that follow are false when the connection is gone.
  bool open(const wire::Header& header);
  /// A frame, and the operation that ends in it, if one does.
  bool push(const wire::Header& header, std::string_view payload, std::optional<Sent> sent);
  /// Sends what was pushed. At the account's end.
  bool flush();

 private:
  void squeeze();
  void adapt_level();

  Outbox& outbox_;
  std::uint64_t epoch_ = 0;
  config::Transfer transfer_;
  std::unique_ptr<codec::Compressor> compressor_;  ///< null: off

  // The Packed that is being made:
  std::string plain_;           ///< frames that are not compressed yet
  std::string packed_;          ///< compressed ones
  std::size_t plain_size_ = 0;  ///< of those
  bool fresh_ = false;          ///< the stream begins anew with it
  std::vector<Sent> sent_;

  // Since the level was last reconsidered:
  std::size_t bytes_ = 0;
  std::chrono::nanoseconds busy_{}, waited_before_{};
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace maildirsync::agent
