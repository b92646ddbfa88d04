#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/requests/request.h"
#include "common/config/config.h"

namespace maildirsync::agent {

class Requests;
using Reply = std::shared_ptr<control::Reply>;

// The commands, each in the file of its name. Those that take a while begin a Request.

/// Which account is at which server, and the maps that say so.
void door(Requests& requests, const nlohmann::json& request, Reply reply);
void flush(Requests& requests, const nlohmann::json& request, Reply reply);
void verify(Requests& requests, const nlohmann::json& request, Reply reply);
/// `plan`
void inventory(Requests& requests, const nlohmann::json& request, Reply reply);
void repair_index(Requests& requests, const nlohmann::json& request, Reply reply);
/// `drain` and `mirror`
void set_mode(Requests& requests, const nlohmann::json& request, Reply reply);
/// A mode that agent.toml says, while the agent runs.
void set_configured_mode(Requests& requests, std::size_t root, config::Mode mode);
/// `release` and `held`
void release(Requests& requests, const nlohmann::json& request, Reply reply);
/// `pause` and `resume`
void set_paused(Requests& requests, const nlohmann::json& request, Reply reply);
/// Where a cutover stands: read, or replaced by its holder.
void cutover_record(Requests& requests, const nlohmann::json& request, Reply reply);
/// A step of a cutover, for the log.
void note_step(Requests& requests, const nlohmann::json& request, Reply reply);

}  // namespace maildirsync::agent
