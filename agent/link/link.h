#pragma once

#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "agent/link/outbox.h"
#include "common/config/config.h"
#include "common/net/channel.h"
#include "common/net/tls.h"

namespace maildirsync::agent {

/// What the links of one agent share. Lives on the event loop.
struct LinkSettings {
  config::Endpoint receiver;
  std::shared_ptr<asio::ssl::context> tls;
  std::string own_fingerprint;
  std::string receiver_fingerprint;
  std::vector<std::string> roots;
  std::string instance;  ///< 16 bytes
  std::uint64_t session = 0;
  std::uint64_t bandwidth_limit = 0;
  std::function<void(wire::Hello&)> add_to_greeting;  ///< what else we say when a connection begins; may be empty
  std::function<void(wire::Ping&)> add_to_ping;       ///< the same for each heartbeat
};

/// A token bucket over all links; says how long to wait before the next write. Event loop.
class Limiter {
 public:
  std::chrono::nanoseconds reserve(std::size_t bytes, std::uint64_t per_second);

 private:
  std::chrono::steady_clock::time_point next_{};
};

/// One connection to the receiver, made again for ever with backoff and jitter. Lives on the event loop; its Outbox is
/// filled by the lane's thread.
class Link : public std::enable_shared_from_this<Link> {
 public:
  struct Events {
    /// Adds to our greeting what has to be said at that moment.
    std::function<void(wire::Hello& hello)> greet;
    std::function<void(const wire::Hello& receiver)> up;
    std::function<void(const wire::Pong& pong)> heartbeat;
    /// The connection ended, or could not be made; `lost` were on their way.
    std::function<void(const Error& error, std::vector<Sent> lost)> down;
    /// Durable (or refused) at the receiver, in order.
    std::function<void(std::vector<Sent> done, const wire::Ack& ack)> acknowledged;
    std::function<void(std::size_t bytes)> wrote;
  };

  Link(asio::io_context& loop, std::shared_ptr<const LinkSettings> settings, std::shared_ptr<Limiter> limiter,
       Events events);

  void start();
  /// Ends the connection and does not come back.
  void stop();
  /// Other settings, with which a connection that is up goes on: the bandwidth's limit counts at once, roots at the
  /// next greeting.
  void use(std::shared_ptr<const LinkSettings> settings) { settings_ = std::move(settings); }
  /// Ends the connection; it is made again with new settings.
  void restart(std::shared_ptr<const LinkSettings> settings);

  Outbox& outbox() { return *outbox_; }
  bool is_up() const { return up_; }
  /// The receiver's clock minus ours in seconds, as its last greeting said it.
  std::optional<double> clock_offset() const { return clock_offset_; }

  using Answer = std::function<void(Result<std::vector<wire::Header>>)>;
  /// A heartbeat at once, not at its usual time: the receiver says how it stands.
  void ping(std::uint64_t number = 0);

  /// Lane: asks and waits. The question gets its number here.
  Result<std::vector<wire::Header>> ask(std::uint64_t epoch, wire::Header question);
  /// Event loop: asks over the connection that is up; `answer` is called there, also when there is none or it breaks.
  void ask(wire::Header question, Answer answer);

 private:
  struct Question {
    Answer answer;
    std::vector<wire::Header> parts;
    std::size_t bytes = 0;  ///< of these
  };

  asio::awaitable<void> run();
  asio::awaitable<Error> session();
  asio::awaitable<Result<std::shared_ptr<net::Channel>>> connect();
  asio::awaitable<Result<>> greet(net::Channel& channel);
  asio::awaitable<Error> read(std::shared_ptr<net::Channel> channel);
  asio::awaitable<void> write(std::shared_ptr<net::Channel> channel);
  asio::awaitable<void> heartbeat(std::shared_ptr<net::Channel> channel);
  Result<> handle(wire::Frame frame);
  void answer(std::uint64_t id, wire::Header part, bool last);
  void lose(const Error& error);

  asio::io_context& loop_;
  std::shared_ptr<const LinkSettings> settings_;
  std::shared_ptr<Limiter> limiter_;
  Events events_;
  std::shared_ptr<Outbox> outbox_;
  asio::steady_timer wake_;
  asio::steady_timer pause_;
  std::shared_ptr<net::Channel> channel_;
  std::deque<Sent> in_flight_;
  std::map<std::uint64_t, Question> questions_;
  std::uint64_t next_question_ = 1;
  std::chrono::steady_clock::time_point heard_{};
  std::optional<Error> silent_;  ///< why the heartbeat ended the connection
  std::optional<double> clock_offset_;
  std::int64_t ping_sent_ = 0;  ///< wall clock
  bool up_ = false;
  bool stopped_ = false;
  unsigned failures_ = 0;
};

}  // namespace maildirsync::agent
