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

bool is_same_file(const struct stat& left, const struct stat& right) {
  return left.st_ino == right.st_ino && left.st_dev == right.st_dev;
}

class Transition {
 public:
  Transition(StagedOperation& staged, os::SyncSet& sync)
      : staged_(staged), operation_(staged.operation), tree_(*staged.account->tree), sync_(sync) {}

  Result<Outcome> run() {
    auto outcome = act();
    if (outcome && may_have_other_date()) note_date(*outcome);
    return outcome;
  }

 private:
  Result<Outcome> act() {
    switch (operation_.kind) {
      case OperationKind::make_folder:
        return done(make_folder(tree_, operation_, sync_));
      case OperationKind::rename_folder:
        return done(rename_folder(tree_, operation_, sync_));
      case OperationKind::remove_folder:
        return done(remove_folder(tree_, operation_, sync_));
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

  bool is_link() const { return operation_.result.kind == EntryKind::symlink; }

  /// Gives the new file or link its name, if that is free: `exists` when not.
  Result<> create(const Tree::Place& to) {
    if (!is_link()) return staged_.aside->link(*to.directory, to.name);
    if (::symlinkat(operation_.result.target.c_str(), to.directory->fd(), to.name.c_str()) != 0) {
      return last_error(to, "cannot make the symbolic link");
    }
    return own_link(to);
  }

  /// A symbolic link has an owner, and no mode of its own.
  Result<> own_link(const Tree::Place& to) const {
    const auto& owner = operation_.result.attributes;
    if (::fchownat(to.directory->fd(), to.name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return last_error(to, "cannot set the owner of the symbolic link");
    }
    return {};
  }

  /// The same, in the place of what has the name.
  Result<> replace(const Tree::Place& to) {
    if (!is_link()) return staged_.aside->replace(*to.directory, to.name);
    const Tree::Place between{to.directory, aside_name()};
    MAILDIRSYNC_TRY(create(between));
    return move_over(between, to);
  }

  static Result<> move_over(const Tree::Place& from, const Tree::Place& to) {
    if (::renameat(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str()) == 0) return {};
    const auto failed = last_error(to, "cannot replace the file");
    ::unlinkat(from.directory->fd(), from.name.c_str(), 0);
    return failed;
  }

  Result<bool> has_wanted_content(const Tree::Place& at, const struct stat& status) const {
    if (is_link()) return has_target(*at.directory, at.name, status, operation_.result.target);
    return has_content(*at.directory, at.name, status, operation_.result.size, *operation_.result.digest);
  }

  Result<Outcome> put() {
    auto to = tree_.place(path_of(operation_.to));
    if (!to) return Failure(to.error());
    sync_.add(to->directory);
    const auto created = create(*to);
    if (created) return Outcome{};
    if (created.error().code != ErrorCode::exists) return Failure(created.error());
    auto there = look(*to->directory, to->name);
    if (!there) return Failure(there.error());
    if (!*there) return put();  // it went at this moment
    auto equal = has_wanted_content(*to, **there);
    if (!equal) return Failure(equal.error());
    if (*equal) return done(adjust(*to, **there));
    if (operation_.expected) {
      auto expected = is_expected(*to->directory, to->name, **there, *operation_.expected);
      if (!expected) return Failure(expected.error());
      if (*expected) return done(replace(*to));
    }
    if (is_link()) {
      return failure(ErrorCode::conflict, path_of(operation_.to),
                     "another file has the link's name at the destination, and was kept");
    }
    // A power cut, or a device that lost what it had acknowledged, left a part of ours there, and nobody's content.
    auto torn = is_beginning(*to->directory, to->name, **there, staged_.aside->fd());
    if (!torn) return Failure(torn.error());
    if (*torn) return done(replace(*to));
    return put_beside(*to, *operation_.result.digest, [&](const Tree::Place& beside) { return create(beside); });
  }

  /// Somebody else's file has the name, and keeps it: ours goes beside it.
  template <class Create>
  Result<Outcome> put_beside(const Tree::Place& taken, const sync::Digest& digest, Create create_at) {
    const Tree::Place beside{taken.directory, name_of_conflict(taken.name, digest)};
    const auto created = create_at(beside);
    if (!created && created.error().code == ErrorCode::exists) {
      auto there = look(*beside.directory, beside.name);
      if (!there) return Failure(there.error());
      const auto equal = *there ? has_content(*beside.directory, beside.name, **there, operation_.result.size, digest)
                                : Result<bool>(false);
      if (!equal) return Failure(equal.error());
      if (!*equal) return Failure(created.error());
    } else if (!created) {
      return Failure(created.error());
    }
    return Outcome{.renamed = beside.name,
                   .detail = "another file has the name " + taken.name +
                             " at the destination and was kept; the message is there as " + beside.name};
  }

  Result<Outcome> put_control() {
    auto to = tree_.place(path_of(operation_.to));
    if (!to) return Failure(to.error());
    auto there = look(*to->directory, to->name);
    if (!there) return Failure(there.error());
    if (*there && S_ISDIR((*there)->st_mode)) {
      return failure(ErrorCode::conflict, path_of(operation_.to), "a directory has the name at the destination");
    }
    sync_.add(to->directory);
    MAILDIRSYNC_TRY(replace(*to));
    Outcome outcome;
    outcome.indexed = to->name == "dovecot-uidlist" && has_index_written_here(*to->directory);
    return outcome;
  }

  Result<Outcome> link() {
    auto from = tree_.place(path_of(operation_.from));
    auto to = tree_.place(path_of(operation_.to));
    if (!from) return Failure(from.error());
    if (!to) return Failure(to.error());
    auto source = expected_at(*from);
    if (!source) return Failure(source.error());
    if (!*source) return already_there(*to);
    sync_.add(to->directory);
    if (auto linked = link_to(*from, *to); linked || linked.error().code != ErrorCode::exists)
      return settle(linked, *to);
    auto there = look(*to->directory, to->name);
    if (!there) return Failure(there.error());
    if (*there && is_same_file(**there, **source)) return done(adjust(*to, **there));
    auto digest = digest_at(*from);
    if (!digest) return Failure(digest.error());
    const auto equal =
        *there ? has_content(*to->directory, to->name, **there, operation_.result.size, *digest) : Result<bool>(false);
    if (!equal) return Failure(equal.error());
    if (*equal) {  // a copy: becomes the link
      const Tree::Place between{to->directory, aside_name()};
      MAILDIRSYNC_TRY(link_to(*from, between));
      return settle(move_over(between, *to), *to);
    }
    return put_beside(*to, *digest, [&](const Tree::Place& beside) { return link_to(*from, beside); });
  }

  Result<Outcome> rename() {
    auto from = tree_.place(path_of(operation_.from));
    auto to = tree_.place(path_of(operation_.to));
    if (!from) return Failure(from.error());
    if (!to) return Failure(to.error());
    auto source = expected_at(*from);
    if (!source) return Failure(source.error());
    if (!*source) return already_there(*to);
    sync_.add(from->directory);
    sync_.add(to->directory);
    if (auto renamed = rename_to(*from, *to); renamed || renamed.error().code != ErrorCode::exists) {
      return settle(renamed, *to);
    }
    auto there = look(*to->directory, to->name);
    if (!there) return Failure(there.error());
    auto digest = digest_at(*from);
    if (!digest) return Failure(digest.error());
    const auto equal = !*there ? Result<bool>(false)
                       : is_same_file(**there, **source)
                           ? Result<bool>(true)
                           : has_content(*to->directory, to->name, **there, operation_.result.size, *digest);
    if (!equal) return Failure(equal.error());
    if (*equal) return settle(unlink_at(*from), *to);
    return put_beside(*to, *digest, [&](const Tree::Place& beside) { return rename_to(*from, beside); });
  }

  static Result<> link_to(const Tree::Place& from, const Tree::Place& to) {
    if (::linkat(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str(), 0) == 0) return {};
    return last_error(to, "cannot link the message");
  }

  static Result<> rename_to(const Tree::Place& from, const Tree::Place& to) {
    if (::renameat2(from.directory->fd(), from.name.c_str(), to.directory->fd(), to.name.c_str(), RENAME_NOREPLACE) ==
        0) {
      return {};
    }
    if (errno != EINVAL) return last_error(to, "cannot rename the message");
    // The file system knows no RENAME_NOREPLACE (NFS): a link never replaces.
    MAILDIRSYNC_TRY(link_to(from, to));
    return unlink_at(from);
  }

  static Result<> unlink_at(const Tree::Place& at) {
    if (::unlinkat(at.directory->fd(), at.name.c_str(), 0) == 0 || errno == ENOENT) return {};
    return last_error(at, "cannot remove the file");
  }

  /// The file that the operation takes from there; nothing when the name is free.
  Result<std::optional<struct stat>> expected_at(const Tree::Place& from) const {
    auto there = look(*from.directory, from.name);
    if (!there || !*there) return there;
    const Entry& wanted = operation_.expected ? *operation_.expected : operation_.result;
    auto expected = is_expected(*from.directory, from.name, **there, wanted);
    if (!expected) return Failure(expected.error());
    if (!*expected) return unexpected(path_of(operation_.from), "another file has the name at the destination");
    return there;
  }

  /// The operation was done before, if its result is there.
  Result<Outcome> already_there(const Tree::Place& to) {
    auto there = look(*to.directory, to.name);
    if (!there) return Failure(there.error());
    const auto equal = *there ? is_expected(*to.directory, to.name, **there, operation_.result) : Result<bool>(false);
    if (!equal) return Failure(equal.error());
    if (!*equal) return unexpected(path_of(operation_.from), "the message is not at the destination");
    sync_.add(to.directory);
    return done(adjust(to, **there));
  }

  /// Behind a link or a rename: owner and mode may have changed with the name.
  Result<Outcome> settle(const Result<>& moved, const Tree::Place& to) {
    if (!moved) return Failure(moved.error());
    auto status = to.directory->status(to.name);
    if (!status) return Failure(status.error());
    return done(adjust(to, *status));
  }

  Result<sync::Digest> digest_at(const Tree::Place& at) const {
    if (operation_.result.digest) return *operation_.result.digest;
    auto fd = at.directory->open_for_reading(at.name);
    if (!fd) return Failure(fd.error());
    return codec::digest_of(fd->get(), os::join(at.directory->path(), at.name));
  }

  Result<> remove() {
    auto from = tree_.place(path_of(operation_.from));
    if (!from) {
      if (from.error().code == ErrorCode::unexpected) return {};  // gone with its folder
      return Failure(from.error());
    }
    auto there = look(*from->directory, from->name);
    if (!there) return Failure(there.error());
    sync_.add(from->directory);
    if (!*there) return {};
    const bool is_message = operation_.from.area != sync::Area::folder;
    if (is_message && operation_.expected) {
      auto expected = is_expected(*from->directory, from->name, **there, *operation_.expected);
      if (!expected) return Failure(expected.error());
      if (!*expected) return unexpected(path_of(operation_.from), "another file has the name at the destination");
    }
    if (S_ISDIR((*there)->st_mode))
      return unexpected(path_of(operation_.from), "a directory has the name at the destination");
    Trash* trash = operation_.to_trash ? tree_.trash() : nullptr;
    return trash == nullptr ? unlink_at(*from) : trash->take(tree_, path_of(operation_.from), sync_);
  }

  Result<> set_attributes_of_target() {
    auto to = tree_.place(path_of(operation_.to));
    if (!to) return Failure(to.error());
    auto there = look(*to->directory, to->name);
    if (!there) return Failure(there.error());
    const bool is_it =
        *there && (is_link() ? S_ISLNK((*there)->st_mode)
                             : S_ISREG((*there)->st_mode) &&
                                   static_cast<std::uint64_t>((*there)->st_size) == operation_.result.size);
    if (!is_it) return unexpected(path_of(operation_.to), "the file is not at the destination as it is known");
    return adjust(*to, **there);
  }

  /// Owner, mode and time of what has the name, where they differ.
  Result<> adjust(const Tree::Place& at, const struct stat& status) {
    const auto& wanted = operation_.result;
    if (is_link()) return own_link(at);
    const bool same = status.st_uid == wanted.attributes.uid && status.st_gid == wanted.attributes.gid &&
                      (status.st_mode & 07777) == wanted.attributes.mode &&
                      has_time(*at.directory, status, wanted.mtime);
    if (same) return {};
    auto fd = at.directory->open_for_reading(at.name);
    if (!fd) return Failure(fd.error());
    MAILDIRSYNC_TRY(set_attributes(fd->get(), wanted.attributes, wanted.mtime, path_of(operation_.to)));
    sync_.add(std::move(*fd));
    return {};
  }

  StagedOperation& staged_;
  const sync::Operation& operation_;
  Tree& tree_;
  os::SyncSet& sync_;
};

}  // namespace

Result<Outcome> transition(StagedOperation& staged, os::SyncSet& sync) {
  return Transition(staged, sync).run();
}

}  // namespace maildirsync::daemon
