#include "cli/cutover/run.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/ask/ask.h"
#include "cli/cutover/attempts.h"
#include "cli/cutover/interrupts.h"
#include "cli/cutover/kept_record.h"
#include "cli/cutover/outcome.h"
#include "cli/cutover/steps.h"
#include "cli/report/format.h"
#include "common/os/printable.h"
#include "common/os/process.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

/// An agent that is restarted just then is waited for, while nothing has been done yet that depends on it.
constexpr double k_patience_with_agent = 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string word(const Task& task) {
  return std::string(task.undoes ? undo_of(task.step) : name_of(task.step));
}

class Cutover {
 public:
  Cutover(const Options& options, CutoverRecord record, const std::string& found_holder, Way way)
      : options_(options),
        record_(std::move(record)),
        kept_(options, found_holder),
        attempts_(options, record_.order, interrupts_.fd(), [this](pid_t pid) { command_began(pid); }),
        script_(script_of(record_.order)),
        way_(way),
        history_(way == Way::back ? to_go_back(history_of(record_)) : to_go_on(history_of(record_))) {}

  Json run() {
    if (const std::string why = kept_.write(record_, "running", 0); !why.empty()) {
      stopped_at_ = "record";
      reason_ = why;
      return result();
    }
    for (auto task = next_task(script_, history_, way_); task; task = next_task(script_, history_, way_))
      history_.push_back({*task, end_of(*task)});
    if (const std::string why = kept_.let_go(record_, state_of(script_, history_)); !why.empty()) {
      complain("the record of this cutover at the agent says that it is not at its end: " + why);
    }
    return result();
  }

 private:
  bool is_stoppable(const Task& task) const { return !task.undoes && !is_past_return(script_, history_); }

  End end_of(const Task& task) {
    if (is_stoppable(task) && (interrupts_.take() || is_window_over())) {
      return not_begun(task, is_window_over() ? "the time given was over" : "interrupted");
    }
    record_.entries.push_back({.task = task, .began = format_stamp(std::time(nullptr))});
    const std::string unkept = kept_.write(record_, "running", is_stoppable(task) ? k_patience_with_agent : 0);
    if (!unkept.empty() && is_stoppable(task)) {
      record_.entries.pop_back();
      return not_begun(task, "the agent keeps no record of the step: " + unkept);
    }
    const Ended ended = done(task);
    if (!ended.good && !task.undoes) {
      stopped_at_ = word(task);
      reason_ = ended.detail;
    }
    record_.entries.back().end = ended.good ? End::good : End::bad;
    (void)kept_.write(record_, "running", 0);  // said again before the next step
    return record_.entries.back().end;
  }

  Ended done(const Task& task) {
    if (task.step == Step::freeze && !task.undoes) window_ = Clock::now();
    const auto start = Clock::now();
    tell(task, "begun", "", 0);
    Ended ended = attempt(task);
    const double elapsed = seconds_since(start);
    record_.entries.back().elapsed_seconds = elapsed;
    record_.entries.back().detail = ended.detail;
    tell(task, ended.good ? "done" : "failed", ended.detail, elapsed);
    if (is_end_of_window(task)) window_seconds_ = window_ ? std::optional(seconds_since(*window_)) : std::nullopt;
    return ended;
  }

  /// So that it is not begun a second time beside itself, should this program be killed.
  void command_began(pid_t pid) {
    record_.entries.back().process = os::name_of_process(pid);
    (void)kept_.write(record_, "running", 0);
  }

  End not_begun(const Task& task, const std::string& why) {
    reason_ = why;
    stopped_at_ = word(task);
    tell(task, "not begun", reason_, 0);
    return End::not_begun;
  }

  /// The source is thawed, or the users are at the destination.
  bool is_end_of_window(const Task& task) const {
    return task.undoes ? task.step == Step::freeze
                       : task.step == (script_.switch_over ? Step::switch_over : Step::drain);
  }

  bool is_window_over() const {
    const double timeout = record_.order.timeout_seconds;
    return timeout > 0 && window_ && seconds_since(*window_) >= timeout;
  }

  Ended attempt(const Task& task) {
    switch (task.step) {
      case Step::presync:
        return attempts_.presync();
      case Step::freeze:
        return task.undoes ? attempts_.thaw() : attempts_.freeze(time_left());
      case Step::flush:
        return attempts_.flush(time_left());
      case Step::verify:
        return attempts_.verify(time_left());
      case Step::indexes:
        return attempts_.indexes();
      case Step::switch_over:
        return task.undoes ? attempts_.unswitch() : attempts_.switch_over();
      case Step::check:
        return attempts_.check();
      case Step::drain:
        break;
    }
    return attempts_.set_mode(task.undoes ? "mirror" : "drain");
  }

  /// Of the window; 0: no end.
  double time_left() const {
    const double timeout = record_.order.timeout_seconds;
    return timeout <= 0 || !window_ ? timeout : std::max(0.001, timeout - seconds_since(*window_));
  }

  void tell(const Task& task, const char* state, const std::string& detail, double elapsed) const {
    const std::string name = word(task);
    const bool ended = std::string_view(state) == "done" || std::string_view(state) == "failed";
    std::cerr << fmt::format("{}  {:>8.1f} s  {:<8}  {}{}{}\n", format_stamp(std::time(nullptr)), seconds_since(start_),
                             name, state, ended ? " after " + format_seconds(elapsed) : "",
                             detail.empty() ? "" : ": " + os::printable(detail));
    // The agent's log is the evidence; a cutover does not stop for want of it.
    (void)try_ask(options_,
                  {{"command", "note"}, {"step", name}, {"state", state}, {"seconds", elapsed}, {"detail", detail}},
                  {.timeout_seconds = 5});
  }

  Json result() const {
    return to_json(Outcome{.record = record_,
                           .history = history_,
                           .findings = attempts_.findings(),
                           .stopped_at = stopped_at_,
                           .reason = reason_,
                           .elapsed_seconds = seconds_since(start_),
                           .window_seconds = window_seconds_});
  }

  const Options& options_;
  CutoverRecord record_;
  KeptRecord kept_;
  Interrupts interrupts_;
  Attempts attempts_;
  const Script script_;
  const Way way_;
  Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> window_;  ///< since the freeze began
  std::optional<double> window_seconds_;
  std::vector<Done> history_;
  std::string stopped_at_, reason_;
};

}  // namespace

Json run_cutover(const Options& options, CutoverRecord record, const std::string& found_holder, Way way) {
  return Cutover(options, std::move(record), found_holder, way).run();
}

}  // namespace maildirsync::cli
