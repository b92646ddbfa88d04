#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "cli/doctor/checks.h"
#include "cli/setup/discover.h"
#include "cli/setup/files.h"

namespace maildirsync::cli {

namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/// A master process: its name is what the kernel keeps of the program's.
bool is_dovecot_running() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    if (!is_number(entry.path().filename().string())) continue;
    std::ifstream file(entry.path() / "comm");
    std::string name;
    if (std::getline(file, name) && name == "dovecot") return true;
  }
  return false;
}

bool is_at_or_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory.ends_with('/') ? directory : directory + "/");
}

std::string mode_of(const Json& status, const std::string& root) {
  for (const auto& one : list_of(status, "roots")) {
    if (text_of(one, "name") == root) return text_of(one, "mode");
  }
  return "";
}

}  // namespace

void check_dovecot(Checks& checks, const config::Receiver& config, const Json& status) {
  if (!is_dovecot_running()) return;
  const auto output = output_of({"doveconf", "-n"});
  if (!output) return checks.skipped("dovecot", "a Dovecot runs here, and doveconf -n does not say where its mail is");
  const auto place = read_doveconf(*output).place;
  for (const auto& peer : config.peers) {
    for (const auto& root : peer.roots) {
      const bool serves = place && (is_at_or_below(place->path, root.path) || is_at_or_below(root.path, place->path));
      if (!serves || mode_of(status, root.name) == "drain") continue;
      checks.bad("dovecot",
                 fmt::format("a running Dovecot serves mail in {}, where the root {} ({}) is mirrored: who opens a "
                             "mailbox here before its cutover leaves indexes that are wrong later",
                             place->path, root.name, root.path),
                 "keep users from it until the cutover (stop it, or close its ports); maildirsync status on the old "
                 "server names what was opened (stale-index), maildirsync repair-index there mends it");
    }
  }
}

}  // namespace maildirsync::cli
