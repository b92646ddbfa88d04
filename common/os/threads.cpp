#include "common/os/threads.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace maildirsync::os {

namespace {

constexpr auto k_idle = std::chrono::seconds(30);  // after that a thread ends

}  // namespace

struct Threads::Shared {
  explicit Shared(std::size_t limit) : most(limit) {}

  const std::size_t most;
  std::mutex mutex;
  std::condition_variable has_work, rests;
  std::deque<std::function<void()>> waiting;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool stopping = false;
};

Threads::Threads(std::size_t most) : shared_(std::make_shared<Shared>(most)) {}

Threads::~Threads() {
  stop();
}

void Threads::post(std::function<void()> work) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->stopping) return;
  shared_->waiting.push_back(std::move(work));
  if (shared_->waiting.size() > shared_->idle && shared_->threads < shared_->most) {
    ++shared_->threads;
    std::thread([shared = shared_] { Threads::serve(shared); }).detach();
  } else {
    shared_->has_work.notify_one();
  }
}

void Threads::stop() {
  std::deque<std::function<void()>> dropped;
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  dropped.swap(shared_->waiting);
  shared_->has_work.notify_all();
  shared_->rests.wait(lock, [this] { return shared_->threads == 0; });
}

void Threads::wait() {
  std::unique_lock lock(shared_->mutex);
  shared_->rests.wait(lock, [this] { return shared_->waiting.empty() && shared_->threads == shared_->idle; });
}

void Threads::serve(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    ++shared->idle;
    shared->rests.notify_all();
    shared->has_work.wait_for(lock, k_idle, [&] { return shared->stopping || !shared->waiting.empty(); });
    --shared->idle;
    if (shared->waiting.empty()) break;  // to be stopped, or nothing to do for long
    {
      const std::function<void()> task = std::move(shared->waiting.front());
      shared->waiting.pop_front();
      lock.unlock();
      task();
    }  // what it holds goes without the lock, too
    lock.lock();
  }
  --shared->threads;
  shared->rests.notify_all();
}

struct Strand::Shared {
  explicit Shared(Threads& all) : threads(all) {}

  Threads& threads;
  std::mutex mutex;
  std::deque<std::function<void()>> waiting;  ///< the first of them runs, or is about to
};

Strand::Strand(Threads& threads) : shared_(std::make_shared<Shared>(threads)) {}

void Strand::post(std::function<void()> work) {
  bool is_first = false;
  {
    const std::lock_guard lock(shared_->mutex);
    is_first = shared_->waiting.empty();
    shared_->waiting.push_back(std::move(work));
  }
  if (is_first) shared_->threads.post([shared = shared_] { run_first(shared); });
}

void Strand::run_first(const std::shared_ptr<Shared>& shared) {
  std::function<void()> task;
  {
    const std::lock_guard lock(shared->mutex);
    task = std::move(shared->waiting.front());
  }
  task();
  task = nullptr;  // what it holds goes before the next one runs
  bool has_more = false;
  {
    const std::lock_guard lock(shared->mutex);
    shared->waiting.pop_front();
    has_more = !shared->waiting.empty();
  }
  if (has_more) shared->threads.post([shared] { run_first(shared); });
}

}  // namespace maildirsync::os
