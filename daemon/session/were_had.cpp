#include "daemon/session/were_had.h"

namespace maildirsync::daemon {

wire::Listing find_had(const ListRequest& request) {
  wire::Listing answer;
  answer.set_id(request.id);
  answer.set_last(true);
  answer.set_answers_had(true);
  std::uint32_t index = 0;
  for (const auto& base : request.had) {
    if (request.given->has(*request.root, request.account, base)) answer.add_were_had(index);
    ++index;
  }
  return answer;
}

}  // namespace maildirsync::daemon
