#include "daemon/owner/local_ids.h"

#include <cerrno>
#include <charconv>
#include <vector>

#include <grp.h>
#include <pwd.h>

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_max_record = 4 * 1024 * 1024;  // a group with very many members

/// Calls getpwnam_r or getgrnam_r with a buffer that is large enough.
template <class Record, class Lookup>
bool look_up(const std::string& name, Record& record, Lookup lookup) {
  for (std::vector<char> buffer(16 * 1024); buffer.size() <= k_max_record; buffer.resize(buffer.size() * 2)) {
    Record* found = nullptr;
    const int error = lookup(name.c_str(), &record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    return error == 0 && found != nullptr;
  }
  return false;
}

std::optional<std::uint32_t> number(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // The highest number means "leave as it is" to chown(2).
  if (error != std::errc() || end != text.data() + text.size() || value == UINT32_MAX) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::uint32_t> local_user(const std::string& name) {
  passwd record{};
  if (!look_up(name, record, ::getpwnam_r)) return std::nullopt;
  return record.pw_uid;
}

std::optional<std::uint32_t> local_group(const std::string& name) {
  group record{};
  if (!look_up(name, record, ::getgrnam_r)) return std::nullopt;
  return record.gr_gid;
}

std::optional<std::uint32_t> local_user_or_number(const std::string& text) {
  const auto id = local_user(text);
  return id ? id : number(text);
}

std::optional<std::uint32_t> local_group_or_number(const std::string& text) {
  const auto id = local_group(text);
  return id ? id : number(text);
}

}  // namespace maildirsync::daemon
