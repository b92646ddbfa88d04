#include "cli/cutover/run.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>
#include <optional>

#include <fmt/format.h>

#include "cli/ask/ask.h"
#include "cli/ask/progress.h"
#include "cli/cutover/interrupts.h"
#include "cli/cutover/shell.h"
#include "cli/cutover/steps.h"
#include "cli/report/format.h"
#include "cli/report/verify_report.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

/// The agent ends a flush in time by itself; only one that does not answer at all is given up.
constexpr double k_grace_seconds = 30;
/// A turn of the old mode may have much to send.
constexpr double k_mode_seconds = 300;
constexpr std::size_t k_told_differences = 20;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What a flush leaves out by its nature is no mail, and no reason to stop: the proof is the comparison. Mail that is
/// left out has a code of its own, and stops the cutover before anything is frozen.
bool is_no_mail(const Json& left_out) {
  return text_of(left_out, "code") == "special-file" && !text_of(left_out, "account").empty();
}

struct Ended {
  bool good = false;
  std::string detail;
};

class Cutover {
 public:
  Cutover(const Options& options, const CutoverArguments& arguments, const std::vector<std::string>& roots)
      : options_(options),
        arguments_(arguments),
        roots_(roots),
        script_{!arguments.freeze.empty(), !arguments.thaw.empty(), !arguments.switch_over.empty(),
                !arguments.unswitch.empty()} {}

  Json run() {
    for (auto task = next_task(script_, history_); task; task = next_task(script_, history_))
      history_.push_back({*task, end_of(*task)});
    return result();
  }

 private:
  End end_of(const Task& task) {
    const bool stoppable = !task.undoes && !is_past_return(script_, history_);
    if (stoppable && (interrupts_.take() || is_window_over())) {
      reason_ = is_window_over() ? "the time given was over" : "interrupted";
      tell(task, "not begun", reason_, 0);
      stopped_at_ = std::string(name_of(task.step));
      return End::not_begun;
    }
    if (task.step == Step::freeze && !task.undoes) window_ = Clock::now();
    const auto began = std::time(nullptr);
    const auto start = Clock::now();
    tell(task, "begun", "", 0);
    const Ended ended = attempt(task);
    const double elapsed = seconds_since(start);
    tell(task, ended.good ? "done" : "failed", ended.detail, elapsed);
    record(task, began, elapsed, ended);
    if (is_end_of_window(task)) window_seconds_ = window_ ? std::optional(seconds_since(*window_)) : std::nullopt;
    if (!ended.good && !task.undoes) {
      stopped_at_ = std::string(name_of(task.step));
      reason_ = ended.detail;
    }
    return ended.good ? End::good : End::bad;
  }

  /// The source is thawed, or the users are at the destination.
  bool is_end_of_window(const Task& task) const {
    return task.undoes ? task.step == Step::freeze
                       : task.step == (script_.switch_over ? Step::switch_over : Step::drain);
  }

  bool is_window_over() const {
    return arguments_.timeout_seconds > 0 && window_ && seconds_since(*window_) >= arguments_.timeout_seconds;
  }

  Ended attempt(const Task& task) {
    switch (task.step) {
      case Step::presync:
        return presync();
      case Step::freeze:
        return task.undoes ? undo(arguments_.thaw) : shell(arguments_.freeze, time_left());
      case Step::flush:
        return flush(true, time_left());
      case Step::verify:
        return verify();
      case Step::switch_over:
        // Half a switch is worse than a late one: it has to begin in time, and no more.
        return task.undoes ? undo(arguments_.unswitch) : shell(arguments_.switch_over, 0);
      case Step::drain:
        break;
    }
    return task.undoes ? set_mode("mirror") : set_mode("drain");
  }

  /// Of the window; 0: no end.
  double time_left() const {
    if (arguments_.timeout_seconds <= 0 || !window_) return arguments_.timeout_seconds;
    return std::max(0.001, arguments_.timeout_seconds - seconds_since(*window_));
  }

  /// `timeout` 0: no end.
  Ended shell(const std::string& command, double timeout) {
    return of(run_shell(command, interrupts_.fd(), timeout > 0 ? std::optional(timeout) : std::nullopt), command);
  }

  /// Nothing stops an undoing.
  static Ended undo(const std::string& command) { return of(run_shell(command, -1, std::nullopt), command); }

  static Ended of(const ShellEnd& end, const std::string& command) {
    return {end.good, end.good ? "" : end.detail + ": " + command};
  }

  /// The flush has looked at the destination; what its Dovecot has remembered too early is not mended by equal trees.
  Ended presync() {
    Ended flushed = flush(false, arguments_.timeout_seconds);
    if (!flushed.good) return flushed;
    const auto status = try_ask(options_, {{"command", "status"}}, {});
    if (!status) return {false, status.error().sentence};
    std::string first;
    std::size_t count = 0;
    for (const auto& problem : list_of(*status, "problems")) {
      if (text_of(problem, "code") == "stale-index" && ++count == 1) first = text_of(problem, "account");
    }
    if (count == 0) return flushed;
    return {false, fmt::format("stale-index: a Dovecot at the destination has opened {} before the time ({}{}), and "
                               "their users could see messages expunged or with new UIDs. Keep it from serving them, "
                               "then: maildirsync repair-index",
                               format_plural(count, "account"), first, count == 1 ? "" : " first")};
  }

  Ended flush(bool full, double timeout) {
    const auto answer = [&] {
      ProgressBar bar(options_);
      return try_ask(options_,
                     {{"command", "flush"}, {"account", ""}, {"timeout", timeout}, {"full", full}, {"thorough", true}},
                     patience(timeout > 0 ? timeout + k_grace_seconds : 0,
                              [&](const Json& line) { show_flush_progress(bar, line); }));
    }();
    if (!answer) return {false, answer.error().sentence};
    const Json& left_out = list_of(*answer, "left_out");
    const bool complete = flag_of(*answer, "complete") ||
                          (!left_out.empty() && std::all_of(left_out.begin(), left_out.end(), is_no_mail));
    if (complete) {
      std::string detail =
          fmt::format("{}, {}, all durable at the receiver", format_plural(count_of(*answer, "accounts"), "account"),
                      format_plural(count_of(*answer, "messages"), "message"));
      if (!left_out.empty()) detail += fmt::format("; {} left out that is no mail", left_out.size());
      if (full) left_out_ = left_out;
      return {true, detail};
    }
    left_out_ = left_out;
    std::string detail = fmt::format("{} left out", left_out.size());
    for (const auto& one : left_out) {
      if (is_no_mail(one)) continue;
      detail += ": " + left_out_text(one);
      break;
    }
    return {false, detail};
  }

  Ended verify() {
    const double timeout = time_left();
    const auto answer = [&] {
      ProgressBar bar(options_);
      return try_ask(options_, {{"command", "verify"}, {"account", ""}, {"deep", arguments_.deep}, {"repair", false}},
                     patience(timeout, [&](const Json& line) { show_verify_progress(bar, line); }));
    }();
    if (!answer) return {false, answer.error().sentence};
    verified_ = *answer;
    const std::string what = fmt::format("{}, {}", format_plural(count_of(*answer, "accounts"), "account"),
                                         format_plural(count_of(*answer, "messages"), "message"));
    if (flag_of(*answer, "equal")) return {true, "equal: " + what};
    const Json& differences = list_of(*answer, "differences");
    std::size_t told = 0;
    for (const auto& difference : differences) {
      if (++told > k_told_differences) break;
      complain(fmt::format("differs: {} {} {} {}: {}", text_of(difference, "kind"), text_of(difference, "account"),
                           text_of(difference, "folder"), text_of(difference, "name"), text_of(difference, "detail")));
    }
    const std::string extra = extra_text(*answer);
    if (!differences.empty()) {
      return {false,
              format_plural(differences.size(), "difference") + " in " + what + (extra.empty() ? "" : "; ") + extra};
    }
    const Json& left_out = list_of(*answer, "left_out");
    return {false, "the comparison is incomplete" + (left_out.empty() ? "" : ": " + left_out_text(left_out.front()))};
  }

  /// Drains, or mirrors again what was drained.
  Ended set_mode(const char* mode) {
    const bool drains = std::string_view(mode) == "drain";
    bool good = true;
    std::string detail;
    // A drain that was not answered may have been done all the same; one that is mirrored stays so.
    for (const auto& root : roots_) {
      const auto answer = try_ask(options_, {{"command", mode}, {"root", root}, {"cutover", drains}},
                                  {.timeout_seconds = k_mode_seconds});
      const bool done = answer && flag_of(*answer, "ok");
      good &= done;
      if (done && drains) drained_.push_back(root);
      if (done && (!drains || flag_of(*answer, "receiver_has_it"))) continue;
      detail +=
          (detail.empty() ? "" : "; ") + (answer ? text_of(*answer, "message") : root + ": " + answer.error().sentence);
    }
    return {good, detail};
  }

  Patience patience(double timeout, std::function<void(const Json&)> on_progress) const {
    return {.timeout_seconds = timeout, .cancel_fd = interrupts_.fd(), .on_progress = std::move(on_progress)};
  }

  // ---- what is told

  static std::string word(const Task& task) {
    return std::string(task.undoes ? undo_of(task.step) : name_of(task.step));
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

  void record(const Task& task, std::time_t began, double elapsed, const Ended& ended) {
    Json entry = {{"step", name_of(task.step)},
                  {"began", format_stamp(began)},
                  {"elapsed_seconds", elapsed},
                  {"outcome", ended.good ? "done" : "failed"},
                  {"detail", os::printable(ended.detail)}};
    if (task.undoes) entry["by"] = undo_of(task.step);
    (task.undoes ? undone_ : steps_).push_back(std::move(entry));
  }

  /// What is left to a person.
  std::string remedy() const {
    if (is_complete(script_, history_)) return "";
    if (is_past_return(script_, history_)) {
      return "the switch is done and --unswitch was not given, so nothing was undone: users are at the new server. "
             "Drain "
             "the roots by hand: maildirsync drain ROOT";
    }
    const bool frozen = std::any_of(history_.begin(), history_.end(), [](const Done& done) {
      return done.task == Task{Step::freeze, false} && done.end != End::not_begun;
    });
    if (frozen && !script_.thaw) return "no --thaw was given: undo the freeze by hand now";
    const bool half_switched = std::any_of(history_.begin(), history_.end(), [](const Done& done) {
      return done.task == Task{Step::switch_over, false} && done.end == End::bad;
    });
    if (half_switched && !script_.unswitch)
      return "what --switch did in part must be undone by hand: no --unswitch was given";
    const bool left =
        std::any_of(undone_.begin(), undone_.end(), [](const Json& one) { return one["outcome"] != "done"; });
    return left ? "undo by hand what was not undone" : "";
  }

  Json result() const {
    const bool complete = is_complete(script_, history_);
    const bool mirrors_again = std::any_of(history_.begin(), history_.end(), [](const Done& done) {
      return done.task == Task{Step::drain, true};
    });
    return {{"complete", complete},
            {"elapsed_seconds", seconds_since(start_)},
            {"window_seconds", window_seconds_ ? Json(*window_seconds_) : Json(nullptr)},
            {"stopped_at", complete ? Json(nullptr) : Json(stopped_at_)},
            {"detail", os::printable(reason_)},
            {"steps", steps_},
            {"undone", undone_},
            {"left_out", left_out_},
            {"verified", verified_},
            {"drained", mirrors_again ? Json::array() : Json(drained_)},
            {"remedy", remedy()}};
  }

  const Options& options_;
  const CutoverArguments& arguments_;
  const std::vector<std::string>& roots_;
  Script script_;
  Interrupts interrupts_;
  Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> window_;  ///< since the freeze began
  std::optional<double> window_seconds_;
  std::vector<Done> history_;
  std::vector<std::string> drained_;
  std::string stopped_at_, reason_;
  Json steps_ = Json::array(), undone_ = Json::array(), left_out_ = Json::array(), verified_ = nullptr;
};

}  // namespace

Json run_cutover(const Options& options, const CutoverArguments& arguments, const std::vector<std::string>& roots) {
  return Cutover(options, arguments, roots).run();
}

}  // namespace maildirsync::cli
