#include "common/sync/operation.h"

#include "common/os/directory.h"

namespace maildirsync::sync {

std::string directory_of(const Location& at) {
  return os::join(at.folder, at.area == Area::cur ? "cur" : at.area == Area::new_ ? "new" : "");
}

std::string path_of(const Location& at) {
  return os::join(directory_of(at), at.name);
}

const char* name_of(OperationKind kind) {
  switch (kind) {
    case OperationKind::make_folder:
      return "make_folder";
    case OperationKind::rename_folder:
      return "rename_folder";
    case OperationKind::put:
      return "put";
    case OperationKind::put_control:
      return "put_control";
    case OperationKind::link:
      return "link";
    case OperationKind::rename:
      return "rename";
    case OperationKind::remove:
      return "remove";
    case OperationKind::set_attributes:
      return "set_attributes";
    case OperationKind::remove_folder:
      return "remove_folder";
  }
  return "unknown";
}

}  // namespace maildirsync::sync
