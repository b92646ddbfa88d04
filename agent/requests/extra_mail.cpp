#include "agent/requests/extra_mail.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "common/os/printable.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_most_listed = 100;
constexpr std::size_t k_most_named = 3;  ///< in a sentence

std::string counted(std::uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string describe_files(const ExtraMail& extra, std::string whose) {
  if (extra.files == 0) return "";
  if (extra.accounts > k_most_named) whose += ", …";
  return fmt::format(
      "only the destination has {} in {} ({}): the mirror leaves {} there, and a cutover stops at {}. "
      "maildirsync verify names {}{}",
      counted(extra.files, "file"), counted(extra.accounts, "account"), whose, extra.files == 1 ? "it" : "them",
      extra.files == 1 ? "it" : "them", extra.files == 1 ? "it" : "each",
      extra.has_trash ? ", verify --repair --aside-extra moves what is extra into the trash there" : "");
}

std::string describe_accounts(const ExtraMail& extra, std::string whose) {
  if (extra.whole_accounts == 0) return "";
  if (extra.whole_accounts > k_most_named) whose += ", …";
  const bool is_one = extra.whole_accounts == 1;
  return fmt::format(
      "only the destination has {} ({}), which the source lacks as a whole: the mirror leaves {} there, and a cutover "
      "stops at {}. Look at {}; what is not wanted must be moved away there, or named in exclude of agent.toml",
      counted(extra.whole_accounts, "account"), whose, is_one ? "it" : "them", is_one ? "it" : "each",
      is_one ? "it" : "them");
}

}  // namespace

ExtraMail extra_mail(const Parts& parts, const std::function<bool(const Account&)>& counts,
                     const std::function<bool(const Root&)>& counts_root) {
  ExtraMail all;
  std::vector<const Account*> having;
  for (const auto& [id, account] : parts.roster.accounts) {
    const Root& root = parts.roster.root_of(account);
    if (account.extra == 0 || root.removed || root.mode != config::Mode::mirror) continue;
    if (counts && !counts(account)) continue;
    all.files += account.extra;
    all.has_trash |= parts.lanes.has_trash(root.config.name);
    having.push_back(&account);
  }
  all.accounts = having.size();
  for (const auto& root : parts.roster.roots) {
    if (root.removed || root.mode != config::Mode::mirror) continue;
    if (counts_root && !counts_root(root)) continue;
    all.whole_accounts += root.only_there.size();
    for (const auto& account : root.only_there) {
      if (all.first.size() >= k_most_listed) break;
      all.first.push_back(
          {{"root", root.config.name}, {"account", os::printable(account)}, {"extra", 0}, {"whole", true}});
    }
  }
  const std::size_t listed = std::min(having.size(), k_most_listed);
  std::partial_sort(having.begin(), having.begin() + static_cast<std::ptrdiff_t>(listed), having.end(),
                    [](const Account* left, const Account* right) {
                      if (left->extra != right->extra) return left->extra > right->extra;
                      return left->name < right->name;
                    });
  for (std::size_t i = 0; i < listed; ++i) {
    all.first.push_back({{"root", parts.roster.root_of(*having[i]).config.name},
                         {"account", os::printable(having[i]->name)},
                         {"extra", having[i]->extra}});
  }
  return all;
}

std::string describe(const ExtraMail& extra) {
  std::string files, whole;
  std::size_t named_files = 0, named_whole = 0;
  for (const auto& one : extra.first) {
    const auto account = one.value("account", "");
    if (one.value("whole", false)) {
      if (++named_whole <= k_most_named) whole += (named_whole > 1 ? ", " : "") + account;
    } else if (++named_files <= k_most_named) {
      files += fmt::format("{}{}: {}", named_files > 1 ? ", " : "", account, one.value("extra", std::uint64_t{0}));
    }
  }
  const std::string of_accounts = describe_accounts(extra, whole);
  const std::string of_files = describe_files(extra, files);
  return of_files + (of_files.empty() || of_accounts.empty() ? "" : "; ") + of_accounts;
}

}  // namespace maildirsync::agent
