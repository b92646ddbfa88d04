#include "daemon/apply/account.h"

namespace maildirsync::daemon {

std::pair<std::string, std::string> split_last(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", std::string(path)};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

const sync::Location& subject(const sync::Operation& operation) {
  const bool takes_away =
      operation.kind == sync::OperationKind::remove || operation.kind == sync::OperationKind::remove_folder;
  return takes_away ? operation.from : operation.to;
}

}  // namespace maildirsync::daemon
