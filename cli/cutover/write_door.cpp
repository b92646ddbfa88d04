#include "cli/cutover/write_door.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/ask/ask.h"
#include "common/os/replace_file.h"

namespace maildirsync::cli {

namespace {

using Not = tl::unexpected<std::string>;

/// Read by the mail servers, which are others than root.
constexpr unsigned k_map_mode = 0644;
constexpr mode_t k_directory_mode = 0755;

std::string raw(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), k_directory_mode) == 0 || errno == EEXIST) return "";
  return fmt::format("{}: cannot make the directory of the maps ([door] directory): {}", path, std::strerror(errno));
}

/// For /bin/sh.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result + '\'';
}

/// Dovecot knows a changed passwd-file by its size and the second of its time: each map is a second younger, at least,
/// than the one before it.
void make_younger(const std::string& path, const struct stat& before) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0 || now.st_mtim.tv_sec > before.st_mtim.tv_sec) return;
  const struct timespec times[2] = {{0, UTIME_OMIT}, {before.st_mtim.tv_sec + 1, 0}};
  (void)::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

std::string write_all(const std::string& directory, const std::vector<DoorMap>& maps) {
  for (const char* below : {"", "/old", "/new"}) {
    if (std::string why = make_directory(directory + below); !why.empty()) return why;
  }
  for (const auto& map : maps) {
    const std::string path = directory + '/' + map.file;
    struct stat before {};
    const bool was_there = ::stat(path.c_str(), &before) == 0;
    const auto written = os::replace_file(path, map.text, k_map_mode);
    if (!written) return written.error().message();
    if (was_there) make_younger(path, before);
  }
  return "";
}

}  // namespace

tl::expected<std::string, std::string> write_door(const Options& options, const std::vector<std::string>& roots,
                                                  const std::vector<std::string>& accounts, Place place) {
  const auto answer = try_ask(options, {{"command", "door"}});
  if (!answer) return Not(answer.error().sentence);
  const Json& door = object_of(*answer, "door");
  if (door.empty()) return Not("there is no [door] in agent.toml any more");
  const std::string directory = raw(door, "directory");
  const auto known = door_accounts(*answer, roots, accounts, place);
  auto maps = door_maps(raw(door, "old_host"), raw(door, "new_host"), known);
  std::string changed;
  for (const auto& account : known) {
    if (account.is_chosen) changed += account.name + '\n';
  }
  maps.push_back({"changed", changed});
  if (std::string why = write_all(directory, maps); !why.empty()) return Not(why);
  const std::string command = raw(door, "changed");
  if (command.empty()) return "";
  return fmt::format("export MAILDIRSYNC_DOOR={} MAILDIRSYNC_PLACE={}\n{}", quoted(directory), name_of(place), command);
}

}  // namespace maildirsync::cli
