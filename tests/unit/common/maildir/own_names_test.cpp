#include "common/maildir/own_names.h"

#include <gtest/gtest.h>

namespace maildirsync::maildir {
namespace {

TEST(OwnNames, are_those_that_maildirsync_gives) {
  for (const auto* name :
       {".maildirsync.0123456789abcdef.1", ".maildirsync.ffffffffffffffff.1234", ".maildirsync.times.12.3",
        ".maildirsync.doctor.12", ".maildirsync.root", ".maildirsync.root.new", ".maildirsync.given",
        ".maildirsync.decisions", ".maildirsync.decisions.new", ".maildirsync.account", ".maildirsync.folder",
        ".maildirsync.uidlist.2"}) {
    EXPECT_TRUE(is_own_name(name)) << name;
  }
}

TEST(OwnNames, are_not_what_people_call_so) {
  for (const auto* name :
       {".maildirsync.", ".maildirsync.1", ".maildirsync.dev", ".maildirsync.0123456789abcdef", ".maildirsync.trash",
        ".maildirsync.0123456789abcdef.", ".maildirsync.0123456789abcdef.1:2,S", ".maildirsync.0123456789abcde.1",
        ".maildirsync.folders", ".maildirsync.uidlist.x", "maildirsync.root", "1.x", ""}) {
    EXPECT_FALSE(is_own_name(name)) << name;
  }
}

}  // namespace
}  // namespace maildirsync::maildir
