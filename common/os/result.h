#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace maildirsync {

/// What went wrong, as one stable word. The words (see to_string) are the codes of `problems` in `status --json`;
/// the numbers travel on the wire, so they are never reused.
enum class ErrorCode : std::uint16_t {
  io = 1,                  ///< any errno without a code of its own
  vanished = 2,            ///< ENOENT: gone since it was listed
  permission = 3,          ///< EACCES, EPERM; see os::explained
  no_space = 4,            ///< ENOSPC, EDQUOT
  bad_name = 5,            ///< a name that cannot be held there: too long, EILSEQ, or reserved
  exists = 6,              ///< EEXIST
  changed_while_read = 7,  ///< size or mtime moved while the file was being read
  unmapped_owner = 8,      ///< a uid or gid that the receiver's tables do not map
  unexpected = 9,          ///< found otherwise than the operation said
  basis_mismatch = 10,     ///< a delta whose basis the receiver does not have
  not_empty = 11,          ///< a folder to be removed that holds what is not ours
  special_file = 12,       ///< a socket, device, fifo, or a link that leaves the account
  postponed = 13,          ///< waits for something earlier in the same account that failed
  protocol = 14,           ///< the peer said something that the protocol does not allow
  tls = 15,                ///< handshake or pin refused
  config = 16,             ///< the configuration is wrong
  too_big = 17,            ///< over a bound
  cancelled = 18,          ///< the daemon is ending or the connection broke
  timed_out = 19,
  unreachable = 20,           ///< resolve or connect failed
  conflict = 21,              ///< somebody else's file has the name at the destination; it was kept
  state = 22,                 ///< the agent's state database failed
  mass_deletion = 23,         ///< the brake
  root_gone = 24,             ///< the root is missing, or empty where there were accounts
  unwatched = 25,             ///< a folder without a watch: looked at periodically
  foreign_owner = 34,         ///< a file of somebody else's, which its account's owner cannot read
  account_gone = 52,          ///< an account's directory is gone at the source: a person looks before it goes here too
  owned_by_another = 53,      ///< an account at the destination that another agent or root brought
  decisions_lost = 40,        ///< neither side knows what was decided of a root, or each says something else
  foreign_agent = 41,         ///< another agent has filled the root
  older_decision = 42,        ///< an operation goes by another decision than the receiver knows, or is not for a drain
  users_at_destination = 43,  ///< users evidently work on a mirrored account at the destination
  wrong_service = 57,         ///< another service than ours listens at the receiver's address
  acl = 58,                   ///< POSIX ACLs that do not come along
  mail_left_out = 59,         ///< mail that the mirror does not reach: behind a link, or outside of every account
  time_range = 48,            ///< a date that the destination's file system cannot hold
  destination_overlaps = 60,  ///< the source and its own destination are one directory, or one lies in the other
  in_the_way = 61,        ///< ELOOP, ENOTDIR, EISDIR, EXDEV: a link, a file or a mount lies where a directory must be
  read_only = 62,         ///< EROFS
  immutable = 63,         ///< EPERM, and the file or its directory has chattr +i or +a
  destination_gone = 44,  ///< the destination's directory is not the one that it was: nothing is written to it
  mount_gone = 45,        ///< a mount came or went below the root, and mail is not there any more
};

/// The stable word of a code, for instance "unmapped-owner".
std::string_view to_string(ErrorCode code);

/// What went wrong, where, and the errno if the operating system said it (else 0).
struct Error {
  ErrorCode code = ErrorCode::io;
  std::string path;
  std::string detail;
  int error_number = 0;

  /// One sentence: detail, path, and strerror when there is an errno.
  std::string message() const;
};

template <class T = void>
using Result = tl::expected<T, Error>;
using Failure = tl::unexpected<Error>;

/// An Error of `errno`, with the code that fits it.
Error os_error(std::string path, std::string detail, int error_number);

/// Shorthand for a failed Result.
inline Failure failure(ErrorCode code, std::string path, std::string detail) {
  return Failure(Error{code, std::move(path), std::move(detail), 0});
}
inline Failure os_failure(std::string path, std::string detail, int error_number) {
  return Failure(os_error(std::move(path), std::move(detail), error_number));
}

}  // namespace maildirsync

/// Returns the error of a Result, whose value is not of interest, from a function that returns a Result.
#define MAILDIRSYNC_TRY(...)                                                       \
  do {                                                                             \
    auto try_result = (__VA_ARGS__);                                               \
    if (!try_result) return ::maildirsync::Failure(std::move(try_result.error())); \
  } while (false)

/// Gives a variable the value of a Result, or returns its error from a function that returns a Result:
///   MAILDIRSYNC_ASSIGN(const auto fd, directory.open(name));
/// The variable may be one that exists already. It is two statements, so it cannot be the body of an `if` without
/// braces, and a coroutine cannot use it.
#define MAILDIRSYNC_ASSIGN(variable, ...) \
  MAILDIRSYNC_ASSIGN_FROM(MAILDIRSYNC_JOIN(assigned_in_line_, __LINE__), variable, (__VA_ARGS__))

#define MAILDIRSYNC_ASSIGN_FROM(result, variable, expression)            \
  auto result = expression;                                              \
  if (!result) return ::maildirsync::Failure(std::move(result.error())); \
  variable = std::move(*result)
#define MAILDIRSYNC_JOIN(left, right) MAILDIRSYNC_JOIN_EXPANDED(left, right)
#define MAILDIRSYNC_JOIN_EXPANDED(left, right) left##right
