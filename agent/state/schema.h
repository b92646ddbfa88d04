#pragma once

#include "agent/state/sqlite.h"

namespace maildirsync::agent {

/// Makes the tables of a new database, and brings those of an older version up to date. A database of a newer version
/// is refused.
Result<> prepare_schema(sqlite::Database& database);

}  // namespace maildirsync::agent
