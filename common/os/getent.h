#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/os/name_service.h"

namespace maildirsync::os {

/// Users and groups by the programs of this machine, getent(1) and id(1). An answer counts for some minutes, and that
/// there is none for some seconds, because a program is started for each question. Thread-safe.
class Getent {
 public:
  struct Programs {
    std::string getent, id;                      ///< absolute; "" when there is none
    std::chrono::milliseconds patience{10'000};  ///< with one question
    std::chrono::milliseconds silence{30'000};   ///< nothing is asked for so long after one that got no answer
    std::chrono::milliseconds fresh{300'000};    ///< an answer
    std::chrono::milliseconds unknown{10'000};   ///< that there is none
  };
  /// In the system's own directories, never by PATH.
  static Programs usual_programs();

  explicit Getent(Programs programs) : programs_(std::move(programs)) {}

  std::optional<User> user(const std::string& name);
  std::optional<User> user(std::uint32_t uid);
  std::optional<Group> group(const std::string& name);
  std::optional<Group> group(std::uint32_t gid);
  /// All of a user's groups; nothing when they cannot be told.
  std::optional<std::vector<std::uint32_t>> groups_of(const std::string& name);

 private:
  using Clock = std::chrono::steady_clock;
  struct Answer {
    std::optional<std::string> line;
    Clock::time_point until;
  };

  std::optional<std::string> ask(const std::vector<std::string>& command);

  const Programs programs_;
  std::mutex mutex_;
  std::map<std::string, Answer> answers_;  ///< by the command
  Clock::time_point silent_until_{};
};

/// A line of passwd(5), of group(5); nothing for another one. Pure.
std::optional<User> parse_user(const std::string& line);
std::optional<Group> parse_group(const std::string& line);

}  // namespace maildirsync::os
