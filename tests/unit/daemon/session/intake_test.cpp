#include "daemon/session/intake.h"

#include <gtest/gtest.h>

#include "common/wire/convert.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

std::shared_ptr<const Peer> peer_of(const std::string& path) {
  config::Owner owner;
  owner.policy = config::OwnerPolicy::numeric;
  auto peer = std::make_shared<Peer>();
  peer->name = "agent";
  peer->roots["root"] = {"root", path, std::make_shared<const OwnerMap>(OwnerMap::make(owner, "root").value())};
  return peer;
}

/// One that knows nothing.
std::unique_ptr<DecisionKeeper> keeper_in(const Tree& tree) {
  return DecisionKeeper::open(tree.path()).value();
}

wire::Frame packed(int operations) {
  std::string plain;
  for (int i = 1; i <= operations; ++i) {
    sync::Operation operation{.kind = sync::OperationKind::remove, .from = {"", sync::Area::cur, std::to_string(i)}};
    wire::Header header;
    wire::to_wire(operation, *header.mutable_operation());
    header.mutable_operation()->set_sequence(static_cast<std::uint64_t>(i));
    wire::encode(header, {}, plain);
  }
  wire::Frame frame;
  frame.header.mutable_packed()->set_plain_size(static_cast<std::uint32_t>(plain.size()));
  codec::Compressor(codec::k_auto_start_level).compress(plain, frame.payload);
  return frame;
}

// What an old connection sent may be handled after what came over a new one.
TEST(Intake, orders_what_is_said_of_an_account_by_the_agents_turns) {
  Tree tree;
  tree.maildir("a");
  const auto keeper = keeper_in(tree);
  const auto serial = [&](std::uint64_t run, std::uint64_t turn) {
    std::uint64_t opened = 0, listed = 0;
    Intake intake(peer_of(tree.path()),
                  {.staged = [](const std::vector<StagedOperation>&) {},
                   .opened = [&](const Account& account) { opened = account.serial; },
                   .list = [&](const ListRequest& request) { listed = request.serial; },
                   .answer = [](const wire::Header&) {}},
                  1, run, *keeper, {});
    wire::Frame frame;
    frame.header.mutable_open_account()->set_root("root");
    frame.header.mutable_open_account()->set_account("a");
    frame.header.mutable_open_account()->set_turn(turn);
    EXPECT_TRUE(intake.handle(frame).value());
    frame.header.mutable_list()->set_root("root");
    frame.header.mutable_list()->set_account("a");
    frame.header.mutable_list()->set_turn(turn);
    EXPECT_TRUE(intake.handle(frame).value());
    EXPECT_EQ(opened, listed);
    return opened;
  };
  const auto later = serial(1, 8);
  EXPECT_LT(serial(1, 7), later);
  EXPECT_EQ(serial(1, 8), later);
  EXPECT_LT(later, serial(2, 1));
  EXPECT_LT(serial(1, ~std::uint64_t{0}), serial(2, 0));
}

TEST(Intake, stages_no_more_at_once_than_its_part) {
  Tree tree;
  tree.maildir("a");
  const auto keeper = keeper_in(tree);
  std::vector<std::size_t> staged;
  Intake intake(peer_of(tree.path()),
                {.staged = [&](std::vector<StagedOperation> operations) { staged.push_back(operations.size()); },
                 .opened = [](const Account&) {},
                 .list = [](const ListRequest&) {},
                 .answer = [](const wire::Header&) {}},
                4, 1, *keeper, {});
  wire::Frame open;
  open.header.mutable_open_account()->set_root("root");
  open.header.mutable_open_account()->set_account("a");
  EXPECT_TRUE(intake.handle(open).value());
  const auto frame = packed(10);
  EXPECT_FALSE(intake.handle(frame).value());
  EXPECT_FALSE(intake.handle(frame).value());
  EXPECT_TRUE(intake.handle(frame).value());
  EXPECT_EQ(staged, (std::vector<std::size_t>{4, 4, 2}));
}

}  // namespace
}  // namespace maildirsync::daemon
