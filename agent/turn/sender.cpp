#include "agent/turn/sender.h"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/codec/delta.h"
#include "common/codec/digest.h"
#include "common/maildir/name.h"
#include "common/os/acl.h"
#include "common/os/owner_names.h"
#include "common/os/path.h"
#include "common/sync/equality.h"
#include "common/wire/convert.h"
#include "common/wire/frame.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_piece = wire::k_max_payload / 2;  // of plain bytes: what does not shrink grows a little
constexpr std::size_t k_delta_from = 4096;                // below, the whole file costs less than a delta's overhead
constexpr std::size_t k_whole_message = k_piece;
constexpr std::size_t k_most_delta = 4 * 1024 * 1024;  // in memory; a longer one saves little

Failure changed(const std::string& path) {
  return failure(ErrorCode::changed_while_read, path, "the file changed while it was read; it is looked at again");
}

/// Whether what the destination has is to belong to another user, or belongs to one that was not expected: then it is
/// told whose it was, and of a file the digest, which alone says there that it is the one.
bool changes_owner(const sync::Operation& operation) {
  const bool is_there = operation.kind == sync::OperationKind::rename || operation.kind == sync::OperationKind::link ||
                        operation.kind == sync::OperationKind::set_attributes;
  return is_there && operation.expected && operation.expected->attributes.uid != operation.result.attributes.uid;
}

/// What the destination has already is found by size and mtime. Its digest would be a third of a flag change's bytes,
/// and is worth reading the file for in the rare case that something else has its name.
void leave_out_what_is_known(const sync::Operation& operation, wire::Operation& out) {
  if (changes_owner(operation)) return;
  if (operation.kind == sync::OperationKind::set_attributes) out.clear_expected();
  const bool moves = operation.kind == sync::OperationKind::rename || operation.kind == sync::OperationKind::link;
  if (!moves && operation.kind != sync::OperationKind::remove) return;
  const auto& expected = operation.expected;
  const auto& result = operation.result;
  const bool as_result = moves && expected && sync::same_stamp(*expected, result);
  if (moves) out.mutable_result()->clear_digest();
  if (as_result) {
    out.clear_expected();
  } else if (expected) {
    out.mutable_expected()->clear_digest();
  }
}

std::string digest_bytes(const sync::Digest& digest) {
  return {digest.bytes.begin(), digest.bytes.end()};
}

}  // namespace

sync::Location location_of(const std::string& path) {
  const auto [directory, name] = os::split_last(path);
  const auto [folder, area] = os::split_last(directory);
  if (area == "cur") return {folder, sync::Area::cur, name};
  if (area == "new") return {folder, sync::Area::new_, name};
  return {directory, sync::Area::folder, name};
}

bool location_less(const sync::Location& left, const sync::Location& right) {
  return std::tie(left.folder, left.area, left.name) < std::tie(right.folder, right.area, right.name);
}

void Sender::begin(std::uint64_t epoch, const config::Transfer& transfer) {
  packer_.begin(epoch, transfer);
  if (epoch == epoch_) return;
  epoch_ = epoch;
  users_.clear();
  groups_.clear();
}

bool Sender::send(const std::shared_ptr<Turn>& turn, const os::Directory& account,
                  std::vector<sync::Operation> operations, const Snapshots& snapshots, const Aliases& aliases) {
  turn_ = turn;
  account_ = &account;
  aliases_ = &aliases;
  foreign_files_.reset();
  foreign_links_.clear();
  if (turn->order.owners == config::AccountOwners::own) foreign_files_.emplace(account);
  no_room_ = turn->order.waits_for_room;
  unsent_.clear();
  moved_away_.clear();
  if (!open_account(turn->order)) return false;
  for (auto& operation : operations) {
    send_alone_what_is_no_link(operation);
    if (waits_for_next_look(operation)) continue;
    if (waits_for_room(operation)) continue;
    const auto snapshot =
        operation.kind == sync::OperationKind::put_control ? snapshots.find(operation.to) : snapshots.end();
    if (const auto own = judge_owner(operation); !own) {
      skip(operation, own.error());
      continue;
    }
    if (!announce_owners(operation)) return false;
    const Step step = snapshot != snapshots.end() ? send_snapshot(operation, snapshot->second) : send_one(operation);
    if (step == Step::broken) return false;
  }
  return packer_.flush();
}

/// A further name of a message that is sent in the same turn is a link there, but only of what gets there.
void Sender::send_alone_what_is_no_link(sync::Operation& operation) {
  if (operation.kind != sync::OperationKind::link) return;
  if (!unsent_.contains(path_of(operation.from)) && !turn_->order.alone.contains(path_of(operation.to))) return;
  operation.kind = sync::OperationKind::put;
  operation.from = {};
  operation.expected.reset();
  ++turn_->pending_messages;
  turn_->pending_bytes += operation.result.size;
}

/// The next look finds what moved away under the name that it has now. Until then no link leads to it, and what follows
/// messages waits.
bool Sender::waits_for_next_look(const sync::Operation& operation) {
  const bool is_link = operation.kind == sync::OperationKind::link;
  const bool waits = is_link ? moved_away_.contains(path_of(operation.from))
                             : sync::follows_messages(operation.kind) && !moved_away_.empty();
  if (!waits) return false;
  const bool is_to_be_made = is_link || operation.kind == sync::OperationKind::put_control;
  turn_->report.again.folders[is_to_be_made ? operation.to.folder : operation.from.folder].everything = true;
  return true;
}

/// What a full destination has no room for is not sent in vain; it waits, with what follows it, until the receiver says
/// that there is room.
bool Sender::waits_for_room(const sync::Operation& operation) {
  const auto& room = turn_->order.room;
  if (!room) return false;
  const bool is_put = operation.kind == sync::OperationKind::put || operation.kind == sync::OperationKind::put_control;
  const bool follows = sync::follows_messages(operation.kind) && no_room_;
  if (!follows && (!is_put || room->take(operation.result.size))) return false;
  auto& report = turn_->report;
  if (is_put && !follows) report.unsent.add(operation, "");
  if (is_put) unsent_.insert(path_of(operation.to));
  report.put_off.insert(is_put ? operation.to.folder : operation.from.folder);
  no_room_ = true;
  return true;
}

bool Sender::open_account(const TurnOrder& order) {
  wire::Header header;
  auto& open = *header.mutable_open_account();
  open.set_root(order.root_name);
  open.set_account(order.account_path);
  open.set_name(order.account_name);
  open.set_turn(next_turn_number());
  open.set_decision(order.decision.number);
  open.set_decision_id(order.decision.id);
  wire::Header names_header;
  for (std::size_t slash = order.account_path.find('/'); slash != std::string::npos;
       slash = order.account_path.find('/', slash + 1)) {
    const auto directory = order.root->open_directory(order.account_path.substr(0, slash));
    const auto status = directory ? directory->status("") : Result<struct stat>(Failure(directory.error()));
    if (!status) break;  // the account has gone; the receiver then makes nothing either
    auto& parent = *open.add_parents();
    parent.set_mode(os::mode_without_acl_of(directory->fd(), "", status->st_mode & 07777U).mode);
    parent.set_uid(status->st_uid);
    parent.set_gid(status->st_gid);
    announce({status->st_mode, status->st_uid, status->st_gid}, *names_header.mutable_names());
  }
  if (names_header.has_names() && !outbox_.push(epoch_, names_header, {}, std::nullopt)) return false;
  return packer_.open(header);
}

void Sender::announce(const sync::Attributes& owner, wire::Names& names) {
  if (users_.insert(owner.uid).second) {
    auto& user = *names.add_users();
    user.set_id(owner.uid);
    user.set_name(os::user_name(owner.uid));
  }
  if (groups_.insert(owner.gid).second) {
    auto& group = *names.add_groups();
    group.set_id(owner.gid);
    group.set_name(os::group_name(owner.gid));
  }
}

bool Sender::announce_owners(const sync::Operation& operation) {
  wire::Header header;
  auto& names = *header.mutable_names();
  if (operation.kind == sync::OperationKind::make_folder) {
    announce(operation.folder.self, names);
    for (const auto* area : {&operation.folder.cur, &operation.folder.new_, &operation.folder.tmp}) {
      if (*area) announce(**area, names);
    }
  } else if (!operation.result.name.empty()) {
    announce(operation.result.attributes, names);
    if (changes_owner(operation)) announce(operation.expected->attributes, names);
  }
  if (names.users_size() == 0 && names.groups_size() == 0) return true;
  return packer_.push(header, {}, std::nullopt);
}

Sender::Step Sender::send_one(sync::Operation& operation) {
  if (changes_owner(operation) && operation.result.kind == sync::EntryKind::file && !operation.result.digest) {
    if (const auto read = read_digest(operation); !read) return skip(operation, read.error());
  }
  switch (operation.kind) {
    case sync::OperationKind::put:
    case sync::OperationKind::put_control:
      return operation.result.kind == sync::EntryKind::symlink ? send_header(operation) : send_message(operation);
    case sync::OperationKind::rename:
      ++totals_.renames;
      break;
    case sync::OperationKind::link:
      ++totals_.links;
      break;
    case sync::OperationKind::remove:
      ++totals_.deletes;
      break;
    default:
      break;
  }
  return send_header(operation);
}

/// A file of somebody else's with names elsewhere is not sent, under none of its names; one without goes with a mark,
/// for only the receiver knows whether it would become its account's owner's there.
Result<> Sender::judge_owner(const sync::Operation& operation) {
  is_foreign_ = false;
  const auto refused = [&](uid_t uid) {
    return failure(
        ErrorCode::foreign_owner, path_of(operation.to),
        "it is a hard link of a file of user " + std::to_string(uid) +
            ", which its account's owner cannot read; left out. Take it away, or say owners = \"mixed\" for its "
            "root in agent.toml");
  };
  if (operation.kind == sync::OperationKind::link && foreign_links_.contains(operation.result.inode)) {
    return refused(operation.result.attributes.uid);
  }
  const bool puts = operation.kind == sync::OperationKind::put || operation.kind == sync::OperationKind::put_control;
  const sync::Entry& file = operation.result;
  if (!puts || file.kind != sync::EntryKind::file || !foreign_files_) return {};
  is_foreign_ = foreign_files_->is_foreign(operation.to, file.attributes);
  if (!is_foreign_) return {};
  const std::string path = path_of(operation.to);
  const auto fd = account_->open(path, O_PATH | O_NOFOLLOW);
  struct stat status {};
  if (!fd || ::fstat(fd->get(), &status) != 0 || status.st_nlink < 2) return {};
  foreign_links_.insert(file.inode);
  return refused(status.st_uid);
}

Result<> Sender::read_digest(sync::Operation& operation) const {
  const std::string path = path_of(operation.to);
  MAILDIRSYNC_ASSIGN(const auto fd, account_->open_for_reading(path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!sync::is_as_scanned(status, operation.result)) return changed(path);
  MAILDIRSYNC_ASSIGN(auto digest, codec::digest_of(fd.get(), path));
  operation.result.digest = digest;
  return {};
}

sync::Location Sender::at_destination(const sync::Location& at) const {
  if (at.area == sync::Area::folder) return at;
  const std::string_view base = maildir::base_of(at.name);
  const auto alias = aliases_->find({at.folder, std::string(base)});
  return alias == aliases_->end() ? at
                                  : sync::Location{at.folder, at.area, alias->second + at.name.substr(base.size())};
}

void Sender::fill(const sync::Operation& operation, wire::Operation& out) const {
  if (aliases_->empty()) {
    wire::to_wire(operation, out);
  } else {
    sync::Operation named = operation;
    named.from = at_destination(operation.from);
    named.to = at_destination(operation.to);
    if (!named.result.name.empty()) named.result.name = named.to.name;
    wire::to_wire(named, out);
  }
  if (is_foreign_) out.set_foreign(true);
  leave_out_what_is_known(operation, out);
}

Sent Sender::record(sync::Operation operation, std::uint64_t sequence) {
  ++turn_->report.operations;
  return {.sequence = sequence, .turn = turn_, .operation = std::move(operation)};
}

Sender::Step Sender::send_header(sync::Operation& operation) {
  wire::Header header;
  fill(operation, *header.mutable_operation());
  const auto sequence = outbox_.next_sequence(epoch_);
  header.mutable_operation()->set_sequence(sequence);
  return packer_.push(header, {}, record(std::move(operation), sequence)) ? Step::sent : Step::broken;
}

Sender::Step Sender::send_message(sync::Operation& operation) {
  const std::string path = path_of(operation.to);
  auto fd = account_->open_for_reading(path);
  if (!fd) return skip(operation, fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return skip(operation, os_error(path, "cannot stat", errno));
  if (!sync::is_as_scanned(status, operation.result)) return skip(operation, changed(path).value());
  if (operation.result.size > k_whole_message) return send_large(operation, fd->get(), path);
  auto content = os::read_all(fd->get(), k_whole_message, path);
  if (!content) {
    return skip(operation, content.error().code == ErrorCode::too_big ? changed(path).value() : content.error());
  }
  if (::fstat(fd->get(), &status) != 0 || !sync::is_as_scanned(status, operation.result) ||
      content->size() != operation.result.size) {
    return skip(operation, changed(path).value());
  }
  return send_content(operation, *content);
}

/// A body that is not kept in memory: pieces as they are read, the digest with the last one.
Sender::Step Sender::send_large(sync::Operation& operation, int fd, const std::string& path) {
  codec::Digester digester;
  std::string piece(k_piece, '\0');
  std::uint64_t offset = 0;
  std::uint64_t sequence = 0;
  const auto read_piece = [&]() -> Result<std::string_view> {
    std::size_t filled = 0;
    while (filled < piece.size()) {
      const ssize_t count =
          ::pread(fd, piece.data() + filled, piece.size() - filled, static_cast<off_t>(offset + filled));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return os_failure(path, "cannot read", errno);
      if (count == 0) break;
      filled += static_cast<std::size_t>(count);
    }
    offset += filled;
    return std::string_view(piece.data(), filled);
  };
  auto first = read_piece();
  if (!first) return skip(operation, first.error());
  digester.update(*first);
  wire::Header header;
  auto& head = *header.mutable_operation();
  fill(operation, head);
  sequence = outbox_.next_sequence(epoch_);
  head.set_sequence(sequence);
  head.set_more(true);
  totals_.bytes_source += first->size();
  if (!packer_.push(header, *first, std::nullopt)) return Step::broken;
  for (;;) {
    const auto next = read_piece();
    struct stat status {};
    const bool at_end = !next || next->empty();
    const bool good = next && ::fstat(fd, &status) == 0 && sync::is_as_scanned(status, operation.result) &&
                      offset <= operation.result.size && (!at_end || offset == operation.result.size);
    wire::Header body_header;
    auto& body = *body_header.mutable_body();
    body.set_last(at_end || !good);
    if (!good) {
      body.set_abandoned(true);
    } else if (at_end) {
      operation.result.digest = digester.finish();
      body.set_digest(digest_bytes(*operation.result.digest));
    } else {
      digester.update(*next);
      totals_.bytes_source += next->size();
      if (!packer_.push(body_header, *next, std::nullopt)) return Step::broken;
      continue;
    }
    if (!packer_.push(body_header, {}, record(operation, sequence))) return Step::broken;
    if (good) ++totals_.messages_sent;
    return good ? Step::sent : skip(operation, next ? changed(path).value() : next.error());
  }
}

Sender::Step Sender::send_content(sync::Operation& operation, std::string_view content) {
  if (operation.kind == sync::OperationKind::put_control && content.size() >= k_delta_from) {
    return send_control(operation, content, std::nullopt);
  }
  operation.result.digest = codec::digest(content);
  if (operation.kind == sync::OperationKind::put) ++totals_.messages_sent;
  return send_body(operation, {.content = content, .end = content.size()}, "");
}

/// One that is not kept is read again, as far as it was there; what was appended since is for the next look.
Sender::Step Sender::send_snapshot(sync::Operation& operation, const Snapshot& snapshot) {
  if (!snapshot.digest) return send_content(operation, snapshot.content);
  const std::string path = path_of(operation.to);
  auto fd = account_->open_for_reading(path);
  if (!fd) return skip(operation, fd.error());
  struct stat status {};
  const bool same = ::fstat(fd->get(), &status) == 0 && S_ISREG(status.st_mode) &&
                    (operation.result.inode == 0 || status.st_ino == operation.result.inode) &&
                    static_cast<std::uint64_t>(status.st_size) >= operation.result.size;
  if (!same) return skip(operation, changed(path).value());
  return send_control(operation, os::Content(fd->get(), operation.result.size, path), snapshot.digest);
}

/// As a delta against what the destination holds, where that is known. Mostly something was appended, and then the work
/// does not grow with the file. `expected`: the digest that the content has if it is still the one to be sent.
Sender::Step Sender::send_control(sync::Operation& operation, const os::Content& content,
                                  const std::optional<sync::Digest>& expected) {
  const auto basis = operation.expected && operation.expected->digest ? operation.expected : std::nullopt;
  const std::uint64_t begins_with = basis && basis->size <= content.size() ? basis->size : 0;
  codec::Digester whole, appended;
  const auto digest_up_to = [&](std::uint64_t from, std::uint64_t to) {
    return content.read(from, to, [&](std::string_view piece) -> Result<> {
      whole.update(piece);
      if (from == begins_with) appended.update(piece);
      return {};
    });
  };
  auto read = begins_with > 0 ? digest_up_to(0, begins_with) : Result<>();
  const bool is_appended = read && begins_with > 0 && whole.finish() == *basis->digest;
  if (read) read = digest_up_to(begins_with, content.size());
  operation.result.digest = whole.finish();
  if (!read) return skip(operation, read.error());
  if (expected && operation.result.digest != expected) return skip(operation, changed(path_of(operation.to)).value());

  const auto known =
      basis ? state_.signature(turn_->order.account, operation.to) : Result<std::optional<std::string>>(std::nullopt);
  const bool is_signed = known && *known;
  auto fresh = is_appended && is_signed ? codec::signature_of_appended(**known, basis->size, content)
                                        : codec::signature(content);
  if (fresh) turn_->report.signatures.emplace_back(operation.to, std::move(*fresh));
  const Body file{.content = content, .end = content.size(), .digest = operation.result.digest};
  if (is_appended) {
    auto [head, tail] = codec::delta_of_appended(basis->size, content.size());
    const Body grown{.content = content,
                     .offset = basis->size,
                     .end = content.size(),
                     .head = std::move(head),
                     .tail = std::move(tail),
                     .digest = appended.finish()};
    if (grown.size() >= content.size() / 2) return send_body(operation, file, "");
    ++totals_.deltas;
    return send_body(operation, grown, digest_bytes(*basis->digest));
  }
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(content.size() / 2, k_most_delta));
  const auto delta = is_signed ? codec::delta(**known, content, most) : Result<std::string>(changed(""));
  if (!delta) return send_body(operation, file, "");
  ++totals_.deltas;
  return send_body(operation, {.content = *delta, .end = delta->size()}, digest_bytes(*basis->digest));
}

/// In pieces of a frame; the operation's digest is with the last one. A content that is not as its digest says is not
/// sent to its end.
Sender::Step Sender::send_body(sync::Operation& operation, const Body& body, const std::string& basis) {
  totals_.bytes_source += body.size();
  wire::Header header;
  auto& head = *header.mutable_operation();
  fill(operation, head);
  const auto sequence = outbox_.next_sequence(epoch_);
  head.set_sequence(sequence);
  head.set_basis(basis);
  head.set_more(body.size() > k_piece);
  std::string piece;
  bool broken = false;
  const auto add = [&](std::string_view bytes) -> Result<> {
    while (!bytes.empty()) {
      if (piece.size() == k_piece) {  // and more follows
        if (!packer_.push(header, piece, std::nullopt)) {
          broken = true;
          return failure(ErrorCode::cancelled, "", "the connection broke");
        }
        header.mutable_body();
        piece.clear();
      }
      const auto some = bytes.substr(0, k_piece - piece.size());
      piece.append(some);
      bytes.remove_prefix(some.size());
    }
    return {};
  };
  codec::Digester digester;
  auto read = add(body.head);
  if (read) {
    read = body.content.read(body.offset, body.end, [&](std::string_view bytes) {
      digester.update(bytes);
      return add(bytes);
    });
  }
  if (read) read = add(body.tail);
  if (broken) return Step::broken;
  const bool good = read && (!body.digest || digester.finish() == *body.digest);
  if (header.has_body()) {
    header.mutable_body()->set_last(true);
    header.mutable_body()->set_digest(digest_bytes(*operation.result.digest));
    header.mutable_body()->set_abandoned(!good);
  } else if (!good) {
    return skip(operation, read ? changed(path_of(operation.to)).value() : read.error());
  }
  if (!packer_.push(header, piece, record(operation, sequence))) return Step::broken;
  return good ? Step::sent : skip(operation, read ? changed(path_of(operation.to)).value() : read.error());
}

Sender::Step Sender::skip(const sync::Operation& operation, const Error& error) {
  ++totals_.skipped;
  auto& report = turn_->report;
  const std::string path = path_of(operation.to);
  report.stamps.erase(operation.to.folder);
  if (error.code == ErrorCode::vanished || error.code == ErrorCode::changed_while_read) {
    moved_away_.insert(path);
    report.again.folders[operation.to.folder].everything = true;
  } else {
    unsent_.insert(path);
    report.problems.push_back({error.code, path, error.message()});
  }
  return Step::skipped;
}

}  // namespace maildirsync::agent
