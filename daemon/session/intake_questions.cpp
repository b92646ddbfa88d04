// What an agent asks and decides on a connection: nothing of it waits for a commit.

#include <algorithm>

#include "common/wire/decisions.h"
#include "daemon/session/destinations.h"
#include "daemon/session/intake.h"
#include "daemon/session/space.h"

namespace maildirsync::daemon {

namespace {

constexpr int k_max_owners = 10'000;
constexpr std::size_t k_max_details = wire::k_max_header / 2;  // bytes of sentences in an answer about owners

Result<> check_believed(const wire::List::Believed& believed) {
  MAILDIRSYNC_TRY(check_account(believed.account()));
  const auto& folders = believed.folders();
  const bool good = believed.folders_size() == believed.stamps_size() &&
                    std::all_of(folders.begin(), folders.end(), [](const auto& one) { return os::is_confined(one); });
  return good ? Result<>() : failure(ErrorCode::protocol, "", "a question about folders is not well formed");
}

}  // namespace

Result<> Intake::list(const wire::List& list) {
  if (!list.accounts() && list.believed().empty()) MAILDIRSYNC_TRY(check_account(list.account()));
  for (const auto& believed : list.believed())
    MAILDIRSYNC_TRY(check_believed(believed));
  auto root = open_root(list.root());
  const bool is_of_one_account = !list.accounts() && list.believed_size() == 0;
  if (is_of_one_account && !refusal_of_process()) take_over(root, list.root(), list.account());
  if (root.directory && ownership_ != nullptr && is_of_one_account) {
    const auto ours = ownership_->check(place_of(*root.directory, list.account()), {peer_->fingerprint, list.root()});
    if (!ours) root.error = ours.error();
  }
  const bool looks_only = list.looks_only() || list.accounts() || !list.believed().empty() || !list.had().empty();
  if (!root.error && (!looks_only || list.remove_indexes())) root.error = refusal_of_process();
  if (list.remove_indexes() && !root.error) {
    root.error = fence_of(list.root())->refusal_of_change({list.decision(), list.decision_id()});
  }
  if (root.error) {
    wire::Header answer;
    auto& listing = *answer.mutable_listing();
    listing.set_id(list.id());
    listing.set_last(true);
    listing.set_error(static_cast<std::uint32_t>(root.error->code));
    listing.set_whole_root(root.error->code != ErrorCode::owned_by_another);
    listing.set_detail(root.error->message());
    sinks_.answer(std::move(answer));
    return {};
  }
  sinks_.list({.id = list.id(),
               .root = root.directory,
               .served = root.served,
               .account = list.account(),
               .account_key = key_of(*peer_, root.path, list.account()),
               .owner = {peer_->fingerprint, list.root()},
               .serial = serial_of(list.turn()),
               .digests = list.digests(),
               .control_digests = list.control_digests(),
               .digests_since = list.digests_since(),
               .looks_only = looks_only,
               .remove_indexes = list.remove_indexes(),
               .accounts = list.accounts(),
               .packed = list.packed(),
               .pattern = list.pattern(),
               .believed = {list.believed().begin(), list.believed().end()},
               .had = {list.had().begin(), list.had().end()},
               .given = decisions_.given(root.path)});
  return {};
}

/// The roots as they are configured now, which may have changed since the greeting.
void Intake::use_configured_places() {
  greeted_.places.clear();
  greeted_.shared.clear();
  for (const auto& [root, served] : peer_->roots) {
    greeted_.places[root] = served.path;
    if (served.is_shared) greeted_.shared.insert(root);
  }
}

/// Of a root that was configured here after the agent had asked for it, nobody has looked yet whether its directory
/// has a decision of its own.
std::shared_ptr<const Fence> Intake::fence_of(const std::string& root) {
  const auto fence = decisions_.fence(peer_->fingerprint, root);
  if (fence->is_set() || !peer_->roots.contains(root)) return fence;
  use_configured_places();
  decisions_.decide(greeted_, root, {}, false);
  return fence;
}

/// On the disk before it is answered.
Result<> Intake::decide(const wire::Decide& decide) {
  const std::string& name = decide.decisions().root();
  MAILDIRSYNC_ASSIGN(auto told, wire::from_wire(decide.decisions()));
  wire::Header header;
  auto& answer = *header.mutable_decided();
  answer.set_id(decide.id());
  const auto found = peer_->roots.find(name);
  use_configured_places();
  bool has_adopted = false;
  if (!name.empty() && found == peer_->roots.end()) {
    const auto error = *open_root(name).error;
    answer.set_error(static_cast<std::uint32_t>(error.code));
    answer.set_detail(error.message());
  } else {
    const bool was_refused = refusal_of_process().has_value();
    const auto known = decisions_.decide(greeted_, name, told, decide.adopts());
    has_adopted = was_refused && !refusal_of_process();
    wire::to_wire(known.chain, *answer.mutable_decisions());
    if (known.held) {
      answer.mutable_decisions()->set_held(static_cast<std::uint32_t>(known.held->code));
      answer.mutable_decisions()->set_detail(known.held->message());
    }
  }
  answer.mutable_decisions()->set_root(name);
  sinks_.answer(std::move(header));
  if (has_adopted && sinks_.adopted) sinks_.adopted();
  return {};
}

Result<> Intake::keep_cutover(const wire::Decide& decide) {
  auto refusal = refusal_of_process();
  if (!refusal) {
    const auto kept =
        decisions_.cutovers().keep(peer_->fingerprint, {decide.cutover().revision(), decide.cutover().record()});
    if (!kept) refusal = kept.error();
  }
  wire::Header header;
  header.mutable_decided()->set_id(decide.id());
  if (refusal) {
    header.mutable_decided()->set_error(static_cast<std::uint32_t>(refusal->code));
    header.mutable_decided()->set_detail(refusal->message());
  }
  sinks_.answer(std::move(header));
  return {};
}

Result<> Intake::map_owners(const wire::MapOwners& question) {
  const auto found = peer_->roots.find(question.root());
  if (question.owners_size() > k_max_owners) {
    return failure(ErrorCode::protocol, "", "a question about owners is too long");
  }
  wire::Header answer;
  auto& mapped = *answer.mutable_mapped_owners();
  mapped.set_id(question.id());
  std::size_t details = 0;
  for (const auto& owner : question.owners()) {
    auto& out = *mapped.add_owners();
    const auto id = found == peer_->roots.end() ? Result<OwnerId>(Failure(*open_root(question.root()).error))
                                                : found->second.owners->map(owner.uid(), owner.gid(), names_);
    out.set_ok(id.has_value());
    if (id) {
      out.set_uid(id->uid);
      out.set_gid(id->gid);
    } else if (details < k_max_details) {
      out.set_detail(id.error().message());
      details += out.detail().size();
    }
  }
  if ((question.take_destination() || question.mark_destination()) && found != peer_->roots.end()) {
    const auto& directory = found->second.directory;
    const bool may_take = directory && !refusal_of_process();
    if (may_take && question.take_destination()) (void)directory->take();
    if (may_take && question.mark_destination()) (void)directory->open();
    *mapped.mutable_destination() = destination_of(found->second);
  }
  if (question.space()) {
    const auto root = open_root(question.root());
    tell_space(root.directory.get(), root.error, *mapped.mutable_space());
    if (found != peer_->roots.end() && sinks_.trash_use) {
      tell_trash(sinks_.trash_use(found->second.path), found->second.trash_days, *mapped.mutable_space());
    }
  }
  if (question.has_room()) MAILDIRSYNC_TRY(tell_room(question, *mapped.mutable_room()));
  sinks_.answer(std::move(answer));
  return {};
}

Result<> Intake::tell_room(const wire::MapOwners& question, wire::MappedOwners::Room& out) const {
  const auto& room = question.room();
  MAILDIRSYNC_TRY(check_account(room.account()));
  const auto root = open_root(question.root());
  const auto tried = [&]() -> Result<> {
    if (root.error) return Failure(*root.error);
    MAILDIRSYNC_ASSIGN(const auto owner, root.owners->map(room.uid(), room.gid(), names_));
    return try_room_of(*root.directory, room.account(), room.bytes(), owner, out);
  }();
  out.set_fits(tried.has_value());
  if (!tried) out.set_detail(tried.error().message());
  return {};
}

}  // namespace maildirsync::daemon
