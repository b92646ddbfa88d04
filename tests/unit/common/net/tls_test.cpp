#include "common/net/tls.h"

#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "common/net/await.h"
#include "common/net/channel.h"
#include "common/net/identity.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::net {
namespace {

using maildirsync::testing::Tree;

/// Two sides with an identity each, and a connection over the loopback.
class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    client_fingerprint = generate_identity(tree.path("client"), "client").value();
    server_fingerprint = generate_identity(tree.path("server"), "server").value();
    client_context = make_context(Side::client, tree.path("client.crt"), tree.path("client.key")).value();
    server_context = make_context(Side::server, tree.path("server.crt"), tree.path("server.key")).value();
  }

  /// Connects and shakes hands; each side accepts the fingerprint given. Then a frame goes each way where both
  /// accepted: TLS 1.3 tells a client that it was refused only at its first read.
  void connect(const std::string& accepted_by_client, const std::string& accepted_by_server) {
    acceptor.emplace(loop, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::co_spawn(loop, serve(accepted_by_server), asio::detached);
    asio::co_spawn(loop, call(accepted_by_client), asio::detached);
    loop.run();
  }

  asio::awaitable<void> serve(std::string accepted) {
    auto socket = co_await acceptor->async_accept(asio::use_awaitable);
    TlsStream stream(std::move(socket), *server_context);
    pin_peer(stream, [&](const std::string& shown) {
      seen_by_server = shown;
      return shown == accepted;
    });
    const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, k_await);
    server_shook = !error;
    if (!error) {
      Channel channel(std::move(stream));
      co_await talk(channel, served);
    };
  }

  asio::awaitable<void> call(std::string accepted) {
    TlsStream stream(loop, *client_context);
    co_await stream.next_layer().async_connect(acceptor->local_endpoint(), asio::use_awaitable);
    pin_peer(stream, [&](const std::string& shown) {
      seen_by_client = shown;
      return shown == accepted;
    });
    const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, k_await);
    if (!error) {
      Channel channel(std::move(stream));
      co_await talk(channel, called);
    };
  }

  asio::awaitable<void> talk(Channel& channel, bool& talked) {
    wire::Header header;
    header.mutable_ping()->set_number(7);
    std::string bytes;
    wire::encode(header, std::string(200'000, 'x'), bytes);
    const auto written = co_await channel.write(bytes);
    const auto frame = co_await channel.read();
    talked = written && frame && frame->header.ping().number() == 7 && frame->payload.size() == 200'000;
  }

  Tree tree;
  std::string client_fingerprint, server_fingerprint;
  std::shared_ptr<asio::ssl::context> client_context, server_context;
  asio::io_context loop;
  std::optional<asio::ip::tcp::acceptor> acceptor;
  std::string seen_by_client, seen_by_server;
  bool server_shook = false, served = false, called = false;
};

TEST_F(TlsTest, sides_that_know_each_other_talk) {
  connect(server_fingerprint, client_fingerprint);
  EXPECT_TRUE(served);
  EXPECT_TRUE(called);
  EXPECT_EQ(seen_by_client, server_fingerprint);
  EXPECT_EQ(seen_by_server, client_fingerprint);
}

TEST_F(TlsTest, a_client_talks_to_no_unknown_server) {
  connect(client_fingerprint, client_fingerprint);
  EXPECT_EQ(seen_by_client, server_fingerprint);
  EXPECT_FALSE(called);
  EXPECT_FALSE(served);
}

TEST_F(TlsTest, a_server_talks_to_no_unknown_client) {
  connect(server_fingerprint, server_fingerprint);
  EXPECT_EQ(seen_by_server, client_fingerprint);
  EXPECT_FALSE(called);
  EXPECT_FALSE(server_shook);
}

TEST_F(TlsTest, a_client_of_tls_1_2_is_refused) {
  SSL_CTX_set_min_proto_version(client_context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(client_context->native_handle(), TLS1_2_VERSION);
  connect(server_fingerprint, client_fingerprint);
  EXPECT_FALSE(server_shook);
  EXPECT_FALSE(called);
}

TEST_F(TlsTest, a_server_of_tls_1_2_is_refused) {
  SSL_CTX_set_min_proto_version(server_context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(server_context->native_handle(), TLS1_2_VERSION);
  connect(server_fingerprint, client_fingerprint);
  EXPECT_FALSE(server_shook);
  EXPECT_FALSE(called);
}

TEST_F(TlsTest, a_client_without_a_certificate_is_refused) {
  client_context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  connect(server_fingerprint, client_fingerprint);
  EXPECT_FALSE(server_shook);
  EXPECT_FALSE(called);
}

TEST_F(TlsTest, a_peer_that_nobody_pinned_is_refused) {
  TlsStream stream(loop, *client_context);
  EXPECT_EQ(SSL_get_verify_mode(stream.native_handle()), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
  EXPECT_EQ(SSL_CTX_get_num_tickets(server_context->native_handle()), 0u);
}

TEST_F(TlsTest, a_key_of_another_certificate_is_a_wrong_configuration) {
  const auto context = make_context(Side::client, tree.path("client.crt"), tree.path("server.key"));
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code, ErrorCode::config);
  EXPECT_NE(context.error().message().find("server.key"), std::string::npos) << context.error().message();
}

TEST_F(TlsTest, a_certificate_that_is_not_there_is_a_wrong_configuration) {
  EXPECT_EQ(make_context(Side::server, tree.path("none.crt"), tree.path("server.key")).error().code, ErrorCode::config);
}

}  // namespace
}  // namespace maildirsync::net
