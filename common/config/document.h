#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::config {

/// A value of a TOML file that knows where it stands. A plain value, owned by whoever holds it.
struct Value {
  enum class Kind : std::uint8_t { text, integer, fraction, boolean, time, list, table };

  Kind kind = Kind::table;
  unsigned line = 0;         ///< of its key or its [header]; of the value itself in a list
  std::string key;           ///< its name in the table that holds it; "" in a list and at the top
  std::string text;          ///< of a text
  std::int64_t integer = 0;  ///< of an integer
  bool boolean = false;
  std::vector<Value> items;  ///< of a list; of a table in the order of their lines

  /// The item of a table; nullptr when there is none.
  const Value* find(std::string_view name) const;
};

/// Reads a TOML file into the table at its top. ErrorCode::config with one sentence when it can't be read or is not
/// TOML.
Result<Value> read_document(const std::string& file);
/// The same for a text that is, or will be, the content of `file`.
Result<Value> parse_document(const std::string& text, const std::string& file);

/// What tells two contents of a configuration apart, those of its peers' files (config.h) among them, whatever their
/// comments and spaces; "" where one of the files is not TOML.
std::string digest_of_file(const std::string& file);

/// "FILE:LINE: SENTENCE" as ErrorCode::config; without the line when that is 0.
Error complaint(const std::string& file, unsigned line, const std::string& sentence);

}  // namespace maildirsync::config
