#include "cli/cutover/record.h"

#include <algorithm>
#include <array>
#include <utility>

namespace maildirsync::cli {

namespace {

/// A request to the agent is a line of 64 KiB.
constexpr std::size_t k_most_detail = 200;
constexpr std::size_t k_much = 48 * 1024;

using Text = std::pair<const char*, std::string CutoverOrder::*>;
constexpr std::array k_commands{Text{"freeze", &CutoverOrder::freeze}, Text{"thaw", &CutoverOrder::thaw},
                                Text{"switch", &CutoverOrder::switch_over}, Text{"unswitch", &CutoverOrder::unswitch},
                                Text{"check", &CutoverOrder::check}};

constexpr std::array k_ends{std::pair(End::good, "done"), std::pair(End::bad, "failed"),
                            std::pair(End::not_begun, "not begun"), std::pair(End::unknown, "begun")};

/// As it is: a command is not for a terminal.
std::string raw_text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Json to_json(const CutoverEntry& entry, std::size_t most_detail) {
  const auto end = std::find_if(k_ends.begin(), k_ends.end(), [&](const auto& one) { return one.first == entry.end; });
  return {{"step", name_of(entry.task.step)},
          {"undoes", entry.task.undoes},
          {"end", end->second},
          {"began", entry.began},
          {"process", entry.process},
          {"elapsed_seconds", entry.elapsed_seconds},
          {"detail", entry.detail.substr(0, most_detail)}};
}

std::optional<CutoverEntry> read_entry(const Json& json) {
  const auto step = step_of(raw_text(json, "step"));
  const std::string word = raw_text(json, "end");
  const auto end = std::find_if(k_ends.begin(), k_ends.end(), [&](const auto& one) { return one.second == word; });
  if (!step || end == k_ends.end()) return std::nullopt;
  return CutoverEntry{.task = {*step, flag_of(json, "undoes")},
                      .end = end->first,
                      .began = raw_text(json, "began"),
                      .process = raw_text(json, "process"),
                      .elapsed_seconds = number_of(json, "elapsed_seconds").value_or(0),
                      .detail = raw_text(json, "detail")};
}

std::vector<std::string> read_names(const Json& list) {
  std::vector<std::string> names;
  for (const auto& name : list) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

CutoverOrder read_order(const Json& json) {
  CutoverOrder order;
  for (const auto& [key, member] : k_commands)
    order.*member = raw_text(json, key);
  order.rehearse = flag_of(json, "rehearse");
  order.deep = flag_of(json, "deep");
  order.timeout_seconds = number_of(json, "timeout_seconds").value_or(0);
  order.hook_timeout_seconds = number_of(json, "hook_timeout_seconds").value_or(0);
  order.roots = read_names(list_of(json, "roots"));
  order.accounts = read_names(list_of(json, "accounts"));
  order.to = raw_text(json, "to");
  order.door = flag_of(json, "door");
  return order;
}

Json to_json(const CutoverOrder& order) {
  Json json = {{"rehearse", order.rehearse},
               {"deep", order.deep},
               {"timeout_seconds", order.timeout_seconds},
               {"hook_timeout_seconds", order.hook_timeout_seconds},
               {"roots", order.roots},
               {"accounts", order.accounts},
               {"to", order.to},
               {"door", order.door}};
  for (const auto& [key, member] : k_commands)
    json[key] = order.*member;
  return json;
}

}  // namespace

Script script_of(const CutoverOrder& order) {
  // The maps are put back as they were; a command takes another one for that.
  const auto can_be_undone = [&](const std::string& command, const std::string& undoing) {
    return !undoing.empty() || (order.door && command.empty());
  };
  return {.freeze = order.door || !order.freeze.empty(),
          .thaw = can_be_undone(order.freeze, order.thaw),
          .switch_over = order.door || !order.switch_over.empty(),
          .unswitch = can_be_undone(order.switch_over, order.unswitch),
          .check = !order.check.empty(),
          .rehearse = order.rehearse};
}

std::vector<Done> history_of(const CutoverRecord& record) {
  std::vector<Done> history;
  for (const auto& entry : record.entries)
    history.push_back({entry.task, entry.end});
  return history;
}

Json to_json(const CutoverRecord& record, const std::string& state, const std::string& holder) {
  const auto entries = [&](std::size_t most_detail) {
    Json list = Json::array();
    for (const auto& entry : record.entries)
      list.push_back(to_json(entry, most_detail));
    return list;
  };
  Json json = {{"version", 1},
               {"holder", holder},
               {"state", state},
               {"open", is_open(script_of(record.order), history_of(record))},
               {"rehearse", record.order.rehearse},
               {"by", record.by},
               {"began", record.began},
               {"step", ""},
               {"order", to_json(record.order)},
               {"tasks", entries(k_most_detail)}};
  if (!record.entries.empty()) {
    const Task& last = record.entries.back().task;
    json["step"] = last.undoes ? undo_of(last.step) : name_of(last.step);
  }
  if (to_line(json).size() > k_much) json["tasks"] = entries(0);
  return json;
}

std::optional<CutoverRecord> read_record(const Json& json) {
  if (!json.is_object() || number_of(json, "version") != 1) return std::nullopt;
  CutoverRecord record{.order = read_order(object_of(json, "order")),
                       .by = raw_text(json, "by"),
                       .began = raw_text(json, "began"),
                       .entries = {}};
  for (const auto& one : list_of(json, "tasks")) {
    auto entry = read_entry(one);
    if (!entry) return std::nullopt;
    record.entries.push_back(std::move(*entry));
  }
  return record;
}

std::string state_of(const Script& script, const std::vector<Done>& history) {
  if (is_complete(script, history)) return "complete";
  return goes_back(history) && !is_open(script, history) ? "undone" : "stopped";
}

}  // namespace maildirsync::cli
