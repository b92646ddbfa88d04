#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/sync/operation.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::agent {

struct Turn;

/// An operation on its way: what the ack will be about.
struct Sent {
  std::uint64_t sequence = 0;
  std::shared_ptr<Turn> turn;
  sync::Operation operation;
  std::size_t bytes = 0;  ///< of the wire, held against the bound until the ack
};

/// Between a lane's thread, which fills it, and the event loop, which writes it to the connection and hears the acks.
/// Bounded: push() waits while more than k_limit bytes wait to be written or acknowledged. Thread-safe.
class Outbox {
 public:
  static constexpr std::size_t k_limit = 32 * 1024 * 1024;
  static constexpr std::size_t k_operation_limit = 16 * 1024;

  /// `wake` is called, from any thread, when there is something to take.
  explicit Outbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// A new connection: returns its number, which push() then wants. Event loop.
  std::uint64_t open();
  /// Refuses from now on, also the lanes that wait; gives back what was not taken, which is lost. Event loop.
  std::vector<Sent> close();
  std::uint64_t epoch() const;

  /// Lane: whole frames, and the operations that end in them, whose numbers must have been taken from next_sequence().
  /// False when the connection of that epoch is gone.
  bool push(std::uint64_t epoch, std::string_view frames, std::vector<Sent> sent);
  /// The same for one frame.
  bool push(std::uint64_t epoch, const wire::Header& header, std::string_view payload, std::optional<Sent> sent);
  std::uint64_t next_sequence(std::uint64_t epoch);
  /// Event loop: a small frame that never waits (a ping, a question).
  void push_urgent(const wire::Header& header);

  struct Batch {
    std::string bytes;
    std::vector<Sent> sent;
  };
  /// All that waits, up to about 1 MiB; empty bytes when nothing does. Event loop.
  Batch take();
  /// The ack of operations frees their room. Event loop.
  void acknowledged(std::size_t operations, std::size_t bytes);

  /// Whether a push() waits at this moment.
  bool holds_up() const;
  /// How long push() has waited in all: the time in which the wire, not a core, was what we waited for.
  std::chrono::nanoseconds waited() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::function<void()> wake_;
  Batch waiting_;
  bool open_ = false;
  std::uint64_t epoch_ = 0;
  std::uint64_t sequence_ = 0;
  std::size_t unacknowledged_bytes_ = 0;
  std::size_t unacknowledged_operations_ = 0;
  std::chrono::nanoseconds waited_{};
  unsigned held_up_ = 0;  ///< calls of push() that wait
};

}  // namespace maildirsync::agent
