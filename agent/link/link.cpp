#include "agent/link/link.h"

#include <random>

#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <sys/utsname.h>

#include "common/net/await.h"
#include "common/net/cause.h"
#include "common/os/clock.h"
#include "common/service/log.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

using net::k_await;
constexpr auto k_connect_timeout = 15s;
constexpr auto k_heartbeat = 5s;
constexpr auto k_silence = 30s;  // without a word from the receiver, not even to a ping, the connection is dead
constexpr std::size_t k_max_answer = 512 * 1024 * 1024;  // bytes, packed: some ten million messages

std::string host_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "";
}

/// Whether a timer that closes the connection has done so.
net::Ended end_of(const asio::steady_timer& timer) {
  return timer.expiry() <= std::chrono::steady_clock::now() ? net::Ended::by_time : net::Ended::by_itself;
}

std::chrono::milliseconds backoff(unsigned failures) {
  static std::minstd_rand random(std::random_device{}());
  const auto base = std::min<std::uint64_t>(250ULL << std::min(failures, 7U), 15'000);
  return std::chrono::milliseconds(base / 2 + std::uniform_int_distribution<std::uint64_t>(0, base / 2)(random));
}

}  // namespace

std::chrono::nanoseconds Limiter::reserve(std::size_t bytes, std::uint64_t per_second) {
  if (per_second == 0) return 0ns;
  const auto now = std::chrono::steady_clock::now();
  const auto start = std::max(now, next_);
  next_ = start + std::chrono::nanoseconds(
                      static_cast<std::int64_t>(1e9 * static_cast<double>(bytes) / static_cast<double>(per_second)));
  return start - now;
}

Link::Link(asio::io_context& loop, std::shared_ptr<const LinkSettings> settings, std::shared_ptr<Limiter> limiter,
           Events events)
    : loop_(loop),
      settings_(std::move(settings)),
      limiter_(std::move(limiter)),
      events_(std::move(events)),
      wake_(loop),
      pause_(loop) {
  outbox_ = std::make_shared<Outbox>([this] { asio::post(loop_, [this] { wake_.cancel(); }); });
}

void Link::start() {
  asio::co_spawn(
      loop_, [self = shared_from_this()]() -> asio::awaitable<void> { co_await self->run(); }, asio::detached);
}

void Link::stop() {
  stopped_ = true;
  if (channel_) {
    channel_->close();
  } else {
    outbox_->close();
  }
  wake_.cancel();
  pause_.cancel();
}

void Link::restart(std::shared_ptr<const LinkSettings> settings) {
  settings_ = std::move(settings);
  failures_ = 0;
  if (channel_) channel_->close();
  pause_.cancel();
}

asio::awaitable<void> Link::run() {
  while (!stopped_) {
    const Error error = co_await session();
    lose(error);
    if (stopped_) break;
    pause_.expires_after(backoff(failures_));
    ++failures_;
    co_await pause_.async_wait(k_await);
  }
}

asio::awaitable<Error> Link::session() {
  auto connected = co_await connect();
  if (!connected) co_return connected.error();
  const auto channel = *connected;
  channel_ = channel;
  if (auto greeted = co_await greet(*channel); !greeted) {
    channel->close();
    co_return greeted.error();
  }
  up_ = true;
  failures_ = 0;
  silent_.reset();
  heard_ = std::chrono::steady_clock::now();
  auto self = shared_from_this();
  asio::co_spawn(
      loop_, [self, channel] { return self->write(channel); }, asio::detached);
  asio::co_spawn(
      loop_, [self, channel] { return self->heartbeat(channel); }, asio::detached);
  Error error = co_await read(channel);
  channel->close();
  co_return error;
}

asio::awaitable<Result<std::shared_ptr<net::Channel>>> Link::connect() {
  const auto settings = settings_;
  const std::string where = settings->receiver.text();
  asio::ip::tcp::resolver resolver(loop_);
  const auto [unresolved, addresses] =
      co_await resolver.async_resolve(settings->receiver.host, std::to_string(settings->receiver.port), k_await);
  if (unresolved) {
    co_return failure(ErrorCode::unreachable, "",
                      "cannot resolve the receiver " + where + ": " + unresolved.message() +
                          "; check `receiver` in the configuration and the name service");
  }
  auto channel = std::make_shared<net::Channel>(net::TlsStream(loop_, *settings->tls));
  asio::steady_timer timeout(loop_, k_connect_timeout);
  channel->close_at_end_of(timeout);
  channel_ = channel;
  constexpr int k_seconds = k_connect_timeout / 1s;
  const auto failed = [](const net::Cause& cause) { return failure(cause.code, "", cause.sentence()); };
  const auto [refused, endpoint] = co_await asio::async_connect(channel->stream().next_layer(), addresses, k_await);
  if (refused) {
    co_return failed(net::cause_of_connect(where, refused, end_of(timeout), k_seconds));
  }
  asio::error_code ignored;
  channel->stream().next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
  auto shown = std::make_shared<std::string>();
  // Any key may finish the handshake, which proves that the receiver has it; then it is the right one or we say
  // goodbye. So both sides can say which key was shown and which was wanted.
  net::pin_peer(channel->stream(), [shown](const std::string& fingerprint) {
    *shown = fingerprint;
    return true;
  });
  const auto [rejected] = co_await channel->stream().async_handshake(asio::ssl::stream_base::client, k_await);
  if (rejected) {
    co_return failed(net::cause_of_handshake(where, rejected, end_of(timeout), k_seconds));
  }
  if (*shown != settings->receiver_fingerprint) {
    const std::string sentence = "the receiver " + where + " shows the public key " + *shown + ", not " +
                                 settings->receiver_fingerprint + " as configured; nothing was sent. Our own key is " +
                                 settings->own_fingerprint +
                                 ". If the receiver's key is new, put its fingerprint into tls.receiver_fingerprint";
    std::string bytes;
    wire::encode(wire::goodbye(ErrorCode::tls, sentence), {}, bytes);
    co_await channel->write(bytes);
    co_await channel->close_gently(1s);
    co_return failure(ErrorCode::tls, "", sentence);
  }
  co_return channel;
}

asio::awaitable<Result<>> Link::greet(net::Channel& channel) {
  const auto settings = settings_;
  wire::Header header;
  auto& hello = *header.mutable_hello();
  hello.set_version(wire::k_version);
  hello.set_software("maildirsync-agent " MAILDIRSYNC_VERSION);
  hello.set_host(host_name());
  hello.set_instance(settings->instance);
  hello.set_session(settings->session);
  hello.set_time(os::wall_clock());
  for (const auto& root : settings->roots)
    hello.add_roots(root);
  if (events_.greet) events_.greet(hello);
  if (settings->add_to_greeting) settings->add_to_greeting(hello);
  std::string bytes;
  wire::encode(header, {}, bytes);
  asio::steady_timer timeout(loop_, k_connect_timeout);
  channel.close_at_end_of(timeout);
  const auto sent = os::wall_clock();
  auto written = co_await channel.write(bytes);
  Result<wire::Frame> answer{wire::Frame{}};
  if (written) {
    answer = co_await channel.read();
  } else {
    answer = Failure(written.error());
  }
  const bool late = end_of(timeout) == net::Ended::by_time;
  timeout.cancel();
  if (!answer && late) {
    const net::Cause cause =
        net::cause_of_handshake(settings->receiver.text(), {}, net::Ended::by_time, k_connect_timeout / 1s);
    co_return failure(cause.code, "", cause.sentence());
  }
  if (!answer) {
    // In TLS 1.3 the client learns only now that the server refused its certificate.
    co_return failure(answer.error().code, "",
                      "the receiver " + settings->receiver.text() + " ended the connection before its greeting (" +
                          answer.error().detail + "); its key is " + settings->receiver_fingerprint + ", ours is " +
                          settings->own_fingerprint + ": is our fingerprint one of the receiver's [[peer]] entries?");
  }
  if (answer->header.has_goodbye()) {
    const bool tls = answer->header.goodbye().code() == static_cast<std::uint32_t>(ErrorCode::tls);
    co_return failure(tls ? ErrorCode::tls : ErrorCode::protocol, "",
                      "the receiver " + settings->receiver.text() + " says: " + answer->header.goodbye().sentence());
  }
  if (!answer->header.has_hello()) co_return failure(ErrorCode::protocol, "", "the receiver did not greet");
  const auto& reply = answer->header.hello();
  if (!reply.refusal().empty()) co_return failure(ErrorCode::protocol, "", "the receiver refuses: " + reply.refusal());
  if (reply.version() != wire::k_version) {
    co_return failure(ErrorCode::protocol, "",
                      "the receiver speaks protocol version " + std::to_string(reply.version()) + ", we speak " +
                          std::to_string(wire::k_version) +
                          "; install the same release of maildirsync on both servers");
  }
  clock_offset_ = os::clock_offset(reply.time(), sent, os::wall_clock());
  outbox_->open();
  events_.up(reply);
  co_return Result<>{};
}

asio::awaitable<Error> Link::read(std::shared_ptr<net::Channel> channel) {
  for (;;) {
    auto frame = co_await channel->read();
    if (!frame) co_return silent_ ? *silent_ : frame.error();
    heard_ = std::chrono::steady_clock::now();
    if (auto handled = handle(std::move(*frame)); !handled) co_return handled.error();
  }
}

asio::awaitable<void> Link::write(std::shared_ptr<net::Channel> channel) {
  while (channel == channel_ && up_) {
    auto batch = outbox_->take();
    if (batch.bytes.empty()) {
      wake_.expires_after(1h);
      co_await wake_.async_wait(k_await);
      continue;
    }
    // On the books before they are written: an ack may come while the rest of the batch is still being written.
    for (auto& sent : batch.sent)
      in_flight_.push_back(std::move(sent));
    constexpr std::size_t k_slice = 256 * 1024;
    for (std::size_t offset = 0; offset < batch.bytes.size(); offset += k_slice) {
      const bool whole = settings_->bandwidth_limit == 0;
      const std::string slice = whole ? std::move(batch.bytes) : batch.bytes.substr(offset, k_slice);
      if (const auto wait = limiter_->reserve(slice.size(), settings_->bandwidth_limit); wait > 0ns) {
        asio::steady_timer timer(loop_, wait);
        co_await timer.async_wait(k_await);
      }
      if (channel != channel_ || !up_) co_return;
      if (const auto written = co_await channel->write(slice); !written) {
        channel->close();
        co_return;
      }
      events_.wrote(slice.size());
      if (whole) break;
    }
  }
}

asio::awaitable<void> Link::heartbeat(std::shared_ptr<net::Channel> channel) {
  asio::steady_timer timer(loop_);
  for (std::uint64_t number = 1; channel == channel_ && up_; ++number) {
    timer.expires_after(k_heartbeat);
    co_await timer.async_wait(k_await);
    if (channel != channel_ || !up_) co_return;
    if (std::chrono::steady_clock::now() - heard_ > k_silence) {
      silent_ = Error{ErrorCode::timed_out, "",
                      "the receiver " + settings_->receiver.text() + " has said nothing for " +
                          std::to_string(k_silence / 1s) +
                          " s, not even to our pings: the program or its machine is stopped or hangs, or the network "
                          "between is cut; look on the new server: systemctl status maildirsyncd",
                      0};
      service::log_warning("receiver-silent seconds={}", k_silence / 1s);
      channel->close();
      co_return;
    }
    ping(number);
  }
}

void Link::ping(std::uint64_t number) {
  wire::Header ping;
  ping.mutable_ping()->set_number(number);
  ping_sent_ = os::wall_clock();
  ping.mutable_ping()->set_time(ping_sent_);
  if (settings_->add_to_ping) settings_->add_to_ping(*ping.mutable_ping());
  outbox_->push_urgent(ping);
}

Result<> Link::handle(wire::Frame frame) {
  switch (frame.header.kind_case()) {
    case wire::Header::kAck: {
      const auto& ack = frame.header.ack();
      std::vector<Sent> done;
      std::size_t bytes = 0;
      while (!in_flight_.empty() && in_flight_.front().sequence <= ack.sequence()) {
        bytes += in_flight_.front().bytes;
        done.push_back(std::move(in_flight_.front()));
        in_flight_.pop_front();
      }
      outbox_->acknowledged(done.size(), bytes);
      events_.acknowledged(std::move(done), ack);
      return {};
    }
    case wire::Header::kListing: {
      const bool last = frame.header.listing().last();
      const auto id = frame.header.listing().id();
      answer(id, std::move(frame.header), last);
      return {};
    }
    case wire::Header::kMappedOwners: {
      const auto id = frame.header.mapped_owners().id();
      answer(id, std::move(frame.header), true);
      return {};
    }
    case wire::Header::kDecided: {
      const auto id = frame.header.decided().id();
      answer(id, std::move(frame.header), true);
      return {};
    }
    case wire::Header::kPong:
      if (const auto offset = os::clock_offset(frame.header.pong().time(), ping_sent_, os::wall_clock()))
        clock_offset_ = offset;
      if (events_.heartbeat) events_.heartbeat(frame.header.pong());
      if (frame.header.pong().ask() != 0) ping(frame.header.pong().ask());
      return {};
    case wire::Header::kGoodbye:
      return failure(ErrorCode::protocol, "",
                     "the receiver ended the connection: " + frame.header.goodbye().sentence());
    default:
      return failure(ErrorCode::protocol, "", "the receiver sent a frame that only agents send");
  }
}

void Link::answer(std::uint64_t id, wire::Header part, bool last) {
  const auto found = questions_.find(id);
  if (found == questions_.end()) return;
  auto& parts = found->second;
  parts.bytes += part.ByteSizeLong();
  parts.parts.push_back(std::move(part));
  const bool is_too_big = parts.bytes > k_max_answer;
  if (!last && !is_too_big) return;
  Question question = std::move(parts);
  questions_.erase(found);
  if (is_too_big) return question.answer(failure(ErrorCode::too_big, "", "the receiver's answer is over the bound"));
  question.answer(std::move(question.parts));
}

Result<std::vector<wire::Header>> Link::ask(std::uint64_t epoch, wire::Header question) {
  auto promise = std::make_shared<std::promise<Result<std::vector<wire::Header>>>>();
  auto future = promise->get_future();
  const Answer answer = [promise](Result<std::vector<wire::Header>> parts) { promise->set_value(std::move(parts)); };
  asio::post(loop_, [self = shared_from_this(), answer, epoch, question = std::move(question)]() mutable {
    if (self->outbox_->epoch() != epoch) {
      return answer(failure(ErrorCode::cancelled, "", "the connection to the receiver broke"));
    }
    self->ask(std::move(question), answer);
  });
  return future.get();
}

void Link::ask(wire::Header question, Answer answer) {
  if (!up_) return answer(failure(ErrorCode::cancelled, "", "the connection to the receiver broke"));
  const std::uint64_t id = next_question_++;
  if (question.has_list()) question.mutable_list()->set_id(id);
  if (question.has_map_owners()) question.mutable_map_owners()->set_id(id);
  if (question.has_decide()) question.mutable_decide()->set_id(id);
  questions_.emplace(id, Question{.answer = std::move(answer)});
  outbox_->push_urgent(question);
}

void Link::lose(const Error& error) {
  up_ = false;
  auto dropped = outbox_->close();
  wake_.cancel();
  channel_.reset();
  for (auto& [id, question] : std::exchange(questions_, {}))
    question.answer(failure(ErrorCode::cancelled, "", "the connection to the receiver broke"));
  std::vector<Sent> lost(std::make_move_iterator(in_flight_.begin()), std::make_move_iterator(in_flight_.end()));
  in_flight_.clear();
  std::move(dropped.begin(), dropped.end(), std::back_inserter(lost));
  events_.down(error, std::move(lost));
}

}  // namespace maildirsync::agent
