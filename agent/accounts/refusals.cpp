#include "agent/accounts/refusals.h"

#include "common/maildir/name.h"

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

bool is_name_beside(std::string_view name, std::string_view beside) {
  constexpr std::size_t k_mark = 2 + 8;  // ".c" and hex digits of the message's digest
  const std::string_view base = maildir::base_of(name);
  const std::string_view stem = base.substr(0, base.find(','));
  if (!beside.starts_with(stem)) return false;
  std::string_view rest = beside.substr(stem.size());
  std::size_t marks = 0;  // more than one where the name beside was taken in its turn
  for (; rest.starts_with(".c") && rest.size() >= k_mark; ++marks) {
    if (rest.substr(2, k_mark - 2).find_first_not_of("0123456789abcdef") != std::string_view::npos) break;
    rest.remove_prefix(k_mark);
  }
  return marks > 0 && rest == name.substr(stem.size());
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
