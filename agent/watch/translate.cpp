#include "agent/watch/translate.h"

#include <inotifytools/inotifytools.h>
#include <sys/inotify.h>

#include "common/maildir/name.h"
#include "common/maildir/own_names.h"

namespace maildirsync::agent {

namespace {

constexpr std::uint32_t k_names = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_CLOSE_WRITE;
/// What happens to a file in a root without a name coming or going.
constexpr std::uint32_t k_file_alone = IN_ATTRIB | IN_CLOSE_WRITE;
constexpr std::uint32_t k_self = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t k_gone = k_self | IN_UNMOUNT;
constexpr std::size_t k_ring = 256;

const char* word(Part part) {
  switch (part) {
    case Part::root:
      return "root";
    case Part::cur:
      return "cur";
    case Part::new_:
      return "new";
    case Part::tmp:
      return "tmp";
    case Part::folder:
      break;
  }
  return "folder";
}

/// What people gave a name of ours is told of: it is a problem.
bool is_left_out(Part part, const std::string& name) {
  if (name.starts_with(maildir::k_aside_prefix)) return part != Part::root && maildir::is_own_name(name);
  if (part == Part::folder) return maildir::is_left_out(name);
  return part != Part::root && maildir::is_left_out_of_messages(name);
}

bool same(const Event& left, const Event& right) {
  return left.kind == right.kind && left.name == right.name && left.place.part == right.place.part &&
         left.place.owner == right.place.owner && left.place.path == right.place.path;
}

}  // namespace

std::uint32_t mask_of(Part part) {
  switch (part) {
    // Files there are nothing to us; that a directory's attributes change is its account's own matter.
    case Part::root:
      return (k_names & ~static_cast<std::uint32_t>(IN_CLOSE_WRITE)) | k_self;
    // Control files are appended to by processes that may keep them open, and truncate(2) closes nothing. Messages are
    // written in tmp/, so in cur/ and new/ this tells only of tools that change them in place.
    case Part::folder:
    case Part::cur:
    case Part::new_:
      break;
    case Part::tmp:
      return IN_ATTRIB | k_self;
  }
  return k_names | IN_MODIFY | k_self;
}

void Translator::add(const Place& place, std::uint32_t mask, std::string name, std::vector<Event>& events) {
  if ((mask & (mask_of(place.part) | IN_UNMOUNT)) == 0) return;
  if (place.part == Part::tmp && !name.empty()) return;
  const bool is_directory = (mask & IN_ISDIR) != 0;
  const bool is_gone = (mask & k_gone) != 0;
  if (!is_gone && !is_directory) {
    if (name.empty() || is_left_out(place.part, name)) return;
    if (place.part == Part::root && (mask & k_names & ~k_file_alone) == 0) return;
  }
  remember(mask, std::string(word(place.part)) + " " + os::join(place.path, name));
  const EventKind kind = is_gone ? EventKind::self_gone : is_directory ? EventKind::directory : EventKind::name;
  Event event{kind, place, std::move(name)};
  if (!events.empty() && same(events.back(), event)) return;  // an append is many writes
  events.push_back(std::move(event));
}

void Translator::add_overflow(std::vector<Event>& events) {
  remember(IN_Q_OVERFLOW, "");
  events.push_back({EventKind::overflow, {}, ""});
}

std::vector<std::string> Translator::recent() const {
  std::vector<std::string> lines;
  lines.reserve(ring_.size());
  for (const auto& seen : ring_) {
    lines.push_back(std::string(inotifytools_event_to_str(static_cast<int>(seen.mask))) + " " + seen.where);
  }
  return lines;
}

void Translator::remember(std::uint32_t mask, std::string where) {
  if (ring_.size() == k_ring) ring_.pop_front();
  ring_.push_back({mask, std::move(where)});
}

}  // namespace maildirsync::agent
