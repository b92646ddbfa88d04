#pragma once

#include <string>

#include "cli/setup/pair_line.h"

namespace maildirsync::cli {

/// Where the files of one side are. With a prefix (an image that is being built, a test) all are below it and no
/// service of this machine is touched.
struct Places {
  std::string prefix;    ///< "" for this machine itself
  std::string config;    ///< agent.toml or receiver.toml
  std::string identity;  ///< without .key and .crt
  std::string state_dir;
  std::string control;
  std::string dropin;       ///< the receiver's unit may write what it names
  bool is_default = false;  ///< the configuration is the one that the service reads
};

/// `config`: what the user named, or "".
Places places_of(Role role, const std::string& prefix, const std::string& config);

/// The systemd unit of a side.
const char* unit_name(Role role);
/// Its user.
const char* service_user(Role role);

}  // namespace maildirsync::cli
