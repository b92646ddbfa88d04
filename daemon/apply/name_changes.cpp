#include "daemon/apply/name_changes.h"

#include <cerrno>
#include <cstdio>
#include <utility>

#include <unistd.h>

#include "common/os/explained.h"
#include "daemon/apply/links.h"

namespace maildirsync::daemon {

namespace {

Failure last_error(const Tree::Place& at, const char* what) {
  return os_failure(os::join(at.directory->path(), at.name), what, errno);
}

/// Of a name that was not given for what the file is under its other one: that is named, if it is the cause.
Failure last_error(const Tree::Place& from, const Tree::Place& to, const char* what) {
  const int error_number = errno;
  const std::string source = os::join(from.directory->path(), from.name);
  const bool is_flagged =
      error_number == EPERM &&
      os::explained(os_error(source, what, EPERM), os::Side::destination).code == ErrorCode::immutable;
  return os_failure(is_flagged ? source : os::join(to.directory->path(), to.name), what, error_number);
}

}  // namespace

Result<> NameChanges::create(const Tree::Place& to) {
  if (!is_link(operation_)) return touch(staged_.aside->link(*to.directory, to.name));
  MAILDIRSYNC_TRY(judge_link());
  if (::symlinkat(operation_.result.target.text().c_str(), to.directory->fd(), to.name.c_str()) != 0) {
    return touch(last_error(to, "cannot make the symbolic link"));
  }
  staged_.touched = true;
  return own_link(to);
}

Result<> NameChanges::replace(const Tree::Place& to) {
  if (!is_link(operation_)) return touch(staged_.aside->replace(*to.directory, to.name));
  const Tree::Place between{to.directory, aside_name()};
  if (auto created = create(between); !created) {
    if (staged_.touched) remove_aside(*between.directory, between.name);
    return created;
  }
  return move_over(between, to);
}

Result<> NameChanges::move_over(const Tree::Place& from, const Tree::Place& to) {
  if (::renameat(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str()) == 0) return touch({});
  const auto failed = touch(last_error(to, "cannot replace the file"));
  remove_aside(*from.directory, from.name);
  return failed;
}

Result<> NameChanges::link(const Tree::Place& from, const Tree::Place& to) {
  if (::linkat(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str(), 0) == 0) {
    return touch({});
  }
  return touch(last_error(from, to, "cannot link the message"));
}

Result<> NameChanges::rename(const Tree::Place& from, const Tree::Place& to) {
  if (::renameat2(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str(), RENAME_NOREPLACE) ==
      0) {
    return touch({});
  }
  if (errno != EINVAL) return touch(last_error(from, to, "cannot rename the message"));
  // The file system knows no RENAME_NOREPLACE (NFS): a link never replaces.
  MAILDIRSYNC_TRY(link(from, to));
  return remove(from);
}

Result<> NameChanges::remove(const Tree::Place& at) {
  if (::unlinkat(at.directory->fd(), at.name.c_str(), 0) == 0 || errno == ENOENT) return touch({});
  return touch(last_error(at, "cannot remove the file"));
}

Result<> NameChanges::own_link(const Tree::Place& at) const {
  return claim_.give_link(*at.directory, at.name, path_of(operation_.to));
}

Result<> NameChanges::judge_link() const {
  MAILDIRSYNC_ASSIGN(auto account, staged_.account->tree->directory(""));
  return daemon::judge_link(*account, path_of(operation_.to), operation_.result.target.text());
}

Result<> NameChanges::touch(Result<> result) {
  if (!result) {
    switch (result.error().code) {
      case ErrorCode::exists:
      case ErrorCode::bad_name:
      case ErrorCode::in_the_way:
      case ErrorCode::read_only:
      case ErrorCode::permission:
      case ErrorCode::vanished:
      case ErrorCode::special_file:
        return result;
      default:
        break;
    }
  }
  staged_.touched = true;
  return result;
}

}  // namespace maildirsync::daemon
