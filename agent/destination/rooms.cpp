// A full destination. The first file that is refused for want of room makes its root full: from then on turns send only
// what fits into the room that the receiver told of, and the rest waits, parked with its account. One account at a time
// is asked about; where its smallest file fits, it has its turn. So nothing is sent twice in vain, small files and
// other accounts go on, and quotas, which no number tells of, are found out by trying there and not by sending.

#include "agent/destination/rooms.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_pause = 1s;
constexpr auto k_longest_pause = 30s;
constexpr std::uint64_t k_reserve = 64 * 1024;  // for names and what the file system keeps of a file

/// Ever later, while the answer is no.
Clock::duration pause_after(unsigned unanswered) {
  return std::min<Clock::duration>(k_pause * (1U << std::min(unanswered, 5U)), k_longest_pause);
}

}  // namespace

void Rooms::has_none(Turn& turn, const sync::Operation& operation, const std::string& detail) {
  turn.no_room.add(operation, detail);
  const Account* account = roster_.find(turn.order.account);
  if (account == nullptr) return;
  Root& root = roster_.root_of(*account);
  if (!root.room->full()) {
    service::log_warning(
        "destination-full root={} account={} detail=\"{}\" action=\"what does not fit waits until the receiver "
        "says that there is room\"",
        root.config.name, turn.order.account_name, detail);
  }
  root.room->is_full();
}

bool Rooms::wait(Account& account, const Turn& turn) {
  WantOfRoom want = turn.no_room;
  want.merge(turn.report.unsent);
  const bool saw_everything = turn.report.structure;
  Root& root = roster_.root_of(account);
  const bool waited = account.room.has_value();
  if (waited) {
    account.problems.erase(account.room->path);
    if (want.messages > 0 && want.detail.empty()) want.detail = account.room->detail;
  }
  if (saw_everything) account.room.reset();
  if (want.messages > 0) {
    // What was said to fit and did not may be a quota's or a reserve's matter: more room must be found the next time.
    account.room_refusals = waited && turn.no_room.messages > 0 ? account.room_refusals + 1 : 0;
    if (account.room) want.merge(*account.room);
    account.room = want;
  }
  if (!account.room) {
    account.parked = {};
    account.room_refusals = 0;
    if (!root.room->full()) return false;
    const bool waits = std::any_of(roster_.accounts.begin(), roster_.accounts.end(), [&](const auto& other) {
      return other.second.root == account.root && other.second.room;
    });
    if (!waits) {
      root.room->is_no_longer_full();
      root.unanswered = 0;
      service::log_info("destination-has-room root={}", root.config.name);
    }
    return false;
  }
  Problem problem{ErrorCode::no_space, account.room->path, sentence_of(*account.room)};
  if (!waited) {
    account.room_since = Clock::now();
    log_problem(to_string(problem.code), turn.order.root_name, account.name, problem.path, problem.detail);
  }
  problem.since = account.room_since;
  account.problems[account.room->path] = std::move(problem);
  account.parked.structure = true;
  Work named;
  named.folders = turn.order.work.folders;
  account.parked.merge(named);
  if (turn.order.work.oldest) account.parked.changed_at(*turn.order.work.oldest);
  // Its lag counts until it is there.
  if (account.parked.oldest) account.work.changed_at(*account.parked.oldest);
  return want.messages > 0 || !turn.report.put_off.empty();
}

bool Rooms::is_asking() const {
  return std::any_of(roster_.roots.begin(), roster_.roots.end(), [](const Root& root) { return root.asks_for_room; });
}

void Rooms::ask(std::size_t index, bool at_once) {
  Root& root = roster_.roots[index];
  if (!root.room->full() || root.asks_for_room || root.removed || roster_.stopping || schedule_.is_paused()) return;
  if (!at_once && Clock::now() < root.next_question) return;
  const auto link = lanes_.up();
  if (!link) return;
  const Account* asked = nullptr;
  const auto needs = [](const Account& account) {
    return (account.room->smallest + k_reserve) << std::min(account.room_refusals, 16U);
  };
  for (const auto& [id, account] : roster_.accounts) {
    if (account.root != index || !account.room || account.turn || account.held) continue;
    if (asked == nullptr || needs(account) < needs(*asked)) asked = &account;
  }
  if (asked == nullptr) return;
  root.asks_for_room = true;
  askers_.post([this, index, id = asked->id, name = root.config.name, path = asked->path, bytes = needs(*asked),
                owner = asked->room->owner, link, epoch = link->outbox().epoch()] {
    auto answer =
        std::make_shared<Result<wire::MappedOwners::Room>>(ask_for_room(*link, epoch, name, path, bytes, owner));
    asio::post(loop_, [this, index, id, answer] { told(index, id, *answer); });
  });
}

void Rooms::told(std::size_t index, AccountId id, const Result<wire::MappedOwners::Room>& told) {
  Root& root = roster_.roots[index];
  root.asks_for_room = false;
  Account* account = roster_.find(id);
  const bool waits = account != nullptr && account->room;
  // An older receiver cannot be asked: then some is tried now and then.
  const bool fits = told ? told->fits() : told.error().code == ErrorCode::protocol;
  root.unanswered = fits ? 0 : root.unanswered + 1;
  root.next_question = Clock::now() + (told ? pause_after(root.unanswered) : Clock::duration(k_longest_pause));
  if (told) root.room->tell(told->free_bytes(), told->counts_inodes() ? told->free_inodes() : ~std::uint64_t{0});
  if (waits && !fits) account->room->detail = told->detail();
  if (waits && fits) {
    if (!told) root.room->tell(account->room->smallest + k_reserve, 1);
    account->work.merge(std::exchange(account->parked, {}));
    account->work.structure = true;
    account->not_before = {};
    schedule_.add(*account);
    schedule_.dispatch();
  }
  changed_();
}

}  // namespace maildirsync::agent
