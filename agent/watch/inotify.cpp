#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include <inotifytools/inotifytools.h>
#include <sys/inotify.h>

#include "agent/watch/kernel_watcher.h"

namespace maildirsync::agent {

namespace {

constexpr int k_reads_at_once = 16;

class InotifyWatcher final : public KernelWatcher<int> {
 public:
  using KernelWatcher::KernelWatcher;

  Result<> watch(const os::Directory& directory, Place place) override {
    if (place.part == Part::tmp) return {};  // the folder's own watch tells of its attributes
    // By the descriptor: a path could mean another directory by now.
    const std::string path = "/proc/self/fd/" + std::to_string(directory.fd());
    // The lock reaches over both steps, so that no event is read whose descriptor is not known yet.
    const std::lock_guard lock(mutex_);
    const std::uint32_t mask = mask_of(place.part) | IN_ONLYDIR | IN_EXCL_UNLINK;
    const int wd = ::inotify_add_watch(fd_.get(), path.c_str(), mask);
    if (wd < 0) return refused(directory, errno);
    places_.put(wd, std::move(place));
    return {};
  }

  void forget_account(std::uint32_t account) override {
    const std::lock_guard lock(mutex_);
    places_.forget(account, [this](int wd) { ::inotify_rm_watch(fd_.get(), wd); });
  }

  Events read() override {
    Events taken;
    alignas(struct inotify_event) std::array<char, 64 * 1024> buffer;
    for (int i = 0; i < k_reads_at_once; ++i) {
      const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return taken;
      const std::lock_guard lock(mutex_);
      for (ssize_t offset = 0; offset < size;) {
        struct inotify_event header {};
        std::memcpy(&header, buffer.data() + offset, sizeof header);
        const char* name = buffer.data() + offset + sizeof header;
        translate(header, header.len == 0 ? "" : std::string(name, ::strnlen(name, header.len)), taken.events);
        offset += static_cast<ssize_t>(sizeof header + header.len);
      }
    }
    taken.more = true;
    return taken;
  }

  const char* backend() const override { return "inotify"; }
  const char* overflow_remedy() const override { return "raise fs.inotify.max_queued_events"; }

 private:
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

  void translate(const struct inotify_event& header, std::string name, std::vector<Event>& events) {
    if ((header.mask & IN_Q_OVERFLOW) != 0) return translator_.add_overflow(events);
    const auto place = places_.find(header.wd);
    if (!place) return;                     // forgotten while the event waited
    if ((header.mask & IN_IGNORED) != 0) {  // what came before it has told already that the directory is gone
      places_.erase(header.wd);
      return;
    }
    translator_.add(*place, header.mask, std::move(name), events);
  }
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
