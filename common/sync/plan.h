#pragma once

#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync {

/// Decides what to send: the operations that turn `before` (what the destination holds of ours) into `after` (what the
/// source holds). Pure; the only place that decides it. The order keeps, after every prefix:
///   - a folder's control files are never newer than its messages: put_control and the rest of follows_messages() come
///     after every put, link and rename of the account;
///   - a message that moves is at its new place before it leaves the old one;
///   - a name is free, or replaced by its own successor, when something is put there.
/// Both sides speak of the same scope: of a folder with Scope::names, only the names that both were asked about.
/// Folders that only `before` has are removed when after.structure_whole.
std::vector<Operation> plan(const AccountManifest& before, const AccountManifest& after);

/// The result of a plan in the model: applies the operations to `before`. plan's property is
/// apply(plan(a, b), a) == b; the tests and the state database use it as the meaning of an operation.
/// Unknown names are ignored, as by a receiver that is asked twice.
AccountManifest apply(AccountManifest manifest, const std::vector<Operation>& operations);

}  // namespace maildirsync::sync
