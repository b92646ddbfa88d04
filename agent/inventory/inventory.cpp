#include "agent/inventory/inventory.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "agent/scan/folder.h"
#include "agent/scan/structure.h"
#include "common/os/clock.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using Clock = std::chrono::steady_clock;

std::uint64_t in_blocks(std::uint64_t bytes) {
  return (bytes + k_block - 1) / k_block * k_block;
}

class Taker {
 public:
  Inventory run(const os::Directory& root, const std::string& account, const std::atomic<bool>& stop) {
    const auto start = Clock::now();
    auto structure = scan_structure(root, account, [this](const os::Directory&, const std::string&, Part part) {
      inventory_.directories += part == Part::tmp ? 0 : 1;
    });
    inventory_.walk_seconds = os::seconds_since(start);
    add_problems(structure.problems);
    inventory_.acls += structure.acls;
    const auto directory = root.open_directory(account);
    if (directory) {
      for (const auto& folder : structure.manifest.folders) {
        if (stop) break;
        take_folder(*directory, folder);
      }
    }
    inventory_.seconds = os::seconds_since(start);
    return std::move(inventory_);
  }

 private:
  void take_folder(const os::Directory& account, const sync::FolderManifest& shape) {
    ++inventory_.folders;
    take_directory(shape.self);
    for (const auto* area : {&shape.cur, &shape.new_, &shape.tmp}) {
      if (*area) take_directory(**area);
    }
    auto scan = scan_folder(account, shape.path, {}, Depth::full);
    if (!scan) {
      if (scan.error().code != ErrorCode::vanished) {
        inventory_.left_out.push_back({scan.error().code, shape.path, scan.error().message()});
      }
      return;
    }
    add_problems(scan->problems);
    inventory_.acls += scan->acls;
    for (const auto& entry : scan->manifest.entries)
      take_entry(shape.path, entry);
  }

  void take_directory(const sync::Attributes& attributes) {
    inventory_.owners.insert({attributes.uid, attributes.gid});
    inventory_.disk_bytes += k_block;
    ++inventory_.inodes;
  }

  void take_entry(const std::string& folder, const sync::Entry& entry) {
    inventory_.owners.insert({entry.attributes.uid, entry.attributes.gid});
    inventory_.longest_name = std::max(inventory_.longest_name, entry.name.size());
    if (inodes_.insert(entry.inode).second) {
      inventory_.disk_bytes += in_blocks(entry.size);
      ++inventory_.inodes;
    }
    if (entry.area == Area::folder) {
      ++inventory_.control_files;
      inventory_.control_bytes += entry.size;
      return;
    }
    ++inventory_.messages;
    inventory_.bytes += entry.size;
    if (entry.size >= inventory_.biggest_bytes) {
      inventory_.biggest_bytes = entry.size;
      inventory_.biggest_path = sync::path_of({folder, entry.area, entry.name});
    }
  }

  void add_problems(std::vector<ScanProblem>& problems) {
    std::move(problems.begin(), problems.end(), std::back_inserter(inventory_.left_out));
  }

  Inventory inventory_;
  std::unordered_set<std::uint64_t> inodes_;
};

}  // namespace

Inventory take_inventory(const os::Directory& root, const std::string& account, const std::atomic<bool>& stop) {
  return Taker().run(root, account, stop);
}

}  // namespace maildirsync::agent
