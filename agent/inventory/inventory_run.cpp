#include "agent/inventory/inventory_run.h"

#include <algorithm>
#include <set>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "common/os/clock.h"
#include "common/os/name_service.h"
#include "common/wire/convert.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto k_progress = 250ms;

Space from_wire(const wire::MappedOwners::Space& space) {
  std::optional<Space::Trash> trash;
  if (space.has_trash()) {
    const auto& told = space.trash();
    trash = Space::Trash{.days = told.days(), .files = told.files(), .bytes = told.bytes(), .oldest = told.oldest()};
  }
  return {.file_system = space.file_system(),
          .total_bytes = space.total_bytes(),
          .free_bytes = space.free_bytes(),
          .total_inodes = space.total_inodes(),
          .free_inodes = space.free_inodes(),
          .longest_name = space.longest_name(),
          .times = wire::from_wire(space.times()),
          .trash = std::move(trash)};
}

}  // namespace

InventoryRun::InventoryRun(asio::io_context& loop, Order order, Hooks hooks)
    : loop_(loop), order_(std::move(order)), hooks_(std::move(hooks)), thread_([this] { work(); }) {}

InventoryRun::~InventoryRun() {
  stop_ = true;
  thread_.join();
}

void InventoryRun::work() {
  const auto start = Clock::now();
  take_inventories();
  if (!stop_) ask_receiver();
  order_.facts.elapsed_seconds = os::seconds_since(start);
  asio::post(loop_, [this, answer = forecast(order_.facts)] {
    running_ = false;
    hooks_.done(answer);
  });
}

void InventoryRun::take_inventories() {
  Facts& facts = order_.facts;
  auto told = Clock::now();
  std::uint64_t messages = 0, bytes = 0;
  for (std::size_t i = 0; i < facts.accounts.size() && !stop_; ++i) {
    facts.accounts[i].inventory = take_inventory(*order_.accounts[i].root, order_.accounts[i].path, stop_);
    messages += facts.accounts[i].inventory.messages;
    bytes += facts.accounts[i].inventory.bytes;
    if (Clock::now() - told < k_progress) continue;
    told = Clock::now();
    asio::post(loop_, [this, done = i + 1, messages, bytes] {
      if (running_) hooks_.progress(done, messages, bytes);
    });
  }
}

void InventoryRun::ask_receiver() {
  Facts& facts = order_.facts;
  if (!order_.link) return;
  for (auto& root : facts.roots) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> ids;
    for (const auto& account : facts.accounts) {
      if (account.root == root.name) ids.insert(account.inventory.owners.begin(), account.inventory.owners.end());
    }
    std::vector<Facts::Owner> owners;
    for (const auto& [uid, gid] : ids) {
      owners.push_back({.root = root.name,
                        .uid = uid,
                        .gid = gid,
                        .user = os::user_name(uid),
                        .group = os::group_name(gid),
                        .detail = ""});
    }
    if (const auto asked = ask_for_root(root, owners); !asked) {
      facts.receiver_trouble = asked.error().message();
      return;
    }
  }
  facts.is_receiver_asked = true;
}

/// At least one question, for the space.
Result<> InventoryRun::ask_for_root(Facts::Root& root, const std::vector<Facts::Owner>& owners) {
  std::vector<sync::Attributes> ids;
  for (const auto& owner : owners)
    ids.push_back({0, owner.uid, owner.gid});
  for (std::size_t start = 0; start == 0 || start < owners.size(); start += k_owners_at_once) {
    const std::size_t end = std::min(owners.size(), start + k_owners_at_once);
    if (stop_) return failure(ErrorCode::cancelled, "", "the agent is being stopped");
    MAILDIRSYNC_ASSIGN(const auto answer, ask_about_owners(*order_.link, order_.epoch, root.name,
                                                           std::span(ids).subspan(start, end - start), start == 0));
    const wire::MappedOwners& mapped = answer;
    if (static_cast<std::size_t>(mapped.owners_size()) != end - start) {
      return failure(ErrorCode::protocol, "", "the receiver answered for another number of owners than were asked for");
    }
    for (std::size_t i = start; i < end; ++i) {
      auto owner = owners[i];
      const auto& one = mapped.owners(static_cast<int>(i - start));
      owner.is_mapped = one.ok();
      owner.detail = one.detail();
      order_.facts.owners.push_back(std::move(owner));
    }
    if (start != 0) continue;
    if (!mapped.has_space()) {
      return failure(
          ErrorCode::protocol, "",
          "the receiver does not tell its free space; install the same release of maildirsync on both servers");
    }
    if (mapped.space().error() != 0) {
      root.distant_trouble = mapped.space().detail();
      root.distant_code = static_cast<ErrorCode>(mapped.space().error());
    } else {
      root.space = from_wire(mapped.space());
    }
  }
  return {};
}

}  // namespace maildirsync::agent
