#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::agent {

/// Has the write-ahead log of the state database synced, apart from the connection and its lock: lanes go on reading
/// meanwhile. Any thread; those that ask while a sync is under way share the next one.
class LogSync {
 public:
  /// `log`: the path of the log, which is there once anything was written to the database.
  explicit LogSync(std::string log) : path_(std::move(log)) {}

  /// What was committed before the call is on the disk when it returns. An error is ErrorCode::state.
  Result<> run();

 private:
  Result<> sync();

  std::string path_;
  os::Fd log_;  ///< of whoever syncs
  std::mutex mutex_;
  std::condition_variable ended_;
  bool running_ = false;
  std::uint64_t asked_ = 0, covered_ = 0;  ///< numbers of calls: the newest, and the newest that is on the disk
  std::uint64_t failed_ = 0;               ///< the last call that a sync in vain was for …
  std::optional<Error> error_;             ///< … and why
};

}  // namespace maildirsync::agent
