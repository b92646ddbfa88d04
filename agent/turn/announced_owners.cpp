#include "agent/turn/announced_owners.h"

#include "agent/turn/on_wire.h"
#include "common/os/name_service.h"

namespace maildirsync::agent {

void AnnouncedOwners::clear() {
  users_.clear();
  groups_.clear();
}

void AnnouncedOwners::add(const sync::Attributes& owner, wire::Names& names) {
  if (users_.insert(owner.uid).second) {
    auto& user = *names.add_users();
    user.set_id(owner.uid);
    user.set_name(os::user_name(owner.uid));
  }
  if (groups_.insert(owner.gid).second) {
    auto& group = *names.add_groups();
    group.set_id(owner.gid);
    group.set_name(os::group_name(owner.gid));
  }
}

void AnnouncedOwners::add(const sync::Operation& operation, wire::Names& names) {
  if (operation.kind == sync::OperationKind::make_folder) {
    add(operation.folder.self, names);
    for (const auto* area : {&operation.folder.cur, &operation.folder.new_, &operation.folder.tmp}) {
      if (*area) add(**area, names);
    }
  } else if (!operation.result.name.empty()) {
    add(operation.result.attributes, names);
    if (changes_owner(operation)) add(operation.expected->attributes, names);
  }
}

}  // namespace maildirsync::agent
