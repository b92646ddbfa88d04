#include "common/control/server.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_set>

#include <asio/buffer.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/os/fd.h"
#include "common/os/path.h"

namespace maildirsync::control {

namespace {

using Protocol = asio::local::stream_protocol;
using namespace std::chrono_literals;

constexpr std::size_t k_max_line = 64 * 1024;
constexpr std::size_t k_max_clients = 64;
constexpr std::size_t k_max_pending = 1024 * 1024;
constexpr auto k_silence = 30s;      ///< without a request, or without taking any of an answer
constexpr auto k_alive = 3s;         ///< a client that waits hears at least so often that we are there
constexpr auto k_accept_pause = 1s;  ///< after a failed accept, for instance when descriptors run out
constexpr mode_t k_socket_mode = 0660;
constexpr mode_t k_directory_mode = 0755;

std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

class Client;

/// Accepts clients and holds them. Shared with the accept under way and with open replies, so that either may outlive
/// the server; closed, it does nothing any more.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& loop, os::Fd descriptor, Handler handler)
      : acceptor_(loop, Protocol(), descriptor.release()), pause_(loop), handler_(std::move(handler)) {}

  void accept();
  void close();
  void handle(const Json& request, std::shared_ptr<Reply> reply) { handler_(request, std::move(reply)); }
  void forget(const std::shared_ptr<Client>& client) { clients_.erase(client); }

 private:
  void accept_later();
  void drop_idle_client();
  void admit(Protocol::socket socket);

  Protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  Handler handler_;
  std::unordered_set<std::shared_ptr<Client>> clients_;
  bool closed_ = false;
};

/// One connection: reads lines, gives them to the handler one after the other, writes what the replies say. It keeps
/// reading while a request is open, for that is how a hang-up is seen.
class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(Protocol::socket socket, std::shared_ptr<Listener> listener)
      : socket_(std::move(socket)),
        silence_(socket_.get_executor()),
        alive_(socket_.get_executor()),
        listener_(std::move(listener)) {}

  void start() {
    wait_for_silence();
    read();
  }

  void close() {
    if (!open_) return;
    open_ = false;
    silence_.cancel();
    alive_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
    listener_->forget(shared_from_this());
  }

  /// Whether it has no request open, and since when.
  bool is_idle() const { return !is_busy(); }
  std::chrono::steady_clock::time_point idle_since() const { return idle_since_; }

  /// A client that only shut its sending side (`nc -N`) still waits for the answer; one that is gone hangs up.
  bool is_there() {
    if (!open_) return false;
    pollfd descriptor{socket_.native_handle(), 0, 0};
    return ::poll(&descriptor, 1, 0) <= 0 || (descriptor.revents & (POLLHUP | POLLERR)) == 0;
  }

  void send_progress(const Json& json) {
    if (!open_) return;
    if (pending_.size() + writing_.size() > k_max_pending) return close();
    send(json);
  }

  void send_answer(const Json& json) {
    if (!open_) return;
    is_request_open_ = false;
    alive_.cancel();
    wait_for_silence();
    send(json);
  }

 private:
  class Request;

  bool is_busy() const { return is_request_open_ || is_writing_; }

  void read() {
    socket_.async_read_some(asio::buffer(chunk_),
                            [self = shared_from_this()](const asio::error_code& failed, std::size_t size) {
                              if (!self->open_) return;
                              if (failed) return self->take_end();
                              self->received_.append(self->chunk_.data(), size);
                              self->take_lines();
                              if (self->open_ && !self->is_refused_) self->read();
                            });
  }

  void take_end() {
    is_end_ = true;
    if (!is_busy() || !is_there()) close();
  }

  /// The next request waits until the answer to the last has left: no client makes us hold two.
  void take_lines() {
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

  void take_request(const std::string& line);

  void refuse(const std::string& why) {
    is_refused_ = true;
    send_answer(error("usage", why));
  }

  void send(const Json& json) {
    pending_ += to_line(json);
    if (!is_writing_) write();
  }

  void write() {
    is_writing_ = true;
    writing_.swap(pending_);
    written_ = 0;
    write_more();
  }

  void write_more() {
    socket_.async_write_some(asio::buffer(writing_.data() + written_, writing_.size() - written_),
                             [self = shared_from_this()](const asio::error_code& failed, std::size_t size) {
                               if (!self->open_) return;
                               if (failed) return self->close();
                               self->wrote(size);
                             });
  }

  void wrote(std::size_t size) {
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
  void wait_for_silence() {
    idle_since_ = std::chrono::steady_clock::now();
    silence_.expires_after(k_silence);
    silence_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
      const auto self = weak.lock();
      if (!cancelled && self && !self->is_request_open_) self->close();
    });
  }

  /// While a request is open: an empty progress, which is for the client's deadline and not for people.
  void say_alive() {
    alive_.expires_after(k_alive);
    alive_.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self || !self->open_ || !self->is_request_open_) return;
      if (!self->is_writing_) self->send({{"progress", Json::object()}});
      self->say_alive();
    });
  }

  Protocol::socket socket_;
  asio::steady_timer silence_, alive_;
  std::chrono::steady_clock::time_point idle_since_;
  std::shared_ptr<Listener> listener_;
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

class Client::Request final : public Reply {
 public:
  explicit Request(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() override {
    if (client_) client_->send_answer(error("cancelled", "the daemon ended the request"));
  }

  void progress(const Json& json) override {
    if (client_) client_->send_progress(json);
  }
  void finish(const Json& json) override {
    if (client_) client_->send_answer(json);
    client_.reset();
  }
  bool wanted() const override { return client_ && client_->is_there(); }

 private:
  std::shared_ptr<Client> client_;  ///< empty once answered
};

void Client::take_request(const std::string& line) {
  const Json request = Json::parse(line, nullptr, false);
  if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
    return refuse(R"(a request is a JSON object in one line, such as {"command": "status"})");
  }
  is_request_open_ = true;
  silence_.cancel();
  say_alive();
  const auto reply = std::make_shared<Request>(shared_from_this());
  try {
    listener_->handle(request, reply);
  } catch (const Json::exception& exception) {  // a value of another type than the command wants
    reply->finish(error("usage", exception.what()));
  }
}

void Listener::accept() {
  acceptor_.async_accept([self = shared_from_this()](const asio::error_code& failed, Protocol::socket socket) {
    if (self->closed_) return;
    if (failed) return self->accept_later();
    self->admit(std::move(socket));
    self->accept();
  });
}

void Listener::accept_later() {
  pause_.expires_after(k_accept_pause);
  pause_.async_wait([self = shared_from_this()](const asio::error_code&) {
    if (!self->closed_) self->accept();
  });
}

/// Those that connect and ask nothing keep nobody out: the one that has been idle longest goes.
void Listener::drop_idle_client() {
  std::shared_ptr<Client> longest;
  for (const auto& client : clients_) {
    if (client->is_idle() && (!longest || client->idle_since() < longest->idle_since())) longest = client;
  }
  if (longest) longest->close();
}

void Listener::admit(Protocol::socket socket) {
  if (clients_.size() >= k_max_clients) drop_idle_client();
  if (clients_.size() >= k_max_clients) {
    asio::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(to_line(error("busy", "too many clients at once; try again later"))), ignored);
    return;
  }
  const auto client = std::make_shared<Client>(std::move(socket), shared_from_this());
  clients_.insert(client);
  client->start();
}

void Listener::close() {
  closed_ = true;
  pause_.cancel();
  asio::error_code ignored;
  acceptor_.close(ignored);
  const auto clients = clients_;
  for (const auto& client : clients)
    client->close();
}

class UnixServer final : public Server {
 public:
  UnixServer(asio::io_context& loop, os::Fd descriptor, std::string path, const struct stat& file, Handler handler)
      : path_(std::move(path)),
        device_(file.st_dev),
        inode_(file.st_ino),
        listener_(std::make_shared<Listener>(loop, std::move(descriptor), std::move(handler))) {
    listener_->accept();
  }
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;

  ~UnixServer() override {
    listener_->close();
    struct stat file {};
    // Somebody may have removed our file, and another daemon's may be there now.
    if (::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
  dev_t device_;
  ino_t inode_;
  std::shared_ptr<Listener> listener_;
};

Result<> make_parent(const std::string& path) {
  const std::string parent = os::directory_of(path);
  if (::mkdir(parent.c_str(), k_directory_mode) != 0) {
    if (errno == EEXIST) return {};
    return os_failure(parent, "cannot make the directory of the control socket", errno);
  }
  if (::chmod(parent.c_str(), k_directory_mode) != 0) {  // whatever the umask is
    return os_failure(parent, "cannot set the mode of the control socket's directory", errno);
  }
  return {};
}

/// Takes away the socket file of a daemon that was killed, and nothing else.
Result<> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return {};
    return os_failure(path, "cannot look at the control socket", errno);
  }
  if (!S_ISSOCK(file.st_mode)) {
    return failure(ErrorCode::exists, path,
                   "what stands in the place of the control socket is no socket; move it away");
  }
  const os::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return os_failure(path, "cannot make a socket", errno);
  // EAGAIN: somebody listens and is busy.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    return failure(ErrorCode::exists, path,
                   "another daemon runs already and answers on this control socket; stop it, or give this one another "
                   "(control)");
  }
  if (errno != ECONNREFUSED && errno != ENOENT) return os_failure(path, "cannot tell whether a daemon answers", errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_failure(path, "cannot replace the old socket", errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& loop, const std::string& path, Handler handler) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return failure(
        ErrorCode::config, path,
        "the control socket's path must have 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  MAILDIRSYNC_TRY(make_parent(path));
  MAILDIRSYNC_TRY(remove_stale(path, address));
  os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file is made with the descriptor's mode, less the umask: never with more than it may have. The umask itself is
  // the whole process's and stays alone.
  if (!listener || ::fchmod(listener.get(), k_socket_mode) != 0) return os_failure(path, "cannot make a socket", errno);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return os_failure(path, "cannot make the control socket", errno);
  }
  struct stat file {};
  if (::chmod(path.c_str(), k_socket_mode) != 0 || ::lstat(path.c_str(), &file) != 0 ||
      ::listen(listener.get(), SOMAXCONN) != 0) {
    const int error_number = errno;
    ::unlink(path.c_str());
    return os_failure(path, "cannot listen on the control socket", error_number);
  }
  return std::make_unique<UnixServer>(loop, std::move(listener), path, file, std::move(handler));
}

Json error(std::string_view code, const std::string& message) {
  return {{"error", {{"code", code}, {"message", message}}}};
}

}  // namespace maildirsync::control
