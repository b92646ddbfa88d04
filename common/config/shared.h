#pragma once

#include <map>
#include <string>
#include <utility>

#include "common/config/config.h"
#include "common/config/reader.h"

namespace maildirsync::config {

/// What both configurations have in common.

/// `state_dir` and `control`.
void read_paths(const Section& top, std::string& state_dir, std::string& control);
/// `certificate` and `key` of [tls]: both must be there and readable, the key by root and the service alone, whose
/// `state_dir` is. `role` is the name of the files in an example.
void read_identity(const Section& tls, const std::string& role, const std::string& state_dir, std::string& certificate,
                   std::string& key);
void read_log(const Section& top, Log& log);
void read_metrics(const Section& top, Metrics& metrics);

/// Finds the second one of what must be unique, in one file or in several.
class Unique {
 public:
  /// `what` names the things in a sentence ("root"); `key` is where the value stands in a section.
  Unique(std::string what, std::string key) : what_(std::move(what)), key_(std::move(key)) {}
  void check(const Section& section, const std::string& value);

 private:
  std::string what_, key_;
  std::map<std::string, std::pair<std::string, unsigned>> places_;  ///< file and line
};

}  // namespace maildirsync::config
