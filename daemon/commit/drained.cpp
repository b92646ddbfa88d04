#include "daemon/commit/drained.h"

#include "common/maildir/name.h"
#include "common/os/names.h"
#include "common/os/printable.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

bool lists(Tree& tree, const std::string& directory, std::string_view base) {
  const auto opened = tree.directory(directory);
  bool found = false;
  const auto listed = opened
                          ? os::for_each_name(**opened, [&](const char* name, std::uint64_t,
                                                            unsigned char) { found |= maildir::base_of(name) == base; })
                          : Result<>(Failure(opened.error()));
  return listed && found;
}

}  // namespace

bool is_message_put(const StagedOperation& staged) {
  return staged.operation.kind == sync::OperationKind::put && staged.operation.to.area != sync::Area::folder;
}

bool is_there_for_a_drain(const StagedOperation& staged) {
  const Account& account = *staged.account;
  if (staged.operation.kind != sync::OperationKind::make_folder || !account.fence || !account.fence->drains()) {
    return false;
  }
  const auto folder = account.tree ? account.tree->directory(staged.operation.to.folder)
                                   : Result<DirectoryPtr>(failure(ErrorCode::root_gone, "", ""));
  const auto has = [&](const char* area, bool wanted) { return !wanted || (*folder)->status(area).has_value(); };
  const sync::FolderShape& shape = staged.operation.folder;
  return folder && has("cur", shape.cur.has_value()) && has("new", shape.new_.has_value()) &&
         has("tmp", shape.tmp.has_value());
}

bool was_had(const StagedOperation& staged) {
  const Account& account = *staged.account;
  if (!is_message_put(staged) || !account.given || !account.tree || !account.fence->drains()) return false;
  const sync::Location& to = staged.operation.to;
  const auto base = maildir::base_of(to.name);
  if (!account.given->has(*account.root, account.path, base)) return false;
  // One that is there is for the transition: it may be torn.
  if (lists(*account.tree, os::join(to.folder, "cur"), base) || lists(*account.tree, os::join(to.folder, "new"), base))
    return false;
  service::log_info("mail-withheld account={} path={} reason=\"the users of this drained root had it, and removed it\"",
                    os::printable(account.path), os::printable(path_of(to)));
  return true;
}

}  // namespace maildirsync::daemon
