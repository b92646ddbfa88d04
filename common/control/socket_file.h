#pragma once

#include <string>

#include <sys/types.h>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::control {

/// The file of a Unix socket, and a descriptor that listens on it. Taken away at its end, when it is still ours.
class SocketFile {
 public:
  /// Makes it, mode 0660, and the directory above it, mode 0755. A file that a killed daemon left is replaced; one on
  /// which a daemon answers, and anything else in its place, is ErrorCode::exists.
  static Result<SocketFile> listen(const std::string& path);

  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

  /// Once, for whoever accepts.
  os::Fd take_listener() { return std::move(listener_); }

 private:
  SocketFile(std::string path, os::Fd listener, dev_t device, ino_t inode);

  std::string path_;  ///< empty when moved from
  os::Fd listener_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace maildirsync::control
