#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/os/way_to_write.h"
#include "common/sync/manifest.h"
#include "daemon/apply/tree.h"

namespace maildirsync::daemon {

/// A file that is being written and has no name that anybody looks at yet: without any name (O_TMPFILE), or, where the
/// file system has no such files or does not keep them over a power cut, under one of ours (".maildirsync.*") that goes
/// with this object. Moves between threads; used by one at a time.
class Aside {
 public:
  /// On the file system of `directory`, in the way that is right for it.
  static Result<Aside> create(DirectoryPtr directory, os::WayToWrite way);

  Aside(Aside&&) noexcept = default;
  Aside& operator=(Aside&& other) noexcept;
  ~Aside() { remove(); }

  Result<> write(std::string_view bytes) { return os::write_all(fd_.get(), bytes, directory_->path()); }

  /// Gives it the name, if that is free; `exists` when not, and it stays usable.
  Result<> link(const os::Directory& directory, const std::string& name);
  /// Gives it the name, which is taken from whatever has it, in one step.
  Result<> replace(const os::Directory& directory, const std::string& name);

  int fd() const { return fd_.get(); }
  /// Whether it has a name in the directory, whose stamps then differ from those before it was made.
  bool has_name() const { return !name_.empty(); }
  /// The file once it has its name, where the way wants it synced under that; closed for good otherwise.
  std::optional<os::Fd> take_file_to_sync();

 private:
  Aside(DirectoryPtr directory, os::Fd fd, std::string name, os::WayToWrite way)
      : directory_(std::move(directory)), fd_(std::move(fd)), name_(std::move(name)), way_(way) {}
  Result<> rename(const os::Directory& directory, const std::string& name, unsigned flags);
  Result<> expect_own(const os::Directory& directory, const std::string& name) const;
  void remove();

  DirectoryPtr directory_;
  os::Fd fd_;
  std::string name_;  ///< "" without one
  os::WayToWrite way_;
};

/// A name of ours that nothing else has.
std::string aside_name();
/// Takes such a name away. One that cannot be removed now is tried again by sweep_asides(). Thread-safe.
void remove_aside(const os::Directory& directory, const std::string& name);
void sweep_asides();
/// Whether it is such a name of a process that has ended.
bool is_stale_aside(const std::string& name);

/// Owner, mode and mtime through a descriptor, in the order that keeps the mode: chown(2) clears bits of it.
Result<> set_attributes(int fd, const sync::Attributes& attributes, std::int64_t mtime, const std::string& path);
/// Owner and mode of a directory, exactly.
Result<> set_directory_attributes(const os::Directory& directory, const sync::Attributes& attributes);

}  // namespace maildirsync::daemon
