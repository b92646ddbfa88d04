#include "tests/unit/common/sync/source.h"

#include <algorithm>
#include <array>
#include <set>

#include "common/sync/plan.h"
#include "common/sync/reconcile.h"

namespace maildirsync::sync::testing {

namespace {

constexpr Attributes k_directory{0700, 1000, 1000};
constexpr Attributes k_file{0600, 1000, 1000};
constexpr std::array k_flags{":2,", ":2,S", ":2,FS", ":2,Sa", ":2,T", ";2,S", ""};
constexpr std::array k_controls{"dovecot-uidlist", "dovecot-keywords", "subscriptions", "maildirfolder",
                                "courierimapkeywords"};
constexpr std::array k_folders{".Sent", ".Old", ".Old.Sub", ".New", "Archive", "sieve", "courierimapkeywords"};

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

bool is_below(const std::string& path, const std::string& folder) {
  return folder.empty() ? !path.empty() : path.starts_with(folder + "/");
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << "{" << int{step.what} << ", " << int{step.which} << ", " << int{step.where} << ", " << int{step.how}
             << "}";
}

Source::Source() {
  folders_[""] = {.inode = ++last_inode_,
                  .self = k_directory,
                  .cur = k_directory,
                  .new_ = k_directory,
                  .tmp = k_directory,
                  .names = {}};
}

void Source::steps(const std::vector<Step>& steps) {
  for (const auto& one : steps)
    step(one);
}

void Source::step(const Step& step) {
  switch (step.what % 25) {
    case 0:
    case 1:
    case 2:
      deliver(step);
      break;
    case 3:
    case 4:
      change_flags(step);
      break;
    case 5:
    case 6:
      move(step, false);
      break;
    case 7:
      move(step, true);
      break;
    case 8:
      remove_message(step);
      break;
    case 9:
      take_name_of_another(step);
      break;
    case 10:
      swap_messages(step);
      break;
    case 11:
      change_in_place(step);
      break;
    case 12:
    case 13:
      make_folder(step);
      break;
    case 14:
      rename_folder(step);
      break;
    case 15:
      swap_folders(step);
      break;
    case 16:
      remove_folder(step);
      break;
    case 17:
      recreate_folder(step);
      break;
    case 18:
      write_control(step);
      break;
    case 19:
      replace_control(step);
      break;
    case 20:
      remove_control(step);
      break;
    case 21:
      add_symlink(step);
      break;
    case 22:
      change_mode(step);
      break;
    case 23:
      change_areas(step);
      break;
    case 24:
      step.how % 2 == 0 ? folder_for_file(step) : file_for_folder(step);
      break;
  }
  forget_unlinked();
}

AccountManifest Source::manifest() const {
  AccountManifest manifest;
  manifest.structure_whole = true;
  for (const auto& [path, folder] : folders_) {
    FolderManifest listed{.path = path,
                          .inode = folder.inode,
                          .self = folder.self,
                          .cur = folder.cur,
                          .new_ = folder.new_,
                          .tmp = folder.tmp,
                          .scope = Scope::everything,
                          .entries = {}};
    for (const auto& [place, inode] : folder.names) {
      Entry entry = files_.at(inode);
      entry.area = place.first;
      entry.name = place.second;
      listed.entries.push_back(std::move(entry));
    }
    manifest.folders.push_back(std::move(listed));
  }
  return manifest;
}

void Source::deliver(const Step& step) {
  Folder& folder = folders_.at(pick_folder(step.where));
  if (!folder.cur || !folder.new_) return;
  const std::uint64_t inode = new_file(step.how);
  const std::string base =
      "17.M" + std::to_string(++last_message_) + ".host,S=" + std::to_string(files_.at(inode).size);
  const bool appended = step.which % 3 == 0;
  folder.names[{appended ? Area::cur : Area::new_, appended ? base + k_flags[step.how % k_flags.size()] : base}] =
      inode;
}

void Source::change_flags(const Step& step) {
  const auto all = messages();
  if (all.empty()) return;
  const Message& message = all[step.which % all.size()];
  Folder& folder = folders_.at(message.folder);
  if (!folder.cur) return;
  const std::uint64_t inode = folder.names.at({message.area, message.name});
  Entry entry;
  entry.name = message.name;
  const std::string name = std::string(base_name(entry)) + k_flags[step.how % k_flags.size()];
  if (folder.names.contains({Area::cur, name})) return;
  folder.names.erase({message.area, message.name});
  folder.names[{Area::cur, name}] = inode;
}

void Source::move(const Step& step, bool keep) {
  const auto all = messages();
  if (all.empty()) return;
  const Message& message = all[step.which % all.size()];
  Folder& from = folders_.at(message.folder);
  Folder& to = folders_.at(pick_folder(step.where));
  if (&from == &to || !to.cur || to.names.contains({Area::cur, message.name})) return;
  to.names[{Area::cur, message.name}] = from.names.at({message.area, message.name});
  if (!keep) from.names.erase({message.area, message.name});
}

void Source::remove_message(const Step& step) {
  const auto all = messages();
  if (all.empty()) return;
  const Message& message = all[step.which % all.size()];
  folders_.at(message.folder).names.erase({message.area, message.name});
}

void Source::take_name_of_another(const Step& step) {
  const auto all = messages();
  if (all.size() < 2) return;
  const Message& from = all[step.which % all.size()];
  const Message& to = all[step.where % all.size()];
  const std::uint64_t inode = folders_.at(from.folder).names.at({from.area, from.name});
  folders_.at(from.folder).names.erase({from.area, from.name});
  folders_.at(to.folder).names[{to.area, to.name}] = inode;
}

void Source::swap_messages(const Step& step) {
  const auto all = messages();
  if (all.size() < 2) return;
  const Message& one = all[step.which % all.size()];
  const Message& other = all[step.where % all.size()];
  std::swap(folders_.at(one.folder).names.at({one.area, one.name}),
            folders_.at(other.folder).names.at({other.area, other.name}));
}

void Source::change_in_place(const Step& step) {
  const auto all = messages();
  if (all.empty()) return;
  const Message& message = all[step.which % all.size()];
  Entry& file = files_.at(folders_.at(message.folder).names.at({message.area, message.name}));
  if (file.kind == EntryKind::symlink) return;
  if (step.how % 2 == 0) file.size += step.how;
  file.mtime = tick();
}

void Source::make_folder(const Step& step) {
  const std::string path = join(pick_folder(step.where), k_folders[step.which % k_folders.size()]);
  if (is_free(path)) add_folder(path, step.how);
}

/// With the folders that Maildir++ takes for its children, each by a rename of its own.
void Source::rename_folder(const Step& step) {
  const std::string from = pick_folder(step.which);
  const std::string to = join(pick_folder(step.where), k_folders[step.how % k_folders.size()]);
  if (from.empty() || !is_free(to) || to == from || is_below(to, from)) return;
  std::set<std::string> children;
  for (const auto& [path, folder] : folders_) {
    if (path.starts_with(from + ".") && path.find('/', from.size()) == std::string::npos) children.insert(path);
  }
  move_folder(from, to);
  for (const auto& child : children) {
    const std::string target = to + child.substr(from.size());
    if (folders_.contains(child) && is_free(target) && !is_below(target, child)) move_folder(child, target);
  }
}

void Source::swap_folders(const Step& step) {
  const std::string one = pick_folder(step.which);
  const std::string other = pick_folder(step.where);
  if (one.empty() || other.empty() || one == other || is_below(one, other) || is_below(other, one)) return;
  move_folder(one, "swapped");
  move_folder(other, one);
  move_folder("swapped", other);
}

void Source::remove_folder(const Step& step) {
  const std::string gone = pick_folder(step.which);
  if (gone.empty()) return;
  std::erase_if(folders_, [&](const auto& folder) {
    if (folder.first != gone && !is_below(folder.first, gone)) return false;
    free_inodes_.push_back(folder.second.inode);
    return true;
  });
}

void Source::recreate_folder(const Step& step) {
  const std::string path = pick_folder(step.which);
  remove_folder(step);
  if (!path.empty()) add_folder(path, step.how);
}

void Source::write_control(const Step& step) {
  const std::string path = pick_folder(step.where);
  Folder& folder = folders_.at(path);
  const std::string name = k_controls[step.which % k_controls.size()];
  if (const auto found = folder.names.find({Area::folder, name}); found != folder.names.end()) {
    Entry& file = files_.at(found->second);
    if (file.kind == EntryKind::symlink) return;
    file.size += step.how % 4;
    file.mtime = tick();
  } else if (is_free(join(path, name))) {
    folder.names[{Area::folder, name}] = new_file(step.how);
  }
}

/// By a move of a new file over it, as Dovecot does; sometimes one of the same size and time, as cp -p makes.
void Source::replace_control(const Step& step) {
  Folder& folder = folders_.at(pick_folder(step.where));
  const auto found = folder.names.find({Area::folder, k_controls[step.which % k_controls.size()]});
  if (found == folder.names.end()) return;
  const Entry old = files_.at(found->second);
  found->second = new_file(step.how);
  if (step.how % 4 != 0 || old.kind == EntryKind::symlink) return;
  files_.at(found->second).size = old.size;
  files_.at(found->second).mtime = old.mtime;
}

void Source::remove_control(const Step& step) {
  folders_.at(pick_folder(step.where)).names.erase({Area::folder, k_controls[step.which % k_controls.size()]});
}

void Source::add_symlink(const Step& step) {
  const std::string path = pick_folder(step.where);
  Folder& folder = folders_.at(path);
  const bool message = step.how % 4 == 0 && folder.cur;
  const std::string name =
      message ? "17.L" + std::to_string(step.which) + ":2,S" : k_controls[step.which % k_controls.size()];
  if (message ? folder.names.contains({Area::cur, name}) : !is_free(join(path, name))) return;
  const std::uint64_t inode = new_file(step.how);
  Entry& link = files_.at(inode);
  link.kind = EntryKind::symlink;
  link.target = "target" + std::to_string(step.how % 3);
  link.size = link.target.text().size();
  folder.names[{message ? Area::cur : Area::folder, name}] = inode;
}

void Source::change_mode(const Step& step) {
  Folder& folder = folders_.at(pick_folder(step.where));
  const std::uint32_t mode = step.how % 2 == 0 ? 0640 : 0660;
  if (step.which % 3 == 0) folder.self = {mode | 0110, 1000, 1000u + step.how % 3};
  if (step.which % 3 == 1 && folder.new_) folder.new_->mode = mode | 0110;
  if (step.which % 3 == 2 && !folder.names.empty()) {
    const auto chosen = std::next(folder.names.begin(), step.how % static_cast<int>(folder.names.size()));
    files_.at(chosen->second).attributes = {mode, 1000u + step.how % 3, 1000};
  }
}

void Source::change_areas(const Step& step) {
  Folder& folder = folders_.at(pick_folder(step.where));
  const auto toggle = [&](std::optional<Attributes>& area, Area which) {
    if (!area) {
      area = k_directory;
      return;
    }
    area.reset();
    std::erase_if(folder.names, [&](const auto& name) { return which != Area::folder && name.first.first == which; });
  };
  if (step.which % 3 == 0) toggle(folder.cur, Area::cur);
  if (step.which % 3 == 1) toggle(folder.new_, Area::new_);
  if (step.which % 3 == 2) toggle(folder.tmp, Area::folder);
}

void Source::folder_for_file(const Step& step) {
  const std::string path = pick_folder(step.where);
  const std::string name = k_controls[step.which % k_controls.size()];
  if (folders_.at(path).names.erase({Area::folder, name}) > 0) add_folder(join(path, name), step.how);
}

void Source::file_for_folder(const Step& step) {
  const std::string path = pick_folder(step.which);
  if (path.empty()) return;
  remove_folder(step);
  folders_.at(parent_of(path)).names[{Area::folder, path.substr(path.rfind('/') + 1)}] = new_file(step.how);
}

std::vector<Source::Message> Source::messages() const {
  std::vector<Message> all;
  for (const auto& [path, folder] : folders_) {
    for (const auto& [place, inode] : folder.names) {
      if (place.first != Area::folder) all.push_back({path, place.first, place.second});
    }
  }
  return all;
}

std::string Source::pick_folder(std::uint8_t which) const {
  return std::next(folders_.begin(), which % static_cast<int>(folders_.size()))->first;
}

bool Source::is_free(const std::string& path) const {
  const auto parent = folders_.find(parent_of(path));
  return parent != folders_.end() && !folders_.contains(path) &&
         !parent->second.names.contains({Area::folder, path.substr(path.rfind('/') + 1)});
}

std::uint64_t Source::new_inode(std::uint8_t how) {
  if (free_inodes_.empty() || how % 3 == 0) return ++last_inode_;
  const std::uint64_t inode = free_inodes_.back();
  free_inodes_.pop_back();
  return inode;
}

std::uint64_t Source::new_file(std::uint8_t how) {
  const std::uint64_t inode = new_inode(how);
  Entry& file = files_[inode];
  file = {};
  file.inode = inode;
  file.size = how;
  file.mtime = tick();
  file.attributes = k_file;
  return inode;
}

void Source::add_folder(const std::string& path, std::uint8_t how) {
  Folder folder{.inode = new_inode(how), .self = k_directory, .cur = {}, .new_ = {}, .tmp = {}, .names = {}};
  const bool maildir = path.substr(path.rfind('/') + 1) != "sieve";
  if (maildir) folder.cur = folder.new_ = folder.tmp = k_directory;
  folders_[path] = std::move(folder);
}

void Source::move_folder(const std::string& from, const std::string& to) {
  std::map<std::string, Folder> moved;
  for (auto& [path, folder] : folders_) {
    const bool moves = path == from || is_below(path, from);
    moved[moves ? to + path.substr(from.size()) : path] = std::move(folder);
  }
  folders_ = std::move(moved);
}

void Source::forget_unlinked() {
  std::set<std::uint64_t> linked;
  for (const auto& [path, folder] : folders_) {
    for (const auto& [place, inode] : folder.names)
      linked.insert(inode);
  }
  std::erase_if(files_, [&](const auto& file) {
    if (linked.contains(file.first)) return false;
    free_inodes_.push_back(file.first);
    return true;
  });
}

std::int64_t Source::tick() {
  return clock_ += 1'000'000'007;
}

BrokenTurn break_off(const std::vector<Step>& history, const std::vector<Step>& changes,
                     const std::vector<Step>& meanwhile, std::uint16_t reached) {
  BrokenTurn turn;
  Source source;
  source.steps(history);
  turn.known = source.manifest();
  source.steps(changes);
  auto operations = plan(turn.known, source.manifest());
  turn.intents = intents_of(operations);
  operations.resize(operations.empty() ? 0 : reached % (operations.size() + 1));
  turn.there = sync::apply(turn.known, operations);
  source.steps(meanwhile);
  turn.after = source.manifest();
  return turn;
}

}  // namespace maildirsync::sync::testing

namespace rc {
Gen<maildirsync::sync::testing::Step> Arbitrary<maildirsync::sync::testing::Step>::arbitrary() {
  using maildirsync::sync::testing::Step;
  // At full size from the start: these are choices, not quantities.
  const auto below = [](int limit) {
    return gen::resize(kNominalSize, gen::cast<std::uint8_t>(gen::inRange(0, limit)));
  };
  return gen::construct<Step>(below(25), below(256), below(256), below(256));
}
}  // namespace rc
