#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "daemon/decisions/key_holder.h"

namespace maildirsync::daemon {

/// Which process of one agent's key is obeyed at this moment, for whoever does what one asked for. Thread-safe; never
/// waits for a file.
class Tenure {
 public:
  /// 0: none is known.
  std::uint64_t session() const { return session_; }
  bool is_of(std::uint64_t session) const { return session_ == session; }
  /// Also before any process has said which it is.
  bool obeys(std::uint64_t session) const {
    const std::uint64_t obeyed = session_;
    return obeyed == 0 || obeyed == session;
  }
  Lease lease() const {
    const std::lock_guard lock(mutex_);
    return lease_;
  }
  void set(std::uint64_t session, Lease lease) {
    const std::lock_guard lock(mutex_);
    lease_ = std::move(lease);
    session_ = session;
  }

 private:
  mutable std::mutex mutex_;
  std::atomic<std::uint64_t> session_{0};
  Lease lease_;
};

}  // namespace maildirsync::daemon
