#include "agent/turn/packer.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "agent/turn/turn.h"
#include "tests/unit/agent/turn/frames.h"

namespace maildirsync::agent {
namespace {

using testing::Frames;

wire::Header operation(std::uint64_t sequence) {
  wire::Header header;
  header.mutable_operation()->set_sequence(sequence);
  return header;
}

wire::Header opening() {
  wire::Header header;
  header.mutable_open_account()->set_account("example.org/a");
  return header;
}

struct Lane {
  explicit Lane(config::Compression compression) {
    config::Transfer transfer;
    transfer.compression = compression;
    epoch = outbox.open();
    packer.begin(epoch, transfer);
  }

  Outbox outbox{[] {}};
  Packer packer{outbox};
  std::uint64_t epoch = 0;
  Frames frames;
};

class PackerOf : public ::testing::TestWithParam<config::Compression> {};

TEST_P(PackerOf, every_frame_arrives_in_order_with_its_operation) {
  Lane lane(GetParam());
  std::mt19937 random(1);
  std::vector<std::string> bodies;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::size_t size = i % 50 == 0 ? 128 * 1024 : random() % 9000;
    bodies.emplace_back(size, static_cast<char>('a' + i % 26));
    if (i % 3 == 0)
      std::generate(bodies.back().begin(), bodies.back().end(), [&] { return static_cast<char>(random()); });
  }
  std::vector<wire::Frame> arrived;
  std::vector<Sent> sent;
  const auto take = [&] {
    auto batch = lane.outbox.take();
    for (auto& frame : lane.frames.of(batch.bytes))
      arrived.push_back(std::move(frame));
    std::move(batch.sent.begin(), batch.sent.end(), std::back_inserter(sent));
  };
  ASSERT_TRUE(lane.packer.open(opening()));
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    ASSERT_TRUE(lane.packer.push(operation(i + 1), bodies[i], Sent{.sequence = i + 1}));
    take();
  }
  ASSERT_TRUE(lane.packer.flush());
  take();
  ASSERT_EQ(arrived.size(), 1 + bodies.size());
  EXPECT_TRUE(arrived[0].header.has_open_account());
  ASSERT_EQ(sent.size(), bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    EXPECT_EQ(arrived[i + 1].header.operation().sequence(), i + 1);
    EXPECT_EQ(arrived[i + 1].payload, bodies[i]);
    EXPECT_EQ(sent[i].sequence, i + 1);
  }
  EXPECT_EQ(lane.frames.packed > 0, GetParam() != config::Compression::off);
}
INSTANTIATE_TEST_SUITE_P(Packer, PackerOf,
                         ::testing::Values(config::Compression::automatic, config::Compression::level,
                                           config::Compression::off));

TEST(Packer, small_frames_travel_together) {
  Lane lane(config::Compression::automatic);
  ASSERT_TRUE(lane.packer.open(opening()));
  for (std::uint64_t i = 1; i <= 100; ++i)
    ASSERT_TRUE(lane.packer.push(operation(i), "a small message", Sent{.sequence = i}));
  ASSERT_TRUE(lane.packer.flush());
  EXPECT_EQ(lane.frames.of(lane.outbox.take().bytes).size(), 101U);
  EXPECT_EQ(lane.frames.packed, 1);
}

TEST(Packer, nothing_waits_behind_a_flush) {
  Lane lane(config::Compression::automatic);
  ASSERT_TRUE(lane.packer.open(opening()));
  ASSERT_TRUE(lane.packer.push(operation(1), "one", Sent{.sequence = 1}));
  ASSERT_TRUE(lane.packer.flush());
  EXPECT_EQ(lane.outbox.take().sent.size(), 1U);
  ASSERT_TRUE(lane.packer.flush());
  EXPECT_TRUE(lane.outbox.take().bytes.empty());
}

TEST(Packer, says_when_the_connection_is_gone) {
  Lane lane(config::Compression::automatic);
  ASSERT_TRUE(lane.packer.open(opening()));
  ASSERT_TRUE(lane.packer.push(operation(1), "one", Sent{.sequence = 1}));
  lane.outbox.close();
  EXPECT_FALSE(lane.packer.flush());
  lane.outbox.open();
  EXPECT_FALSE(lane.packer.open(opening()));  // another epoch
}

}  // namespace
}  // namespace maildirsync::agent
