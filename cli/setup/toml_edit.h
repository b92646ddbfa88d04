#pragma once

#include <string>
#include <string_view>

#include "common/config/config.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// Edits of a configuration's text. All other lines, comments and their order stay as they are: each edit is proven by
/// reading the result back, and one that would change anything else is refused (ErrorCode::config, with what to write
/// by hand). `file` is for messages only. Pure.

/// `text` as a TOML string.
std::string toml_text(std::string_view text);

/// Gives `key` of [table] ("" for the top) a text as its value: where it stands, else in place of a line "#key = …" of
/// that table, else at the table's beginning.
Result<std::string> set_text(const std::string& toml, const std::string& file, const std::string& table,
                             const std::string& key, const std::string& value);

/// Appends a [[peer]] with its roots.
Result<std::string> add_peer(const std::string& toml, const std::string& file, const config::Peer& peer);

/// Adds a [[peer.root]] to the peer of that name.
Result<std::string> add_peer_root(const std::string& toml, const std::string& file, const std::string& peer,
                                  const config::PeerRoot& root);

/// Gives the peer of that name another fingerprint.
Result<std::string> set_peer_fingerprint(const std::string& toml, const std::string& file, const std::string& peer,
                                         const std::string& fingerprint);

}  // namespace maildirsync::cli
