#pragma once

#include <chrono>
#include <optional>

#include <asio/io_context.hpp>

#include "common/config/config.h"
#include "common/os/threads.h"

namespace maildirsync::daemon {

/// Whether roots land in each other's directories (config::check_landing), which only the file systems can say; they
/// may hang. Event loop only.
class Landing {
 public:
  /// For the answers of file systems to a reload.
  static constexpr std::chrono::seconds k_most{2};

  Landing(asio::io_context& loop, os::Threads& threads) : loop_(loop), threads_(threads) {}

  /// Has it looked at on a thread, unless that is under way.
  void look(const config::Receiver& config);
  /// As of the last look; nothing while all is well.
  const std::optional<Error>& trouble() const { return trouble_; }
  /// Waits a moment, not longer: a configuration is not refused for a disk that hangs.
  Result<> check(const config::Receiver& config);

 private:
  asio::io_context& loop_;
  os::Threads& threads_;
  std::optional<Error> trouble_;
  bool looks_ = false;
};

}  // namespace maildirsync::daemon
