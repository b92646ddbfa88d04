#include "daemon/apply/account.h"

namespace maildirsync::daemon {

const sync::Location& subject(const sync::Operation& operation) {
  const bool takes_away =
      operation.kind == sync::OperationKind::remove || operation.kind == sync::OperationKind::remove_folder;
  return takes_away ? operation.from : operation.to;
}

}  // namespace maildirsync::daemon
