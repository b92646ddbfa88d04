// What the receiver says of the directories in which roots land: whether each is still the one that it was, and what
// follows for the root's accounts. The agent remembers the last marker of each, for the receiver's memory may be lost,
// or be put back to an earlier time together with the mail.

#include <algorithm>
#include <charconv>

#include <asio/post.hpp>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "agent/link/inquiry.h"

namespace maildirsync::agent {

namespace {

/// A receiver is known by its key: another one has other directories.
std::string key_of(const LinkSettings& settings, const std::string& root) {
  return "destination:" + settings.receiver_fingerprint + ":" + root;
}

std::string to_text(const DestinationMarker& marker) {
  return marker.id + " " + std::to_string(marker.counter);
}

DestinationMarker marker_of(const std::string& text) {
  const auto space = text.find(' ');
  DestinationMarker marker;
  if (space == std::string::npos) return marker;
  const auto read = std::from_chars(text.data() + space + 1, text.data() + text.size(), marker.counter);
  if (read.ec == std::errc()) marker.id = text.substr(0, space);
  return marker;
}

}  // namespace

Result<> Engine::recall_destination(Root& root) const {
  auto text = state_->value(key_of(link_settings_, root.config.name));
  if (!text) return Failure(text.error());
  root.destination = *text ? marker_of(**text) : DestinationMarker{};
  return {};
}

void Engine::tell_destinations(wire::Hello& hello) const {
  for (const auto& root : roots_) {
    if (root.removed || root.destination.id.empty()) continue;
    auto& told = *hello.add_destinations();
    told.set_root(root.config.name);
    told.set_id(root.destination.id);
    told.set_counter(root.destination.counter);
  }
}

void Engine::learn_destinations(const google::protobuf::RepeatedPtrField<wire::Destination>& told) {
  for (const auto& one : told)
    learn_destination(one);
}

void Engine::learn_destination(const wire::Destination& told) {
  const auto root = std::find_if(roots_.begin(), roots_.end(),
                                 [&](const Root& one) { return !one.removed && one.config.name == told.root(); });
  if (root == roots_.end()) return;
  if (!told.held().empty()) return hold_destination(*root, told.held());
  if (told.id().empty()) return;
  const DestinationMarker now{told.id(), std::max(told.counter(), root->destination.counter)};
  if (!root->destination.id.empty() && root->destination.id != now.id) {
    spdlog::warn("destination-changed root={} action=\"every account is compared with what it holds\"",
                 root->config.name);
    compare_all_accounts(*root);
  }
  if (root->destination != now) {
    root->destination = now;
    asio::post(keeper_, [this, key = key_of(link_settings_, root->config.name), text = to_text(now)] {
      if (const auto stored = state_->set_value(key, text); !stored) keeper_failed(stored.error());
    });
  }
  if (root->destination_hold.empty()) return;
  root->destination_hold.clear();
  spdlog::info("root-resumed root={} reason=\"its destination is back\"", root->config.name);
  schedule_all();
}

/// Nothing is sent for the root until the receiver says that its directory is back, or right as it is.
void Engine::hold_destination(Root& root, const std::string& reason) {
  if (root.destination_hold.empty())
    log_problem(to_string(ErrorCode::destination_gone), root.config.name, "", root.config.path, reason);
  if (!root.is_held()) root.held_since = Clock::now();
  root.destination_hold = reason;
}

void Engine::hold_destination_of(AccountId id, const std::string& reason) {
  const auto found = accounts_.find(id);
  if (found != accounts_.end()) hold_destination(roots_[found->second.root], reason);
}

/// What the destination holds of the root is not what the state says. Nothing of it counts as copied, also after a
/// restart, until it was compared.
void Engine::compare_all_accounts(const Root& root) {
  for (Account* account : accounts_of(static_cast<std::size_t>(&root - roots_.data()))) {
    account->complete = false;
    must_be_compared_first(*account);
    schedule(*account);
  }
  asio::post(keeper_, [this, name = root.config.name] {
    if (const auto stored = state_->set_all_incomplete(name); !stored) keeper_failed(stored.error());
  });
}

/// No flush is satisfied by what was found before, nor by the turn that is under way.
void Engine::must_be_compared_first(Account& account) {
  account.work.compare = account.work.structure = true;
  account.verified_generation = 0;
  if (account.turn) account.turn->wants_comparison = true;
}

/// The receiver marks an empty directory when the first mail comes for it: the marker is asked for then, so that the
/// agent remembers it before it can be lost.
void Engine::ask_for_new_destinations() {
  if (has_asked_for_destinations_) return;
  const bool is_new = std::any_of(roots_.begin(), roots_.end(),
                                  [](const Root& root) { return !root.removed && root.destination.id.empty(); });
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [](const auto& one) { return one->link().is_up(); });
  if (!is_new || lane == lanes_.end()) return;
  has_asked_for_destinations_ = true;
  (*lane)->link().ping();
}

/// A person said that it is right as it is: the receiver takes it as it is, and answers with its new marker.
void Engine::release_destination(const Root& root) {
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [](const auto& one) { return one->link().is_up(); });
  if (lane == lanes_.end()) return;
  auto link = (*lane)->link().shared_from_this();
  asio::post(walkers_, [this, link, epoch = link->outbox().epoch(), name = root.config.name] {
    auto taken = take_destination(*link, epoch, name);
    asio::post(loop_, [this, name, taken = std::move(taken)] {
      if (stopping_) return;
      if (!taken) {
        spdlog::warn("release-failed root={} detail=\"{}\"", name, taken.error().message());
        return;
      }
      learn_destination(*taken);
      dispatch();
    });
  });
}

}  // namespace maildirsync::agent
