#include "agent/state/log_sync.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace maildirsync::agent {

Result<> LogSync::run() {
  std::unique_lock lock(mutex_);
  const std::uint64_t call = ++asked_;
  while (covered_ < call) {
    if (running_) {
      ended_.wait(lock);
      continue;
    }
    running_ = true;
    const std::uint64_t covers = asked_;
    lock.unlock();
    const auto done = sync();
    lock.lock();
    running_ = false;
    covered_ = covers;
    if (!done) {
      failed_ = covers;
      error_ = done.error();
    }
    ended_.notify_all();
  }
  if (error_ && call <= failed_) return Failure(*error_);
  return {};
}

Result<> LogSync::sync() {
  // SQLite keeps the file while a connection is open, and no lock of its own on it that our descriptor could end.
  if (!log_) log_ = os::Fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  if (!log_ || ::fdatasync(log_.get()) != 0) {
    return Failure(Error{ErrorCode::state, path_, "the state database can't be synced", errno});
  }
  return {};
}

}  // namespace maildirsync::agent
