#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/os/kept_times.h"
#include "common/sync/reconcile.h"

namespace maildirsync::sync {

/// Which times the file systems below a listing keep, by folder.
using TimesByFolder = std::map<std::string, os::KeptTimes>;

/// What becomes of a file whose date the destination cannot hold.
enum class OtherDates : std::uint8_t {
  lifted,  ///< it is taken to have its date: nothing better can be had there
  shown,   ///< it keeps the one that it has there
};

/// Where a destination keeps coarser times than the source, the files of a listing get the times that they were given:
/// those of the message or control file of the same base name and size in one of the `sources` (what is known, what the
/// source holds) or `intents` whose time becomes, there, the listed one. After that, times are compared as if the
/// destination kept them as the source does. Pure.
void lift_times(AccountManifest& listed, const TimesByFolder& times, const std::vector<const AccountManifest*>& sources,
                const std::vector<Intent>& intents, OtherDates dates);

}  // namespace maildirsync::sync
