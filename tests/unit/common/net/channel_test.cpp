#include "common/net/channel.h"

#include <algorithm>

#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "common/net/identity.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::net {
namespace {

using maildirsync::testing::Tree;

/// A channel that writes and one that reads, over the loopback.
class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() {
    EXPECT_TRUE(generate_identity(tree_.path("one"), "one"));
    tls_[0] = make_context(Side::client, tree_.path("one.crt"), tree_.path("one.key")).value();
    tls_[1] = make_context(Side::server, tree_.path("one.crt"), tree_.path("one.key")).value();
  }

  /// Writes the bytes at once and reads so many frames of them.
  void pass_on(const std::string& bytes, std::size_t count) {
    asio::co_spawn(loop_, write(bytes), asio::detached);
    asio::co_spawn(loop_, read(count), asio::detached);
    loop_.run();
  }

  asio::awaitable<void> write(std::string bytes) {
    auto stream = std::make_shared<Channel>(TlsStream(loop_, *tls_[0]));
    co_await stream->stream().next_layer().async_connect(acceptor_.local_endpoint(), asio::use_awaitable);
    pin_peer(stream->stream(), [](const std::string&) { return true; });
    co_await stream->stream().async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    EXPECT_TRUE(co_await stream->write(bytes));
    co_await stream->read();  // until the reader has all
  }

  asio::awaitable<void> read(std::size_t count) {
    Channel channel(TlsStream(co_await acceptor_.async_accept(asio::use_awaitable), *tls_[1]));
    pin_peer(channel.stream(), [](const std::string&) { return true; });
    co_await channel.stream().async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
    while (frames_.size() < count) {
      auto frame = co_await channel.read();
      if (!frame) co_return;
      most_buffered_ = std::max(most_buffered_, channel.buffered());
      frames_.push_back(std::move(*frame));
    }
  }

  Tree tree_;
  std::shared_ptr<asio::ssl::context> tls_[2];
  asio::io_context loop_;
  asio::ip::tcp::acceptor acceptor_{loop_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::vector<wire::Frame> frames_;
  std::size_t most_buffered_ = 0;
};

wire::Header goodbye(std::size_t size) {
  wire::Header header;
  header.mutable_goodbye()->set_sentence(std::string(size, 's'));
  return header;
}

TEST_F(ChannelTest, frames_of_all_sizes_arrive_whole_and_in_order) {
  std::string bytes;
  std::vector<std::pair<std::size_t, std::size_t>> sizes;
  for (std::size_t i = 0; i < 60; ++i) {
    sizes.emplace_back(i * 7919 % 400'000, i * 104'729 % wire::k_max_payload);
    wire::encode(goodbye(sizes.back().first), std::string(sizes.back().second, static_cast<char>('a' + i % 26)), bytes);
  }
  pass_on(bytes, sizes.size());
  ASSERT_EQ(frames_.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(frames_[i].header.goodbye().sentence().size(), sizes[i].first) << i;
    EXPECT_EQ(frames_[i].payload, std::string(sizes[i].second, static_cast<char>('a' + i % 26))) << i;
  }
}

TEST_F(ChannelTest, the_buffer_does_not_grow_with_what_comes) {
  std::string bytes;
  for (int i = 0; i < 400; ++i)
    wire::encode(goodbye(10), std::string(120'000, 'x'), bytes);
  pass_on(bytes, 400);
  EXPECT_EQ(frames_.size(), 400u);
  EXPECT_LE(most_buffered_, 512u * 1024);
}

TEST_F(ChannelTest, the_largest_frames_need_less_than_two_of_them) {
  std::string bytes;
  for (int i = 0; i < 20; ++i)
    wire::encode(goodbye(wire::k_max_header - 20), std::string(wire::k_max_payload, 'x'), bytes);
  pass_on(bytes, 20);
  EXPECT_EQ(frames_.size(), 20u);
  EXPECT_LT(most_buffered_, 2 * wire::k_max_frame);
}

}  // namespace
}  // namespace maildirsync::net
