#include "agent/send/questions.h"

#include <algorithm>

#include "agent/send/names.h"
#include "common/wire/convert.h"

namespace maildirsync::agent {

Result<AccountListing> ask_for_listing(Link& link, std::uint64_t epoch, const wire::List& question) {
  wire::Header header;
  *header.mutable_list() = question;
  auto answer = link.ask(epoch, std::move(header));
  if (!answer) return Failure(answer.error());
  AccountListing account;
  sync::AccountManifest& manifest = account.manifest;
  manifest.exists = false;
  manifest.structure_whole = true;
  for (const auto& part : *answer) {
    const auto& listing = part.listing();
    if (listing.error() != 0) {
      return failure(static_cast<ErrorCode>(listing.error()), question.account(),
                     "the receiver cannot list the account: " + listing.detail());
    }
    manifest.exists |= listing.exists();
    for (const auto& folder : listing.folders()) {
      if (manifest.folders.empty() || manifest.folders.back().path != folder.path()) {
        auto shape = wire::from_wire(folder.shape());
        if (!shape) return Failure(shape.error());
        manifest.folders.push_back({.path = folder.path(),
                                    .self = shape->self,
                                    .cur = shape->cur,
                                    .new_ = shape->new_,
                                    .tmp = shape->tmp,
                                    .entries = {}});
        if (folder.indexed()) account.indexed.push_back(folder.path());
      }
      for (const auto& wire_entry : folder.entries()) {
        auto entry = wire::from_wire(wire_entry);
        if (!entry) return Failure(entry.error());
        entry->inode = static_cast<std::uint64_t>(wire_entry.changed());
        manifest.folders.back().entries.push_back(std::move(*entry));
      }
    }
  }
  std::sort(manifest.folders.begin(), manifest.folders.end(),
            [](const auto& left, const auto& right) { return left.path < right.path; });
  for (auto& folder : manifest.folders) {
    std::sort(folder.entries.begin(), folder.entries.end(), sync::before_in_folder);
  }
  return account;
}

Result<std::vector<std::string>> ask_for_accounts(Link& link, std::uint64_t epoch, const std::string& root,
                                                  const std::string& pattern) {
  wire::Header question;
  auto& list = *question.mutable_list();
  list.set_root(root);
  list.set_accounts(true);
  list.set_pattern(pattern);
  list.set_looks_only(true);
  auto answer = link.ask(epoch, std::move(question));
  if (!answer) return Failure(answer.error());
  std::vector<std::string> accounts;
  for (const auto& part : *answer) {
    const auto& listing = part.listing();
    if (listing.error() != 0) {
      return failure(static_cast<ErrorCode>(listing.error()), root,
                     "the receiver cannot list the root's accounts: " + listing.detail());
    }
    accounts.insert(accounts.end(), listing.accounts().begin(), listing.accounts().end());
  }
  return accounts;
}

Result<std::vector<std::optional<std::pair<std::uint32_t, std::uint32_t>>>> ask_for_owners(
    Link& link, std::uint64_t epoch, const std::string& root, const std::vector<sync::Attributes>& owners) {
  constexpr std::size_t k_batch = 2000;
  std::vector<std::optional<std::pair<std::uint32_t, std::uint32_t>>> mapped;
  for (std::size_t start = 0; start < owners.size(); start += k_batch) {
    wire::Header names_header;
    wire::Header question;
    auto& map = *question.mutable_map_owners();
    map.set_root(root);
    for (std::size_t i = start; i < std::min(owners.size(), start + k_batch); ++i) {
      auto& user = *names_header.mutable_names()->add_users();
      user.set_id(owners[i].uid);
      user.set_name(user_name(owners[i].uid));
      auto& group = *names_header.mutable_names()->add_groups();
      group.set_id(owners[i].gid);
      group.set_name(group_name(owners[i].gid));
      auto& owner = *map.add_owners();
      owner.set_uid(owners[i].uid);
      owner.set_gid(owners[i].gid);
    }
    if (!link.outbox().push(epoch, names_header, {}, std::nullopt)) {
      return failure(ErrorCode::cancelled, "", "the connection to the receiver broke");
    }
    auto answer = link.ask(epoch, std::move(question));
    if (!answer) return Failure(answer.error());
    for (const auto& part : *answer) {
      for (const auto& owner : part.mapped_owners().owners()) {
        mapped.push_back(owner.ok() ? std::optional(std::pair(owner.uid(), owner.gid())) : std::nullopt);
      }
    }
  }
  return mapped;
}

}  // namespace maildirsync::agent
