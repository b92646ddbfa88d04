#include "cli/cutover/steps.h"

#include <algorithm>
#include <array>

namespace maildirsync::cli {

namespace {

constexpr std::array k_order{Step::presync, Step::freeze,      Step::flush, Step::verify,
                             Step::indexes, Step::switch_over, Step::check, Step::drain};

bool is_wanted(const Script& script, Step step) {
  if (script.rehearse && step > Step::verify) return false;
  switch (step) {
    case Step::freeze:
      return script.freeze;
    case Step::switch_over:
      return script.switch_over;
    case Step::check:
      return script.check;
    default:
      return true;
  }
}

bool can_be_undone(const Script& script, Step step) {
  switch (step) {
    case Step::freeze:
      return script.thaw;
    case Step::switch_over:
      return script.unswitch;
    case Step::drain:
      return true;
    default:
      return false;
  }
}

/// What stands until it is undone.
bool leaves_a_mark(Step step) {
  return step == Step::freeze || step == Step::switch_over || step == Step::drain;
}

/// How a task ended the last time; nothing: it was not done.
std::optional<End> end_of(const std::vector<Done>& history, const Task& task) {
  const auto found =
      std::find_if(history.rbegin(), history.rend(), [&](const Done& done) { return done.task == task; });
  return found == history.rend() ? std::nullopt : std::optional(found->end);
}

std::optional<Task> next_undoing(const Script& script, const std::vector<Done>& history) {
  if (is_past_return(script, history)) return std::nullopt;
  for (auto step = k_order.rbegin(); step != k_order.rend(); ++step) {
    if (!was_begun(history, *step) || !can_be_undone(script, *step)) continue;
    const auto undone = end_of(history, {*step, true});
    if (!undone || *undone == End::unknown) return Task{*step, true};
    if (*undone == End::bad && *step == Step::switch_over) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Step step) {
  switch (step) {
    case Step::presync:
      return "presync";
    case Step::freeze:
      return "freeze";
    case Step::flush:
      return "flush";
    case Step::verify:
      return "verify";
    case Step::indexes:
      return "indexes";
    case Step::switch_over:
      return "switch";
    case Step::check:
      return "check";
    case Step::drain:
      break;
  }
  return "drain";
}

std::optional<Step> step_of(std::string_view name) {
  const auto found = std::find_if(k_order.begin(), k_order.end(), [&](Step step) { return name_of(step) == name; });
  return found == k_order.end() ? std::nullopt : std::optional(*found);
}

std::string_view undo_of(Step step) {
  switch (step) {
    case Step::freeze:
      return "thaw";
    case Step::switch_over:
      return "unswitch";
    case Step::drain:
      return "mirror";
    default:
      return "";
  }
}

std::optional<Task> next_task(const Script& script, const std::vector<Done>& history, Way way) {
  if (way == Way::back) return next_undoing(script, history);
  for (const Step step : k_order) {
    if (!is_wanted(script, step)) continue;
    const auto end = end_of(history, {step, false});
    if (!end || *end == End::unknown) return Task{step, false};
    if (*end != End::good) return next_undoing(script, history);
  }
  return script.rehearse ? next_undoing(script, history) : std::nullopt;
}

bool is_past_return(const Script& script, const std::vector<Done>& history) {
  return was_begun(history, Step::switch_over) && !script.unswitch;
}

bool is_complete(const Script& script, const std::vector<Done>& history) {
  const bool all = std::all_of(k_order.begin(), k_order.end(), [&](Step step) {
    return !is_wanted(script, step) || end_of(history, {step, false}) == End::good;
  });
  const bool thaws = script.rehearse && script.freeze;
  return all && thaws == (end_of(history, {Step::freeze, true}) == End::good);
}

bool is_open(const Script& script, const std::vector<Done>& history) {
  if (is_complete(script, history)) return false;
  return std::any_of(k_order.begin(), k_order.end(), [&](Step step) {
    return leaves_a_mark(step) && was_begun(history, step) && end_of(history, {step, true}) != End::good;
  });
}

bool was_begun(const std::vector<Done>& history, Step step) {
  return std::any_of(history.begin(), history.end(), [&](const Done& done) {
    return done.task == Task{step, false} && done.end != End::not_begun;
  });
}

bool goes_back(const std::vector<Done>& history) {
  return std::any_of(history.begin(), history.end(), [](const Done& done) { return done.task.undoes; });
}

std::vector<Done> to_go_on(const std::vector<Done>& history) {
  std::vector<Done> next;
  const bool switched = was_begun(history, Step::switch_over);
  for (const Step step : k_order) {
    if (!was_begun(history, step)) continue;
    const bool is_good = end_of(history, {step, false}) == End::good;
    const bool lasts = step == Step::presync || (switched && step != Step::freeze);
    next.push_back({{step, false}, is_good && lasts ? End::good : End::unknown});
  }
  return next;
}

std::vector<Done> to_go_back(const std::vector<Done>& history) {
  std::vector<Done> next = history;
  for (auto& done : next) {
    if (done.task.undoes && done.end != End::good) done.end = End::unknown;
  }
  return next;
}

}  // namespace maildirsync::cli
