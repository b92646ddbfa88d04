#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/service/log.h"

namespace maildirsync::service {

/// A line of the journal: the text for people, the name as EVENT=, and the fields, whose bytes stay as they are. Empty
/// ones are left out.
void send_to_journal(Level level, std::string_view name, const std::string& text,
                     const std::vector<std::pair<std::string_view, std::string>>& fields);

/// 32 hex digits; "" for a name without one.
std::string_view message_id_of(std::string_view name);
/// What sd_journal_send(3) takes for a field's name: upper case, '_' for all else but digits.
std::string journal_field(std::string_view key);

}  // namespace maildirsync::service
