#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>
#include <nlohmann/json.hpp>

#include "agent/decisions/decisions.h"
#include "agent/engine/account.h"
#include "agent/engine/troubles.h"
#include "agent/requests/undo_preview.h"
#include "agent/requests/verify_run.h"
#include "agent/turn/lane.h"
#include "agent/watch/choice.h"
#include "agent/watch/mounts.h"
#include "common/control/server.h"
#include "common/service/configuration.h"
#include "common/service/metrics.h"

namespace maildirsync::agent {

struct FlushFacts;

/// The agent's heart: owns accounts, roots, lanes, and decides whose turn it is. All of it lives on the event loop;
/// walks, reads and the state database are lanes', pool's and keeper's business.
class Engine {
 public:
  struct Parts {
    config::Agent config;
    std::unique_ptr<State> state;
    std::unique_ptr<Decisions> decisions;
    Choice watcher;
    LinkSettings link;
    bool compare_all = false;  ///< the last run ended so that the state may lack what was sent
  };

  Engine(asio::io_context& loop, Parts parts);
  ~Engine();

  /// Begins: known accounts, discovery, watching, links.
  Result<> start();
  /// Ends links and lanes; what is on its way is left to the next run. Then `stopped` may destroy the engine.
  void stop();
  /// A new configuration (SIGHUP): roots, transfer, receiver and keys change without a restart.
  Result<> reload(config::Agent config, LinkSettings link);

  /// Which configuration this is, for `status`.
  void note_configuration(service::Configuration configuration) { configuration_ = std::move(configuration); }

  /// Control requests.
  void handle(const nlohmann::json& request, std::shared_ptr<control::Reply> reply);
  nlohmann::json status(const std::string& account_glob);
  nlohmann::json peer_clock_offset() const;
  /// One line for systemd.
  std::string summary();
  std::vector<service::Metric> metrics();
  const Totals& totals() const { return totals_; }
  std::string state_word() const;
  bool is_connected() const;
  std::optional<double> lag() const;
  std::pair<std::uint64_t, std::uint64_t> pending() const;

 private:
  struct Flush;
  /// What was acknowledged of a turn.
  struct Unkept {
    std::shared_ptr<Turn> turn;
    std::vector<sync::Operation> operations;
    std::vector<State::FolderLook> looks;
  };
  struct FlushSurvey;
  struct ModeChange;
  struct Verify;
  /// Somebody waits for all that an account held at some moment to be durable.
  struct Settling {
    AccountId account = 0;
    std::uint64_t generation = 0;
    Time deadline;
    std::function<void(std::string)> done;
  };
  struct Plan;

  // accounts.cpp: discovery's results, and the accounts that follow
  Result<> add_root(const config::AgentRoot& root);
  void discover_root(std::size_t index);
  /// Has every root walked anew; `have_walked` tells when that is done.
  std::vector<std::uint64_t> walk_roots(Search search);
  bool have_walked(const std::vector<std::uint64_t>& discoveries) const;
  void discovered(std::size_t index, Discovery discovery, Search search);
  bool must_hold(Root& root, const Discovery& discovery);
  std::vector<Account*> accounts_of(std::size_t root);
  bool has_accounts(std::size_t root) const;
  Account* add_account(std::size_t root, const std::string& path, const std::string& name);
  void drop_account(AccountId id);
  void drop_excluded(std::size_t root);
  void drop_accounts_of_other_layout(std::size_t root);
  void tell_of_other_layout(std::size_t root, std::size_t accounts) const;

  // brakes.cpp: accounts that are held
  void is_not_found(Account& account, bool whole_walk);
  void is_found(Account& account);
  void hold(Account& account, ErrorCode code, const std::string& reason);
  void hold_gone(Account& account);
  void hold_for_brake(Account& account, const Turn& turn);
  void end_hold(Account& account, const char* event);
  void note_mass(Account& account, const TurnReport& report);
  static void note_missing_there(Account& account, std::uint64_t messages);
  void let_removed_accounts_go();
  bool loses_much(std::size_t root);
  bool wanes(std::size_t root);
  void check_losses(std::size_t root);
  std::optional<std::uint64_t> mass_that_may_be_believed(const Account& account);
  static std::uint64_t missing_that_may_be_believed(const Account& account);
  bool has_trash(const Account& account) const;

  // watching.cpp
  void watch();
  void watch_events();
  void watch_mounts();
  void mount_changed(const std::string& point);
  void take_event(const Event& event);
  void lost_events();

  // turns.cpp
  void schedule(Account& account);
  void schedule_all();
  void dispatch();
  Account* next_account(bool live_only);
  std::optional<Work> take_later_messages(AccountId id);
  std::optional<Work> ask_for_later_messages(AccountId id);
  void give(Lane& lane, Account& account);
  void delay(Account& account, Clock::duration by);
  void arm_delay_timer();

  // mounts.cpp
  Result<> recall_mounts(Root& root) const;
  void remember_mounts(Root& root, const MountsAbove& now);
  bool hold_for_mounts_above(Account& account, const MountsAbove& known, const MountsAbove& now);
  void look_at_lost_mounts();
  // destinations.cpp
  Result<> recall_destination(Root& root) const;
  void tell_destinations(wire::Hello& hello) const;
  void learn_destinations(const google::protobuf::RepeatedPtrField<wire::Destination>& told);
  void learn_destination(const wire::Destination& told);
  void hold_destination(Root& root, const std::string& reason);
  void hold_destination_of(AccountId id, const std::string& reason);
  void compare_all_accounts(const Root& root);
  static void must_be_compared_first(Account& account);
  void ask_for_new_destinations();
  void release_destination(const Root& root);
  // destination_check.cpp
  bool is_looked_after(const Account& account) const;
  void check_looks(const std::vector<AccountId>& ids,
                   std::function<void(std::optional<std::vector<AccountId>> differing)> done);
  void compare_at_destination(AccountId id);
  void check_all_looks();
  void check_some_looks();

  // answers.cpp
  void link_up(std::size_t lane, const wire::Hello& receiver);
  void look_again(const wire::UncleanEnd& end);
  void check_looked_again();
  void remember_unclean_end();
  void link_down(std::size_t lane, const Error& error, std::vector<Sent> lost);
  void acknowledged(std::vector<Sent> done, const wire::Ack& ack);
  // room.cpp
  void has_no_room(Turn& turn, const sync::Operation& operation, const std::string& detail);
  bool wait_for_room(Account& account, const Turn& turn);
  void ask_for_room(std::size_t root, bool at_once);
  void room_told(std::size_t root, AccountId account, const Result<wire::MappedOwners::Room>& told);
  bool is_asking_for_room() const;
  void has_lesser_mode(Turn& turn, sync::Operation& operation, std::uint32_t mode);
  static void has_other_date(Turn& turn, sync::Operation& operation, std::int64_t date);
  void keep(const std::shared_ptr<Turn>& turn, std::vector<sync::Operation> applied,
            std::vector<State::FolderLook> looks);
  void refused(Turn& turn, const sync::Operation& operation, const wire::Ack::Failed& failed);
  void lane_done(std::shared_ptr<Turn> turn);
  void finish_if_answered(const std::shared_ptr<Turn>& turn);
  void finish(const std::shared_ptr<Turn>& turn);
  void finished(const std::shared_ptr<Turn>& turn, const Result<State::AccountRow>& row);
  void set_extra(Account& account, std::size_t extra);
  void settle_problems(Account& account, const Turn& turn);
  static Account::Unclean unclean(const Turn& turn);
  void settle_root_trouble(Root& root, const Turn& turn);
  void forget_root_trouble(std::size_t index);
  void note_acls(Root& root, std::uint64_t acls);
  void plan_next(Account& account, const Turn& turn);
  void keeper_failed(const Error& error);

  // commands
  void flush(const nlohmann::json& request, std::shared_ptr<control::Reply> reply);
  void flush_accounts(const std::shared_ptr<Flush>& flush);
  void check_flushes();
  void look_for(const std::shared_ptr<Flush>& flush);
  bool waits_for_looks(const Flush& flush) const;
  bool waits(const Flush& flush) const;
  FlushSurvey survey(const Flush& flush) const;
  void survey_account(const Flush& flush, const Account& account, FlushSurvey& survey) const;
  FlushFacts flush_facts(const Flush& flush, const Account& account) const;
  void tell_progress(Flush& flush, const FlushSurvey& survey);
  std::optional<std::string> cause_of_all() const;
  void finish_flush(Flush& flush, FlushSurvey survey);
  void verify(const nlohmann::json& request, std::shared_ptr<control::Reply> reply);
  void begin_verify();
  void leave_out_of(const Root& root, Verify& verify);
  void note_acls_of(const Verify& verify, const Verification::Outcome& outcome);
  void abort_verify();
  void check_verify();
  void finish_verify(Verification::Outcome outcome);
  void recall_verify();
  void remember_verify(bool deep, bool equal, std::size_t differences);
  bool is_expected_account(const std::string& root, const std::string& path, const std::string& name) const;
  void settle_account(AccountId id, Work work, std::function<void(std::string)> done);
  std::optional<std::string> settled(const Settling& settling) const;
  void check_settling();
  void repair_index(const std::string& glob, std::shared_ptr<control::Reply> reply);
  void note_indexed(Account& account, const std::vector<std::string>& folders);
  void set_paused(bool paused, std::shared_ptr<control::Reply> reply);
  // release.cpp
  void release(const nlohmann::json& request, const std::shared_ptr<control::Reply>& reply);
  void note_release(const Account& account);
  void let_go(Account& account);
  void let_go(Root& root, std::size_t index);
  void forget_release(Account& account);
  void forget_release(const Root& root);
  // mode.cpp
  void set_mode(const nlohmann::json& request, config::Mode mode, std::shared_ptr<control::Reply> reply);
  void change_mode(std::size_t root, config::Mode mode, const std::string& by);
  void preview(const std::shared_ptr<ModeChange>& change);
  void previewed(const std::shared_ptr<ModeChange>& change, UndoPreview::Outcome outcome);
  void refuse(const std::shared_ptr<ModeChange>& change, const std::string& why, nlohmann::json would_undo);
  void keep_mode(const std::shared_ptr<ModeChange>& change);
  void mode_is_kept(const std::shared_ptr<ModeChange>& change);
  void check_mode_changes();
  void finish_mode(const std::shared_ptr<ModeChange>& change, const std::string& untold);
  void abort_previews();
  bool is_previewing() const;
  void let_users_go(std::size_t root);
  std::int64_t given_until(std::size_t root);
  // agreement.cpp: what was decided, with the receiver
  Result<> begin_decisions(std::size_t root);
  void begin_pause();
  const decisions::Chain& decided(const Root& root) const;
  void greet(wire::Hello& hello) const;
  void heard(const wire::Hello& receiver);
  void heard_of_root(std::size_t root, const wire::RootDecisions& said);
  void heard_of_pause(const wire::RootDecisions& said);
  void tell(std::size_t root, bool adopts = false, std::function<void(std::string untold)> then = {});
  void tell_pause();
  void begin_first(std::size_t root, bool alone);
  void adopt(std::size_t root);
  void agree(std::size_t root);
  void wait_for_person(std::size_t root, Error why);
  void begin_comparing(std::size_t root);
  void check_agreements();
  void note_record_is_by(std::size_t root);
  void state_is_older();
  AskAboutUsers ask_about_users(const Account& account) const;
  nlohmann::json decision_status(const Root& root) const;
  // plan.cpp
  void plan(const nlohmann::json& request, std::shared_ptr<control::Reply> reply);
  void check_plans();
  void begin_plan(const std::shared_ptr<Plan>& plan);
  void measure_first_copy(double seconds);
  bool is_planning() const;
  void abort_plans();

  // evidence.cpp
  void note_cut_over(const std::string& root) const;
  static void note_verified(const std::string& root, const std::string& account, bool deep, const Verdict& verdict);
  static void note_step(const nlohmann::json& request, control::Reply& reply);

  Refused refused() const;
  nlohmann::json root_status(std::size_t index) const;
  nlohmann::json accounts_status(const std::string& account_glob) const;
  /// A problem as people are told of it: of the agent, of a root, or of an account.
  struct Told {
    std::string_view code;
    const std::string& root;
    const std::string& account;
    const std::string& path;
    std::string detail;
    std::optional<Time> since;
  };
  void for_each_problem(const std::string& account_glob, const std::function<void(const Told&)>& tell) const;
  void tick();

  asio::io_context& loop_;
  config::Agent config_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Decisions> decisions_;
  std::unique_ptr<Watcher> watcher_;
  std::string watcher_reason_;
  LinkSettings link_settings_;
  bool compare_all_;
  Totals totals_;
  std::shared_ptr<Limiter> limiter_ = std::make_shared<Limiter>();
  std::vector<Root> roots_;
  std::unordered_map<AccountId, Account> accounts_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<AccountId> live_, bulk_;
  std::multimap<Time, AccountId> delayed_;
  asio::steady_timer delay_timer_;
  asio::steady_timer tick_timer_;
  Mounts mounts_;
  asio::posix::stream_descriptor watch_descriptor_, mount_descriptor_;
  std::mutex unkept_mutex_;
  std::vector<Unkept> unkept_;   ///< for the keeper to take
  asio::thread_pool keeper_{1};  ///< the state database's thread, in order
  asio::thread_pool walkers_{1};
  asio::thread_pool askers_{1};  ///< waits for the receiver's answers about looks
  std::vector<std::shared_ptr<Flush>> flushes_;
  std::vector<std::shared_ptr<ModeChange>> mode_changes_;
  std::shared_ptr<Verify> verify_;
  std::vector<Settling> settling_;
  service::Configuration configuration_;
  nlohmann::json verified_;  ///< the last verification of everything; null before the first
  std::vector<std::shared_ptr<Plan>> plans_;
  struct {
    double seconds = 0, bytes = 0, sent_before = 0;
  } first_copy_;  ///< while it had something to send
  std::uint64_t generation_ = 0;
  std::uint64_t connections_made_ = 0;
  bool paused_ = false;
  bool runs_ = false;  ///< the roots of the start are there
  bool stopping_ = false;
  unsigned ticks_ = 0;
  bool older_state_ = false;  ///< the receiver said so, in this run
  std::optional<bool> receiver_keeps_decisions_;
  std::optional<Error> link_error_, state_error_;
  std::string receiver_instance_;
  std::uint64_t unclean_end_ = 0;  ///< of the receiver: the last one that accounts are or were compared for
  Time started_ = Clock::now();
  bool looks_again_ = false;       ///< accounts are in doubt since then
  Time last_acknowledged_{};       ///< anything, in this run
  std::set<std::string> trashes_;  ///< roots of which the receiver keeps a trash
  bool receiver_knows_looks_ = false;
  bool has_asked_for_destinations_ = false;  ///< since the receiver was connected
  AccountId looks_part_ = 0;
  Time last_looks_{};
  Time last_retry_{}, last_retry_of_obstacles_ = Clock::now(), last_look_at_unwatched_{};
};

}  // namespace maildirsync::agent
