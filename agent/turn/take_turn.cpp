#include "agent/turn/take_turn.h"

#include <algorithm>
#include <set>

#include "agent/look/look.h"
#include "agent/turn/comparison.h"
#include "agent/turn/turn_brake.h"
#include "common/service/log.h"
#include "common/sync/drain.h"
#include "common/sync/plan.h"

namespace maildirsync::agent {

namespace {

using sync::Operation;
using sync::OperationKind;

/// One turn.
class Course {
 public:
  Course(const std::shared_ptr<Turn>& turn, State& state, Watcher& watcher, Sender& sender, TurnInquiry& inquiry,
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
      const auto compared = compare_with_destination(*turn_, state_, inquiry_, looked, aliases_, compared_);
      if (!compared) return fail(compared.error());
      if (report_.end != TurnEnd::sent) return;
    }
    auto operations = order_.mode == config::Mode::drain
                          ? sync::plan_drain(looked.before, looked.after, compared_.missing)
                          : sync::plan(looked.before, looked.after);
    log(operations);
    report_.extra = count_extra(operations);
    if (brakes_for_mounts(*turn_, state_, looked, operations)) return;
    put_left_over_aside(operations);
    if (brakes_for_removals(*turn_, state_, looked, operations)) return;
    const auto& names_back = compared_.names_back;
    operations.insert(operations.begin(), names_back.begin(), names_back.end());
    for (const auto* last : {&compared_.doubles, &compared_.extra_aside})
      operations.insert(operations.end(), last->begin(), last->end());
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

  /// What stands where a message of ours is put is not an extra file after that: it is replaced, being the beginning of
  /// ours, or it is a conflict.
  std::size_t count_extra(const std::vector<Operation>& operations) const {
    if (compared_.extra.empty()) return 0;
    std::set<std::string> put;
    for (const auto& operation : operations) {
      if (operation.kind == OperationKind::put) put.insert(path_of(operation.to));
    }
    return static_cast<std::size_t>(
        std::count_if(compared_.extra.begin(), compared_.extra.end(),
                      [&](const sync::Location& at) { return at.name.empty() || !put.contains(path_of(at)); }));
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

  /// What the mirror itself left behind goes, but not for good.
  void put_left_over_aside(std::vector<Operation>& operations) const {
    if (compared_.left_over.empty()) return;
    std::set<std::string> places, folders;
    for (const auto& at : compared_.left_over) {
      places.insert(path_of(at));
      folders.insert(at.folder);
    }
    for (auto& operation : operations) {
      operation.to_trash |= operation.kind == OperationKind::remove && places.contains(path_of(operation.from));
      operation.to_trash |= operation.kind == OperationKind::remove_folder && folders.contains(operation.from.folder);
    }
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
  TurnInquiry& inquiry_;
  Totals& totals_;
  Aliases aliases_;  ///< those that stand
  Compared compared_;
};

}  // namespace

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
