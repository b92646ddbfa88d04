#include "daemon/apply/folders.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/maildir/name.h"
#include "common/maildir/search_index.h"
#include "common/os/path.h"
#include "daemon/apply/account.h"
#include "daemon/apply/aside.h"
#include "daemon/apply/content.h"
#include "daemon/apply/links.h"

namespace maildirsync::daemon {

namespace {

using sync::Attributes;

/// The mode of a directory until it has its owner and, last, its mode: one that a crash came between is known by it. No
/// mail server gives it.
constexpr mode_t k_unfinished = 01700;

bool is_unfinished(const os::Directory& directory) {
  const auto status = directory.status("");
  // One that was made in a set-group-ID directory has that bit from there.
  return status && (status->st_mode & 07777 & ~static_cast<mode_t>(S_ISGID)) == k_unfinished;
}

bool is_area(const std::string& name) {
  return name == "cur" || name == "new" || name == "tmp";
}

/// A directory of root's that nobody else may look into, and that is not empty and no mail folder: whoever may rename
/// it in its account could have it given to themselves under the name of a folder.
bool is_roots_own(const os::Directory& directory, const Attributes& wanted) {
  const auto status = directory.status("");
  if (!status || status->st_uid != 0 || wanted.uid == 0 || (status->st_mode & S_IRWXO) >= (S_IROTH | S_IXOTH))
    return false;
  const auto names = directory.list();
  if (!names || names->empty()) return false;
  return std::none_of(names->begin(), names->end(), [](const auto& entry) { return is_area(entry.name); });
}

}  // namespace

Result<DirectoryPtr> make_directory(const DirectoryPtr& parent, const std::string& name,
                                    const std::optional<Attributes>& attributes, os::SyncSet& sync) {
  const bool made = ::mkdirat(parent->fd(), name.c_str(), k_unfinished) == 0;
  if (!made && errno != EEXIST) return os_failure(os::join(parent->path(), name), "cannot make the directory", errno);
  auto opened = parent->open_directory(name);
  if (!opened) {
    const int error = opened.error().error_number;
    if (error != ENOTDIR && error != ELOOP) return Failure(opened.error());
    return failure(ErrorCode::conflict, os::join(parent->path(), name),
                   "a file or symbolic link of others is where a directory must be; move it away");
  }
  auto directory = std::make_shared<const os::Directory>(std::move(*opened));
  if (attributes) {
    if (!made && !is_area(name) && !is_unfinished(*directory) && is_roots_own(*directory, *attributes)) {
      return failure(ErrorCode::conflict, directory->path(),
                     "a directory of root's has the folder's name, and was kept; move it away, or chown it");
    }
    MAILDIRSYNC_TRY(set_directory_attributes(*directory, *attributes));
  } else if (made || is_unfinished(*directory)) {
    MAILDIRSYNC_ASSIGN(const auto above, parent->status(""));
    MAILDIRSYNC_TRY(set_directory_attributes(*directory, {above.st_mode & 07777, above.st_uid, above.st_gid}));
  }
  if (made) sync.add(parent);
  sync.add(directory);
  return directory;
}

namespace {

/// The directories between the root and the account, where they are missing or were not finished.
Result<> make_parents(const Tree& tree, os::SyncSet& sync) {
  DirectoryPtr directory = tree.root();
  std::string rest = os::above(tree.account());
  for (std::size_t depth = 0; !rest.empty(); ++depth) {
    const auto slash = std::min(rest.find('/'), rest.size());
    const std::string name = rest.substr(0, slash);
    rest.erase(0, std::min(slash + 1, rest.size()));
    if (auto there = directory->open_directory(name); there && !is_unfinished(*there)) {
      directory = std::make_shared<const os::Directory>(std::move(*there));
      continue;
    }
    const auto attributes = depth < tree.parents().size() ? tree.parents()[depth] : std::nullopt;
    MAILDIRSYNC_ASSIGN(directory, make_directory(directory, name, attributes, sync));
  }
  return {};
}

Result<> make_area(const DirectoryPtr& folder, const char* name, const std::optional<Attributes>& attributes,
                   os::SyncSet& sync) {
  if (attributes) {
    auto made = make_directory(folder, name, attributes, sync);
    return made ? Result<>{} : Failure(made.error());
  }
  // One that the source does not have (any more) goes, if it is empty.
  if (::unlinkat(folder->fd(), name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  if (errno == ENOTEMPTY || errno == EEXIST) {
    return failure(ErrorCode::not_empty, os::join(folder->path(), name),
                   "the directory is gone at the source, but holds files of others here");
  }
  return os_failure(os::join(folder->path(), name), "cannot remove the directory", errno);
}

/// Files in a folder's own directory that mean nothing once its messages are gone: Dovecot makes them anew wherever it
/// looks.
bool is_rebuilt(const std::string& name) {
  return maildir::is_left_out(name) || name == "dovecot-uidlist" || name == "dovecot-keywords" ||
         name == "maildirfolder" || name == "dovecot-acl-list";
}

/// What a search index of the destination holds; nobody's mail is in it.
void remove_all_in(const os::Directory& above, const std::string& name, int depth = 0) {
  constexpr int k_deepest = 8;
  const auto directory = above.open_directory(name);
  const auto names =
      directory ? directory->list() : Result<std::vector<os::DirectoryEntry>>(Failure(directory.error()));
  if (!names || depth > k_deepest) return;
  for (const auto& entry : *names) {
    if (::unlinkat(directory->fd(), entry.name.c_str(), 0) == 0) continue;
    remove_all_in(*directory, entry.name, depth + 1);
    ::unlinkat(directory->fd(), entry.name.c_str(), AT_REMOVEDIR);
  }
}

Failure not_empty(const os::Directory& folder, const std::string& name) {
  return failure(ErrorCode::not_empty, folder.path(),
                 "the folder is gone at the source, but holds " + name + " of others here; move it away");
}

/// Empties a folder of what may go, and of nothing when something must stay. With a trash, what cannot be made anew
/// from the messages alone, such as their UIDs, goes there.
Result<> empty_folder(Tree& tree, const os::Directory& folder, const std::string& path, Trash* trash,
                      os::SyncSet& sync) {
  MAILDIRSYNC_ASSIGN(auto names, folder.list());
  for (const auto& entry : names) {
    const auto status = folder.status(entry.name);
    if (!status) continue;
    const bool directory = S_ISDIR(status->st_mode);
    if (!directory && is_rebuilt(entry.name)) continue;
    if (directory && maildir::is_search_index(folder, entry.name)) continue;
    if (!directory || !is_area(entry.name)) return not_empty(folder, entry.name);
    auto area = folder.open_directory(entry.name);
    MAILDIRSYNC_ASSIGN(const auto inside,
                       area ? area->list() : Result<std::vector<os::DirectoryEntry>>(Failure(area.error())));
    if (!inside.empty()) return not_empty(folder, os::join(entry.name, inside.front().name));
  }
  if (trash != nullptr) MAILDIRSYNC_TRY(trash->note_folder(tree, path, sync));
  for (const auto& entry : names) {
    const bool is_index = maildir::is_search_index(folder, entry.name);
    const bool is_kept = trash != nullptr && !is_area(entry.name) && !is_index && !maildir::is_left_out(entry.name);
    if (is_kept) MAILDIRSYNC_TRY(trash->take(tree, os::join(path, entry.name), sync));
    if (is_index) remove_all_in(folder, entry.name);
    const int flags = is_area(entry.name) || is_index ? AT_REMOVEDIR : 0;
    if (::unlinkat(folder.fd(), entry.name.c_str(), flags) == 0 || errno == ENOENT) continue;
    if (errno == ENOTEMPTY || errno == EEXIST) return not_empty(folder, entry.name);
    return os_failure(os::join(folder.path(), entry.name), "cannot remove", errno);
  }
  return {};
}

/// Of the directories above a removed account, those that the source does not have either go when they are empty.
void remove_empty_parents(const Tree& tree, os::SyncSet& sync) {
  std::string path = os::above(tree.account());
  for (auto depth = path.empty() ? 0 : 1 + std::count(path.begin(), path.end(), '/');
       depth > static_cast<std::ptrdiff_t>(tree.parents().size()); --depth) {
    const auto [parent, name] = os::split_last(path);
    auto opened = tree.root()->open_directory(parent);
    if (!opened || ::unlinkat(opened->fd(), name.c_str(), AT_REMOVEDIR) != 0) return;
    sync.add(std::make_shared<const os::Directory>(std::move(*opened)));
    path = parent;
  }
}

}  // namespace

Result<> make_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync) {
  const std::string& path = operation.to.folder;
  if (path.empty()) MAILDIRSYNC_TRY(make_parents(tree, sync));
  MAILDIRSYNC_ASSIGN(auto place, tree.place(path));
  MAILDIRSYNC_ASSIGN(auto folder, make_directory(place.directory, place.name, operation.folder.self, sync));
  MAILDIRSYNC_TRY(make_area(folder, "cur", operation.folder.cur, sync));
  MAILDIRSYNC_TRY(make_area(folder, "new", operation.folder.new_, sync));
  return make_area(folder, "tmp", operation.folder.tmp, sync);
}

Result<> rename_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync) {
  const auto missing = [&] {
    return failure(ErrorCode::unexpected, operation.from.folder, "the folder is not at the destination");
  };
  auto from = tree.place(operation.from.folder);
  MAILDIRSYNC_ASSIGN(auto to, tree.place(operation.to.folder));
  MAILDIRSYNC_ASSIGN(auto there, look(*to.directory, to.name));
  MAILDIRSYNC_ASSIGN(auto source,
                     from ? look(*from->directory, from->name) : Result<std::optional<struct stat>>(std::nullopt));
  if (!source) return there && S_ISDIR(there->st_mode) ? Result<>{} : missing();
  if (!S_ISDIR(source->st_mode)) return missing();
  MAILDIRSYNC_ASSIGN(auto account, tree.directory(""));
  MAILDIRSYNC_TRY(judge_links_below(*account, operation.from.folder, operation.to.folder));
  tree.forget();
  sync.add(from->directory);
  sync.add(to.directory);
  if (::renameat2(from->directory->fd(), from->name.c_str(), to.directory->fd(), to.name.c_str(), RENAME_NOREPLACE) ==
      0) {
    return {};
  }
  if (errno == EEXIST || errno == ENOTEMPTY) {
    return failure(ErrorCode::unexpected, operation.to.folder, "another folder has the name at the destination");
  }
  // Where RENAME_NOREPLACE is not known: rename(2) itself replaces no directory that holds anything.
  if (errno == EINVAL && !there &&
      ::renameat(from->directory->fd(), from->name.c_str(), to.directory->fd(), to.name.c_str()) == 0) {
    return {};
  }
  return os_failure(os::join(to.directory->path(), to.name), "cannot rename the folder", errno);
}

Result<> remove_folder(Tree& tree, const sync::Operation& operation, os::SyncSet& sync) {
  auto place = tree.place(operation.from.folder);
  if (!place) return Failure(place.error());  // what it lies in is away, perhaps only for the moment
  auto folder = place->directory->open_directory(place->name);
  sync.add(place->directory);
  if (!folder) {
    const Error& error = folder.error();
    const bool gone = error.code == ErrorCode::vanished || error.error_number == ENOTDIR || error.error_number == ELOOP;
    return gone ? Result<>{} : Failure(error);
  }
  Trash* trash = operation.to_trash ? tree.trash() : nullptr;
  MAILDIRSYNC_TRY(empty_folder(tree, *folder, operation.from.folder, trash, sync));
  tree.forget();
  if (::unlinkat(place->directory->fd(), place->name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    if (errno == ENOTEMPTY || errno == EEXIST) return not_empty(*folder, "something");
    return os_failure(folder->path(), "cannot remove the folder", errno);
  }
  if (operation.from.folder.empty()) remove_empty_parents(tree, sync);
  return {};
}

}  // namespace maildirsync::daemon
