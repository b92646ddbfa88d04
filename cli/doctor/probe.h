#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/net/cause.h"

namespace maildirsync::cli {

/// What a receiver says to whoever connects to it: how far that came, and why no further.
struct Probe {
  std::string unresolved;                  ///< why its name leads nowhere; else ""
  std::optional<net::Cause> unconnected;   ///< why nobody answers there
  std::optional<net::Cause> no_handshake;  ///< why TLS failed
  std::string shown;                       ///< the fingerprint of the key that it showed and has
  std::string refusal;                     ///< what it said instead of a greeting; else ""
  std::vector<std::string> unknown_roots;  ///< of ours, those that it does not have for us
  std::string software;                    ///< from its greeting
  std::optional<double> clock_offset;      ///< its clock minus ours, seconds; nothing when it did not say its time
};

/// Connects as the agent would and greets, if the receiver shows the key `wanted` ("" for no greeting at all); gives up
/// after `seconds`. Sends no mail and asks for none.
Probe probe(const config::Endpoint& receiver, const std::string& certificate, const std::string& key,
            const std::string& wanted, const std::vector<std::string>& roots, int seconds);

}  // namespace maildirsync::cli
