#include "common/control/server.h"

#include <unordered_set>

#include <asio/buffer.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <nlohmann/json.hpp>

#include "common/control/connection.h"
#include "common/control/socket_file.h"

namespace maildirsync::control {

namespace {

using Protocol = asio::local::stream_protocol;
using namespace std::chrono_literals;

constexpr std::size_t k_max_clients = 64;
constexpr auto k_accept_pause = 1s;  ///< after a failed accept, for instance when descriptors run out

/// Accepts clients and holds them. Shared with the accept under way and with open replies, so that either may outlive
/// the server; closed, it does nothing any more.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& loop, os::Fd descriptor, Handler handler)
      : acceptor_(loop, Protocol(), descriptor.release()), pause_(loop), handler_(std::move(handler)) {}

  void accept();
  void close();

 private:
  void accept_later();
  void drop_idle_client();
  void admit(Protocol::socket socket);

  Protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  Handler handler_;
  std::unordered_set<std::shared_ptr<Connection>> clients_;
  bool closed_ = false;
};

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
  std::shared_ptr<Connection> longest;
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
  const auto client = std::make_shared<Connection>(
      std::move(socket),
      [self = shared_from_this()](const Json& request, std::shared_ptr<Reply> reply) {
        self->handler_(request, std::move(reply));
      },
      [self = shared_from_this()](const std::shared_ptr<Connection>& closed) { self->clients_.erase(closed); });
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
  UnixServer(asio::io_context& loop, SocketFile file, Handler handler)
      : file_(std::move(file)), listener_(std::make_shared<Listener>(loop, file_.take_listener(), std::move(handler))) {
    listener_->accept();
  }
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;
  ~UnixServer() override { listener_->close(); }

 private:
  SocketFile file_;
  std::shared_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& loop, const std::string& path, Handler handler) {
  MAILDIRSYNC_ASSIGN(auto file, SocketFile::listen(path));
  return std::make_unique<UnixServer>(loop, std::move(file), std::move(handler));
}

Json error(std::string_view code, const std::string& message) {
  return {{"error", {{"code", code}, {"message", message}}}};
}

}  // namespace maildirsync::control
