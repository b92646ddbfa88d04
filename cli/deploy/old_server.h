#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::cli {

/// What `deploy` found at the old server.
struct OldServer {
  bool is_root = false;
  bool has_sudo = false;     ///< without a password
  std::string architecture;  ///< as uname has it: "x86_64"
  std::string kernel;        ///< "3.10.0-1160.el7.x86_64"
  std::string system;        ///< "CentOS Linux 7 (Core)"
  std::string libc;
  std::string init;       ///< "systemd 219", "init scripts"
  std::string place;      ///< the directory that the bundle's own would be made in
  bool writable = false;  ///< that one is
  bool no_exec = false;   ///< it is mounted so
  std::uint64_t free_kib = 0;
  std::uint64_t staging_free_kib = 0;  ///< where the archive is unpacked
  std::string package;                 ///< the version of an installed package of the system; "" without one
  std::string bundle;                  ///< the version of an installed bundle
  bool has_receiver = false;           ///< the installed bundle serves a receiver, too
  bool has_config = false;             ///< an agent.toml
  bool has_state = false;              ///< of an agent, perhaps of an earlier one
  std::vector<std::string> missing;    ///< programs that the installation needs
  std::vector<std::string> mail;       ///< "Dovecot 2.2.36", "Postfix"
};

/// The archive that would be copied.
struct BundleName {
  std::string version;
  std::string architecture;
  std::uint64_t unpacked_kib = 0;
};

/// A shell script, for any sh, that prints what parse_old_server() reads. Changes nothing. `prefix`: where the bundle
/// goes, checked by is_good_prefix().
std::string look_script(const std::string& prefix);
/// ErrorCode::protocol when the text is not what the script prints.
Result<OldServer> parse_old_server(const std::string& text);

/// An absolute path without a byte that a shell or a unit could take for something else.
bool is_good_prefix(const std::string& prefix);

/// Why the bundle cannot be installed and set up there, with the remedy, in one sentence; nothing when it can. Pure.
std::optional<std::string> obstacle(const OldServer& server, const BundleName& bundle, const std::string& prefix);

/// What was found, one sentence a line.
std::vector<std::string> describe(const OldServer& server);

}  // namespace maildirsync::cli
