#include "daemon/owner/local_ids.h"

#include <charconv>

#include "common/os/name_service.h"

namespace maildirsync::daemon {

namespace {

std::optional<std::uint32_t> number(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // The highest number means "leave as it is" to chown(2).
  if (error != std::errc() || end != text.data() + text.size() || value == UINT32_MAX) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::uint32_t> local_user(const std::string& name) {
  const auto user = os::find_user(name);
  return user ? std::optional(user->uid) : std::nullopt;
}

std::optional<std::uint32_t> local_group(const std::string& name) {
  const auto group = os::find_group(name);
  return group ? std::optional(group->gid) : std::nullopt;
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
