#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace maildirsync::cli {

using Json = nlohmann::json;

// Reads of a daemon's answer that never fail: a daemon of another version may leave a field out or give it another
// type.

/// The text, fit for a terminal; "" when there is none.
std::string text_of(const Json& object, const char* key);
std::optional<double> number_of(const Json& object, const char* key);
std::uint64_t count_of(const Json& object, const char* key);
bool flag_of(const Json& object, const char* key);
/// An array; empty when there is none.
const Json& list_of(const Json& object, const char* key);
/// An object; empty when there is none.
const Json& object_of(const Json& object, const char* key);

/// What a daemon left out, for people: root, account, path and why.
std::string left_out_text(const Json& left_out);

/// One line, whatever bytes are in it.
std::string to_line(const Json& json);

}  // namespace maildirsync::cli
