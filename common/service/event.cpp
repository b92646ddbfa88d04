#include "common/service/event.h"

#include <mutex>

#include "common/service/journal.h"

namespace maildirsync::service {

namespace {

struct Limited {
  std::mutex mutex;
  RepetitionLimit limit;
};

Limited& limited() {
  static Limited one;
  return one;
}

Level level_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return Level::info;
    case Severity::warning:
      return Level::warning;
    case Severity::error:
      break;
  }
  return Level::error;
}

/// What counts as the same said again.
std::string kind_of(const Event& event) {
  std::string kind(event.name);
  for (const auto& [key, value] : event.fields) {
    if (key == "code") kind += " code=" + value;
  }
  return kind;
}

bool needs_quotes(std::string_view value) {
  return value.find_first_of(" \"=") != std::string_view::npos;
}

}  // namespace

void log_event(const Event& event) {
  if (event.severity != Severity::info) {
    auto& [mutex, limit] = limited();
    const std::lock_guard lock(mutex);
    if (!limit.admit(kind_of(event), event.most, std::chrono::steady_clock::now())) return;
  }
  write_event(level_of(event.severity), event.name, text_of(event), event.fields);
}

void report_suppressed_events() {
  std::vector<RepetitionLimit::Suppressed> suppressed;
  {
    auto& [mutex, limit] = limited();
    const std::lock_guard lock(mutex);
    suppressed = limit.take_suppressed(std::chrono::steady_clock::now());
  }
  for (const auto& [what, count] : suppressed) {
    const Event event{
        Severity::warning,
        "suppressed",
        {{"count", std::to_string(count)},
         {"lines", what},
         {"detail", "more lines of this kind came within a minute; maildirsync status lists all problems"}}};
    write_event(Level::warning, event.name, text_of(event), event.fields);
  }
}

std::string text_of(const Event& event) {
  std::string text(event.name);
  for (const auto& [key, value] : event.fields) {
    if (value.empty()) continue;
    text.append(" ").append(key).append("=");
    if (!needs_quotes(value)) {
      text += value;
      continue;
    }
    text += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text;
}

bool RepetitionLimit::admit(const std::string& what, std::uint64_t most, Time now) {
  auto& window = windows_.try_emplace(what, Window{now, most, 0}).first->second;
  // One that is over, and of which nothing is left to tell, begins again here; the others in take_suppressed().
  if (now - window.start >= k_window && window.count <= window.most) window = {now, most, 0};
  return ++window.count <= window.most;
}

std::vector<RepetitionLimit::Suppressed> RepetitionLimit::take_suppressed(Time now) {
  std::vector<Suppressed> suppressed;
  for (auto window = windows_.begin(); window != windows_.end();) {
    if (now - window->second.start < k_window) {
      ++window;
      continue;
    }
    const auto& [start, most, count] = window->second;
    if (count > most) suppressed.push_back({window->first, count - most});
    window = windows_.erase(window);
  }
  return suppressed;
}

}  // namespace maildirsync::service
