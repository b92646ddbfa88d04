#include "daemon/session/stock_taker.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto k_again = 60s;

}  // namespace

void StockTaker::begin(const Ownership::Owner& owner, const std::string& place, const std::string& drain) {
  threads_.post([this, owner, place, drain] { take(owner, place, drain); });
}

void StockTaker::take(const Ownership::Owner& owner, const std::string& place, const std::string& drain) {
  const auto given = decisions_.given(place);
  const auto root = os::Directory::open_root(place);
  if (!root || stops_ || given->took_stock(*root, drain)) return;
  std::vector<std::string> accounts;
  const std::string above = place_of(*root, "");
  for (const auto& account : ownership_->accounts_of(owner)) {
    if (account.starts_with(above + '/')) accounts.push_back(account.substr(above.size() + 1));
  }
  const auto taken = given->take_stock(*root, drain, accounts, stops_);
  if (!taken && !stops_) {
    service::log_warning("stock-not-taken root={} path={} detail=\"{}\" action=\"it is tried again in a minute\"",
                         owner.root, place, taken.error().message());
    asio::post(loop_, [this, owner, place, drain] { take_again(owner, place, drain); });
  } else if (taken && *taken) {
    service::log_info("stock-taken root={} path={} accounts={}", owner.root, place, accounts.size());
  }
}

/// In a minute, once, however often it failed.
void StockTaker::take_again(const Ownership::Owner& owner, const std::string& place, const std::string& drain) {
  const std::string key = place + ' ' + drain;
  if (stops_ || !again_.insert(key).second) return;
  auto timer = std::make_shared<asio::steady_timer>(loop_, k_again);
  timer->async_wait([this, timer, key, owner, place, drain](const asio::error_code& cancelled) {
    if (cancelled || stops_) return;
    again_.erase(key);
    begin(owner, place, drain);
  });
}

}  // namespace maildirsync::daemon
