#include "cli/cutover/kept_record.h"

#include <chrono>
#include <thread>
#include <utility>

#include "common/os/process.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_pause{500};
constexpr double k_write_seconds = 10;

Refusal of_this_command(const Refusal& refusal) {
  if (refusal.exit_status != k_exit_usage) return refusal;
  return {k_exit_incomplete,
          "the agent that runs is of an earlier release, which keeps no record of a cutover: systemctl restart "
          "maildirsync-agent"};
}

}  // namespace

tl::expected<Json, Refusal> ask_for_record(const Options& options) {
  const auto answer = try_ask(options, {{"command", "cutover-record"}});
  if (!answer) return tl::unexpected(of_this_command(answer.error()));
  const auto record = answer->find("record");
  return record == answer->end() ? Json() : *record;
}

KeptRecord::KeptRecord(const Options& options, std::string found_holder)
    : options_(options), holder_(os::this_process()), expected_(std::move(found_holder)) {}

std::string KeptRecord::write(const CutoverRecord& record, const std::string& state, double patience_seconds) {
  std::string why = replace(to_json(record, state, holder_), patience_seconds);
  if (why.empty()) expected_ = holder_;
  return why;
}

std::string KeptRecord::let_go(const CutoverRecord& record, const std::string& state) {
  return replace(to_json(record, state, ""), 0);
}

std::string KeptRecord::replace(const Json& record, double patience_seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(patience_seconds);
  for (;;) {
    const auto answer = try_ask(options_, {{"command", "cutover-record"}, {"record", record}, {"expects", expected_}},
                                {.timeout_seconds = k_write_seconds});
    if (answer) return flag_of(*answer, "ok") ? "" : text_of(*answer, "message");
    if (answer.error().exit_status != k_exit_unreachable || Clock::now() >= end) return answer.error().sentence;
    std::this_thread::sleep_for(k_pause);
  }
}

}  // namespace maildirsync::cli
