#pragma once

#include <string_view>

namespace maildirsync::sync {

// What a control file is to whom, by its name.

/// It says which message has which UID (Dovecot's, Courier's).
bool is_uidlist(std::string_view name);

/// Users write it, with their mail program or by hand: subscriptions, filters, access lists, keywords.
bool is_users_own(std::string_view name);

/// A mail server writes it for itself, or anew from what it finds: nobody misses its content. (One that gives UIDs is
/// looked at by itself.)
bool is_servers_own(std::string_view name);

}  // namespace maildirsync::sync
