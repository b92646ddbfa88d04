#include "agent/turn/take_turn.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include "agent/look/look.h"
#include "agent/state/intents.h"
#include "agent/turn/departed.h"
#include "agent/turn/removals.h"
#include "agent/turn/resend.h"
#include "common/os/printable.h"
#include "common/service/log.h"
#include "common/sync/aliases.h"
#include "common/sync/brake.h"
#include "common/sync/drain.h"
#include "common/sync/equality.h"
#include "common/sync/extra.h"
#include "common/sync/lift_times.h"
#include "common/sync/plan.h"
#include "common/sync/reconcile.h"
#include "common/sync/users_work.h"

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

/// What the destination holds of the account, once its indexes are gone if the work wants that.
wire::List question_about(const TurnOrder& order) {
  wire::List question;
  question.set_root(order.root_name);
  question.set_account(order.account_path);
  question.set_remove_indexes(order.work.reindex);
  question.set_digests_since(order.work.doubted_since.value_or(0));
  question.set_turn(next_turn_number());
  question.set_decision(order.decision.number);
  question.set_decision_id(order.decision.id);
  return question;
}

/// One turn.
class Course {
 public:
  Course(const std::shared_ptr<Turn>& turn, State& state, Watcher& watcher, Sender& sender, Inquiry& inquiry,
         Totals& totals)
      : turn_(turn),
        order_(turn->order),
        report_(turn->report),
        state_(state),
        watcher_(watcher),
        sender_(sender),
        inquiry_(inquiry),
        totals_(totals) {}

  void run() {
    Look looked;
    const auto done = look(order_, state_, watcher_, totals_, looked);
    take_into_report(looked);
    if (!done) return fail(done.error());
    if (report_.structure && !looked.after.exists) {
      if (!order_.gone_confirmed) {
        report_.end = TurnEnd::gone;
        return;
      }
      // A drained root takes nothing away, and keeps in mind what it gave.
      report_.account_gone = order_.mode == config::Mode::mirror;
      looked.after.structure_whole = true;
    }
    auto aliases = state_.aliases(order_.account);
    if (!aliases) return fail(aliases.error());
    aliases_ = std::move(*aliases);
    if (order_.work.compare) {
      const auto compared = drains() ? compare_drained(looked) : compare(looked);
      if (!compared) return fail(compared.error());
      if (report_.end != TurnEnd::sent) return;
    }
    auto operations =
        drains() ? sync::plan_drain(looked.before, looked.after, missing_) : sync::plan(looked.before, looked.after);
    log(operations);
    if (hold_for_mounts(looked, operations)) return;
    put_left_over_aside(operations);
    if (brake(looked, operations) == Brake::held) return;
    operations.insert(operations.begin(), names_back_.begin(), names_back_.end());
    operations.insert(operations.end(), doubles_.begin(), doubles_.end());
    operations.insert(operations.end(), extra_aside_.begin(), extra_aside_.end());
    if (operations.empty()) return;
    looked.before.folders = {};  // of a large account, they are most of the memory
    looked.after.folders = {};
    send(looked, std::move(operations));
  }

 private:
  void take_into_report(Look& looked) {
    report_.structure = looked.whole;
    report_.again = std::move(looked.again);
    report_.later = std::move(looked.later);
    report_.rests_in = looked.rests_in;
    report_.problems = std::move(looked.problems);
    report_.stamps = std::move(looked.stamps);
    report_.acls = looked.acls;
    report_.unwatched = looked.unwatched;
  }

  /// What was decided and why it was looked at, so that an account's history can be traced at log level debug.
  void log(const std::vector<Operation>& operations) const {
    if (!service::is_logged(service::Level::debug)) return;
    const Work& work = order_.work;
    service::log_debug("turn root={} account={} structure={} full={} compare={} folders={} operations={}",
                       order_.root_name, order_.account_path, work.structure, work.full, work.compare,
                       work.folders.size(), operations.size());
    for (const auto& operation : operations) {
      const auto& from = operation.from;
      const auto& to = operation.to;
      service::log_debug("operation account={} kind={} from={} to={} inode={}", order_.account_path,
                         sync::name_of(operation.kind), path_of(from), path_of(to), operation.result.inode);
    }
  }

  void fail(const Error& error) {
    report_.end = error.code == ErrorCode::cancelled ? TurnEnd::lost_link : TurnEnd::failed;
    report_.again.merge(order_.work);
    if (report_.end == TurnEnd::failed) report_.problems.push_back({error.code, "", error.message()});
  }

  bool drains() const { return order_.mode == config::Mode::drain; }

  Result<AccountListing> ask_for_listing() {
    auto listing = inquiry_.list(question_about(order_));
    if (listing || !listing.error().path.empty() || listing.error().code == ErrorCode::cancelled) return listing;
    report_.root_trouble = Problem{listing.error().code, "", listing.error().message()};
    return listing;
  }

  /// What the destination's users removed or moved stays as they have it: the listing only adds to what was given.
  Result<> compare_drained(Look& looked) {
    MAILDIRSYNC_ASSIGN(auto listed, ask_for_listing());
    sync::lift_times(listed.manifest, listed.times, {&looked.before, &looked.after}, {}, sync::OtherDates::lifted);
    if (order_.work.doubted_since) MAILDIRSYNC_TRY(give_torn_again(listed.manifest, looked));
    auto reconciled = sync::reconcile_drain(listed.manifest, looked.before, looked.after, order_.given_until);
    report_.withheld = reconciled.withheld;
    report_.listed_destination = true;
    MAILDIRSYNC_TRY(state_.apply(order_.account, reconciled.given));
    MAILDIRSYNC_TRY(state_.clear_intents(order_.account));
    looked.before = sync::apply(std::move(looked.before), reconciled.given);
    missing_ = std::move(reconciled.missing);
    return {};
  }

  /// The destination's own word for what it holds takes the place of the state.
  Result<> compare(Look& looked) {
    MAILDIRSYNC_ASSIGN(auto listing, ask_for_listing());
    sync::AccountManifest* listed = &listing.manifest;
    report_.indexed.insert(listing.indexed.begin(), listing.indexed.end());
    const auto whole_listing = order_.work.aside_extra ? *listed : sync::AccountManifest();
    MAILDIRSYNC_ASSIGN(auto ours, state_.intents(order_.account));
    sync::lift_times(*listed, listing.times, {&looked.before, &looked.after}, ours, sync::OtherDates::lifted);
    const auto owners = sync::owners_in(looked.after);
    MAILDIRSYNC_ASSIGN(const auto mapped, inquiry_.map_owners(order_.root_name, owners));
    if (!aliases_.empty()) {
      tell_apart_from_ours(*listed, mapped);
      MAILDIRSYNC_TRY(give_own_names(*listed, looked));
      sync::lift_times(*listed, listing.times, {&looked.before, &looked.after}, ours, sync::OtherDates::lifted);
    }
    if (settles_at_destination(looked.before, *listed)) return {};
    MAILDIRSYNC_TRY(remember_departed(looked, *listed, ours));
    if (let_users_be_asked_about(sync::what_users_did(*listed, looked.before, ours, looked.after))) return {};
    leave_to_others(*listed, mapped);
    const auto suspects = still_there(*listed, order_.work.suspects);
    auto reconciled =
        sync::reconcile(std::move(*listed), looked.before, ours, looked.after, sync::mapping_of(owners, mapped));
    looked.before = std::move(reconciled.before);  // what was believed of a large account is memory that is needed
    tell_torn(reconciled.torn);
    doubt_other_dates(looked.before, listing.times);
    replace_suspects(looked.before, suspects);
    if (order_.work.reindex) replace_control_files(looked.before);
    left_over_ = std::move(reconciled.left_over);
    if (order_.work.aside_extra) {
      reconciled.extra.insert(reconciled.extra.end(), taken_by_.begin(), taken_by_.end());
      extra_aside_ = sync::removals_of_extra(whole_listing, reconciled.extra);
      reconciled.extra.clear();
    }
    MAILDIRSYNC_TRY(state_.replace(order_.account, looked.before));
    MAILDIRSYNC_TRY(state_.set_looks(order_.account, listing.looks));
    MAILDIRSYNC_TRY(state_.clear_intents(order_.account));
    report_.extra = reconciled.extra.size();
    report_.compared = report_.listed_destination = true;
    take_unseen_from_before(looked);
    return {};
  }

  Result<> give_torn_again(sync::AccountManifest& listed, Look& looked) {
    const auto torn = sync::forget_torn(listed, looked.before);
    std::vector<sync::Location> places;
    for (const auto& operation : torn)
      places.push_back(operation.from);
    tell_torn(places);
    MAILDIRSYNC_TRY(state_.apply(order_.account, torn));
    looked.before = sync::apply(std::move(looked.before), torn);
    return {};
  }

  void tell_torn(const std::vector<sync::Location>& torn) const {
    for (const auto& at : torn) {
      service::log_warning("damaged-at-destination root={} account={} path={} action=\"put again in its place\"",
                           order_.root_name, order_.account_name, os::printable(path_of(at)));
    }
  }

  /// What has another date there than here, which cannot be helped, is asked for again, so that it stays a problem.
  static void doubt_other_dates(sync::AccountManifest& before, const sync::TimesByFolder& times) {
    for (auto& folder : before.folders) {
      const auto kept = times.find(folder.path);
      for (auto& entry : folder.entries) {
        if (is_beyond_carried(entry.mtime) || (kept != times.end() && !kept->second.holds(entry.mtime)))
          entry.inode = 0;
      }
    }
  }

  /// What the receiver found to be somebody else's is that still, as long as it belongs to none of this account's
  /// owners.
  bool is_anothers(const std::string& folder, const sync::Entry& entry,
                   const std::vector<sync::MappedOwner>& owners) const {
    return order_.not_ours.contains(sync::path_of({folder, entry.area, entry.name})) &&
           std::none_of(owners.begin(), owners.end(),
                        [&](const auto& owner) { return owner && owner->first == entry.attributes.uid; });
  }

  void leave_to_others(sync::AccountManifest& listed, const std::vector<sync::MappedOwner>& owners) const {
    if (order_.not_ours.empty()) return;
    for (auto& folder : listed.folders) {
      std::erase_if(folder.entries, [&](const sync::Entry& entry) { return is_anothers(folder.path, entry, owners); });
    }
  }

  /// It has the stamp of the message whose name it took, which is there beside it: that must not make it the message.
  void tell_apart_from_ours(sync::AccountManifest& listed, const std::vector<sync::MappedOwner>& owners) const {
    if (order_.not_ours.empty()) return;
    for (auto& folder : listed.folders) {
      for (auto& entry : folder.entries) {
        const bool has_alias = aliases_.contains({folder.path, std::string(sync::base_name(entry))});
        if (has_alias && is_anothers(folder.path, entry, owners)) --entry.mtime;
      }
    }
  }

  /// True when messages are missing at the destination that were not, or not yet, when it was last looked at: somebody
  /// may be removing them, with all of the root, which is the receiver's to judge once it is done.
  bool settles_at_destination(const sync::AccountManifest& known, const sync::AccountManifest& listed) {
    if (order_.released || order_.work.repairs || order_.work.reindex) return false;
    const std::uint64_t missing = sync::count_missing(known, listed);
    if (missing <= order_.missing_there) return false;
    report_.end = TurnEnd::settling;
    report_.missing_there = missing;
    report_.again.merge(order_.work);
    report_.stamps.clear();
    return true;
  }

  /// Messages that went while their folder was away at the destination are ours when it is back.
  Result<> remember_departed(const Look& looked, const sync::AccountManifest& listed, std::vector<sync::Intent>& ours) {
    const std::string key = "departed " + order_.root_name + "/" + order_.account_path;
    MAILDIRSYNC_ASSIGN(const auto kept, state_.value(key));
    const std::string before = kept.value_or("");
    const auto earlier = decode_intents(before).value_or(std::vector<sync::Intent>());
    ours.insert(ours.end(), earlier.begin(), earlier.end());
    const std::string after = encode(departed(looked.before, listed, looked.after, earlier));
    return after == before ? Result<>() : state_.set_value(key, after);
  }

  /// True when the account waits for a person, because users work on it at the destination: nothing is undone unasked.
  bool let_users_be_asked_about(sync::UsersWork work) {
    if (order_.released || order_.work.repairs || order_.work.reindex || order_.ask == AskAboutUsers::never)
      return false;
    work.indexed = !report_.indexed.empty();
    if (order_.ask == AskAboutUsers::always ? !work.any() : !sync::is_evident(work)) return false;
    hold(
        {ErrorCode::users_at_destination,
         "users work on this account at the destination (" + sync::describe(work) +
             "), and a mirror would undo it; the account is held, and nothing of it is sent. If they have moved there: "
             "maildirsync drain " +
             order_.root_name + ". If it may be undone: maildirsync release --account '" + order_.account_name +
             "', or for all accounts of the root: maildirsync mirror " + order_.root_name + " --undo-what-users-did"});
    return true;
  }

  /// What the walk missed is to stay as it is there.
  static void take_unseen_from_before(Look& looked) {
    if (looked.unseen.empty()) return;
    auto& folders = looked.after.folders;
    std::erase_if(folders, [&](const auto& folder) { return looked.unseen.contains(folder.path); });
    for (const auto& folder : looked.before.folders) {
      if (looked.unseen.contains(folder.path)) folders.push_back(folder);
    }
    std::sort(folders.begin(), folders.end(),
              [](const auto& left, const auto& right) { return left.path < right.path; });
  }

  /// What the destination holds under a name that was not taken, under our name for it; and what that shows of who has
  /// the names now.
  Result<> give_own_names(sync::AccountManifest& listed, const Look& looked) {
    auto settled = sync::settle_aliases(listed, aliases_, looked.before, looked.after);
    for (const auto& [place, alias] : settled.over)
      MAILDIRSYNC_TRY(state_.drop_alias(order_.account, place.first, place.second));
    aliases_ = std::move(settled.standing);
    taken_by_ = std::move(settled.taken_by);
    names_back_ = std::move(settled.back);
    doubles_ = std::move(settled.doubles);
    return {};
  }

  /// What the mirror itself left behind goes, but not for good.
  void put_left_over_aside(std::vector<Operation>& operations) const {
    if (left_over_.empty()) return;
    std::set<std::string> places, folders;
    for (const auto& at : left_over_) {
      places.insert(path_of(at));
      folders.insert(at.folder);
    }
    for (auto& operation : operations) {
      operation.to_trash |= operation.kind == OperationKind::remove && places.contains(path_of(operation.from));
      operation.to_trash |= operation.kind == OperationKind::remove_folder && folders.contains(operation.from.folder);
    }
  }

  /// Before the brake has marked what else goes to the trash: a later turn would not know this one again.
  static bool is_left_over(const Operation& operation) {
    return operation.kind == OperationKind::remove && operation.to_trash;
  }

  enum class Brake : std::uint8_t { go, held };

  /// Decides about what the plan takes away: it goes, to the trash or not; waits, so that a mass deletion is seen as a
  /// whole; or holds the account.
  Brake brake(const Look& looked, std::vector<Operation>& operations) {
    const auto takes_away = [&](const Operation& operation) {
      return removes(operation) || shrinks(looked.before, operation);
    };
    report_.going = static_cast<std::uint64_t>(std::count_if(operations.begin(), operations.end(), takes_away));
    if (report_.going == 0) return Brake::go;
    report_.lost = sync::lost_messages(operations, names_of_removed(operations));
    const auto row = state_.account_row(order_.account);
    sync::Removals removals{.messages = (row ? row->messages : 0) + order_.recently_removed,
                            .lost = report_.lost.messages,
                            .lost_before = order_.recently_removed,
                            .has_trash = order_.has_trash};
    report_.account_messages = removals.messages;
    if (!order_.released && !report_.account_gone) {
      if (report_.structure) removals.damage = sync::damage_between(looked.before, looked.after);
      if (sync::should_hold(removals) == sync::Hold::damage) return brake_holds(removals);
      report_.is_mass = sync::is_mass(removals.messages, removals.lost);
      report_.removals = settle(going(operations));
      if (report_.removals != Removals::go) {
        put_removals_off(looked.before, operations);
        return Brake::go;
      }
      removals.root_loses = order_.root_loses;
      if (sync::should_hold(removals) != sync::Hold::none) return brake_holds(removals);
    }
    if (order_.has_trash) {
      sync::mark_for_trash(operations, {.in_window = report_.lost.messages + order_.recently_removed,
                                        .in_hour = report_.lost.messages + order_.removed_within_hour,
                                        .root_wanes = order_.root_wanes || order_.root_loses,
                                        .account_gone = report_.account_gone});
    }
    return Brake::go;
  }

  Brake brake_holds(const sync::Removals& removals) {
    const sync::Hold brake = sync::should_hold(removals);
    std::string why = "and the destination has no trash to put them aside (trash_days of the root in receiver.toml)";
    if (brake == sync::Hold::damage) why = "for " + std::string(sync::sentence(removals.damage));
    if (brake == sync::Hold::root_loses) why = "and many other accounts of the root lose much at the same time";
    hold(
        {ErrorCode::mass_deletion,
         fmt::format(
             "{} of {} messages would be deleted at once, {}; the account is held, and nothing of it is deleted at the "
             "destination. If that is meant: maildirsync release --account '{}'",
             removals.lost, removals.messages, why, order_.account_name),
         brake});
    return Brake::held;
  }

  /// Nothing is sent, and all is looked at again once a person has said so.
  void hold(Held held) {
    report_.end = TurnEnd::held;
    report_.held = std::move(held);
    report_.again.merge(order_.work);
    report_.stamps.clear();
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

  /// An archive disk that is not mounted looks like mail that was deleted, however little it is.
  bool hold_for_mounts(const Look& looked, const std::vector<Operation>& operations) {
    if (!looked.mounts) return false;
    const auto known = state_.mounts(order_.account);
    if (!known) return false;  // the turn fails at its next use of the state
    const auto folder = mount_to_hold(*known, *looked.mounts, operations);
    if (folder && !order_.released && order_.mode == config::Mode::mirror) {
      const std::string where = os::join(os::join(order_.root->path(), order_.account_path), *folder);
      report_.lost = sync::lost_messages(operations, names_of_removed(operations));
      hold({ErrorCode::mount_gone,
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

  void send(const Look& looked, std::vector<Operation> operations) {
    auto account = order_.root->open_directory(order_.account_path);
    if (!account && !report_.account_gone) return fail(account.error());
    auto intent = state_.begin_turn(order_.account, sync::intents_of(operations));
    if (!intent) return fail(intent.error());
    report_.intent = *intent;
    if (std::any_of(operations.begin(), operations.end(), sync::is_known_by_intent_only)) {
      if (const auto synced = state_.sync(); !synced) return fail(synced.error());
    }
    for (const auto& operation : operations) {
      if (operation.kind != OperationKind::put) continue;
      ++turn_->pending_messages;
      turn_->pending_bytes += operation.result.size;
    }
    const os::Directory none;
    if (!sender_.send(turn_, account ? *account : none, std::move(operations), looked.snapshots, aliases_)) {
      report_.end = TurnEnd::lost_link;
      report_.again.merge(order_.work);
    }
  }

  const std::shared_ptr<Turn>& turn_;
  const TurnOrder& order_;
  TurnReport& report_;
  State& state_;
  Watcher& watcher_;
  Sender& sender_;
  Inquiry& inquiry_;
  Totals& totals_;
  sync::MissingFolders missing_;  ///< at the destination of a drained root
  Aliases aliases_;               ///< those that stand
  std::vector<Operation> names_back_, doubles_, extra_aside_;
  std::vector<sync::Location> left_over_, taken_by_;
};

}  // namespace

Problem conflict_problem(const std::string& folder, const std::string& base, const std::string& alias) {
  return {ErrorCode::conflict, sync::path_of({folder, Area::cur, base}),
          "another file has the name of the message " + base + " at the destination, and was kept: the message is " +
              "there as " + alias +
              "; once that file is moved away or renamed there, the next flush gives the message " +
              "its own name back",
          true};
}

void TurnTaker::run(const std::shared_ptr<Turn>& turn) {
  try {
    Course(turn, state_, watcher_, sender_, inquiry_, totals_).run();
  } catch (const std::exception& exception) {
    // A bug or memory that ran out, in one account: the others go on, and this one is tried again.
    service::log_error("turn-exception root={} account={} what={}", turn->order.root_name, turn->order.account_path,
                       exception.what());
    turn->report.end = TurnEnd::failed;
    turn->report.problems.push_back({ErrorCode::io, "", exception.what()});
    turn->report.again.merge(turn->order.work);
  }
}

}  // namespace maildirsync::agent
