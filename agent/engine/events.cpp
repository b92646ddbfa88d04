#include <fmt/format.h>

#include "agent/engine/engine.h"
#include "common/service/event.h"

// Lines of the log that are a migration's records: for each account when it was started, when its first copy was done
// (accounts.cpp, answers.cpp), when it was verified and when its users moved, and the steps of a cutover as the command
// line does them. And problems, for the same readers.

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_longest = 1000;

std::string shortened(const std::string& text) {
  return text.substr(0, k_longest);
}

}  // namespace

void log_problem(std::string_view code, const std::string& root, const std::string& account, const std::string& path,
                 const std::string& detail) {
  service::log_event({service::Severity::warning,
                      "problem",
                      {{"code", std::string(code)},
                       {"root", root},
                       {"account", account},
                       {"folder", account.empty() ? "" : location_of(path).folder},
                       {"path", path},
                       {"detail", detail}}});
}

/// What was at the destination when the root's users moved there.
void Engine::note_cut_over(const std::string& root) const {
  for (const auto& [id, account] : accounts_) {
    if (roots_[account.root].config.name != root || roots_[account.root].removed) continue;
    service::log_event({service::Severity::info,
                        "account-cut-over",
                        {{"root", root},
                         {"account", account.name},
                         {"folders", std::to_string(account.folders)},
                         {"messages", std::to_string(account.messages)},
                         {"bytes", std::to_string(account.bytes)},
                         {"problems", std::to_string(account.problems.size())}}});
  }
}

void Engine::note_verified(const std::string& root, const std::string& account, bool deep, const Verdict& verdict) {
  const bool equal = verdict.differences.empty() && verdict.left_out.empty();
  service::log_event({service::Severity::info,
                      "account-verified",
                      {{"root", root},
                       {"account", account},
                       {"deep", deep ? "true" : "false"},
                       {"equal", equal ? "true" : "false"},
                       {"differences", std::to_string(verdict.differences.size())},
                       {"left_out", std::to_string(verdict.left_out.size())},
                       {"folders", std::to_string(verdict.folders)},
                       {"messages", std::to_string(verdict.messages)},
                       {"bytes", std::to_string(verdict.bytes)}}});
}

void Engine::note_step(const nlohmann::json& request, control::Reply& reply) {
  service::log_event({service::Severity::info,
                      "cutover",
                      {{"step", shortened(request.value("step", ""))},
                       {"state", shortened(request.value("state", ""))},
                       {"seconds", fmt::format("{:.3f}", request.value("seconds", 0.0))},
                       {"detail", shortened(request.value("detail", ""))}}});
  reply.finish({{"ok", true}});
}

}  // namespace maildirsync::agent
