#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "common/os/result.h"

namespace maildirsync::control {

/// A daemon that works says so at least every few seconds (connection.cpp). One that is silent for longer hangs.
inline constexpr double k_silence_seconds = 10;

/// Sends one request over the control socket and waits for the answer; progress lines go to `on_progress`. Blocking,
/// but never longer than `silence_seconds` without a byte from the daemon (timed_out); `timeout_seconds` is for all of
/// it, 0: no end. unreachable with a sentence that says what to do when nobody listens or when permission is missing.
/// `cancel_fd`, if there is one, ends the wait with cancelled once it is readable; the daemon sees the hang-up.
Result<nlohmann::json> call(const std::string& socket, const nlohmann::json& request,
                            const std::function<void(const nlohmann::json&)>& on_progress, double timeout_seconds,
                            int cancel_fd = -1, double silence_seconds = k_silence_seconds);

}  // namespace maildirsync::control
