// What an agent that went mad can do to the receiver: its frames are staged and applied to a directory. Nothing beside
// that directory may be touched, and nothing of ours may be left in it.

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/stubs/logging.h>

#include "common/maildir/name.h"
#include "common/wire/frame.h"
#include "daemon/apply/transition.h"
#include "daemon/session/intake.h"
#include "tests/unit/support/tree.h"

namespace {

using namespace maildirsync;
namespace fs = std::filesystem;

std::shared_ptr<const daemon::Peer> peer_of(const std::string& path) {
  config::Owner owner;
  owner.policy = config::OwnerPolicy::numeric;
  auto owners = daemon::OwnerMap::make(owner, "root");
  auto peer = std::make_shared<daemon::Peer>();
  peer->name = "agent";
  peer->roots["r"] = {"r", path, std::make_shared<const daemon::OwnerMap>(std::move(*owners))};
  return peer;
}

/// As the committer does it, but for the syncs.
void apply(daemon::StagedOperation& staged) {
  if (staged.error || !staged.account->tree) return;
  if (staged.account->tree->refusal(staged.operation)) return;
  os::SyncSet unsynced;
  const auto outcome = daemon::transition(staged, unsynced);
  if (!outcome) staged.account->tree->note_failure(staged.operation, outcome.error());
}

void check(const testing::Tree& tree) {
  if (tree.content("outside/secret") != "secret") std::abort();
  std::size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(tree.path("outside")))
    beside += entry.path().empty() ? 0 : 1;
  if (beside != 1) std::abort();
  for (const auto& entry : fs::recursive_directory_iterator(tree.path("root"))) {
    if (entry.path().filename().native().starts_with(maildir::k_aside_prefix)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  [[maybe_unused]] static const auto unsaid = google::protobuf::SetLogHandler(nullptr);  // it tells of each bad text
  testing::Tree tree;
  tree.directory("root/a")
      .file("outside/secret", "secret")
      .link("../outside", "root/link")
      .link("../../outside", "root/a/link");
  {
    const testing::Tree state;
    const auto keeper = daemon::DecisionKeeper::open(state.path()).value();
    daemon::Intake intake(peer_of(tree.path("root")),
                          {.staged =
                               [](std::vector<daemon::StagedOperation> staged) {
                                 for (auto& one : staged)
                                   apply(one);
                               },
                           .opened = [](const daemon::Account&) {},
                           .list = [](const daemon::ListRequest&) {},
                           .answer = [](const wire::Header&) {}},
                          8, 1, *keeper, {});
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    while (rest.size() >= wire::k_prefix) {
      const auto lengths = wire::decode_prefix(rest.substr(0, wire::k_prefix));
      rest.remove_prefix(wire::k_prefix);
      if (!lengths || rest.size() < std::size_t{lengths->header} + lengths->payload) break;
      auto frame =
          wire::decode(rest.substr(0, lengths->header), std::string(rest.substr(lengths->header, lengths->payload)));
      if (!frame) break;
      auto done = intake.handle(*frame);
      while (done && !*done)
        done = intake.handle(*frame);
      if (!done) break;
      rest.remove_prefix(std::size_t{lengths->header} + lengths->payload);
    }
  }
  check(tree);
  return 0;
}
