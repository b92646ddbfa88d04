#include <algorithm>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/sync/equality.h"
#include "common/sync/plan.h"
#include "tests/unit/common/sync/destination.h"
#include "tests/unit/common/sync/source.h"

namespace maildirsync::sync {
namespace {

using testing::describe;
using testing::Destination;
using testing::Source;
using Steps = std::vector<testing::Step>;

bool is_equal(const AccountManifest& left, const AccountManifest& right) {
  return std::equal(left.folders.begin(), left.folders.end(), right.folders.begin(), right.folders.end(),
                    [](const FolderManifest& a, const FolderManifest& b) {
                      return a.path == b.path && a.inode == b.inode && a.self == b.self && a.cur == b.cur &&
                             a.new_ == b.new_ && a.tmp == b.tmp && a.entries == b.entries;
                    });
}

/// As if each file had been read: the source's clock ticks for each change, so size and time stand for the content.
AccountManifest with_digests(AccountManifest manifest) {
  for (auto& folder : manifest.folders) {
    for (auto& entry : folder.entries) {
      if (entry.kind != EntryKind::file) continue;
      Digest& digest = entry.digest.emplace();
      for (std::size_t i = 0; i < 8; ++i) {
        digest.bytes[i] = static_cast<std::uint8_t>(entry.size >> (8 * i));
        digest.bytes[8 + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(entry.mtime) >> (8 * i));
      }
    }
  }
  return manifest;
}

/// The plan when contents are known; without the digests, which mean nothing to the rest of the model.
std::vector<Operation> plan_of_read_files(const AccountManifest& before, const AccountManifest& after) {
  auto operations = plan(with_digests(before), with_digests(after));
  for (auto& operation : operations) {
    operation.result.digest.reset();
    if (operation.expected) operation.expected->digest.reset();
  }
  return operations;
}

/// An account before and after some changes, and the plan between.
struct Case {
  Case(const Steps& history, const Steps& changes) {
    Source source;
    source.steps(history);
    before = source.manifest();
    source.steps(changes);
    after = source.manifest();
    operations = plan_of_read_files(before, after);
  }

  std::string text() const {
    std::ostringstream out;
    out << "before:\n" << describe(before) << "after:\n" << describe(after) << "plan:\n" << describe(operations);
    return out.str();
  }

  AccountManifest before, after;
  std::vector<Operation> operations;
};

/// Calls back before the first and after each operation.
template <class Look>
void at_each_prefix(const Case& c, Look look) {
  Destination destination(c.before);
  look(destination, nullptr);
  for (const auto& operation : c.operations) {
    const std::string refused = destination.step(operation);
    if (!refused.empty()) RC_FAIL(describe(operation) + ": " + refused + "\n" + c.text());
    look(destination, &operation);
  }
}

bool adds_messages(OperationKind kind) {
  return kind == OperationKind::put || kind == OperationKind::link || kind == OperationKind::rename;
}

RC_GTEST_PROP(PlanProperties, turns_before_into_after, (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  const AccountManifest result = sync::apply(c.before, c.operations);
  RC_LOG() << c.text() << "result:\n" << describe(result);
  RC_ASSERT(is_equal(result, c.after));
}

RC_GTEST_PROP(PlanProperties, fills_an_empty_destination, (const Steps& history)) {
  Source source;
  source.steps(history);
  const AccountManifest after = source.manifest();
  RC_ASSERT(is_equal(sync::apply({}, plan({}, after)), after));
}

RC_GTEST_PROP(PlanProperties, does_nothing_when_nothing_changed, (const Steps& history)) {
  Source source;
  source.steps(history);
  RC_ASSERT(plan(source.manifest(), source.manifest()).empty());
}

RC_GTEST_PROP(PlanProperties, asks_for_nothing_that_a_receiver_would_refuse,
              (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  at_each_prefix(c, [](const Destination&, const Operation*) {});
}

RC_GTEST_PROP(PlanProperties, can_repeat_each_operation, (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  std::vector<Operation> twice;
  for (const auto& operation : c.operations)
    twice.insert(twice.end(), 2, operation);
  RC_LOG() << c.text();
  RC_ASSERT(is_equal(sync::apply(c.before, twice), c.after));
}

RC_GTEST_PROP(PlanProperties, can_break_off_anywhere, (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  AccountManifest reached = c.before;
  reached.structure_whole = true;
  for (const auto& operation : c.operations) {
    reached = sync::apply(std::move(reached), {operation});
    const auto rest = plan(reached, c.after);
    const AccountManifest result = sync::apply(reached, rest);
    if (is_equal(result, c.after)) continue;
    RC_FAIL("after " + describe(operation) + " the rest leads to\n" + describe(result) + "by\n" + describe(rest) +
            c.text());
  }
}

RC_GTEST_PROP(PlanProperties, sends_control_files_when_all_messages_are_there,
              (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  at_each_prefix(c, [&](const Destination& destination, const Operation* operation) {
    if (operation == nullptr || operation->kind != OperationKind::put_control) return;
    for (const auto& folder : c.after.folders) {
      for (const auto& entry : folder.entries) {
        if (entry.area == Area::folder) continue;
        const Entry* found = destination.at({folder.path, entry.area, entry.name});
        if (found == nullptr || found->size != entry.size || found->target != entry.target) {
          RC_FAIL(describe(*operation) + " comes before " + entry.name + "\n" + c.text());
        }
      }
    }
  });
}

RC_GTEST_PROP(PlanProperties, takes_messages_away_after_all_were_added, (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  const auto is_removal = [](const Operation& operation) {
    const bool message = operation.kind == OperationKind::remove && operation.from.area != Area::folder;
    return message || operation.kind == OperationKind::remove_folder || operation.kind == OperationKind::put_control;
  };
  const auto first = std::find_if(c.operations.begin(), c.operations.end(), is_removal);
  RC_LOG() << c.text();
  RC_ASSERT(std::none_of(first, c.operations.end(), [](const Operation& later) { return adds_messages(later.kind); }));
}

/// A message that both sides have, under one name at least that no other message had before: it needs no place that
/// another message must leave first.
std::vector<Entry> messages_that_stay(const Case& c) {
  std::vector<Operation> renames;
  for (const auto& operation : c.operations) {
    if (operation.kind == OperationKind::rename_folder) renames.push_back(operation);
  }
  const Destination renamed(sync::apply(c.before, renames));
  std::vector<Entry> stay;
  for (const auto& folder : c.after.folders) {
    for (const auto& entry : folder.entries) {
      if (entry.area == Area::folder || entry.kind != EntryKind::file) continue;
      if (!renamed.holds_message(entry.inode, entry.size, entry.mtime)) continue;
      const Entry* earlier = renamed.at({folder.path, entry.area, entry.name});
      if (earlier == nullptr || same_message(*earlier, entry)) stay.push_back(entry);
    }
  }
  return stay;
}

RC_GTEST_PROP(PlanProperties, leaves_no_moment_without_a_message_that_stays,
              (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  const auto stay = messages_that_stay(c);
  at_each_prefix(c, [&](const Destination& destination, const Operation* operation) {
    for (const auto& entry : stay) {
      if (destination.holds_message(entry.inode, entry.size, entry.mtime)) continue;
      RC_FAIL(entry.name + " is gone " + (operation == nullptr ? "from the start" : "after " + describe(*operation)) +
              "\n" + c.text());
    }
  });
}

RC_GTEST_PROP(PlanProperties, sends_no_body_of_a_message_that_stays, (const Steps& history, const Steps& changes)) {
  const Case c(history, changes);
  const auto stay = messages_that_stay(c);
  const Destination before(c.before);
  for (const auto& operation : c.operations) {
    if (operation.kind != OperationKind::put || operation.expected) continue;
    const bool known = std::any_of(stay.begin(), stay.end(),
                                   [&](const Entry& entry) { return same_message(entry, operation.result); });
    RC_LOG() << describe(operation) << "\n" << c.text();
    RC_ASSERT(!known);
  }
}

/// What a turn over some names sees of an account: chosen ones, and all others of the same message.
AccountManifest restrict_to(const AccountManifest& manifest, const std::vector<std::string>& names) {
  AccountManifest some = manifest;
  some.structure_whole = false;
  for (auto& folder : some.folders) {
    folder.scope = Scope::names;
    std::erase_if(folder.entries, [&](const Entry& entry) {
      return std::find(names.begin(), names.end(), folder.path + "/" + entry.name) == names.end();
    });
  }
  return some;
}

RC_GTEST_PROP(PlanProperties, does_the_same_for_some_names_only,
              (const Steps& history, const Steps& changes, std::uint8_t every)) {
  const Case c(history, changes);
  const auto same_folders = [&] {
    return std::equal(
        c.before.folders.begin(), c.before.folders.end(), c.after.folders.begin(), c.after.folders.end(),
        [](const FolderManifest& a, const FolderManifest& b) { return a.path == b.path && a.inode == b.inode; });
  };
  RC_PRE(same_folders());
  std::vector<std::string> names;
  std::size_t count = 0;
  for (const auto* side : {&c.before, &c.after}) {
    for (const auto& folder : side->folders) {
      for (const auto& entry : folder.entries) {
        if (count++ % (1u + every % 3u) == 0) names.push_back(folder.path + "/" + entry.name);
      }
    }
  }
  const AccountManifest before = restrict_to(c.before, names);
  const AccountManifest after = restrict_to(c.after, names);
  RC_LOG() << c.text();
  RC_ASSERT(is_equal(sync::apply(before, plan(before, after)), after));
}

}  // namespace
}  // namespace maildirsync::sync
