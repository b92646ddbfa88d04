#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "common/sync/operation.h"
#include "daemon/apply/tree.h"
#include "daemon/decisions/fence.h"
#include "daemon/decisions/given.h"
#include "daemon/roots/served_directory.h"

namespace maildirsync::daemon {

/// An account as one connection opened it. The connection's strand makes it; the committer alone uses `tree`.
struct Account {
  std::string root_name;
  std::string path;                           ///< below the root; never empty
  std::string key;                            ///< the same for every connection that opens this account
  std::uint64_t serial = 0;                   ///< the later the agent opened the account, the higher
  std::shared_ptr<const os::Directory> root;  ///< null with `root_error`
  std::optional<Error> root_error;
  std::shared_ptr<ServedDirectory> served;  ///< what `root` was opened of; may be null
  std::shared_ptr<Tree> tree;
  std::shared_ptr<const Fence> fence;  ///< what is decided of the root; null where nothing can be
  std::shared_ptr<Given> given;        ///< what the root has had while it is drained; null with `fence`
  decisions::Token decision;           ///< that the agent goes by
};

/// "a/b/c" → {"a/b", "c"}; "c" → {"", "c"}.
std::pair<std::string, std::string> split_last(std::string_view path);
/// What a problem about an operation is about.
const sync::Location& subject(const sync::Operation& operation);

}  // namespace maildirsync::daemon
