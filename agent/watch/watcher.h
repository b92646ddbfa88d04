#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/os/directory.h"
#include "common/os/result.h"

namespace maildirsync::agent {

/// What a watched directory is to us.
enum class Part : std::uint8_t {
  root,    ///< a root, or a directory between it and its accounts: accounts come and go here
  folder,  ///< a folder's own directory: control files and folders come and go
  cur,
  new_,
  tmp,  ///< its own attributes only; what is in it does not matter
};

/// Names a watched directory. For Part::root, `owner` is the root's index and `path` below the root; else `owner` is
/// the account's id and `path` the folder below the account.
struct Place {
  Part part = Part::folder;
  std::uint32_t owner = 0;
  std::string path;
};

enum class EventKind : std::uint8_t {
  name,       ///< `name` in `place` may have changed, come or gone
  directory,  ///< the same, and it is a directory
  self_gone,  ///< the watched directory itself was removed, moved away or unmounted; its watch may be gone
  overflow,   ///< events were lost: everything may have changed (place is meaningless)
};

struct Event {
  EventKind kind = EventKind::name;
  Place place;
  std::string name;
};

/// What was taken from the queue.
struct Events {
  std::vector<Event> events;
  bool more = false;  ///< the queue was not emptied; even then, what was taken may have been no event for us
};

/// Says where to look, nothing else. Thread-safe: lanes add watches while the event loop reads.
class Watcher {
 public:
  virtual ~Watcher() = default;

  /// Watches a directory from now on; if it is watched already (the same inode), its place is replaced: that is how a
  /// renamed folder gets its new path. Fails with ErrorCode::unwatched when it cannot be watched: the limit is used up
  /// (detail names the sysctl and the value to set), or its file system cannot; vanished when the directory is gone.
  virtual Result<> watch(const os::Directory& directory, Place place) = 0;
  /// Ends the watches of an account, all parts of all its folders. A folder that is removed takes its own along.
  virtual void forget_account(std::uint32_t account) = 0;

  /// Becomes readable when there are events; for the event loop.
  virtual int fd() const = 0;
  /// Takes what is there without blocking, a bounded part of it at a time; names that are left out
  /// (maildir::is_left_out) and those in tmp/ are dropped.
  virtual Events read() = 0;

  /// "inotify" or "fanotify".
  virtual const char* backend() const = 0;
  /// What would keep events from being lost, for people.
  virtual const char* overflow_remedy() const = 0;
  /// Directories that are watched.
  virtual std::size_t watches() const = 0;
  /// The last events, oldest first, as lines for people (a ring of 256).
  virtual std::vector<std::string> recent() const = 0;
};

/// inotify(7) behind the interface: one watch for each directory.
Result<std::unique_ptr<Watcher>> make_inotify_watcher();
/// fanotify(7) behind the interface: one mark for each file system. Needs CAP_SYS_ADMIN and Linux 5.9.
Result<std::unique_ptr<Watcher>> make_fanotify_watcher();

}  // namespace maildirsync::agent
