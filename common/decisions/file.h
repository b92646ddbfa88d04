#pragma once

#include <cstdint>
#include <string>

#include "common/decisions/decision.h"
#include "common/os/result.h"

namespace maildirsync::decisions {

/// A book as its file has it.
struct Found {
  Book book;
  bool exists = false;
  std::string damage;  ///< what was wrong with the file, which has been put aside, and where; empty: nothing
};

/// Reads the file. One that is damaged is put aside as PATH.damaged-<time>, and counts as lost; the operating system's
/// errors, and a file of a newer program, are errors: nobody may take those for a loss. Blocks.
/// `Whose::own`: the directory is one into which others may write; a file that one of them put there is `permission`.
enum class Whose : std::uint8_t { anybodys, own };
Result<Found> read_book(const std::string& path, Whose whose = Whose::anybodys);

/// Puts the book in the place of the file: written aside, synced, renamed, and its directory synced. On the disk when
/// it returns; on failure the old one is still there. `mode` of the file. Blocks.
Result<> write_book(const std::string& path, const Book& book, unsigned mode = 0600);

}  // namespace maildirsync::decisions
