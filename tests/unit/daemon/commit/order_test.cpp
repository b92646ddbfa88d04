// The order in which the committer makes things durable and says so, over groups that nobody has thought of: bodies are
// synced before they have a name, directories before anything is acknowledged, and each connection hears of its
// operations once and in order.

#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <tuple>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include "common/maildir/name.h"
#include "daemon/commit/committer.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

namespace fs = std::filesystem;
using Scratch = maildirsync::testing::Tree;
using Names = std::map<std::string, std::uint64_t>;  ///< of one directory, with the inodes

constexpr std::size_t k_accounts = 2;
constexpr std::size_t k_never = SIZE_MAX;

/// What to do, as numbers that RapidCheck can make smaller: what, in which account, with which message.
using Steps = std::vector<std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>>;

std::string name_of_account(std::size_t number) {
  return "account" + std::to_string(number);
}

std::uint64_t inode_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

Names names_in(const std::string& directory) {
  Names names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    struct stat status {};
    const std::string name = entry.path().filename();
    if (!name.starts_with(maildir::k_aside_prefix) && ::lstat(entry.path().c_str(), &status) == 0)
      names[name] = status.st_ino;
  }
  return names;
}

/// What was synced so far. Only the committer's thread uses it while that runs.
class Disk : public os::Syncs {
 public:
  Disk(const Scratch& scratch, std::size_t fails_at) : scratch_(scratch), fails_at_(fails_at) {}

  Result<> file(int fd) override {
    if (calls_++ == fails_at_) return os_failure("", "cannot sync", EIO);
    note_names_without_body();
    const auto inode = inode_of(fd);
    bodies_.insert(inode);
    for (std::size_t i = 0; i < k_accounts; ++i) {
      if (scratch_.status(directory_of(i)).st_ino == inode) names_[i] = present(i);
    }
    return {};
  }

  Result<> file_system(int) override {
    if (calls_++ == fails_at_) return os_failure("", "cannot sync", EIO);
    note_names_without_body();
    bodies_.insert(staged.begin(), staged.end());
    for (std::size_t i = 0; i < k_accounts; ++i)
      names_[i] = present(i);
    return {};
  }

  /// Whether a power cut now would leave the account's directory as it is to be seen.
  bool is_as_seen(std::size_t account) const {
    const auto found = names_.find(account);
    return found != names_.end() && found->second == present(account);
  }
  /// Whether a name was there, at some sync, whose body had not been synced before.
  bool was_torn() const { return was_torn_; }
  std::size_t calls() const { return calls_; }

  static std::string directory_of(std::size_t account) { return name_of_account(account) + "/cur"; }
  Names present(std::size_t account) const { return names_in(scratch_.path(directory_of(account))); }

  std::set<std::uint64_t> staged;  ///< inodes of all bodies; filled before the committer gets any

 private:
  void note_names_without_body() {
    for (std::size_t i = 0; i < k_accounts; ++i) {
      for (const auto& [name, inode] : present(i))
        was_torn_ |= !bodies_.contains(inode);
    }
  }

  const Scratch& scratch_;
  const std::size_t fails_at_;
  std::size_t calls_ = 0;
  std::set<std::uint64_t> bodies_;
  std::map<std::size_t, Names> names_;
  bool was_torn_ = false;
};

/// A connection, with one account.
class Connection : public Acknowledged {
 public:
  Connection(const Disk& disk, std::size_t account) : disk_(disk), account_(account) {}

  void committed(std::vector<Committed> done) override {
    for (const auto& one : done) {
      heard.push_back(one.sequence);
      if (one.error) errors.push_back(one.error->message());
      if (!one.error && !disk_.is_as_seen(account_)) ++promised_too_much;
    }
    if (heard.size() == wanted) all.set_value();
  }

  std::size_t wanted = 0;
  std::vector<std::uint64_t> heard;
  std::vector<std::string> errors;
  std::size_t promised_too_much = 0;  ///< acknowledged while the disk was not as it is to be seen
  std::promise<void> all;

 private:
  const Disk& disk_;
  const std::size_t account_;
};

class World {
 public:
  explicit World(const Steps& steps, std::size_t fails_at = k_never) : disk(scratch, fails_at) {
    for (std::size_t i = 0; i < k_accounts; ++i) {
      scratch.maildir(name_of_account(i));
      connections.push_back(std::make_shared<Connection>(disk, i));
      auto account = std::make_shared<Account>();
      account->root = std::make_shared<const os::Directory>(scratch.open());
      account->path = account->key = name_of_account(i);
      account->tree =
          std::make_shared<Tree>(account->root, account->path, std::vector<std::optional<sync::Attributes>>());
      accounts_.push_back(std::move(account));
    }
    for (const auto& [what, account, message] : steps)
      stage(what, account % k_accounts, message % 6);
  }

  /// Gives all to a committer, in pieces as connections do, and waits for the answers.
  void run() {
    Committer committer(10'000, disk);
    for (auto& batch : batches_)
      committer.put(std::move(batch.staged), connections[batch.account]);
    for (const auto& connection : connections) {
      if (connection->wanted > 0) connection->all.get_future().wait();
    }
  }

  std::set<std::string> wanted_names(std::size_t account) const {
    std::set<std::string> names;
    for (const auto& [key, name] : messages_) {
      if (key.first == account) names.insert(name);
    }
    return names;
  }

  Scratch scratch;
  Disk disk;
  std::vector<std::shared_ptr<Connection>> connections;

 private:
  struct Batch {
    std::size_t account = 0;
    std::vector<StagedOperation> staged;
  };

  void stage(unsigned what, std::size_t account, unsigned message) {
    StagedOperation staged;
    staged.account = accounts_[account];
    staged.sequence = ++connections[account]->wanted;
    const std::string base = std::to_string(message) + ".message";
    const auto known = messages_.find({account, message});
    sync::Operation& operation = staged.operation;
    if (known == messages_.end()) {
      const std::string name = base + ":2,";
      operation.kind = sync::OperationKind::put;
      operation.to = {"", sync::Area::cur, name};
      operation.result = entry(name, message);
      const auto directory = std::make_shared<const os::Directory>(
          accounts_[account]->root->open_directory(Disk::directory_of(account)).value());
      staged.aside.emplace(Aside::create(directory, os::WayToWrite::unnamed).value());
      RC_ASSERT(staged.aside->write(content(message)).has_value());
      RC_ASSERT(
          set_attributes(staged.aside->fd(), operation.result.attributes, operation.result.mtime, name).has_value());
      disk.staged.insert(inode_of(staged.aside->fd()));
      messages_[{account, message}] = name;
    } else if (what % 3 == 0) {
      operation.kind = sync::OperationKind::remove;
      operation.from = {"", sync::Area::cur, known->second};
      operation.expected = entry(known->second, message);
      messages_.erase(known);
    } else {
      const std::string name = known->second + static_cast<char>('A' + known->second.size() % 26);
      operation.kind = sync::OperationKind::rename;
      operation.from = {"", sync::Area::cur, known->second};
      operation.to = {"", sync::Area::cur, name};
      operation.expected = operation.result = entry(name, message);
      known->second = name;
    }
    const bool goes_on = !batches_.empty() && batches_.back().account == account && what % 2 == 0;
    if (!goes_on) batches_.push_back({account, {}});
    batches_.back().staged.push_back(std::move(staged));
  }

  static std::string content(unsigned message) { return "Subject: " + std::to_string(message) + "\n\n"; }

  static sync::Entry entry(const std::string& name, unsigned message) {
    sync::Entry entry;
    entry.area = sync::Area::cur;
    entry.name = name;
    entry.size = content(message).size();
    entry.mtime = 1'700'000'000'000'000'000 + message;
    entry.attributes = {0600, ::geteuid(), ::getegid()};
    codec::Digester digester;
    digester.update(content(message));
    entry.digest = digester.finish();
    return entry;
  }

  std::vector<std::shared_ptr<Account>> accounts_;
  std::vector<Batch> batches_;
  std::map<std::pair<std::size_t, unsigned>, std::string> messages_;  ///< names as they will be
};

void expect_each_once_and_in_order(const Connection& connection) {
  RC_ASSERT(connection.heard.size() == connection.wanted);
  for (std::size_t i = 0; i < connection.heard.size(); ++i)
    RC_ASSERT(connection.heard[i] == i + 1);
}

RC_GTEST_PROP(CommitOrder, bodies_names_directories_and_only_then_the_acknowledgement, (const Steps& steps)) {
  World world(steps);
  world.run();
  for (std::size_t i = 0; i < k_accounts; ++i) {
    const Connection& connection = *world.connections[i];
    expect_each_once_and_in_order(connection);
    RC_ASSERT(connection.errors == std::vector<std::string>{});
    RC_ASSERT(connection.promised_too_much == 0u);
    std::set<std::string> there;
    for (const auto& [name, inode] : world.disk.present(i))
      there.insert(name);
    RC_ASSERT(there == world.wanted_names(i));
  }
  RC_ASSERT(!world.disk.was_torn());
}

RC_GTEST_PROP(CommitOrder, a_sync_that_fails_promises_nothing_that_is_not_on_the_disk, (const Steps& steps)) {
  std::size_t syncs = 0;
  {
    World world(steps);
    world.run();
    syncs = world.disk.calls();
  }
  if (syncs == 0) return;
  World world(steps, *rc::gen::inRange<std::size_t>(0, syncs));
  world.run();
  for (const auto& connection : world.connections) {
    expect_each_once_and_in_order(*connection);
    RC_ASSERT(connection->promised_too_much == 0u);
  }
  RC_ASSERT(!world.disk.was_torn());
}

}  // namespace
}  // namespace maildirsync::daemon
