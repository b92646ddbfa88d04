#include "common/service/log.h"

#include <gtest/gtest.h>

namespace maildirsync::service {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string>>;

template <class... Values>
LineParts parts(fmt::format_string<Values...> format, const Values&... values) {
  return parts_of(format, fmt::make_format_args(values...));
}

TEST(LogLine, has_a_name_and_details) {
  const auto line = parts("root-held root={} accounts={}", "vhosts", 7);
  EXPECT_EQ(line.name, "root-held");
  EXPECT_EQ(line.fields, (Fields{{"root", "vhosts"}, {"accounts", "7"}}));
}

TEST(LogLine, has_details_with_spaces_in_quotes) {
  const auto line = parts("root-held root={} reason=\"the root {} is gone\" action=\"mount it\"", "a b", "c=\"d\"");
  EXPECT_EQ(line.fields, (Fields{{"root", "a b"}, {"reason", "the root c=\"d\" is gone"}, {"action", "mount it"}}));
}

TEST(LogLine, keeps_formats_and_takes_several_values_for_one_detail) {
  const auto line = parts("root-way kernel={}.{} seconds={:.1f} what={}", 6, 1, 2.25, "x");
  EXPECT_EQ(line.fields, (Fields{{"kernel", "6.1"}, {"seconds", "2.2"}, {"what", "x"}}));
}

TEST(LogLine, may_have_a_name_only) {
  const auto line = parts("stop");
  EXPECT_EQ(line.name, "stop");
  EXPECT_TRUE(line.fields.empty());
}

}  // namespace
}  // namespace maildirsync::service
