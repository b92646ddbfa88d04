#include "common/control/connection.h"

#include <asio/buffer.hpp>
#include <nlohmann/json.hpp>
#include <poll.h>

namespace maildirsync::control {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t k_max_line = 64 * 1024;
constexpr std::size_t k_max_pending = 1024 * 1024;
constexpr auto k_silence = 30s;  ///< without a request, or without taking any of an answer
constexpr auto k_alive = 3s;     ///< a client that waits hears at least so often that we are there

}  // namespace

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

class Connection::Request final : public Reply {
 public:
  explicit Request(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() override {
    if (connection_) connection_->send_answer(error("cancelled", "the daemon ended the request"));
  }

  void progress(const Json& json) override {
    if (connection_) connection_->send_progress(json);
  }
  void finish(const Json& json) override {
    if (connection_) connection_->send_answer(json);
    connection_.reset();
  }
  bool wanted() const override { return connection_ && connection_->is_there(); }

 private:
  std::shared_ptr<Connection> connection_;  ///< empty once answered
};

Connection::Connection(Socket socket, Handler handler, Closed closed)
    : socket_(std::move(socket)),
      silence_(socket_.get_executor()),
      alive_(socket_.get_executor()),
      handler_(std::move(handler)),
      closed_(std::move(closed)) {}

void Connection::start() {
  wait_for_silence();
  read();
}

void Connection::close() {
  if (!open_) return;
  open_ = false;
  silence_.cancel();
  alive_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
  closed_(shared_from_this());
}

/// A client that only shut its sending side (`nc -N`) still waits for the answer; one that is gone hangs up.
bool Connection::is_there() {
  if (!open_) return false;
  pollfd descriptor{socket_.native_handle(), 0, 0};
  return ::poll(&descriptor, 1, 0) <= 0 || (descriptor.revents & (POLLHUP | POLLERR)) == 0;
}

void Connection::read() {
  socket_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this()](const asio::error_code& failed, std::size_t size) {
                            if (!self->open_) return;
                            if (failed) return self->take_end();
                            self->received_.append(self->chunk_.data(), size);
                            self->take_lines();
                            if (self->open_ && !self->is_refused_) self->read();
                          });
}

void Connection::take_end() {
  is_end_ = true;
  if (!is_busy() || !is_there()) close();
}

/// The next request waits until the answer to the last has left: no client makes us hold two.
void Connection::take_lines() {
  while (open_ && !is_refused_ && !is_busy()) {
    const auto end = received_.find('\n');
    if (end == std::string::npos || end > k_max_line) break;
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    take_request(line);
  }
  if (!open_ || is_refused_ || received_.size() <= k_max_line) return;
  if (is_busy()) return close();
  refuse("a line is longer than 64 KiB");
}

void Connection::take_request(const std::string& line) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
    return refuse(R"(a request is a JSON object in one line, such as {"command": "status"})");
  }
  is_request_open_ = true;
  silence_.cancel();
  say_alive();
  const auto reply = std::make_shared<Request>(shared_from_this());
  try {
    handler_(request, reply);
  } catch (const Json::exception& exception) {  // a value of another type than the command wants
    reply->finish(error("usage", exception.what()));
  }
}

void Connection::refuse(const std::string& why) {
  is_refused_ = true;
  send_answer(error("usage", why));
}

void Connection::send_progress(const Json& json) {
  if (!open_) return;
  if (pending_.size() + writing_.size() > k_max_pending) return close();
  send(json);
}

void Connection::send_answer(const Json& json) {
  if (!open_) return;
  is_request_open_ = false;
  alive_.cancel();
  wait_for_silence();
  send(json);
}

void Connection::send(const Json& json) {
  pending_ += to_line(json);
  if (!is_writing_) write();
}

void Connection::write() {
  is_writing_ = true;
  writing_.swap(pending_);
  written_ = 0;
  write_more();
}

void Connection::write_more() {
  socket_.async_write_some(asio::buffer(writing_.data() + written_, writing_.size() - written_),
                           [self = shared_from_this()](const asio::error_code& failed, std::size_t size) {
                             if (!self->open_) return;
                             if (failed) return self->close();
                             self->wrote(size);
                           });
}

void Connection::wrote(std::size_t size) {
  written_ += size;
  if (!is_request_open_) wait_for_silence();
  if (written_ < writing_.size()) return write_more();
  is_writing_ = false;
  writing_.clear();
  if (!pending_.empty()) return write();
  if (is_refused_) return close();
  take_lines();
  if (open_ && is_end_ && !is_busy()) close();
}

/// Begins the time in which the client has to say something or to take something of its answer.
void Connection::wait_for_silence() {
  idle_since_ = std::chrono::steady_clock::now();
  silence_.expires_after(k_silence);
  silence_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->is_request_open_) self->close();
  });
}

/// While a request is open: an empty progress, which is for the client's deadline and not for people.
void Connection::say_alive() {
  alive_.expires_after(k_alive);
  alive_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || !self->open_ || !self->is_request_open_) return;
    if (!self->is_writing_) self->send({{"progress", Json::object()}});
    self->say_alive();
  });
}

}  // namespace maildirsync::control
