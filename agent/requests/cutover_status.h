#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/decisions/cutover_record.h"

namespace maildirsync::agent {

/// The last cutover in `status`; null when there was none.
nlohmann::json cutover_status(const CutoverRecord& cutover);

/// What is to be said of a cutover that is not at its end, and at which no program works any more.
std::optional<std::string> left_cutover(const CutoverRecord& cutover);

}  // namespace maildirsync::agent
