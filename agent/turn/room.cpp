#include "agent/turn/room.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace maildirsync::agent {

namespace {

constexpr std::uint64_t k_block = 4096;

/// With its name and its share of what the file system keeps of it.
std::int64_t cost_of(std::uint64_t size) {
  constexpr auto k_most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 4);
  return static_cast<std::int64_t>((std::min(size, k_most) + k_block - 1) / k_block * k_block + k_block);
}

bool takes_room(const sync::Operation& operation) {
  return operation.kind == sync::OperationKind::put || operation.kind == sync::OperationKind::put_control;
}

}  // namespace

bool Room::take(std::uint64_t size) {
  if (!full_) return true;
  const std::int64_t cost = cost_of(size);
  if (bytes_.fetch_sub(cost) >= cost) {
    if (files_.fetch_sub(1) >= 1) return true;
    ++files_;
  }
  bytes_ += cost;
  return false;
}

void Room::is_full() {
  bytes_ = 0;
  files_ = 0;
  full_ = true;
}

void Room::tell(std::uint64_t bytes, std::uint64_t files) {
  constexpr auto k_most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 4);
  bytes_ = static_cast<std::int64_t>(std::min(bytes, k_most));
  files_ = static_cast<std::int64_t>(std::min(files, k_most));
}

void WantOfRoom::add(const sync::Operation& operation, const std::string& said) {
  const bool is_file = takes_room(operation);
  const std::uint64_t size = is_file ? operation.result.size : 0;
  if (messages == 0 || size < smallest) {
    smallest = size;
    owner = is_file || !operation.result.name.empty() ? operation.result.attributes : operation.folder.self;
  }
  if (messages == 0) path = path_of(operation.to);
  if (detail.empty()) detail = said;
  ++messages;
  bytes += size;
}

void WantOfRoom::merge(const WantOfRoom& other) {
  if (other.messages == 0) return;
  if (messages == 0 || other.smallest < smallest) {
    smallest = other.smallest;
    owner = other.owner;
  }
  if (messages == 0) path = other.path;
  if (detail.empty()) detail = other.detail;
  messages += other.messages;
  bytes += other.bytes;
}

std::string sentence_of(const WantOfRoom& want) {
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1024 * 1024); };
  return fmt::format(
      "{} file{} ({:.1f} MiB) of the account wait{} for room at the destination, the smallest of {:.3f} MiB{}; "
      "sent again when the receiver says that there is room",
      want.messages, want.messages == 1 ? "" : "s", mib(want.bytes), want.messages == 1 ? "s" : "", mib(want.smallest),
      want.detail.empty() ? "" : ": " + want.detail);
}

}  // namespace maildirsync::agent
