#include "daemon/session/troubles.h"

#include "common/service/event.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_most = 10'000;
constexpr std::size_t k_most_bytes = 4 * 1024 * 1024;  // of text for one peer, whose names may be long on purpose
constexpr std::size_t k_detail = 1000;                 // bytes of a sentence
constexpr auto k_passes_after = std::chrono::seconds(90);

std::size_t bytes_of(const Troubles::Where& where, const std::string& detail) {
  const auto& [peer, root, account, path] = where;
  return peer.size() + root.size() + account.size() + path.size() + detail.size();
}

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
      const auto known = one.error ? troubles_.end() : troubles_.find(where);
      if (known != troubles_.end()) forget(known);
      continue;
    }
    const auto code = conflict ? ErrorCode::conflict : one.error->code;
    const std::string detail = (conflict ? one.outcome.detail : one.error->message()).substr(0, k_detail);
    const auto now = std::chrono::steady_clock::now();
    if (const auto known = troubles_.find(where); known != troubles_.end()) {
      bytes_[peer.name] += detail.size() - known->second.detail.size();
      known->second = {code, detail, now};
    } else if (troubles_.size() < k_most && bytes_[peer.name] + bytes_of(where, detail) <= k_most_bytes) {
      bytes_[peer.name] += bytes_of(where, detail);
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
  for (auto trouble = troubles_.begin(); trouble != troubles_.end();) {
    const auto next = std::next(trouble);
    if (now - trouble->second.at > k_passes_after) forget(trouble);
    trouble = next;
  }
  return troubles_;
}

void Troubles::forget(std::map<Where, Trouble>::iterator trouble) {
  const auto& [where, what] = *trouble;
  bytes_[std::get<0>(where)] -= bytes_of(where, what.detail);
  troubles_.erase(trouble);
}

}  // namespace maildirsync::daemon
