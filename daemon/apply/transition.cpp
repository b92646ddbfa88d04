#include "daemon/apply/transition.h"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec/digest.h"
#include "daemon/apply/content.h"
#include "daemon/apply/folders.h"
#include "daemon/apply/index_files.h"
#include "daemon/apply/kept_times.h"
#include "daemon/apply/name_changes.h"
#include "daemon/apply/ours.h"

namespace maildirsync::daemon {

namespace {

using sync::Entry;
using sync::EntryKind;
using sync::OperationKind;

Failure unexpected(const std::string& path, const char* what) {
  return failure(ErrorCode::unexpected, path, what);
}

/// What a mail file's date is nearly always, every file system keeps.
bool may_have_other_date(const sync::Operation& operation) {
  constexpr std::int64_t k_last = (std::int64_t{1} << 31) - 1;  // s: in the year 2038
  const bool gives_date = operation.kind == OperationKind::put || operation.kind == OperationKind::put_control ||
                          operation.kind == OperationKind::link || operation.kind == OperationKind::rename ||
                          operation.kind == OperationKind::set_attributes;
  const std::int64_t mtime = operation.result.mtime;
  return gives_date && !is_link(operation) && (mtime < 0 || mtime / 1'000'000'000 >= k_last);
}

/// The date that the file has, when it cannot have its own there.
std::optional<std::int64_t> other_date(const sync::Operation& operation, Tree& tree) {
  if (!may_have_other_date(operation)) return std::nullopt;
  const auto to = tree.place(path_of(operation.to));
  if (!to) return std::nullopt;
  const auto times = kept_times(*to->directory);
  const std::int64_t mtime = operation.result.mtime;
  return times.holds(mtime) ? std::nullopt : std::optional(times.kept(mtime));
}

Result<Outcome> done(const Result<>& result) {
  if (!result) return Failure(result.error());
  return Outcome{};
}

Result<bool> has_wanted_content(const sync::Operation& operation, const Tree::Place& at, const struct stat& status) {
  if (is_link(operation)) return has_target(*at.directory, at.name, status, operation.result.target.text());
  return has_content(*at.directory, at.name, status, operation.result.size, *operation.result.digest);
}

/// A file that the account's owner could not read at the source, since it is somebody else's, does not become theirs
/// because both have one owner here.
Result<> keep_from_owner(const StagedOperation& staged, const Tree::Place& to) {
  if (!staged.foreign) return {};
  MAILDIRSYNC_ASSIGN(const auto directory, to.directory->status(""));
  if (directory.st_uid != staged.operation.result.attributes.uid) return {};
  return failure(
      ErrorCode::foreign_owner, path_of(staged.operation.to),
      "the file belongs to somebody else at the source, and its account's owner cannot read it there, but "
      "could here; left out. Take it away or chown it at the source, or say owners = \"mixed\" for its root");
}

/// What a mail server has written there since is kept, until the agent has looked at it.
Result<> keep_younger(const StagedOperation& staged, const std::optional<struct stat>& there) {
  const sync::Operation& operation = staged.operation;
  if (!staged.unless_written || !there || !S_ISREG(there->st_mode)) return {};
  const auto is_as = [&](const sync::Entry& entry) {
    return static_cast<std::uint64_t>(there->st_size) == entry.size && os::nanoseconds(there->st_mtim) == entry.mtime;
  };
  if (is_as(operation.result)) return {};
  if (operation.expected) {
    const auto& expected = *operation.expected;
    if (is_as(expected) || os::nanoseconds(there->st_mtim) <= expected.mtime) return {};
  }
  return failure(ErrorCode::unexpected, path_of(operation.to), "the file was written at the destination since then");
}

Result<sync::Digest> digest_at(const sync::Operation& operation, const Tree::Place& at) {
  if (operation.result.digest) return *operation.result.digest;
  MAILDIRSYNC_ASSIGN(auto fd, at.directory->open_for_reading(at.name));
  return codec::digest_of(fd.get(), os::join(at.directory->path(), at.name));
}

class Transition {
 public:
  Transition(StagedOperation& staged, os::SyncSet& sync)
      : staged_(staged),
        operation_(staged.operation),
        tree_(*staged.account->tree),
        sync_(sync),
        claim_(operation_.result, staged.former_owner),
        names_(staged, claim_) {}

  Result<Outcome> run() {
    auto outcome = act();
    if (outcome) outcome->other_time = other_date(operation_, tree_);
    return outcome;
  }

 private:
  Result<Outcome> act() {
    switch (operation_.kind) {
      case OperationKind::make_folder:
        return folder(make_folder(tree_, operation_, sync_));
      case OperationKind::rename_folder:
        return folder(rename_folder(tree_, operation_, sync_));
      case OperationKind::remove_folder:
        return folder(remove_folder(tree_, operation_, sync_));
      case OperationKind::put:
        return put();
      case OperationKind::put_control:
        return put_control();
      case OperationKind::link:
        return link();
      case OperationKind::rename:
        return rename();
      case OperationKind::remove:
        return done(remove());
      case OperationKind::set_attributes:
        return done(set_attributes_of_target());
    }
    return failure(ErrorCode::protocol, "", "unknown kind of operation");
  }

  /// What is refused by a rule was not begun; nobody knows of the rest.
  Result<Outcome> folder(const Result<>& result) {
    staged_.touched = !result && result.error().code != ErrorCode::conflict &&
                      result.error().code != ErrorCode::special_file && result.error().code != ErrorCode::bad_name &&
                      result.error().code != ErrorCode::in_the_way;
    return done(result);
  }

  Result<Outcome> put() {
    MAILDIRSYNC_ASSIGN(auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_TRY(keep_from_owner(staged_, to));
    sync_.add(to.directory);
    const auto created = names_.create(to);
    if (created) return Outcome{};
    if (created.error().code != ErrorCode::exists) return Failure(created.error());
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    if (!there) return put();  // it went at this moment
    MAILDIRSYNC_ASSIGN(auto equal, has_wanted_content(operation_, to, *there));
    if (equal) return done(adjust(to, *there));
    if (operation_.expected) {
      MAILDIRSYNC_ASSIGN(auto expected, is_expected_to_be_replaced(to, *there));
      if (expected) return done(names_.replace(to));
    }
    if (is_link(operation_)) {
      return failure(ErrorCode::conflict, path_of(operation_.to),
                     "another file has the link's name at the destination, and was kept");
    }
    // A power cut, or a device that lost what it had acknowledged, left a part of ours there, and nobody's content.
    const bool is_ours = claim_.is_owners(*there) || there->st_uid == ::geteuid();
    MAILDIRSYNC_ASSIGN(
        auto torn, is_ours ? is_beginning(*to.directory, to.name, *there, staged_.aside->fd()) : Result<bool>(false));
    if (torn) return done(names_.replace(to));
    return put_beside(to, *operation_.result.digest, [&](const Tree::Place& beside) { return names_.create(beside); });
  }

  /// Size and time tell it of a file of the owner that it is to have, or had; the digest of any other.
  Result<bool> is_expected_to_be_replaced(const Tree::Place& to, const struct stat& there) const {
    const Entry& expected = *operation_.expected;
    const bool theirs = claim_.is_owners(there) || (staged_.former_owner && staged_.former_owner->uid == there.st_uid);
    if (theirs || expected.kind == EntryKind::symlink) {
      return is_expected(*to.directory, to.name, there, expected);
    }
    if (!expected.digest) return false;
    return has_content(*to.directory, to.name, there, expected.size, *expected.digest);
  }

  /// Somebody else's file has the name, and keeps it: ours goes beside it.
  template <class Create>
  Result<Outcome> put_beside(const Tree::Place& taken, const sync::Digest& digest, Create create_at) {
    const Tree::Place beside{taken.directory, name_of_conflict(taken.name, digest)};
    const auto created = create_at(beside);
    if (!created && created.error().code == ErrorCode::exists) {
      MAILDIRSYNC_ASSIGN(auto there, look(*beside.directory, beside.name));
      MAILDIRSYNC_ASSIGN(const auto equal,
                         there ? has_content(*beside.directory, beside.name, *there, operation_.result.size, digest)
                               : Result<bool>(false));
      if (!equal) return Failure(created.error());
    } else if (!created) {
      return Failure(created.error());
    }
    return Outcome{.renamed = beside.name,
                   .detail = "another file has the name " + taken.name +
                             " at the destination and was kept; the message is there as " + beside.name};
  }

  Result<Outcome> put_control() {
    MAILDIRSYNC_ASSIGN(auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_TRY(keep_from_owner(staged_, to));
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    if (there && S_ISDIR(there->st_mode)) {
      return failure(ErrorCode::conflict, path_of(operation_.to), "a directory has the name at the destination");
    }
    MAILDIRSYNC_TRY(keep_younger(staged_, there));
    sync_.add(to.directory);
    MAILDIRSYNC_TRY(names_.replace(to));
    Outcome outcome;
    outcome.indexed = to.name == "dovecot-uidlist" && has_index_written_here(*to.directory);
    return outcome;
  }

  Result<Outcome> link() {
    MAILDIRSYNC_ASSIGN(const auto from, tree_.place(path_of(operation_.from)));
    MAILDIRSYNC_ASSIGN(const auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_ASSIGN(auto source, expected_at(from));
    if (!source) return already_there(to);
    sync_.add(to.directory);
    if (auto linked = names_.link(from, to); linked || linked.error().code != ErrorCode::exists) {
      return settle_link(linked, to, *source);
    }
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    if (there && is_same_file(*there, *source)) return done(adjust(to, *there));
    MAILDIRSYNC_ASSIGN(auto digest, digest_at(operation_, from));
    const auto equal =
        there ? has_content(*to.directory, to.name, *there, operation_.result.size, digest) : Result<bool>(false);
    if (!equal) return Failure(equal.error());
    if (*equal) {  // a copy: becomes the link
      const Tree::Place between{to.directory, aside_name()};
      if (const auto linked = names_.link(from, between); !linked) {
        remove_aside(*between.directory, between.name);
        return Failure(linked.error());
      }
      return settle(names_.move_over(between, to), to, *source);
    }
    return put_beside(to, digest, [&](const Tree::Place& beside) { return names_.link(from, beside); });
  }

  Result<Outcome> rename() {
    MAILDIRSYNC_ASSIGN(const auto from, tree_.place(path_of(operation_.from)));
    MAILDIRSYNC_ASSIGN(const auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_ASSIGN(auto source, expected_at(from));
    if (!source) return already_there(to);
    sync_.add(from.directory);
    sync_.add(to.directory);
    if (auto renamed = names_.rename(from, to); renamed || renamed.error().code != ErrorCode::exists) {
      return settle(renamed, to, *source);
    }
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    MAILDIRSYNC_ASSIGN(auto digest, digest_at(operation_, from));
    MAILDIRSYNC_ASSIGN(const auto equal, !there                          ? Result<bool>(false)
                                         : is_same_file(*there, *source) ? Result<bool>(true)
                                                                         : has_content(*to.directory, to.name, *there,
                                                                                       operation_.result.size, digest));
    if (equal) return settle(names_.remove(from), to, *there);
    return put_beside(to, digest, [&](const Tree::Place& beside) { return names_.rename(from, beside); });
  }

  /// The file that a link or a rename takes from there, which is the account's own; nothing when the name is free.
  Result<std::optional<struct stat>> expected_at(const Tree::Place& from) {
    auto there = look(*from.directory, from.name);
    if (!there || !*there) return there;
    const Entry& wanted = operation_.expected ? *operation_.expected : operation_.result;
    MAILDIRSYNC_ASSIGN(auto expected, is_expected(*from.directory, from.name, **there, wanted));
    const bool same_kind = wanted.kind == operation_.result.kind && wanted.target == operation_.result.target;
    if (!expected || !same_kind) {
      return unexpected(path_of(operation_.from), "another file has the name at the destination");
    }
    if (is_link(operation_)) MAILDIRSYNC_TRY(names_.judge_link());
    MAILDIRSYNC_TRY(claim_.check(*from.directory, from.name, **there));
    return there;
  }

  /// The operation was done before, if its result is there.
  Result<Outcome> already_there(const Tree::Place& to) {
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    MAILDIRSYNC_ASSIGN(const auto equal,
                       there ? is_expected(*to.directory, to.name, *there, operation_.result) : Result<bool>(false));
    if (!equal) return unexpected(path_of(operation_.from), "the message is not at the destination");
    sync_.add(to.directory);
    return done(adjust(to, *there));
  }

  /// After a link or a rename: the name must have come to the file that was looked at, and owner and mode may have
  /// changed with it.
  Result<Outcome> settle(const Result<>& moved, const Tree::Place& to, const struct stat& source) {
    if (!moved) return Failure(moved.error());
    MAILDIRSYNC_ASSIGN(auto status, to.directory->status(to.name));
    if (!is_same_file(status, source)) {
      return unexpected(path_of(operation_.to), "the message got another file in its place while it was moved");
    }
    return done(adjust(to, status));
  }

  /// A name that came to another file is taken from it again.
  Result<Outcome> settle_link(const Result<>& linked, const Tree::Place& to, const struct stat& source) {
    auto settled = settle(linked, to, source);
    if (settled || !linked) return settled;
    const auto status = to.directory->status(to.name);
    if (status && !is_same_file(*status, source)) ::unlinkat(to.directory->fd(), to.name.c_str(), 0);
    return settled;
  }

  Result<> remove() {
    auto from = tree_.place(path_of(operation_.from));
    // A folder that is away for the moment, its volume not mounted or its directory moved, comes back with what is in
    // it: that a message is gone is only said of a folder that was seen.
    if (!from) return Failure(from.error());
    MAILDIRSYNC_ASSIGN(auto there, look(*from->directory, from->name));
    sync_.add(from->directory);
    if (!there) return {};
    const bool is_message = operation_.from.area != sync::Area::folder;
    if (is_message && operation_.expected) {
      MAILDIRSYNC_ASSIGN(auto expected, is_expected(*from->directory, from->name, *there, *operation_.expected));
      if (!expected) return unexpected(path_of(operation_.from), "another file has the name at the destination");
    }
    if (S_ISDIR(there->st_mode))
      return unexpected(path_of(operation_.from), "a directory has the name at the destination");
    Trash* trash = operation_.to_trash ? tree_.trash() : nullptr;
    return trash == nullptr ? names_.remove(*from) : names_.touch(trash->take(tree_, path_of(operation_.from), sync_));
  }

  Result<> set_attributes_of_target() {
    MAILDIRSYNC_ASSIGN(auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    const bool is_it =
        there && (is_link(operation_) ? S_ISLNK(there->st_mode)
                                      : S_ISREG(there->st_mode) &&
                                            static_cast<std::uint64_t>(there->st_size) == operation_.result.size);
    if (!is_it) return unexpected(path_of(operation_.to), "the file is not at the destination as it is known");
    return adjust(to, *there);
  }

  /// Owner, mode and time of what has the name, where they differ.
  Result<> adjust(const Tree::Place& at, const struct stat& status) {
    const auto& wanted = operation_.result;
    if (is_link(operation_)) return names_.own_link(at);
    if (!S_ISREG(status.st_mode))
      return unexpected(path_of(operation_.to), "another file has the name at the destination");
    const bool same = status.st_uid == wanted.attributes.uid && status.st_gid == wanted.attributes.gid &&
                      (status.st_mode & 07777) == wanted.attributes.mode &&
                      has_time(*at.directory, status, wanted.mtime);
    if (same) return {};
    return claim_.give(tree_, at, status, path_of(operation_.to), sync_);
  }

  StagedOperation& staged_;
  const sync::Operation& operation_;
  Tree& tree_;
  os::SyncSet& sync_;
  const Claim claim_;
  NameChanges names_;
};

}  // namespace

Result<Outcome> transition(StagedOperation& staged, os::SyncSet& sync) {
  return Transition(staged, sync).run();
}

}  // namespace maildirsync::daemon
