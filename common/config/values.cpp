#include "common/config/values.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <sys/un.h>

#include "common/maildir/layout.h"
#include "common/os/printable.h"

namespace maildirsync::config {

namespace {

constexpr std::size_t k_max_name = 255;
constexpr std::string_view k_fingerprint_prefix = "sha256:";
constexpr std::size_t k_fingerprint_digits = 64;
constexpr std::uint32_t k_no_id = 0xffffffff;  // chown(2) takes (uid_t)-1 as "leave it"

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

Failure wrong(const std::string& text, const std::string& what) {
  return failure(ErrorCode::config, "", in_quotes(text) + " " + what);
}

template <class T>
Result<T> choose(const std::string& text, std::initializer_list<std::pair<std::string_view, T>> choices) {
  std::string known;
  std::size_t left = choices.size();
  for (const auto& [word, value] : choices) {
    if (text == word) return value;
    known += in_quotes(word) + (--left == 0 ? "" : left == 1 ? " or " : ", ");
  }
  return wrong(text, "is not known here; write " + known);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  return "\"" + os::printable(text) + "\"";
}

Result<std::string> parse_absolute_path(const std::string& text) {
  if (text.find('\0') != std::string::npos) return wrong(text, "is not a path; write an absolute path");
  if (!text.starts_with('/')) return wrong(text, "is not an absolute path; write one that begins with \"/\"");
  return text;
}

Result<std::string> parse_socket_path(const std::string& text) {
  constexpr std::size_t k_max_path = sizeof(sockaddr_un::sun_path) - 1;
  if (text.size() > k_max_path) {
    return wrong(text, "is too long for a socket; write a path of at most " + std::to_string(k_max_path) + " bytes");
  }
  return parse_absolute_path(text);
}

Result<std::string> parse_fingerprint(const std::string& text) {
  std::string digits = text.starts_with(k_fingerprint_prefix) ? text.substr(k_fingerprint_prefix.size()) : "";
  for (char& digit : digits) {
    if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit - 'A' + 'a');
  }
  if (digits.size() != k_fingerprint_digits || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return wrong(text,
                 "is not a fingerprint; write \"sha256:\" and 64 hex digits as `maildirsync fingerprint FILE` on the "
                 "other server prints them for its certificate");
  }
  return std::string(k_fingerprint_prefix) + digits;
}

Result<std::string> parse_layout(const std::string& text) {
  if (has_control_characters(text)) {
    return wrong(text, "is not a layout; write where accounts lie below the root's path, such as \"%d/%n/Maildir\"");
  }
  MAILDIRSYNC_TRY(maildir::Layout::parse(text));
  return text;
}

Result<std::string> parse_log_level(const std::string& text) {
  return choose<std::string>(
      text, {{"trace", "trace"}, {"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}});
}

Result<std::string> parse_name(const std::string& text) {
  if (text.empty() || text.size() > k_max_name || has_control_characters(text)) {
    return wrong(text, "can't be a name; write 1 to 255 bytes without control characters");
  }
  return text;
}

Result<std::string> parse_host(const std::string& text) {
  const bool is_host = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':';
  });
  if (!is_host) return wrong(text, "is not a host; write its name or address, such as \"10.0.0.2\"");
  return text;
}

Result<std::string> parse_owner_name(const std::string& text) {
  const char* remedy = "write the name of a user or group or a number below 4294967295";
  if (text.empty() || text.starts_with('-') || text.find(':') != std::string::npos || has_control_characters(text)) {
    return wrong(text, std::string("is no owner; ") + remedy);
  }
  if (text.find_first_not_of("0123456789") != std::string::npos) return text;
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || id == k_no_id) return wrong(text, std::string("is no id; ") + remedy);
  return std::to_string(id);
}

Result<std::string> parse_unmapped(const std::string& text) {
  if (text == "reject") return text;
  const std::size_t colon = text.find(':');
  const auto user = colon == std::string::npos ? Result<std::string>("") : parse_owner_name(text.substr(0, colon));
  const auto group = colon == std::string::npos ? Result<std::string>("") : parse_owner_name(text.substr(colon + 1));
  if (colon == std::string::npos || !user || !group) {
    return wrong(text, "does not say who takes the rest; write \"reject\" or \"user:group\", such as \"vmail:vmail\"");
  }
  return *user + ":" + *group;
}

const char* name_of(Mode mode) {
  return mode == Mode::drain ? "drain" : "mirror";
}

Result<Mode> parse_mode(const std::string& text) {
  return choose<Mode>(text, {{"mirror", Mode::mirror}, {"drain", Mode::drain}});
}

Result<AccountOwners> parse_account_owners(const std::string& text) {
  return choose<AccountOwners>(text, {{"own", AccountOwners::own}, {"mixed", AccountOwners::mixed}});
}

Result<std::optional<std::chrono::seconds>> parse_removed_accounts(const std::string& text) {
  if (text == "hold") return std::optional<std::chrono::seconds>();
  constexpr std::uint64_t k_longest = 3650ULL * 24 * 60 * 60;
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  const std::uint64_t seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86'400 : 0;
  if (error != std::errc{} || seconds == 0 || number > k_longest / seconds) {
    return wrong(text, "is not a time; write \"hold\", or how long an account that is gone stays, such as \"14d\"");
  }
  return std::optional(std::chrono::seconds(number * seconds));
}

Result<OwnerPolicy> parse_owner_policy(const std::string& text) {
  return choose<OwnerPolicy>(
      text, {{"map", OwnerPolicy::map}, {"name", OwnerPolicy::name}, {"numeric", OwnerPolicy::numeric}});
}

Result<WatchBackend> parse_watch_backend(const std::string& text) {
  return choose<WatchBackend>(
      text,
      {{"auto", WatchBackend::automatic}, {"inotify", WatchBackend::inotify}, {"fanotify", WatchBackend::fanotify}});
}

Result<std::uint64_t> parse_rate(const std::string& text) {
  constexpr double k_max_rate = 1e18;
  constexpr std::pair<std::string_view, double> k_units[] = {
      {"", 1},        {"B", 1},        {"k", 1e3},     {"kB", 1e3},     {"K", 1e3},     {"KB", 1e3},    {"M", 1e6},
      {"MB", 1e6},    {"G", 1e9},      {"GB", 1e9},    {"T", 1e12},     {"TB", 1e12},   {"Ki", 0x1p10}, {"KiB", 0x1p10},
      {"Mi", 0x1p20}, {"MiB", 0x1p20}, {"Gi", 0x1p30}, {"GiB", 0x1p30}, {"Ti", 0x1p40}, {"TiB", 0x1p40}};
  const char* remedy = "write bytes a second, such as \"20MiB/s\", \"1.5 GB/s\" or \"500k\", or \"0\" for no limit";

  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  const bool begins_with_digit = !text.empty() && text[0] >= '0' && text[0] <= '9';
  if (error != std::errc{} || !begins_with_digit) return wrong(text, std::string("is not a rate; ") + remedy);

  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  if (unit.ends_with("/s")) unit.remove_suffix(2);
  const auto* known = std::find_if(std::begin(k_units), std::end(k_units),
                                   [unit](const auto& candidate) { return candidate.first == unit; });
  // A bit is not a byte: "Mb/s" and "Mbit/s" are refused rather than taken for eight times as much.
  if (known == std::end(k_units)) return wrong(text, std::string("has an unknown unit; ") + remedy);

  const double rate = number * known->second;
  if (rate > k_max_rate) return wrong(text, std::string("is too much; ") + remedy);
  // Zero means no limit, so that a tiny limit must not become one.
  if (rate > 0 && rate < 1) return wrong(text, std::string("is less than a byte a second; ") + remedy);
  return static_cast<std::uint64_t>(rate);
}

}  // namespace maildirsync::config
