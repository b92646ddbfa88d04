#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include <inotifytools/inotifytools.h>
#include <sys/inotify.h>

#include "agent/watch/watcher.h"
#include "common/maildir/name.h"

namespace maildirsync::agent {

namespace {

constexpr std::uint32_t k_names = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_CLOSE_WRITE;
constexpr std::uint32_t k_self = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr std::size_t k_ring = 256;
constexpr int k_reads_at_once = 16;

std::uint32_t mask_of(Part part) {
  // Files in a root are nothing to us; that a directory's attributes change is its account's own matter.
  if (part == Part::root) return (k_names & ~static_cast<std::uint32_t>(IN_CLOSE_WRITE)) | k_self;
  // Control files are appended to by processes that may keep them open, and truncate(2) closes nothing. Messages are
  // written in tmp/, so in cur/ and new/ this tells only of tools that change them in place.
  return k_names | IN_MODIFY | k_self;
}

const char* word(Part part) {
  switch (part) {
    case Part::root:
      return "root";
    case Part::cur:
      return "cur";
    case Part::new_:
      return "new";
    case Part::folder:
      break;
  }
  return "folder";
}

bool is_left_out(Part part, const std::string& name) {
  if (part == Part::folder) return maildir::is_left_out(name);
  return part != Part::root && maildir::is_left_out_of_messages(name);
}

bool is_at_or_below(const std::string& path, const std::string& folder) {
  return folder.empty() || path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

class InotifyWatcher final : public Watcher {
 public:
  explicit InotifyWatcher(os::Fd fd) : fd_(std::move(fd)) {}

  Result<> watch(const os::Directory& directory, Place place) override {
    // By the descriptor: a path could mean another directory by now.
    const std::string path = "/proc/self/fd/" + std::to_string(directory.fd());
    // The lock reaches over both steps, so that no event is read whose descriptor is not known yet.
    const std::lock_guard lock(mutex_);
    const int wd = ::inotify_add_watch(fd_.get(), path.c_str(), mask_of(place.part));
    if (wd < 0) return refused(directory, errno);
    auto [found, is_new] = places_.try_emplace(wd);
    if (!is_new) drop_from_account(wd, found->second);
    if (place.part != Part::root) accounts_[place.owner].insert(wd);
    found->second = std::move(place);
    return {};
  }

  void forget_account(std::uint32_t account) override { forget_folder(account, ""); }

  void forget_folder(std::uint32_t account, const std::string& path) override {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account);
    if (found == accounts_.end()) return;
    std::erase_if(found->second, [&](int wd) {
      const auto place = places_.find(wd);
      if (!is_at_or_below(place->second.path, path)) return false;
      places_.erase(place);
      ::inotify_rm_watch(fd_.get(), wd);
      return true;
    });
    if (found->second.empty()) accounts_.erase(found);
  }

  int fd() const override { return fd_.get(); }

  std::vector<Event> read() override {
    std::vector<Event> events;
    alignas(struct inotify_event) std::array<char, 64 * 1024> buffer;
    for (int i = 0; i < k_reads_at_once; ++i) {
      const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      const std::lock_guard lock(mutex_);
      for (ssize_t offset = 0; offset < size;) {
        struct inotify_event header {};
        std::memcpy(&header, buffer.data() + offset, sizeof header);
        const char* name = buffer.data() + offset + sizeof header;
        translate(header, header.len == 0 ? "" : std::string(name, ::strnlen(name, header.len)), events);
        offset += static_cast<ssize_t>(sizeof header + header.len);
      }
    }
    return events;
  }

  std::size_t watches() const override {
    const std::lock_guard lock(mutex_);
    return places_.size();
  }

  std::vector<std::string> recent() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> lines;
    lines.reserve(ring_.size());
    for (const auto& seen : ring_) {
      lines.push_back(std::string(inotifytools_event_to_str(static_cast<int>(seen.mask))) + " " + seen.where);
    }
    return lines;
  }

 private:
  struct Seen {
    std::uint32_t mask = 0;
    std::string where;
  };

  static Failure refused(const os::Directory& directory, int error_number) {
    if (error_number == ENOSPC) {
      const int limit = inotifytools_get_max_user_watches();
      return failure(
          ErrorCode::unwatched, directory.path(),
          "no inotify watch is left; the folder is looked at periodically instead. Raise the limit: sysctl -w "
          "fs.inotify.max_user_watches=" +
              std::to_string(2L * limit));
    }
    return os_failure(directory.path(), "cannot watch the directory", error_number);
  }

  void drop_from_account(int wd, const Place& place) {
    if (place.part == Part::root) return;
    const auto found = accounts_.find(place.owner);
    if (found == accounts_.end()) return;
    found->second.erase(wd);
    if (found->second.empty()) accounts_.erase(found);
  }

  void translate(const struct inotify_event& header, std::string name, std::vector<Event>& events) {
    if ((header.mask & IN_Q_OVERFLOW) != 0) {
      remember(header.mask, "");
      events.push_back({EventKind::overflow, {}, ""});
      return;
    }
    const auto found = places_.find(header.wd);
    if (found == places_.end()) return;  // forgotten while the event waited
    const Place& place = found->second;
    if ((header.mask & IN_IGNORED) != 0) {  // what came before it has told already that the directory is gone
      drop_from_account(header.wd, place);
      places_.erase(found);
      return;
    }
    const bool is_directory = (header.mask & IN_ISDIR) != 0;
    const bool is_gone = (header.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0;
    if (!is_gone && !is_directory && (name.empty() || is_left_out(place.part, name))) return;
    if (!is_gone && !is_directory && place.part == Part::root && (header.mask & IN_ATTRIB) != 0) return;
    remember(header.mask, std::string(word(place.part)) + " " + os::join(place.path, name));
    const EventKind kind = is_gone ? EventKind::self_gone : is_directory ? EventKind::directory : EventKind::name;
    Event event{kind, place, std::move(name)};
    if (!events.empty() && same(events.back(), event)) return;  // an append is many writes
    events.push_back(std::move(event));
  }

  static bool same(const Event& left, const Event& right) {
    return left.kind == right.kind && left.name == right.name && left.place.part == right.place.part &&
           left.place.owner == right.place.owner && left.place.path == right.place.path;
  }

  void remember(std::uint32_t mask, std::string where) {
    if (ring_.size() == k_ring) ring_.pop_front();
    ring_.push_back({mask, std::move(where)});
  }

  os::Fd fd_;
  mutable std::mutex mutex_;
  std::unordered_map<int, Place> places_;
  std::unordered_map<std::uint32_t, std::unordered_set<int>> accounts_;
  std::deque<Seen> ring_;
};

}  // namespace

Result<std::unique_ptr<Watcher>> make_inotify_watcher() {
  os::Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) {
    return os_failure("inotify",
                      "cannot watch directories; if the limit of instances is used up, raise "
                      "fs.inotify.max_user_instances",
                      errno);
  }
  return std::make_unique<InotifyWatcher>(std::move(fd));
}

}  // namespace maildirsync::agent
