#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/verify/drained.h"
#include "common/decisions/decision.h"

namespace maildirsync::agent {

/// When the users of a drained root moved, ns since the epoch: mail that came before does not count as a straggler.
std::int64_t drained_since(const decisions::Decision& drain);

/// What came to the old server after its users had moved, for the answer of `verify`. A value.
class Stragglers {
 public:
  /// A drained root, and when the last of its users moved.
  void add(const std::string& root, std::int64_t since);
  /// An account of it.
  void add(const std::string& root, const std::string& account, const std::vector<Straggler>& stragglers);

  /// For each root: since when, how many, how many wait, when the last came, the same by domain, and each message (the
  /// last 10,000).
  nlohmann::json to_json() const;

 private:
  struct Sum {
    std::uint64_t messages = 0, waits = 0;
    std::int64_t last = 0;
    void add(const Straggler& straggler);
    nlohmann::json to_json() const;
  };
  struct Message {
    std::string account;
    Straggler straggler;
  };
  struct Root {
    std::int64_t since = 0;
    Sum all;
    std::map<std::string, Sum> domains;
    std::vector<Message> messages;
  };
  static nlohmann::json to_json(const Root& root);

  std::map<std::string, Root> roots_;
};

}  // namespace maildirsync::agent
