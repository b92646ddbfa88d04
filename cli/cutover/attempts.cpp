#include "cli/cutover/attempts.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cli/ask/progress.h"
#include "cli/cutover/membership.h"
#include "cli/cutover/obstacles.h"
#include "cli/cutover/write_door.h"
#include "cli/report/format.h"
#include "cli/report/verify_report.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

/// The agent ends a flush in time by itself; only one that does not answer at all is given up.
constexpr double k_grace_seconds = 30;
/// A turn of the old mode may have much to send.
constexpr double k_mode_seconds = 300;
constexpr std::size_t k_told_differences = 20;

/// What a flush leaves out by its nature is not mail, and does not stop a cutover: the proof is the comparison. Mail
/// that is left out has a code of its own, and stops the cutover before anything is frozen.
bool is_no_mail(const Json& left_out) {
  return text_of(left_out, "code") == "special-file" && !text_of(left_out, "account").empty();
}

template <class Attempt>
Ended timed(double& seconds, Attempt attempt) {
  const auto start = Clock::now();
  Ended ended = attempt();
  seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return ended;
}

std::string mail_text(const Json& answer) {
  return fmt::format("{}, {}", format_plural(count_of(answer, "accounts"), "account"),
                     format_plural(count_of(answer, "messages"), "message"));
}

}  // namespace

Ended Attempts::presync() {
  const double window = order_.timeout_seconds;
  double flush_seconds = 0, verify_seconds = 0;
  Ended flushed = timed(flush_seconds, [&] { return flush(window); });
  if (!flushed.good) return flushed;
  if (Ended stands = standing(); !stands.good) return stands;
  if (Ended verified = timed(verify_seconds, [&] { return verify(window); }); !verified.good) return verified;
  if (Ended stands = standing(); !stands.good) return stands;
  if (!too_short(flush_seconds, verify_seconds, window).empty()) {  // the first one may have had much to send
    if (flushed = timed(flush_seconds, [&] { return flush(window); }); !flushed.good) return flushed;
  }
  findings_.flush_seconds = flush_seconds;
  findings_.verify_seconds = verify_seconds;
  if (const std::string why = too_short(flush_seconds, verify_seconds, window); !why.empty()) return {false, why};
  return {true, fmt::format("{}; equal. Without the commands, the window takes about {}", flushed.detail,
                            format_seconds(flush_seconds + verify_seconds))};
}

Ended Attempts::standing() const {
  const auto status = try_ask(options_, {{"command", "status"}});
  if (!status) return {false, status.error().sentence};
  const std::string why = standing_problem(*status, order_.roots, order_.accounts);
  return {why.empty(), why};
}

Ended Attempts::flush(double timeout) {
  const auto answer = [&] {
    ProgressBar bar(options_);
    return try_ask(options_, of_these({{"command", "flush"}, {"timeout", timeout}, {"full", true}, {"thorough", true}}),
                   patience(timeout > 0 ? timeout + k_grace_seconds : 0,
                            [&](const Json& line) { show_flush_progress(bar, line); }));
  }();
  if (!answer) return {false, answer.error().sentence};
  const Json& left_out = list_of(*answer, "left_out");
  findings_.left_out = left_out;
  const auto mail = std::find_if_not(left_out.begin(), left_out.end(), is_no_mail);
  if (flag_of(*answer, "complete") || (!left_out.empty() && mail == left_out.end())) {
    std::string detail = mail_text(*answer) + ", all durable at the receiver";
    if (!left_out.empty()) detail += fmt::format("; {} left out that is no mail", left_out.size());
    return {true, detail};
  }
  return {false,
          fmt::format("{} left out{}", left_out.size(), mail == left_out.end() ? "" : ": " + left_out_text(*mail))};
}

Ended Attempts::verify(double timeout) {
  const auto answer = [&] {
    ProgressBar bar(options_);
    return try_ask(options_, of_these({{"command", "verify"}, {"deep", order_.deep}, {"repair", false}}),
                   patience(timeout, [&](const Json& line) { show_verify_progress(bar, line); }));
  }();
  if (!answer) return {false, answer.error().sentence};
  findings_.verified = *answer;
  const std::string what = mail_text(*answer);
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

Ended Attempts::indexes() {
  const auto status = try_ask(options_, {{"command", "status"}});
  if (!status) return {false, status.error().sentence};
  std::set<std::string> accounts;
  for (const auto& problem : list_of(*status, "problems")) {
    const auto& roots = order_.roots;
    const bool is_ours = std::find(roots.begin(), roots.end(), text_of(problem, "root")) != roots.end();
    const std::string account = text_of(problem, "account");
    const auto& chosen = order_.accounts;
    const bool is_chosen = chosen.empty() || std::find(chosen.begin(), chosen.end(), account) != chosen.end();
    if (is_ours && is_chosen && text_of(problem, "code") == "stale-index") accounts.insert(account);
  }
  for (const auto& account : accounts) {
    const auto repaired =
        try_ask(options_, {{"command", "repair-index"}, {"account", account}}, patience(k_mode_seconds, {}));
    if (!repaired) return {false, account + ": " + repaired.error().sentence};
  }
  return {true, accounts.empty() ? "none was made too early"
                                 : format_plural(accounts.size(), "account") + " opened too early put right"};
}

/// Drains, or mirrors again what was drained.
Ended Attempts::set_mode(const char* mode) {
  const bool drains = std::string_view(mode) == "drain";
  if (order_.moves()) return set_members(drains);
  bool good = true;
  std::string detail;
  // A drain that was not answered may have been done all the same; one that is mirrored stays so.
  for (const auto& root : order_.roots) {
    const auto answer = try_ask(options_, {{"command", mode}, {"root", root}, {"cutover", drains}},
                                {.timeout_seconds = k_mode_seconds});
    const bool done = answer && flag_of(*answer, "ok");
    good &= done;
    if (done && drains) findings_.drained.push_back(root);
    if (done && !drains) std::erase(findings_.drained, root);
    if (done && (!drains || flag_of(*answer, "receiver_has_it"))) continue;
    detail +=
        (detail.empty() ? "" : "; ") + (answer ? text_of(*answer, "message") : root + ": " + answer.error().sentence);
  }
  return {good, detail};
}

Ended Attempts::set_members(bool joins) {
  const std::string why = joins ? join(options_, order_, k_mode_seconds) : leave(options_, order_);
  if (why.empty() && joins) findings_.drained.push_back(order_.to);
  return {why.empty(), why};
}

/// About the roots or the accounts of the order.
Json Attempts::of_these(Json request) const {
  request["account"] = "";
  request["roots"] = order_.roots;
  if (order_.moves()) request["accounts"] = order_.accounts;
  return request;
}

/// Nobody comes in before the command begins, and nobody finds the new server before it serves.
Ended Attempts::freeze(double timeout) const {
  const Ended door = set_door(Place::moves, cancel_fd_, timeout);
  return door.good && !order_.freeze.empty() ? hook(order_.freeze, timeout) : door;
}

Ended Attempts::thaw() const {
  const Ended thawed = order_.thaw.empty() ? Ended{true, ""} : undoing_hook(order_.thaw);
  return thawed.good ? set_door(Place::here, -1, 0) : thawed;
}

/// Half a switch is worse than a late one: it has to begin in time, and no more.
Ended Attempts::switch_over() const {
  const Ended switched = order_.switch_over.empty() ? Ended{true, ""} : hook(order_.switch_over, 0);
  return switched.good ? set_door(Place::there, cancel_fd_, 0) : switched;
}

Ended Attempts::unswitch() const {
  const Ended door = set_door(Place::moves, -1, 0);
  return door.good && !order_.unswitch.empty() ? undoing_hook(order_.unswitch) : door;
}

Ended Attempts::check() const {
  return hook(order_.check, 0);
}

Ended Attempts::set_door(Place place, int cancel_fd, double timeout) const {
  if (!order_.door) return {true, ""};
  const auto written = write_door(options_, order_.roots, order_.accounts, place);
  if (!written) return {false, written.error()};
  return written->empty() ? Ended{true, ""} : run(*written, cancel_fd, bounded(timeout));
}

/// By the limit for each command; 0: no end.
double Attempts::bounded(double timeout) const {
  const double limit = order_.hook_timeout_seconds;
  return timeout > 0 && limit > 0 ? std::min(timeout, limit) : std::max(timeout, limit);
}

Ended Attempts::hook(const std::string& command, double timeout) const {
  return run(command, cancel_fd_, bounded(timeout));
}

Ended Attempts::undoing_hook(const std::string& command) const {
  return run(command, -1, order_.hook_timeout_seconds);
}

Ended Attempts::run(const std::string& command, int cancel_fd, double timeout) const {
  const ShellEnd end =
      run_shell(command, cancel_fd, timeout > 0 ? std::optional(timeout) : std::nullopt, command_began_);
  return {end.good, end.good ? "" : end.detail + ": " + command};
}

Patience Attempts::patience(double timeout, std::function<void(const Json&)> on_progress) const {
  return {.timeout_seconds = timeout, .cancel_fd = cancel_fd_, .on_progress = std::move(on_progress)};
}

}  // namespace maildirsync::cli
