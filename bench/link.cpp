// The wire between two servers, for all who are compared alike: counts what passes, and may delay it and limit its
// rate. Every line on standard input is answered with "<bytes to the server> <bytes to the client>"; its end is ours.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/os/fd.h"

namespace maildirsync::bench {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr int k_pipe_size = 1 << 20;
constexpr std::size_t k_packet = 16 * 1024;
constexpr std::size_t k_router_queue = 256 * 1024;  // beyond what is on the way
constexpr int k_small_buffer = 128 * 1024;          // of sockets, so that the kernel's buffers do not hide the delay

[[noreturn]] void fail(const char* what) {
  fmt::print(stderr, "bench-link: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

/// One direction of the line, shared by all connections.
struct Line {
  nanoseconds delay{0};
  double bits_per_second = 0;  // 0: no limit
  std::uint64_t bytes = 0;     // that have passed
  std::size_t waiting = 0;     // bytes in shaped pumps
  Clock::time_point free = Clock::time_point::min();

  bool is_shaped() const { return delay.count() > 0 || bits_per_second > 0; }
  /// The most that may wait: what fills the line, and a router's queue.
  std::size_t capacity() const {
    const double on_the_way = bits_per_second / 8 * std::chrono::duration<double>(delay).count();
    return bits_per_second > 0 ? static_cast<std::size_t>(on_the_way) + k_router_queue : 64 * k_router_queue;
  }
  /// When a packet that is sent now arrives.
  Clock::time_point arrival(Clock::time_point now, std::size_t size) {
    free = std::max(free, now);
    if (bits_per_second > 0)
      free += nanoseconds(static_cast<std::int64_t>(static_cast<double>(size) * 8e9 / bits_per_second));
    return free + delay;
  }
};

/// Carries bytes from one socket to another.
class Pump {
 public:
  Pump(int from, int to, Line& line) : from_(from), to_(to), line_(line) {}
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  virtual ~Pump() = default;

  virtual bool wants_to_read() const = 0;
  virtual bool wants_to_write(Clock::time_point now) const = 0;
  /// When there will be something to write that is not due yet.
  virtual Clock::time_point next() const { return Clock::time_point::max(); }
  virtual void read(Clock::time_point now) = 0;
  virtual void write(Clock::time_point now) = 0;

  bool is_finished() const { return is_finished_; }
  bool is_broken() const { return is_broken_; }
  int from() const { return from_; }
  int to() const { return to_; }

 protected:
  void finish() {
    ::shutdown(to_, SHUT_WR);
    is_finished_ = true;
  }
  void break_off() { is_broken_ = true; }

  int from_, to_;
  Line& line_;

 private:
  bool is_finished_ = false, is_broken_ = false;
};

/// Without a copy: through a pipe.
class DirectPump final : public Pump {
 public:
  DirectPump(int from, int to, Line& line) : Pump(from, to, line) {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) fail("pipe");
    out_.reset(ends[0]);
    in_.reset(ends[1]);
    ::fcntl(in_.get(), F_SETPIPE_SZ, k_pipe_size);
  }

  bool wants_to_read() const override { return held_ == 0 && !is_finished(); }
  bool wants_to_write(Clock::time_point) const override { return held_ > 0; }

  void read(Clock::time_point now) override {
    const ssize_t moved = ::splice(from_, nullptr, in_.get(), nullptr, k_pipe_size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved == 0) return finish();
    if (moved < 0) return would_block() ? void() : break_off();
    held_ += static_cast<std::size_t>(moved);
    line_.bytes += static_cast<std::size_t>(moved);
    write(now);
  }

  void write(Clock::time_point) override {
    const ssize_t moved = ::splice(out_.get(), nullptr, to_, nullptr, held_, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved > 0) {
      held_ -= static_cast<std::size_t>(moved);
    } else if (moved < 0 && !would_block()) {
      break_off();
    }
  }

 private:
  os::Fd in_, out_;
  std::size_t held_ = 0;
};

/// In packets, each of which arrives when its line lets it.
class ShapedPump final : public Pump {
 public:
  ShapedPump(int from, int to, Line& line, Clock::time_point connected) : Pump(from, to, line), connected_(connected) {}
  ~ShapedPump() override { line_.waiting -= waiting_; }

  bool wants_to_read() const override { return !has_ended_ && line_.waiting < line_.capacity(); }
  bool wants_to_write(Clock::time_point now) const override {
    return !packets_.empty() && packets_.front().arrival <= now;
  }
  Clock::time_point next() const override {
    return packets_.empty() ? Clock::time_point::max() : packets_.front().arrival;
  }

  void read(Clock::time_point now) override {
    std::string bytes(k_packet, '\0');
    const ssize_t size = ::recv(from_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size < 0) return would_block() ? void() : break_off();
    bytes.resize(static_cast<std::size_t>(size));
    has_ended_ = size == 0;
    waiting_ += bytes.size();
    line_.waiting += bytes.size();
    line_.bytes += bytes.size();
    // A connection is there for its client at once; on a long line it would have taken a round trip.
    const auto arrival = line_.arrival(std::max(now, connected_), bytes.size());
    packets_.push_back({arrival, std::move(bytes)});
  }

  void write(Clock::time_point now) override {
    while (wants_to_write(now)) {
      Packet& packet = packets_.front();
      if (packet.bytes.empty()) return packets_.pop_front(), finish();
      const ssize_t size = ::send(to_, packet.bytes.data() + packet.sent, packet.bytes.size() - packet.sent,
                                  MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0) return would_block() ? void() : break_off();
      packet.sent += static_cast<std::size_t>(size);
      if (packet.sent < packet.bytes.size()) return;
      waiting_ -= packet.bytes.size();
      line_.waiting -= packet.bytes.size();
      packets_.pop_front();
    }
  }

 private:
  struct Packet {
    Clock::time_point arrival;
    std::string bytes;  // none: the end
    std::size_t sent = 0;
  };
  std::deque<Packet> packets_;
  std::size_t waiting_ = 0;
  bool has_ended_ = false;
  Clock::time_point connected_;
};

struct Connection {
  os::Fd client, server;
  std::unique_ptr<Pump> up, down;

  bool is_over() const { return up->is_broken() || down->is_broken() || (up->is_finished() && down->is_finished()); }
};

class Link {
 public:
  Link(std::uint16_t listen_port, std::uint16_t server_port, nanoseconds round_trip, double bits_per_second)
      : server_port_(server_port) {
    up_.delay = down_.delay = round_trip / 2;
    up_.bits_per_second = down_.bits_per_second = bits_per_second;
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    shape_socket(listener_.get());
    const sockaddr_in address = loopback(listen_port);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
    if (::listen(listener_.get(), 64) != 0) fail("listen");
  }

  void run() {
    while (true) {
      const auto now = Clock::now();
      collect(now);
      const auto wait = std::max(nanoseconds(0),
                                 nanoseconds(wake_ == Clock::time_point::max() ? std::chrono::hours(1) : wake_ - now));
      const struct timespec timeout { wait.count() / 1'000'000'000, wait.count() % 1'000'000'000 };
      if (::ppoll(polled_.data(), polled_.size(), &timeout, nullptr) < 0 && errno != EINTR) fail("ppoll");
      if (polled_[0].revents && !answer()) return;
      serve(Clock::now());
      if (polled_[1].revents) accept();
      std::erase_if(connections_, [](const auto& connection) { return connection->is_over(); });
    }
  }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void shape_socket(int fd) const {
    if (!up_.is_shaped()) return;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &k_small_buffer, sizeof k_small_buffer);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &k_small_buffer, sizeof k_small_buffer);
  }

  void collect(Clock::time_point now) {
    polled_.assign({{STDIN_FILENO, POLLIN, 0}, {listener_.get(), POLLIN, 0}});
    wake_ = Clock::time_point::max();
    for (const auto& connection : connections_) {
      for (const Pump* pump : {connection->up.get(), connection->down.get()}) {
        // A descriptor of -1 is skipped by poll(2); one without events would report a hang-up again and again.
        polled_.push_back({pump->wants_to_read() ? pump->from() : -1, POLLIN, 0});
        const bool is_due = pump->wants_to_write(now);
        polled_.push_back({is_due ? pump->to() : -1, POLLOUT, 0});
        if (!is_due) wake_ = std::min(wake_, pump->next());
      }
    }
  }

  void serve(Clock::time_point now) {
    std::size_t i = 2;
    for (const auto& connection : connections_) {
      for (Pump* pump : {connection->up.get(), connection->down.get()}) {
        if (polled_[i++].revents) pump->read(now);
        if (polled_[i++].revents) pump->write(now);
      }
    }
    // So that no connection is always the first to fill a line.
    if (connections_.size() > 1) std::rotate(connections_.begin(), connections_.begin() + 1, connections_.end());
  }

  void accept() {
    os::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) return;
    os::Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    shape_socket(server.get());
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
    ::fcntl(server.get(), F_SETFL, O_NONBLOCK);
    const int yes = 1;
    for (const int fd : {client.get(), server.get()})
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    auto connection = std::make_unique<Connection>();
    connection->up = pump(client.get(), server.get(), up_);
    connection->down = pump(server.get(), client.get(), down_);
    connection->client = std::move(client);
    connection->server = std::move(server);
    connections_.push_back(std::move(connection));
  }

  static std::unique_ptr<Pump> pump(int from, int to, Line& line) {
    if (!line.is_shaped()) return std::make_unique<DirectPump>(from, to, line);
    return std::make_unique<ShapedPump>(from, to, line, Clock::now() + 2 * line.delay);
  }

  bool answer() {
    char bytes[64];
    if (::read(STDIN_FILENO, bytes, sizeof bytes) <= 0) return false;
    fmt::print("{} {}\n", up_.bytes, down_.bytes);
    std::fflush(stdout);
    return true;
  }

  std::uint16_t server_port_;
  Line up_, down_;
  os::Fd listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<pollfd> polled_;
  Clock::time_point wake_;
};

int main(int argc, char** argv) {
  std::uint16_t listen_port = 0, server_port = 0;
  double round_trip = 0, megabits = 0;
  CLI::App app("A counting, delaying, rate-limiting line between loopback ports");
  app.add_option("--listen", listen_port)->required();
  app.add_option("--to", server_port)->required();
  app.add_option("--round-trip", round_trip, "Milliseconds");
  app.add_option("--rate", megabits, "Mbit/s in each direction");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  Link(listen_port, server_port, nanoseconds(static_cast<std::int64_t>(round_trip * 1e6)), megabits * 1e6).run();
  return 0;
}

}  // namespace

}  // namespace maildirsync::bench

int main(int argc, char** argv) {
  return maildirsync::bench::main(argc, argv);
}
