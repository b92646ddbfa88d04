#include "agent/engine/orders.h"

#include <future>
#include <utility>

#include <asio/post.hpp>

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr int k_reads_for_later = 64;

/// A look at the structure does not list what has not changed. So what is a problem is looked at by its name: it is
/// still one, or it is sent.
void look_at_problems(const Account& account, Work& work) {
  for (const auto& [path, problem] : account.problems) {
    if (problem.code == ErrorCode::unwatched) continue;
    auto at = location_of(path);
    if (at.name.empty()) continue;
    auto& dirt = work.folders[at.folder];
    if (!dirt.everything) dirt.names.insert({at.area, std::move(at.name)});
    // What is in the way there may have gone, or changed.
    work.compare |= tells_of_destination(problem.code);
  }
}

}  // namespace

TurnOrder Orders::make(Account& account) {
  const Root& root = roster_.root_of(account);
  const auto mass_seen = holds_.mass_that_may_be_believed(account);  // may find that the root loses much
  TurnOrder order = {.account = account.id,
                     .root_name = root.config.name,
                     .account_path = account.path,
                     .account_name = account.name,
                     .root = root.directory,
                     .mode = root.mode,
                     .owners = root.config.owners,
                     .decision = root.agreement.token,
                     .ask = agreements_.ask_about_users(account),
                     .users_in_root = !root.in_use.empty(),
                     .given_until = agreements_.given_until_by_decision(account),
                     .put_back = account.put_back,
                     .work = std::exchange(account.work, {}),
                     .not_ours = account.not_ours,
                     .alone = account.alone,
                     .released = account.released,
                     .gone_confirmed = account.gone_confirmed,
                     .recently_removed = account.losses.in_window(Clock::now()),
                     .removed_within_hour = account.losses.in_hour(Clock::now()),
                     .root_wanes = holds_.wanes(account.root),
                     .has_trash = lanes_.has_trash(root.config.name),
                     .root_loses = account.hold == sync::Hold::root_loses || holds_.loses_much(account.root),
                     .mass_seen = mass_seen,
                     .missing_there = Holds::missing_that_may_be_believed(account),
                     .generation = 0,
                     .room = root.room,
                     .waits_for_room = account.room.has_value()};
  Work& work = order.work;
  if (std::exchange(account.in_doubt, false)) work.compare = true;
  if (account.put_back) work.compare = work.structure = true;
  if (work.is_whole()) look_at_problems(account, work);
  order.waits_for_room &= !work.structure;  // else it sees by itself what waits
  order.later = [this, id = account.id] { return ask_for_later_messages(id); };
  if (work.structure || work.full) order.generation = account.wanted_generation;
  return order;
}

/// What the watcher has until now, and of it the messages of one account; the rest stays for its next turn.
std::optional<Work> Orders::take_later_messages(AccountId id) {
  if (!watching_.read_all(k_reads_for_later)) return std::nullopt;  // it fills as fast as it is read
  Account* account = roster_.find(id);
  if (account == nullptr) return std::nullopt;
  Work& work = account->work;
  if (work.is_whole()) return std::nullopt;
  Work taken;
  for (auto& [path, dirt] : work.folders) {
    if (dirt.everything) return std::nullopt;
    for (const auto& name : dirt.names) {
      if (name.area != sync::Area::folder) taken.folders[path].names.insert(name);
    }
  }
  for (const auto& [path, dirt] : taken.folders) {
    auto& left = work.folders[path].names;
    for (const auto& name : dirt.names)
      left.erase(name);
    if (left.empty()) work.folders.erase(path);
  }
  if (work.empty()) work.oldest.reset();  // what was taken is younger than what the turn began with
  return taken;
}

/// Called by a lane; waits for the loop, but not for one that is ending.
std::optional<Work> Orders::ask_for_later_messages(AccountId id) {
  auto promise = std::make_shared<std::promise<std::optional<Work>>>();
  auto answer = promise->get_future();
  asio::post(loop_, [this, id, promise] { promise->set_value(take_later_messages(id)); });
  return answer.wait_for(2s) == std::future_status::ready ? answer.get() : std::nullopt;
}

}  // namespace maildirsync::agent
