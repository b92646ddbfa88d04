#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/accounts/problems.h"
#include "agent/engine/parts.h"
#include "common/service/metrics.h"

namespace maildirsync::agent {

class Requests;

// What people and machines are told of the agent. Event loop only.

/// The answer of `status`.
nlohmann::json status_of(const Requests& requests, const std::string& account_glob);
/// One line for systemd.
std::string summary(const Parts& parts);
/// What Prometheus is told.
std::vector<service::Metric> metrics(const Requests& requests);

/// The agent's state in one word, as in `status`.
std::string state_word(const Parts& parts);
/// The age of the oldest change that is not durable, in seconds; nothing while it cannot be known.
std::optional<double> lag(const Roster& roster);
/// Messages, and bytes of messages, that wait to become durable.
std::pair<std::uint64_t, std::uint64_t> pending(const Roster& roster);
Refused refused(const Roster& roster);

/// A problem as people are told of it: of the agent, of a root, or of an account.
struct Told {
  std::string_view code;
  const std::string& root;
  const std::string& account;
  const std::string& path;
  std::string detail;
  std::optional<Time> since;
};
/// All problems; of accounts, those that the glob chooses.
void for_each_problem(const Requests& requests, const std::string& account_glob,
                      const std::function<void(const Told&)>& tell);

}  // namespace maildirsync::agent
