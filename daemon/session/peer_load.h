#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include <asio/io_context.hpp>

namespace maildirsync::daemon {

/// What all connections of one peer hold together: many of them cost no more than a few. The counts are thread-safe,
/// the listings are the event loop's.
class PeerLoad : public std::enable_shared_from_this<PeerLoad> {
 public:
  static constexpr std::size_t k_connections = 72;  ///< the most that an agent is configured for, and for its questions
  static constexpr std::size_t k_listings = 4;      ///< under way at once; others wait
  static constexpr std::size_t k_staging = 16 * 1024 * 1024;   ///< bytes of frames that were read and not yet handled
  static constexpr std::size_t k_outgoing = 8 * 1024 * 1024;   ///< bytes of answers that the peer has not taken
  static constexpr std::size_t k_windows = 256 * 1024 * 1024;  ///< bytes of memory of decompressors
  static constexpr std::size_t k_names = 400'000;              ///< of users and groups

  explicit PeerLoad(asio::io_context& loop) : loop_(loop) {}

  std::atomic<std::size_t> connections{0}, staging{0}, outgoing{0}, windows{0}, names{0};

  /// Calls `start` on the event loop once fewer than k_listings are under way, in the order of the calls. Each start
  /// needs an end_listing().
  void begin_listing(std::function<void()> start);
  void end_listing();

 private:
  void start_next();

  asio::io_context& loop_;
  std::size_t listings_ = 0;
  std::deque<std::function<void()>> waiting_;
};

/// One connection's part of a count, which it gives back at its end. As thread-safe as its owner.
class Share {
 public:
  /// `load` null: it counts for nobody.
  Share(std::shared_ptr<PeerLoad> load, std::atomic<std::size_t> PeerLoad::*count)
      : load_(std::move(load)), count_(count) {}
  Share(Share&& other) noexcept
      : load_(std::move(other.load_)), count_(other.count_), held_(std::exchange(other.held_, 0)) {}
  Share& operator=(Share&&) = delete;
  ~Share() { set(0); }

  /// The peer's sum with it, which may be over its bound.
  std::size_t set(std::size_t amount) {
    if (!load_) return amount;
    const std::size_t change = amount - held_;  // modulo 2^64, and so is the sum
    held_ = amount;
    return (*load_.*count_ += change);
  }
  std::size_t held() const { return held_; }

 private:
  std::shared_ptr<PeerLoad> load_;
  std::atomic<std::size_t> PeerLoad::*count_;
  std::size_t held_ = 0;
};

}  // namespace maildirsync::daemon
