// Whether what is acknowledged survives a power cut, on a model of a disk that holds only what was synced. And with
// each sync left out in turn, that this is noticed.

#include <filesystem>
#include <future>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/maildir/name.h"
#include "daemon/commit/committer.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

namespace fs = std::filesystem;
using maildirsync::testing::Tree;
using os::WayToWrite;

constexpr std::size_t k_none = SIZE_MAX;
constexpr std::size_t k_few = 2, k_many = 20;  // one by one, and by syncfs

enum class Model {
  journal,   ///< any sync may write all names that there are (ext4, XFS)
  tree_log,  ///< a directory's sync writes its names; a sync of a file without a name is in vain (Btrfs, Linux 6.1)
};

/// What a power cut would leave of the files in one directory.
class Disk : public os::Syncs {
 public:
  Disk(const Tree& tree, Model model, std::size_t left_out) : tree_(tree), model_(model), left_out_(left_out) {}

  Result<> file(int fd) override {
    if (calls_++ == left_out_) return {};
    struct stat status {};
    if (::fstat(fd, &status) != 0) return os_failure("", "fstat", errno);
    const bool is_directory = S_ISDIR(status.st_mode);
    if (!is_directory && (model_ == Model::journal || status.st_nlink > 0)) bodies_.insert(status.st_ino);
    if (is_directory || model_ == Model::journal) write_names();
    return {};
  }

  Result<> file_system(int) override {
    if (calls_++ == left_out_) return {};
    // Those without a name are nowhere to be seen, and written all the same: the committer syncs bodies first.
    for (const auto inode : unnamed)
      bodies_.insert(inode);
    for (const auto& [name, inode] : present())
      bodies_.insert(inode);
    write_names();
    return {};
  }

  /// On the disk under its name, and whole.
  bool holds(const std::string& name) const { return names_.contains(name) && bodies_.contains(names_.at(name)); }
  /// A name was on the disk at some moment, and its body was not.
  bool was_torn() const { return was_torn_; }
  std::size_t calls() const { return calls_; }

  std::set<std::uint64_t> unnamed;  ///< inodes of what is staged

 private:
  std::map<std::string, std::uint64_t> present() const {
    std::map<std::string, std::uint64_t> found;
    for (const auto& entry : fs::directory_iterator(tree_.path(""))) {
      struct stat status {};
      const std::string name = entry.path().filename();
      if (!name.starts_with(maildir::k_aside_prefix) && ::lstat(entry.path().c_str(), &status) == 0)
        found[name] = status.st_ino;
    }
    return found;
  }

  void write_names() {
    names_ = present();
    for (const auto& [name, inode] : names_)
      was_torn_ |= !bodies_.contains(inode);
  }

  const Tree& tree_;
  const Model model_;
  const std::size_t left_out_;
  std::size_t calls_ = 0;
  std::set<std::uint64_t> bodies_;
  std::map<std::string, std::uint64_t> names_;
  bool was_torn_ = false;
};

struct Verdict {
  std::size_t acknowledged = 0, lost = 0, syncs = 0;
  bool was_torn = false;
  bool is_good() const { return lost == 0 && !was_torn; }
};

/// Looks at the disk at the moment of the acknowledgement.
class Sink : public Acknowledged {
 public:
  Sink(const Disk& disk, std::size_t wanted) : disk_(disk), wanted_(wanted) {}

  void committed(std::vector<Committed> done) override {
    for (const auto& one : done) {
      EXPECT_FALSE(one.error) << one.error->message();
      ++verdict.acknowledged;
      if (!disk_.holds(one.path)) ++verdict.lost;
    }
    if (verdict.acknowledged == wanted_) all.set_value();
  }

  Verdict verdict;
  std::promise<void> all;

 private:
  const Disk& disk_;
  const std::size_t wanted_;
};

std::uint64_t inode_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

/// Delivers messages at once, written in that way, and asks the disk when they are acknowledged.
Verdict deliver(WayToWrite way, std::size_t count, Model model, std::size_t left_out = k_none) {
  Tree tree;
  const auto directory = std::make_shared<const os::Directory>(tree.open());
  const auto account = std::make_shared<Account>();
  account->root = directory;
  account->path = "";
  account->tree = std::make_shared<daemon::Tree>(directory, "", std::vector<std::optional<sync::Attributes>>());
  Disk disk(tree, model, left_out);
  std::vector<StagedOperation> staged(count);
  for (std::size_t i = 0; i < count; ++i) {
    staged[i].sequence = i + 1;
    staged[i].account = account;
    staged[i].operation.kind = sync::OperationKind::put;
    staged[i].operation.to = {"", sync::Area::folder, std::to_string(i) + ".message"};
    staged[i].aside.emplace(Aside::create(directory, way).value());
    EXPECT_TRUE(staged[i].aside->write("Subject: x\n\n"));
    disk.unnamed.insert(inode_of(staged[i].aside->fd()));
  }
  const auto sink = std::make_shared<Sink>(disk, count);
  {
    Committer committer(1000, disk);
    committer.put(std::move(staged), sink);
    sink->all.get_future().wait();
  }
  sink->verdict.syncs = disk.calls();
  sink->verdict.was_torn = disk.was_torn();
  return sink->verdict;
}

class Durability : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Durability, each_way_keeps_what_is_acknowledged_on_a_journaling_file_system) {
  for (const auto way : {WayToWrite::unnamed, WayToWrite::relinked, WayToWrite::named, WayToWrite::careful}) {
    const auto verdict = deliver(way, GetParam(), Model::journal);
    EXPECT_EQ(verdict.acknowledged, GetParam());
    EXPECT_TRUE(verdict.is_good()) << os::name_of(way) << ": lost " << verdict.lost << ", torn " << verdict.was_torn;
  }
}

TEST_P(Durability, a_tree_log_needs_a_name_before_the_sync_or_a_sync_after_the_name) {
  for (const auto way : {WayToWrite::relinked, WayToWrite::named, WayToWrite::careful}) {
    const auto verdict = deliver(way, GetParam(), Model::tree_log);
    EXPECT_TRUE(verdict.is_good()) << os::name_of(way) << ": lost " << verdict.lost << ", torn " << verdict.was_torn;
  }
}

TEST(Durability, an_unnamed_file_is_empty_in_a_tree_log) {
  const auto verdict = deliver(WayToWrite::unnamed, 1, Model::tree_log);
  EXPECT_EQ(verdict.lost, 1u);
  EXPECT_TRUE(verdict.was_torn);
}

TEST_P(Durability, no_sync_can_be_left_out) {
  const std::pair<WayToWrite, Model> needed[] = {
      {WayToWrite::unnamed, Model::journal}, {WayToWrite::named, Model::journal}, {WayToWrite::named, Model::tree_log}};
  for (const auto& [way, model] : needed) {
    const auto syncs = deliver(way, GetParam(), model).syncs;
    ASSERT_GE(syncs, 2u);
    for (std::size_t i = 0; i < syncs; ++i) {
      EXPECT_FALSE(deliver(way, GetParam(), model, i).is_good()) << os::name_of(way) << " without sync " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(FewAndMany, Durability, ::testing::Values(k_few, k_many));

}  // namespace
}  // namespace maildirsync::daemon
