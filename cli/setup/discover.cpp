#include "cli/setup/discover.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "common/maildir/layout.h"

namespace maildirsync::cli {

namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;  // "userdb/args" and its value, in the file's order

std::string trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(part);
  return parts;
}

/// "key = value" in sections "name label { … }"; labels don't count.
Settings settings_of(const std::string& output) {
  Settings settings;
  std::vector<std::string> sections;
  for (const auto& raw : split(output, '\n')) {
    const std::string line = trim(raw);
    if (line.empty() || line[0] == '#') continue;
    if (line == "}") {
      if (!sections.empty()) sections.pop_back();
      continue;
    }
    if (line.back() == '{') {
      sections.push_back(trim(line.substr(0, line.find_first_of(" {"))));
      // 2.4 says "userdb static { … }": the label is the driver.
      const auto words = split(line, ' ');
      if (sections.back() == "userdb" && words.size() == 3) settings.emplace_back("userdb/driver", words[1]);
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string key;
    for (const auto& section : sections)
      key += section + "/";
    settings.emplace_back(key + trim(line.substr(0, equals)), trim(line.substr(equals + 1)));
  }
  return settings;
}

/// The last value that is not empty; "" when there is none.
std::string value_of(const Settings& settings, const std::string& key) {
  std::string value;
  for (const auto& [name, text] : settings) {
    if (name == key && !text.empty()) value = text;
  }
  return value;
}

/// One of the fields that a user database gives for everybody: 2.3's args "uid=vmail gid=vmail home=/…", 2.4's fields.
std::string userdb_field(const Settings& settings, const std::string& field) {
  for (const auto& [name, text] : settings) {
    if (name == "userdb/fields/" + field) return text;
    if (name != "userdb/args" && name != "userdb/default_fields" && name != "userdb/override_fields") continue;
    for (const auto& word : split(text, ' ')) {
      if (word.starts_with(field + "=")) return word.substr(field.size() + 1);
    }
  }
  return "";
}

struct Location {
  std::string driver;  ///< "maildir", "mbox", …; "" when it is not said
  std::string path;
  std::string control;  ///< a directory of its own for control files
};

/// "maildir:~/Maildir:INDEX=…:CONTROL=…"
Location location_of(const std::string& text) {
  Location location;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return {"", text, ""};
  location.driver = text.substr(0, colon);
  const auto parts = split(text.substr(colon + 1), ':');
  if (!parts.empty()) location.path = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].starts_with("CONTROL=")) location.control = parts[i].substr(8);
  }
  return location;
}

/// The variable at `at` ("%d", "%Ln", "%2.256Nu", "%{user | lower}"): what it is to us, and where it ends.
std::pair<std::string, std::size_t> variable_at(const std::string& path, std::size_t at) {
  static const std::map<std::string, std::string> k_long{{"user", "%u"},        {"username", "%n"},
                                                         {"domain", "%d"},      {"user|username", "%n"},
                                                         {"user|domain", "%d"}, {"home", "%h"}};
  if (path[at + 1] == '{') {
    const std::size_t close = path.find('}', at);
    if (close == std::string::npos) return {"*", path.size()};
    std::string name = path.substr(at + 2, close - at - 2);
    std::erase(name, ' ');
    if (name.ends_with("|lower")) name.resize(name.size() - 6);
    const auto known = k_long.find(name);
    return {known == k_long.end() ? "*" : known->second, close + 1};
  }
  std::size_t end = at + 1;
  bool whole = true;  // L lowers, all other modifiers take a part or a hash
  while (end < path.size() && std::string_view("0123456789.-LUTERMHNX").find(path[end]) != std::string_view::npos)
    whole &= path[end++] == 'L';
  if (end >= path.size()) return {"*", path.size()};
  const char letter = path[end];
  const bool known = std::string_view("dnuh").find(letter) != std::string_view::npos;
  return {whole && known ? std::string{'%', letter} : "*", end + 1};
}

std::string replace_home(const std::string& path, const std::string& home) {
  if (path == "~") return home;
  if (path.starts_with("~/")) return home + path.substr(1);
  if (path.starts_with("%h")) return home + path.substr(2);
  if (path.starts_with("%{home}")) return home + path.substr(7);
  return path;
}

bool is_relative_to_home(const std::string& path) {
  return path.starts_with("~") || path.starts_with("%h") || path.starts_with("%{home}");
}

}  // namespace

std::optional<Place> place_of(const std::string& path) {
  std::vector<std::string> fixed;
  std::string accounts;
  std::string seen;
  for (const auto& component : split(path, '/')) {
    if (component.empty()) continue;
    std::string pattern;
    bool variable = false;
    for (std::size_t at = 0; at < component.size();) {
      if (component[at] != '%' || at + 1 == component.size()) {
        pattern += component[at++];
        continue;
      }
      variable = true;
      auto [what, end] = variable_at(component, at);
      if (what.size() == 2 && seen.find(what[1]) != std::string::npos) what = "*";  // a layout takes each once
      if (what.size() == 2) seen += what[1];
      pattern += what;
      at = end;
    }
    if (variable || !accounts.empty()) {
      accounts += (accounts.empty() ? "" : "/") + pattern;
    } else {
      fixed.push_back(component);
    }
  }
  if (!path.starts_with('/') || fixed.empty() || !maildir::Layout::parse(accounts)) return std::nullopt;
  Place place;
  for (const auto& component : fixed)
    place.path += "/" + component;
  place.accounts = accounts;
  return place;
}

Findings read_doveconf(const std::string& output) {
  const Settings settings = settings_of(output);
  Findings findings;
  Location location = location_of(value_of(settings, "mail_location"));
  if (const std::string driver = value_of(settings, "mail_driver"); !driver.empty()) {
    location = {driver, value_of(settings, "mail_path"), value_of(settings, "mail_control_path")};
  }
  for (const char* key : {"mail_uid", "mail_gid"}) {
    std::string value = value_of(settings, key);
    if (value.empty()) value = userdb_field(settings, key + 5);
    if (value.find('%') != std::string::npos) value.clear();
    (std::string(key) == "mail_uid" ? findings.user : findings.group) = value;
  }
  if (location.path.empty()) {
    findings.notes.emplace_back("Dovecot has no mail_location");
    return findings;
  }
  if (!location.driver.empty() && location.driver != "maildir") {
    findings.notes.push_back("Dovecot keeps mail as " + location.driver + ", and only Maildirs can be moved");
    return findings;
  }
  if (!location.control.empty()) {
    findings.notes.push_back("Dovecot keeps control files apart from the mail, in " + location.control +
                             ": they need a [[root]] of their own, or clients will download all mail again");
  }
  std::string path = location.path;
  if (is_relative_to_home(path)) {
    std::string home = value_of(settings, "mail_home");
    if (home.empty()) home = userdb_field(settings, "home");
    if (home.empty() && value_of(settings, "userdb/driver") == "passwd") home = "/home/%u";
    if (home.empty()) {
      findings.notes.push_back("Dovecot's mail is in " + path + ", and the homes come from the user database (" +
                               value_of(settings, "userdb/driver") + ")");
      return findings;
    }
    path = replace_home(path, home);
  }
  findings.place = place_of(path);
  findings.notes.push_back(findings.place ? "Dovecot's mail is in " + path
                                          : "Dovecot's mail is in " + path + ", which is no place for many accounts");
  return findings;
}

Findings read_postconf(const std::string& output) {
  const Settings settings = settings_of(output);
  Findings findings;
  const auto fixed_id = [&](const char* key) {
    const std::string value = value_of(settings, key);
    return value.starts_with("static:") ? value.substr(7) : "";
  };
  if (const std::string base = value_of(settings, "virtual_mailbox_base"); base.starts_with('/')) {
    findings.user = fixed_id("virtual_uid_maps");
    findings.group = fixed_id("virtual_gid_maps");
    findings.place = Place{base, ""};  // the maps have the rest of the path: look at the tree
    findings.notes.push_back("Postfix delivers virtual mailboxes below " + base);
  } else if (const std::string box = value_of(settings, "home_mailbox"); box.ends_with('/')) {
    findings.place = place_of("/home/%u/" + box);
    findings.notes.push_back("Postfix delivers into " + box + " of each home");
  }
  return findings;
}

std::optional<std::string> layout_of(const std::vector<std::string>& maildirs) {
  // The depth that most have; what lies elsewhere is something else's.
  std::map<std::size_t, std::vector<std::vector<std::string>>> by_depth;
  for (const auto& path : maildirs) {
    const auto parts = split(path, '/');
    by_depth[parts.size()].push_back(parts);
  }
  const auto most = std::max_element(by_depth.begin(), by_depth.end(), [](const auto& left, const auto& right) {
    return left.second.size() < right.second.size();
  });
  if (most == by_depth.end() || 2 * most->second.size() < maildirs.size()) return std::nullopt;

  // A level is fixed when it is the same everywhere and not the only thing that could name the account.
  static const std::vector<std::string> k_fixed{"Maildir", "maildir", ".maildir", "Mail", "mail", "domains", "users"};
  const auto& paths = most->second;
  std::vector<std::string> layout(paths.front().size());
  std::vector<std::size_t> open;
  for (std::size_t level = 0; level < layout.size(); ++level) {
    const std::string& first = paths.front()[level];
    const bool same = std::all_of(paths.begin(), paths.end(), [&](const auto& path) { return path[level] == first; });
    if (same && std::find(k_fixed.begin(), k_fixed.end(), first) != k_fixed.end()) {
      layout[level] = first;
    } else {
      open.push_back(level);
    }
  }
  if (open.empty()) return std::nullopt;
  const auto all_have = [&](std::size_t level, char c) {
    return std::all_of(paths.begin(), paths.end(),
                       [&](const auto& p) { return p[level].find(c) != std::string::npos; });
  };
  for (const std::size_t level : open)
    layout[level] = "*";
  layout[open.back()] = open.size() == 1 ? "%u" : "%n";
  // The level that looks like domains; with hash levels in between it need not be the one above.
  for (std::size_t i = open.size() - 1; i-- > 0;) {
    if (!all_have(open[i], '.')) continue;
    layout[open[i]] = "%d";
    break;
  }
  std::string text;
  for (const auto& part : layout)
    text += (text.empty() ? "" : "/") + part;
  return text;
}

std::string root_name(const std::string& path) {
  std::string name = "mail";
  for (const auto& component : split(path, '/')) {
    if (!component.empty()) name = component;
  }
  std::erase_if(name, [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
             c == '.');
  });
  return name.empty() ? "mail" : name;
}

}  // namespace maildirsync::cli
