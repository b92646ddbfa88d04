#pragma once

#include <memory>
#include <string>

#include "agent/state/sqlite.h"
#include "common/os/fd.h"

namespace maildirsync::agent {

/// The database file of a state directory, ready for use, and the lock that keeps a second agent out.
struct StateFile {
  os::Fd lock;
  std::unique_ptr<sqlite::Database> database;
  bool was_reset = false;  ///< a damaged one was put aside as state.db.corrupt-<time>
};

/// ErrorCode::exists when another process has the directory.
Result<StateFile> open_state_file(const std::string& directory);

}  // namespace maildirsync::agent
