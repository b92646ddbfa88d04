#include "cli/cutover/record.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

CutoverRecord example() {
  return {.order = {.freeze = "systemctl stop dovecot\n# \"quoted\"",
                    .thaw = "systemctl start dovecot",
                    .switch_over = "./switch",
                    .unswitch = "",
                    .check = "./check",
                    .rehearse = false,
                    .deep = true,
                    .timeout_seconds = 900,
                    .hook_timeout_seconds = 60,
                    .roots = {"vhosts", "other"},
                    .accounts = {"a@example.org"},
                    .to = "moved",
                    .door = true},
          .by = "root",
          .began = "2026-11-29T02:00:00Z",
          .entries = {{.task = {Step::presync, false}, .end = End::good, .began = "2026-11-29T02:00:00Z"},
                      {.task = {Step::freeze, false},
                       .end = End::unknown,
                       .began = "2026-11-29T02:01:00Z",
                       .process = "17:4711:boot",
                       .elapsed_seconds = 1.5,
                       .detail = "something"}}};
}

TEST(CutoverRecord, is_read_as_it_was_written) {
  const Json json = to_json(example(), "running", "1:2:3");
  const auto read = read_record(Json::parse(json.dump()));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read, "running", "1:2:3"), json);
  EXPECT_EQ(read->order.freeze, example().order.freeze);
  EXPECT_EQ(read->order.roots, example().order.roots);
  EXPECT_EQ(read->order.accounts, example().order.accounts);
  EXPECT_EQ(read->order.to, "moved");
  EXPECT_TRUE(read->order.door);
  EXPECT_EQ(history_of(*read), history_of(example()));
  EXPECT_EQ(read->entries[1].process, "17:4711:boot");
}

TEST(CutoverRecord, says_what_the_agent_tells_of_it) {
  const Json json = to_json(example(), "running", "1:2:3");
  EXPECT_EQ(json["holder"], "1:2:3");
  EXPECT_EQ(json["step"], "freeze");
  EXPECT_EQ(json["open"], true);
  CutoverRecord before = example();
  before.entries.pop_back();
  EXPECT_EQ(to_json(before, "running", "1:2:3")["open"], false);
}

TEST(CutoverRecord, fits_a_request_however_often_it_was_gone_on_with) {
  CutoverRecord long_one = example();
  for (int i = 0; i < 300; ++i)
    long_one.entries.push_back({.task = {Step::freeze, false}, .detail = std::string(2000, 'x')});
  const Json json = to_json(long_one, "running", "1:2:3");
  EXPECT_LT(json.dump().size(), 60U * 1024);
  const auto read = read_record(json);
  ASSERT_TRUE(read);
  EXPECT_EQ(history_of(*read), history_of(long_one));
}

TEST(CutoverRecord, is_not_read_when_it_is_not_understood) {
  Json json = to_json(example(), "running", "");
  EXPECT_FALSE(read_record(Json()));
  EXPECT_FALSE(read_record({{"damaged", true}}));
  json["tasks"][0]["step"] = "somersault";
  EXPECT_FALSE(read_record(json));
  json = to_json(example(), "running", "");
  json["version"] = 2;
  EXPECT_FALSE(read_record(json));
}

TEST(CutoverRecord, knows_where_it_ended) {
  const Script script{.freeze = true, .thaw = true, .switch_over = true};
  EXPECT_EQ(state_of(script, {{{Step::presync, false}, End::bad}}), "stopped");
  EXPECT_EQ(state_of(script, {{{Step::freeze, false}, End::bad}, {{Step::freeze, true}, End::good}}), "undone");
  EXPECT_EQ(state_of(script, {{{Step::freeze, false}, End::bad}, {{Step::freeze, true}, End::bad}}), "stopped");
}

TEST(CutoverRecord, the_maps_of_a_door_are_put_back_but_a_command_needs_one_that_undoes_it) {
  CutoverOrder order;
  order.door = true;
  Script script = script_of(order);
  EXPECT_TRUE(script.freeze && script.thaw && script.switch_over && script.unswitch);
  order.switch_over = "./switch";
  script = script_of(order);
  EXPECT_TRUE(script.switch_over && script.thaw);
  EXPECT_FALSE(script.unswitch);
}

}  // namespace
}  // namespace maildirsync::cli
