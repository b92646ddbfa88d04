#include "agent/destination/kept_releases.h"

#include <algorithm>
#include <utility>

#include "common/os/clock.h"

namespace maildirsync::agent {

using decisions::Book;

namespace {

/// Of a root as a whole.
bool is_of(const decisions::Release& release, const std::string& root, ErrorCode code) {
  return release.root == root && release.account.empty() && release.code == to_string(code);
}

}  // namespace

decisions::Release release_of(const Root& root, const std::string& account, ErrorCode code) {
  return {root.config.name, account, std::string(to_string(code)),
          decisions::stamp_of(os::wall_clock() / 1'000'000'000)};
}

void KeptReleases::note(const Account& account) {
  decisions_.change([release = release_of(roster_.root_of(account), account.path, account.hold_code)](
                        Book& book) { book.releases.push_back(release); },
                    [](const Result<>&) {});
}

void KeptReleases::forget(Account& account) {
  if (!std::exchange(account.released, false)) return;
  const auto accounts = roster_.accounts_of(account.root);
  const bool is_last = std::none_of(accounts.begin(), accounts.end(), [](const Account* one) { return one->released; });
  decisions_.change(
      [root = roster_.root_of(account).config.name, path = account.path, is_last](Book& book) {
        std::erase_if(book.releases, [&](const auto& release) {
          return (release.root == root && release.account == path) ||
                 (is_last && is_of(release, root, ErrorCode::root_gone));
        });
      },
      [](const Result<>&) {});
}

void KeptReleases::forget(const Root& root, ErrorCode code) {
  decisions_.change(
      [name = root.config.name, code](Book& book) {
        std::erase_if(book.releases, [&](const auto& release) { return is_of(release, name, code); });
      },
      [](const Result<>&) {});
}

void KeptReleases::forget(const Root& root) {
  forget(root, ErrorCode::root_gone);
}

void KeptReleases::forget_users_work(const Root& root) {
  forget(root, ErrorCode::users_at_destination);
}

bool KeptReleases::may_undo_users_work(const Root& root) const {
  const auto& releases = decisions_.book().releases;
  return std::any_of(releases.begin(), releases.end(), [&](const auto& release) {
    return is_of(release, root.config.name, ErrorCode::users_at_destination);
  });
}

}  // namespace maildirsync::agent
