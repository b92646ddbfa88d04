// How the order is found. A message's name is unique for ever by the Maildir rules, so that almost every target of a
// link or a rename is free in `before`. Where one is not (a tool gave an old name to another message), the message is
// put anew over it instead. Then no rename waits for another, and the order is simply: links and renames of what the
// destination has, puts, links to what was put, removals, control files, folders that go.

#include "common/sync/plan.h"

#include <algorithm>
#include <map>

#include "common/sync/match.h"
#include "common/sync/plan_folders.h"

namespace maildirsync::sync {

namespace {

class Planner {
 public:
  Planner(const AccountManifest& before, const AccountManifest& after)
      : after_(after), before_(plan_folders(before, after, operations_)), matches_(match(before_, before, after)) {
    for (const auto& folder : before_)
      consumed_.emplace_back(folder.entries.size(), false);
  }

  std::vector<Operation> run() {
    // Of a first copy, these are all of the memory.
    operations_.reserve(operations_.size() + matches_.made.size() + matches_.changed.size());
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
  const Entry& after_entry(Place place) const { return after_.folders[place.folder].entries[place.entry]; }
  const Entry& before_entry(Place place) const { return *before_[place.folder].entries[place.entry]; }

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
    for (std::size_t i = 0; i < matches_.made.size(); ++i) {
      if (matches_.made[i].source) last_user[{matches_.made[i].source->folder, matches_.made[i].source->entry}] = i;
    }
    std::vector<Operation> renames;
    for (std::size_t i = 0; i < matches_.made.size(); ++i) {
      const Made& made = matches_.made[i];
      if (!made.source) continue;
      const Place source = *made.source;
      const bool vacated = !matches_.retained[source.folder][source.entry] && speaks_of(before_[source.folder]);
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
    for (const auto& [after, before] : matches_.changed) {
      if (!wanted(after_entry(after))) continue;
      operations_.push_back({.kind = OperationKind::set_attributes,
                             .to = after_location(after),
                             .expected = before_entry(before),
                             .result = result_of(after, before_entry(before).digest)});
    }
  }

  void emit_puts() {
    std::vector<Operation> links;
    for (const Made& made : matches_.made) {
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

  bool is_replaced(const Location& at) const { return after_.find(at.folder, at.area, at.name) != nullptr; }

  bool speaks_of(const Present& folder) const { return after_.structure_whole || after_.find(folder.path) != nullptr; }

  template <class Wanted>
  void emit_removals_of(Wanted wanted) {
    for (std::size_t f = 0; f < before_.size(); ++f) {
      if (!speaks_of(before_[f])) continue;
      for (std::size_t e = 0; e < before_[f].entries.size(); ++e) {
        const Entry& entry = *before_[f].entries[e];
        if (!wanted(before_[f], entry) || matches_.retained[f][e] || consumed_[f][e]) continue;
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
    for (const Made& made : matches_.made) {
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

  const AccountManifest& after_;
  std::vector<Operation> operations_;
  const std::vector<Present> before_;
  const Matches matches_;
  std::vector<std::vector<bool>> consumed_;  ///< entries of `before` that an operation takes away
};

}  // namespace

std::vector<Operation> plan(const AccountManifest& before, const AccountManifest& after) {
  return Planner(before, after).run();
}

}  // namespace maildirsync::sync
