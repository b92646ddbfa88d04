#include <fmt/format.h>

#include "agent/requests/commands.h"
#include "common/service/event.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_longest = 1000;

std::string shortened(const std::string& text) {
  return text.substr(0, k_longest);
}

}  // namespace

void note_step(Requests& /*requests*/, const nlohmann::json& request, Reply reply) {
  service::log_event({service::Severity::info,
                      "cutover",
                      {{"step", shortened(request.value("step", ""))},
                       {"state", shortened(request.value("state", ""))},
                       {"seconds", fmt::format("{:.3f}", request.value("seconds", 0.0))},
                       {"detail", shortened(request.value("detail", ""))}}});
  reply->finish({{"ok", true}});
}

}  // namespace maildirsync::agent
