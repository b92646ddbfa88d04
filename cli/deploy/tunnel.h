#pragma once

#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// An ssh tunnel that this machine keeps, by which the agent on the old server reaches the receiver here.
struct Tunnel {
  std::string name;                  ///< of its service: "maildirsync-tunnel-old.example.org"
  std::vector<std::string> command;  ///< ssh and all its words
};

/// `listen`: of the receiver; the agent connects to the same port of its own loopback. `ssh`: with options. Pure.
Tunnel make_tunnel(const std::vector<std::string>& ssh, const std::string& destination, const config::Endpoint& listen);
/// The service's name alone.
std::string tunnel_name(const std::string& destination);

/// The file of a service; pure.
std::string tunnel_unit(const Tunnel& tunnel, const std::string& destination);
std::string tunnel_init_script(const Tunnel& tunnel);

/// Whether this machine keeps it.
bool has_tunnel(const std::string& name);
/// Writes the service, or writes it anew, and starts it, now and at each boot.
Result<> keep_tunnel(const Tunnel& tunnel, const std::string& destination);
/// Ends it and takes it away; false when there was none.
bool remove_tunnel(const std::string& name);

}  // namespace maildirsync::cli
