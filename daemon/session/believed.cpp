#include "daemon/session/believed.h"

#include "daemon/apply/folder_look.h"

namespace maildirsync::daemon {

namespace {

bool looks_so(const os::Directory& root, const wire::List::Believed& believed) {
  for (int i = 0; i < believed.folders_size(); ++i) {
    const auto look = look_at_folder(root, os::join(believed.account(), believed.folders(i)));
    if (look == k_look_unknown || look != believed.stamps(i)) return false;
  }
  return true;
}

}  // namespace

wire::Listing compare_looks(const ListRequest& request) {
  wire::Listing answer;
  answer.set_id(request.id);
  answer.set_last(true);
  std::uint32_t index = 0;
  for (const auto& believed : request.believed) {
    if (!looks_so(*request.root, believed)) answer.add_differing(index);
    ++index;
  }
  return answer;
}

}  // namespace maildirsync::daemon
