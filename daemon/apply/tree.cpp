#include "daemon/apply/tree.h"

#include "common/os/path.h"
#include "daemon/apply/account.h"

namespace maildirsync::daemon {

namespace {

using sync::OperationKind;

constexpr std::size_t k_kept_open = 32;

bool adds_messages(OperationKind kind) {
  switch (kind) {
    case OperationKind::make_folder:
    case OperationKind::rename_folder:
    case OperationKind::put:
    case OperationKind::link:
    case OperationKind::rename:
      return true;
    default:
      return false;
  }
}

bool is_at_or_below(std::string_view path, std::string_view folder) {
  return folder.empty() || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

}  // namespace

bool is_transient(ErrorCode code) {
  switch (code) {
    case ErrorCode::permission:
    case ErrorCode::bad_name:
    case ErrorCode::in_the_way:
    case ErrorCode::read_only:
    case ErrorCode::immutable:
    case ErrorCode::unmapped_owner:
    case ErrorCode::conflict:
    case ErrorCode::special_file:
    case ErrorCode::foreign_owner:
      return false;
    default:
      return true;
  }
}

Result<DirectoryPtr> Tree::directory(const std::string& path) {
  if (const auto found = open_.find(path); found != open_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second.recent);
    return found->second.directory;
  }
  auto opened = root_->open_directory(os::join(account_, path));
  if (!opened) {
    Error error = opened.error();
    if (error.code == ErrorCode::vanished || error.error_number == ENOTDIR || error.error_number == ELOOP) {
      error.code = ErrorCode::unexpected;
      error.detail = "the folder is not there";
    }
    return Failure(error);
  }
  auto directory = std::make_shared<const os::Directory>(std::move(*opened));
  if (open_.size() >= k_kept_open) {
    open_.erase(recent_.back());
    recent_.pop_back();
  }
  recent_.push_front(path);
  open_.emplace(path, Open{directory, recent_.begin()});
  return directory;
}

Result<Tree::Place> Tree::place(const std::string& path) {
  if (!path.empty()) {
    auto [parent, name] = os::split_last(path);
    MAILDIRSYNC_ASSIGN(auto opened, directory(parent));
    return Place{opened, name};
  }
  auto [parent, name] = os::split_last(account_);
  MAILDIRSYNC_ASSIGN(auto opened, root_->open_directory(parent));
  return Place{std::make_shared<const os::Directory>(std::move(opened)), name};
}

std::optional<Error> Tree::refusal(const sync::Operation& operation) const {
  const auto& at = subject(operation);
  if (operation.kind != OperationKind::make_folder && !missing_folders_.empty()) {
    for (const auto& [folder, error] : missing_folders_) {
      if (!is_at_or_below(at.folder, folder)) continue;
      return Error{error.code, path_of(at), "its folder could not be made: " + error.message(), 0};
    }
  }
  if (blocked_ && sync::follows_messages(operation.kind)) {
    return Error{ErrorCode::postponed, path_of(at), "waits for something earlier in the account that failed", 0};
  }
  return std::nullopt;
}

void Tree::note_failure(const sync::Operation& operation, const Error& error) {
  if (adds_messages(operation.kind) && is_transient(error.code)) blocked_ = true;
  // A folder that exists, but could not be given its owner or mode, can still be filled.
  if (operation.kind == OperationKind::make_folder && !directory(operation.to.folder)) {
    missing_folders_.emplace(operation.to.folder, error);
  }
}

}  // namespace maildirsync::daemon
