// How the order is found. A message's name is unique for ever by the Maildir rules, so that almost every target of a
// link or a rename is free in `before`. Where one is not (a tool gave an old name to another message), the message is
// put anew over it instead. Then no rename waits for another, and the order is simply: links and renames of what the
// destination has, puts, links to what was put, removals, control files, folders that go.

#include "common/sync/plan.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "common/sync/equality.h"
#include "common/sync/identity.h"

namespace maildirsync::sync {

namespace {

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.substr(0, folder.size()) == folder && path[folder.size()] == '/';
}

FolderShape shape_of(const FolderManifest& folder) {
  return {folder.self, folder.cur, folder.new_, folder.tmp};
}

/// A folder of `before` as the operations so far make it. Its entries stay where they are: of a large folder there is
/// no second copy.
struct Present {
  std::string path;
  std::uint64_t inode = 0;
  FolderShape shape;
  std::vector<const Entry*> entries;
};

FolderShape union_of(const FolderShape& wanted, const FolderShape& present) {
  return {wanted.self, wanted.cur ? wanted.cur : present.cur, wanted.new_ ? wanted.new_ : present.new_,
          wanted.tmp ? wanted.tmp : present.tmp};
}

struct Place {
  std::size_t folder = 0;
  std::size_t entry = 0;
};

class Planner {
 public:
  Planner(const AccountManifest& before, const AccountManifest& after) : known_(before), after_(after) {
    for (const auto& folder : before.folders) {
      auto& present = before_.emplace_back(Present{folder.path, folder.inode, shape_of(folder), {}});
      present.entries.reserve(folder.entries.size());
      for (const auto& entry : folder.entries)
        present.entries.push_back(&entry);
    }
  }

  std::vector<Operation> run() {
    for (auto& folder : before_)
      remove_files_in_the_way(folder);
    rename_folders();
    make_folders();
    index_before();
    match_entries();
    find_sources();
    operations_.reserve(operations_.size() + made_.size() + changed_.size());  // of a first copy, all of the memory
    emit_links_and_renames();
    emit_puts();
    emit_removals();
    emit_removals_in_the_way();
    emit_shrunk_folders();
    emit_control_files();
    emit_folder_removals();
    return std::move(operations_);
  }

 private:
  Present* find_before(std::string_view path) {
    for (auto& folder : before_) {
      if (folder.path == path) return &folder;
    }
    return nullptr;
  }

  static bool has_area(const FolderManifest* folder, std::string_view name) {
    if (folder == nullptr) return false;
    return (name == "cur" && folder->cur) || (name == "new" && folder->new_) || (name == "tmp" && folder->tmp);
  }

  /// A file where a folder is to be, or a cur/, new/ or tmp/, must go first.
  void remove_files_in_the_way(Present& folder) {
    std::erase_if(folder.entries, [&](const Entry* entry) {
      if (entry->area != Area::folder) return false;
      const std::string path = folder.path.empty() ? entry->name : folder.path + "/" + entry->name;
      if (after_.find(path) == nullptr && !has_area(after_.find(folder.path), entry->name)) return false;
      operations_.push_back(
          {.kind = OperationKind::remove, .from = {folder.path, Area::folder, entry->name}, .expected = *entry});
      return true;
    });
  }

  /// A folder of the same inode at another path was renamed, with all below it. Repeated while that frees targets.
  void rename_folders() {
    if (!after_.structure_whole) return;
    std::map<std::string, const FolderManifest*> wanted;
    for (const auto& folder : after_.folders) {
      const auto* present = find_before(folder.path);
      if (folder.inode != 0 && !folder.path.empty() && (present == nullptr || present->inode != folder.inode)) {
        wanted.emplace(folder.path, &folder);
      }
    }
    for (bool progress = true; progress && !wanted.empty();) {
      progress = false;
      for (auto next = wanted.begin(); next != wanted.end();) {
        const FolderManifest& target = *next->second;
        const auto* source = source_of_rename(target);
        const auto slash = target.path.rfind('/');
        const bool parent_waits = slash != std::string::npos && wanted.contains(target.path.substr(0, slash)) &&
                                  source_of_rename(*wanted.at(target.path.substr(0, slash))) != nullptr;
        if (source == nullptr) {
          next = parent_waits ? std::next(next) : wanted.erase(next);
        } else if (parent_waits || find_before(target.path) != nullptr) {
          ++next;
        } else {
          const std::string from = source->path;  // make_parents moves what the pointer points to
          make_parents(target.path);
          rename_folder(from, target);
          next = wanted.erase(next);
          progress = true;
        }
      }
    }
  }

  const Present* source_of_rename(const FolderManifest& target) const {
    for (const auto& folder : before_) {
      if (folder.inode != target.inode || folder.path.empty() || is_below(target.path, folder.path)) continue;
      const auto* still = after_.find(folder.path);
      if (still == nullptr || still->inode != folder.inode) return &folder;
    }
    return nullptr;
  }

  void make_parents(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      const auto* folder = after_.find(parent);
      if (folder != nullptr && find_before(parent) == nullptr) make_folder(*folder, shape_of(*folder));
    }
  }

  void rename_folder(const std::string& from, const FolderManifest& target) {
    operations_.push_back({.kind = OperationKind::rename_folder,
                           .from = {from, Area::folder, ""},
                           .to = {target.path, Area::folder, ""},
                           .folder_inode = target.inode});
    for (auto& folder : before_) {
      if (folder.path == from) {
        folder.path = target.path;
      } else if (is_below(folder.path, from)) {
        folder.path = target.path + folder.path.substr(from.size());
      } else {
        continue;
      }
      remove_files_in_the_way(folder);
    }
  }

  void make_folder(const FolderManifest& folder, const FolderShape& shape) {
    operations_.push_back({.kind = OperationKind::make_folder,
                           .to = {folder.path, Area::folder, ""},
                           .folder = shape,
                           .folder_inode = folder.inode});
    if (auto* present = find_before(folder.path)) {
      present->shape = shape;
      present->inode = folder.inode;
    } else {
      before_.push_back({folder.path, folder.inode, shape, {}});
    }
  }

  /// Parents come first: a path sorts before what is below it.
  void make_folders() {
    std::unordered_map<std::string_view, const Present*> present;
    for (const auto& folder : before_)
      present.emplace(folder.path, &folder);
    std::vector<std::pair<const FolderManifest*, FolderShape>> missing;
    for (const auto& folder : after_.folders) {
      const auto found = present.find(folder.path);
      if (found == present.end()) {
        missing.emplace_back(&folder, shape_of(folder));
        continue;
      }
      const FolderShape shape = union_of(shape_of(folder), found->second->shape);
      if (shape != found->second->shape || folder.inode != found->second->inode) missing.emplace_back(&folder, shape);
    }
    for (const auto& [folder, shape] : missing)
      make_folder(*folder, shape);
  }

  void index_before() {
    std::sort(before_.begin(), before_.end(),
              [](const Present& left, const Present& right) { return left.path < right.path; });
    for (std::size_t f = 0; f < before_.size(); ++f) {
      retained_.emplace_back(before_[f].entries.size(), false);
      consumed_.emplace_back(before_[f].entries.size(), false);
    }
  }

  /// Walks each folder's sorted entries on both sides: what stays is retained, what is new or changed is to be made.
  void match_entries() {
    std::size_t b = 0;
    for (std::size_t a = 0; a < after_.folders.size(); ++a) {
      while (b < before_.size() && before_[b].path < after_.folders[a].path)
        ++b;
      match_folder(a, b);  // make_folders saw to it that it is there
    }
  }

  void match_folder(std::size_t a, std::size_t b) {
    const auto& after = after_.folders[a].entries;
    const auto& before = before_[b].entries;
    std::size_t old = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      while (old < before.size() && before_in_folder(*before[old], after[i]))
        ++old;
      const bool present =
          old < before.size() && before[old]->area == after[i].area && before[old]->name == after[i].name;
      if (present && same_content(*before[old], after[i])) {
        retained_[b][old] = true;
        if (!same_record(*before[old], after[i])) changed_.push_back({{a, i}, {b, old}});
      } else {
        made_.push_back({.after = {a, i}, .occupied = present ? before[old] : nullptr, .before_folder = b});
      }
    }
  }

  struct Made {
    Place after;
    const Entry* occupied = nullptr;  ///< what `before` has at that name
    std::size_t before_folder = 0;
    std::optional<Place> source{};  ///< a before entry that is the same message
    std::optional<Place> twin{};    ///< an after entry of the same inode that is put first
  };

  const Entry& after_entry(Place place) const { return after_.folders[place.folder].entries[place.entry]; }
  const Entry& before_entry(Place place) const { return *before_[place.folder].entries[place.entry]; }

  void find_sources() {
    if (made_.empty()) return;
    std::unordered_set<std::uint64_t> wanted;  // of an account of a million, mostly a handful
    for (const auto& made : made_)
      wanted.insert(after_entry(made.after).inode);
    std::unordered_map<std::uint64_t, std::vector<Place>> by_inode;
    for (std::size_t f = 0; f < before_.size(); ++f) {
      for (std::size_t e = 0; e < before_[f].entries.size(); ++e) {
        const Entry& entry = *before_[f].entries[e];
        if (entry.area != Area::folder && entry.kind == EntryKind::file && entry.inode != 0 &&
            wanted.contains(entry.inode)) {
          by_inode[entry.inode].push_back({f, e});
        }
      }
    }
    const KeptInodes kept(known_.folders, after_.folders);
    std::unordered_map<std::uint64_t, Place> put_inodes;
    for (auto& made : made_) {
      const Entry& entry = after_entry(made.after);
      if (entry.area == Area::folder || entry.kind != EntryKind::file || made.occupied != nullptr) continue;
      if (const auto found = by_inode.find(entry.inode); entry.inode != 0 && found != by_inode.end()) {
        for (const Place place : found->second) {
          const Entry& candidate = before_entry(place);
          if (sameness(candidate, entry, kept) != Sameness::same) continue;
          // Of several links of one message, its own earlier name: then each flag change is one rename.
          const bool own = place.folder == made.before_folder && base_name(candidate) == base_name(entry);
          if (own || !made.source) made.source = place;
          if (own) break;
        }
      }
      if (!made.source) made.source = listed_twin(made, entry);
      if (!made.source && entry.inode != 0) {
        const auto [twin, first] = put_inodes.emplace(entry.inode, made.after);
        if (!first && same_message(after_entry(twin->second), entry)) made.twin = twin->second;
      }
    }
  }

  /// An entry whose inode is not known (the receiver listed it) is found by its base name, within its folder.
  std::optional<Place> listed_twin(const Made& made, const Entry& entry) {
    if (!listed_indexed_) {
      listed_indexed_ = true;
      for (std::size_t f = 0; f < before_.size(); ++f) {
        for (std::size_t e = 0; e < before_[f].entries.size(); ++e) {
          const Entry& old = *before_[f].entries[e];
          if (old.inode == 0 && old.area != Area::folder && !retained_[f][e]) {
            listed_.emplace(std::string(base_name(old)), Place{f, e});
          }
        }
      }
    }
    const auto [begin, end] = listed_.equal_range(std::string(base_name(entry)));
    for (auto candidate = begin; candidate != end; ++candidate) {
      const Place place = candidate->second;
      if (place.folder == made.before_folder && same_message(before_entry(place), entry)) return place;
    }
    return std::nullopt;
  }

  Location before_location(Place place) const {
    const Entry& entry = before_entry(place);
    return {before_[place.folder].path, entry.area, entry.name};
  }
  Location after_location(Place place) const {
    const Entry& entry = after_entry(place);
    return {after_.folders[place.folder].path, entry.area, entry.name};
  }

  Entry result_of(Place after, const std::optional<Digest>& digest) const {
    Entry entry = after_entry(after);
    if (!entry.digest) entry.digest = digest;
    return entry;
  }

  /// All links of a source come before the rename that takes it away; that is the last one that wants it.
  void emit_links_and_renames() {
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> last_user;
    for (std::size_t i = 0; i < made_.size(); ++i) {
      if (made_[i].source) last_user[{made_[i].source->folder, made_[i].source->entry}] = i;
    }
    std::vector<Operation> renames;
    for (std::size_t i = 0; i < made_.size(); ++i) {
      const Made& made = made_[i];
      if (!made.source) continue;
      const Place source = *made.source;
      const bool vacated = !retained_[source.folder][source.entry] && speaks_of(before_[source.folder]);
      const bool takes_away = vacated && last_user.at({source.folder, source.entry}) == i;
      if (takes_away) consumed_[source.folder][source.entry] = true;
      (takes_away ? renames : operations_)
          .push_back({.kind = takes_away ? OperationKind::rename : OperationKind::link,
                      .from = before_location(source),
                      .to = after_location(made.after),
                      .expected = before_entry(source),
                      .result = result_of(made.after, before_entry(source).digest)});
    }
    for (auto& rename : renames)
      operations_.push_back(std::move(rename));
    emit_changed([](const Entry& entry) { return entry.area != Area::folder; });
  }

  /// Owner, mode and time. What was there before tells the destination whose file it expects.
  template <class Wanted>
  void emit_changed(Wanted wanted) {
    for (const auto& [after, before] : changed_) {
      if (!wanted(after_entry(after))) continue;
      operations_.push_back({.kind = OperationKind::set_attributes,
                             .to = after_location(after),
                             .expected = before_entry(before),
                             .result = result_of(after, before_entry(before).digest)});
    }
  }

  void emit_puts() {
    std::vector<Operation> links;
    for (const Made& made : made_) {
      const Entry& entry = after_entry(made.after);
      if (entry.area == Area::folder || made.source) continue;
      if (made.twin) {
        links.push_back({.kind = OperationKind::link,
                         .from = after_location(*made.twin),
                         .to = after_location(made.after),
                         .expected = after_entry(*made.twin),
                         .result = entry});
      } else {
        operations_.push_back(put(OperationKind::put, made));
      }
    }
    for (auto& link : links)
      operations_.push_back(std::move(link));
  }

  Operation put(OperationKind kind, const Made& made) const {
    Operation operation{.kind = kind, .to = after_location(made.after), .result = after_entry(made.after)};
    if (made.occupied != nullptr) operation.expected = *made.occupied;
    return operation;
  }

  bool is_replaced(const Location& at) const {
    const auto* folder = after_.find(at.folder);
    return folder != nullptr && find_entry(folder->entries, at.area, at.name) != nullptr;
  }

  bool speaks_of(const Present& folder) const { return after_.structure_whole || after_.find(folder.path) != nullptr; }

  template <class Wanted>
  void emit_removals_of(Wanted wanted) {
    for (std::size_t f = 0; f < before_.size(); ++f) {
      if (!speaks_of(before_[f])) continue;
      for (std::size_t e = 0; e < before_[f].entries.size(); ++e) {
        const Entry& entry = *before_[f].entries[e];
        if (!wanted(before_[f], entry) || retained_[f][e] || consumed_[f][e]) continue;
        const Location at = before_location({f, e});
        if (!is_replaced(at)) {
          operations_.push_back({.kind = OperationKind::remove, .from = at, .expected = entry});
          consumed_[f][e] = true;
        }
      }
    }
  }

  void emit_removals() {
    emit_removals_of([](const Present&, const Entry& entry) { return entry.area != Area::folder; });
  }

  /// Whether a control file is to have the name of the folder, or of one above it.
  bool is_in_the_way(std::string_view path) const {
    for (std::size_t end = path.size(); end != std::string_view::npos && end > 0; end = path.rfind('/', end - 1)) {
      const std::string_view folder = path.substr(0, end);
      const std::size_t slash = folder.rfind('/');
      const bool top = slash == std::string_view::npos;
      if (is_replaced({std::string(top ? "" : folder.substr(0, slash)), Area::folder,
                       std::string(top ? folder : folder.substr(slash + 1))})) {
        return true;
      }
    }
    return false;
  }

  /// A folder where a control file is to be goes before it.
  void emit_removals_in_the_way() {
    if (!after_.structure_whole) return;
    emit_removals_of([&](const Present& folder, const Entry&) { return is_in_the_way(folder.path); });
    emit_folder_removals_of([&](const Present& folder) { return is_in_the_way(folder.path); });
  }

  void emit_control_files() {
    for (const Made& made : made_) {
      if (after_entry(made.after).area == Area::folder) operations_.push_back(put(OperationKind::put_control, made));
    }
    emit_changed([](const Entry& entry) { return entry.area == Area::folder; });
    emit_removals_of([](const Present&, const Entry& entry) { return entry.area == Area::folder; });
  }

  template <class Wanted>
  void emit_folder_removals_of(Wanted wanted) {
    for (auto folder = before_.rbegin(); folder != before_.rend(); ++folder) {
      if (after_.find(folder->path) == nullptr && wanted(*folder)) {
        operations_.push_back({.kind = OperationKind::remove_folder, .from = {folder->path, Area::folder, ""}});
      }
    }
  }

  void emit_folder_removals() {
    if (!after_.structure_whole) return;
    emit_folder_removals_of([&](const Present& folder) { return !is_in_the_way(folder.path); });
  }

  /// A cur/, new/ or tmp/ that went can go only after its messages, and before a file that takes its name.
  void emit_shrunk_folders() {
    for (const auto& folder : after_.folders) {
      const auto* present = find_sorted(folder.path);
      if (present != nullptr && present->shape != shape_of(folder)) {
        operations_.push_back({.kind = OperationKind::make_folder,
                               .to = {folder.path, Area::folder, ""},
                               .folder = shape_of(folder),
                               .folder_inode = folder.inode});
      }
    }
  }

  const Present* find_sorted(std::string_view path) const {
    const auto found = std::lower_bound(before_.begin(), before_.end(), path,
                                        [](const Present& folder, std::string_view p) { return folder.path < p; });
    return found != before_.end() && found->path == path ? &*found : nullptr;
  }

  const AccountManifest& known_;
  std::vector<Present> before_;
  const AccountManifest& after_;
  std::vector<Operation> operations_;
  std::vector<std::vector<bool>> retained_, consumed_;
  std::vector<Made> made_;
  struct Changed {
    Place after, before;
  };
  std::vector<Changed> changed_;
  std::unordered_multimap<std::string, Place> listed_;
  bool listed_indexed_ = false;
};

}  // namespace

std::vector<Operation> plan(const AccountManifest& before, const AccountManifest& after) {
  return Planner(before, after).run();
}

}  // namespace maildirsync::sync
