#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync {

/// The destination's (uid, gid) of a source owner; nothing when it is not mapped.
using MappedOwner = std::optional<std::pair<std::uint32_t, std::uint32_t>>;
using OwnerMapping = std::function<MappedOwner(const Attributes&)>;

/// The owners of all that an account holds, each once, for asking the receiver.
std::vector<Attributes> owners_in(const AccountManifest& account);
/// What the receiver answered for these owners, in order; any other is not mapped.
OwnerMapping mapping_of(const std::vector<Attributes>& owners, const std::vector<MappedOwner>& answers);

/// What a turn is about to make at the destination. Pure.
std::vector<Intent> intents_of(const std::vector<Operation>& operations);

/// Whether nothing but an intent tells that what the operation makes is ours, as long as it is not on record. Such an
/// intent must be on the disk before the operation is sent: if the source's machine loses its power, the record ends
/// some seconds before what was sent, and what was sent may be gone from the source, expunged or lost with the power.
/// Other flags of a message in its folder, and another content of a control file, are known without.
bool is_known_by_intent_only(const Operation& operation);

struct Reconciled {
  AccountManifest before;       ///< what the destination holds of ours: the `before` of the next plan
  std::vector<Location> extra;  ///< what others put there: never touched
  std::vector<Location> torn;   ///< ours, and not whole: put again
  /// Of `before`: what was ours at another place than the source has it now, and neither the state nor an intent says
  /// so any more. A plan moves it, or removes it where it is at the right place too.
  std::vector<Location> left_over;
};

/// Finds out what of a receiver's listing is ours, when the agent's state is missing, old, or uncertain. Ours is what
/// the state or an intent names, and what equals something at the source (a destination filled earlier by another
/// tool is adopted), also in another folder, where the source has only one message of that base name (it was moved
/// while nobody looked, or a power cut at the source undid its move), and what a power cut has left of it: that comes
/// out as ours and stale, so that the plan puts it again in its place, or removes it where it has another name by now.
/// `listed` has the destination's owners and no inodes; `before` comes out with the source's owners where they are as
/// `owner_at_destination` maps them, and with the inodes of the source. Pure.
Reconciled reconcile(AccountManifest listed, const AccountManifest& known, const std::vector<Intent>& intents,
                     const AccountManifest& after, const OwnerMapping& owner_at_destination);

}  // namespace maildirsync::sync
