#include "agent/requests/cutover_status.h"

#include <fmt/format.h>

#include "common/os/process.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

std::string detail_of(const json& record) {
  if (record.value("damaged", false)) {
    return "the record of a cutover cannot be read: look whether the old server is frozen, and which one serves";
  }
  return fmt::format(
      "the cutover that {} began at {} stopped at its step {}: the old server may be frozen. To go on: maildirsync "
      "cutover --resume; to take it back: maildirsync cutover --undo",
      record.value("by", "somebody"), record.value("began", "a time unknown"), record.value("step", "unknown"));
}

}  // namespace

json cutover_status(const CutoverRecord& cutover) {
  const json& record = cutover.record();
  if (record.is_null()) return nullptr;
  json status = {{"open", cutover.is_open()}, {"running", os::is_running(cutover.holder())}};
  for (const char* key : {"by", "began", "step", "state", "rehearse"}) {
    if (const auto found = record.find(key); found != record.end()) status[key] = *found;
  }
  return status;
}

std::optional<std::string> left_cutover(const CutoverRecord& cutover) {
  if (!cutover.is_open() || os::is_running(cutover.holder())) return std::nullopt;
  return detail_of(cutover.record());
}

}  // namespace maildirsync::agent
