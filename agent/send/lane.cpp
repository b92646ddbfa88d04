#include "agent/send/lane.h"

#include <atomic>

#include <asio/post.hpp>

#include "agent/send/questions.h"

namespace maildirsync::agent {

std::uint64_t next_turn() {
  static std::atomic<std::uint64_t> turn = 0;
  return ++turn;
}

Lane::Lane(asio::io_context& loop, State& state, Watcher& watcher, Totals& totals, std::shared_ptr<Link> link,
           std::function<void(std::shared_ptr<Job>)> done)
    : loop_(loop),
      link_(std::move(link)),
      sender_(link_->outbox(), state, totals),
      runner_(state, watcher, sender_, *this, totals),
      done_(std::move(done)),
      thread_([this] { work(); }) {}

Lane::~Lane() {
  stop();
}

void Lane::stop() {
  turns_.close();
  if (thread_.joinable()) thread_.join();
}

void Lane::give(std::shared_ptr<Job> job, const config::Transfer& transfer, std::shared_ptr<Link> questions) {
  job_ = job;
  const auto questions_epoch = questions->outbox().epoch();
  turns_.push({std::move(job), link_->outbox().epoch(), transfer, std::move(questions), questions_epoch});
}

void Lane::work() {
  while (auto turn = turns_.pop()) {
    sender_.begin(turn->epoch, turn->transfer);
    questions_ = turn->questions;
    questions_epoch_ = turn->questions_epoch;
    runner_.run(turn->job);
    asio::post(loop_, [this, job = std::move(turn->job)]() mutable {
      job_.reset();
      done_(std::move(job));
    });
  }
}

Result<AccountListing> Lane::list(const JobOrder& order) {
  wire::List question;
  question.set_root(order.root_name);
  question.set_account(order.account_path);
  question.set_remove_indexes(order.work.reindex);
  question.set_turn(next_turn());
  return ask_for_listing(*questions_, questions_epoch_, question);
}

Result<std::vector<sync::MappedOwner>> Lane::map_owners(const JobOrder& order,
                                                        const std::vector<sync::Attributes>& owners) {
  return ask_for_owners(*questions_, questions_epoch_, order.root_name, owners);
}

}  // namespace maildirsync::agent
