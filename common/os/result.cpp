#include "common/os/result.h"

#include <cerrno>
#include <cstring>

namespace maildirsync {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::io:
      return "io-error";
    case ErrorCode::vanished:
      return "vanished";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::no_space:
      return "no-space";
    case ErrorCode::bad_name:
      return "bad-name";
    case ErrorCode::exists:
      return "exists";
    case ErrorCode::changed_while_read:
      return "changed-while-read";
    case ErrorCode::unmapped_owner:
      return "unmapped-owner";
    case ErrorCode::unexpected:
      return "unexpected";
    case ErrorCode::basis_mismatch:
      return "basis-mismatch";
    case ErrorCode::not_empty:
      return "not-empty";
    case ErrorCode::special_file:
      return "special-file";
    case ErrorCode::postponed:
      return "postponed";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::tls:
      return "tls";
    case ErrorCode::config:
      return "config";
    case ErrorCode::too_big:
      return "too-big";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::timed_out:
      return "timed-out";
    case ErrorCode::unreachable:
      return "unreachable";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::state:
      return "state";
    case ErrorCode::mass_deletion:
      return "mass-deletion";
    case ErrorCode::root_gone:
      return "root-gone";
    case ErrorCode::unwatched:
      return "unwatched";
    case ErrorCode::time_range:
      return "time-range";
    case ErrorCode::foreign_owner:
      return "foreign-owner";
    case ErrorCode::account_gone:
      return "account-gone";
    case ErrorCode::owned_by_another:
      return "owned-by-another";
    case ErrorCode::decisions_lost:
      return "decisions-lost";
    case ErrorCode::foreign_agent:
      return "foreign-agent";
    case ErrorCode::older_decision:
      return "older-decision";
    case ErrorCode::users_at_destination:
      return "users-at-destination";
    case ErrorCode::wrong_service:
      return "wrong-service";
    case ErrorCode::acl:
      return "acl-left-behind";
    case ErrorCode::mail_left_out:
      return "mail-left-out";
    case ErrorCode::destination_overlaps:
      return "destination-overlaps";
    case ErrorCode::in_the_way:
      return "in-the-way";
    case ErrorCode::read_only:
      return "read-only";
    case ErrorCode::immutable:
      return "immutable";
    case ErrorCode::destination_gone:
      return "destination-gone";
    case ErrorCode::mount_gone:
      return "mount-gone";
  }
  return "unknown";
}

namespace {

ErrorCode code_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ESTALE:
      return ErrorCode::vanished;
    case EACCES:
    case EPERM:
      return ErrorCode::permission;
    case EROFS:
      return ErrorCode::read_only;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::no_space;
    case ENAMETOOLONG:
    case EILSEQ:
      return ErrorCode::bad_name;
    case EXDEV:
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
      return ErrorCode::in_the_way;
    case EEXIST:
      return ErrorCode::exists;
    case ENOTEMPTY:
      return ErrorCode::not_empty;
    case ETIMEDOUT:
      return ErrorCode::timed_out;
    default:
      return ErrorCode::io;
  }
}

}  // namespace

Error os_error(std::string path, std::string detail, int error_number) {
  return Error{code_of_errno(error_number), std::move(path), std::move(detail), error_number};
}

std::string Error::message() const {
  std::string text = detail;
  if (!path.empty()) text += (text.empty() ? "" : ": ") + path;
  if (error_number != 0) text += std::string(": ") + std::strerror(error_number);
  return text;
}

}  // namespace maildirsync
