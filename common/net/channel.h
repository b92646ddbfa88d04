#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include "common/net/tls.h"
#include "common/wire/frame.h"

namespace maildirsync::net {

/// Frames over one TLS stream; owns the stream. Holds less than two frames, however much comes. All calls on the event
/// loop's thread. One reader and one writer coroutine at a time. Held by std::shared_ptr.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  explicit Channel(TlsStream stream) : stream_(std::move(stream)) {}

  /// The next frame; protocol on a frame out of bounds, unreachable when the connection ended (detail says how).
  asio::awaitable<Result<wire::Frame>> read();
  /// Writes bytes made by wire::encode, which stay where they are until then.
  asio::awaitable<Result<>> write(std::string_view bytes);
  /// Ends the connection at once: pending reads and writes fail.
  void close();
  /// Ends the connection when the timer's time is over, unless it was cancelled. The timer's end may be on its way
  /// while it is cancelled: a channel that has gone by then is not touched.
  void close_at_end_of(asio::steady_timer& timer);
  /// No more is written; the peer sees our end once it has read what was.
  void shutdown_send();
  /// Ends it so that what was written last still arrives: closes our direction and drops what comes until the peer
  /// closes its own, for at most `most`. A plain close with unread bytes would reset the connection, and the peer's
  /// kernel would drop our last words. No other read may be pending.
  asio::awaitable<void> close_gently(std::chrono::milliseconds most);

  TlsStream& stream() { return stream_; }
  std::size_t buffered() const { return buffer_.size(); }  ///< bytes of memory for what is read

 private:
  TlsStream stream_;
  std::string buffer_;  ///< what is between position_ and filled_ was not given out yet
  std::size_t position_ = 0, filled_ = 0;

  void make_room(std::size_t size);
  asio::awaitable<Result<>> fill(std::size_t size);
};

}  // namespace maildirsync::net
