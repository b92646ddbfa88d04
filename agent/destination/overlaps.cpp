// An empty directory gets its marker only when the first mail comes for it, and the walk at the start may be over
// before that: so the receiver is asked for the marker, and the source is walked once more, before the first mail goes.

#include "agent/destination/overlaps.h"

#include <algorithm>
#include <sstream>

#include <asio/post.hpp>

#include "agent/link/inquiry.h"
#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

std::string key_of(const Root& root) {
  return "overlap:" + root.config.name;
}

}  // namespace

Result<> Overlaps::recall(State& state, Root& root) {
  MAILDIRSYNC_ASSIGN(const auto known, state.value(key_of(root)));
  std::istringstream lines(known.value_or(""));
  for (std::string line; std::getline(lines, line);)
    root.overlap.met.push_back(
        {.where = MetMarker::Where::below, .directory = line, .id = "", .inode = 0, .changed = 0});
  return {};
}

/// A line for each place below the root, while it is held.
void Overlaps::remember(const Root& root) const {
  std::string lines;
  for (const auto& met : root.overlap.met) {
    const bool is_told = !root.overlap.hold.empty() && met.where == MetMarker::Where::below;
    if (is_told && met.directory.find('\n') == std::string::npos) lines += met.directory + '\n';
  }
  given_.keeper.set_value(key_of(root), lines);
}

void Overlaps::is_connected(const wire::Hello& receiver) {
  for (auto& root : given_.roster.roots) {
    const auto& told = receiver.destinations();
    root.overlap.awaits_marker = std::any_of(
        told.begin(), told.end(), [&](const wire::Destination& one) { return one.root() == root.config.name; });
  }
}

void Overlaps::told(Root& root, const wire::Destination& destination) {
  Overlap& overlap = root.overlap;
  const bool is_new = overlap.id != destination.id();
  if (is_new && destination.id().empty()) overlap.awaits_marker = true;
  const bool is_rewritten =
      overlap.inode != destination.marker_inode() || overlap.changed != destination.marker_changed();
  overlap.id = destination.id();
  overlap.inode = destination.marker_inode();
  overlap.changed = destination.marker_changed();
  // One that cannot be read is known by its file only.
  const bool is_in_doubt = is_rewritten && std::any_of(overlap.met.begin(), overlap.met.end(),
                                                       [](const MetMarker& met) { return met.id.empty(); });
  if (is_new || is_in_doubt) want_look(given_.roster.index_of(root));
}

void Overlaps::want_look(std::size_t index) {
  ++given_.roster.roots[index].overlap.wanted_looks;
  given_.walk(index);
}

Overlaps::Look Overlaps::begin_look(const Root& root) const {
  return {root.overlap.wanted_looks, root.overlap.inode, root.overlap.changed, root.overlap.met};
}

Search Overlaps::search_of(const Root& root, Search least) const {
  return root.overlap.looks != root.overlap.wanted_looks ? std::max(least, Search::markers) : least;
}

void Overlaps::walked(std::size_t index, const Look& look, const Discovery& discovery) {
  Root& root = given_.roster.roots[index];
  Overlap& overlap = root.overlap;
  overlap.met = discovery.markers;
  const bool was_rewritten = look.inode != overlap.inode || look.changed != overlap.changed;
  if (was_rewritten &&
      std::any_of(overlap.met.begin(), overlap.met.end(), [](const MetMarker& met) { return met.id.empty(); })) {
    return want_look(index);
  }
  const bool is_awaited = look.number > overlap.looks;
  overlap.looks = std::max(overlap.looks, look.number);
  if (overlap.looks != overlap.wanted_looks) return;
  if (judge() || is_awaited) given_.schedule.add_all();
}

bool Overlaps::judge() {
  auto& roots = given_.roster.roots;
  std::vector<RootPlaces> places;
  std::vector<std::size_t> judged;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (roots[i].removed) continue;
    places.push_back({roots[i].config.name, roots[i].config.path, &roots[i].overlap});
    judged.push_back(i);
  }
  bool goes_on = false;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    Root& root = roots[judged[i]];
    const std::string reason = reason_of_overlap(places, i);
    if (!reason.empty() && root.overlap.hold.empty()) {
      log_problem(to_string(ErrorCode::destination_overlaps), root.config.name, "", root.config.path, reason);
      if (!root.is_held()) root.held_since = Clock::now();
    }
    if (reason.empty() && !root.overlap.hold.empty()) {
      service::log_info("root-resumed root={} reason=\"its destination is no more in one with its source\"",
                        root.config.name);
      goes_on = true;
    }
    const bool changes = reason.empty() != root.overlap.hold.empty();
    root.overlap.hold = reason;
    if (changes) remember(root);
  }
  return goes_on;
}

void Overlaps::check() {
  for (std::size_t i = 0; i < given_.roster.roots.size(); ++i)
    ask_for_marker(i);
}

/// Only when there is mail for it: an empty directory may be a mount point.
void Overlaps::ask_for_marker(std::size_t index) {
  Root& root = given_.roster.roots[index];
  const auto link = given_.lanes.up();
  if (root.removed || root.overlap.asks || !root.overlap.awaits_marker || !root.overlap.id.empty() ||
      !root.destination_hold.empty() || !link || !given_.roster.has_accounts(index)) {
    return;
  }
  root.overlap.asks = true;
  given_.askers.post([this, index, link, epoch = link->outbox().epoch(), name = root.config.name] {
    auto told = mark_destination(*link, epoch, name);
    asio::post(given_.loop, [this, index, name, told = std::move(told)] {
      if (given_.roster.stopping) return;
      Root& asked = given_.roster.roots[index];
      asked.overlap.asks = false;
      if (!told) return;  // the connection broke
      if (told->root() == name) given_.learn(*told);
      // One that cannot be used refuses what is sent, and says why.
      asked.overlap.awaits_marker = false;
      given_.schedule.add_all();
    });
  });
}

}  // namespace maildirsync::agent
