#pragma once

#include <string>
#include <string_view>

#include "common/config/config.h"

namespace maildirsync::config {

/// The text in quotes for a sentence; as printable.h shows it.
std::string in_quotes(std::string_view text);

/// The formats of texts in the configuration. Each returns the value in the form in which it is used, or
/// ErrorCode::config with what is wrong and what to write instead; the caller adds file, line and key.
Result<std::string> parse_absolute_path(const std::string& text);
Result<std::string> parse_socket_path(const std::string& text);
Result<std::string> parse_fingerprint(const std::string& text);
Result<std::string> parse_layout(const std::string& text);
Result<std::string> parse_log_level(const std::string& text);
/// The name of a root or peer: it is shown in lines, and compared byte for byte with the other side's.
Result<std::string> parse_name(const std::string& text);
/// A name or address in a map of another program: letters, digits, ".", "-" and ":".
Result<std::string> parse_host(const std::string& text);
/// A user or group, by name or number.
Result<std::string> parse_owner_name(const std::string& text);
Result<std::string> parse_unmapped(const std::string& text);
Result<Mode> parse_mode(const std::string& text);
Result<AccountOwners> parse_account_owners(const std::string& text);
/// "hold", or a time such as "14d".
Result<std::optional<std::chrono::seconds>> parse_removed_accounts(const std::string& text);
Result<OwnerPolicy> parse_owner_policy(const std::string& text);
Result<WatchBackend> parse_watch_backend(const std::string& text);

}  // namespace maildirsync::config
