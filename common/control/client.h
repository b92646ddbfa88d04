#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "common/os/result.h"

namespace maildirsync::control {

/// Sends one request over the control socket and waits for the answer; progress lines go to `on_progress`. Blocking;
/// `timeout_seconds` 0: none. unreachable with a sentence that says what to do when nobody listens or when permission
/// is missing. `cancel_fd`, if there is one, ends the wait with cancelled once it is readable; the daemon sees the
/// hang-up.
Result<nlohmann::json> call(const std::string& socket, const nlohmann::json& request,
                            const std::function<void(const nlohmann::json&)>& on_progress, double timeout_seconds,
                            int cancel_fd = -1);

}  // namespace maildirsync::control
