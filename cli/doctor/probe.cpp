#include "cli/doctor/probe.h"

#include <algorithm>
#include <chrono>

#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include "cli/setup/address.h"
#include "common/net/await.h"
#include "common/net/channel.h"
#include "common/net/tls.h"
#include "common/os/clock.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

using net::k_await;
constexpr std::size_t k_instance_size = 16;

struct Target {
  config::Endpoint receiver;
  std::string wanted;
  std::vector<std::string> roots;
  std::shared_ptr<asio::ssl::context> tls;
};

void encode_goodbye(const std::string& sentence, std::string& bytes) {
  wire::Header header;
  header.mutable_goodbye()->set_code(static_cast<std::uint32_t>(ErrorCode::cancelled));
  header.mutable_goodbye()->set_sentence(sentence);
  wire::encode(header, {}, bytes);
}

asio::awaitable<void> greet(const Target& target, net::Channel& channel, Probe& found) {
  wire::Header header;
  auto& hello = *header.mutable_hello();
  hello.set_version(wire::k_version);
  hello.set_software("maildirsync doctor " MAILDIRSYNC_VERSION);
  hello.set_host(known_host_name());
  hello.set_instance(std::string(k_instance_size, '\0'));
  hello.set_time(os::wall_clock());
  for (const auto& root : target.roots)
    hello.add_roots(root);
  std::string bytes;
  wire::encode(header, {}, bytes);
  const auto sent = os::wall_clock();
  if (const auto written = co_await channel.write(bytes); !written) {
    found.refusal = written.error().message();
    co_return;
  }
  const auto answer = co_await channel.read();
  const auto received = os::wall_clock();
  if (!answer) {
    found.refusal = answer.error().message();
  } else if (answer->header.has_goodbye()) {
    found.refusal = os::printable(answer->header.goodbye().sentence());
  } else if (!answer->header.has_hello()) {
    found.refusal = "it does not greet";
  } else {
    const auto& reply = answer->header.hello();
    found.refusal = os::printable(reply.refusal());
    for (const auto& root : target.roots) {
      if (std::find(reply.roots().begin(), reply.roots().end(), root) == reply.roots().end()) {
        found.unknown_roots.push_back(root);
      }
    }
    found.software = os::printable(reply.software());
    found.clock_offset = os::clock_offset(reply.time(), sent, received);
  }
}

asio::awaitable<void> run(const Target& target, Probe& found) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const auto [unresolved, addresses] =
      co_await resolver.async_resolve(target.receiver.host, std::to_string(target.receiver.port), k_await);
  if (unresolved) {
    found.unresolved = unresolved.message();
    found.unconnected = found.no_handshake = std::nullopt;
    co_return;
  }
  net::Channel channel(net::TlsStream(executor, *target.tls));
  const auto [refused, endpoint] = co_await asio::async_connect(channel.stream().next_layer(), addresses, k_await);
  found.unconnected.reset();
  const std::string where = target.receiver.text();
  if (refused) {
    found.unconnected = net::cause_of_connect(where, refused, net::Ended::by_itself, 0);
    found.no_handshake.reset();
    co_return;
  }
  net::pin_peer(channel.stream(), [&found](const std::string& fingerprint) {
    found.shown = fingerprint;
    return true;
  });
  const auto [rejected] = co_await channel.stream().async_handshake(asio::ssl::stream_base::client, k_await);
  found.no_handshake.reset();
  if (rejected) found.no_handshake = net::cause_of_handshake(where, rejected, net::Ended::by_itself, 0);
  if (rejected) co_return;
  if (!target.wanted.empty() && found.shown == target.wanted) co_await greet(target, channel, found);
  std::string bytes;
  encode_goodbye("maildirsync doctor has seen what it wanted to see", bytes);
  co_await channel.write(bytes);
  co_await channel.close_gently(std::chrono::milliseconds(200));
}

}  // namespace

Probe probe(const config::Endpoint& receiver, const std::string& certificate, const std::string& key,
            const std::string& wanted, const std::vector<std::string>& roots, int seconds) {
  Probe found;
  auto tls = net::make_context(net::Side::client, certificate, key);
  if (!tls) {
    found.no_handshake = net::Cause{ErrorCode::config, tls.error().message(), "make both anew with maildirsync keygen"};
    return found;
  }
  const Target target{receiver, wanted, roots, *tls};
  // What stays of these is what the time ran out in.
  found.unconnected = net::cause_of_connect(receiver.text(), {}, net::Ended::by_time, seconds);
  found.no_handshake = net::cause_of_handshake(receiver.text(), {}, net::Ended::by_time, seconds);
  asio::io_context loop;
  asio::co_spawn(loop, run(target, found), asio::detached);
  loop.run_for(std::chrono::seconds(seconds));
  return found;
}

}  // namespace maildirsync::cli
