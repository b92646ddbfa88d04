#include "daemon/session/problems.h"

#include "common/service/event.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_most = 10'000;
constexpr std::size_t k_most_bytes = 4 * 1024 * 1024;  // of text for one peer, whose names may be long on purpose
constexpr std::size_t k_detail = 1000;                 // bytes of a sentence
constexpr auto k_passes_after = std::chrono::seconds(90);

std::size_t bytes_of(const Problems::Where& where, const std::string& detail) {
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

void Problems::note(const Peer& peer, const std::vector<Committed>& done) {
  for (const auto& one : done) {
    const bool conflict = !one.error && !one.outcome.renamed.empty();
    if (!one.error && !conflict && problems_.empty()) continue;
    const Where where{peer.name, one.account->root_name, one.account->path, one.path};
    if (!conflict && (!one.error || passes_by_itself(one.error->code))) {
      const auto known = one.error ? problems_.end() : problems_.find(where);
      if (known != problems_.end()) forget(known);
      continue;
    }
    const auto code = conflict ? ErrorCode::conflict : one.error->code;
    add(where, code, (conflict ? one.outcome.detail : one.error->message()).substr(0, k_detail));
  }
}

void Problems::note_listing(const std::string& account_key, const std::optional<Error>& error) {
  const auto first = account_key.find('\0'), second = account_key.find('\0', first + 1);
  if (second == std::string::npos) return;
  const Where where{account_key.substr(0, first), account_key.substr(first + 1, second - first - 1),
                    account_key.substr(second + 1), ""};
  const auto known = problems_.find(where);
  if (error && !passes_by_itself(error->code)) return add(where, error->code, error->message().substr(0, k_detail));
  if (known != problems_.end()) forget(known);
}

void Problems::add(const Where& where, ErrorCode code, const std::string& detail) {
  const auto& [peer, root, account, path] = where;
  const auto now = std::chrono::steady_clock::now();
  if (const auto known = problems_.find(where); known != problems_.end()) {
    bytes_[peer] += detail.size() - known->second.detail.size();
    known->second = {code, detail, now};
    return;
  }
  if (problems_.size() >= k_most || bytes_[peer] + bytes_of(where, detail) > k_most_bytes) return;
  bytes_[peer] += bytes_of(where, detail);
  problems_.emplace(where, Problem{code, detail, now});
  service::log_event({service::Severity::warning,
                      "problem",
                      {{"code", std::string(to_string(code))},
                       {"peer", peer},
                       {"root", root},
                       {"account", account},
                       {"path", path},
                       {"detail", detail}}});
}

const std::map<Problems::Where, Problems::Problem>& Problems::recent() {
  const auto now = std::chrono::steady_clock::now();
  for (auto problem = problems_.begin(); problem != problems_.end();) {
    const auto next = std::next(problem);
    if (now - problem->second.at > k_passes_after) forget(problem);
    problem = next;
  }
  return problems_;
}

void Problems::forget(std::map<Where, Problem>::iterator problem) {
  const auto& [where, what] = *problem;
  bytes_[std::get<0>(where)] -= bytes_of(where, what.detail);
  problems_.erase(problem);
}

}  // namespace maildirsync::daemon
