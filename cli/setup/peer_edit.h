#pragma once

#include <string>

#include "common/config/config.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// The receiver's [[peer]] entries: a file for each, and edits of what is there already, in the manner of set_text
/// (toml_edit.h): all else stays, or the edit is refused. Pure.

/// A file with that peer and its roots.
std::string peer_text(const config::Peer& peer);
/// The name of its file: "old.example.org.toml".
std::string peer_file_name(const std::string& peer);

/// Adds a [[peer.root]] to the peer of that name.
Result<std::string> add_peer_root(const std::string& toml, const std::string& file, const std::string& peer,
                                  const config::PeerRoot& root);

/// Gives the peer of that name another fingerprint.
Result<std::string> set_peer_fingerprint(const std::string& toml, const std::string& file, const std::string& peer,
                                         const std::string& fingerprint);

}  // namespace maildirsync::cli
