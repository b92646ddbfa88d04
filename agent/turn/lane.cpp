#include "agent/turn/lane.h"

#include <atomic>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"

namespace maildirsync::agent {

std::uint64_t next_turn_number() {
  static std::atomic<std::uint64_t> number = 0;
  return ++number;
}

Lane::Lane(asio::io_context& loop, State& state, Watcher& watcher, Totals& totals, std::shared_ptr<Link> link,
           std::function<void(std::shared_ptr<Turn>)> done)
    : loop_(loop),
      link_(std::move(link)),
      sender_(link_->outbox(), state, totals),
      taker_(state, watcher, sender_, *this, totals),
      done_(std::move(done)),
      thread_([this] { work(); }) {}

Lane::~Lane() {
  stop();
}

void Lane::stop() {
  given_.close();
  if (thread_.joinable()) thread_.join();
}

void Lane::give(std::shared_ptr<Turn> turn, const config::Transfer& transfer, std::shared_ptr<Link> questions) {
  turn_ = turn;
  const auto questions_epoch = questions->outbox().epoch();
  given_.push({std::move(turn), link_->outbox().epoch(), transfer, std::move(questions), questions_epoch});
}

void Lane::work() {
  while (auto given = given_.pop()) {
    sender_.begin(given->epoch, given->transfer);
    questions_ = given->questions;
    questions_epoch_ = given->questions_epoch;
    taker_.run(given->turn);
    asio::post(loop_, [this, turn = std::move(given->turn)]() mutable {
      turn_.reset();
      done_(std::move(turn));
    });
  }
}

Result<AccountListing> Lane::list(const TurnOrder& order) {
  wire::List question;
  question.set_root(order.root_name);
  question.set_account(order.account_path);
  question.set_remove_indexes(order.work.reindex);
  question.set_digests_since(order.work.doubted_since.value_or(0));
  question.set_turn(next_turn_number());
  question.set_decision(order.decision.number);
  question.set_decision_id(order.decision.id);
  return ask_for_listing(*questions_, questions_epoch_, question);
}

Result<std::vector<sync::MappedOwner>> Lane::map_owners(const TurnOrder& order,
                                                        const std::vector<sync::Attributes>& owners) {
  return ask_for_owners(*questions_, questions_epoch_, order.root_name, owners);
}

}  // namespace maildirsync::agent
