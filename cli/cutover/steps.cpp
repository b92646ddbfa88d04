#include "cli/cutover/steps.h"

#include <algorithm>
#include <array>

namespace maildirsync::cli {

namespace {

constexpr std::array k_order{Step::presync, Step::freeze, Step::flush, Step::verify, Step::switch_over, Step::drain};

bool is_wanted(const Script& script, Step step) {
  return (step != Step::freeze || script.freeze) && (step != Step::switch_over || script.switch_over);
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

const Done* find(const std::vector<Done>& history, const Task& task) {
  const auto found = std::find_if(history.begin(), history.end(), [&](const Done& done) { return done.task == task; });
  return found == history.end() ? nullptr : &*found;
}

std::optional<Task> next_undoing(const Script& script, const std::vector<Done>& history) {
  if (is_past_return(script, history)) return std::nullopt;
  for (auto step = k_order.rbegin(); step != k_order.rend(); ++step) {
    const auto* done = find(history, {*step, false});
    const bool begun = done != nullptr && done->end != End::not_begun;
    if (begun && can_be_undone(script, *step) && find(history, {*step, true}) == nullptr) return Task{*step, true};
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
    case Step::switch_over:
      return "switch";
    case Step::drain:
      break;
  }
  return "drain";
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

std::optional<Task> next_task(const Script& script, const std::vector<Done>& history) {
  for (const Step step : k_order) {
    if (!is_wanted(script, step)) continue;
    const auto* done = find(history, {step, false});
    if (done == nullptr) return Task{step, false};
    if (done->end != End::good) return next_undoing(script, history);
  }
  return std::nullopt;
}

bool is_past_return(const Script& script, const std::vector<Done>& history) {
  const auto* done = find(history, {Step::switch_over, false});
  return done != nullptr && done->end == End::good && !script.unswitch;
}

bool is_complete(const Script& script, const std::vector<Done>& history) {
  return std::all_of(k_order.begin(), k_order.end(), [&](Step step) {
    const auto* done = find(history, {step, false});
    return !is_wanted(script, step) || (done != nullptr && done->end == End::good);
  });
}

}  // namespace maildirsync::cli
