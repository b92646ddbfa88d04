#include "agent/turn/lane.h"

#include <asio/post.hpp>

#include "agent/link/inquiry.h"

namespace maildirsync::agent {

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
    pulse_.begin();
    taker_.run(given->turn);
    pulse_.end();
    asio::post(loop_, [this, turn = std::move(given->turn)]() mutable {
      turn_.reset();
      hangs_ = false;
      done_(std::move(turn));
    });
  }
}

bool Lane::look_whether_it_hangs(std::chrono::steady_clock::time_point now, std::chrono::steady_clock::duration limit) {
  const bool rests = !turn_ || asks_ || link_->outbox().holds_up();
  hangs_ = pulse_.still_for(now, rests) >= limit;
  return hangs_;
}

Result<AccountListing> Lane::list(const wire::List& question) {
  asks_ = true;
  auto answer = ask_for_listing(*questions_, questions_epoch_, question);
  asks_ = false;
  return answer;
}

Result<std::vector<sync::MappedOwner>> Lane::map_owners(const std::string& root,
                                                        const std::vector<sync::Attributes>& owners) {
  asks_ = true;
  auto answer = ask_for_owners(*questions_, questions_epoch_, root, owners);
  asks_ = false;
  return answer;
}

Result<std::set<std::string>> Lane::had(const std::string& root, const std::string& account,
                                        const std::set<std::string>& bases) {
  asks_ = true;
  auto answer = ask_for_had(*questions_, questions_epoch_, root, account, bases);
  asks_ = false;
  return answer;
}

}  // namespace maildirsync::agent
