#include "cli/cutover/outcome.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/report/format.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

bool failed(const std::vector<Done>& history, const Task& task) {
  const auto found =
      std::find_if(history.rbegin(), history.rend(), [&](const Done& done) { return done.task == task; });
  return found != history.rend() && found->end != End::good;
}

bool is_good(const std::vector<Done>& history, const Task& task) {
  return std::any_of(history.begin(), history.end(), [&](const Done& done) { return done.task == task; }) &&
         !failed(history, task);
}

Json step_json(const CutoverEntry& entry) {
  const char* outcome = entry.end == End::good ? "done" : entry.end == End::bad ? "failed" : "unknown";
  Json json = {{"step", name_of(entry.task.step)},
               {"began", entry.began},
               {"elapsed_seconds", entry.elapsed_seconds},
               {"outcome", outcome},
               {"detail", os::printable(entry.detail)}};
  if (entry.task.undoes) json["by"] = undo_of(entry.task.step);
  return json;
}

/// Both served once the switch began, as far as can be told from here.
std::string past_return_text(const std::vector<Done>& history) {
  constexpr const char* k_back =
      "Back: take back by hand what --switch did, then maildirsync cutover --undo --unswitch true, which thaws";
  if (is_good(history, {Step::switch_over, false})) {
    return std::string(
               "the switch is done and --unswitch was not given, so nothing was undone: users may be at the "
               "new server, and the old one stays frozen. To go on: maildirsync cutover --resume. ") +
           k_back;
  }
  return std::string(
             "the switch began and did not come to a good end, and --unswitch was not given: the new server may "
             "serve already, so the old one stays frozen. To go on, once it can: maildirsync cutover --resume, "
             "which runs --switch again. ") +
         k_back;
}

}  // namespace

std::string remedy_of(const Script& script, const std::vector<Done>& history) {
  if (!is_open(script, history)) return "";
  if (is_past_return(script, history)) return past_return_text(history);
  if (failed(history, {Step::switch_over, true})) {
    return "--unswitch failed: the new server may still serve, so the old one stays frozen. Take back by hand what "
           "--switch did, then: maildirsync cutover --undo --unswitch true, which thaws";
  }
  if (failed(history, {Step::freeze, true})) {
    return "--thaw failed: the old server may still be frozen. Put right what it needs, then: maildirsync cutover "
           "--undo, which runs it again";
  }
  if (was_begun(history, Step::freeze) && !script.thaw) {
    return "no --thaw was given: the old server stays frozen. To go on: maildirsync cutover --resume. Back: undo the "
           "freeze by hand now, then say so: maildirsync cutover --undo --thaw true";
  }
  if (failed(history, {Step::drain, true})) {
    return "roots are still drained: say for each maildirsync mirror ROOT, which names what it would undo; then: "
           "maildirsync cutover --undo";
  }
  return "to go on: maildirsync cutover --resume; back: maildirsync cutover --undo";
}

Json to_json(const Outcome& outcome) {
  const Script script = script_of(outcome.record.order);
  const bool complete = is_complete(script, outcome.history);
  Json steps = Json::array(), undone = Json::array();
  for (const auto& entry : outcome.record.entries) {
    if (entry.end != End::not_begun) (entry.task.undoes ? undone : steps).push_back(step_json(entry));
  }
  const CutoverFindings& findings = outcome.findings;
  Json answer = {{"complete", complete},
                 {"rehearsed", complete && script.rehearse},
                 {"open", is_open(script, outcome.history)},
                 {"undone_all", state_of(script, outcome.history) == "undone"},
                 {"elapsed_seconds", outcome.elapsed_seconds},
                 {"window_seconds", outcome.window_seconds ? Json(*outcome.window_seconds) : Json(nullptr)},
                 {"stopped_at", outcome.stopped_at.empty() ? Json(nullptr) : Json(outcome.stopped_at)},
                 {"detail", os::printable(outcome.reason)},
                 {"steps", std::move(steps)},
                 {"undone", std::move(undone)},
                 {"left_out", findings.left_out},
                 {"verified", findings.verified},
                 {"drained", findings.drained},
                 {"roots", outcome.record.order.roots},
                 {"moved_accounts", outcome.record.order.accounts},
                 {"by", outcome.record.by},
                 {"began", outcome.record.began},
                 {"version", MAILDIRSYNC_VERSION},
                 {"remedy", remedy_of(script, outcome.history)}};
  return answer;
}

std::string cutover_text(const Json& answer, Colour colour) {
  const bool complete = flag_of(answer, "complete");
  const bool rehearsed = flag_of(answer, "rehearsed");
  const std::string stopped_at = text_of(answer, "stopped_at");
  const bool undone = flag_of(answer, "undone_all") && stopped_at.empty();
  const std::string head = rehearsed            ? "rehearsed"
                           : complete           ? "complete"
                           : undone             ? "undone"
                           : stopped_at.empty() ? "not undone"
                                                : "stopped at " + stopped_at;
  std::string text = paint(colour, complete || undone ? Style::good : Style::bad, head);
  text += " after " + format_seconds(number_of(answer, "elapsed_seconds").value_or(0));
  if (const auto window = number_of(answer, "window_seconds")) {
    text += list_of(answer, "moved_accounts").empty() ? "; the source was frozen for " : "; frozen for ";
    text += format_seconds(*window);
  }
  text += '\n';
  const std::string detail = text_of(answer, "detail");
  if (!detail.empty()) text += detail + '\n';
  if (rehearsed) {
    for (const auto& step : list_of(answer, "steps")) {
      text += fmt::format("{:<8}  {:>8}\n", text_of(step, "step"),
                          format_seconds(number_of(step, "elapsed_seconds").value_or(0)));
    }
  }
  for (const auto& one : list_of(answer, "undone")) {
    const bool good = text_of(one, "outcome") == "done";
    text += (good ? "undone: " : "NOT undone: ") + text_of(one, "step") + " by " + text_of(one, "by") +
            (good ? "" : ": " + text_of(one, "detail")) + '\n';
  }
  const std::string remedy = text_of(answer, "remedy");
  return remedy.empty() ? text : text + remedy + '\n';
}

}  // namespace maildirsync::cli
