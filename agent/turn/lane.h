#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "agent/link/link.h"
#include "agent/turn/take_turn.h"
#include "agent/turn/turn.h"
#include "common/os/blocking_queue.h"
#include "common/os/pulse.h"

namespace maildirsync::agent {

/// A thread that does accounts' turns one after the other, and the connection that is its own.
class Lane : public TurnInquiry {
 public:
  /// `done` is called on the event loop when the lane has sent all of a turn (acks may be outstanding).
  Lane(asio::io_context& loop, State& state, Watcher& watcher, Totals& totals, std::shared_ptr<Link> link,
       std::function<void(std::shared_ptr<Turn>)> done);
  ~Lane() override;

  /// Event loop: at most one turn at a time. `questions` is a link that is up: what the turn asks the receiver goes
  /// over that one, so that no answer waits until megabytes of mail are through.
  void give(std::shared_ptr<Turn> turn, const config::Transfer& transfer, std::shared_ptr<Link> questions);
  Link& link() { return *link_; }
  /// Event loop: what the lane is doing, if anything.
  const std::shared_ptr<Turn>& turn() const { return turn_; }
  /// Event loop, each second: whether the turn has been in a call to a file system for as long as `limit`. What it asks
  /// the receiver, and the wait for room on the connection, may take longer.
  bool look_whether_it_hangs(std::chrono::steady_clock::time_point now, std::chrono::steady_clock::duration limit);
  /// Event loop: as of that look.
  bool hangs() const { return hangs_; }
  /// Ends the thread once the present turn is done; the link must be stopped first.
  void stop();

  /// Lane: over the link that give() named.
  Result<AccountListing> list(const wire::List& question) override;
  Result<std::vector<sync::MappedOwner>> map_owners(const std::string& root,
                                                    const std::vector<sync::Attributes>& owners) override;
  Result<std::set<std::string>> had(const std::string& root, const std::string& account,
                                    const std::set<std::string>& bases) override;

 private:
  struct Given {
    std::shared_ptr<Turn> turn;
    std::uint64_t epoch = 0;
    config::Transfer transfer;
    std::shared_ptr<Link> questions;
    std::uint64_t questions_epoch = 0;
  };
  void work();

  asio::io_context& loop_;
  std::shared_ptr<Link> link_;
  Sender sender_;
  TurnTaker taker_;
  std::shared_ptr<Link> questions_;  ///< of the present turn
  std::uint64_t questions_epoch_ = 0;
  std::function<void(std::shared_ptr<Turn>)> done_;
  std::shared_ptr<Turn> turn_;
  bool hangs_ = false;
  os::Pulse pulse_;
  std::atomic<bool> asks_ = false;  ///< the turn waits for an answer of the receiver
  os::BlockingQueue<Given> given_;
  std::thread thread_;
};

}  // namespace maildirsync::agent
