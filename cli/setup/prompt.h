#pragma once

#include <functional>
#include <string>

#include "common/os/result.h"

namespace maildirsync::cli {

/// Asks whoever sits at the terminal; without one (or with --yes) every answer is the default.
class Prompt {
 public:
  enum class Use { ask, take_defaults };
  explicit Prompt(Use use);

  /// The answer, an empty one being `proposal`; asked again until `check` finds it good. ErrorCode::cancelled when the
  /// input ends.
  Result<std::string> ask(const std::string& question, const std::string& proposal,
                          const std::function<Result<>(const std::string&)>& check = {}) const;

  bool asks() const { return asks_; }

 private:
  bool asks_;
};

}  // namespace maildirsync::cli
