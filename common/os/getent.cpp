#include "common/os/getent.h"

#include <array>
#include <charconv>
#include <string_view>

#include <unistd.h>

#include "common/os/child.h"

namespace maildirsync::os {

namespace {

constexpr std::size_t k_most_answers = 4096;
constexpr std::size_t k_max_name = 256;  // bytes; LOGIN_NAME_MAX

std::string first_of(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    if (::access(path, X_OK) == 0) return path;
  }
  return "";
}

/// To getent a word of digits is an id, and one that begins with a dash an option.
bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= k_max_name && name.front() != '-' &&
         name.find_first_not_of("0123456789") != std::string::npos &&
         name.find_first_of(std::string_view(":\n\0", 3)) == std::string::npos;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The first fields of a line, of which there must be so many.
template <std::size_t count>
std::optional<std::array<std::string_view, count>> fields(std::string_view line) {
  line = line.substr(0, line.find('\n'));
  std::array<std::string_view, count> found;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos && i + 1 < count) return std::nullopt;
    found[i] = line.substr(0, colon);
    line.remove_prefix(colon == std::string_view::npos ? line.size() : colon + 1);
  }
  return found;
}

std::optional<std::vector<std::uint32_t>> numbers(std::string_view line) {
  std::vector<std::uint32_t> all;
  line = line.substr(0, line.find('\n'));
  while (!line.empty()) {
    const std::size_t space = line.find(' ');
    const auto one = number(line.substr(0, space));
    if (!one) return std::nullopt;
    all.push_back(*one);
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  }
  return all;
}

}  // namespace

Getent::Programs Getent::usual_programs() {
  Programs programs;
  programs.getent = first_of({"/usr/bin/getent", "/bin/getent"});
  programs.id = first_of({"/usr/bin/id", "/bin/id"});
  return programs;
}

std::optional<std::string> Getent::ask(const std::vector<std::string>& command) {
  if (command.front().empty()) return std::nullopt;
  std::string key;
  for (const auto& word : command)
    key += word + '\n';
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const auto known = answers_.find(key);
    if (known != answers_.end() && now < known->second.until) return known->second.line;
    if (now < silent_until_) return std::nullopt;
  }
  const ChildOutput child = output_within(command, programs_.patience);
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (child.in_time) {
    std::optional<std::string> line;
    if (child.exit_status == 0) line = child.text;
    if (answers_.size() >= k_most_answers) answers_.clear();
    answers_[key] = {line, now + (line ? programs_.fresh : programs_.unknown)};
    return line;
  }
  silent_until_ = now + programs_.silence;
  return std::nullopt;
}

std::optional<User> Getent::user(const std::string& name) {
  if (!is_name(name)) return std::nullopt;
  const auto line = ask({programs_.getent, "passwd", name});
  return line ? parse_user(*line) : std::nullopt;
}

std::optional<User> Getent::user(std::uint32_t uid) {
  const auto line = ask({programs_.getent, "passwd", std::to_string(uid)});
  const auto user = line ? parse_user(*line) : std::nullopt;
  return user && user->uid == uid ? user : std::nullopt;
}

std::optional<Group> Getent::group(const std::string& name) {
  if (!is_name(name)) return std::nullopt;
  const auto line = ask({programs_.getent, "group", name});
  return line ? parse_group(*line) : std::nullopt;
}

std::optional<Group> Getent::group(std::uint32_t gid) {
  const auto line = ask({programs_.getent, "group", std::to_string(gid)});
  const auto group = line ? parse_group(*line) : std::nullopt;
  return group && group->gid == gid ? group : std::nullopt;
}

std::optional<std::vector<std::uint32_t>> Getent::groups_of(const std::string& name) {
  if (!is_name(name)) return std::nullopt;
  const auto line = ask({programs_.id, "-G", name});
  return line ? numbers(*line) : std::nullopt;
}

std::optional<User> parse_user(const std::string& line) {
  const auto words = fields<4>(line);  // name:password:uid:gid:…
  if (!words) return std::nullopt;
  const auto uid = number((*words)[2]);
  const auto gid = number((*words)[3]);
  if ((*words)[0].empty() || !uid || !gid) return std::nullopt;
  return User{std::string((*words)[0]), *uid, *gid};
}

std::optional<Group> parse_group(const std::string& line) {
  const auto words = fields<3>(line);  // name:password:gid:…
  if (!words) return std::nullopt;
  const auto gid = number((*words)[2]);
  if ((*words)[0].empty() || !gid) return std::nullopt;
  return Group{std::string((*words)[0]), *gid};
}

}  // namespace maildirsync::os
