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
#include "daemon/apply/links.h"
#include "daemon/apply/ours.h"

namespace maildirsync::daemon {

namespace {

using sync::Entry;
using sync::EntryKind;
using sync::OperationKind;

Failure unexpected(const std::string& path, const char* what) {
  return failure(ErrorCode::unexpected, path, what);
}

Failure last_error(const Tree::Place& at, const char* what) {
  return os_failure(os::join(at.directory->path(), at.name), what, errno);
}

class Transition {
 public:
  Transition(StagedOperation& staged, os::SyncSet& sync)
      : staged_(staged),
        operation_(staged.operation),
        tree_(*staged.account->tree),
        sync_(sync),
        claim_(operation_.result, staged.former_owner) {}

  Result<Outcome> run() {
    auto outcome = act();
    if (outcome && may_have_other_date()) note_date(*outcome);
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

  /// What a mail file's date is nearly always, every file system keeps.
  bool may_have_other_date() const {
    constexpr std::int64_t k_last = (std::int64_t{1} << 31) - 1;  // s: in the year 2038
    const bool gives_date = operation_.kind == OperationKind::put || operation_.kind == OperationKind::put_control ||
                            operation_.kind == OperationKind::link || operation_.kind == OperationKind::rename ||
                            operation_.kind == OperationKind::set_attributes;
    const std::int64_t mtime = operation_.result.mtime;
    return gives_date && !is_link() && (mtime < 0 || mtime / 1'000'000'000 >= k_last);
  }

  void note_date(Outcome& outcome) {
    const auto to = tree_.place(path_of(operation_.to));
    if (!to) return;
    const auto times = kept_times(*to->directory);
    const std::int64_t mtime = operation_.result.mtime;
    if (!times.holds(mtime)) outcome.other_time = times.kept(mtime);
  }

  static Result<Outcome> done(const Result<>& result) {
    if (!result) return Failure(result.error());
    return Outcome{};
  }

  /// What is refused by a rule was not begun; nobody knows of the rest.
  Result<Outcome> folder(const Result<>& result) {
    staged_.touched = !result && result.error().code != ErrorCode::conflict &&
                      result.error().code != ErrorCode::special_file && result.error().code != ErrorCode::bad_name;
    return done(result);
  }

  /// Of a system call that gives or takes a name: done, and no error that comes after it means that nothing was. So
  /// does one of its own, but for those that it gives before it does anything.
  Result<> touch(Result<> result) {
    if (!result) {
      switch (result.error().code) {
        case ErrorCode::exists:
        case ErrorCode::bad_name:
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

  bool is_link() const { return operation_.result.kind == EntryKind::symlink; }

  /// Gives the new file or link its name, if that is free: `exists` when not.
  Result<> create(const Tree::Place& to) {
    if (!is_link()) return touch(staged_.aside->link(*to.directory, to.name));
    MAILDIRSYNC_TRY(judge_link());
    if (::symlinkat(operation_.result.target.text().c_str(), to.directory->fd(), to.name.c_str()) != 0) {
      return touch(last_error(to, "cannot make the symbolic link"));
    }
    staged_.touched = true;
    return own_link(to);
  }

  /// A symbolic link has an owner, and no mode of its own.
  Result<> own_link(const Tree::Place& to) const {
    return claim_.give_link(*to.directory, to.name, path_of(operation_.to));
  }

  Result<> judge_link() {
    MAILDIRSYNC_ASSIGN(auto account, tree_.directory(""));
    return daemon::judge_link(*account, path_of(operation_.to), operation_.result.target.text());
  }

  /// The same, in the place of what has the name.
  Result<> replace(const Tree::Place& to) {
    if (!is_link()) return touch(staged_.aside->replace(*to.directory, to.name));
    const Tree::Place between{to.directory, aside_name()};
    if (auto created = create(between); !created) {
      if (staged_.touched) remove_aside(*between.directory, between.name);
      return created;
    }
    return move_over(between, to);
  }

  Result<> move_over(const Tree::Place& from, const Tree::Place& to) {
    if (::renameat(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str()) == 0) return touch({});
    const auto failed = touch(last_error(to, "cannot replace the file"));
    remove_aside(*from.directory, from.name);
    return failed;
  }

  Result<bool> has_wanted_content(const Tree::Place& at, const struct stat& status) const {
    if (is_link()) return has_target(*at.directory, at.name, status, operation_.result.target.text());
    return has_content(*at.directory, at.name, status, operation_.result.size, *operation_.result.digest);
  }

  /// A file that the account's owner could not read at the source, since it is somebody else's, does not become theirs
  /// because both have one owner here.
  Result<> keep_from_owner(const Tree::Place& to) const {
    if (!staged_.foreign) return {};
    MAILDIRSYNC_ASSIGN(const auto directory, to.directory->status(""));
    if (directory.st_uid != operation_.result.attributes.uid) return {};
    return failure(
        ErrorCode::foreign_owner, path_of(operation_.to),
        "the file belongs to somebody else at the source, and its account's owner cannot read it there, but "
        "could here; left out. Take it away or chown it at the source, or say owners = \"mixed\" for its root");
  }

  Result<Outcome> put() {
    MAILDIRSYNC_ASSIGN(auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_TRY(keep_from_owner(to));
    sync_.add(to.directory);
    const auto created = create(to);
    if (created) return Outcome{};
    if (created.error().code != ErrorCode::exists) return Failure(created.error());
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    if (!there) return put();  // it went at this moment
    MAILDIRSYNC_ASSIGN(auto equal, has_wanted_content(to, *there));
    if (equal) return done(adjust(to, *there));
    if (operation_.expected) {
      MAILDIRSYNC_ASSIGN(auto expected, is_expected_to_be_replaced(to, *there));
      if (expected) return done(replace(to));
    }
    if (is_link()) {
      return failure(ErrorCode::conflict, path_of(operation_.to),
                     "another file has the link's name at the destination, and was kept");
    }
    // A power cut, or a device that lost what it had acknowledged, left a part of ours there, and nobody's content.
    const bool is_ours = claim_.is_owners(*there) || there->st_uid == ::geteuid();
    MAILDIRSYNC_ASSIGN(
        auto torn, is_ours ? is_beginning(*to.directory, to.name, *there, staged_.aside->fd()) : Result<bool>(false));
    if (torn) return done(replace(to));
    return put_beside(to, *operation_.result.digest, [&](const Tree::Place& beside) { return create(beside); });
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
    MAILDIRSYNC_TRY(keep_from_owner(to));
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    if (there && S_ISDIR(there->st_mode)) {
      return failure(ErrorCode::conflict, path_of(operation_.to), "a directory has the name at the destination");
    }
    sync_.add(to.directory);
    MAILDIRSYNC_TRY(replace(to));
    Outcome outcome;
    outcome.indexed = to.name == "dovecot-uidlist" && has_index_written_here(*to.directory);
    return outcome;
  }

  Result<Outcome> link() {
    auto from = tree_.place(path_of(operation_.from));
    auto to = tree_.place(path_of(operation_.to));
    if (!from) return Failure(from.error());
    if (!to) return Failure(to.error());
    MAILDIRSYNC_ASSIGN(auto source, expected_at(*from));
    if (!source) return already_there(*to);
    sync_.add(to->directory);
    if (auto linked = link_to(*from, *to); linked || linked.error().code != ErrorCode::exists) {
      return settle_link(linked, *to, *source);
    }
    MAILDIRSYNC_ASSIGN(auto there, look(*to->directory, to->name));
    if (there && is_same_file(*there, *source)) return done(adjust(*to, *there));
    MAILDIRSYNC_ASSIGN(auto digest, digest_at(*from));
    const auto equal =
        there ? has_content(*to->directory, to->name, *there, operation_.result.size, digest) : Result<bool>(false);
    if (!equal) return Failure(equal.error());
    if (*equal) {  // a copy: becomes the link
      const Tree::Place between{to->directory, aside_name()};
      if (const auto linked = link_to(*from, between); !linked) {
        remove_aside(*between.directory, between.name);
        return Failure(linked.error());
      }
      return settle(move_over(between, *to), *to, *source);
    }
    return put_beside(*to, digest, [&](const Tree::Place& beside) { return link_to(*from, beside); });
  }

  Result<Outcome> rename() {
    auto from = tree_.place(path_of(operation_.from));
    auto to = tree_.place(path_of(operation_.to));
    if (!from) return Failure(from.error());
    if (!to) return Failure(to.error());
    MAILDIRSYNC_ASSIGN(auto source, expected_at(*from));
    if (!source) return already_there(*to);
    sync_.add(from->directory);
    sync_.add(to->directory);
    if (auto renamed = rename_to(*from, *to); renamed || renamed.error().code != ErrorCode::exists) {
      return settle(renamed, *to, *source);
    }
    MAILDIRSYNC_ASSIGN(auto there, look(*to->directory, to->name));
    MAILDIRSYNC_ASSIGN(auto digest, digest_at(*from));
    MAILDIRSYNC_ASSIGN(const auto equal, !there                          ? Result<bool>(false)
                                         : is_same_file(*there, *source) ? Result<bool>(true)
                                                                         : has_content(*to->directory, to->name, *there,
                                                                                       operation_.result.size, digest));
    if (equal) return settle(unlink_at(*from), *to, *there);
    return put_beside(*to, digest, [&](const Tree::Place& beside) { return rename_to(*from, beside); });
  }

  Result<> link_to(const Tree::Place& from, const Tree::Place& to) {
    if (::linkat(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str(), 0) == 0) {
      return touch({});
    }
    return touch(last_error(to, "cannot link the message"));
  }

  Result<> rename_to(const Tree::Place& from, const Tree::Place& to) {
    if (::renameat2(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str(), RENAME_NOREPLACE) ==
        0) {
      return touch({});
    }
    if (errno != EINVAL) return touch(last_error(to, "cannot rename the message"));
    // The file system knows no RENAME_NOREPLACE (NFS): a link never replaces.
    MAILDIRSYNC_TRY(link_to(from, to));
    return unlink_at(from);
  }

  Result<> unlink_at(const Tree::Place& at) {
    if (::unlinkat(at.directory->fd(), at.name.c_str(), 0) == 0 || errno == ENOENT) return touch({});
    return touch(last_error(at, "cannot remove the file"));
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
    if (is_link()) MAILDIRSYNC_TRY(judge_link());
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

  Result<sync::Digest> digest_at(const Tree::Place& at) const {
    if (operation_.result.digest) return *operation_.result.digest;
    MAILDIRSYNC_ASSIGN(auto fd, at.directory->open_for_reading(at.name));
    return codec::digest_of(fd.get(), os::join(at.directory->path(), at.name));
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
    return trash == nullptr ? unlink_at(*from) : touch(trash->take(tree_, path_of(operation_.from), sync_));
  }

  Result<> set_attributes_of_target() {
    MAILDIRSYNC_ASSIGN(auto to, tree_.place(path_of(operation_.to)));
    MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
    const bool is_it = there && (is_link() ? S_ISLNK(there->st_mode)
                                           : S_ISREG(there->st_mode) &&
                                                 static_cast<std::uint64_t>(there->st_size) == operation_.result.size);
    if (!is_it) return unexpected(path_of(operation_.to), "the file is not at the destination as it is known");
    return adjust(to, *there);
  }

  /// Owner, mode and time of what has the name, where they differ.
  Result<> adjust(const Tree::Place& at, const struct stat& status) {
    const auto& wanted = operation_.result;
    if (is_link()) return own_link(at);
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
};

}  // namespace

Result<Outcome> transition(StagedOperation& staged, os::SyncSet& sync) {
  return Transition(staged, sync).run();
}

}  // namespace maildirsync::daemon
