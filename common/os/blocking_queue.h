#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace maildirsync::os {

/// Hands values from any thread to the one or more threads that take them. The only way between threads, apart from
/// posting to an event loop, so that no other state needs a lock. Thread-safe.
template <class T>
class BlockingQueue {
 public:
  /// False, and the value is dropped, once the queue is closed.
  bool push(T value) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      values_.push_back(std::move(value));
    }
    ready_.notify_one();
    return true;
  }

  /// The same for many, in their order.
  bool push_all(std::vector<T> values) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      std::move(values.begin(), values.end(), std::back_inserter(values_));
    }
    ready_.notify_all();
    return true;
  }

  /// Waits for a value; nothing once the queue is closed and empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !values_.empty(); });
    if (values_.empty()) return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

  /// Waits for at least one value and takes all that are there; empty once the queue is closed and empty.
  std::deque<T> pop_all() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !values_.empty(); });
    return std::exchange(values_, {});
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> values_;
  bool closed_ = false;
};

}  // namespace maildirsync::os
