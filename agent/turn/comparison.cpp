#include "agent/turn/comparison.h"

#include <algorithm>

#include "agent/state/intents.h"
#include "agent/turn/departed.h"
#include "agent/turn/resend.h"
#include "common/maildir/name.h"
#include "common/os/printable.h"
#include "common/service/log.h"
#include "common/sync/aliases.h"
#include "common/sync/extra.h"
#include "common/sync/lift_times.h"
#include "common/sync/plan.h"
#include "common/sync/reconcile.h"
#include "common/sync/undoing.h"

namespace maildirsync::agent {

namespace {

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
  if (order.ask == AskAboutUsers::always) question.set_control_digests(true);
  return question;
}

/// What has another date there than here, which cannot be helped, is asked for again, so that it stays a problem.
void doubt_other_dates(sync::AccountManifest& before, const sync::TimesByFolder& times) {
  for (auto& folder : before.folders) {
    const auto kept = times.find(folder.path);
    for (auto& entry : folder.entries) {
      if (is_beyond_carried(entry.mtime) || (kept != times.end() && !kept->second.holds(entry.mtime))) entry.inode = 0;
    }
  }
}

/// What the walk missed is to stay as it is there.
void take_unseen_from_before(Look& looked) {
  if (looked.unseen.empty()) return;
  auto& folders = looked.after.folders;
  std::erase_if(folders, [&](const auto& folder) { return looked.unseen.contains(folder.path); });
  for (const auto& folder : looked.before.folders) {
    if (looked.unseen.contains(folder.path)) folders.push_back(folder);
  }
  std::sort(folders.begin(), folders.end(), [](const auto& left, const auto& right) { return left.path < right.path; });
}

/// What has size and time of ours at the destination, and is somebody else's.
class OthersFiles {
 public:
  OthersFiles(const std::set<std::string>& paths, const std::vector<sync::MappedOwner>& owners)
      : paths_(paths), owners_(owners) {}

  void leave(sync::AccountManifest& listed) const {
    if (paths_.empty()) return;
    for (auto& folder : listed.folders) {
      std::erase_if(folder.entries, [&](const sync::Entry& entry) { return has(folder.path, entry); });
    }
  }

  /// It has the stamp of the message whose name it took, which is there beside it: that must not make it the message.
  void tell_apart_from_ours(sync::AccountManifest& listed, const Aliases& aliases) const {
    if (paths_.empty()) return;
    for (auto& folder : listed.folders) {
      for (auto& entry : folder.entries) {
        const bool has_alias = aliases.contains({folder.path, std::string(sync::base_name(entry))});
        if (has_alias && has(folder.path, entry)) --entry.mtime;
      }
    }
  }

 private:
  /// What the receiver found to be somebody else's is that still, as long as it belongs to none of this account's
  /// owners.
  bool has(const std::string& folder, const sync::Entry& entry) const {
    return paths_.contains(sync::path_of({folder, entry.area, entry.name})) &&
           std::none_of(owners_.begin(), owners_.end(),
                        [&](const auto& owner) { return owner && owner->first == entry.attributes.uid; });
  }

  const std::set<std::string>& paths_;
  const std::vector<sync::MappedOwner>& owners_;
};

class Comparison {
 public:
  Comparison(Turn& turn, State& state, TurnInquiry& inquiry, Look& looked, Aliases& aliases, Compared& compared)
      : order_(turn.order),
        turn_(turn),
        report_(turn.report),
        state_(state),
        inquiry_(inquiry),
        looked_(looked),
        aliases_(aliases),
        compared_(compared) {}

  /// What the destination's users removed or moved stays as they have it: the listing only adds to what was given.
  Result<> of_drained() {
    MAILDIRSYNC_ASSIGN(auto listed, ask_for_listing());
    sync::lift_times(listed.manifest, listed.times, {&looked_.before, &looked_.after}, {}, sync::OtherDates::lifted);
    if (order_.work.doubted_since) MAILDIRSYNC_TRY(give_torn_again(listed.manifest));
    if (order_.put_back) MAILDIRSYNC_TRY(give_lost_again(listed.manifest));
    // An account of which nothing is there was never given: what its users had of it there, the receiver remembers.
    const std::int64_t given_until = listed.manifest.folders.empty() ? 0 : order_.given_until;
    auto reconciled = sync::reconcile_drain(listed.manifest, looked_.before, looked_.after, given_until);
    report_.withheld = reconciled.withheld;
    report_.listed_destination = true;
    MAILDIRSYNC_TRY(state_.apply(order_.account, reconciled.given));
    MAILDIRSYNC_TRY(state_.clear_intents(order_.account));
    looked_.before = sync::apply(std::move(looked_.before), reconciled.given);
    compared_.missing = std::move(reconciled.missing);
    return {};
  }

  /// The destination's own word for what it holds takes the place of the state.
  Result<> of_mirrored() {
    MAILDIRSYNC_ASSIGN(auto listing, ask_for_listing());
    sync::AccountManifest* listed = &listing.manifest;
    report_.indexed.insert(listing.indexed.begin(), listing.indexed.end());
    const auto whole_listing = order_.work.aside_extra ? *listed : sync::AccountManifest();
    MAILDIRSYNC_ASSIGN(auto ours, state_.intents(order_.account));
    sync::lift_times(*listed, listing.times, {&looked_.before, &looked_.after}, ours, sync::OtherDates::lifted);
    const auto owners = sync::owners_in(looked_.after);
    MAILDIRSYNC_ASSIGN(const auto mapped, inquiry_.map_owners(order_.root_name, owners));
    const OthersFiles others(order_.not_ours, mapped);
    if (!aliases_.empty()) {
      others.tell_apart_from_ours(*listed, aliases_);
      MAILDIRSYNC_TRY(give_own_names(*listed));
      sync::lift_times(*listed, listing.times, {&looked_.before, &looked_.after}, ours, sync::OtherDates::lifted);
    }
    MAILDIRSYNC_ASSIGN(const auto departed, departed_from());
    ours.insert(ours.end(), departed.begin(), departed.end());
    const auto work = look_for_users(*listed, ours);
    if (settles_at_destination(looked_.before, *listed)) return {};
    MAILDIRSYNC_TRY(remember_departed(*listed, departed));
    if (let_users_be_asked_about(*listed, ours, work)) return {};
    others.leave(*listed);
    const auto suspects = still_there(*listed, order_.work.suspects);
    auto reconciled =
        sync::reconcile(std::move(*listed), looked_.before, ours, looked_.after, sync::mapping_of(owners, mapped));
    looked_.before = std::move(reconciled.before);  // what was believed of a large account is memory that is needed
    tell_torn(reconciled.torn);
    doubt_other_dates(looked_.before, listing.times);
    replace_suspects(looked_.before, suspects);
    if (order_.work.reindex) replace_control_files(looked_.before);
    compared_.left_over = std::move(reconciled.left_over);
    if (order_.work.aside_extra) {
      reconciled.extra.insert(reconciled.extra.end(), taken_by_.begin(), taken_by_.end());
      compared_.extra_aside = sync::removals_of_extra(whole_listing, reconciled.extra);
      reconciled.extra.clear();
    }
    MAILDIRSYNC_TRY(state_.replace(order_.account, looked_.before));
    MAILDIRSYNC_TRY(state_.set_looks(order_.account, listing.looks));
    MAILDIRSYNC_TRY(state_.clear_intents(order_.account));
    compared_.extra = std::move(reconciled.extra);
    report_.compared = report_.listed_destination = true;
    take_unseen_from_before(looked_);
    return {};
  }

 private:
  Result<AccountListing> ask_for_listing() {
    auto listing = inquiry_.list(question_about(order_));
    if (listing || !listing.error().path.empty() || listing.error().code == ErrorCode::cancelled) return listing;
    report_.root_trouble = Problem{listing.error().code, "", listing.error().message()};
    return listing;
  }

  Result<> give_torn_again(sync::AccountManifest& listed) {
    const auto torn = sync::forget_torn(listed, looked_.before);
    std::vector<sync::Location> places;
    for (const auto& operation : torn)
      places.push_back(operation.from);
    tell_torn(places);
    MAILDIRSYNC_TRY(state_.apply(order_.account, torn));
    looked_.before = sync::apply(std::move(looked_.before), torn);
    return {};
  }

  /// What was given after the time as of which the destination was put back is lost there. What its users removed
  /// before that time is missing, too: of those messages the receiver's memory, which is as old as the mail, tells.
  Result<> give_lost_again(const sync::AccountManifest& listed) {
    auto missing = sync::forget_unlisted(listed, looked_.before);
    if (missing.empty()) return {};
    std::set<std::string> bases;
    for (const auto& operation : sync::plan_drain(sync::apply(looked_.before, missing), looked_.after)) {
      if (operation.kind == sync::OperationKind::put) bases.emplace(sync::base_name(operation.result));
    }
    MAILDIRSYNC_ASSIGN(const auto had, inquiry_.had(order_.root_name, order_.account_path, bases));
    std::erase_if(missing, [&](const sync::Operation& operation) {
      const std::string base(maildir::base_of(operation.from.name));
      return !bases.contains(base) || had.contains(base);
    });
    if (missing.empty()) return {};
    service::log_warning(
        "given-again root={} account={} messages={} reason=\"the destination was put back as it was before they were "
        "given\"",
        order_.root_name, order_.account_name, missing.size());
    report_.given_again = missing.size();
    MAILDIRSYNC_TRY(state_.apply(order_.account, missing));
    looked_.before = sync::apply(std::move(looked_.before), missing);
    return {};
  }

  void tell_torn(const std::vector<sync::Location>& torn) const {
    for (const auto& at : torn) {
      service::log_warning("damaged-at-destination root={} account={} path={} action=\"put again in its place\"",
                           order_.root_name, order_.account_name, os::printable(path_of(at)));
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

  std::string key_of_departed() const { return "departed " + order_.root_name + "/" + order_.account_path; }

  /// Messages that went while their folder was away at the destination are ours when it is back.
  Result<std::vector<sync::Intent>> departed_from() {
    MAILDIRSYNC_ASSIGN(const auto kept, state_.value(key_of_departed()));
    return decode_intents(kept.value_or("")).value_or(std::vector<sync::Intent>());
  }

  Result<> remember_departed(const sync::AccountManifest& listed, const std::vector<sync::Intent>& earlier) {
    const std::string after = encode(departed(looked_.before, listed, looked_.after, earlier));
    return after == encode(earlier) ? Result<>() : state_.set_value(key_of_departed(), after);
  }

  /// Nobody is asked about what a person has ordered.
  bool is_ordered() const {
    return order_.released || order_.work.repairs || order_.work.reindex || order_.ask == AskAboutUsers::never;
  }

  /// What speaks for users in this account does so for the others of its root, too: it is told before anything is
  /// waited for.
  sync::UsersWork look_for_users(const sync::AccountManifest& listed, const std::vector<sync::Intent>& ours) {
    report_.users_at_work = false;
    if (is_ordered()) return {};
    auto work = sync::what_users_did(listed, looked_.before, ours, looked_.after);
    work.indexed = !report_.indexed.empty();
    report_.users_at_work = sync::is_evident(work);
    return work;
  }

  /// True when the account waits for a person, because users work on it at the destination: nothing is undone unasked.
  bool let_users_be_asked_about(const sync::AccountManifest& listed, const std::vector<sync::Intent>& ours,
                                const sync::UsersWork& seen) {
    if (is_ordered()) return false;
    const bool has_record = !looked_.before.folders.empty();
    const bool is_evident = sync::is_evident(seen, {order_.users_in_root, has_record});
    if (order_.ask == AskAboutUsers::where_evident && !is_evident) return false;
    const std::int64_t given_until = is_evident && !has_record ? sync::had_until(listed, looked_.after) : 0;
    const auto work = sync::what_a_mirror_would_undo(listed, looked_.before, ours, looked_.after, given_until);
    if (!work.any()) return false;
    report_.undoes = work;
    const std::string who = sync::is_evident(seen) || !order_.users_in_root
                                ? "users work on this account at the destination (" + sync::describe(work) + ")"
                                : "users work on other accounts of this root at the destination, and what differs in "
                                  "this one is theirs, too, as far as can be told (" +
                                      sync::describe(work) + ")";
    hold(turn_,
         {ErrorCode::users_at_destination,
          who +
              ", and a mirror would undo it; the account is held, and nothing of it is sent. If they have moved "
              "there: maildirsync drain " +
              order_.root_name + ". If it may be undone: maildirsync release --account '" + order_.account_name +
              "', or for all accounts of the root: maildirsync mirror " + order_.root_name + " --undo-what-users-did"});
    return true;
  }

  /// What the destination holds under a name that was not taken, under our name for it; and what that shows of who has
  /// the names now.
  Result<> give_own_names(sync::AccountManifest& listed) {
    auto settled = sync::settle_aliases(listed, aliases_, looked_.before, looked_.after);
    for (const auto& [place, alias] : settled.over)
      MAILDIRSYNC_TRY(state_.drop_alias(order_.account, place.first, place.second));
    aliases_ = std::move(settled.standing);
    taken_by_ = std::move(settled.taken_by);
    compared_.names_back = std::move(settled.back);
    compared_.doubles = std::move(settled.doubles);
    return {};
  }

  const TurnOrder& order_;
  Turn& turn_;
  TurnReport& report_;
  State& state_;
  TurnInquiry& inquiry_;
  Look& looked_;
  Aliases& aliases_;
  Compared& compared_;
  std::vector<sync::Location> taken_by_;  ///< files that have the names of messages of ours
};

}  // namespace

Result<> compare_with_destination(Turn& turn, State& state, TurnInquiry& inquiry, Look& looked, Aliases& aliases,
                                  Compared& compared) {
  Comparison comparison(turn, state, inquiry, looked, aliases, compared);
  return turn.order.mode == config::Mode::drain ? comparison.of_drained() : comparison.of_mirrored();
}

}  // namespace maildirsync::agent
