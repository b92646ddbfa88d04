#include "agent/requests/undo_preview.h"

#include <chrono>
#include <limits>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "agent/verify/source.h"
#include "common/sync/lift_times.h"
#include "common/sync/undoing.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto k_progress = 250ms;

/// What was acknowledged, as a whole.
Result<sync::AccountManifest> known(State& state, AccountId id) {
  auto manifest = state.folders(id);
  if (!manifest) return manifest;
  for (auto& folder : manifest->folders) {
    MAILDIRSYNC_ASSIGN(auto entries, state.entries(id, folder.path));
    folder.entries = std::move(entries);
  }
  return manifest;
}

}  // namespace

UndoPreview::UndoPreview(asio::io_context& loop, State& state, Order order, Hooks hooks)
    : loop_(loop), state_(state), order_(std::move(order)), hooks_(std::move(hooks)), thread_([this] { work(); }) {}

UndoPreview::~UndoPreview() {
  stop_ = true;
  thread_.join();
}

void UndoPreview::work() {
  auto outcome = std::make_shared<Outcome>();
  auto told = Clock::now();
  for (const auto& subject : order_.accounts) {
    if (stop_) {
      outcome->trouble = "it was given up";
      break;
    }
    auto found = compare(subject);
    if (!found) {
      outcome->trouble = subject.name + ": " + found.error().message();
      break;
    }
    ++outcome->compared;
    if (found->any()) outcome->accounts.push_back({subject.name, *found});
    if (Clock::now() - told < k_progress) continue;
    told = Clock::now();
    asio::post(loop_, [hooks = hooks_, done = outcome->compared] { hooks.progress(done); });
  }
  asio::post(loop_, [hooks = hooks_, outcome] { hooks.done(std::move(*outcome)); });
}

Result<sync::UsersWork> UndoPreview::compare(const Subject& subject) const {
  wire::List question;
  question.set_root(order_.root_name);
  question.set_account(subject.path);
  question.set_looks_only(true);
  question.set_control_digests(true);  // a mail server writes some of them again as they were
  MAILDIRSYNC_ASSIGN(auto listed, ask_for_listing(*order_.link, order_.epoch, question));
  MAILDIRSYNC_ASSIGN(const auto record, known(state_, subject.id));
  auto source = list_source(*order_.root, subject.path, Contents::control_files, stop_);
  if (!source && source.error().code != ErrorCode::vanished) return Failure(source.error());
  MAILDIRSYNC_ASSIGN(const auto ours, state_.intents(subject.id));
  const auto after = source ? std::move(source->manifest) : sync::AccountManifest{};
  sync::lift_times(listed.manifest, listed.times, {&record, &after}, ours, sync::OtherDates::lifted);
  auto work = sync::what_a_mirror_would_undo(listed.manifest, record, ours, after, given_until(record));
  work.indexed = !listed.indexed.empty();
  return work;
}

/// Where that moment is not known, all that is at the source counts as given if the record is lost.
std::int64_t UndoPreview::given_until(const sync::AccountManifest& record) const {
  if (!order_.given_until) return 0;
  const bool is_lost = *order_.given_until == 0 && record.folders.empty();
  return is_lost ? std::numeric_limits<std::int64_t>::max() : *order_.given_until;
}

sync::UsersWork sum(const std::vector<UndoPreview::Found>& found) {
  sync::UsersWork all;
  for (const auto& one : found)
    all += one.work;
  return all;
}

nlohmann::json to_json(const sync::UsersWork& work) {
  return {{"flags", work.flags},
          {"deletions", work.deletions},
          {"moves", work.moves},
          {"only_there", work.only_there},
          {"in_missing_folders", work.in_missing_folders},
          {"control_files", work.control_files},
          {"uidlists", work.uidlists}};
}

}  // namespace maildirsync::agent
