#include <gtest/gtest.h>

#include "agent/turn/sender.h"

namespace maildirsync::agent {
namespace {

using sync::Area;
using sync::Location;

TEST(Location, has_a_path_that_leads_back_to_it) {
  for (const Location& at : {Location{"", Area::cur, "1.x:2,S"}, Location{".Sent", Area::new_, "1.x"},
                             Location{"a/b", Area::cur, "cur"}, Location{"", Area::folder, "dovecot-uidlist"},
                             Location{"a/b", Area::folder, "dovecot-uidlist"}, Location{"", Area::folder, "cur"}}) {
    EXPECT_EQ(location_of(path_of(at)), at) << path_of(at);
  }
}

}  // namespace
}  // namespace maildirsync::agent
