#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "common/decisions/settle.h"
#include "common/os/result.h"
#include "common/sync/operation.h"

namespace maildirsync::daemon {

/// What is decided of one agent's root, asked before each operation that it sends there. Thread-safe.
class Fence {
 public:
  /// Held by whoever does an operation, from the question to its end: once set() has returned, nothing that the new
  /// decision forbids is under way any more.
  std::unique_lock<std::mutex> enter() const { return std::unique_lock(mutex_); }
  /// Why the operation must not be done, with enter()'s lock held; nothing when it may.
  std::optional<Error> refusal(const decisions::Token& token, const sync::Operation& operation) const;
  /// Whether new mail is all that is taken, with enter()'s lock held.
  bool drains() const;

  /// Whether anything was said of the root to this receiver yet, if only that nothing was decided.
  bool is_set() const;

  /// Why an index must not be removed; takes the lock itself.
  std::optional<Error> refusal_of_change(const decisions::Token& token) const;

  void set(decisions::Chain chain, std::optional<Error> held);

 private:
  std::optional<Error> refusal(const decisions::Token& token, bool only_adds) const;

  mutable std::mutex mutex_;
  decisions::Chain chain_;
  std::optional<Error> held_;
  bool is_set_ = false;
};

}  // namespace maildirsync::daemon
