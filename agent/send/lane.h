#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "agent/send/job.h"
#include "agent/send/link.h"
#include "agent/send/runner.h"
#include "common/os/blocking_queue.h"

namespace maildirsync::agent {

/// A thread that does accounts' turns one after the other, and the connection that is its own.
class Lane : public Receiver {
 public:
  /// `done` is called on the event loop when the lane has sent all of a job (acks may be outstanding).
  Lane(asio::io_context& loop, State& state, Watcher& watcher, Totals& totals, std::shared_ptr<Link> link,
       std::function<void(std::shared_ptr<Job>)> done);
  ~Lane() override;

  /// Event loop: at most one job at a time. `questions` is a link that is up: what the job asks the receiver goes over
  /// that one, so that no answer waits behind megabytes of mail.
  void give(std::shared_ptr<Job> job, const config::Transfer& transfer, std::shared_ptr<Link> questions);
  Link& link() { return *link_; }
  /// Event loop: what the lane is doing, if anything.
  const std::shared_ptr<Job>& job() const { return job_; }
  /// Ends the thread once the present job is done; the link must be stopped first.
  void stop();

  Result<AccountListing> list(const JobOrder& order) override;
  Result<std::vector<sync::MappedOwner>> map_owners(const JobOrder& order,
                                                    const std::vector<sync::Attributes>& owners) override;

 private:
  struct Turn {
    std::shared_ptr<Job> job;
    std::uint64_t epoch = 0;
    config::Transfer transfer;
    std::shared_ptr<Link> questions;
    std::uint64_t questions_epoch = 0;
  };
  void work();

  asio::io_context& loop_;
  std::shared_ptr<Link> link_;
  Sender sender_;
  Runner runner_;
  std::shared_ptr<Link> questions_;  ///< of the present job
  std::uint64_t questions_epoch_ = 0;
  std::function<void(std::shared_ptr<Job>)> done_;
  std::shared_ptr<Job> job_;
  os::BlockingQueue<Turn> turns_;
  std::thread thread_;
};

}  // namespace maildirsync::agent
