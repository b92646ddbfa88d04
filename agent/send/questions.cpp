#include "agent/send/questions.h"

#include <algorithm>

#include "agent/send/names.h"
#include "common/wire/convert.h"
#include "common/wire/listing.h"

namespace maildirsync::agent {

Result<AccountListing> ask_for_listing(Link& link, std::uint64_t epoch, const wire::List& question) {
  wire::Header header;
  *header.mutable_list() = question;
  header.mutable_list()->set_packed(true);
  auto answer = link.ask(epoch, std::move(header));
  if (!answer) return Failure(answer.error());
  AccountListing account;
  sync::AccountManifest& manifest = account.manifest;
  manifest.exists = false;
  manifest.structure_whole = true;
  for (auto& part : *answer) {
    wire::Listing listing = std::move(*part.mutable_listing());  // so that each goes before the next is unpacked
    if (listing.error() != 0) {
      return failure(static_cast<ErrorCode>(listing.error()), question.account(),
                     "the receiver cannot list the account: " + listing.detail());
    }
    MAILDIRSYNC_TRY(wire::unpack(listing));
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
  list.set_packed(true);
  auto answer = link.ask(epoch, std::move(question));
  if (!answer) return Failure(answer.error());
  std::vector<std::string> accounts;
  for (auto& part : *answer) {
    wire::Listing listing = std::move(*part.mutable_listing());  // so that each goes before the next is unpacked
    if (listing.error() != 0) {
      return failure(static_cast<ErrorCode>(listing.error()), root,
                     "the receiver cannot list the root's accounts: " + listing.detail());
    }
    MAILDIRSYNC_TRY(wire::unpack(listing));
    accounts.insert(accounts.end(), listing.accounts().begin(), listing.accounts().end());
  }
  return accounts;
}

Result<wire::MappedOwners> ask_about_owners(Link& link, std::uint64_t epoch, const std::string& root,
                                            std::span<const sync::Attributes> owners, bool space) {
  wire::Header names, question;
  auto& map = *question.mutable_map_owners();
  map.set_root(root);
  map.set_space(space);
  for (const auto& asked : owners) {
    auto& user = *names.mutable_names()->add_users();
    user.set_id(asked.uid);
    user.set_name(user_name(asked.uid));
    auto& group = *names.mutable_names()->add_groups();
    group.set_id(asked.gid);
    group.set_name(group_name(asked.gid));
    auto& owner = *map.add_owners();
    owner.set_uid(asked.uid);
    owner.set_gid(asked.gid);
  }
  if (!owners.empty() && !link.outbox().push(epoch, names, {}, std::nullopt)) {
    return failure(ErrorCode::cancelled, "", "the connection to the receiver broke");
  }
  auto answer = link.ask(epoch, std::move(question));
  if (!answer) return Failure(answer.error());
  return std::move(*answer->front().mutable_mapped_owners());
}

Result<std::vector<sync::MappedOwner>> ask_for_owners(Link& link, std::uint64_t epoch, const std::string& root,
                                                      const std::vector<sync::Attributes>& owners) {
  std::vector<sync::MappedOwner> mapped;
  for (std::span<const sync::Attributes> rest = owners; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), k_owners_at_once));
    const auto answer = ask_about_owners(link, epoch, root, some, false);
    if (!answer) return Failure(answer.error());
    for (const auto& owner : answer->owners())
      mapped.push_back(owner.ok() ? std::optional(std::pair(owner.uid(), owner.gid())) : std::nullopt);
    rest = rest.subspan(some.size());
  }
  return mapped;
}

}  // namespace maildirsync::agent
