#pragma once

#include <atomic>
#include <set>
#include <string>

#include <asio/io_context.hpp>

#include "common/os/threads.h"
#include "daemon/decisions/keeper.h"
#include "daemon/session/ownership.h"

namespace maildirsync::daemon {

/// Notes what the accounts of a root hold when it is drained, so that nothing of it is given again once its users have
/// removed it. Each stock is taken on a thread, and again after a minute where that failed; what stopped it begins
/// again when its agent greets next.
class StockTaker {
 public:
  StockTaker(asio::io_context& loop, os::Threads& threads, DecisionKeeper& decisions)
      : loop_(loop), threads_(threads), decisions_(decisions) {}

  /// Before the first stock; outlives this.
  void use(Ownership* ownership) { ownership_ = ownership; }
  /// Any thread. Of the root that lands in `place`, for that drain.
  void begin(const Ownership::Owner& owner, const std::string& place, const std::string& drain);
  /// What is under way ends early, and nothing begins any more.
  void stop() { stops_ = true; }

 private:
  void take(const Ownership::Owner& owner, const std::string& place, const std::string& drain);
  void take_again(const Ownership::Owner& owner, const std::string& place, const std::string& drain);

  asio::io_context& loop_;
  os::Threads& threads_;
  DecisionKeeper& decisions_;
  Ownership* ownership_ = nullptr;
  std::set<std::string> again_;  ///< event loop: those that wait for their next time
  std::atomic<bool> stops_ = false;
};

}  // namespace maildirsync::daemon
