#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/deploy/ssh.h"
#include "cli/options.h"
#include "cli/report/fields.h"
#include "common/config/config.h"
#include "common/os/result.h"

namespace maildirsync::cli {

// What `deploy` does on this machine, and how it tells of it.

inline constexpr double k_step_seconds = 180;  ///< for a step: somebody may be typing a password

/// A line on stderr.
void tell(const std::string& line);

/// Complains, as JSON too where that is wanted; the exit status of a deployment that ends so.
int fail(const Options& options, const Error& error);

/// "maildirsync: why" without the name of the program.
std::string without_name(std::string sentence);

/// The JSON that a command of ours has printed; tells its notes.
Result<Json> json_of(const Said& said);
/// The last of these notes, or its last words: why a command of ours failed.
std::string reason_of(const Said& said, const Json& json);

/// Runs this same program with --json.
Result<Json> run_here(std::vector<std::string> words);

/// The receiver's configuration file, the files that its peers stand in, and where it listens.
std::string receiver_config();
std::set<std::string> receivers_peer_files();
Result<config::Endpoint> receivers_address();

/// Takes away the peer of that key, if a file of its own holds it: nobody else is in there. Says what it left.
void forget_peer(const std::string& fingerprint);

}  // namespace maildirsync::cli
