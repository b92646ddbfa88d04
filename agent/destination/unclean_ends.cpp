#include "agent/destination/unclean_ends.h"

#include <algorithm>
#include <cstdlib>

#include "agent/accounts/doubt.h"
#include "common/service/log.h"

namespace maildirsync::agent {

void UncleanEnds::recall(State& state) {
  if (auto end = state.value("receiver_unclean_end"); end && *end)
    number_ = std::strtoull((*end)->c_str(), nullptr, 10);
}

void UncleanEnds::forget() {
  number_ = 0;
  remember();
}

void UncleanEnds::look_again(const wire::UncleanEnd& end) {
  if (end.number() == number_) return;
  number_ = end.number();
  std::size_t count = 0;
  for (auto& [id, account] : roster_.accounts) {
    if (!is_in_doubt(roster_.started, last_acknowledged_, account.acknowledged)) continue;
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
