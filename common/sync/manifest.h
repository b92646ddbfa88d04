#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace maildirsync::sync {

/// XXH3-128 of a file's bytes, big-endian (the canonical form of xxHash).
struct Digest {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Digest&) const = default;
};

/// Where in a folder a file lies.
enum class Area : std::uint8_t {
  folder = 0,  ///< in the folder's own directory: control files
  cur = 1,
  new_ = 2,
};

enum class EntryKind : std::uint8_t { file = 0, symlink = 1 };

/// Owner and mode as the source has them; of a file or a directory.
struct Attributes {
  std::uint32_t mode = 0;  ///< permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Attributes&) const = default;
};

/// Where a symbolic link points to; "" for any other file, which then costs a pointer: of a million messages hardly one
/// is a link. A value, as a text is.
class LinkTarget {
 public:
  LinkTarget() = default;
  LinkTarget(std::string text) { *this = std::move(text); }
  LinkTarget(const LinkTarget& other) { *this = other.text(); }
  LinkTarget(LinkTarget&&) noexcept = default;
  LinkTarget& operator=(const LinkTarget& other) { return *this = other.text(); }
  LinkTarget& operator=(LinkTarget&&) noexcept = default;
  LinkTarget& operator=(std::string text) {
    text_ = text.empty() ? nullptr : std::make_unique<const std::string>(std::move(text));
    return *this;
  }
  ~LinkTarget() = default;

  const std::string& text() const;
  bool operator==(const LinkTarget& other) const { return text() == other.text(); }

 private:
  std::unique_ptr<const std::string> text_;
};

/// One file of a folder. Of a large account there are many: the order of the members leaves no gaps.
struct Entry {
  Area area = Area::cur;
  EntryKind kind = EntryKind::file;
  std::optional<Digest> digest;  ///< of the content, when it was read; for a link, its target is the content
  Attributes attributes;
  std::string name;         ///< byte for byte
  std::uint64_t inode = 0;  ///< at the source; 0: not known (an entry that the receiver listed)
  std::uint64_t size = 0;   ///< bytes
  std::int64_t mtime = 0;   ///< nanoseconds since the epoch
  LinkTarget target;
  bool operator==(const Entry&) const = default;
};

/// A message, or what has a message's place; what is not one is called a control file.
inline bool is_message(const Entry& entry) {
  return entry.area != Area::folder;
}

/// Orders the entries of a folder: by area, then by name.
bool before_in_folder(const Entry& left, const Entry& right);
/// The entry of that name in that place, of entries in the order of before_in_folder; null when there is none.
const Entry* find_entry(const std::vector<Entry>& entries, Area area, std::string_view name);

/// How much of a folder a manifest speaks of.
enum class Scope : std::uint8_t {
  everything,  ///< an entry that is not here does not exist
  names,       ///< speaks only of some names; both sides of a plan speak of the same ones
};

/// What a folder holds. A folder is any directory of an account but cur/, new/ and tmp/: a Maildir, or a plain
/// directory such as sieve/.
struct FolderManifest {
  std::string path;  ///< below the account; "" is the account's own directory
  std::uint64_t inode = 0;
  Attributes self;
  std::optional<Attributes> cur, new_, tmp;  ///< the Maildir's directories, where they exist
  Scope scope = Scope::everything;
  std::vector<Entry> entries;  ///< sorted by before_in_folder
};

/// Orders the folders of an account: by path.
bool before_in_account(const FolderManifest& left, const FolderManifest& right);
/// The folder of that path, of folders in the order of before_in_account; null when there is none.
const FolderManifest* find_folder(const std::vector<FolderManifest>& folders, std::string_view path);
FolderManifest* find_folder(std::vector<FolderManifest>& folders, std::string_view path);

/// Folders of one account, sorted by path.
struct AccountManifest {
  bool exists = true;            ///< the account's directory is there
  bool structure_whole = false;  ///< the list of folders is complete: one that is not here does not exist
  std::vector<FolderManifest> folders;

  const FolderManifest* find(std::string_view path) const { return find_folder(folders, path); }
  FolderManifest* find(std::string_view path) { return find_folder(folders, path); }
  /// A file of a folder; null when there is none.
  const Entry* find(std::string_view path, Area area, std::string_view name) const;
};

/// The message's identity within a folder: what stands before the flags. For files in Area::folder, the whole name.
std::string_view base_name(const Entry& entry);

}  // namespace maildirsync::sync
