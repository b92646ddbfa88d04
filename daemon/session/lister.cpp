#include "daemon/session/lister.h"

#include <algorithm>
#include <array>

#include <dirent.h>
#include <unistd.h>

#include "common/codec/digest.h"
#include "common/maildir/name.h"
#include "common/maildir/search_index.h"
#include "common/os/explained.h"
#include "common/os/names.h"
#include "common/os/printable.h"
#include "common/service/log.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"
#include "daemon/apply/aside.h"
#include "daemon/apply/content.h"
#include "daemon/apply/folder_look.h"
#include "daemon/apply/index_files.h"
#include "daemon/apply/kept_times.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_piece = wire::k_max_header / 4;
constexpr std::size_t k_entry_overhead = 80;
/// So many bytes read for digests weigh as much as a byte of the piece: a piece ends after 32 MiB.
constexpr std::size_t k_read_per_byte = 256;

sync::Attributes attributes_of(const struct stat& status) {
  return {static_cast<std::uint32_t>(status.st_mode & 07777), status.st_uid, status.st_gid};
}

bool is_directory(const os::Directory& directory, const os::DirectoryEntry& entry) {
  if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
  const auto status = directory.status(entry.name);
  return status && S_ISDIR(status->st_mode);
}

std::optional<sync::Attributes> area_of(const os::Directory& folder, const char* name) {
  const auto status = folder.status(name);
  if (!status || !S_ISDIR(status->st_mode)) return std::nullopt;
  return attributes_of(*status);
}

}  // namespace

void NameList::add(std::string_view name) {
  constexpr std::size_t k_block = 64 * 1024;
  if (blocks_.empty() || blocks_.back().size() + name.size() >= blocks_.back().capacity()) {
    blocks_.emplace_back().reserve(blocks_.size() == 1 ? k_block / 16 : k_block);
  }
  blocks_.back().append(name).push_back('\0');
}

std::string NameList::take_first() {
  std::string name(blocks_.front().c_str() + position_);
  position_ += name.size() + 1;
  if (position_ == blocks_.front().size()) {
    blocks_.pop_front();
    position_ = 0;
  }
  return name;
}

Lister::Lister(std::shared_ptr<const os::Directory> root, std::string account, std::uint64_t id, Digests digests,
               ChangeStamps stamps, Indexes indexes, std::int64_t digests_since)
    : root_(std::move(root)),
      account_(std::move(account)),
      id_(id),
      digests_(digests),
      stamps_(stamps),
      indexes_(indexes),
      digests_since_(digests_since),
      waiting_{""} {}

wire::Listing Lister::piece() const {
  wire::Listing listing;
  listing.set_id(id_);
  listing.set_exists(exists_);
  return listing;
}

void Lister::fail(const Error& error) {
  if (error.code == ErrorCode::vanished) return;  // removed while we looked
  if (!error_) error_ = os::explained(error, os::Side::destination);
}

wire::Listing Lister::next() {
  wire::Listing listing = piece();
  std::size_t size = 0;
  wire::Listing::Folder* out = nullptr;
  while (size < k_piece) {
    if (!folder_ && !open_next_folder()) {
      listing.set_last(true);
      break;
    }
    listing.set_exists(exists_);
    if (out == nullptr || out->path() != folder_->path) {
      out = listing.add_folders();
      out->set_path(folder_->path);
      *out->mutable_shape() = folder_->shape;
      out->set_indexed(folder_->indexed);
      *out->mutable_times() = folder_->times;
      out->set_stamp(folder_->look);
      size += folder_->path.size() + k_entry_overhead;
    }
    if (entries_.empty() && !open_next_area()) {
      folder_.reset();
      continue;
    }
    while (!entries_.empty() && size < k_piece) {
      add_entry(entries_.take_first(), *out, size);
    }
  }
  if (error_) {
    listing.set_error(static_cast<std::uint32_t>(error_->code));
    listing.set_detail(error_->message());
    listing.set_last(true);
  }
  return listing;
}

bool Lister::open_next_folder() {
  while (!waiting_.empty() && !error_) {
    const std::string path = std::move(waiting_.back());
    waiting_.pop_back();
    auto directory = root_->open_directory(os::join(account_, path));
    if (!directory) {
      if (path.empty() && directory.error().error_number == ENOTDIR) continue;
      fail(directory.error());
      continue;
    }
    if (indexes_ == Indexes::remove) remove_indexes(*directory);
    const FolderLook look = look_of(*directory);
    const auto status = directory->status("");
    auto names = directory->list();
    if (!status || !names) {
      fail(status ? names.error() : status.error());
      continue;
    }
    exists_ = true;
    sync::FolderShape shape{attributes_of(*status), area_of(*directory, "cur"), area_of(*directory, "new"),
                            area_of(*directory, "tmp")};
    folder_ = Folder();
    folder_->path = path;
    folder_->look = look;
    folder_->indexed = has_index_written_here(*directory);
    wire::to_wire(shape, folder_->shape);
    wire::to_wire(kept_times(*directory), folder_->times);
    if (shape.cur) folder_->areas.push_back({static_cast<std::uint32_t>(sync::Area::cur), os::join(path, "cur")});
    if (shape.new_) folder_->areas.push_back({static_cast<std::uint32_t>(sync::Area::new_), os::join(path, "new")});
    for (auto& name : *names) {
      const bool area = name.name == "cur" || name.name == "new" || name.name == "tmp";
      if (is_directory(*directory, name)) {
        const bool is_ours = name.name.starts_with(maildir::k_aside_prefix);
        const bool is_servers =
            maildir::is_search_index(*directory, name.name);  // the destination's own, and not extra
        if (!area && !is_ours && !is_servers) waiting_.push_back(os::join(path, name.name));
      } else if (is_stale_aside(name.name)) {
        remove_aside(*directory, name.name);
      } else if (!maildir::is_left_out(name.name)) {
        entries_.add(name.name);
      }
    }
    area_ = static_cast<std::uint32_t>(sync::Area::folder);
    area_directory_ = std::move(*directory);
    return true;
  }
  return false;
}

bool Lister::open_next_area() {
  while (!folder_->areas.empty()) {
    const Area area = std::move(folder_->areas.front());
    folder_->areas.pop_front();
    auto directory = root_->open_directory(os::join(account_, area.directory));
    if (!directory) {
      fail(directory.error());
      continue;
    }
    const auto listed = os::for_each_name(*directory, [&](const char* name, std::uint64_t, unsigned char) {
      if (is_stale_aside(name)) {
        remove_aside(*directory, name);
      } else if (!maildir::is_left_out_of_messages(name)) {
        entries_.add(name);
      }
    });
    if (!listed) {
      fail(listed.error());
      continue;
    }
    area_ = area.area;
    area_directory_ = std::move(*directory);
    if (!entries_.empty()) return true;
  }
  return false;
}

bool Lister::wants_digest(const sync::Entry& entry, const struct stat& status) const {
  if (digests_ == Digests::all || (digests_ == Digests::control_files && entry.area == sync::Area::folder)) return true;
  return digests_since_ != 0 && os::nanoseconds(status.st_ctim) >= digests_since_;
}

void Lister::add_entry(const std::string& name, wire::Listing::Folder& out, std::size_t& size) {
  const auto status = area_directory_.status(name);
  if (!status) return fail(status.error());
  sync::Entry entry;
  entry.area = static_cast<sync::Area>(area_);
  entry.name = name;
  entry.size = static_cast<std::uint64_t>(status->st_size);
  entry.mtime = os::nanoseconds(status->st_mtim);
  entry.attributes = attributes_of(*status);
  if (S_ISLNK(status->st_mode)) {
    std::array<char, 4097> target{};
    const ssize_t length = ::readlinkat(area_directory_.fd(), name.c_str(), target.data(), target.size());
    if (length < 0) return;
    entry.kind = sync::EntryKind::symlink;
    entry.target = std::string(target.data(), static_cast<std::size_t>(length));
    entry.size = static_cast<std::uint64_t>(length);
  } else if (!S_ISREG(status->st_mode)) {
    return;  // others' sockets and devices are nothing that we could have put there
  } else if (wants_digest(entry, *status)) {
    auto digest = read(name);
    if (!digest) return;  // it got another name since: a difference only if it is still missing at the next look
    entry.digest = *digest;
    size += entry.size / k_read_per_byte;
  }
  auto& listed = *out.add_entries();
  wire::to_wire(entry, listed);
  if (stamps_ == ChangeStamps::yes) listed.set_changed(os::nanoseconds(status->st_ctim));
  size += entry.name.size() + entry.target.text().size() + k_entry_overhead;
}

/// Nothing for a file that cannot be read: it is listed without a digest, and the rest of the account too. Fails for
/// one that vanished.
Result<std::optional<sync::Digest>> Lister::read(const std::string& name) {
  const std::string path = os::join(area_directory_.path(), name);
  const auto fd = area_directory_.open_for_reading(name);
  const auto digest = fd ? codec::digest_of(fd->get(), path) : Result<sync::Digest>(Failure(fd.error()));
  if (digest) return std::optional(*digest);
  if (digest.error().code == ErrorCode::vanished) return Failure(digest.error());
  service::log_warning("unreadable path={} detail=\"{}\"", os::printable(path),
                       os::printable(digest.error().message()));
  return std::optional<sync::Digest>();
}

namespace {

class AccountWalk {
 public:
  AccountWalk(const maildir::Layout& layout, std::uint64_t id, const std::function<bool(const std::string&)>& is_told)
      : layout_(layout), id_(id), is_told_(is_told) {
    begin();
  }

  void level(const os::Directory& directory, const std::string& path, std::size_t depth) {
    const auto names = directory.list();
    if (!names) return;
    for (const auto& name : *names) {
      if (!layout_.matches(depth, name.name) || !is_directory(directory, name)) continue;
      const std::string below = os::join(path, name.name);
      if (depth + 1 == layout_.depth()) {
        add(below);
      } else if (const auto next = directory.open_directory(name.name)) {
        level(*next, below, depth + 1);
      }
    }
  }

  std::vector<wire::Listing> take() {
    pieces_.back().set_last(true);
    return std::move(pieces_);
  }

 private:
  void begin() {
    pieces_.emplace_back();
    pieces_.back().set_id(id_);
    pieces_.back().set_exists(true);
    size_ = 0;
  }

  void add(const std::string& account) {
    if (!is_told_(account)) return;
    size_ += account.size() + 8;
    if (size_ > k_piece) begin();
    pieces_.back().add_accounts(account);
  }

  const maildir::Layout& layout_;
  std::uint64_t id_;
  const std::function<bool(const std::string&)>& is_told_;
  std::size_t size_ = 0;
  std::vector<wire::Listing> pieces_;
};

}  // namespace

std::vector<wire::Listing> list_accounts(const os::Directory& root, const maildir::Layout& layout, std::uint64_t id,
                                         const std::function<bool(const std::string& account)>& is_told) {
  AccountWalk walk(layout, id, is_told);
  walk.level(root, "", 0);
  return walk.take();
}

}  // namespace maildirsync::daemon
