#include "common/net/channel.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include <asio/write.hpp>

#include "common/net/await.h"

namespace maildirsync::net {

namespace {

constexpr std::size_t k_read_size = 256 * 1024;  // room for a frame of the usual size and what is read with it
constexpr std::size_t k_record = 16 * 1024;      // of TLS, at most: what one read gives
static_assert(std::max(wire::k_max_frame + k_record, k_read_size) < 2 * wire::k_max_frame,
              "the buffer holds less than two");

Failure connection_ended(const asio::error_code& error) {
  const bool tls = error.category() == asio::error::get_ssl_category();
  return failure(tls ? ErrorCode::tls : ErrorCode::unreachable, "", "the connection ended: " + error.message());
}

}  // namespace

/// Room for `size` bytes from `position_` on and for one read more. What was given out is overwritten before the buffer
/// grows: it moves at most what one read gave too much, and never gets larger than a frame and a record.
void Channel::make_room(std::size_t size) {
  const std::size_t waiting = filled_ - position_;
  if (position_ > 0 && buffer_.size() < std::max(position_ + size, filled_ + k_record)) {
    std::memmove(buffer_.data(), buffer_.data() + position_, waiting);
    position_ = 0;
    filled_ = waiting;
  }
  // Never smaller again: to make it larger costs as much as to clear it.
  const std::size_t wanted = std::max(size, waiting + k_record);
  if (buffer_.size() < wanted) buffer_.resize(std::max(wanted, k_read_size));
}

asio::awaitable<Result<>> Channel::fill(std::size_t size) {
  while (filled_ - position_ < size) {
    make_room(size);
    const auto [error, count] =
        co_await stream_.async_read_some(asio::buffer(buffer_.data() + filled_, buffer_.size() - filled_), k_await);
    filled_ += count;
    if (error) co_return connection_ended(error);
  }
  co_return Result<>{};
}

asio::awaitable<Result<wire::Frame>> Channel::read() {
  if (auto filled = co_await fill(wire::k_prefix); !filled) co_return Failure(filled.error());
  const auto lengths = wire::decode_prefix(std::string_view(buffer_).substr(position_, wire::k_prefix));
  if (!lengths) co_return Failure(lengths.error());
  const std::size_t whole = wire::k_prefix + lengths->header + lengths->payload;
  if (auto filled = co_await fill(whole); !filled) co_return Failure(filled.error());
  const std::string_view frame = std::string_view(buffer_).substr(position_ + wire::k_prefix, whole - wire::k_prefix);
  auto decoded = wire::decode(frame.substr(0, lengths->header), std::string(frame.substr(lengths->header)));
  position_ += whole;
  co_return decoded;
}

asio::awaitable<Result<>> Channel::write(std::string_view bytes) {
  const auto [error, count] = co_await asio::async_write(stream_, asio::buffer(bytes), k_await);
  if (error) co_return connection_ended(error);
  co_return Result<>{};
}

asio::awaitable<void> Channel::close_gently(std::chrono::milliseconds most) {
  shutdown_send();
  asio::error_code error;
  auto& socket = stream_.next_layer();
  asio::steady_timer timer(socket.get_executor(), most);
  close_at_end_of(timer);
  buffer_.resize(std::max(buffer_.size(), k_read_size));
  while (!error) {
    std::tie(error, std::ignore) = co_await socket.async_read_some(asio::buffer(buffer_), k_await);
  }
  timer.cancel();
  close();
}

void Channel::shutdown_send() {
  asio::error_code ignored;
  stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Channel::close_at_end_of(asio::steady_timer& timer) {
  timer.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto late = weak.lock();
    if (!cancelled && late) late->close();
  });
}

void Channel::close() {
  asio::error_code ignored;
  stream_.next_layer().close(ignored);
}

}  // namespace maildirsync::net
