#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maildirsync::service {

enum class Severity : std::uint8_t { info, warning, error };

/// A line of the log that people search for and keep: what happened to which account. `name` is stable and has a
/// MESSAGE_ID of its own (docs/operations.md lists them); the fields are ACCOUNT=, FOLDER=, CODE=, … in the journal,
/// and key=value after the name in the line. Empty values are left out.
struct Event {
  Severity severity = Severity::info;
  std::string_view name;
  std::vector<std::pair<std::string_view, std::string>> fields;
  std::uint64_t most = 200;  ///< lines of it (by name and code) within a minute, unless it is evidence
};

/// Writes it to the log that start_log() set up. Thread-safe. A warning or an error that comes again and again, with
/// the same name and code, is written so often and then counted; what is evidence (info) is always written.
void log_event(const Event& event);
/// Writes how many lines were left out, for events that have stopped. Must be called about once a second.
void report_suppressed_events();

/// The line: name key=value key="value with spaces".
std::string text_of(const Event& event);

/// How often the same may be said: the first times in each window. Pure; belongs to one owner.
class RepetitionLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr auto k_window = std::chrono::seconds(60);

  /// Whether to say it, when it may be said `most` times.
  bool admit(const std::string& what, std::uint64_t most, Time now);

  struct Suppressed {
    std::string what;
    std::uint64_t count = 0;
  };
  /// What was not said in windows that are over.
  std::vector<Suppressed> take_suppressed(Time now);

 private:
  struct Window {
    Time start;
    std::uint64_t most = 0;
    std::uint64_t count = 0;
  };
  std::map<std::string, Window> windows_;
};

}  // namespace maildirsync::service
