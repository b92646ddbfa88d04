#include "daemon/session/ownership.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "common/maildir/layout.h"
#include "common/os/printable.h"
#include "common/os/replace_file.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_longest_file = std::size_t{1} << 30U;
constexpr std::size_t k_outdated_lines = 10'000;  // then the file is written anew

bool is_below(const std::string& path, const std::string& above) {
  return path.size() > above.size() && path.starts_with(above) && path[above.size()] == '/';
}

/// Without spaces and ends of lines, so that a line is words.
std::string word(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte != '%' && byte != 0x7f) {
      out += c;
      continue;
    }
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02X", byte);
    out += escaped;
  }
  return out.empty() ? "%" : out;
}

std::string unword(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() && std::sscanf(text.c_str() + i + 1, "%2x", &byte) == 1) {
      out += static_cast<char>(byte);
      i += 2;
    } else if (text[i] != '%') {
      out += text[i];
    }
  }
  return out;
}

std::string line_of(const std::string& place, const Ownership::Owner& owner, const std::string& name) {
  return "+ " + owner.fingerprint + ' ' + word(owner.root) + ' ' + word(place) + ' ' + word(name) + '\n';
}

}  // namespace

std::string place_of(const os::Directory& root, const std::string& account) {
  std::error_code failed;
  const auto real = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(root.fd()), failed);
  return os::join(failed ? root.path() : real.string(), account);
}

Result<std::unique_ptr<Ownership>> Ownership::open(const std::string& state_dir) {
  std::unique_ptr<Ownership> ownership(new Ownership(state_dir + "/owners"));
  MAILDIRSYNC_TRY(ownership->read());
  return ownership;
}

/// "+ fingerprint root place name", or "- place"; what a power cut left of the last line counts for nothing.
Result<> Ownership::read() {
  const auto text = os::read_file(path_, k_longest_file);
  if (!text && text.error().code != ErrorCode::vanished) return Failure(text.error());
  std::istringstream lines(text ? *text : "");
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    std::istringstream words(line);
    std::string sign, first, root, place, name;
    words >> sign >> first >> root >> place >> name;
    if (sign == "+" && !place.empty()) {
      owners_[unword(place)] = {number_of({first, unword(root)}), unword(name)};
    } else if (sign == "-" && !first.empty()) {
      owners_.erase(unword(first));
    }
  }
  return write_anew();
}

Result<> Ownership::write_anew() {
  std::string text;
  for (const auto& [place, owned] : owners_)
    text += line_of(place, known_[owned.owner], owned.name);
  auto file = os::replace_and_open(path_, text, O_APPEND);
  doubtful_ = !file;  // the name may have a file already that is not the one to which we append
  if (!file) return Failure(file.error());
  file_ = std::make_shared<const os::Fd>(std::move(*file));
  lines_ = owners_.size();
  durable_ = written_;
  return {};
}

/// All of it or, on a full disk, nothing: the next line would go on where half a one ends.
Result<> Ownership::append(const std::string& lines) {
  if (lines.empty()) return {};
  lines_ += static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  if (doubtful_ || lines_ > 2 * owners_.size() + k_outdated_lines) return write_anew();
  const auto before = ::lseek(file_->get(), 0, SEEK_END);
  auto written = os::write_all(file_->get(), lines, path_);
  if (!written && ::ftruncate(file_->get(), before) != 0) doubtful_ = true;
  ++written_;
  return written;
}

Result<std::uint64_t> Ownership::add_unsynced(os::SyncSet& sync) {
  const std::lock_guard lock(mutex_);
  if (doubtful_) MAILDIRSYNC_TRY(write_anew());
  if (durable_ == written_) return 0;
  sync.add(file_);
  return written_;
}

void Ownership::synced(std::uint64_t written, bool durable) {
  if (written == 0) return;
  const std::lock_guard lock(mutex_);
  if (durable) {
    durable_ = std::max(durable_, written);
  } else {
    doubtful_ = true;
  }
}

std::uint32_t Ownership::number_of(const Owner& owner) {
  const auto found = std::find(known_.begin(), known_.end(), owner);
  if (found != known_.end()) return static_cast<std::uint32_t>(found - known_.begin());
  known_.push_back(owner);
  return static_cast<std::uint32_t>(known_.size() - 1);
}

void Ownership::use(const config::Receiver& config) {
  const std::lock_guard lock(mutex_);
  std::set<Owner> there;
  peer_names_.clear();
  for (const auto& peer : config.peers) {
    peer_names_[peer.fingerprint] = peer.name;
    for (const auto& root : peer.roots)
      there.insert({peer.fingerprint, root.name});
  }
  const auto ended =
      std::erase_if(owners_, [&](const auto& owned) { return !there.contains(known_[owned.second.owner]); });
  if (ended == 0) return;
  ++endings_;
  service::log_info("owners-ended accounts={} reason=\"their peer or root is not in the configuration any more\"",
                    ended);
  if (const auto written = write_anew(); !written) {
    service::log_error("owners-unwritten detail=\"{}\"", os::printable(written.error().message()));
  }
}

std::string Ownership::describe(const Owner& owner) const {
  const auto name = peer_names_.find(owner.fingerprint);
  return "root \"" + owner.root + "\" of peer \"" + (name == peer_names_.end() ? owner.fingerprint : name->second) +
         "\"";
}

const Ownership::Owners::value_type* Ownership::other_than(const std::string& place, const Owner& owner) const {
  const auto is_another = [&](const auto& owned) { return known_[owned.second.owner] != owner; };
  for (std::size_t slash = place.find('/', 1);; slash = place.find('/', slash + 1)) {
    const auto found = owners_.find(place.substr(0, slash));
    if (found != owners_.end() && is_another(*found)) return &*found;
    if (slash == std::string::npos) break;
  }
  for (auto below = owners_.lower_bound(place + '/'); below != owners_.end() && is_below(below->first, place);
       ++below) {
    if (is_another(*below)) return &*below;
  }
  return nullptr;
}

Result<> Ownership::check(const std::string& place, const Owner& owner) const {
  const std::lock_guard lock(mutex_);
  return check_locked(place, owner);
}

Result<> Ownership::check_locked(const std::string& place, const Owner& owner) const {
  const auto* other = other_than(place, owner);
  if (other == nullptr) return {};
  const std::string where = other->first == place           ? "it"
                            : is_below(place, other->first) ? "the account " + other->first + " around it"
                                                            : "the account " + other->first + " in it";
  return failure(ErrorCode::owned_by_another, place,
                 where + " belongs to " + describe(known_[other->second.owner]) +
                     ", which brought it here; nothing of it is touched. Take the account out of one of the two "
                     "(exclude in agent.toml); to hand it over, then run on the destination's server: maildirsync "
                     "disown");
}

Result<> Ownership::claim(const std::string& place, const Owner& owner, const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = owners_.find(place); found != owners_.end() && known_[found->second.owner] == owner) return {};
  MAILDIRSYNC_TRY(check_locked(place, owner));
  // Its own, by another layout: the accounts were not where they are now.
  std::string text;
  for (auto below = owners_.lower_bound(place + '/'); below != owners_.end() && is_below(below->first, place);) {
    text += "- " + word(below->first) + '\n';
    below = owners_.erase(below);
  }
  for (std::size_t slash = place.find('/', 1); slash != std::string::npos; slash = place.find('/', slash + 1)) {
    if (owners_.erase(place.substr(0, slash)) > 0) text += "- " + word(place.substr(0, slash)) + '\n';
  }
  owners_[place] = {number_of(owner), name};
  auto written = append(text + line_of(place, owner, name));
  if (!written) owners_.erase(place);
  return written;
}

std::optional<std::string> Ownership::other_root(const std::string& place, const Owner& owner) const {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(place);
  if (found == owners_.end()) return std::nullopt;
  const Owner& known = known_[found->second.owner];
  return known.fingerprint == owner.fingerprint && known.root != owner.root ? std::optional(known.root) : std::nullopt;
}

Result<> Ownership::hand_over(const std::string& place, const std::string& from, const Owner& to) {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(place);
  if (found == owners_.end() || known_[found->second.owner] != Owner{to.fingerprint, from}) return {};
  const Owned before = found->second;
  found->second.owner = number_of(to);
  auto written = append(line_of(place, to, before.name));
  if (!written) {
    found->second = before;
    return written;
  }
  ++endings_;
  service::log_info("account-moved account={} root={} from={}", os::printable(before.name), to.root, from);
  return {};
}

std::vector<std::string> Ownership::accounts_of(const Owner& owner) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> places;
  for (const auto& [place, owned] : owners_) {
    if (known_[owned.owner] == owner) places.push_back(place);
  }
  return places;
}

Result<> Ownership::end(const std::string& place, const Owner& owner) {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(place);
  if (found == owners_.end() || known_[found->second.owner] != owner) return {};
  owners_.erase(found);
  ++endings_;
  return append("- " + word(place) + '\n');
}

Result<std::size_t> Ownership::disown(const std::string& peer, const std::string& root, const std::string& glob) {
  const std::lock_guard lock(mutex_);
  std::string text;
  std::size_t count = 0;
  std::erase_if(owners_, [&](const auto& owned) {
    const Owner& owner = known_[owned.second.owner];
    const auto known = peer_names_.find(owner.fingerprint);
    if (known == peer_names_.end() || known->second != peer || (!root.empty() && owner.root != root)) return false;
    if (!maildir::is_chosen(glob, owned.second.name)) return false;
    text += "- " + word(owned.first) + '\n';
    ++count;
    return true;
  });
  ++endings_;
  MAILDIRSYNC_TRY(append(text));
  return count;
}

Result<> OwnedAccount::open(const os::Directory& root, const std::string& account) {
  if (!root.status(account)) return ownership_.check(place_, owner_);
  return ownership_.claim(place_, owner_, name_);
}

Result<> OwnedAccount::check() {
  const std::uint64_t now = ownership_.endings();
  if (ours_at_ == now) return {};
  return ownership_.check(place_, owner_);
}

Result<> OwnedAccount::done(const sync::Operation& operation, os::SyncSet& sync) {
  const bool removed_it = operation.kind == sync::OperationKind::remove_folder && operation.from.folder.empty();
  if (removed_it) {
    MAILDIRSYNC_TRY(ownership_.end(place_, owner_));
    ours_at_ = k_never;
  } else if (const std::uint64_t now = ownership_.endings(); ours_at_ != now) {
    MAILDIRSYNC_TRY(ownership_.claim(place_, owner_, name_));
    ours_at_ = now;
  }
  MAILDIRSYNC_ASSIGN(written_, ownership_.add_unsynced(sync));
  return {};
}

void OwnedAccount::synced(bool durable) {
  ownership_.synced(std::exchange(written_, 0), durable);
}

}  // namespace maildirsync::daemon
