#pragma once

#include <string>

#include "common/os/result.h"

namespace maildirsync::cli {

/// This host's name, with its domain where the name service knows it.
std::string known_host_name();

/// "host:port" by which others reach what listens on `listen`. `wanted`: what the user said, with or without a port; ""
/// for the address of `listen` itself or, where that stands for all, this host's name, or its address where the name
/// leads nowhere but home.
Result<std::string> reachable_address(const std::string& listen, const std::string& wanted);

}  // namespace maildirsync::cli
