#include "daemon/apply/stage.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/codec/delta.h"
#include "common/codec/digest.h"
#include "common/os/path.h"
#include "daemon/apply/content.h"
#include "daemon/owner/mode.h"

namespace maildirsync::daemon {

namespace {

using sync::OperationKind;

bool has_body(const sync::Operation& operation) {
  const bool puts = operation.kind == OperationKind::put || operation.kind == OperationKind::put_control;
  return puts && operation.result.kind == sync::EntryKind::file;
}

void narrow(std::uint32_t& mode, std::uint32_t allowed, StagedOperation& staged) {
  if (mode == allowed) return;
  mode = allowed;
  if (!staged.lesser_mode) staged.lesser_mode = allowed;
}

Failure violation(std::string detail) {
  return failure(ErrorCode::protocol, "", std::move(detail));
}

}  // namespace

Result<> Stager::open(std::shared_ptr<const Account> account, std::shared_ptr<const OwnerMap> owners) {
  if (current_) return violation("an account was opened in the middle of a body");
  staging_place_.reset();
  account_ = std::move(account);
  owners_ = std::move(owners);
  return {};
}

Result<std::optional<StagedOperation>> Stager::operation(Arrival arrival, const PeerNames& names) {
  if (!account_) return violation("an operation came before its account was opened");
  if (current_) return violation("an operation came in the middle of a body");
  if (arrival.sequence <= last_sequence_) return violation("the numbers of operations do not rise");
  last_sequence_ = arrival.sequence;
  if (!arrival.operation && arrival.operation.error().code == ErrorCode::protocol) {
    return Failure(arrival.operation.error());
  }
  Current& current = current_.emplace(Current{});
  StagedOperation& staged = current.staged;
  staged.sequence = arrival.sequence;
  staged.account = account_;
  current.basis = arrival.basis;
  staged.delta = arrival.basis.has_value();
  staged.foreign = arrival.foreign;
  staged.unless_written = arrival.unless_written;
  if (!arrival.operation) {
    staged.error = arrival.operation.error();
  } else {
    staged.operation = std::move(*arrival.operation);
    if (!has_body(staged.operation) && (!arrival.piece.empty() || arrival.more)) {
      return violation("a body came with an operation that has none");
    }
    auto ready = prepare(current);
    if (ready) ready = map_owners(staged, names);
    if (ready) ready = take(current, arrival.piece);
    if (!ready) staged.error = ready.error();
  }
  if (arrival.more) return std::nullopt;
  return close(std::nullopt);
}

Result<std::optional<StagedOperation>> Stager::body(Rest rest) {
  if (!current_) return violation("a piece of a body came without its operation");
  StagedOperation& staged = current_->staged;
  if (!staged.error) {
    if (rest.abandoned) {
      staged.error = Error{ErrorCode::changed_while_read, path_of(staged.operation.to),
                           "the file changed at the source while it was read", 0};
    } else if (const auto taken = take(*current_, rest.piece); !taken) {
      staged.error = taken.error();
    }
  }
  if (staged.error) staged.aside.reset();  // its space is free at once
  if (!rest.last && !rest.abandoned) return std::nullopt;
  return close(rest.digest);
}

StagedOperation Stager::close(std::optional<sync::Digest> digest) {
  if (!current_->staged.error) {
    if (const auto finished = finish(*current_, digest); !finished) current_->staged.error = finished.error();
  }
  StagedOperation staged = std::move(current_->staged);
  current_.reset();
  if (staged.error) staged.aside.reset();
  return staged;
}

Result<> Stager::map_owners(StagedOperation& staged, const PeerNames& names) const {
  sync::Operation& operation = staged.operation;
  const auto map = [&](sync::Attributes& attributes) -> Result<> {
    MAILDIRSYNC_ASSIGN(auto owner, owners_->map(attributes.uid, attributes.gid, names));
    attributes.uid = owner.uid;
    attributes.gid = owner.gid;
    return {};
  };
  switch (operation.kind) {
    case OperationKind::make_folder: {
      sync::FolderShape& folder = operation.folder;
      const auto admit = [&](sync::Attributes& attributes) {
        narrow(attributes.mode, directory_mode(attributes.mode), staged);
        return map(attributes);
      };
      MAILDIRSYNC_TRY(admit(folder.self));
      for (auto* area : {&folder.cur, &folder.new_, &folder.tmp}) {
        if (*area) MAILDIRSYNC_TRY(admit(**area));
      }
      return {};
    }
    case OperationKind::put:
    case OperationKind::put_control:
    case OperationKind::link:
    case OperationKind::rename:
    case OperationKind::set_attributes: {
      auto& mode = operation.result.attributes.mode;
      narrow(mode, file_mode(mode), staged);
      if (operation.expected) {
        const auto& former = operation.expected->attributes;
        if (auto owner = owners_->map(former.uid, former.gid, names)) staged.former_owner = *owner;
      }
      return map(operation.result.attributes);
    }
    default:
      return {};
  }
}

/// The target's directory, or the nearest one above it that is there already: an operation that makes it may still be
/// waiting for its turn, and a file written aside may lie anywhere on the same file system. So it does not matter
/// either if the directory was moved or removed since it was opened for an earlier message; but no file can be made in
/// one that was removed, and then it is opened anew.
Result<Stager::StagingPlace> Stager::staging_place(const sync::Location& to) {
  const std::string wanted = os::join(account_->path, directory_of(to));
  if (staging_place_ && staging_path_ == wanted) return *staging_place_;
  for (std::string path = wanted;;) {
    auto directory = account_->root->open_directory(path);
    if (directory) {
      MAILDIRSYNC_ASSIGN(const auto ground, os::ground_of(directory->fd()));
      auto way = ground.way;
      // What a crash leaves of ours below an account is swept when the account is listed; above it, nobody looks.
      const bool is_swept = path.size() >= account_->path.size();
      if (!is_swept && way != os::WayToWrite::unnamed) way = os::WayToWrite::relinked;
      StagingPlace place{std::make_shared<const os::Directory>(std::move(*directory)), way};
      staging_place_ = path == wanted ? std::optional(place) : std::nullopt;
      staging_path_ = wanted;
      return place;
    }
    const Error& error = directory.error();
    const bool missing =
        error.code == ErrorCode::vanished || error.error_number == ENOTDIR || error.error_number == ELOOP;
    if (!missing || path.empty()) return Failure(error);
    path = os::above(path);
  }
}

Result<> Stager::prepare(Current& current) {
  if (account_->root_error) return Failure(*account_->root_error);
  if (!has_body(current.staged.operation)) return {};
  for (bool again = true;; again = false) {
    MAILDIRSYNC_ASSIGN(auto place, staging_place(current.staged.operation.to));
    auto aside = Aside::create(std::move(place.directory), place.way);
    if (aside) {
      current.staged.aside = std::move(*aside);
      return {};
    }
    staging_place_.reset();
    if (!again || aside.error().code != ErrorCode::vanished) return Failure(aside.error());
  }
}

Result<> Stager::take(Current& current, std::string_view plain) const {
  if (plain.empty() || !current.staged.aside) return {};
  if (!current.basis) return write(current, plain);
  if (!current.patcher) MAILDIRSYNC_TRY(open_basis(current));
  return current.patcher->feed(plain);
}

Result<> Stager::write(Current& current, std::string_view plain) const {
  const sync::Operation& operation = current.staged.operation;
  current.received += plain.size();
  if (current.received > operation.result.size) {
    return failure(ErrorCode::protocol, path_of(operation.to), "more bytes came than the file has");
  }
  current.digester.update(plain);
  return current.staged.aside->write(plain);
}

/// Of a delta: the file that it was made for, which is read once to see that it is that.
Result<> Stager::open_basis(Current& current) const {
  const sync::Operation& operation = current.staged.operation;
  const std::string path = os::join(account_->path, path_of(operation.to));
  const auto no_basis = [&] {
    return failure(ErrorCode::basis_mismatch, path, "the file is not the one that the delta was made for");
  };
  auto basis = account_->root->open_for_reading(path);
  if (!basis) return basis.error().code == ErrorCode::vanished ? no_basis() : Failure(basis.error());
  struct stat status {};
  if (::fstat(basis->get(), &status) != 0 || !S_ISREG(status.st_mode)) return no_basis();
  // What is copied from it becomes its new owner's: of another's file, the agent sends the whole.
  if (status.st_uid != operation.result.attributes.uid) return no_basis();
  MAILDIRSYNC_ASSIGN(auto digest, codec::digest_of(basis->get(), path));
  if (digest != *current.basis) return no_basis();
  current.basis_file = std::move(*basis);
  current.patcher =
      std::make_unique<codec::Patcher>(current.basis_file.get(), operation.result.size,
                                       [this, &current](std::string_view bytes) { return write(current, bytes); });
  return {};
}

Result<> Stager::finish(Current& current, const std::optional<sync::Digest>& digest) const {
  StagedOperation& staged = current.staged;
  if (!staged.aside) return {};
  if (current.basis && !current.patcher) return failure(ErrorCode::protocol, "", "a delta came without a body");
  if (current.patcher) MAILDIRSYNC_TRY(current.patcher->finish());
  current.patcher.reset();
  sync::Entry& result = staged.operation.result;
  const std::string path = path_of(staged.operation.to);
  if (digest) result.digest = digest;
  if (!result.digest) return failure(ErrorCode::protocol, path, "the body came without its digest");
  if (current.received != result.size) {
    return failure(ErrorCode::protocol, path,
                   std::to_string(current.received) + " bytes came, not " + std::to_string(result.size));
  }
  if (current.digester.finish() != *result.digest) {
    return failure(ErrorCode::protocol, path, "the body has another digest than announced");
  }
  staged.bytes = current.received;
  return set_attributes(staged.aside->fd(), result.attributes, result.mtime, path);
}

}  // namespace maildirsync::daemon
