#include "agent/link/outbox.h"

#include "common/wire/frame.h"

namespace maildirsync::agent {

namespace {
// Less than is sent between two thoughts about the level: it shows in each of them whether the wire is waited for.
constexpr std::size_t k_write_ahead = 1024 * 1024;
}  // namespace

std::uint64_t Outbox::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  waiting_ = {};
  sequence_ = 0;
  unacknowledged_bytes_ = 0;
  unacknowledged_operations_ = 0;
  return ++epoch_;
}

std::vector<Sent> Outbox::close() {
  Batch dropped;
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
    std::swap(dropped, waiting_);
  }
  room_.notify_all();
  return std::move(dropped.sent);
}

std::uint64_t Outbox::epoch() const {
  const std::lock_guard lock(mutex_);
  return epoch_;
}

std::uint64_t Outbox::next_sequence(std::uint64_t epoch) {
  const std::lock_guard lock(mutex_);
  return epoch == epoch_ ? ++sequence_ : 0;
}

bool Outbox::push(std::uint64_t epoch, std::string_view frames, std::vector<Sent> sent) {
  bool wake = false;
  {
    std::unique_lock lock(mutex_);
    const auto gone = [&] { return !open_ || epoch_ != epoch; };
    const auto has_room = [&] {
      return waiting_.bytes.size() < k_write_ahead && unacknowledged_bytes_ < k_limit &&
             unacknowledged_operations_ < k_operation_limit;
    };
    if (!gone() && !has_room()) {
      const auto start = std::chrono::steady_clock::now();
      ++held_up_;
      room_.wait(lock, [&] { return gone() || has_room(); });
      --held_up_;
      waited_ += std::chrono::steady_clock::now() - start;
    }
    if (gone()) return false;
    wake = waiting_.bytes.empty();
    waiting_.bytes += frames;
    if (!sent.empty()) {  // the last one stands for all: their room is free when that is acknowledged
      sent.back().bytes = frames.size();
      unacknowledged_bytes_ += frames.size();
      unacknowledged_operations_ += sent.size();
    }
    std::move(sent.begin(), sent.end(), std::back_inserter(waiting_.sent));
  }
  if (wake) wake_();
  return true;
}

bool Outbox::push(std::uint64_t epoch, const wire::Header& header, std::string_view payload, std::optional<Sent> sent) {
  std::string frame;
  wire::encode(header, payload, frame);
  std::vector<Sent> sents;
  if (sent) sents.push_back(std::move(*sent));
  return push(epoch, frame, std::move(sents));
}

void Outbox::push_urgent(const wire::Header& header) {
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return;
    wire::encode(header, {}, waiting_.bytes);
  }
  wake_();
}

Outbox::Batch Outbox::take() {
  Batch batch;
  {
    const std::lock_guard lock(mutex_);
    std::swap(batch, waiting_);
  }
  room_.notify_all();
  return batch;
}

void Outbox::acknowledged(std::size_t operations, std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    unacknowledged_bytes_ -= std::min(bytes, unacknowledged_bytes_);
    unacknowledged_operations_ -= std::min(operations, unacknowledged_operations_);
  }
  room_.notify_all();
}

bool Outbox::holds_up() const {
  const std::lock_guard lock(mutex_);
  return held_up_ > 0;
}

std::chrono::nanoseconds Outbox::waited() const {
  const std::lock_guard lock(mutex_);
  return waited_;
}

}  // namespace maildirsync::agent
