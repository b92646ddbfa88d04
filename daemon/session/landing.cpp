#include "daemon/session/landing.h"

#include <future>
#include <memory>
#include <utility>

#include <asio/post.hpp>

#include "common/config/landing.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

void Landing::look(const config::Receiver& config) {
  if (std::exchange(looks_, true)) return;
  threads_.post([this, config] {
    auto landing = config::check_landing(config);
    asio::post(loop_, [this, landing = std::move(landing)] {
      looks_ = false;
      trouble_ = landing ? std::nullopt : std::optional(landing.error());
    });
  });
}

Result<> Landing::check(const config::Receiver& config) {
  const auto told = std::make_shared<std::promise<Result<>>>();
  auto landing = told->get_future();
  threads_.post([told, config] { told->set_value(config::check_landing(config)); });
  if (landing.wait_for(k_most) == std::future_status::ready) return landing.get();
  service::log_warning("landing-unchecked seconds={} reason=\"a directory of a root does not answer\"", k_most.count());
  return {};
}

}  // namespace maildirsync::daemon
