#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <asio/io_context.hpp>

#include "common/os/result.h"
#include "common/os/threads.h"

namespace maildirsync::daemon {

/// Whether the state directory can be written: tried now and then, so that a full one is known before a decision or an
/// account's owner cannot be kept. Event loop only.
class StateRoom {
 public:
  StateRoom(asio::io_context& loop, os::Threads& threads, std::string state_dir)
      : loop_(loop), threads_(threads), state_dir_(std::move(state_dir)) {}

  /// Has it tried on a thread, unless that is under way or was lately.
  void look();
  /// As of the last try; nothing while all is well.
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  asio::io_context& loop_;
  os::Threads& threads_;
  const std::string state_dir_;
  std::optional<Error> trouble_;
  std::optional<std::chrono::steady_clock::time_point> looked_;
  bool looks_ = false;
};

}  // namespace maildirsync::daemon
