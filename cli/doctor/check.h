#pragma once

#include <string>
#include <utility>
#include <vector>

namespace maildirsync::cli {

/// One thing that `doctor` looked at.
struct Check {
  enum class State { good, bad, skipped };

  std::string name;  ///< a stable word
  State state = State::good;
  std::string what;    ///< what was found, or why it could not be looked at; one sentence
  std::string remedy;  ///< of a bad one: what to do about it; one sentence
};

/// Collects checks in their order.
class Checks {
 public:
  void good(std::string name, std::string what) {
    all_.push_back({std::move(name), Check::State::good, std::move(what), ""});
  }
  void bad(std::string name, std::string what, std::string remedy) {
    all_.push_back({std::move(name), Check::State::bad, std::move(what), std::move(remedy)});
  }
  void skipped(std::string name, std::string what) {
    all_.push_back({std::move(name), Check::State::skipped, std::move(what), ""});
  }
  const std::vector<Check>& all() const { return all_; }

 private:
  std::vector<Check> all_;
};

}  // namespace maildirsync::cli
