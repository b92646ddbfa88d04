#include "daemon/session/intake.h"

#include <algorithm>

#include "common/maildir/name.h"
#include "common/os/path.h"
#include "common/wire/convert.h"
#include "daemon/apply/account.h"
#include "daemon/owner/mode.h"

namespace maildirsync::daemon {

namespace {

constexpr int k_max_parents = 64;

Result<std::optional<sync::Digest>> digest_of_bytes(const std::string& bytes) {
  if (bytes.empty()) return std::optional<sync::Digest>();
  sync::Digest digest;
  if (bytes.size() != digest.bytes.size()) return failure(ErrorCode::protocol, "", "a digest has no 16 bytes");
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return std::optional(digest);
}

}  // namespace

std::string key_of(const Peer& peer, const std::string& root, const std::string& account) {
  return peer.name + '\0' + root + '\0' + account;
}

Result<> check_account(const std::string& account) {
  if (account.empty() || !os::is_confined(account) || account.find(maildir::k_aside_prefix) != std::string::npos) {
    return failure(ErrorCode::protocol, "", "an account's path is not one below its root");
  }
  return {};
}

Result<bool> Intake::handle(const wire::Frame& frame) {
  const wire::Header& header = frame.header;
  switch (header.kind_case()) {
    case wire::Header::kNames:
    case wire::Header::kOperation:
    case wire::Header::kBody:
      MAILDIRSYNC_TRY(of_account(header, frame.payload));
      break;
    case wire::Header::kPacked:
      if (taken_ == plain_.size()) MAILDIRSYNC_TRY(unpack(header.packed(), frame.payload));
      MAILDIRSYNC_TRY(take_unpacked());
      break;
    case wire::Header::kOpenAccount:
      MAILDIRSYNC_TRY(open_account(header.open_account()));
      break;
    case wire::Header::kList:
      MAILDIRSYNC_TRY(list(header.list()));
      break;
    case wire::Header::kMapOwners:
      MAILDIRSYNC_TRY(map_owners(header.map_owners()));
      break;
    case wire::Header::kDecide:
      MAILDIRSYNC_TRY(header.decide().has_cutover() ? keep_cutover(header.decide()) : decide(header.decide()));
      break;
    default:
      return failure(ErrorCode::protocol, "", "a frame came that an agent does not send after its greeting");
  }
  if (!staged_.empty()) sinks_.staged(std::exchange(staged_, {}));
  return taken_ == plain_.size();
}

/// What may also come packed.
Result<> Intake::of_account(const wire::Header& header, std::string_view payload) {
  switch (header.kind_case()) {
    case wire::Header::kNames:
      return names(header.names());
    case wire::Header::kOperation:
      return operation(header.operation(), payload);
    case wire::Header::kBody:
      return body(header.body(), payload);
    default:
      return failure(ErrorCode::protocol, "", "a frame was packed that must not be");
  }
}

Result<> Intake::unpack(const wire::Packed& packed, std::string_view payload) {
  if (packed.plain_size() > wire::k_max_packed) {
    return failure(ErrorCode::protocol, "", "packed frames are over the bound");
  }
  if (packed.fresh()) decompressor_.reset();
  plain_ = {};
  taken_ = 0;
  // Never smaller again: to make it larger costs as much as to clear it.
  if (unpacked_.size() < packed.plain_size()) unpacked_.resize(packed.plain_size());
  const std::span out(unpacked_.data(), packed.plain_size());
  MAILDIRSYNC_TRY(decompressor_.decompress(payload, out));
  if (windows_.set(decompressor_.memory()) > PeerLoad::k_windows) {
    return failure(ErrorCode::too_big, "",
                   "the compression on all connections of this agent takes too much memory here");
  }
  plain_ = std::string_view(out.data(), out.size());
  return {};
}

Result<> Intake::take_unpacked() {
  wire::Header header;
  while (taken_ < plain_.size() && staged_.size() < part_) {
    std::string_view rest = plain_.substr(taken_);
    MAILDIRSYNC_ASSIGN(const auto lengths, wire::decode_prefix(rest.substr(0, wire::k_prefix)));
    rest.remove_prefix(wire::k_prefix);
    if (rest.size() < std::size_t{lengths.header} + lengths.payload) {
      return failure(ErrorCode::protocol, "", "packed frames end within one");
    }
    MAILDIRSYNC_TRY(wire::decode_header(rest.substr(0, lengths.header), header));
    rest.remove_prefix(lengths.header);
    MAILDIRSYNC_TRY(of_account(header, rest.substr(0, lengths.payload)));
    taken_ += wire::k_prefix + lengths.header + lengths.payload;
  }
  return {};
}

Result<> Intake::names(const wire::Names& names) {
  for (const auto& user : names.users())
    MAILDIRSYNC_TRY(names_.add_user(user.id(), user.name()));
  for (const auto& group : names.groups())
    MAILDIRSYNC_TRY(names_.add_group(group.id(), group.name()));
  if (known_names_.set(names_.size()) > PeerLoad::k_names) {
    return failure(ErrorCode::too_big, "", "the agent names too many users and groups on all its connections");
  }
  return {};
}

/// The root is opened anew each time: it may have been mounted since. One that is not configured does not violate the
/// protocol, because both sides' configurations are not changed at one moment.
Intake::OpenedRoot Intake::open_root(const std::string& name) const {
  const auto found = peer_->roots.find(name);
  if (found == peer_->roots.end()) {
    return {.error = Error{ErrorCode::root_gone, "",
                           "the root \"" + name + "\" is not configured for peer \"" + peer_->name +
                               "\" at the receiver; add a [[peer.root]] with that name there and reload it",
                           0}};
  }
  OpenedRoot root{.path = found->second.path,
                  .owners = found->second.owners,
                  .has_trash = found->second.trash_days > 0,
                  .served = found->second.directory};
  auto directory = open_served_root(found->second);
  if (directory) {
    root.directory = std::make_shared<const os::Directory>(std::move(*directory));
  } else {
    root.error = directory.error();
  }
  return root;
}

/// A drained root takes an account from a mirrored one of its agent: its users have moved. What they have by then is
/// noted first. Never the other way round, since nothing may be changed again there without a person's word.
void Intake::take_over(OpenedRoot& root, const std::string& name, const std::string& account) const {
  if (!root.directory || ownership_ == nullptr || !fence_says_drained(name)) return;
  const Ownership::Owner owner{peer_->fingerprint, name};
  const std::string place = place_of(*root.directory, account);
  const auto from = ownership_->other_root(place, owner);
  if (!from || fence_says_drained(*from)) return;
  auto done = decisions_.given(root.path)->note_account(*root.directory, account);
  if (done) done = ownership_->hand_over(place, *from, owner);
  if (done) return;
  root.error = std::move(done.error());
  root.directory = nullptr;
}

bool Intake::fence_says_drained(const std::string& root) const {
  const auto fence = decisions_.fence(peer_->fingerprint, root);
  const auto entered = fence->enter();
  return fence->drains();
}

std::uint64_t Intake::serial_of(std::uint64_t turn) const {
  constexpr int k_turn_bits = 40;
  return run_ << k_turn_bits | std::min(turn, (std::uint64_t{1} << k_turn_bits) - 1);
}

/// Of all that would change something, when another process with the agent's key is obeyed.
std::optional<Error> Intake::refusal_of_process() const {
  if (!tenure_ || tenure_->obeys(greeted_.session)) return std::nullopt;
  return Error{ErrorCode::foreign_agent, "", "another agent with the same key is obeyed", 0};
}

Result<> Intake::open_account(const wire::OpenAccount& open) {
  MAILDIRSYNC_TRY(check_account(open.account()));
  if (open.parents_size() > k_max_parents) return failure(ErrorCode::protocol, "", "an account lies too deep");
  auto root = open_root(open.root());
  if (auto refusal = refusal_of_process()) {
    root.error = std::move(refusal);
    root.directory = nullptr;
  } else {
    take_over(root, open.root(), open.account());
  }
  std::shared_ptr<OwnedAccount> claim;
  if (root.directory && ownership_ != nullptr) {
    claim = std::make_shared<OwnedAccount>(*ownership_, place_of(*root.directory, open.account()),
                                           Ownership::Owner{peer_->fingerprint, open.root()}, open.name());
    if (auto ours = claim->open(*root.directory, open.account()); !ours) {
      root.error = std::move(ours.error());
      root.directory = nullptr;
    }
  }
  auto account = std::make_shared<Account>();
  account->root_name = open.root();
  account->path = open.account();
  account->key = key_of(*peer_, root.path, open.account());
  account->claim = std::move(claim);
  account->serial = serial_of(open.turn());
  account->tenure = tenure_;
  account->session = greeted_.session;
  account->root = root.directory;
  account->root_error = root.error;
  account->served = root.served;
  account->fence = root.directory ? fence_of(open.root()) : decisions_.fence(peer_->fingerprint, open.root());
  account->given = decisions_.given(root.path);
  account->decision = {open.decision(), open.decision_id()};
  if (root.directory) {
    std::vector<std::optional<sync::Attributes>> parents;
    for (const auto& parent : open.parents()) {
      const auto owner = root.owners->map_above_account(parent.uid(), parent.gid(), names_);
      // Who makes a file in a set-group-ID directory gives it that group: root's is nothing to be given so.
      const auto mode = directory_mode(parent.mode()) & (owner && owner->gid == 0 ? 01777U : 07777U);
      parents.push_back(owner ? std::optional(sync::Attributes{mode, owner->uid, owner->gid}) : std::nullopt);
    }
    account->tree = std::make_shared<Tree>(root.directory, account->path, std::move(parents));
    if (root.has_trash) account->tree->keep_trash({open.name(), open.root(), peer_->name});
  }
  sinks_.opened(*account);
  decompressor_.reset();
  return stager_.open(std::move(account), std::move(root.owners));
}

Result<> Intake::operation(const wire::Operation& operation, std::string_view payload) {
  MAILDIRSYNC_ASSIGN(const auto basis, digest_of_bytes(operation.basis()));
  MAILDIRSYNC_ASSIGN(auto staged, stager_.operation({.sequence = operation.sequence(),
                                                     .operation = wire::from_wire(operation),
                                                     .piece = payload,
                                                     .more = operation.more(),
                                                     .basis = basis,
                                                     .foreign = operation.foreign(),
                                                     .unless_written = operation.unless_written()},
                                                    names_));
  if (staged) staged_.push_back(std::move(*staged));
  return {};
}

Result<> Intake::body(const wire::Body& body, std::string_view payload) {
  MAILDIRSYNC_ASSIGN(const auto digest, digest_of_bytes(body.digest()));
  MAILDIRSYNC_ASSIGN(
      auto staged,
      stager_.body({.piece = payload, .last = body.last(), .abandoned = body.abandoned(), .digest = digest}));
  if (staged) staged_.push_back(std::move(*staged));
  return {};
}

}  // namespace maildirsync::daemon
