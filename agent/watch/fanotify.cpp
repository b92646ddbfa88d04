#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

#include "agent/watch/kernel_watcher.h"
#include "common/codec/digest.h"

#ifndef AT_HANDLE_MNT_ID_UNIQUE
#define AT_HANDLE_MNT_ID_UNIQUE 0x001  // Linux 6.12
#endif

// One mark makes a whole file system tell of every name that comes, goes or changes, each with the file handle of its
// directory. watch() notes the handle of a directory of ours; an event whose handle is not noted is somebody else's,
// and costs one look into a table. Nothing is opened and no path is looked up for an event.
//
// The rule "watch first, then list" holds: the mark is set before a handle is noted, and an event that is read before
// that was queued before the caller lists the directory.
//
// Renames come as two events (FAN_MOVED_FROM, FAN_MOVED_TO) and not as one FAN_RENAME, because the kernel merges the
// former with what already waits about the same name, which is what keeps the unlimited queue short.

namespace maildirsync::agent {

namespace {

static_assert(FAN_MODIFY == IN_MODIFY && FAN_ATTRIB == IN_ATTRIB && FAN_CLOSE_WRITE == IN_CLOSE_WRITE &&
              FAN_MOVED_FROM == IN_MOVED_FROM && FAN_MOVED_TO == IN_MOVED_TO && FAN_CREATE == IN_CREATE &&
              FAN_DELETE == IN_DELETE && FAN_DELETE_SELF == IN_DELETE_SELF && FAN_MOVE_SELF == IN_MOVE_SELF &&
              FAN_Q_OVERFLOW == IN_Q_OVERFLOW && FAN_ONDIR == IN_ISDIR);

constexpr unsigned k_group =
    FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_CLOEXEC | FAN_NONBLOCK;
constexpr int k_reads_at_once = 16;
constexpr std::size_t k_most_file_systems = 255;

/// A directory: the digest of its file system's number and its handle, for handles differ in length.
using Key = sync::Digest;

struct HashOfKey {
  std::size_t operator()(const Key& key) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, key.bytes.data(), sizeof hash);
    return hash;
  }
};

Key key_of(std::size_t file_system, int type, const void* handle, std::size_t size) {
  std::array<char, 2 + MAX_HANDLE_SZ> bytes;
  bytes[0] = static_cast<char>(file_system);
  bytes[1] = static_cast<char>(type);
  std::memcpy(&bytes[2], handle, size);
  return codec::digest({bytes.data(), 2 + size});
}

std::uint64_t number_of(const void* fsid) {
  std::uint64_t number = 0;
  std::memcpy(&number, fsid, sizeof number);
  return number;
}

/// The handle of an open directory, and the mount through which it was reached.
struct Named {
  alignas(struct file_handle) std::array<char, sizeof(struct file_handle) + MAX_HANDLE_SZ> bytes{};
  std::uint64_t mount = 0;

  const struct file_handle& handle() const { return *reinterpret_cast<const struct file_handle*>(bytes.data()); }

  /// 0, or the errno.
  int ask(int directory) {
    static_assert(sizeof(int) <= sizeof mount);
    for (const int unique : {AT_HANDLE_MNT_ID_UNIQUE, 0}) {  // a number that is used once only, where the kernel has it
      auto* handle = reinterpret_cast<struct file_handle*>(bytes.data());
      handle->handle_bytes = MAX_HANDLE_SZ;
      mount = 0;
      if (::name_to_handle_at(directory, "", handle, reinterpret_cast<int*>(&mount), AT_EMPTY_PATH | unique) == 0) {
        return 0;
      }
      if (errno != EINVAL) return errno;
    }
    return EINVAL;
  }
};

class FanotifyWatcher final : public KernelWatcher<Key, HashOfKey> {
 public:
  using KernelWatcher::KernelWatcher;

  Result<> watch(const os::Directory& directory, Place place) override {
    Named named;
    if (const int error = named.ask(directory.fd()); error != 0) {
      return refused(directory, "its file system gives no file handles", error);
    }
    const std::lock_guard lock(mutex_);
    // A mount's number may be another file system's by now (before Linux 6.12): an account's own look makes sure.
    MAILDIRSYNC_ASSIGN(auto file_system, marked(directory, named.mount, place.path.empty()));
    const auto& handle = named.handle();
    places_.put(key_of(file_system, handle.handle_type, handle.f_handle, handle.handle_bytes), std::move(place));
    return {};
  }

  void forget_account(std::uint32_t account) override {
    const std::lock_guard lock(mutex_);
    places_.forget(account, [](const Key&) {});
  }

  Events read() override {
    Events taken;
    alignas(struct fanotify_event_metadata) std::array<char, 64 * 1024> buffer;
    for (int i = 0; i < k_reads_at_once; ++i) {
      const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return taken;
      const std::lock_guard lock(mutex_);
      struct fanotify_event_metadata header {};
      for (std::size_t left = static_cast<std::size_t>(size), offset = 0; left >= sizeof header;) {
        std::memcpy(&header, buffer.data() + offset, sizeof header);
        if (header.event_len < sizeof header || header.event_len > left) break;
        translate(header, buffer.data() + offset, taken.events);
        offset += header.event_len;
        left -= header.event_len;
      }
    }
    taken.more = true;
    return taken;
  }

  const char* backend() const override { return "fanotify"; }
  const char* overflow_remedy() const override {
    return "the kernel had no memory for an event: raise the unit's MemoryMax";
  }

 private:
  static Failure refused(const os::Directory& directory, const std::string& why, int error_number) {
    Error error = os_error(directory.path(), "fanotify cannot watch it: " + why + "; [watch] backend = \"inotify\" can",
                           error_number);
    if (error.code != ErrorCode::vanished) error.code = ErrorCode::unwatched;
    return Failure(std::move(error));
  }

  /// The number of the directory's file system, which has its mark.
  Result<std::size_t> marked(const os::Directory& directory, std::uint64_t mount, bool make_sure) {
    const auto known = mounts_.find(mount);
    if (known != mounts_.end() && !make_sure) return known->second;
    constexpr unsigned k_mark = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;
    const std::uint64_t mask = mask_of(Part::folder) | FAN_ONDIR;
    if (::fanotify_mark(fd_.get(), k_mark, mask, directory.fd(), nullptr) != 0) {
      // A subvolume (btrfs) below a directory whose whole file system has its mark already.
      if (errno == EXDEV && known != mounts_.end()) return known->second;
      return refused(directory, why_no_mark(errno), errno);
    }
    struct statfs status {};
    if (::fstatfs(directory.fd(), &status) != 0) return refused(directory, "its file system does not answer", errno);
    const std::uint64_t id = number_of(&status.f_fsid);
    auto found = std::find(file_systems_.begin(), file_systems_.end(), id);
    if (found == file_systems_.end()) {
      if (file_systems_.size() == k_most_file_systems) return refused(directory, "there are too many file systems", 0);
      file_systems_.push_back(id);
      found = std::prev(file_systems_.end());
    }
    const auto number = static_cast<std::size_t>(found - file_systems_.begin());
    mounts_[mount] = number;
    return number;
  }

  static std::string why_no_mark(int error_number) {
    switch (error_number) {
      case EXDEV:
        return "it lies in a subvolume, and events name only the whole file system";
      case ENODEV:
        return "its file system has no id";
      case EOPNOTSUPP:
        return "its file system gives no file handles that can be told in events";
      default:
        return "its file system cannot be marked";
    }
  }

  void translate(const struct fanotify_event_metadata& header, const char* event, std::vector<Event>& events) {
    // An event that this program cannot read may be about anything.
    if ((header.mask & FAN_Q_OVERFLOW) != 0 || header.vers != FANOTIFY_METADATA_VERSION) {
      return translator_.add_overflow(events);
    }
    struct fanotify_event_info_fid info {};
    for (std::size_t offset = header.metadata_len; offset + sizeof info <= header.event_len;) {
      std::memcpy(&info, event + offset, sizeof info);
      if (info.hdr.len < sizeof info || info.hdr.len > header.event_len - offset) return;
      if (info.hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
        translate(header.mask, info, {event + offset + sizeof info, info.hdr.len - sizeof info}, events);
      }
      offset += info.hdr.len;
    }
  }

  /// `rest`: a file handle, and after it the name, padded with NUL.
  void translate(std::uint64_t mask, const struct fanotify_event_info_fid& info, std::string_view rest,
                 std::vector<Event>& events) {
    struct file_handle handle {};
    constexpr std::size_t k_head = offsetof(struct file_handle, f_handle);
    if (rest.size() < k_head) return;
    std::memcpy(&handle, rest.data(), k_head);
    if (handle.handle_bytes > std::min<std::size_t>(rest.size() - k_head, MAX_HANDLE_SZ)) return;
    const auto file_system = std::find(file_systems_.begin(), file_systems_.end(), number_of(&info.fsid));
    if (file_system == file_systems_.end()) return;
    const Key key = key_of(static_cast<std::size_t>(file_system - file_systems_.begin()), handle.handle_type,
                           rest.data() + k_head, handle.handle_bytes);
    const auto place = places_.find(key);
    if (!place) return;  // not ours
    rest.remove_prefix(k_head + handle.handle_bytes);
    std::string name(rest.substr(0, rest.find('\0')));
    if (name == ".") name.clear();  // about the directory itself
    translator_.add(*place, static_cast<std::uint32_t>(mask), std::move(name), events);
    if ((mask & FAN_DELETE_SELF) != 0) places_.erase(key);
  }

  std::vector<std::uint64_t> file_systems_;      ///< ids of those with a mark; the place is the number in keys
  std::map<std::uint64_t, std::size_t> mounts_;  ///< to file_systems_
};

}  // namespace

Result<std::unique_ptr<Watcher>> make_fanotify_watcher() {
  os::Fd fd(::fanotify_init(k_group, O_RDONLY | O_LARGEFILE));
  if (fd) return std::make_unique<FanotifyWatcher>(std::move(fd));
  switch (errno) {
    case EPERM:
      return os_failure("fanotify", "CAP_SYS_ADMIN is missing, or the unit's system call filter stops it", errno);
    case EINVAL:
    case ENOSYS:
      return os_failure("fanotify", "this kernel cannot tell names; Linux 5.9 and newer can", errno);
    case EMFILE:
      return os_failure("fanotify", "the limit of groups is used up; raise fs.fanotify.max_user_groups", errno);
    default:
      return os_failure("fanotify", "cannot be used", errno);
  }
}

}  // namespace maildirsync::agent
