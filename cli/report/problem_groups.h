#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/report/fields.h"

namespace maildirsync::cli {

/// Problems of one kind: the same code and the same cause, whichever account, path or number it names. Refers to the
/// problems that it was made of.
struct ProblemGroup {
  std::string code;
  std::string cause;         ///< in the words of the first one
  std::string worst;         ///< the account that has most of them, else the root, else ""
  std::size_t accounts = 0;  ///< that have any
  std::optional<double> oldest_seconds;
  std::vector<const Json*> problems;  ///< the oldest first
};

/// The worst first: what holds or stops a whole root or everything, then by number.
std::vector<ProblemGroup> group_problems(const Json& problems);
/// The same by codes alone, for when there are too many causes to show.
std::vector<ProblemGroup> group_by_code(const Json& problems);

/// An account with all of its problems.
struct TroubledAccount {
  std::string root, name;
  std::size_t count = 0;
  std::vector<std::string> codes;  ///< each once
  std::optional<double> oldest_seconds;
};
/// The worst first: what is held, then by number, then by age. At most `most`.
std::vector<TroubledAccount> worst_accounts(const Json& problems, std::size_t most);

/// The detail without what differs from one problem of the kind to the next: paths, quoted words, numbers, and the
/// names in the problem itself.
std::string cause_of(const Json& problem);

/// Whether a problem of that code stops an account, a root or everything until a person does something.
bool stops(std::string_view code);

}  // namespace maildirsync::cli
