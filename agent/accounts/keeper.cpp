#include "agent/accounts/keeper.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>

#include "common/service/log.h"

namespace maildirsync::agent {

Keeper::Keeper(asio::io_context& loop, State& state, std::function<void(AccountId)> differs)
    : loop_(loop), state_(state), differs_(std::move(differs)) {}

void Keeper::write(std::function<Result<>(State&)> what) {
  asio::post(thread_, [this, what = std::move(what)] {
    if (const auto written = what(state_); !written) failed(written.error());
  });
}

void Keeper::set_value(std::string key, std::string value) {
  write([key = std::move(key), value = std::move(value)](State& state) { return state.set_value(key, value); });
}

void Keeper::post(std::function<void(State&)> what) {
  asio::post(thread_, [this, what = std::move(what)] { what(state_); });
}

/// What waits goes into the state together: a transaction costs as much as many operations. But not too many, because
/// lanes wait while it lasts.
void Keeper::keep(const std::shared_ptr<Turn>& turn, std::vector<sync::Operation> applied,
                  std::vector<State::FolderLook> looks) {
  constexpr std::size_t k_together = 1000;
  if (applied.empty() && looks.empty()) return;
  const std::lock_guard lock(mutex_);
  const bool is_on_its_way = !unkept_.empty();
  const auto last = std::find_if(unkept_.rbegin(), unkept_.rend(), [&](const auto& one) { return one.turn == turn; });
  if (last != unkept_.rend() && last->operations.size() < k_together) {
    std::move(applied.begin(), applied.end(), std::back_inserter(last->operations));
    std::move(looks.begin(), looks.end(), std::back_inserter(last->looks));
  } else {
    unkept_.push_back({turn, std::move(applied), std::move(looks)});
  }
  if (!is_on_its_way) asio::post(thread_, [this] { keep_all(); });
}

void Keeper::keep_all() {
  decltype(unkept_) taken;
  {
    const std::lock_guard taking(mutex_);
    std::swap(taken, unkept_);
  }
  for (const auto& one : taken) {
    const AccountId id = one.turn->order.account;
    const auto stored = state_.apply(id, one.operations, one.looks);
    if (!stored) {
      one.turn->unkept = true;
      failed(stored.error());
    } else if (!stored->empty()) {
      asio::post(loop_, [this, id] { differs_(id); });
    }
  }
}

void Keeper::failed(const Error& error) {
  service::log_error("state-failed detail=\"{}\"", error.message());
  asio::post(loop_, [this, error] { error_ = error; });
}

}  // namespace maildirsync::agent
