#include "daemon/session/troubles.h"

#include "common/service/event.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_most = 10'000;
constexpr auto k_passes_after = std::chrono::seconds(90);

/// The agent looks again by itself, and it works then.
bool passes_by_itself(ErrorCode code) {
  switch (code) {
    case ErrorCode::postponed:
    case ErrorCode::changed_while_read:
    case ErrorCode::unexpected:
    case ErrorCode::basis_mismatch:
    case ErrorCode::cancelled:
    case ErrorCode::vanished:
    case ErrorCode::destination_gone:  // the root's state says so, and not each operation
      return true;
    default:
      return false;
  }
}

}  // namespace

void Troubles::note(const Peer& peer, const std::vector<Committed>& done) {
  for (const auto& one : done) {
    const bool conflict = !one.error && !one.outcome.renamed.empty();
    if (!one.error && !conflict && troubles_.empty()) continue;
    const Where where{peer.name, one.account->root_name, one.account->path, one.path};
    if (!conflict && (!one.error || passes_by_itself(one.error->code))) {
      if (!one.error) troubles_.erase(where);
      continue;
    }
    const auto code = conflict ? ErrorCode::conflict : one.error->code;
    const std::string detail = conflict ? one.outcome.detail : one.error->message();
    const auto now = std::chrono::steady_clock::now();
    if (const auto known = troubles_.find(where); known != troubles_.end()) {
      known->second = {code, detail, now};
    } else if (troubles_.size() < k_most) {
      troubles_.emplace(where, Trouble{code, detail, now});
      service::log_event({service::Severity::warning,
                          "problem",
                          {{"code", std::string(to_string(code))},
                           {"peer", peer.name},
                           {"root", one.account->root_name},
                           {"account", one.account->path},
                           {"path", one.path},
                           {"detail", detail}}});
    }
  }
}

const std::map<Troubles::Where, Troubles::Trouble>& Troubles::recent() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(troubles_, [&](const auto& trouble) { return now - trouble.second.at > k_passes_after; });
  return troubles_;
}

}  // namespace maildirsync::daemon
