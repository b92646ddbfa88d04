#include "agent/turn/turn_brake.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include "agent/turn/removals.h"
#include "common/sync/brake.h"
#include "common/sync/equality.h"
#include "common/sync/plan.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Operation;
using sync::OperationKind;

bool removes_message(const Operation& operation) {
  return operation.kind == OperationKind::remove && operation.from.area != Area::folder;
}

bool removes(const Operation& operation) {
  return operation.kind == OperationKind::remove || operation.kind == OperationKind::remove_folder;
}

/// A control file that goes for good: so may an `rm -rf` begin, and without its uidlist a folder loses its UIDs.
/// `dovecot-uidvalidity.*` gets another name whenever a mailbox is made.
bool removes_control(const Operation& operation) {
  return operation.kind == OperationKind::remove && operation.from.area == Area::folder &&
         !operation.from.name.starts_with("dovecot-uidvalidity");
}

/// Whether a directory of the folder (its cur/, new/ or tmp/) goes with it.
bool shrinks(const sync::AccountManifest& before, const Operation& operation) {
  if (operation.kind != OperationKind::make_folder) return false;
  const auto* known = before.find(operation.to.folder);
  if (known == nullptr) return false;
  const auto& shape = operation.folder;
  return (known->cur && !shape.cur) || (known->new_ && !shape.new_) || (known->tmp && !shape.tmp);
}

/// Whether a directory is there and not empty; reads no further than its first name.
bool holds_anything(const os::Directory& root, const std::string& path) {
  auto directory = root.open_directory(path);
  if (!directory) return false;
  const int fd = ::fcntl(directory->fd(), F_DUPFD_CLOEXEC, 0);
  DIR* stream = fd < 0 ? nullptr : ::fdopendir(fd);
  if (stream == nullptr) return true;
  bool found = false;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    found = name != "." && name != "..";
    if (found) break;
  }
  ::closedir(stream);
  return found;
}

class TurnBrake {
 public:
  TurnBrake(Turn& turn, State& state) : turn_(turn), order_(turn.order), report_(turn.report), state_(state) {}

  bool holds_for_mounts(const Look& looked, const std::vector<Operation>& operations) {
    if (!looked.mounts) return false;
    const auto known = state_.mounts(order_.account);
    if (!known) return false;  // the turn fails at its next use of the state
    const auto folder = mount_to_hold(*known, *looked.mounts, operations);
    if (folder && !order_.released && order_.mode == config::Mode::mirror) {
      const std::string where = os::join(os::join(order_.root->path(), order_.account_path), *folder);
      report_.lost = sync::lost_messages(operations, names_of_removed(operations));
      hold(turn_, {ErrorCode::mount_gone,
                   "a file system was mounted or unmounted at " + where +
                       ", and what was there is not there any more; nothing of the account is sent or deleted. "
                       "Mount what belongs there, and it goes on by itself. If it is meant to be so: "
                       "maildirsync release --account '" +
                       order_.account_name + "'"});
      return true;
    }
    for (const auto& [path, mount] : *looked.mounts) {
      const auto was = known->find(path);
      if (was == known->end() || was->second != mount) report_.mounts.emplace(path, mount);
    }
    return false;
  }

  bool holds_for_removals(const Look& looked, std::vector<Operation>& operations) {
    const auto takes_away = [&](const Operation& operation) {
      return removes(operation) || shrinks(looked.before, operation);
    };
    report_.going = static_cast<std::uint64_t>(std::count_if(operations.begin(), operations.end(), takes_away));
    if (report_.going == 0) return false;
    report_.lost = sync::lost_messages(operations, names_of_removed(operations));
    const auto row = state_.account_row(order_.account);
    sync::Removals removals{.messages = (row ? row->messages : 0) + order_.recently_removed,
                            .lost = report_.lost.messages,
                            .lost_before = order_.recently_removed,
                            .has_trash = order_.has_trash};
    report_.account_messages = removals.messages;
    if (!order_.released && !report_.account_gone) {
      if (report_.structure) removals.damage = sync::damage_between(looked.before, looked.after);
      if (sync::should_hold(removals) == sync::Hold::damage) return hold_for(removals);
      report_.is_mass = sync::is_mass(removals.messages, removals.lost);
      report_.removals = settle(going(operations));
      if (report_.removals != Removals::go) {
        put_removals_off(looked.before, operations);
        return false;
      }
      removals.root_loses = order_.root_loses;
      if (sync::should_hold(removals) != sync::Hold::none) return hold_for(removals);
    }
    if (order_.has_trash) {
      sync::mark_for_trash(operations, {.in_window = report_.lost.messages + order_.recently_removed,
                                        .in_hour = report_.lost.messages + order_.removed_within_hour,
                                        .root_wanes = order_.root_wanes || order_.root_loses,
                                        .account_gone = report_.account_gone});
    }
    return false;
  }

 private:
  bool hold_for(const sync::Removals& removals) {
    const sync::Hold brake = sync::should_hold(removals);
    std::string why = "and the destination has no trash to put them aside (trash_days of the root in receiver.toml)";
    if (brake == sync::Hold::damage) why = "for " + std::string(sync::sentence(removals.damage));
    if (brake == sync::Hold::root_loses) why = "and many other accounts of the root lose much at the same time";
    hold(turn_, {ErrorCode::mass_deletion,
                 fmt::format("{} of {} messages would be deleted at once, {}; the account is held, and nothing of it "
                             "is deleted at the "
                             "destination. If that is meant: maildirsync release --account '{}'",
                             removals.lost, removals.messages, why, order_.account_name),
                 brake});
    return true;
  }

  /// Before the brake has marked what else goes to the trash: a later turn would not know this one again.
  static bool is_left_over(const Operation& operation) {
    return operation.kind == OperationKind::remove && operation.to_trash;
  }

  /// Whether a folder that loses messages has none any more: so begins an `rm -rf` of few messages.
  bool empties_a_folder(const std::vector<Operation>& operations) const {
    std::set<std::string_view> looked_at;
    return std::any_of(operations.begin(), operations.end(), [&](const Operation& operation) {
      if (!removes_message(operation) || !looked_at.insert(operation.from.folder).second) return false;
      const std::string folder = os::join(order_.account_path, operation.from.folder);
      return !holds_anything(*order_.root, folder + "/cur") && !holds_anything(*order_.root, folder + "/new");
    });
  }

  /// Of what the plan takes away, what says whether more may follow.
  Going going(const std::vector<Operation>& operations) const {
    Going going{.operations = report_.going, .seen = order_.mass_seen.value_or(0), .settled = order_.work.settled};
    if (report_.is_mass) {
      going.extent = Going::Extent::mass;
    } else if (std::any_of(operations.begin(), operations.end(), removes_control) || empties_a_folder(operations)) {
      going.extent = Going::Extent::a_whole_kind;
    }
    if (order_.work.structure) going.found = Going::Found::by_walk;
    if (order_.work.oldest) going.age = Clock::now() - *order_.work.oldest;
    return going;
  }

  /// With all that follows them; what is added does not wait.
  void put_removals_off(const sync::AccountManifest& before, std::vector<Operation>& operations) {
    const Time oldest = order_.work.oldest.value_or(Clock::now());
    for (const auto& operation : operations) {
      if (shrinks(before, operation)) report_.stamps.erase(operation.to.folder);
      if (!sync::follows_messages(operation.kind) || is_left_over(operation)) continue;
      const auto& at = operation.kind == OperationKind::put_control ? operation.to : operation.from;
      report_.stamps.erase(at.folder);
      if (operation.kind == OperationKind::remove_folder) {
        report_.again.structure = true;
      } else {
        report_.again.add_name(at.folder, {at.area, at.name}, oldest);
      }
    }
    if (report_.structure) report_.again.structure = true;
    std::erase_if(operations, [&](const Operation& operation) {
      return (sync::follows_messages(operation.kind) && !is_left_over(operation)) || shrinks(before, operation);
    });
  }

  /// How many names the files have that this turn removes a name of.
  std::unordered_map<std::uint64_t, std::size_t> names_of_removed(const std::vector<Operation>& operations) {
    std::unordered_map<std::uint64_t, const sync::Entry*> removed;
    std::vector<std::uint64_t> inodes;
    for (const auto& operation : operations) {
      if (!removes_message(operation) || !operation.expected) continue;
      if (removed.emplace(operation.expected->inode, &*operation.expected).second)
        inodes.push_back(operation.expected->inode);
    }
    std::unordered_map<std::uint64_t, std::size_t> names;
    const auto known = state_.find_inodes(order_.account, inodes);
    if (!known) return names;  // all count as lost, then
    for (const auto& place : *known) {
      const bool is_it =
          place.entry.area != Area::folder && sync::same_message(place.entry, *removed.at(place.entry.inode));
      if (is_it) ++names[place.entry.inode];
    }
    return names;
  }

  Turn& turn_;
  const TurnOrder& order_;
  TurnReport& report_;
  State& state_;
};

}  // namespace

bool brakes_for_mounts(Turn& turn, State& state, const Look& looked, const std::vector<Operation>& operations) {
  return TurnBrake(turn, state).holds_for_mounts(looked, operations);
}

bool brakes_for_removals(Turn& turn, State& state, const Look& looked, std::vector<Operation>& operations) {
  return TurnBrake(turn, state).holds_for_removals(looked, operations);
}

}  // namespace maildirsync::agent
