// `door`: the configured maps, and what stands in them: which account is at which server, as far as this agent knows.
// Of ten thousand accounts the answer is long: whoever asks about some names them.

#include "agent/requests/chosen_accounts.h"
#include "agent/requests/commands.h"
#include "agent/requests/requests.h"
#include "common/os/printable.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

json to_json(const std::optional<config::Door>& door) {
  if (!door) return nullptr;
  return {{"directory", door->directory},
          {"old_host", door->old_host},
          {"new_host", door->new_host},
          {"changed", door->changed}};
}

}  // namespace

void door(Requests& requests, const json& request, Reply reply) {
  const ChosenAccounts chosen(request);
  const Parts& parts = requests.parts();
  json roots = json::array(), accounts = json::array();
  for (const auto& root : parts.roster.roots) {
    if (root.removed) continue;
    roots.push_back({{"name", root.config.name},
                     {"mode", config::name_of(root.mode)},
                     {"path", root.config.path},
                     {"include_file", root.config.include_file},
                     {"exclude_file", root.config.exclude_file}});
  }
  for (const auto& [id, account] : parts.roster.accounts) {
    if (!chosen.contains(account.name)) continue;
    const Root& root = parts.roster.root_of(account);
    if (root.removed || os::printable(account.name) != account.name) continue;  // no map can hold such a name
    accounts.push_back({{"name", account.name},
                        {"root", root.config.name},
                        {"complete", account.complete},
                        {"there", root.mode == config::Mode::drain}});
  }
  reply->finish({{"door", to_json(parts.config.door)}, {"roots", std::move(roots)}, {"accounts", std::move(accounts)}});
}

}  // namespace maildirsync::agent
