// A folder is put back in this order: its directories; under Dovecot's lock of the uidlist, its messages, then lines
// for them in the uidlist. Dovecot gives UIDs under the same lock, so it sees both or none. The versions of the uidlist
// stay in the trash until the end, so that after a crash in between the next try finds them: whatever message of the
// folder has no line gets the one that an older version had for it.

#include "daemon/apply/restore.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec/digest.h"
#include "common/maildir/name.h"
#include "daemon/apply/account.h"
#include "daemon/apply/aside.h"
#include "daemon/apply/content.h"
#include "daemon/apply/copy.h"
#include "daemon/apply/folders.h"
#include "daemon/apply/index_files.h"

namespace maildirsync::daemon {

namespace {

using sync::Area;
using sync::Attributes;

constexpr int k_deepest = 128;
constexpr std::size_t k_messages_a_step = 2000;
constexpr std::size_t k_longest_uidlist = 64 * 1024 * 1024;
constexpr std::size_t k_longest_note = 64 * 1024;
const std::string k_uidlist = "dovecot-uidlist";
const std::string k_uidlist_lock = "dovecot-uidlist.lock";

bool is_directory(const os::Directory& parent, const os::DirectoryEntry& entry) {
  if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
  const auto status = parent.status(entry.name);
  return status && S_ISDIR(status->st_mode);
}

bool is_area(std::string_view name) {
  return name == "cur" || name == "new" || name == "tmp";
}

const char* directory_name(Area area) {
  return area == Area::cur ? "cur" : "new";
}

DirectoryPtr shared(os::Directory directory) {
  return std::make_shared<const os::Directory>(std::move(directory));
}

std::optional<std::string> read_text(const os::Directory& directory, const std::string& name, std::size_t longest) {
  const auto fd = directory.open_for_reading(name);
  if (!fd) return std::nullopt;
  auto text = os::read_all(fd->get(), longest, name);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

/// "self 0700 5000 5000", "cur …": what the directories were like.
std::map<std::string, Attributes> shape_of(const os::Directory& place) {
  std::map<std::string, Attributes> shape;
  const auto text = read_text(place, std::string(k_trash_shape), k_longest_note);
  for (std::size_t at = 0; text && at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    char what[8] = {};
    Attributes attributes;
    const std::string line = text->substr(at, end - at);
    if (std::sscanf(line.c_str(), "%7s %o %u %u", what, &attributes.mode, &attributes.uid, &attributes.gid) == 4) {
      shape.emplace(what, attributes);
    }
    at = end + 1;
  }
  return shape;
}

std::optional<Attributes> find(const std::map<std::string, Attributes>& shape, const std::string& what) {
  const auto found = shape.find(what);
  return found == shape.end() ? std::nullopt : std::optional(found->second);
}

/// Whether both have a uidlist that speaks of the same UIDs.
bool is_of_same_validity(const os::Directory& left, const os::Directory& right) {
  const auto validity = [](const os::Directory& directory) -> std::optional<std::uint32_t> {
    const auto text = read_text(directory, k_uidlist, k_longest_uidlist);
    const auto list = text ? maildir::parse_uidlist(*text) : std::nullopt;
    return list ? std::optional(list->validity) : std::nullopt;
  };
  const auto one = validity(left);
  return one && one == validity(right);
}

/// Moves a name that must be free there; `exists` when it is not.
Result<> move_back(const os::Directory& from, const std::string& name, const DirectoryPtr& to, const std::string& as) {
  if (::renameat2(from.fd(), name.c_str(), to->fd(), as.c_str(), RENAME_NOREPLACE) == 0) return {};
  int error_number = errno;
  if (error_number == EINVAL) {
    if (::linkat(from.fd(), name.c_str(), to->fd(), as.c_str(), 0) == 0) {
      ::unlinkat(from.fd(), name.c_str(), 0);
      return {};
    }
    error_number = errno;
  }
  if (error_number != EXDEV) return os_failure(os::join(to->path(), as), "cannot put back the file", error_number);
  MAILDIRSYNC_ASSIGN(auto copy, copy_of(from, name, to));
  MAILDIRSYNC_TRY(name_file(copy, *to, as));
  if (::fsync(to->fd()) != 0) return os_failure(to->path(), "cannot sync to the disk", errno);
  ::unlinkat(from.fd(), name.c_str(), 0);
  return {};
}

/// Dovecot's lock of a folder's UIDs (a dotlock): for the moment in which it exists.
class UidlistLock {
 public:
  explicit UidlistLock(DirectoryPtr folder) : folder_(std::move(folder)) {
    constexpr int k_tries = 10;
    for (int i = 0; i < k_tries && !held_; ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const auto fd = folder_->open(k_uidlist_lock, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600);
      held_ = fd.has_value();
    }
  }
  ~UidlistLock() {
    if (held_) ::unlinkat(folder_->fd(), k_uidlist_lock.c_str(), 0);
  }
  UidlistLock(const UidlistLock&) = delete;
  UidlistLock& operator=(const UidlistLock&) = delete;
  bool held() const { return held_; }

 private:
  DirectoryPtr folder_;
  bool held_ = false;
};

}  // namespace

struct Restoration::Folder {
  std::string path;  ///< below the account
  DirectoryPtr trash, live;
  std::map<Area, DirectoryPtr> trash_areas, live_areas;
  std::deque<std::pair<Area, std::string>> waiting;
  std::multimap<std::string, std::pair<Area, std::string>>
      names;                       ///< of the live messages, by what stands before the flags
  std::set<std::string> put_back;  ///< the same of those that were put back
};

Restoration::Restoration(DirectoryPtr root, TrashedAccount what) : root_(std::move(root)), what_(std::move(what)) {
  const auto trash = open_trash(*root_);
  if (!trash) return;
  auto account = trash->open_directory(os::join(what_.date, what_.path));
  if (!account) return;
  trash_ = shared(std::move(*account));
  find_folders(*trash_, "", 0);
}

Restoration::~Restoration() = default;

void Restoration::find_folders(const os::Directory& directory, const std::string& path, int depth) {
  folders_.push_back(path);
  const auto names = directory.list();
  if (!names || depth > k_deepest) return;
  for (const auto& entry : *names) {
    if (is_area(entry.name) || !is_directory(directory, entry)) continue;
    if (const auto below = directory.open_directory(entry.name)) {
      find_folders(*below, os::join(path, entry.name), depth + 1);
    }
  }
}

void Restoration::stays(const std::string& path, const std::string& why) {
  result_.in_trash.push_back((path.empty() ? what_.path : path) + ": " + why);
}

bool Restoration::step(os::SyncSet& sync) {
  if (!folder_) {
    if (folders_.empty()) return false;
    folder_ = std::make_unique<Folder>();
    folder_->path = std::move(folders_.front());
    folders_.pop_front();
    if (const auto begun = begin_folder(sync); !begun) {
      stays(folder_->path, begun.error().message());
      folder_.reset();
      return true;
    }
  }
  if (const auto done = some_messages(sync); !done) {
    stays(folder_->path, done.error().message());
    folder_.reset();
  } else if (folder_->waiting.empty()) {
    control_files(sync);
    folder_.reset();
  }
  return true;
}

/// Opens it, or makes it as it was, with those above it.
Result<DirectoryPtr> Restoration::live_directory(const std::string& path, os::SyncSet& sync) {
  MAILDIRSYNC_ASSIGN(const auto trash, open_trash(*root_));
  DirectoryPtr live = root_;
  const std::string whole = os::join(what_.path, path);
  for (std::size_t begin = 0; begin < whole.size();) {
    const auto end = std::min(whole.find('/', begin), whole.size());
    const std::string name = whole.substr(begin, end - begin);
    if (auto there = live->open_directory(name)) {
      live = shared(std::move(*there));
    } else if (there.error().code != ErrorCode::vanished) {
      return Failure(there.error());
    } else {
      const auto place = trash.open_directory(os::join(what_.date, whole.substr(0, end)));
      auto made = make_directory(live, name, place ? find(shape_of(*place), "self") : std::nullopt, sync);
      if (!made) return made;
      live = *made;
    }
    begin = end + 1;
  }
  return live;
}

Result<> Restoration::begin_folder(os::SyncSet& sync) {
  Folder& folder = *folder_;
  MAILDIRSYNC_ASSIGN(auto trash, trash_->open_directory(folder.path));
  folder.trash = shared(std::move(trash));
  MAILDIRSYNC_ASSIGN(auto live, live_directory(folder.path, sync));
  folder.live = live;
  const auto shape = shape_of(*folder.trash);
  for (const char* area : {"cur", "new", "tmp"}) {
    const bool was_there = shape.contains(area) || folder.trash->status(area);
    if (!was_there || folder.live->status(area)) continue;
    MAILDIRSYNC_TRY(make_directory(folder.live, area, find(shape, area), sync));
  }
  for (const Area area : {Area::cur, Area::new_}) {
    if (auto there = folder.live->open_directory(directory_name(area))) {
      folder.live_areas[area] = shared(std::move(*there));
      MAILDIRSYNC_ASSIGN(const auto names, folder.live_areas[area]->list());
      for (const auto& entry : names)
        folder.names.emplace(std::string(maildir::base_of(entry.name)), std::pair(area, entry.name));
    }
    if (auto there = folder.trash->open_directory(directory_name(area))) {
      folder.trash_areas[area] = shared(std::move(*there));
      MAILDIRSYNC_ASSIGN(const auto names, folder.trash_areas[area]->list());
      for (const auto& entry : names) {
        if (!is_trash_note(entry.name)) folder.waiting.emplace_back(area, entry.name);
      }
    }
  }
  return {};
}

Result<> Restoration::some_messages(os::SyncSet& sync) {
  Folder& folder = *folder_;
  if (folder.live_areas.empty()) return {};
  const UidlistLock lock(folder.live);
  if (!lock.held()) {
    return failure(ErrorCode::exists, folder.path,
                   "a Dovecot holds the lock of the folder's uidlist; what is not put back yet stays in the trash: try "
                   "again");
  }
  for (std::size_t i = 0; i < k_messages_a_step && !folder.waiting.empty(); ++i) {
    const auto [area, name] = std::move(folder.waiting.front());
    folder.waiting.pop_front();
    if (const auto done = message(area, name, sync); !done) {
      stays(os::join(folder.path, os::join(directory_name(area), name)), done.error().message());
    }
  }
  // The whole one, where it went with its folder, needs no new lines.
  if (const auto moved = move_back(*folder.trash, k_uidlist, folder.live, k_uidlist); moved) {
    ++result_.files;
    sync.add(folder.trash);
    sync.add(folder.live);
  }
  return give_uids(sync);
}

Result<> Restoration::message(Area area, const std::string& name, os::SyncSet& sync) {
  Folder& folder = *folder_;
  const DirectoryPtr& from = folder.trash_areas.at(area);
  if (!folder.live_areas.contains(area)) {
    return failure(ErrorCode::unexpected, name, "the folder has no such directory any more");
  }
  const DirectoryPtr& to = folder.live_areas.at(area);
  MAILDIRSYNC_ASSIGN(const auto status, from->status(name));
  std::string as = name;
  const std::string base(maildir::base_of(name));
  const auto [first, last] = folder.names.equal_range(base);
  for (auto known = first; known != last; ++known) {
    const auto there = folder.live_areas.at(known->second.first)->status(known->second.second);
    if (!there) continue;
    if (there->st_size == status.st_size && os::nanoseconds(there->st_mtim) == os::nanoseconds(status.st_mtim)) {
      ++result_.present;
      return {};
    }
    MAILDIRSYNC_ASSIGN(const auto fd, from->open_for_reading(name));
    MAILDIRSYNC_ASSIGN(const auto digest, codec::digest_of(fd.get(), name));
    as = name_of_conflict(name, digest);
  }
  MAILDIRSYNC_TRY(move_back(*from, name, to, as));
  sync.add(from);
  sync.add(to);
  if (as != name) {
    result_.beside.push_back(os::join(folder.path, os::join(directory_name(area), name)) + ": is there as " + as);
  }
  ++result_.messages;
  result_.marked_deleted += maildir::split(as).flags.find('T') != std::string_view::npos ? 1 : 0;
  result_.bytes += static_cast<std::uint64_t>(status.st_size);
  folder.names.emplace(std::string(maildir::base_of(as)), std::pair(area, as));
  folder.put_back.insert(std::string(maildir::base_of(as)));
  return {};
}

/// Lines for what was put back, and for what a try before this one put back.
Result<> Restoration::give_uids(os::SyncSet& sync) {
  Folder& folder = *folder_;
  std::vector<maildir::Uidlist> older;
  std::optional<struct stat> owner;
  const auto add = [&](const std::string& name) {
    const auto status = folder.trash->status(name);
    const auto text = status ? read_text(*folder.trash, name, k_longest_uidlist) : std::nullopt;
    auto list = text ? maildir::parse_uidlist(*text) : std::nullopt;
    if (!list) return status.has_value();
    older.push_back(std::move(*list));
    if (!owner) owner = *status;
    return true;
  };
  add(k_uidlist);
  unsigned count = 0;
  while (folder.trash->status(fmt::format("{}{}", k_trash_uidlist, count + 1)))
    ++count;
  for (; count > 0; --count)
    add(fmt::format("{}{}", k_trash_uidlist, count));
  std::optional<maildir::Uidlist> now;
  std::string before;
  if (auto text = read_text(*folder.live, k_uidlist, k_longest_uidlist)) {
    before = std::move(*text);
    now = maildir::parse_uidlist(before);
    if (!now) return {};  // of another version: Dovecot reads it, we do not
    if (const auto status = folder.live->status(k_uidlist)) owner = *status;
  }
  std::set<std::string> wanted;
  for (const auto& [base, where] : folder.names)
    wanted.insert(base);
  const auto reunion = maildir::reunite(now, older, wanted);
  for (const auto& base : folder.put_back)
    result_.new_uids += reunion.found.contains(base) ? 0 : 1;
  folder.put_back.clear();
  const std::string text = maildir::format_uidlist(reunion.list);
  const bool is_changed = now ? reunion.list.lines.size() != now->lines.size() : !reunion.list.lines.empty();
  if (!is_changed || !owner) return {};
  MAILDIRSYNC_ASSIGN(auto file, create_file(folder.live));
  MAILDIRSYNC_TRY(file.write(text));
  const Attributes attributes{static_cast<std::uint32_t>(owner->st_mode & 07777), owner->st_uid, owner->st_gid};
  struct stat written {};
  if (::fstat(file.fd(), &written) != 0) return os_failure(folder.path, "cannot stat", errno);
  MAILDIRSYNC_TRY(set_attributes(file.fd(), attributes, os::nanoseconds(written.st_mtim), k_uidlist));
  if (::fsync(file.fd()) != 0) return os_failure(folder.path, "cannot sync to the disk", errno);
  MAILDIRSYNC_TRY(file.replace(*folder.live, k_uidlist));
  if (auto again = file.take_file_to_sync()) sync.add(std::move(*again));
  sync.add(folder.live);
  // They remember the messages as expunged, and would give them new UIDs.
  remove_indexes(*folder.live);
  return {};
}

void Restoration::control_files(os::SyncSet& sync) {
  Folder& folder = *folder_;
  const auto names = folder.trash->list();
  if (!names) return;
  for (const auto& entry : *names) {
    if (is_trash_note(entry.name) || is_directory(*folder.trash, entry)) continue;
    const auto moved = move_back(*folder.trash, entry.name, folder.live, entry.name);
    if (moved) {
      ++result_.files;
      sync.add(folder.trash);
      sync.add(folder.live);
    } else if (entry.name == k_uidlist && is_of_same_validity(*folder.trash, *folder.live)) {
      ::unlinkat(folder.trash->fd(), entry.name.c_str(), 0);  // its lines are in the one that is there
    } else {
      const bool is_taken = moved.error().code == ErrorCode::exists;
      stays(os::join(folder.path, entry.name),
            is_taken ? "there is a file of that name, and it was left alone" : moved.error().message());
    }
  }
}

}  // namespace maildirsync::daemon
