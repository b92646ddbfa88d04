#include "daemon/session/session.h"

#include <algorithm>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "common/net/await.h"
#include "common/os/clock.h"
#include "common/service/event.h"
#include "common/service/log.h"
#include "common/wire/convert.h"
#include "daemon/session/acks.h"
#include "daemon/session/destinations.h"

namespace maildirsync::daemon {

namespace {

using namespace std::chrono_literals;

using net::k_await;
constexpr auto k_greeting_timeout = 15s;
constexpr auto k_farewell = 1s;
constexpr auto k_silence = 30s;  // an agent pings every 5 s
constexpr auto k_stuck = 10s;    // for one step of staging
constexpr std::size_t k_max_staging = 2 * wire::k_max_frame;
constexpr std::size_t k_max_questions = 72;        // an agent asks one at a time for each of its connections
constexpr std::size_t k_max_unread = 1024 * 1024;  // of answers; a peer that lets more lie is not listened to
constexpr std::size_t k_listing_ahead = 512 * 1024;
constexpr std::size_t k_max_outgoing = 16 * 1024 * 1024;  // with the acknowledgements of all that was staged before
constexpr std::size_t k_slice = 64 * 1024;
constexpr std::uint64_t k_refusals_told = 20;  // a minute, of each code; whoever finds the port can make more

}  // namespace

Session::Session(Services& services, std::shared_ptr<net::Channel> channel, std::string address)
    : services_(services),
      channel_(std::move(channel)),
      address_(std::move(address)),
      strand_(services.threads),
      listings_(services),
      wake_(services.loop),
      room_(services.loop),
      drained_(services.loop, asio::steady_timer::time_point::max()),
      silence_(services.loop),
      heard_(std::chrono::steady_clock::now()) {}

Session::~Session() {
  if (load_) load_->staging -= staging_bytes_;
}

Intake::Sinks Session::sinks() {
  // The strand's tasks hold the session; the intake is the session's own.
  return {.staged =
              [this](std::vector<StagedOperation> staged) {
                for (const auto& one : staged)
                  answers_.expect(one);
                committer_->put(std::move(staged), shared_from_this());
              },
          .opened =
              [this](const Account& account) {
                committer_ = &services_.committers.of(account.root ? account.root->path() : "");
                committer_->opened(account.key, account.serial, nullptr);
              },
          .list =
              [this](ListRequest request) {
                if (request.looks_only) return listings_.begin(std::move(request), shared_from_this());
                const std::string key = request.account_key;
                const auto serial = request.serial;
                services_.committers.of(request.root->path())
                    .opened(key, serial, [self = shared_from_this(), request = std::move(request)] {
                      self->listings_.begin(request, self);
                    });
              },
          .answer =
              [this](wire::Header answer) {
                asio::post(services_.loop, [self = shared_from_this(), answer = std::move(answer)] {
                  self->send(answer);
                  if (answer.has_listing()) self->answered();
                });
              },
          .trash_use = services_.trash_use,
          .adopted = [this] { asio::post(services_.loop, services_.look_at_processes); }};
}

asio::awaitable<void> Session::run() {
  auto self = shared_from_this();
  watch_silence();
  auto ready = co_await handshake();
  if (ready) ready = co_await greet();
  if (!ready) {
    service::log_event({service::Severity::warning,
                        "connection-refused",
                        {{"address", address_},
                         {"code", std::string(to_string(ready.error().code))},
                         {"reason", ready.error().message()}},
                        k_refusals_told});
  } else {
    asio::co_spawn(
        services_.loop, [self] { return self->write(); }, asio::detached);
    const Error error = co_await read();
    service::log_info("disconnected peer={} address={} reason=\"{}\"", peer_->name, address_, error.message());
    if (error.code == ErrorCode::protocol || error.code == ErrorCode::too_big) end(error.code, error.message());
    const auto farewell = std::chrono::steady_clock::now() + k_farewell;
    while (violation_ && !said_goodbye_ && farewell > std::chrono::steady_clock::now()) {
      asio::steady_timer moment(services_.loop, 5ms);
      co_await moment.async_wait(k_await);
    }
    if (violation_) co_await channel_->close_gently(k_farewell);
  }
  ended_ = true;
  channel_->close();
  wake_.cancel();
  drained_.cancel();
  silence_.cancel();
}

void Session::end(ErrorCode code, const std::string& sentence) {
  if (violation_) return;
  send(wire::goodbye(code, sentence));
  violation_ = Error{code, "", sentence, 0};
  room_.cancel();
  wake_.cancel();
  auto most = std::make_shared<asio::steady_timer>(services_.loop, k_farewell);
  most->async_wait(
      [most, channel = std::weak_ptr(channel_)](const asio::error_code&) {  // for a peer that goes on talking
        if (const auto still = channel.lock()) still->close();
      });
}

void Session::use(std::shared_ptr<const Peer> peer) {
  peer_ = peer;
  if (!greeted_) return;
  greeted_ = peer;
  strand_.post([self = shared_from_this(), peer = std::move(peer)] { self->intake_->use(peer); });
}

// ---- frames in ----

asio::awaitable<Error> Session::read() {
  for (;;) {
    co_await wait_for_room();
    auto frame = co_await channel_->read();
    if (!frame) co_return violation_ ? *violation_ : frame.error();
    if (violation_) continue;  // until the peer has read our goodbye
    heard_ = std::chrono::steady_clock::now();
    services_.bytes_read += frame->payload.size() + wire::k_prefix;
    if (frame->header.has_ping()) {
      const auto now = os::wall_clock();
      if (const auto offset = os::clock_offset(frame->header.ping().time(), now, now)) clock_offset_ = offset;
      note_ping(frame->header.ping());
      wire::Header answer = pong();
      answer.mutable_pong()->set_number(frame->header.ping().number());
      answer.mutable_pong()->set_time(now);
      send(answer);
    } else if (frame->header.has_goodbye()) {
      co_return failure(ErrorCode::unreachable, "", "the agent ended it: " + frame->header.goodbye().sentence())
          .value();
    } else {
      stage(std::move(*frame));
    }
  }
}

void Session::stage(wire::Frame frame) {
  const std::size_t size =
      std::max<std::size_t>(frame.payload.size() + frame.header.ByteSizeLong(), frame.header.packed().plain_size());
  staging_bytes_ += size;
  load_->staging += size;
  if (frame.header.has_list()) ++questions_;
  strand_.post([self = shared_from_this(), arrived = Arrived{std::move(frame), size}]() mutable {
    self->frames_.push_back(std::move(arrived));
    if (self->frames_.size() == 1) self->take_frames();
  });
}

/// Strand: a part of the first frame; then the next, once others had their turn and the committer has room.
void Session::take_frames() {
  if (frames_.empty()) return;
  const auto go_on = [self = shared_from_this()] { self->strand_.post([self] { self->take_frames(); }); };
  if (committer_ != nullptr && committer_->is_full(go_on)) return;
  staging_since_ = std::chrono::steady_clock::now();
  const auto done = broken_ ? Result<bool>(true) : take_part(frames_.front().frame);
  staging_since_ = k_not_staging;
  if (!done) {
    broken_ = true;
    asio::post(services_.loop,
               [self = shared_from_this(), error = done.error()] { self->end(error.code, error.message()); });
  }
  if (broken_ || *done) {
    staging_bytes_ -= frames_.front().size;
    load_->staging -= frames_.front().size;
    frames_.pop_front();
    made_room();
  }
  if (!frames_.empty()) go_on();
}

Result<bool> Session::take_part(const wire::Frame& frame) {
  try {
    return intake_->handle(frame);
  } catch (const std::exception& exception) {  // memory that ran out, or a bug: this connection ends, no other
    return failure(ErrorCode::protocol, "", exception.what());
  }
}

/// So much of this connection waits to be handled, to be answered or to be taken that nothing more is read.
bool Session::is_full() const {
  return staging_bytes_ > k_max_staging || unread_ > k_max_unread || questions_ >= k_max_questions;
}

/// The same of all connections of the peer; those of which nothing waits go on.
bool Session::is_peer_full() const {
  return (load_->staging > PeerLoad::k_staging && staging_bytes_ > 0) ||
         (load_->outgoing > PeerLoad::k_outgoing && unread_ > 0);
}

asio::awaitable<void> Session::wait_for_room() {
  while ((is_full() || is_peer_full()) && !violation_) {
    reader_waits_ = true;
    if (!is_full() && !is_peer_full()) break;
    room_.expires_after(is_full() ? 1s : 50ms);  // nobody tells what the others have room for
    co_await room_.async_wait(k_await);
    heard_ = std::chrono::steady_clock::now();  // the peer cannot be heard while we do not read
  }
  reader_waits_ = false;
}

/// Any thread.
void Session::made_room() {
  if (reader_waits_.exchange(false)) {
    asio::post(services_.loop, [self = shared_from_this()] { self->room_.cancel(); });
  }
}

void Session::watch_silence() {
  silence_.expires_after(1s);
  silence_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->ended_) return;
    if (self->waits_for_silent_directory()) {
      self->listings_.give_back();
      return self->end(ErrorCode::timed_out,
                       "a directory at the destination does not answer; what lands in others goes on anew");
    }
    const auto most = self->greeted_ ? k_silence : k_greeting_timeout;
    const auto now = std::chrono::steady_clock::now();
    const bool takes_nothing = self->unread_ > 0 && now - self->taken_ > k_silence;
    if (now - self->heard_ <= most && !takes_nothing) return self->watch_silence();
    service::log_event({service::Severity::warning,
                        takes_nothing ? "peer-does-not-read" : "peer-silent",
                        {{"address", self->address_}, {"action", "connection ended"}},
                        k_refusals_told});
    self->channel_->close();
  });
}

/// Whether something of it is under way in a directory that does not answer.
bool Session::waits_for_silent_directory() const {
  if (!greeted_ || violation_) return false;
  std::set<std::shared_ptr<ServedDirectory>> silent;
  for (const auto& [name, root] : greeted_->roots) {
    if (root.directory && !root.directory->answers()) silent.insert(root.directory);
  }
  if (silent.empty()) return false;
  const auto since = staging_since_.load();
  if (since != k_not_staging && std::chrono::steady_clock::now() - since > k_stuck) return true;
  const auto is_silent = [&](const auto& directory) { return silent.contains(directory); };
  const auto missing = answers_.missing();
  return std::any_of(missing.begin(), missing.end(), is_silent) || listings_.any_in(is_silent);
}

// ---- frames out ----

void Session::send(const wire::Header& header) {
  if (ended_) return;
  if (unread_ > k_max_outgoing) {
    channel_->close();
    return;
  }
  if (unread_ == 0) taken_ = std::chrono::steady_clock::now();
  const std::size_t before = outgoing_.size();
  wire::encode(header, {}, outgoing_);
  unread_ += outgoing_.size() - before;
  if (unread_share_) unread_share_->set(unread_);
  wake_.cancel();
}

asio::awaitable<void> Session::write() {
  auto self = shared_from_this();
  while (!ended_) {
    if (outgoing_.empty() && violation_) break;
    if (outgoing_.empty()) {
      wake_.expires_after(1h);
      co_await wake_.async_wait(k_await);
      continue;
    }
    const std::string batch = std::exchange(outgoing_, {});
    for (std::string_view rest = batch; !rest.empty();) {
      const auto slice = rest.substr(0, k_slice);
      if (const auto written = co_await channel_->write(slice); !written) {
        channel_->close();
        rest = {};
        break;
      }
      rest.remove_prefix(slice.size());
      unread_ -= slice.size();
      unread_share_->set(unread_);
      taken_ = std::chrono::steady_clock::now();
      if (unread_ <= k_listing_ahead) drained_.cancel();
      if (!is_full()) made_room();
    }
  }
  said_goodbye_ = true;
  channel_->shutdown_send();
}

/// A question less is open.
void Session::answered() {
  --questions_;
  if (!is_full()) made_room();
}

/// Until the peer has taken so much that more may be sent.
asio::awaitable<void> Session::wait_for_reader() {
  while (unread_ > k_listing_ahead && !ended_)
    co_await drained_.async_wait(k_await);  // it never expires: all that wait are woken by its cancellation
}

void Session::committed(std::vector<Committed> done) {
  asio::post(services_.loop, [self = shared_from_this(), done = std::move(done)]() mutable {
    self->services_.note(*self->peer_, done);
    for (const auto& ack : acks_of(self->answers_.take(std::move(done))))
      self->send(ack);
  });
}

}  // namespace maildirsync::daemon
