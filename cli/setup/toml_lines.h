#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/document.h"

namespace maildirsync::cli {

/// What edits of a TOML file are made of: its lines, and comparisons of what it says before and after. Pure.

std::vector<std::string> split_lines(const std::string& text);
/// Each with its end of line.
std::string join_lines(const std::vector<std::string>& lines);

bool is_header(const std::string& line);
/// Nothing, blanks, or a comment.
bool is_empty_or_comment(const std::string& line);

/// Where the value of "key = value # comment" begins and ends; nothing when it goes on in the next line or is not a
/// plain value.
std::optional<std::pair<std::size_t, std::size_t>> value_span(const std::string& line);

/// "#key = …" with the comment sign taken off; nothing for any other line.
std::optional<std::string> uncommented(const std::string& line, const std::string& key);

/// `text` as a TOML string.
std::string toml_text(std::string_view text);

/// Equal but for lines and the order of keys.
bool is_same(const config::Value& left, const config::Value& right);

/// The document but for one key of a table ("" for the top); a table that this leaves empty goes, too.
config::Value without(config::Value document, const std::string& table, const std::string& key);
void erase_key(config::Value& table, const std::string& key);

/// The refusal of an edit, with what to write instead.
Failure by_hand(const std::string& file, const std::string& what);

}  // namespace maildirsync::cli
