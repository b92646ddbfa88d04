#include "agent/requests/commands.h"
#include "agent/requests/requests.h"

namespace maildirsync::agent {

void set_paused(Requests& requests, const nlohmann::json& request, Reply reply) {
  const bool paused = request.value("command", "") == "pause";
  requests.parts().agreements.pause().set(paused, [paused, reply](const Result<>& kept) {
    if (!kept) return reply->finish(control::error("state", kept.error().message()));
    reply->finish({{"ok", true},
                   {"message", paused ? "paused: changes are kept track of, nothing is sent until maildirsync resume"
                                      : "resumed"}});
  });
}

}  // namespace maildirsync::agent
