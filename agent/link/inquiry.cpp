#include "agent/link/inquiry.h"

#include <algorithm>
#include <functional>

#include "common/os/name_service.h"
#include "common/wire/convert.h"
#include "common/wire/listing.h"

namespace maildirsync::agent {

namespace {

/// Calls `take` for each piece of the answer, of which one at a time is unpacked. `of` and `what` are for the sentence
/// when the receiver cannot answer.
Result<> ask_for_pieces(Link& link, std::uint64_t epoch, wire::List question, const std::string& of, const char* what,
                        const std::function<Result<>(const wire::Listing&)>& take) {
  wire::Header header;
  question.set_packed(true);
  *header.mutable_list() = std::move(question);
  MAILDIRSYNC_ASSIGN(auto answer, link.ask(epoch, std::move(header)));
  for (auto& part : answer) {
    wire::Listing listing = std::move(*part.mutable_listing());
    if (listing.error() != 0 && listing.whole_root()) {
      return failure(static_cast<ErrorCode>(listing.error()), "", listing.detail());
    }
    if (listing.error() != 0) {
      return failure(static_cast<ErrorCode>(listing.error()), of,
                     std::string("the receiver cannot list ") + what + ": " + listing.detail());
    }
    MAILDIRSYNC_TRY(wire::unpack(listing));
    MAILDIRSYNC_TRY(take(listing));
  }
  return {};
}

void add_names(wire::Header& names, std::uint32_t uid, std::uint32_t gid) {
  auto& user = *names.mutable_names()->add_users();
  user.set_id(uid);
  user.set_name(os::user_name(uid));
  auto& group = *names.mutable_names()->add_groups();
  group.set_id(gid);
  group.set_name(os::group_name(gid));
}

}  // namespace

Result<AccountListing> ask_for_listing(Link& link, std::uint64_t epoch, const wire::List& question) {
  AccountListing account;
  sync::AccountManifest& manifest = account.manifest;
  manifest.exists = false;
  manifest.structure_whole = true;
  const auto take = [&](const wire::Listing& listing) -> Result<> {
    manifest.exists |= listing.exists();
    for (const auto& folder : listing.folders()) {
      if (manifest.folders.empty() || manifest.folders.back().path != folder.path()) {
        MAILDIRSYNC_ASSIGN(auto shape, wire::from_wire(folder.shape()));
        manifest.folders.push_back({.path = folder.path(),
                                    .self = shape.self,
                                    .cur = shape.cur,
                                    .new_ = shape.new_,
                                    .tmp = shape.tmp,
                                    .entries = {}});
        if (folder.indexed()) account.indexed.push_back(folder.path());
        if (folder.has_times()) account.times[folder.path()] = wire::from_wire(folder.times());
        account.looks.emplace(folder.path(), folder.stamp());
      }
      for (const auto& wire_entry : folder.entries()) {
        MAILDIRSYNC_ASSIGN(auto entry, wire::from_wire(wire_entry));
        entry.inode = static_cast<std::uint64_t>(wire_entry.changed());
        manifest.folders.back().entries.push_back(std::move(entry));
      }
    }
    return {};
  };
  MAILDIRSYNC_TRY(ask_for_pieces(link, epoch, question, question.account(), "the account", take));
  std::sort(manifest.folders.begin(), manifest.folders.end(),
            [](const auto& left, const auto& right) { return left.path < right.path; });
  for (auto& folder : manifest.folders) {
    std::sort(folder.entries.begin(), folder.entries.end(), sync::before_in_folder);
  }
  return account;
}

Result<std::vector<std::string>> ask_for_accounts(Link& link, std::uint64_t epoch, const std::string& root,
                                                  const std::string& pattern) {
  wire::List question;
  question.set_root(root);
  question.set_accounts(true);
  question.set_pattern(pattern);
  question.set_looks_only(true);
  std::vector<std::string> accounts;
  const auto take = [&](const wire::Listing& listing) -> Result<> {
    accounts.insert(accounts.end(), listing.accounts().begin(), listing.accounts().end());
    return {};
  };
  MAILDIRSYNC_TRY(ask_for_pieces(link, epoch, std::move(question), root, "the root's accounts", take));
  return accounts;
}

Result<wire::MappedOwners> ask_about_owners(Link& link, std::uint64_t epoch, const std::string& root,
                                            std::span<const sync::Attributes> owners, bool space) {
  wire::Header names, question;
  auto& map = *question.mutable_map_owners();
  map.set_root(root);
  map.set_space(space);
  for (const auto& asked : owners) {
    add_names(names, asked.uid, asked.gid);
    auto& owner = *map.add_owners();
    owner.set_uid(asked.uid);
    owner.set_gid(asked.gid);
  }
  if (!owners.empty() && !link.outbox().push(epoch, names, {}, std::nullopt)) {
    return failure(ErrorCode::cancelled, "", "the connection to the receiver broke");
  }
  MAILDIRSYNC_ASSIGN(auto answer, link.ask(epoch, std::move(question)));
  return std::move(*answer.front().mutable_mapped_owners());
}

Result<wire::MappedOwners::Room> ask_for_room(Link& link, std::uint64_t epoch, const std::string& root,
                                              const std::string& account, std::uint64_t bytes,
                                              const sync::Attributes& owner) {
  wire::Header names, question;
  auto& map = *question.mutable_map_owners();
  map.set_root(root);
  auto& room = *map.mutable_room();
  room.set_account(account);
  room.set_bytes(bytes);
  room.set_uid(owner.uid);
  room.set_gid(owner.gid);
  add_names(names, owner.uid, owner.gid);
  if (!link.outbox().push(epoch, names, {}, std::nullopt)) {
    return failure(ErrorCode::cancelled, "", "the connection to the receiver broke");
  }
  MAILDIRSYNC_ASSIGN(auto answer, link.ask(epoch, std::move(question)));
  auto& mapped = *answer.front().mutable_mapped_owners();
  if (!mapped.has_room()) return failure(ErrorCode::protocol, "", "the receiver does not tell how much room it has");
  return std::move(*mapped.mutable_room());
}

Result<std::vector<std::uint32_t>> ask_for_differing(Link& link, std::uint64_t epoch, const wire::List& question) {
  std::vector<std::uint32_t> differing;
  const auto take = [&](const wire::Listing& listing) -> Result<> {
    differing.assign(listing.differing().begin(), listing.differing().end());
    return {};
  };
  MAILDIRSYNC_TRY(ask_for_pieces(link, epoch, question, question.root(), "the root's folders", take));
  return differing;
}

Result<std::set<std::string>> ask_for_had(Link& link, std::uint64_t epoch, const std::string& root,
                                          const std::string& account, const std::set<std::string>& bases) {
  constexpr std::size_t k_at_once = 128 * 1024;  // bytes
  std::set<std::string> had;
  for (auto next = bases.begin(); next != bases.end();) {
    wire::List question;
    question.set_root(root);
    question.set_account(account);
    std::vector<const std::string*> asked;
    for (std::size_t size = 0; next != bases.end() && size < k_at_once; ++next) {
      question.add_had(*next);
      asked.push_back(&*next);
      size += next->size() + 2;
    }
    bool answers = false;
    const auto take = [&](const wire::Listing& listing) -> Result<> {
      answers |= listing.answers_had();
      for (const std::uint32_t index : listing.were_had()) {
        if (index < asked.size()) had.insert(*asked[index]);
      }
      return {};
    };
    MAILDIRSYNC_TRY(ask_for_pieces(link, epoch, std::move(question), account, "what users had", take));
    if (!answers) return failure(ErrorCode::protocol, account, "the receiver does not tell what users had");
  }
  return had;
}

Result<wire::Destination> mark_destination(Link& link, std::uint64_t epoch, const std::string& root) {
  wire::Header question;
  question.mutable_map_owners()->set_root(root);
  question.mutable_map_owners()->set_mark_destination(true);
  MAILDIRSYNC_ASSIGN(auto answer, link.ask(epoch, std::move(question)));
  return std::move(*answer.front().mutable_mapped_owners()->mutable_destination());
}

Result<wire::Destination> take_destination(Link& link, std::uint64_t epoch, const std::string& root) {
  wire::Header question;
  question.mutable_map_owners()->set_root(root);
  question.mutable_map_owners()->set_take_destination(true);
  MAILDIRSYNC_ASSIGN(auto answer, link.ask(epoch, std::move(question)));
  return std::move(*answer.front().mutable_mapped_owners()->mutable_destination());
}

Result<std::vector<sync::MappedOwner>> ask_for_owners(Link& link, std::uint64_t epoch, const std::string& root,
                                                      const std::vector<sync::Attributes>& owners) {
  std::vector<sync::MappedOwner> mapped;
  for (std::span<const sync::Attributes> rest = owners; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), k_owners_at_once));
    MAILDIRSYNC_ASSIGN(const auto answer, ask_about_owners(link, epoch, root, some, false));
    for (const auto& owner : answer.owners())
      mapped.push_back(owner.ok() ? std::optional(std::pair(owner.uid(), owner.gid())) : std::nullopt);
    rest = rest.subspan(some.size());
  }
  return mapped;
}

}  // namespace maildirsync::agent
