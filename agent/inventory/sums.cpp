#include "agent/inventory/sums.h"

#include <algorithm>

#include "common/os/printable.h"

namespace maildirsync::agent {

using nlohmann::json;

Sum sum_of(const Facts& facts, const std::function<bool(const Facts::Account&)>& wanted) {
  Sum sum;
  for (const auto& account : facts.accounts) {
    if (!wanted(account)) continue;
    const Inventory& inventory = account.inventory;
    ++sum.accounts;
    sum.folders += inventory.folders;
    sum.directories += inventory.directories;
    sum.messages += inventory.messages;
    sum.bytes += inventory.bytes;
    sum.control_files += inventory.control_files;
    sum.control_bytes += inventory.control_bytes;
    sum.disk_bytes += inventory.disk_bytes;
    sum.inodes += inventory.inodes;
    sum.left_out += inventory.left_out.size();
    sum.acls += inventory.acls;
    sum.there_bytes += std::min(account.there_bytes, inventory.bytes);
    sum.there_messages += std::min(account.there_messages, inventory.messages);
    sum.walk_seconds += inventory.walk_seconds;
    sum.seconds += inventory.seconds;
    const bool is_bigger = sum.biggest == nullptr || inventory.biggest_bytes > sum.biggest->inventory.biggest_bytes;
    if (inventory.messages > 0 && is_bigger) sum.biggest = &account;
  }
  return sum;
}

Sum sum_of_all(const Facts& facts) {
  return sum_of(facts, [](const Facts::Account&) { return true; });
}

Sum sum_of_root(const Facts& facts, const std::string& name) {
  return sum_of(facts, [&](const Facts::Account& account) { return account.root == name; });
}

json to_json(const Sum& sum) {
  return {{"accounts", sum.accounts},           {"folders", sum.folders},
          {"messages", sum.messages},           {"bytes", sum.bytes},
          {"control_files", sum.control_files}, {"control_bytes", sum.control_bytes},
          {"disk_bytes", sum.disk_bytes},       {"inodes", sum.inodes},
          {"left_out", sum.left_out},           {"there_messages", sum.there_messages},
          {"there_bytes", sum.there_bytes},     {"acls", sum.acls}};
}

json biggest_of(const Inventory& inventory) {
  return {{"bytes", inventory.biggest_bytes}, {"path", os::printable(inventory.biggest_path)}};
}

}  // namespace maildirsync::agent
