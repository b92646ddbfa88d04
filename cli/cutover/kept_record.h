#pragma once

#include <string>

#include <tl/expected.hpp>

#include "cli/ask/ask.h"
#include "cli/cutover/record.h"
#include "cli/options.h"

namespace maildirsync::cli {

/// The record that the agent keeps, null when there was no cutover yet.
tl::expected<Json, Refusal> ask_for_record(const Options& options);

/// That record in the hands of this program. Blocks while the agent writes.
class KeptRecord {
 public:
  /// `found_holder`: of the record that was found; if another program replaced it meanwhile, the first write fails.
  KeptRecord(const Options& options, std::string found_holder);

  /// Returns once it is on the agent's disk: "". Else why it is not, at an agent that cannot be reached after so many
  /// seconds.
  std::string write(const CutoverRecord& record, const std::string& state, double patience_seconds);
  /// The same for the last time: nobody works at it any more.
  std::string let_go(const CutoverRecord& record, const std::string& state);

 private:
  std::string replace(const Json& record, double patience_seconds);

  const Options& options_;
  const std::string holder_;
  std::string expected_;
};

}  // namespace maildirsync::cli
