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

}  // namespace

ExtraMail extra_mail(const Parts& parts, const std::function<bool(const Account&)>& counts) {
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
  if (extra.files == 0) return "";
  std::string whose;
  for (std::size_t i = 0; i < std::min(extra.first.size(), k_most_named); ++i) {
    whose += fmt::format("{}{}: {}", i > 0 ? ", " : "", extra.first[i].value("account", ""),
                         extra.first[i].value("extra", std::uint64_t{0}));
  }
  if (extra.accounts > k_most_named) whose += ", …";
  return fmt::format(
      "only the destination has {} in {} ({}): the mirror leaves {} there, and a cutover stops at {}. "
      "maildirsync verify names {}{}",
      counted(extra.files, "file"), counted(extra.accounts, "account"), whose, extra.files == 1 ? "it" : "them",
      extra.files == 1 ? "it" : "them", extra.files == 1 ? "it" : "each",
      extra.has_trash ? ", verify --repair --aside-extra moves what is extra into the trash there" : "");
}

}  // namespace maildirsync::agent
