#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>

#include "common/control/server.h"

namespace maildirsync::control {

/// One line of an answer.
std::string to_line(const Json& json);

/// One client of the control socket: reads lines, gives them to the handler one after the other, writes what the
/// replies say. Lives on the event loop, held by its server and by an open reply.
///
/// Three things go on at once, each a chain of callbacks, and all of them look at the same few flags: it reads (also
/// while a request is open: that is how a hang-up is seen), it writes, and a timer ends it when it is silent or
/// tells it that we are there.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = asio::local::stream_protocol::socket;
  /// Hears once that it is closed.
  using Closed = std::function<void(const std::shared_ptr<Connection>&)>;

  Connection(Socket socket, Handler handler, Closed closed);

  void start();
  void close();

  /// Whether it has no request open, and since when.
  bool is_idle() const { return !is_busy(); }
  std::chrono::steady_clock::time_point idle_since() const { return idle_since_; }

 private:
  class Request;

  bool is_busy() const { return is_request_open_ || is_writing_; }
  bool is_there();
  void read();
  void take_end();
  void take_lines();
  void take_request(const std::string& line);
  void refuse(const std::string& why);
  void send_progress(const Json& json);
  void send_answer(const Json& json);
  void send(const Json& json);
  void write();
  void write_more();
  void wrote(std::size_t size);
  void wait_for_silence();
  void say_alive();

  Socket socket_;
  asio::steady_timer silence_, alive_;
  std::chrono::steady_clock::time_point idle_since_;
  Handler handler_;
  Closed closed_;
  std::array<char, 4096> chunk_{};
  std::string received_;
  std::string pending_;  ///< to be written after `writing_`
  std::string writing_;
  std::size_t written_ = 0;
  bool open_ = true;
  bool is_request_open_ = false;
  bool is_writing_ = false;
  bool is_end_ = false;      ///< the client sends nothing more
  bool is_refused_ = false;  ///< nothing more is read from it
};

}  // namespace maildirsync::control
