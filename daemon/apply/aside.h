#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/manifest.h"
#include "daemon/apply/tree.h"

namespace maildirsync::daemon {

/// A file that is being written and has no name that anybody looks at yet: without any name (O_TMPFILE), or, where the
/// file system has no such files, under one of ours (".maildirsync.*") that goes with this object. Moves between
/// threads; used by one at a time.
class Aside {
 public:
  /// On the file system of `directory`.
  static Result<Aside> create(DirectoryPtr directory);

  Aside(Aside&&) noexcept = default;
  Aside& operator=(Aside&& other) noexcept;
  ~Aside() { remove(); }

  Result<> write(std::string_view bytes) { return os::write_all(fd_.get(), bytes, directory_->path()); }

  /// Gives it the name, if that is free; `exists` when not. Stays usable then.
  Result<> link(const os::Directory& directory, const std::string& name);
  /// Gives it the name and takes it from whatever has it, at once.
  Result<> replace(const os::Directory& directory, const std::string& name);

  int fd() const { return fd_.get(); }

 private:
  Aside(DirectoryPtr directory, os::Fd fd, std::string name)
      : directory_(std::move(directory)), fd_(std::move(fd)), name_(std::move(name)) {}
  void remove();

  DirectoryPtr directory_;
  os::Fd fd_;
  std::string name_;  ///< "" without one
};

/// A name of ours that nothing else has.
std::string aside_name();

/// Owner, mode and mtime through a descriptor, in the order that keeps the mode: chown(2) clears bits of it.
Result<> set_attributes(int fd, const sync::Attributes& attributes, std::int64_t mtime, const std::string& path);
/// Owner and mode of a directory, exactly.
Result<> set_directory_attributes(const os::Directory& directory, const sync::Attributes& attributes);

}  // namespace maildirsync::daemon
