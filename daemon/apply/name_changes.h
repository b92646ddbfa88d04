#pragma once

#include "common/os/result.h"
#include "daemon/apply/ours.h"
#include "daemon/apply/stage.h"

namespace maildirsync::daemon {

inline bool is_link(const sync::Operation& operation) {
  return operation.result.kind == sync::EntryKind::symlink;
}

/// The system calls by which an operation's file gets names and loses them. Each that may have done something notes
/// that in StagedOperation::touched, whatever comes after it. Both outlive it.
class NameChanges {
 public:
  NameChanges(StagedOperation& staged, const Claim& claim)
      : staged_(staged), operation_(staged.operation), claim_(claim) {}

  /// Gives the new file or link its name, if that is free: `exists` when not.
  Result<> create(const Tree::Place& to);
  /// The same, in the place of what has the name.
  Result<> replace(const Tree::Place& to);
  /// In the place of what has the name `to`; `from` is one of ours, and goes in any case.
  Result<> move_over(const Tree::Place& from, const Tree::Place& to);
  /// Both: `exists` when the name `to` is not free.
  Result<> link(const Tree::Place& from, const Tree::Place& to);
  Result<> rename(const Tree::Place& from, const Tree::Place& to);
  /// It may be gone already.
  Result<> remove(const Tree::Place& at);

  /// Gives a symbolic link its owner; it has no mode of its own.
  Result<> own_link(const Tree::Place& at) const;
  /// Whether the link may be here, by where it leads.
  Result<> judge_link() const;

  /// Of a system call that gives or takes a name: done, and no error that comes after it means that nothing was. So
  /// does one of its own, but for those that it gives before it does anything.
  Result<> touch(Result<> result);

 private:
  StagedOperation& staged_;
  const sync::Operation& operation_;
  const Claim& claim_;
};

}  // namespace maildirsync::daemon
