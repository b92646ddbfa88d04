#pragma once

#include <ctime>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/os/result.h"

namespace maildirsync::service {

/// Which configuration a daemon runs with, for `status` and `doctor`. Event loop only.
struct Configuration {
  std::string file;
  std::string digest;  ///< of what the file held when it was read (config::digest_of_file)
  std::time_t read_at = 0;
  std::optional<std::string> refused;  ///< why what the file held later was refused; the old one goes on

  /// To be called before the file is read for good: what changes in between shows as a difference then.
  static Configuration of(const std::string& file);

  /// {"file": …, "digest": …, "read_at": stamp, "refused": null or a sentence}
  nlohmann::json to_json() const;
  /// As the one problem of a refused file says it.
  std::string refusal() const;
};

/// `--reload`: has the daemon on that control socket read its configuration anew, waits for what it says to it, and
/// says so. Exit statuses: 0 it does, 2 it refuses, 3 it does not answer.
int ask_to_reload(const std::string& name, const std::string& control);

}  // namespace maildirsync::service
