// What anybody in the socket's group can write to the control socket. The handler looks at a request as the daemons do:
// it asks for values of a type.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>

#include "common/control/server.h"
#include "tests/unit/support/tree.h"

namespace {

using namespace maildirsync;

/// One server for all inputs; each is a client of its own.
struct Daemon {
  testing::Tree tree;
  asio::io_context loop;
  std::unique_ptr<control::Server> server;

  Daemon() {
    auto listening = control::Server::listen(loop, tree.path("socket"), handle);
    if (!listening) std::abort();
    server = std::move(*listening);
  }

  static void handle(const control::Json& request, const std::shared_ptr<control::Reply>& reply) {
    const auto command = request.value("command", "");
    const double timeout = request.value("timeout", 0.0);
    reply->progress({{"progress", {{"account", request.value("account", "")}}}});
    if (command == "drop") return;  // the request ends with its reply
    reply->finish({{"command", command}, {"full", request.value("full", false)}, {"timeout", timeout}});
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Daemon daemon;
  asio::local::stream_protocol::socket client(daemon.loop);
  client.connect(daemon.tree.path("socket"));
  client.non_blocking(true);
  bool ended = false;
  std::string answers;
  std::array<char, 4096> chunk{};
  std::function<void()> read = [&] {
    client.async_read_some(asio::buffer(chunk), [&](const asio::error_code& error, std::size_t count) {
      answers.append(chunk.data(), count);
      ended = static_cast<bool>(error);
      if (!error) read();
    });
  };
  read();
  asio::async_write(client, asio::buffer(data, size), [&](const asio::error_code&, std::size_t) {
    asio::error_code ignored;
    client.shutdown(asio::local::stream_protocol::socket::shutdown_send, ignored);
  });
  while (!ended)
    daemon.loop.run_one();
  // Whole lines, each a JSON object.
  for (std::size_t start = 0; start < answers.size();) {
    const auto end = answers.find('\n', start);
    if (end == std::string::npos ||
        !control::Json::parse(answers.substr(start, end - start), nullptr, false).is_object())
      std::abort();
    start = end + 1;
  }
  return 0;
}
