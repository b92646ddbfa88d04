#include "common/maildir/search_index.h"

#include "common/os/path.h"

namespace maildirsync::maildir {

bool is_search_index(const os::Directory& folder, const std::string& name) {
  if (name != "xapian-indexes" && name != "fts-flatcurve" && name != "lucene-indexes") return false;
  const auto has = [&](const char* area) { return folder.status(os::join(name, area)).has_value(); };
  return !has("cur") && !has("new");
}

}  // namespace maildirsync::maildir
