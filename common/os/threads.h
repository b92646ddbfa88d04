#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace maildirsync::os {

/// Threads for what blocks. A call that hangs (a mount of the network that does not answer) keeps its own thread and no
/// other: when all threads are busy, one more is made. Thread-safe.
class Threads {
 public:
  /// No more than `most` run at once; what comes then waits.
  explicit Threads(std::size_t most);
  /// As stop().
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  /// Runs `work` on a thread. After stop() it is dropped.
  void post(std::function<void()> work);
  /// Blocks until nothing waits and nothing is under way.
  void wait();
  /// Drops what waits and blocks until what is under way has ended.
  void stop();

 private:
  struct Shared;
  static void serve(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
};

/// Runs what it is given one after the other, in their order, on threads that others use too. Thread-safe.
class Strand {
 public:
  /// `threads` outlives all that is posted.
  explicit Strand(Threads& threads);

  void post(std::function<void()> work);

 private:
  struct Shared;
  static void run_first(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
};

}  // namespace maildirsync::os
