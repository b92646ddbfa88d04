#include "agent/verify/verify_run.h"

#include <algorithm>
#include <set>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_link_limit = 30s;
constexpr auto k_look_again_at_accounts = 1500ms;
constexpr int k_tries = 3;  // of an account whose connection breaks

/// Where the destination has what must be sent again; nothing for what a comparison mends by itself.
std::optional<Suspect> suspect_of(const Difference& difference) {
  const bool stale = difference.kind == DifferenceKind::content || difference.kind == DifferenceKind::size ||
                     difference.kind == DifferenceKind::time || difference.kind == DifferenceKind::control;
  if (!stale || !difference.at_destination) return std::nullopt;
  const auto& there = *difference.at_destination;
  return Suspect{{difference.folder, there.area, there.name}, there};
}

bool is_repairable(const Difference& difference) {
  return difference.kind != DifferenceKind::extra;
}

}  // namespace

Verification::Verification(asio::io_context& loop, State& state, Order order, Hooks hooks)
    : loop_(loop), state_(state), order_(std::move(order)), hooks_(std::move(hooks)) {
  outcome_.accounts.resize(order_.accounts.size());
}

Verification::~Verification() {
  stop_ = true;
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Verification::begin(std::shared_ptr<const LinkSettings> settings, std::shared_ptr<Limiter> limiter,
                         std::function<void(std::size_t)> wrote) {
  running_ = true;
  link_ =
      std::make_shared<Link>(loop_, std::move(settings), std::move(limiter),
                             Link::Events{.up =
                                              [weak = weak_from_this()](const wire::Hello&) {
                                                const auto self = weak.lock();
                                                if (!self) return;
                                                const std::lock_guard lock(self->mutex_);
                                                self->epoch_ = self->link_->outbox().epoch();
                                                self->changed_.notify_all();
                                              },
                                          .down =
                                              [weak = weak_from_this()](const Error& error, const std::vector<Sent>&) {
                                                const auto self = weak.lock();
                                                if (!self) return;
                                                const std::lock_guard lock(self->mutex_);
                                                self->epoch_.reset();
                                                self->link_error_ = error.message();
                                              },
                                          .acknowledged = [](const std::vector<Sent>&, const wire::Ack&) {},
                                          .wrote = std::move(wrote)});
  link_->start();
  const std::size_t tasks = order_.accounts.size() + order_.roots.size();
  const std::size_t count = std::min<std::size_t>(std::clamp(std::thread::hardware_concurrency(), 2U, 4U), tasks);
  for (std::size_t i = 0; i < count; ++i)
    threads_.emplace_back([this] { work(); });
  if (count == 0) asio::post(loop_, [self = shared_from_this()] { self->thread_ended(); });
}

void Verification::abort() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (link_) link_->stop();
}

void Verification::thread_ended() {
  if (++ended_ < threads_.size()) return;
  for (auto& thread : threads_)
    thread.join();
  threads_.clear();
  link_->stop();
  running_ = false;
  outcome_.given_up = stop_;
  hooks_.done(std::move(outcome_));
}

// ---- the threads ----

template <class T>
std::optional<T> Verification::wait(std::future<T> answer) const {
  while (answer.wait_for(100ms) != std::future_status::ready) {
    if (stop_) return std::nullopt;
  }
  return answer.get();
}

void Verification::work() {
  for (;;) {
    std::size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      index = next_++;
    }
    if (stop_ || index >= order_.accounts.size() + order_.roots.size()) break;
    try {
      if (index < order_.accounts.size()) {
        compare(index);
      } else {
        list_accounts(order_.roots[index - order_.accounts.size()]);
      }
    } catch (const std::exception& exception) {  // memory that ran out, or a bug, in one account
      service::log_error("verify-exception what={}", exception.what());
      const std::lock_guard lock(mutex_);
      if (index < order_.accounts.size()) outcome_.accounts[index].verdict.left_out.push_back({"", exception.what()});
    }
  }
  asio::post(loop_, [self = shared_from_this()] { self->thread_ended(); });
}

bool Verification::wait_for_link() {
  std::unique_lock lock(mutex_);
  if (!outcome_.unreachable.empty()) return false;
  const bool up = changed_.wait_for(lock, k_link_limit, [this] { return epoch_ || stop_; });
  if (up && !stop_) return true;
  if (!stop_) outcome_.unreachable = link_error_.empty() ? "the receiver does not answer" : link_error_;
  return false;
}

/// Of the connection, for a question.
Result<std::uint64_t> Verification::epoch() {
  const std::lock_guard lock(mutex_);
  if (epoch_ && !stop_) return *epoch_;
  return failure(ErrorCode::cancelled, "",
                 stop_ ? "the comparison was given up" : "the connection to the receiver broke");
}

void Verification::compare(std::size_t index) {
  const Subject& subject = order_.accounts[index];
  AccountOutcome outcome;
  auto verdict = compare_once(subject);
  if (verdict) {
    outcome.verdict = std::move(*verdict);
    if (order_.repair) repair(subject, outcome);
  } else {
    outcome.verdict.left_out.push_back({"", verdict.error().message()});
  }
  const std::size_t differences = outcome.verdict.differences.size();
  {
    const std::lock_guard lock(mutex_);
    if (verdict) ++outcome_.compared;
    outcome_.accounts[index] = std::move(outcome);
  }
  asio::post(loop_, [self = shared_from_this(), differences] {
    self->differences_ += differences;
    self->hooks_.progress(++self->done_, self->differences_);
  });
}

Result<Verdict> Verification::compare_once(const Subject& subject) {
  for (int tries = 1;; ++tries) {
    if (!wait_for_link()) {
      const std::lock_guard lock(mutex_);
      return failure(ErrorCode::unreachable, "",
                     stop_ ? "the comparison was given up" : "the receiver was not reached: " + outcome_.unreachable);
    }
    auto verdict = verify_account(subject, order_.contents, *this, stop_);
    if (verdict || verdict.error().code != ErrorCode::cancelled || stop_ || tries == k_tries) return verdict;
  }
}

void Verification::repair(const Subject& subject, AccountOutcome& outcome) {
  const auto& differences = outcome.verdict.differences;
  const auto before = static_cast<std::size_t>(std::count_if(differences.begin(), differences.end(), is_repairable));
  const bool aside = order_.aside_extra.contains(subject.root_name);
  const std::size_t extra = differences.size() - before;
  if (before == 0 && (!aside || extra == 0)) return;
  Work work;
  work.structure = work.full = work.compare = work.repairs = true;
  work.aside_extra = aside && extra > 0;
  for (const auto& difference : differences) {
    if (auto suspect = suspect_of(difference)) work.suspects.push_back(std::move(*suspect));
  }
  const bool work_puts_aside = work.aside_extra;
  if (auto why = settle(subject, std::move(work)); !why.empty()) {
    outcome.verdict.left_out.push_back({"", "not repaired: " + why});
    return;
  }
  auto again = compare_once(subject);
  if (!again) {
    outcome.verdict.left_out.push_back({"", "sent again, but not compared again: " + again.error().message()});
    return;
  }
  const auto after =
      static_cast<std::size_t>(std::count_if(again->differences.begin(), again->differences.end(), is_repairable));
  outcome.repaired = before - std::min(before, after);
  const std::size_t extra_after = again->differences.size() - after;
  if (work_puts_aside) outcome.aside = extra - std::min(extra, extra_after);
  outcome.verdict = std::move(*again);
}

/// Destination-only accounts, listed twice: one that appears or vanishes in between is not reported.
void Verification::list_accounts(const Listed& root) {
  auto first = unknown_accounts(root);
  auto found = first;
  if (first && !first->empty()) {
    for (auto waited = 0ms; waited < k_look_again_at_accounts && !stop_; waited += 100ms)
      std::this_thread::sleep_for(100ms);
    found = unknown_accounts(root);
  }
  const std::lock_guard lock(mutex_);
  if (!found) {
    outcome_.unlisted.emplace_back(root.name, found.error().message());
    return;
  }
  std::set<std::string> before;
  for (const auto& unknown : *first)
    before.insert(unknown.account);
  for (auto& unknown : *found) {
    if (before.contains(unknown.account)) outcome_.unknown.push_back(std::move(unknown));
  }
}

Result<std::vector<Verification::Unknown>> Verification::unknown_accounts(const Listed& root) {
  if (!wait_for_link()) return failure(ErrorCode::unreachable, "", "the receiver was not reached");
  MAILDIRSYNC_ASSIGN(const auto connection, epoch());
  MAILDIRSYNC_ASSIGN(auto listed, ask_for_accounts(*link_, connection, root.name, root.pattern));
  auto promise = std::make_shared<std::promise<std::vector<Unknown>>>();
  auto future = promise->get_future();
  asio::post(loop_, [self = shared_from_this(), promise, &root, paths = std::move(listed)] {
    std::vector<Unknown> unknown;
    for (const auto& path : paths) {
      const auto name = root.layout.account_name(path).value_or(path);
      if (!self->hooks_.is_expected(root.name, path, name)) unknown.push_back({root.name, name});
    }
    promise->set_value(std::move(unknown));
  });
  auto unknown = wait(std::move(future));
  if (!unknown) return failure(ErrorCode::cancelled, "", "the comparison was given up");
  return std::move(*unknown);
}

// ---- Destination ----

Result<AccountListing> Verification::list(const wire::List& question) {
  MAILDIRSYNC_ASSIGN(const auto connection, epoch());
  return ask_for_listing(*link_, connection, question);
}

void Verification::is_indexed(const Subject& subject, std::vector<std::string> folders) {
  asio::post(loop_, [self = shared_from_this(), id = subject.id, folders = std::move(folders)] {
    self->hooks_.indexed(id, folders);
  });
}

Result<std::vector<sync::MappedOwner>> Verification::map_owners(const std::string& root,
                                                                const std::vector<sync::Attributes>& owners) {
  const auto key = [&](const sync::Attributes& owner) { return std::tuple(root, owner.uid, owner.gid); };
  std::vector<sync::Attributes> unknown;
  MAILDIRSYNC_ASSIGN(const auto connection, epoch());
  {
    const std::lock_guard lock(mutex_);
    std::copy_if(owners.begin(), owners.end(), std::back_inserter(unknown),
                 [&](const sync::Attributes& owner) { return !owners_.contains(key(owner)); });
  }
  MAILDIRSYNC_ASSIGN(auto mapped, unknown.empty()
                                      ? Result<std::vector<sync::MappedOwner>>(std::vector<sync::MappedOwner>{})
                                      : ask_for_owners(*link_, connection, root, unknown));
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < unknown.size() && i < mapped.size(); ++i)
    owners_[key(unknown[i])] = (mapped)[i];
  std::vector<sync::MappedOwner> answer;
  for (const auto& owner : owners)
    answer.push_back(owners_[key(owner)]);
  return answer;
}

Result<AliasNames> Verification::aliases(const Subject& subject) {
  return state_.aliases(subject.id);
}

Result<sync::AccountManifest> Verification::given(const Subject& subject) {
  MAILDIRSYNC_ASSIGN(auto manifest, state_.folders(subject.id));
  for (auto& folder : manifest.folders) {
    MAILDIRSYNC_ASSIGN(folder.entries, state_.entries(subject.id, folder.path));
  }
  return manifest;
}

std::string Verification::settle(const Subject& subject) {
  Work work;
  work.structure = work.full = true;
  return settle(subject, std::move(work));
}

std::string Verification::settle(const Subject& subject, Work work) {
  auto promise = std::make_shared<std::promise<std::string>>();
  auto future = promise->get_future();
  asio::post(loop_, [self = shared_from_this(), id = subject.id, promise, work = std::move(work)]() mutable {
    self->hooks_.settle(id, std::move(work), [promise](std::string why) { promise->set_value(std::move(why)); });
  });
  return wait(std::move(future)).value_or("the comparison was given up");
}

}  // namespace maildirsync::agent
