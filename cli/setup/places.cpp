#include "cli/setup/places.h"

namespace maildirsync::cli {

Places places_of(Role role, const std::string& prefix, const std::string& config) {
  const std::string word = role_word(role);
  const std::string name = service_user(role);
  Places places;
  places.prefix = prefix;
  while (places.prefix.ends_with('/'))
    places.prefix.pop_back();
  const std::string folder = places.prefix + "/etc/maildirsync/";
  places.config = config.empty() ? folder + word + ".toml" : config;
  // Beside the configuration, wherever that is.
  places.identity = places.config.substr(0, places.config.rfind('/') + 1) + word;
  places.state_dir = places.prefix + "/var/lib/" + name;
  places.control = places.prefix + "/run/" + name + "/control.sock";
  places.dropin = places.prefix + "/etc/systemd/system/" + unit_name(role) + ".d/paths.conf";
  places.is_default = places.prefix.empty() && places.config == folder + word + ".toml";
  return places;
}

const char* unit_name(Role role) {
  return role == Role::agent ? "maildirsync-agent.service" : "maildirsyncd.service";
}

const char* service_user(Role role) {
  return role == Role::agent ? "maildirsync-agent" : "maildirsyncd";
}

}  // namespace maildirsync::cli
