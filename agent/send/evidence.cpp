#include <spdlog/spdlog.h>

#include "agent/send/engine.h"
#include "common/os/printable.h"

// Lines of the log that are a migration's records: for each account when it was started, when its first copy was done
// (both in engine.cpp), when it was verified and when its users moved, and the steps of a cutover as the command line
// does them.

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_longest = 1000;

std::string in_quotes(const std::string& text) {
  std::string shown = os::printable(text.substr(0, k_longest));
  for (char& c : shown) {
    if (c == '"') c = '\'';
  }
  return shown;
}

}  // namespace

/// What was at the destination when the root's users moved there.
void Engine::note_cut_over(const std::string& root) const {
  for (const auto& [id, account] : accounts_) {
    if (roots_[account.root].config.name != root || roots_[account.root].removed) continue;
    spdlog::info("account-cut-over root={} account={} folders={} messages={} bytes={} problems={}", root, account.name,
                 account.folders, account.messages, account.bytes, account.problems.size());
  }
}

void Engine::note_verified(const std::string& root, const std::string& account, bool deep, const Verdict& verdict) {
  spdlog::info(
      "account-verified root={} account={} deep={} equal={} differences={} left_out={} folders={} messages={} bytes={}",
      root, account, deep, verdict.differences.empty() && verdict.left_out.empty(), verdict.differences.size(),
      verdict.left_out.size(), verdict.folders, verdict.messages, verdict.bytes);
}

void Engine::note_step(const nlohmann::json& request, control::Reply& reply) {
  spdlog::info("cutover step={} state=\"{}\" seconds={:.3f} detail=\"{}\"", in_quotes(request.value("step", "")),
               in_quotes(request.value("state", "")), request.value("seconds", 0.0),
               in_quotes(request.value("detail", "")));
  reply.finish({{"ok", true}});
}

}  // namespace maildirsync::agent
