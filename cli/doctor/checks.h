#pragma once

#include "cli/doctor/check.h"
#include "cli/doctor/identity.h"
#include "cli/report/fields.h"
#include "cli/setup/places.h"
#include "common/config/config.h"

namespace maildirsync::cli {

/// What both sides have in common, and what each has of its own. Each function adds its checks.

/// All checks of one side.
void check_agent(const Places& places, Checks& checks);
void check_receiver(const Places& places, Checks& checks);

/// A configuration that its reader refuses; the sentence is split into what and remedy.
void refuse_configuration(Checks& checks, const Places& places, Role role, const Error& error);

/// The key: of root or the service, and fitting its certificate.
void check_key(Checks& checks, const ServiceIdentity& identity, const std::string& certificate, const std::string& key);

/// The state directory: there, writable for the service, with room.
void check_state(Checks& checks, const ServiceIdentity& identity, const std::string& state_dir);

/// Whether the daemon answers, and its problems. Gives its status; null when it does not answer.
Json check_daemon(Checks& checks, Role role, const Places& places, const std::string& control);

/// The other side's clock minus ours.
void check_clock(Checks& checks, const std::string& peer, double offset);

/// "no space": what is free at a path is less than a daemon needs. Adds a check only when it is bad.
bool check_room(Checks& checks, const std::string& name, const std::string& path, const std::string& remedy);

/// Whether a running Dovecot serves what is mirrored to here. Adds a check only when one does.
void check_dovecot(Checks& checks, const config::Receiver& config, const Json& status);

}  // namespace maildirsync::cli
