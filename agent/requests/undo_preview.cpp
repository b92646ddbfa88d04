#include "agent/requests/undo_preview.h"

#include <chrono>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "agent/verify/source.h"

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
  MAILDIRSYNC_ASSIGN(auto listed, ask_for_listing(*order_.link, order_.epoch, question));
  MAILDIRSYNC_ASSIGN(const auto record, known(state_, subject.id));
  auto source = list_source(*order_.root, subject.path, Contents::control_files, stop_);
  if (!source && source.error().code != ErrorCode::vanished) return Failure(source.error());
  MAILDIRSYNC_ASSIGN(const auto ours, state_.intents(subject.id));
  auto work = sync::what_users_did(listed.manifest, record, ours, source ? source->manifest : sync::AccountManifest{});
  work.indexed = !listed.indexed.empty();
  return work;
}

sync::UsersWork sum(const std::vector<UndoPreview::Found>& found) {
  sync::UsersWork all;
  for (const auto& one : found) {
    all.flags += one.work.flags;
    all.added += one.work.added;
    all.deletions += one.work.deletions;
    all.moves += one.work.moves;
    all.only_there += one.work.only_there;
    all.arrived += one.work.arrived;
    all.uidlists += one.work.uidlists;
    all.indexed |= one.work.indexed;
  }
  return all;
}

}  // namespace maildirsync::agent
