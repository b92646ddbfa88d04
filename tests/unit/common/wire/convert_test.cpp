#include "common/wire/convert.h"

#include <functional>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::wire {
namespace {

rc::Gen<std::string> name() {
  return rc::gen::suchThat(rc::gen::nonEmpty(rc::gen::arbitrary<std::string>()), [](const std::string& text) {
    return text.size() <= 255 && text.find('/') == std::string::npos && text.find('\0') == std::string::npos &&
           text != "." && text != ".." && !text.starts_with(".maildirsync.");
  });
}

rc::Gen<std::string> folder() {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(name()), [](std::vector<std::string> parts) {
    std::string path;
    for (std::size_t i = 0; i < parts.size() && i < 4; ++i)
      path += (path.empty() ? "" : "/") + parts[i];
    return path;
  });
}

sync::Attributes attributes() {
  return {*rc::gen::inRange<std::uint32_t>(0, 010000), *rc::gen::arbitrary<std::uint32_t>(),
          *rc::gen::arbitrary<std::uint32_t>()};
}

std::optional<sync::Attributes> optional_attributes() {
  return *rc::gen::arbitrary<bool>() ? std::optional(attributes()) : std::nullopt;
}

sync::Area area() {
  return static_cast<sync::Area>(*rc::gen::inRange(0, 3));
}

sync::Entry entry() {
  sync::Entry made;
  made.area = area();
  made.kind = static_cast<sync::EntryKind>(*rc::gen::inRange(0, 2));
  made.name = *name();
  made.size = *rc::gen::arbitrary<std::uint64_t>();
  made.mtime = *rc::gen::arbitrary<std::int64_t>();
  made.attributes = attributes();
  if (*rc::gen::arbitrary<bool>()) made.digest = sync::Digest{*rc::gen::arbitrary<std::array<std::uint8_t, 16>>()};
  if (made.kind == sync::EntryKind::symlink) made.target = *name();
  return made;
}

sync::Operation operation() {
  using enum sync::OperationKind;
  sync::Operation made;
  made.kind = static_cast<sync::OperationKind>(*rc::gen::inRange(1, 10));
  const bool of_folder = made.kind == make_folder || made.kind == rename_folder || made.kind == remove_folder;
  const bool has_from = made.kind == link || made.kind == rename || made.kind == remove;
  if (made.kind == rename_folder || made.kind == remove_folder) made.from.folder = *folder();
  if (made.kind == rename_folder || made.kind == make_folder) made.to.folder = *folder();
  if (made.kind == remove_folder || made.kind == rename_folder) made.from.area = sync::Area::folder;
  if (made.kind == make_folder || made.kind == rename_folder) made.to.area = sync::Area::folder;
  if (has_from) made.from = {*folder(), area(), *name()};
  if (!of_folder && made.kind != remove) {
    made.result = entry();
    made.to = {*folder(), made.result.area, made.result.name};
  }
  if (*rc::gen::arbitrary<bool>()) made.expected = entry();
  if (made.kind == make_folder)
    made.folder = {attributes(), optional_attributes(), optional_attributes(), optional_attributes()};
  return made;
}

bool is_equal(const sync::Operation& left, const sync::Operation& right) {
  const auto same = [](const sync::Location& a, const sync::Location& b) {
    return a.folder == b.folder && a.name == b.name;
  };
  return left.kind == right.kind && same(left.from, right.from) && same(left.to, right.to) &&
         left.expected == right.expected && left.result == right.result && left.folder == right.folder;
}

RC_GTEST_PROP(Convert, an_entry_survives_the_wire, ()) {
  const sync::Entry sent = entry();
  Entry message;
  to_wire(sent, message);
  Entry parsed;
  RC_ASSERT(parsed.ParseFromString(message.SerializeAsString()));
  const auto received = from_wire(parsed);
  RC_ASSERT(received.has_value());
  RC_ASSERT(*received == sent);
}

RC_GTEST_PROP(Convert, an_operation_survives_the_wire, ()) {
  const sync::Operation sent = operation();
  Operation message;
  to_wire(sent, message);
  Operation parsed;
  RC_ASSERT(parsed.ParseFromString(message.SerializeAsString()));
  const auto received = from_wire(parsed);
  RC_ASSERT(received.has_value());
  RC_ASSERT(is_equal(*received, sent));
}

Operation rename_message() {
  sync::Operation operation;
  operation.kind = sync::OperationKind::rename;
  operation.from = {".Sent", sync::Area::cur, "1.x:2,S"};
  operation.to = {".Sent", sync::Area::cur, "1.x:2,FS"};
  operation.result.name = operation.to.name;
  operation.expected = operation.result;
  Operation message;
  to_wire(operation, message);
  return message;
}

ErrorCode refusal(const std::function<void(Operation&)>& spoil) {
  Operation message = rename_message();
  spoil(message);
  const auto result = from_wire(message);
  return result ? ErrorCode::io : result.error().code;
}

TEST(Convert, takes_a_good_operation) {
  EXPECT_TRUE(from_wire(rename_message()));
}

TEST(Convert, refuses_every_name_that_is_not_a_single_confined_component) {
  const std::vector<std::string> names{
      "..",           ".", "a/b", "/", "/etc", "../x", std::string("a\0b", 3), std::string(256, 'x'), ".maildirsync.1",
      ".maildirsync."};
  for (const auto& name : names) {
    EXPECT_EQ(refusal([&](Operation& message) { message.mutable_from()->set_name(name); }), ErrorCode::bad_name)
        << name;
    EXPECT_EQ(refusal([&](Operation& message) { message.mutable_to()->set_name(name); }), ErrorCode::bad_name) << name;
    EXPECT_EQ(refusal([&](Operation& message) { message.mutable_result()->set_name(name); }), ErrorCode::bad_name)
        << name;
    EXPECT_EQ(refusal([&](Operation& message) { message.mutable_expected()->set_name(name); }), ErrorCode::bad_name)
        << name;
  }
}

TEST(Convert, refuses_an_empty_name_where_a_file_is_meant) {
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_from()->set_name(""); }), ErrorCode::bad_name);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_to()->set_name(""); }), ErrorCode::bad_name);
}

TEST(Convert, refuses_every_folder_that_is_not_confined) {
  const std::vector<std::string> folders{"..",
                                         "a/..",
                                         "/",
                                         "/a",
                                         "a/",
                                         "a//b",
                                         "./a",
                                         std::string("a\0b", 3),
                                         "a/" + std::string(256, 'x'),
                                         "a/.maildirsync.1"};
  for (const auto& folder : folders) {
    EXPECT_EQ(refusal([&](Operation& message) { message.mutable_from()->set_folder(folder); }), ErrorCode::bad_name)
        << folder;
    EXPECT_EQ(refusal([&](Operation& message) { message.mutable_to()->set_folder(folder); }), ErrorCode::bad_name)
        << folder;
  }
}

TEST(Convert, refuses_numbers_that_mean_nothing) {
  EXPECT_EQ(refusal([](Operation& message) { message.set_kind(0); }), ErrorCode::protocol);
  EXPECT_EQ(refusal([](Operation& message) { message.set_kind(10); }), ErrorCode::protocol);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_to()->set_area(3); }), ErrorCode::protocol);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->set_kind(2); }), ErrorCode::protocol);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->mutable_attributes()->set_mode(010000); }),
            ErrorCode::protocol);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->set_digest("short"); }), ErrorCode::protocol);
}

TEST(Convert, refuses_a_result_that_is_not_at_the_target) {
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->set_name("other"); }), ErrorCode::protocol);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->set_area(2); }), ErrorCode::protocol);
}

TEST(Convert, refuses_a_target_of_a_link_that_is_none) {
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->set_target(std::string("a\0b", 3)); }),
            ErrorCode::bad_name);
  EXPECT_EQ(refusal([](Operation& message) { message.mutable_result()->set_target(std::string(4097, 'x')); }),
            ErrorCode::bad_name);
}

TEST(Convert, refuses_an_operation_that_says_nothing) {
  EXPECT_FALSE(from_wire(Operation()));
}

}  // namespace
}  // namespace maildirsync::wire
