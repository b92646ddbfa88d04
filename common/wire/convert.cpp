#include "common/wire/convert.h"

#include <algorithm>

#include "common/maildir/name.h"
#include "common/os/directory.h"

namespace maildirsync::wire {

namespace {

constexpr std::size_t k_max_target = 4096;

void to_wire(const sync::Attributes& attributes, Attributes* out) {
  out->set_mode(attributes.mode);
  out->set_uid(attributes.uid);
  out->set_gid(attributes.gid);
}

void to_wire(const sync::Location& location, Location* out) {
  out->set_folder(location.folder);
  out->set_area(static_cast<std::uint32_t>(location.area));
  out->set_name(location.name);
}

Result<sync::Attributes> from_wire(const Attributes& attributes) {
  if (attributes.mode() > 07777) return failure(ErrorCode::protocol, "", "a mode is out of range");
  return sync::Attributes{attributes.mode(), attributes.uid(), attributes.gid()};
}

Result<sync::Area> area_from(std::uint32_t area) {
  if (area > static_cast<std::uint32_t>(sync::Area::new_)) return failure(ErrorCode::protocol, "", "unknown area");
  return static_cast<sync::Area>(area);
}

Result<> check_name(const std::string& name) {
  const bool single = name.find('/') == std::string::npos && os::is_confined(name);
  if (!single) return failure(ErrorCode::bad_name, name, "the name is not one that a file may have");
  if (name.starts_with(maildir::k_aside_prefix)) {
    return failure(ErrorCode::bad_name, name, "the name is reserved for files written aside");
  }
  return {};
}

Result<sync::Location> from_wire(const Location& location) {
  if (!os::is_confined(location.folder())) {
    return failure(ErrorCode::bad_name, location.folder(), "the folder's path is not confined to the account");
  }
  if (location.folder().find(maildir::k_aside_prefix) != std::string::npos) {
    return failure(ErrorCode::bad_name, location.folder(), "the name is reserved for files written aside");
  }
  MAILDIRSYNC_ASSIGN(auto area, area_from(location.area()));
  MAILDIRSYNC_TRY(check_name(location.name()));
  return sync::Location{location.folder(), area, location.name()};
}

bool names_from(sync::OperationKind kind) {
  return kind == sync::OperationKind::link || kind == sync::OperationKind::rename ||
         kind == sync::OperationKind::remove;
}

/// Where an operation expects what it expects.
const sync::Location& expected_at(const sync::Operation& operation) {
  return names_from(operation.kind) ? operation.from : operation.to;
}

bool names_to(sync::OperationKind kind) {
  return kind != sync::OperationKind::make_folder && kind != sync::OperationKind::rename_folder &&
         kind != sync::OperationKind::remove && kind != sync::OperationKind::remove_folder;
}

}  // namespace

void to_wire(const sync::Entry& entry, Entry& out) {
  out.set_area(static_cast<std::uint32_t>(entry.area));
  out.set_kind(static_cast<std::uint32_t>(entry.kind));
  out.set_name(entry.name);
  out.set_size(entry.size);
  out.set_mtime(entry.mtime);
  to_wire(entry.attributes, out.mutable_attributes());
  if (entry.digest) out.set_digest(entry.digest->bytes.data(), entry.digest->bytes.size());
  if (!entry.target.text().empty()) out.set_target(entry.target.text());
}

void to_wire(const sync::FolderShape& shape, FolderShape& out) {
  to_wire(shape.self, out.mutable_self());
  if (shape.cur) to_wire(*shape.cur, out.mutable_cur());
  if (shape.new_) to_wire(*shape.new_, out.mutable_new_());
  if (shape.tmp) to_wire(*shape.tmp, out.mutable_tmp());
}

void to_wire(const sync::Operation& operation, Operation& out) {
  out.set_kind(static_cast<std::uint32_t>(operation.kind));
  const bool has_from = names_from(operation.kind) || operation.kind == sync::OperationKind::rename_folder ||
                        operation.kind == sync::OperationKind::remove_folder;
  const bool has_to =
      operation.kind != sync::OperationKind::remove && operation.kind != sync::OperationKind::remove_folder;
  if (has_from) to_wire(operation.from, out.mutable_from());
  if (has_to) to_wire(operation.to, out.mutable_to());
  // A name that the location has already is not said again: names are most of what a flag change costs.
  if (operation.expected) {
    to_wire(*operation.expected, *out.mutable_expected());
    if (operation.expected->name == expected_at(operation).name) out.mutable_expected()->clear_name();
  }
  if (names_to(operation.kind)) {
    to_wire(operation.result, *out.mutable_result());
    if (operation.result.name == operation.to.name) out.mutable_result()->clear_name();
  }
  if (operation.kind == sync::OperationKind::make_folder) to_wire(operation.folder, *out.mutable_folder());
  if (!has_to) out.set_to_trash(operation.to_trash);
}

Result<sync::Entry> from_wire(const Entry& entry) {
  sync::Entry out;
  MAILDIRSYNC_ASSIGN(auto area, area_from(entry.area()));
  if (entry.kind() > static_cast<std::uint32_t>(sync::EntryKind::symlink)) {
    return failure(ErrorCode::protocol, "", "unknown kind of entry");
  }
  MAILDIRSYNC_TRY(check_name(entry.name()));
  MAILDIRSYNC_ASSIGN(auto attributes, from_wire(entry.attributes()));
  if (!entry.digest().empty()) {
    sync::Digest digest;
    if (entry.digest().size() != digest.bytes.size())
      return failure(ErrorCode::protocol, "", "a digest has no 16 bytes");
    std::copy(entry.digest().begin(), entry.digest().end(), digest.bytes.begin());
    out.digest = digest;
  }
  if (entry.target().size() > k_max_target || entry.target().find('\0') != std::string::npos) {
    return failure(ErrorCode::bad_name, entry.name(), "the target of a symbolic link is not one");
  }
  out.area = area;
  out.kind = static_cast<sync::EntryKind>(entry.kind());
  out.name = entry.name();
  out.size = entry.size();
  out.mtime = entry.mtime();
  out.attributes = attributes;
  out.target = entry.target();
  return out;
}

Result<sync::FolderShape> from_wire(const FolderShape& shape) {
  sync::FolderShape out;
  MAILDIRSYNC_ASSIGN(out.self, from_wire(shape.self()));
  const auto optional = [](bool has, const Attributes& wire, std::optional<sync::Attributes>& to) -> Result<> {
    if (!has) return {};
    MAILDIRSYNC_ASSIGN(to, from_wire(wire));
    return {};
  };
  MAILDIRSYNC_TRY(optional(shape.has_cur(), shape.cur(), out.cur));
  MAILDIRSYNC_TRY(optional(shape.has_new_(), shape.new_(), out.new_));
  MAILDIRSYNC_TRY(optional(shape.has_tmp(), shape.tmp(), out.tmp));
  return out;
}

Result<sync::Operation> from_wire(const Operation& operation) {
  sync::Operation out;
  if (operation.kind() < 1 || operation.kind() > static_cast<std::uint32_t>(sync::OperationKind::remove_folder)) {
    return failure(ErrorCode::protocol, "", "unknown kind of operation");
  }
  out.kind = static_cast<sync::OperationKind>(operation.kind());
  MAILDIRSYNC_ASSIGN(auto from, from_wire(operation.from()));
  MAILDIRSYNC_ASSIGN(auto to, from_wire(operation.to()));
  out.from = std::move(from);
  out.to = std::move(to);
  if ((names_from(out.kind) && out.from.name.empty()) || (names_to(out.kind) && out.to.name.empty())) {
    return failure(ErrorCode::bad_name, "", "the name is empty");
  }
  if (operation.has_expected()) {
    MAILDIRSYNC_ASSIGN(auto expected, from_wire(operation.expected()));
    out.expected = std::move(expected);
    if (out.expected->name.empty()) out.expected->name = expected_at(out).name;
  }
  if (names_to(out.kind)) {
    MAILDIRSYNC_ASSIGN(auto result, from_wire(operation.result()));
    if (result.name.empty()) result.name = out.to.name;
    if (result.area != out.to.area || result.name != out.to.name) {
      return failure(ErrorCode::protocol, out.to.name, "an operation's target and result have different names");
    }
    out.result = std::move(result);
  }
  if (out.kind == sync::OperationKind::make_folder) {
    MAILDIRSYNC_ASSIGN(out.folder, from_wire(operation.folder()));
  }
  out.to_trash = operation.to_trash();
  return out;
}

void to_wire(const os::KeptTimes& times, KeptTimes& out) {
  out.set_grain(static_cast<std::uint64_t>(times.grain));
  out.set_earliest(times.earliest);
  out.set_latest(times.latest);
}

os::KeptTimes from_wire(const KeptTimes& times) {
  constexpr std::uint64_t k_coarsest = 10'000'000'000;  // ns
  if (times.grain() == 0 || times.grain() > k_coarsest || times.earliest() > times.latest()) return {};
  return {static_cast<std::int64_t>(times.grain()), times.earliest(), times.latest()};
}

Header goodbye(ErrorCode code, const std::string& sentence) {
  Header header;
  header.mutable_goodbye()->set_code(static_cast<std::uint32_t>(code));
  header.mutable_goodbye()->set_sentence(sentence);
  return header;
}

}  // namespace maildirsync::wire
