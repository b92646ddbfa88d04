#include "agent/destination/unclean_ends.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "agent/accounts/doubt.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using namespace std::chrono_literals;

namespace {

/// A write and its sync, for each root at which something happens.
constexpr auto k_note_every = 60s;

std::string key_of(const std::string& root) {
  return "acknowledged:" + root;
}

}  // namespace

void UncleanEnds::recall(State& state) {
  if (auto end = state.value("receiver_unclean_end"); end && *end)
    number_ = std::strtoull((*end)->c_str(), nullptr, 10);
}

void UncleanEnds::recall_root(State& state, const std::string& root) {
  const Time now = Clock::now();
  Time& before = roots_[root].before;
  before = now;  // an earlier version remembered nothing: any account may be in doubt
  const auto kept = state.value(key_of(root));
  if (!kept || !*kept) return;
  const std::chrono::seconds at(std::strtoll((*kept)->c_str(), nullptr, 10));
  const auto ago = std::chrono::system_clock::now().time_since_epoch() - at - k_note_every;
  before = now - std::clamp<Clock::duration>(ago, 0s, now.time_since_epoch() - 1s);
}

void UncleanEnds::note_acknowledged(const std::string& root) {
  last_acknowledged_ = Clock::now();
  RootHeard& heard = roots_[root];
  if (heard.noted && last_acknowledged_ - *heard.noted < k_note_every) return;
  heard.noted = last_acknowledged_;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  keeper_.set_value(key_of(root), std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count()));
}

void UncleanEnds::forget() {
  number_ = 0;
  remember();
}

void UncleanEnds::look_again(const wire::UncleanEnd& end) {
  if (end.number() == number_) return;
  number_ = end.number();
  std::size_t count = 0;
  Time last = last_acknowledged_;
  for (const auto& [name, heard] : roots_)
    last = std::max(last, heard.before);
  for (auto& [id, account] : roster_.accounts) {
    if (!is_in_doubt(last, account.acknowledged, roots_[roster_.root_of(account).config.name].before)) continue;
    ++count;
    account.doubted = true;
    account.work.compare = account.work.structure = true;
    account.work.doubted_since = end.since();
    schedule_.add(account);
  }
  service::log_warning(
      "receiver-unclean-end number={} accounts={} action=\"what it had acknowledged shortly before is looked at "
      "again\"",
      end.number(), count);
  looks_again_ = true;
  check();
}

void UncleanEnds::check() {
  if (!looks_again_) return;
  if (std::any_of(roster_.accounts.begin(), roster_.accounts.end(),
                  [](const auto& known) { return known.second.doubted; }))
    return;
  looks_again_ = false;
  service::log_info("receiver-looked-at unclean_end={}", number_);
  remember();
}

void UncleanEnds::remember() {
  keeper_.set_value("receiver_unclean_end", std::to_string(number_));
}

}  // namespace maildirsync::agent
