#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include "common/maildir/layout.h"
#include "common/os/directory.h"
#include "common/sync/manifest.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::daemon {

enum class Digests : std::uint8_t { no, control_files, all };

/// Whether the entries tell when they were last changed in any way.
enum class ChangeStamps : std::uint8_t { no, yes };

/// What becomes of Dovecot's indexes.
enum class Indexes : std::uint8_t { keep, remove };

/// Names of files in the order in which they were added, in little more memory than their bytes: a folder may have
/// millions. What was taken is free.
class NameList {
 public:
  void add(std::string_view name);
  bool empty() const { return blocks_.empty(); }
  std::string take_first();

 private:
  std::deque<std::string> blocks_;  ///< of names that each end in NUL; none is empty
  std::size_t position_ = 0;        ///< in the first
};

/// Lists what the destination holds of one account, piece by piece: each next() is one Listing of bounded size (what is
/// read for digests counts). With `digests_since` (nanoseconds since the epoch), also files that were changed in any
/// way from then on have digests. Entries have the destination's owners. What we wrote aside before a crash is removed
/// on the way. Blocks on files; used by one thread at a time.
class Lister {
 public:
  Lister(std::shared_ptr<const os::Directory> root, std::string account, std::uint64_t id, Digests digests,
         ChangeStamps stamps = ChangeStamps::no, Indexes indexes = Indexes::keep, std::int64_t digests_since = 0);

  /// The next piece; the one with `last` set ends it.
  wire::Listing next();

 private:
  struct Area {
    std::uint32_t area = 0;
    std::string directory;  ///< below the account
  };
  struct Folder {
    std::string path;
    wire::FolderShape shape;
    wire::KeptTimes times;
    bool indexed = false;
    std::uint64_t look = 0;
    std::deque<Area> areas;
  };

  bool open_next_folder();
  bool open_next_area();
  bool wants_digest(const sync::Entry& entry, const struct stat& status) const;
  void add_entry(const std::string& name, wire::Listing::Folder& out, std::size_t& size);
  Result<std::optional<sync::Digest>> read(const std::string& name);
  void fail(const Error& error);
  wire::Listing piece() const;

  std::shared_ptr<const os::Directory> root_;
  std::string account_;
  std::uint64_t id_;
  Digests digests_;
  ChangeStamps stamps_;
  Indexes indexes_;
  std::int64_t digests_since_;
  bool exists_ = false;
  std::optional<Error> error_;
  std::vector<std::string> waiting_;  ///< folders still to be listed
  std::optional<Folder> folder_;
  os::Directory area_directory_;
  std::uint32_t area_ = 0;
  NameList entries_;
};

/// The accounts below a root, as the agent's layout finds them, but for those that are not told: for what the
/// destination has and the source has not.
std::vector<wire::Listing> list_accounts(const os::Directory& root, const maildir::Layout& layout, std::uint64_t id,
                                         const std::function<bool(const std::string& account)>& is_told);

}  // namespace maildirsync::daemon
