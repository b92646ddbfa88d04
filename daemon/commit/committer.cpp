#include "daemon/commit/committer.h"

#include <algorithm>
#include <chrono>

#include "common/os/explained.h"
#include "daemon/commit/drained.h"

namespace maildirsync::daemon {

namespace {

// A larger group gains nothing more, and its acknowledgements come later.
constexpr std::size_t k_group = 4096;
// Bytes of names of accounts, half a million of them. An agent can open accounts that are not there.
constexpr std::size_t k_newest_bytes = 32 * 1024 * 1024;

void note_removed_account(const StagedOperation& staged) {
  const Account& account = *staged.account;
  const bool is_account =
      staged.operation.kind == sync::OperationKind::remove_folder && staged.operation.from.folder.empty();
  if (is_account && account.served && account.root) account.served->account_removed(*account.root);
}

bool is_obeyed(const Account& account) {
  return !account.tenure || account.tenure->obeys(account.session);
}

}  // namespace

Committer::Committer(std::size_t most_waiting, os::Syncs& syncs, CommitTotals* totals)
    : most_waiting_(most_waiting),
      syncs_(syncs),
      totals_(totals == nullptr ? own_totals_ : *totals),
      thread_([this] { work(); }) {}

Committer::~Committer() {
  stop();
}

void Committer::close(Waiting waiting) {
  if (waiting == Waiting::is_dropped) drops_ = true;
  items_.close();
}

void Committer::stop(Waiting waiting) {
  close(waiting);
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(waiting_mutex_);
  want_room_.clear();
}

void Committer::put(std::vector<StagedOperation> staged, const std::shared_ptr<Acknowledged>& sink) {
  std::vector<Item> items;
  items.reserve(staged.size());
  const std::lock_guard lock(waiting_mutex_);
  for (auto& one : staged) {
    ++waiting_[one.account->key];
    items.emplace_back(Put{std::move(one), sink});
  }
  all_waiting_ += items.size();
  items_.push_all(std::move(items));
}

bool Committer::is_full(std::function<void()> room) {
  const std::lock_guard lock(waiting_mutex_);
  if (all_waiting_ < most_waiting_) return false;
  want_room_.push_back(std::move(room));
  return true;
}

void Committer::opened(std::string account_key, std::uint64_t serial, std::function<void()> reached) {
  std::function<void()> at_once;
  {
    const std::lock_guard lock(waiting_mutex_);
    if (!waiting_.contains(account_key)) std::swap(at_once, reached);
    if (items_.push(Opened{std::move(account_key), serial, std::move(reached)})) ++all_waiting_;
  }
  if (at_once) at_once();
}

void Committer::run(std::function<void(os::SyncSet& sync)> work, std::function<void(Result<> durable)> done) {
  const auto told = std::make_shared<std::function<void(Result<> durable)>>(std::move(done));
  if (items_.push(Task{std::move(work), [told](Result<> durable) { (*told)(std::move(durable)); }})) return;
  (*told)(failure(ErrorCode::cancelled, "", "the receiver is being stopped"));
}

void Committer::work() {
  for (;;) {
    auto waiting = items_.pop_all();
    if (waiting.empty()) return;
    while (!waiting.empty() && !drops_) {
      const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(std::min(waiting.size(), k_group));
      std::vector<Item> group(std::make_move_iterator(waiting.begin()), std::make_move_iterator(end));
      waiting.erase(waiting.begin(), end);
      commit(std::move(group));
    }
  }
}

/// Before any of them gets a name.
Result<> Committer::sync_bodies(const std::vector<Item>& group) {
  os::SyncSet bodies(syncs_);
  for (const auto& item : group) {
    const auto* put = std::get_if<Put>(&item);
    if (put != nullptr && put->staged.aside) bodies.add(put->staged.aside->fd());
  }
  return bodies.sync();
}

/// Syncs the roots where a sync failed; whether it failed again for one. By its path: the file system that failed may
/// have been mounted anew since, and is not held here.
bool Committer::owes_still() {
  std::map<std::string, Error> left;
  {
    const std::lock_guard lock(waiting_mutex_);
    left = debts_;
  }
  if (left.empty()) return false;
  for (auto debt = left.begin(); debt != left.end();) {
    const auto root = os::Directory::open_root(debt->first);
    const auto synced = root ? syncs_.file_system(root->fd()) : Result<>(Failure(root.error()));
    if (!synced) debt->second = synced.error();
    debt = synced ? left.erase(debt) : std::next(debt);
  }
  const std::lock_guard lock(waiting_mutex_);
  debts_ = std::move(left);
  return !debts_.empty();
}

void Committer::owe(const std::vector<Item>& group, const Error& error) {
  const std::lock_guard lock(waiting_mutex_);
  for (const auto& item : group) {
    const auto* put = std::get_if<Put>(&item);
    if (put != nullptr && put->staged.account->root) debts_.emplace(put->staged.account->root->path(), error);
  }
}

void Committer::tell_claims(const std::vector<Item>& group, bool durable) {
  for (const auto& item : group) {
    const auto* put = std::get_if<Put>(&item);
    if (put != nullptr && put->staged.account->claim) put->staged.account->claim->synced(durable);
  }
}

std::optional<Error> Committer::debt(const os::Directory& root) {
  const std::lock_guard lock(waiting_mutex_);
  const auto found = debts_.find(root.path());
  return found == debts_.end() ? std::nullopt : std::optional(found->second);
}

void Committer::commit(std::vector<Item> group) {
  const auto start = std::chrono::steady_clock::now();
  const bool owes = owes_still();
  sweep_asides();
  const auto bodies = sync_bodies(group);
  std::chrono::steady_clock::duration syncing = std::chrono::steady_clock::now() - start;
  os::SyncSet names(syncs_);
  std::vector<std::pair<std::shared_ptr<Acknowledged>, std::vector<Committed>>> answers;
  std::vector<std::function<void()>> reached;
  Group shared;
  std::vector<std::function<void(Result<> durable)>> tasks;
  std::size_t openings = 0;
  for (auto& item : group) {
    if (auto* opened = std::get_if<Opened>(&item)) {
      ++openings;
      take_over(*opened);
      if (opened->reached) reached.push_back(std::move(opened->reached));
      continue;
    }
    if (auto* task = std::get_if<Task>(&item)) {
      task->work(names);
      tasks.push_back(std::move(task->done));
      continue;
    }
    auto& put = std::get<Put>(item);
    if (!bodies && put.staged.aside && !put.staged.error) put.staged.error = bodies.error();
    if (owes && !put.staged.error && put.staged.account->root) put.staged.error = debt(*put.staged.account->root);
    shared.looks.look_before(put.staged);
    Committed done = apply(put, names, shared);
    if (answers.empty() || answers.back().first != put.sink) answers.emplace_back(put.sink, std::vector<Committed>());
    answers.back().second.push_back(std::move(done));
  }
  const auto before = std::chrono::steady_clock::now();
  const auto durable = names.sync();
  if (!durable) owe(group, durable.error());
  tell_claims(group, durable.has_value());
  syncing += std::chrono::steady_clock::now() - before;
  ++totals_.groups;
  totals_.sync_microseconds +=
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(syncing).count());
  for (auto answer = answers.rbegin(); answer != answers.rend(); ++answer) {
    for (auto one = answer->second.rbegin(); one != answer->second.rend(); ++one)
      one->looks = shared.looks.take(*one->account);
  }
  const auto forgotten = durable ? shared.given.keep() : std::map<std::shared_ptr<Given>, Error>();
  for (auto& [sink, done] : answers) {
    for (auto& one : done) {
      const auto unkept = forgotten.find(one.account->given);
      if (!one.error && one.kind == sync::OperationKind::put && unkept != forgotten.end()) one.error = unkept->second;
      if (!durable && !one.error) one.error = durable.error();
      if (!durable) one.untouched = false;
      if (one.error) one.error = os::explained(std::move(*one.error), os::Side::destination);
      totals_.count(one);
    }
    forget_waiting(done);
    sink->committed(std::move(done));
  }
  {
    const std::lock_guard lock(waiting_mutex_);
    all_waiting_ -= openings;
  }
  for (const auto& call : reached)
    call();
  for (const auto& told : tasks)
    told(durable);
  tell_room();
}

void Committer::take_over(Opened& opened) {
  const auto [found, is_new] = newest_.try_emplace(std::move(opened.account_key), opened.serial);
  found->second = std::max(found->second, opened.serial);
  if (!is_new) return;
  newest_bytes_ += found->first.size();
  if (newest_bytes_ > k_newest_bytes) forget_oldest();
}

/// The half that was opened longest ago: nothing of an earlier opening is still to come of these.
void Committer::forget_oldest() {
  std::vector<std::uint64_t> serials;
  for (const auto& [key, serial] : newest_)
    serials.push_back(serial);
  const auto middle = serials.begin() + static_cast<std::ptrdiff_t>(serials.size() / 2);
  std::nth_element(serials.begin(), middle, serials.end());
  std::erase_if(newest_, [&](const auto& one) { return one.second <= *middle; });
  newest_bytes_ = 0;
  for (const auto& [key, serial] : newest_)
    newest_bytes_ += key.size();
}

void Committer::tell_room() {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(waiting_mutex_);
    if (all_waiting_ < most_waiting_) std::swap(calls, want_room_);
  }
  for (const auto& call : calls)
    call();
}

Committed Committer::apply(Put& put, os::SyncSet& sync, Group& shared) {
  StagedOperation& staged = put.staged;
  Committed done{.sequence = staged.sequence,
                 .error = std::move(staged.error),
                 .outcome = {},
                 .bytes = staged.bytes,
                 .kind = staged.operation.kind,
                 .delta = staged.delta,
                 .account = staged.account,
                 .path = path_of(subject(staged.operation)),
                 .lesser_mode = staged.lesser_mode};
  const Account& account = *staged.account;
  if (!done.error && newest_[account.key] > account.serial && is_obeyed(account)) {
    done.error = Error{ErrorCode::cancelled, done.path, "a newer connection took the account over", 0};
  }
  if (!done.error) done.error = shared.roots.away(account);
  const auto within = account.fence ? account.fence->enter() : std::unique_lock<std::mutex>();
  if (!done.error && !is_obeyed(account)) {
    done.error = Error{ErrorCode::foreign_agent, done.path, "another agent with the same key is obeyed by now", 0};
  }
  if (account.fence && !done.error) done.error = account.fence->refusal(account.decision, staged.operation);
  if (account.tree && !done.error) done.error = account.tree->refusal(staged.operation);
  if (account.claim && !done.error) {
    if (auto ours = account.claim->check(); !ours) done.error = std::move(ours.error());
  }
  if (!done.error && (is_there_for_a_drain(staged) || was_had(staged))) {
    done.outcome = {};
  } else if (!done.error) {
    auto outcome = transition(staged, sync);
    if (outcome) {
      done.outcome = std::move(*outcome);
      shared.given.note(staged);
      if (auto file = staged.aside ? staged.aside->take_file_to_sync() : std::nullopt) sync.add(std::move(*file));
      note_removed_account(staged);
      if (account.claim) {
        if (auto claimed = account.claim->done(staged.operation, sync); !claimed) done.error = claimed.error();
      }
    } else {
      done.error = outcome.error();
    }
  }
  done.untouched = done.error && !staged.touched;
  if (done.error && account.tree) account.tree->note_failure(staged.operation, *done.error);
  staged.aside.reset();
  return done;
}

void Committer::forget_waiting(const std::vector<Committed>& done) {
  const std::lock_guard lock(waiting_mutex_);
  all_waiting_ -= done.size();
  for (const auto& one : done) {
    const auto found = waiting_.find(one.account->key);
    if (found != waiting_.end() && --found->second == 0) waiting_.erase(found);
  }
}

void CommitTotals::count(const Committed& done) {
  ++operations;
  if (done.error) {
    ++refused;
    return;
  }
  switch (done.kind) {
    case sync::OperationKind::put:
      ++messages;
      break;
    case sync::OperationKind::rename:
      ++renames;
      break;
    case sync::OperationKind::link:
      ++links;
      break;
    case sync::OperationKind::remove:
      ++deletes;
      break;
    default:
      break;
  }
  bytes += done.bytes;
  if (done.delta) ++deltas;
  if (!done.outcome.renamed.empty()) ++conflicts;
}

}  // namespace maildirsync::daemon
