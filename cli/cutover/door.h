#pragma once

#include <string>
#include <vector>

#include "cli/report/fields.h"

namespace maildirsync::cli {

/// Where an account's user is let in, and where its mail goes.
enum class Place {
  here,   ///< at the old server
  moves,  ///< nowhere for a moment: clients and senders try again
  there   ///< at the new server
};
/// "here", "moves", "there".
const char* name_of(Place place);

/// The maps by which users find their mailbox by one name while accounts are at both servers. All of them are written
/// from what the agent knows of every account, so that one which was lost or changed is right again at the next move.
struct DoorAccount {
  std::string name;
  Place place = Place::here;
  bool is_chosen = false;  ///< it is one of those that are being moved
};
struct DoorMap {
  std::string file;  ///< below the door's directory
  std::string text;
  bool operator==(const DoorMap&) const = default;
};

/// `old_host`, `new_host`: by which each server reaches the other. A name that cannot stand in a map is in none. Pure.
std::vector<DoorMap> door_maps(const std::string& old_host, const std::string& new_host,
                               const std::vector<DoorAccount>& accounts);

/// The accounts of the agent's answer to `door`; of those that are `chosen` (by name, or all of the `roots`), the place
/// is another one than the agent knows. Pure.
std::vector<DoorAccount> door_accounts(const Json& answer, const std::vector<std::string>& roots,
                                       const std::vector<std::string>& chosen, Place place);

}  // namespace maildirsync::cli
