#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/decisions/cutover_record.h"

namespace maildirsync::agent {

/// The last cutover in `status`; null when there was none.
nlohmann::json cutover_status(const CutoverRecord& cutover);

/// The sentence about a cutover that has not ended although no program works at it any more; nothing when there is
/// none.
std::optional<std::string> left_cutover(const CutoverRecord& cutover);

}  // namespace maildirsync::agent
