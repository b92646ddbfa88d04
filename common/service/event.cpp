#include "common/service/event.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

#include <spdlog/spdlog.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "common/os/printable.h"
#include "common/service/service.h"

namespace maildirsync::service {

namespace {

// Made once with uuidgen; never changed, for people's filters name them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> k_message_ids{{
    {"problem", "1c21dc0c721a457fa155c2fa4deeb19d"},
    {"account-started", "c40aa8f745df443d80c09b286aa89731"},
    {"account-copied", "cb688f325f78431da37b7ee71ada4fe1"},
    {"account-verified", "51e698b8e75d1aa7476f5dc3819079f0"},
    {"account-cut-over", "1b02724cb0c322ed68f8cd453bf68e39"},
    {"cutover", "d938a4b89a5595f22ecae63bafc0584c"},
    {"account-held", "bb5d55854bbc4939bd312e87fae1e249"},
    {"account-released", "16f66b368c084c219a3e18eedaf40875"},
    {"account-removed", "41f283e967e9402ba6463072267e7410"},
    {"connection-refused", "fdf0f5b8e14d42df9a5ba059049bd7c4"},
    {"suppressed", "7b1f71349cee48f88afcefff2863ad31"},
}};

struct Limited {
  std::mutex mutex;
  RepetitionLimit limit;
};

Limited& limited() {
  static Limited one;
  return one;
}

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return spdlog::level::info;
    case Severity::warning:
      return spdlog::level::warn;
    case Severity::error:
      break;
  }
  return spdlog::level::err;
}

int priority_of(Severity severity) {
  return severity == Severity::info ? LOG_INFO : severity == Severity::warning ? LOG_WARNING : LOG_ERR;
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

/// The fields keep the bytes as they are; the line is for people.
void send_to_journal(const Event& event) {
  std::vector<std::string> fields{
      "MESSAGE=" + os::printable(text_of(event)), "PRIORITY=" + std::to_string(priority_of(event.severity)),
      "SYSLOG_IDENTIFIER=" + std::string(program_invocation_short_name), "EVENT=" + std::string(event.name)};
  if (const auto id = message_id_of(event.name); !id.empty()) fields.push_back("MESSAGE_ID=" + std::string(id));
  for (const auto& [key, value] : event.fields) {
    if (!value.empty()) fields.push_back(journal_field(key) + "=" + value);
  }
  std::vector<iovec> parts;
  for (auto& field : fields)
    parts.push_back({field.data(), field.size()});
  ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

void write(const Event& event) {
  auto& logger = *spdlog::default_logger_raw();
  if (!logger.should_log(level_of(event.severity))) return;
  if (is_log_the_journal()) {
    send_to_journal(event);
  } else {
    logger.log(level_of(event.severity), spdlog::string_view_t(text_of(event)));
  }
}

}  // namespace

void log_event(const Event& event) {
  if (event.severity != Severity::info) {
    auto& [mutex, limit] = limited();
    const std::lock_guard lock(mutex);
    if (!limit.admit(kind_of(event), event.most, std::chrono::steady_clock::now())) return;
  }
  write(event);
}

void report_suppressed_events() {
  std::vector<RepetitionLimit::Suppressed> suppressed;
  {
    auto& [mutex, limit] = limited();
    const std::lock_guard lock(mutex);
    suppressed = limit.take_suppressed(std::chrono::steady_clock::now());
  }
  for (const auto& [what, count] : suppressed) {
    write({Severity::warning,
           "suppressed",
           {{"count", std::to_string(count)},
            {"lines", what},
            {"detail", "more lines of this kind came within a minute; maildirsync status lists all problems"}}});
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

std::string_view message_id_of(std::string_view name) {
  const auto found =
      std::find_if(k_message_ids.begin(), k_message_ids.end(), [&](const auto& known) { return known.first == name; });
  return found == k_message_ids.end() ? std::string_view() : found->second;
}

std::string journal_field(std::string_view key) {
  std::string field;
  for (const char c : key) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    field += lower ? static_cast<char>(c - 'a' + 'A') : kept ? c : '_';
  }
  return field;
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
