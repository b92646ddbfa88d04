#include "cli/setup/survey.h"

#include <algorithm>
#include <array>
#include <map>

#include <dirent.h>
#include <sys/stat.h>

#include "cli/setup/files.h"
#include "common/maildir/layout.h"
#include "common/os/directory.h"
#include "common/os/name_service.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_deepest = 5;  // levels between a root and its Maildirs
constexpr std::size_t k_enough_maildirs = 200;
constexpr std::size_t k_enough_looks = 20'000;
constexpr std::size_t k_enough_accounts = 1000;
constexpr std::size_t k_names_of_an_area = 20;
constexpr std::size_t k_most_owners = 8;  // with more, a rule serves better than a table

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_directory(const os::Directory& parent, const os::DirectoryEntry& entry) {
  if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
  const auto status = parent.status(entry.name);
  return status && S_ISDIR(status->st_mode);
}

/// The paths of Maildirs below a directory; what is below a Maildir is its own.
class Finder {
 public:
  std::vector<std::string> find(const std::string& path) {
    if (const auto root = os::Directory::open_root(path)) level(*root, "", 0);
    return std::move(found_);
  }

 private:
  void level(const os::Directory& directory, const std::string& path, std::size_t depth) {
    const auto entries = directory.list();
    if (!entries) return;
    for (const auto& entry : *entries) {
      if (found_.size() >= k_enough_maildirs || ++looks_ > k_enough_looks) return;
      if (entry.name.starts_with('.') || entry.name == "lost+found" || !is_directory(directory, entry)) continue;
      const auto next = directory.open_directory(entry.name);
      if (!next) continue;
      const std::string below = os::join(path, entry.name);
      if (next->status("cur") && next->status("new")) {
        found_.push_back(below);
      } else if (depth + 1 < k_deepest) {
        level(*next, below, depth + 1);
      }
    }
  }

  std::vector<std::string> found_;
  std::size_t looks_ = 0;
};

/// Who owns what, counted.
class Owners {
 public:
  void look(const config::AgentRoot& root) {
    const auto layout = maildir::Layout::parse(root.accounts);
    const auto directory = os::Directory::open_root(root.path);
    if (layout && directory) level(*directory, *layout, 0);
  }

  const std::map<std::uint32_t, std::size_t>& users() const { return users_; }
  const std::map<std::uint32_t, std::size_t>& groups() const { return groups_; }

 private:
  void count(const struct stat& status) {
    ++users_[status.st_uid];
    ++groups_[status.st_gid];
  }

  void level(const os::Directory& directory, const maildir::Layout& layout, std::size_t depth) {
    const auto entries = directory.list();
    if (!entries) return;
    for (const auto& entry : *entries) {
      if (accounts_ >= k_enough_accounts) return;
      if (!layout.matches(depth, entry.name) || !is_directory(directory, entry)) continue;
      const auto next = directory.open_directory(entry.name);
      if (!next) continue;
      if (const auto status = next->status("")) count(*status);
      if (depth + 1 < layout.depth()) {
        level(*next, layout, depth + 1);
      } else {
        ++accounts_;
        content(*next);
      }
    }
  }

  /// The account's own names, and the first messages of its inbox.
  void content(const os::Directory& account) {
    if (const auto entries = account.list()) {
      for (const auto& entry : *entries) {
        if (const auto status = account.status(entry.name)) count(*status);
      }
    }
    for (const char* area : {"cur", "new"}) {
      const auto directory = account.open_directory(area);
      const auto entries = directory ? directory->list() : Result<std::vector<os::DirectoryEntry>>();
      if (!directory || !entries) continue;
      for (std::size_t i = 0; i < std::min(entries->size(), k_names_of_an_area); ++i) {
        if (const auto status = directory->status((*entries)[i].name)) count(*status);
      }
    }
  }

  std::map<std::uint32_t, std::size_t> users_, groups_;
  std::size_t accounts_ = 0;
};

std::vector<OfferedOwner> most_frequent_first(const std::map<std::uint32_t, std::size_t>& counts,
                                              std::string (*name_of)(std::uint32_t)) {
  std::vector<std::pair<std::size_t, std::uint32_t>> sorted;
  for (const auto& [id, count] : counts)
    sorted.emplace_back(count, id);
  std::sort(sorted.begin(), sorted.end(), [](const auto& left, const auto& right) {
    return left.first != right.first ? left.first > right.first : left.second < right.second;
  });
  std::vector<OfferedOwner> owners;
  for (const auto& [count, id] : sorted)
    owners.push_back({name_of(id), id});
  return owners;
}

bool is_in(const std::string& path, const std::string& folder) {
  return (path + "/").starts_with(folder + "/");
}

/// Roots do not overlap: an account is in one.
void add_root(Survey& survey, const Place& place, const std::string& why) {
  for (const auto& known : survey.roots) {
    if (is_in(known.path, place.path) || is_in(place.path, known.path)) return;
  }
  survey.roots.push_back({root_name(place.path), place.path, place.accounts, why});
}

/// A place that a mail server names counts when it is there; without a layout, the tree shows it.
void take(Survey& survey, const Findings& findings, const char* who) {
  survey.notes.insert(survey.notes.end(), findings.notes.begin(), findings.notes.end());
  if (survey.user.empty()) survey.user = findings.user;
  if (survey.group.empty()) survey.group = findings.group;
  if (!findings.place) return;
  Place place = *findings.place;
  if (place.accounts.empty()) place.accounts = layout_below(place.path);
  if (place.accounts.empty()) return;
  add_root(survey, place, std::string("as ") + who + " has it");
}

bool is_cpanel() {
  return is_directory("/var/cpanel") && is_directory("/home");
}

}  // namespace

Survey survey_mail() {
  Survey survey;
  if (const auto output = output_of({"doveconf", "-n"})) take(survey, read_doveconf(*output), "Dovecot");
  if (is_cpanel()) {
    add_root(survey, {"/home", "*/mail/%d/%n"}, "cPanel");
    survey.notes.emplace_back(
        "this is cPanel: mailboxes are ~/mail/DOMAIN/USER of each account; an account's own mail, in "
        "~/mail itself, is not among them");
  }
  if (survey.roots.empty()) {  // Dovecot may well deliver into other places than Postfix would
    if (const auto output = output_of({"postconf"})) take(survey, read_postconf(*output), "Postfix");
  }
  static constexpr std::array k_usual{"/var/mail/vhosts",  "/var/vmail",
                                      "/srv/vmail",        "/srv/mail",
                                      "/var/mail/virtual", "/var/spool/mail/vhosts",
                                      "/home/vmail",       "/home/vpopmail/domains",
                                      "/var/mail"};
  if (survey.roots.empty()) {
    for (const char* path : k_usual) {
      const std::string layout = is_directory(path) ? layout_below(path) : "";
      if (layout.empty()) continue;
      survey.notes.push_back("there are Maildirs below " + std::string(path));
      add_root(survey, {path, layout}, "found by looking");
      break;
    }
  }
  if (survey.user.empty() && os::find_user("vmail")) survey.user = "vmail";
  if (survey.group.empty() && !survey.user.empty()) {
    if (const auto user = os::find_user(survey.user)) survey.group = os::group_name(user->gid);
  }
  return survey;
}

std::string layout_below(const std::string& path) {
  return layout_of(Finder().find(path)).value_or("");
}

OfferedRoot offer_of(const config::AgentRoot& root) {
  OfferedRoot offer{root.name, root.path};
  Owners owners;
  owners.look(root);
  offer.many_owners = owners.users().size() > k_most_owners || owners.groups().size() > k_most_owners;
  if (offer.many_owners) return offer;
  offer.users = most_frequent_first(owners.users(), os::user_name);
  offer.groups = most_frequent_first(owners.groups(), os::group_name);
  return offer;
}

}  // namespace maildirsync::cli
