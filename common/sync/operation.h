#pragma once

#include <optional>
#include <string>

#include "common/sync/manifest.h"

namespace maildirsync::sync {

/// The numbers travel on the wire.
enum class OperationKind : std::uint8_t {
  make_folder = 1,     ///< to.folder becomes as `folder` says: its directory, cur/, new/, tmp/, owners, modes
  rename_folder = 2,   ///< from.folder becomes to.folder, with all below it
  put = 3,             ///< a message: `result` appears at `to`; the body travels with it
  put_control = 4,     ///< a control file: the same, but after the messages, replacing, and as a delta where possible
  link = 5,            ///< a hard link of `from` appears at `to`
  rename = 6,          ///< `from` becomes `to`
  remove = 7,          ///< `from` goes
  set_attributes = 8,  ///< `to` gets mode, owner and mtime of `result`; its content is equal
  remove_folder = 9,   ///< from.folder goes, with the areas in it and what is rebuilt (dovecot.index*)
};

struct Location {
  std::string folder;
  Area area = Area::cur;
  std::string name;  ///< "" for a folder itself
  bool operator==(const Location&) const = default;
};

/// The directory that a location lies in, relative to the account: "Sent/cur", "".
std::string directory_of(const Location& at);
/// The location's own path, relative to the account: folder, cur or new, name.
std::string path_of(const Location& at);

/// Something that the agent is about to create at the destination; when it lost touch with the receiver and the like of
/// it is there, it is ours.
struct Intent {
  Location to;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::uint64_t inode = 0;  ///< at the source: a message that was renamed meanwhile, or linked, is known by it
  bool operator==(const Intent&) const = default;
};

struct FolderShape {
  Attributes self;
  std::optional<Attributes> cur, new_, tmp;
  bool operator==(const FolderShape&) const = default;
};

/// One step from `before` to `after`; can be repeated without harm.
struct Operation {
  OperationKind kind = OperationKind::put;
  Location from;                   ///< link, rename, remove, rename_folder, remove_folder
  Location to;                     ///< all others
  std::optional<Entry> expected;   ///< what is there before: at `from`, or for put and put_control at `to` (replaced)
  Entry result;                    ///< put, put_control, link, rename, set_attributes: the entry afterwards
  FolderShape folder;              ///< make_folder
  std::uint64_t folder_inode = 0;  ///< make_folder, rename_folder: the source's
  bool to_trash = false;           ///< remove, remove_folder: put aside at the destination, for some days
};

/// "put", "rename_folder", …: for logs.
const char* name_of(OperationKind kind);

/// Whether the operation names messages or takes something away, and so must wait for everything before it in its
/// account: control files name messages; a removed message may have been put elsewhere just before.
inline bool follows_messages(OperationKind kind) {
  return kind == OperationKind::put_control || kind == OperationKind::remove || kind == OperationKind::remove_folder;
}

}  // namespace maildirsync::sync
