#include "tests/unit/common/sync/destination.h"

#include <algorithm>
#include <sstream>

namespace maildirsync::sync::testing {

namespace {

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() || name.empty() ? folder + name : folder + "/" + name;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_below(const std::string& path, const std::string& folder) {
  return path.starts_with(folder + "/");
}

std::string area_of(Area area) {
  return area == Area::cur ? "cur" : area == Area::new_ ? "new" : "";
}

bool is_same_file(const Entry& found, const Entry& expected) {
  return found.kind == expected.kind && found.size == expected.size && found.target == expected.target &&
         (found.mtime == expected.mtime || found.kind == EntryKind::symlink);
}

std::string text(const Location& location) {
  return "/" + join(join(location.folder, area_of(location.area)), location.name);
}

}  // namespace

Destination::Destination(const AccountManifest& holds) {
  for (const auto& folder : holds.folders) {
    directories_[folder.path] = false;
    if (folder.cur) directories_[join(folder.path, "cur")] = true;
    if (folder.new_) directories_[join(folder.path, "new")] = true;
    if (folder.tmp) directories_[join(folder.path, "tmp")] = true;
    for (const auto& entry : folder.entries)
      files_[place_of({folder.path, entry.area, entry.name})] = entry;
  }
}

std::string Destination::step(const Operation& operation) {
  const Place from = place_of(operation.from);
  const Place to = place_of(operation.to);
  switch (operation.kind) {
    case OperationKind::make_folder:
      return make_folder(operation);
    case OperationKind::rename_folder:
      return rename_folder(operation);
    case OperationKind::put:
      if (at(operation.to) != nullptr) {
        if (!operation.expected) return "the name is taken";
        if (auto refused = refuse_unless_expected(operation.to, operation.expected); !refused.empty()) return refused;
      }
      return add(operation);
    case OperationKind::put_control:
      return add(operation);
    case OperationKind::link:
    case OperationKind::rename:
      if (auto refused = refuse_unless_expected(operation.from, operation.expected); !refused.empty()) return refused;
      if (at(operation.to) != nullptr) return "the name is taken";
      if (auto refused = add(operation); !refused.empty()) return refused;
      if (operation.kind == OperationKind::rename) files_.erase(from);
      return "";
    case OperationKind::remove:
      if (auto refused = refuse_unless_expected(operation.from, operation.expected); !refused.empty()) return refused;
      files_.erase(from);
      return "";
    case OperationKind::set_attributes:
      if (!files_.contains(to)) return "there is no such file";
      return add(operation);
    case OperationKind::remove_folder:
      return remove_folder(operation.from.folder);
  }
  return "unknown operation";
}

const Entry* Destination::at(const Location& place) const {
  const auto found = files_.find(place_of(place));
  return found == files_.end() ? nullptr : &found->second;
}

bool Destination::holds_message(std::uint64_t inode, std::uint64_t size, std::int64_t mtime) const {
  return std::any_of(files_.begin(), files_.end(), [&](const auto& file) {
    const Entry& entry = file.second;
    return entry.area != Area::folder && entry.inode == inode && entry.size == size && entry.mtime == mtime;
  });
}

Destination::Place Destination::place_of(const Location& location) {
  return {join(location.folder, area_of(location.area)), location.name};
}

bool Destination::is_directory(const Place& place) const {
  return directories_.contains(join(place.first, place.second));
}

std::string Destination::refuse_unless_expected(const Location& location, const std::optional<Entry>& expected) const {
  const Entry* found = at(location);
  if (found == nullptr) return "there is no such file";
  if (!expected) return "it does not say what it expects";
  return is_same_file(*found, *expected) ? "" : "it is not the file that was expected";
}

std::string Destination::make_folder(const Operation& operation) {
  const std::string& path = operation.to.folder;
  if (!path.empty() && !directories_.contains(parent_of(path))) return "its parent is not there";
  if (!path.empty() && files_.contains({parent_of(path), name_of(path)})) return "a file has its name";
  directories_[path] = false;
  for (const auto& [name, wanted] :
       {std::pair("cur", operation.folder.cur.has_value()), std::pair("new", operation.folder.new_.has_value()),
        std::pair("tmp", operation.folder.tmp.has_value())}) {
    const std::string area = join(path, name);
    if (wanted) {
      if (files_.contains({path, name})) return std::string("a file has the name of ") + name;
      directories_[area] = true;
    } else if (directories_.contains(area)) {
      if (!is_empty(area)) return std::string(name) + " is not empty";
      directories_.erase(area);
    }
  }
  return "";
}

std::string Destination::rename_folder(const Operation& operation) {
  const std::string& from = operation.from.folder;
  const std::string& to = operation.to.folder;
  if (!directories_.contains(from)) return "there is no such folder";
  if (directories_.contains(to) || files_.contains({parent_of(to), name_of(to)})) return "the name is taken";
  if (!directories_.contains(parent_of(to))) return "its parent is not there";
  if (is_below(to, from)) return "it would be below itself";
  const auto moved = [&](const std::string& path) {
    return path == from || is_below(path, from) ? to + path.substr(from.size()) : path;
  };
  std::map<std::string, bool> directories;
  for (const auto& [path, area] : directories_)
    directories[moved(path)] = area;
  std::map<Place, Entry> files;
  for (auto& [place, entry] : files_)
    files[{moved(place.first), place.second}] = std::move(entry);
  directories_ = std::move(directories);
  files_ = std::move(files);
  return "";
}

std::string Destination::remove_folder(const std::string& folder) {
  if (!directories_.contains(folder)) return "there is no such folder";
  for (const auto* area : {"cur", "new", "tmp"}) {
    const std::string path = join(folder, area);
    if (directories_.contains(path) && !is_empty(path)) return std::string(area) + " is not empty";
    directories_.erase(path);
  }
  if (!is_empty(folder)) return "it is not empty";
  directories_.erase(folder);
  return "";
}

std::string Destination::add(const Operation& operation) {
  const Place to = place_of(operation.to);
  if (!directories_.contains(to.first)) return "its directory is not there";
  if (is_directory(to)) return "a directory has its name";
  files_[to] = operation.result;
  return "";
}

bool Destination::is_empty(const std::string& directory) const {
  return std::none_of(files_.begin(), files_.end(), [&](const auto& file) { return file.first.first == directory; }) &&
         std::none_of(directories_.begin(), directories_.end(),
                      [&](const auto& other) { return is_below(other.first, directory); });
}

std::string describe(const Operation& operation) {
  std::ostringstream out;
  out << name_of(operation.kind);
  const bool has_to = operation.kind != OperationKind::remove && operation.kind != OperationKind::remove_folder;
  if (operation.from != Location{} || !has_to) out << " " << text(operation.from);
  if (has_to) out << " -> " << text(operation.to) << " inode " << operation.result.inode + operation.folder_inode;
  return out.str();
}

std::string describe(const std::vector<Operation>& operations) {
  std::string lines;
  for (const auto& operation : operations)
    lines += "  " + describe(operation) + "\n";
  return lines;
}

std::string describe(const AccountManifest& manifest) {
  std::ostringstream out;
  for (const auto& folder : manifest.folders) {
    out << "/" << folder.path << " inode " << folder.inode << (folder.cur ? " cur" : "") << (folder.new_ ? " new" : "")
        << (folder.tmp ? " tmp" : "") << "\n";
    for (const auto& entry : folder.entries) {
      out << "  " << text({"", entry.area, entry.name}) << " inode " << entry.inode << " size " << entry.size
          << " mtime " << entry.mtime << (entry.target.text().empty() ? "" : " -> " + entry.target.text()) << "\n";
    }
  }
  return out.str();
}

}  // namespace maildirsync::sync::testing
