#include "agent/engine/refusals.h"

namespace maildirsync::agent {

bool tells_of_destination(ErrorCode code) {
  switch (code) {
    case ErrorCode::unexpected:
    case ErrorCode::basis_mismatch:
    case ErrorCode::conflict:
    case ErrorCode::not_empty:
    case ErrorCode::exists:
    case ErrorCode::cancelled:
    case ErrorCode::owned_by_another:
      return true;
    default:
      return false;
  }
}

AfterRefusal Refusals::note(ErrorCode code, const std::string& path) {
  const std::pair key(code, path);
  const auto earlier = before_.find(key);
  const unsigned times = now_[key] = (earlier == before_.end() ? 0 : earlier->second) + 1;
  switch (code) {
    case ErrorCode::postponed:
    case ErrorCode::changed_while_read:
      return AfterRefusal::again;
    case ErrorCode::unexpected:
    case ErrorCode::basis_mismatch:
    case ErrorCode::cancelled:
    case ErrorCode::owned_by_another:
      return times <= k_looks_before_problem ? AfterRefusal::look : AfterRefusal::stuck;
    case ErrorCode::no_space:
    case ErrorCode::root_gone:
    case ErrorCode::io:
      return AfterRefusal::later;
    default:
      return AfterRefusal::named;
  }
}

void Refusals::end_turn() {
  before_ = std::move(now_);
  now_.clear();
}

}  // namespace maildirsync::agent
