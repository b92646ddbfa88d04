#include "daemon/session/state_room.h"

#include <asio/post.hpp>
#include <unistd.h>

#include "common/os/explained.h"
#include "common/os/replace_file.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto k_between = 10s;
constexpr std::size_t k_bytes = 4096;

std::optional<Error> try_to_write(const std::string& state_dir) {
  const std::string probe = state_dir + "/probe";
  auto written = os::replace_file(probe, std::string(k_bytes, '\n'));
  ::unlink(probe.c_str());
  if (written) return std::nullopt;
  const Error why = os::explained(std::move(written.error()), os::Side::destination);
  return Error{ErrorCode::state, state_dir,
               "maildirsyncd cannot write to its state directory (state_dir): " + why.message() +
                   "; no decision and no new account can be kept, and nothing of such an account is taken. Make space "
                   "there, and it goes on by itself",
               0};
}

}  // namespace

void StateRoom::look() {
  const auto now = std::chrono::steady_clock::now();
  if (looks_ || (looked_ && now - *looked_ < k_between)) return;
  looks_ = true;
  looked_ = now;
  threads_.post([this] {
    auto trouble = try_to_write(state_dir_);
    asio::post(loop_, [this, trouble = std::move(trouble)]() mutable {
      looks_ = false;
      if (trouble && !trouble_) {
        service::log_event({service::Severity::error,
                            "problem",
                            {{"code", "state"}, {"path", state_dir_}, {"detail", trouble->detail}}});
      }
      if (!trouble && trouble_) service::log_info("state-is-back path={}", state_dir_);
      trouble_ = std::move(trouble);
    });
  });
}

}  // namespace maildirsync::daemon
