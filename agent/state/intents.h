#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/state/state.h"

namespace maildirsync::agent {

/// The intents of a turn in one value, so that the record of a large turn is one row.
std::string encode(const std::vector<sync::Intent>& intents);
/// Nothing when the bytes are not what encode() gives.
std::optional<std::vector<sync::Intent>> decode_intents(std::string_view bytes);

}  // namespace maildirsync::agent
