#pragma once

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <rapidcheck.h>

#include "common/sync/manifest.h"
#include "common/sync/operation.h"

namespace maildirsync::sync::testing {

/// One change of an account. Any numbers mean something, so that a sequence of steps can be generated and shrunk
/// freely.
struct Step {
  std::uint8_t what = 0, which = 0, where = 0, how = 0;
};
std::ostream& operator<<(std::ostream& out, const Step& step);

/// An account at the source, changed as mail software and its administrators change it: deliveries, flags, moves,
/// copies, folders that come, go, are renamed and swap their names, control files that grow or are replaced, names and
/// inodes that are used again.
class Source {
 public:
  Source();
  void step(const Step& step);
  void steps(const std::vector<Step>& steps);
  AccountManifest manifest() const;

 private:
  struct Folder {
    std::uint64_t inode = 0;
    Attributes self;
    std::optional<Attributes> cur, new_, tmp;
    std::map<std::pair<Area, std::string>, std::uint64_t> names;  ///< to inodes
  };
  struct Message {
    std::string folder;
    Area area = Area::cur;
    std::string name;
  };

  void deliver(const Step& step);
  void change_flags(const Step& step);
  void move(const Step& step, bool keep);
  void remove_message(const Step& step);
  void take_name_of_another(const Step& step);
  void swap_messages(const Step& step);
  void change_in_place(const Step& step);
  void make_folder(const Step& step);
  void rename_folder(const Step& step);
  void swap_folders(const Step& step);
  void remove_folder(const Step& step);
  void recreate_folder(const Step& step);
  void write_control(const Step& step);
  void replace_control(const Step& step);
  void remove_control(const Step& step);
  void add_symlink(const Step& step);
  void change_mode(const Step& step);
  void change_areas(const Step& step);
  void folder_for_file(const Step& step);
  void file_for_folder(const Step& step);

  std::vector<Message> messages() const;
  std::string pick_folder(std::uint8_t which) const;
  bool is_free(const std::string& path) const;
  std::uint64_t new_inode(std::uint8_t how);
  std::uint64_t new_file(std::uint8_t how);
  void add_folder(const std::string& path, std::uint8_t how);
  void move_folder(const std::string& from, const std::string& to);
  void forget_unlinked();
  std::int64_t tick();

  std::map<std::string, Folder> folders_;
  std::map<std::uint64_t, Entry> files_;  ///< by inode; area and name unused
  std::vector<std::uint64_t> free_inodes_;
  std::uint64_t last_inode_ = 100;
  std::uint64_t last_message_ = 0;
  std::int64_t clock_ = 1'700'000'000'000'000'000;
};

/// What is there when a turn broke off: of its operations, only the first few reached the destination, and no answer
/// came back.
struct BrokenTurn {
  AccountManifest known;  ///< what was acknowledged before it
  std::vector<Intent> intents;
  AccountManifest there;  ///< at the destination
  AccountManifest after;  ///< at the source, where more has happened meanwhile
};
BrokenTurn break_off(const std::vector<Step>& history, const std::vector<Step>& changes,
                     const std::vector<Step>& meanwhile, std::uint16_t reached);

}  // namespace maildirsync::sync::testing

namespace rc {
template <>
struct Arbitrary<maildirsync::sync::testing::Step> {
  static Gen<maildirsync::sync::testing::Step> arbitrary();
};
}  // namespace rc
