#include "common/service/journal.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "common/os/printable.h"

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

int priority_of(Level level) {
  switch (level) {
    case Level::debug:
      return LOG_DEBUG;
    case Level::info:
      return LOG_INFO;
    case Level::warning:
      return LOG_WARNING;
    case Level::error:
      break;
  }
  return LOG_ERR;
}

}  // namespace

void send_to_journal(Level level, std::string_view name, const std::string& text,
                     const std::vector<std::pair<std::string_view, std::string>>& fields) {
  std::vector<std::string> all{"MESSAGE=" + os::printable(text), "PRIORITY=" + std::to_string(priority_of(level)),
                               "SYSLOG_IDENTIFIER=" + std::string(program_invocation_short_name),
                               "EVENT=" + std::string(name)};
  if (const auto id = message_id_of(name); !id.empty()) all.push_back("MESSAGE_ID=" + std::string(id));
  for (const auto& [key, value] : fields) {
    if (!value.empty()) all.push_back(journal_field(key) + "=" + value);
  }
  std::vector<iovec> parts;
  for (auto& field : all)
    parts.push_back({field.data(), field.size()});
  ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
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

}  // namespace maildirsync::service
