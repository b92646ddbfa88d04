#pragma once

#include <cstring>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/control/server.h"
#include "common/os/fd.h"

namespace maildirsync::control {

/// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "maildirsync-control-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Keeps the reply, and ends the loop: a daemon that ends while it works for a client.
inline Handler hold_and_stop(std::shared_ptr<Reply>& held, asio::io_context& loop) {
  return [&](const Json&, std::shared_ptr<Reply> reply) {
    held = std::move(reply);
    loop.stop();
  };
}

/// A server whose loop runs in a thread until the end of the test.
class RunningServer {
 public:
  RunningServer(const std::string& path, Handler handler) {
    auto server = Server::listen(loop_, path, std::move(handler));
    if (!server) throw std::runtime_error(server.error().message());
    server_ = std::move(*server);
    thread_ = std::thread([this] { loop_.run(); });
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() {
    loop_.stop();
    thread_.join();
  }

  /// Runs a function where replies live, and waits for it.
  template <class Function>
  auto on_loop(Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    asio::post(loop_, [&task] { task(); });
    return task.get_future().get();
  }

 private:
  asio::io_context loop_{1};
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

/// A client without manners.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
  }

  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;  // dropped already
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void say_no_more() { ::shutdown(fd_.get(), SHUT_WR); }
  void hang_up() { fd_.reset(); }

  std::string hear_line() {
    std::string line;
    char byte = 0;
    while (::recv(fd_.get(), &byte, 1, 0) == 1 && byte != '\n')
      line.push_back(byte);
    return line;
  }
  /// Everything until the server ends the connection.
  std::string hear_all() {
    std::string all;
    char chunk[4096];
    for (ssize_t size = 0; (size = ::recv(fd_.get(), chunk, sizeof chunk, 0)) > 0;) {
      all.append(chunk, static_cast<std::size_t>(size));
    }
    return all;
  }

 private:
  os::Fd fd_;
};

inline void echo(const Json& request, const std::shared_ptr<Reply>& reply) {
  reply->finish({{"echo", request}});
}

}  // namespace maildirsync::control
