// What the receiver says of the directories in which roots land: whether each is still the one that it was, and what
// follows for the root's accounts. The agent remembers the last marker of each, because the receiver's memory may be
// lost, or be put back to an earlier time together with the mail.

#include "agent/destination/destinations.h"

#include <algorithm>
#include <charconv>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

/// A receiver is known by its key: another one has other directories.
std::string key_of(const LinkSettings& settings, const std::string& root) {
  return "destination:" + settings.receiver_fingerprint + ":" + root;
}

/// In the state: the ids that the marker had before, the newest first.
std::string key_of_earlier(const LinkSettings& settings, const std::string& root) {
  return key_of(settings, root) + ":earlier";
}

/// Whether one of the ids, with a space between each two, is that one.
bool has_id(const std::string& ids, const std::string& id) {
  return (" " + ids + " ").find(" " + id + " ") != std::string::npos;
}

/// In the state, "1": the root's destination was put back, and not all of it was compared since.
std::string key_of_put_back(const std::string& root) {
  return "put-back:" + root;
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

Result<> Destinations::recall(Root& root) {
  MAILDIRSYNC_ASSIGN(auto text, state_.value(key_of(lanes_.settings(), root.config.name)));
  root.destination = text ? marker_of(*text) : DestinationMarker{};
  MAILDIRSYNC_ASSIGN(const auto earlier, state_.value(key_of_earlier(lanes_.settings(), root.config.name)));
  earlier_[root.config.name] = earlier.value_or("");
  MAILDIRSYNC_ASSIGN(const auto put_back, state_.value(key_of_put_back(root.config.name)));
  root.put_back = put_back && !put_back->empty();
  root.overlap.id = root.destination.id;
  return Overlaps::recall(state_, root);
}

void Destinations::greet(wire::Hello& hello) const {
  for (const auto& root : roster_.roots) {
    if (root.removed || root.destination.id.empty()) continue;
    auto& told = *hello.add_destinations();
    told.set_root(root.config.name);
    told.set_id(root.destination.id);
    told.set_counter(root.destination.counter);
  }
}

void Destinations::learn(const google::protobuf::RepeatedPtrField<wire::Destination>& told) {
  for (const auto& one : told)
    learn(one);
}

void Destinations::learn(const wire::Destination& told) {
  Root* root = roster_.find_root(told.root());
  if (root == nullptr) return;
  if (!told.held().empty()) return hold(*root, told.held());
  overlaps_.told(*root, told);
  if (told.id().empty()) return;
  const DestinationMarker now{told.id(), std::max(told.counter(), root->destination.counter)};
  if (!root->destination.id.empty() && root->destination.id != now.id) {
    const bool is_older = is_put_back(*root, told);
    service::log_warning("destination-changed root={}{} action=\"every account is compared with what it holds\"",
                         root->config.name, is_older ? " reason=\"it is as it was at an earlier time\"" : "");
    if (is_older) set_put_back(*root, true);
    compare_all_accounts(*root);
  }
  if (root->destination != now) {
    if (root->destination.id != now.id) remember_earlier(*root);
    root->destination = now;
    keeper_.set_value(key_of(lanes_.settings(), root->config.name), to_text(now));
  }
  if (root->destination_hold.empty()) return;
  root->destination_hold.clear();
  service::log_info("root-resumed root={} reason=\"its destination is back\"", root->config.name);
  schedule_.add_all();
}

/// It says that it was found to be older than with the marker that we know; or it has one that it had before.
bool Destinations::is_put_back(const Root& root, const wire::Destination& told) const {
  const auto earlier = earlier_.find(root.config.name);
  return has_id(told.former_id(), root.destination.id) ||
         (earlier != earlier_.end() && has_id(earlier->second, told.id()));
}

void Destinations::remember_earlier(const Root& root) {
  constexpr std::size_t k_most = 16 * 33;  // bytes
  if (root.destination.id.empty()) return;
  std::string& earlier = earlier_[root.config.name];
  if (!has_id(earlier, root.destination.id)) earlier = root.destination.id + (earlier.empty() ? "" : " ") + earlier;
  if (earlier.size() > k_most) earlier.resize(earlier.rfind(' ', k_most));
  keeper_.set_value(key_of_earlier(lanes_.settings(), root.config.name), earlier);
}

void Destinations::set_put_back(Root& root, bool is_so) {
  root.put_back = is_so;
  for (Account* account : roster_.accounts_of(roster_.index_of(root)))
    account->put_back = is_so;
  keeper_.set_value(key_of_put_back(root.config.name), is_so ? "1" : "");
}

void Destinations::check() {
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    Root& root = roster_.roots[i];
    if (root.removed || !root.put_back || !root.discovered) continue;
    const auto accounts = roster_.accounts_of(i);
    const bool is_whole =
        std::none_of(accounts.begin(), accounts.end(), [](const Account* account) { return account->put_back; });
    if (is_whole) set_put_back(root, false);
  }
}

void Destinations::hold(Root& root, const std::string& reason) {
  if (root.destination_hold.empty())
    log_problem(to_string(ErrorCode::destination_gone), root.config.name, "", root.config.path, reason);
  if (!root.is_held()) root.held_since = Clock::now();
  root.destination_hold = reason;
}

void Destinations::hold_root_of(AccountId id, const std::string& reason) {
  if (const Account* account = roster_.find(id)) hold(roster_.root_of(*account), reason);
}

void Destinations::compare_all_accounts(const Root& root) {
  for (Account* account : roster_.accounts_of(roster_.index_of(root))) {
    account->complete = false;
    must_be_compared_first(*account);
    schedule_.add(*account);
  }
  keeper_.write([name = root.config.name](State& state) { return state.set_all_incomplete(name); });
}

void must_be_compared_first(Account& account) {
  account.work.compare = account.work.structure = true;
  account.verified_generation = 0;
  if (account.turn) account.turn->wants_comparison = true;
}

/// The receiver marks an empty directory when the first mail comes for it: the marker is asked for then, so that the
/// agent remembers it before it can be lost.
void Destinations::ask_for_new() {
  if (has_asked_) return;
  const bool is_new = std::any_of(roster_.roots.begin(), roster_.roots.end(),
                                  [](const Root& root) { return !root.removed && root.destination.id.empty(); });
  const auto link = lanes_.up();
  if (!is_new || !link) return;
  has_asked_ = true;
  link->ping();
}

/// The receiver takes it as it is, and answers with its new marker.
void Destinations::release(const Root& root) {
  const auto link = lanes_.up();
  if (!link) return;
  askers_.post([this, link, epoch = link->outbox().epoch(), name = root.config.name] {
    auto taken = take_destination(*link, epoch, name);
    asio::post(loop_, [this, name, taken = std::move(taken)] {
      if (roster_.stopping) return;
      if (!taken) {
        service::log_warning("release-failed root={} detail=\"{}\"", name, taken.error().message());
        return;
      }
      learn(*taken);
      schedule_.dispatch();
    });
  });
}

}  // namespace maildirsync::agent
