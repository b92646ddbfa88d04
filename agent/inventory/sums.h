#pragma once

#include <cstdint>
#include <functional>

#include <nlohmann/json.hpp>

#include "agent/inventory/forecast.h"

namespace maildirsync::agent {

// What `plan` counted, added up. Pure.

/// Of some accounts; what is there already counts as far as the source has it.
struct Sum {
  std::uint64_t accounts = 0, folders = 0, directories = 0, messages = 0, bytes = 0, control_files = 0,
                control_bytes = 0, disk_bytes = 0, inodes = 0, left_out = 0, there_bytes = 0, there_messages = 0,
                acls = 0;
  double walk_seconds = 0, seconds = 0;
  const Facts::Account* biggest = nullptr;  ///< that has the biggest message
};

Sum sum_of(const Facts& facts, const std::function<bool(const Facts::Account&)>& wanted);
Sum sum_of_all(const Facts& facts);
Sum sum_of_root(const Facts& facts, const std::string& name);

nlohmann::json to_json(const Sum& sum);
/// The biggest message of an account.
nlohmann::json biggest_of(const Inventory& inventory);

}  // namespace maildirsync::agent
