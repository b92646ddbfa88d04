#include "agent/turn/sender.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/turn/on_wire.h"
#include "common/codec/digest.h"
#include "common/os/acl.h"
#include "common/os/explained.h"
#include "common/sync/equality.h"
#include "common/wire/frame.h"

namespace maildirsync::agent {

namespace {

constexpr std::size_t k_piece = wire::k_max_payload / 2;  // of plain bytes: what does not shrink grows a little
constexpr std::size_t k_delta_from = 4096;                // below, the whole file costs less than a delta's overhead
constexpr std::size_t k_whole_message = k_piece;

std::string digest_bytes(const sync::Digest& digest) {
  return {digest.bytes.begin(), digest.bytes.end()};
}

/// Reads the digest of what the destination has already, and is told whose it becomes.
Result<> read_digest(const os::Directory& account, sync::Operation& operation) {
  const std::string path = path_of(operation.to);
  MAILDIRSYNC_ASSIGN(const auto fd, account.open_for_reading(path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  if (!sync::is_as_scanned(status, operation.result)) return changed_while_read(path);
  MAILDIRSYNC_ASSIGN(auto digest, codec::digest_of(fd.get(), path));
  operation.result.digest = digest;
  return {};
}

}  // namespace

void Sender::begin(std::uint64_t epoch, const config::Transfer& transfer) {
  packer_.begin(epoch, transfer);
  if (epoch == epoch_) return;
  epoch_ = epoch;
  announced_.clear();
}

bool Sender::send(const std::shared_ptr<Turn>& turn, const os::Directory& account,
                  std::vector<sync::Operation> operations, const Snapshots& snapshots, const Aliases& aliases) {
  turn_ = turn;
  account_ = &account;
  aliases_ = &aliases;
  foreign_files_.reset();
  if (turn->order.owners == config::AccountOwners::own) foreign_files_.emplace(account);
  kept_back_.begin(turn);
  if (!open_account(turn->order)) return false;
  for (auto& operation : operations) {
    kept_back_.send_alone_what_is_no_link(operation);
    if (kept_back_.waits(operation)) continue;
    const auto snapshot =
        operation.kind == sync::OperationKind::put_control ? snapshots.find(operation.to) : snapshots.end();
    const auto foreign = foreign_files_ ? foreign_files_->judge(operation) : Result<bool>(false);
    if (!foreign) {
      skip(operation, foreign.error());
      continue;
    }
    is_foreign_ = *foreign;
    if (!announce_owners(operation)) return false;
    const Step step = snapshot != snapshots.end() ? send_snapshot(operation, snapshot->second) : send_one(operation);
    if (step == Step::broken) return false;
  }
  return packer_.flush();
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
    announced_.add({status->st_mode, status->st_uid, status->st_gid}, *names_header.mutable_names());
  }
  if (names_header.has_names() && !outbox_.push(epoch_, names_header, {}, std::nullopt)) return false;
  return packer_.open(header);
}

bool Sender::announce_owners(const sync::Operation& operation) {
  wire::Header header;
  auto& names = *header.mutable_names();
  announced_.add(operation, names);
  if (names.users_size() == 0 && names.groups_size() == 0) return true;
  return packer_.push(header, {}, std::nullopt);
}

Sender::Step Sender::send_one(sync::Operation& operation) {
  if (changes_owner(operation) && operation.result.kind == sync::EntryKind::file && !operation.result.digest) {
    if (const auto read = read_digest(*account_, operation); !read) return skip(operation, read.error());
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

void Sender::fill(const sync::Operation& operation, wire::Operation& out) const {
  put_on_wire(operation, *aliases_, out);
  if (is_foreign_) out.set_foreign(true);
  // What a mail server has written there since is not replaced before the account was looked at.
  if (operation.kind == sync::OperationKind::put_control && !turn_->report.compared) out.set_unless_written(true);
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
  if (!sync::is_as_scanned(status, operation.result)) return skip(operation, changed_while_read(path).value());
  if (operation.result.size > k_whole_message) return send_large(operation, fd->get(), path);
  auto content = os::read_all(fd->get(), k_whole_message, path);
  if (!content) {
    return skip(operation,
                content.error().code == ErrorCode::too_big ? changed_while_read(path).value() : content.error());
  }
  if (::fstat(fd->get(), &status) != 0 || !sync::is_as_scanned(status, operation.result) ||
      content->size() != operation.result.size) {
    return skip(operation, changed_while_read(path).value());
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
    return good ? Step::sent : skip(operation, next ? changed_while_read(path).value() : next.error());
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
  if (!same) return skip(operation, changed_while_read(path).value());
  return send_control(operation, os::Content(fd->get(), operation.result.size, path), snapshot.digest);
}

/// `expected`: the digest that the content has if it is still the one to be sent.
Sender::Step Sender::send_control(sync::Operation& operation, const os::Content& content,
                                  const std::optional<sync::Digest>& expected) {
  std::optional<ControlBasis> basis;
  if (const auto& there = operation.expected; there && there->digest) {
    auto kept = state_.signature(turn_->order.account, operation.to);
    basis = {there->size, *there->digest, kept ? std::move(*kept) : std::nullopt};
  }
  auto made = control_body(content, basis, expected, path_of(operation.to));
  if (!made) return skip(operation, made.error());
  operation.result.digest = made->digest;
  if (made->signature) turn_->report.signatures.emplace_back(operation.to, std::move(*made->signature));
  if (made->basis) ++totals_.deltas;
  return send_body(operation, made->body, made->basis ? digest_bytes(*made->basis) : "");
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
    return skip(operation, read ? changed_while_read(path_of(operation.to)).value() : read.error());
  }
  if (!packer_.push(header, piece, record(operation, sequence))) return Step::broken;
  return good ? Step::sent : skip(operation, read ? changed_while_read(path_of(operation.to)).value() : read.error());
}

Sender::Step Sender::skip(const sync::Operation& operation, const Error& error) {
  ++totals_.skipped;
  auto& report = turn_->report;
  const std::string path = path_of(operation.to);
  report.stamps.erase(operation.to.folder);
  if (error.code == ErrorCode::vanished || error.code == ErrorCode::changed_while_read) {
    kept_back_.moved_away(path);
    report.again.folders[operation.to.folder].everything = true;
  } else {
    kept_back_.unsent(path);
    const Error told = os::explained(error, os::Side::source);
    report.problems.push_back({told.code, path, told.message()});
  }
  return Step::skipped;
}

}  // namespace maildirsync::agent
