#pragma once

#include <string>
#include <string_view>

#include "common/decisions/decision.h"
#include "common/os/result.h"

namespace maildirsync::decisions {

/// The file of a book: a line for each decision, for people too, and a digest of all of it as the last line. Pure.
std::string to_text(const Book& book);

/// Strict: fails with ErrorCode::state when anything is not as to_text() writes it, and with ErrorCode::config when a
/// newer program wrote it; the sentence says what is wrong. Pure.
Result<Book> from_text(std::string_view text);

}  // namespace maildirsync::decisions
