#include "daemon/decisions/keeper.h"

#include <algorithm>
#include <vector>

#include "common/decisions/file.h"
#include "common/decisions/settle.h"
#include "common/service/log.h"
#include "daemon/decisions/book_files.h"
#include "daemon/decisions/copy_in_root.h"

namespace maildirsync::daemon {

using decisions::Book;
using decisions::Chain;

namespace {

std::string without_slashes(std::string place) {
  while (place.size() > 1 && place.back() == '/')
    place.pop_back();
  return place;
}

std::string place_of(const DecisionKeeper::Agent& agent, const std::string& root) {
  const auto found = agent.places.find(root);
  if (found == agent.places.end()) return "";
  return without_slashes(found->second);
}

const Chain& chain_of(const Book& book, const std::string& root) {
  static const Chain none;
  const auto found = book.roots.find(root);
  return found == book.roots.end() ? none : found->second;
}

Speaker speaker_of(const DecisionKeeper::Agent& agent) {
  Speaker speaker = agent.process;
  speaker.session = agent.session;
  return speaker;
}

bool has_place(const Book& book, const std::string& root, const std::string& place) {
  const auto found = book.places.find(root);
  return found != book.places.end() && found->second == place;
}

}  // namespace

Result<std::unique_ptr<DecisionKeeper>> DecisionKeeper::open(const std::string& state_dir) {
  std::unique_ptr<DecisionKeeper> keeper(new DecisionKeeper(state_dir));
  MAILDIRSYNC_ASSIGN(keeper->books_, read_books(state_dir));
  for (const auto& [fingerprint, book] : keeper->books_) {
    for (const auto& [root, chain] : book.roots)
      keeper->fence_of(fingerprint, root)->set(chain, std::nullopt);
  }
  return keeper;
}

std::shared_ptr<Fence> DecisionKeeper::fence_of(const std::string& fingerprint, const std::string& root) {
  const std::lock_guard lock(fences_mutex_);
  auto& fence = fences_[{fingerprint, root}];
  if (!fence) fence = std::make_shared<Fence>();
  return fence;
}

std::shared_ptr<const Fence> DecisionKeeper::fence(const std::string& fingerprint, const std::string& root) {
  return fence_of(fingerprint, root);
}

std::shared_ptr<Given> DecisionKeeper::given(const std::string& place) {
  const std::lock_guard lock(fences_mutex_);
  auto& given = given_[without_slashes(place)];
  if (!given) given = std::make_shared<Given>();
  return given;
}

void DecisionKeeper::on_drain(TakeStock take_stock) {
  const std::lock_guard lock(mutex_);
  take_stock_ = std::move(take_stock);
}

Chain DecisionKeeper::known(const std::string& fingerprint, const std::string& root) {
  const std::lock_guard lock(mutex_);
  return chain_of(books_[fingerprint], root);
}

Result<> DecisionKeeper::put(const std::string& fingerprint, Book book) {
  Book& kept = books_[fingerprint];
  book.agent = fingerprint;
  if (book == kept) return {};
  MAILDIRSYNC_TRY(decisions::write_book(book_file(state_dir_, fingerprint), book));
  kept = std::move(book);
  return {};
}

DecisionKeeper::InRoot DecisionKeeper::look_into(const std::string& place) {
  return {read_copy(place), Given::lies_in(place)};
}

DecisionKeeper::Answer DecisionKeeper::greet(const Agent& agent, bool holder_is_here) {
  Answer answer;
  answer.judgement = holders_.greet(agent.fingerprint, speaker_of(agent), holder_is_here);
  if (answer.judgement.standing != Standing::obeyed) {
    for (const auto& [root, place] : agent.places)
      answer.roots[root] = beside(agent, root, answer.judgement.why);
    answer.pause = agent.pause;
    answer.holder = holders_.holder(agent.fingerprint);
    return answer;
  }
  std::map<std::string, InRoot> found;
  for (const auto& [root, place] : agent.places)
    found[root] = look_into(place_of(agent, root));
  {
    const std::lock_guard lock(mutex_);
    if (agent.keeps_decisions) number_run(agent, answer);
    for (const auto& [root, there] : found) {
      const auto told = agent.roots.find(root);
      answer.roots[root] = take(agent, root, there, told == agent.roots.end() ? Chain() : told->second, false);
    }
    if (agent.keeps_decisions) {
      if (const auto taken = take_pause(agent, agent.pause); !taken) {
        service::log_error("decisions-failed detail=\"{}\"", taken.error().message());
      }
    }
    answer.pause = books_[agent.fingerprint].pause;
  }
  for (const auto& [root, known] : answer.roots) {
    if (!known.held) write_copy(agent, root);
  }
  return answer;
}

/// A run that is not later than the last one, and another, began with an older copy of the agent's state.
void DecisionKeeper::number_run(const Agent& agent, Answer& answer) {
  const std::pair run{agent.fingerprint, agent.session};
  Book book = books_[agent.fingerprint];
  answer.run = std::max(book.run, agent.run);
  answer.older_state = older_.contains(run);
  if (book.run == agent.run && book.session == agent.session) return;
  if (book.session != 0 && book.session != agent.session && agent.run <= book.run) {
    answer.run = book.run + 1;
    answer.older_state = true;
    older_.insert(run);
    service::log_warning(
        "agent-state-older fingerprint={} run={} known={} action=\"the agent compares everything with what is here\"",
        agent.fingerprint, agent.run, book.run);
  }
  book.run = answer.run;
  book.session = agent.session;
  if (const auto written = put(agent.fingerprint, std::move(book)); !written) {
    service::log_error("decisions-failed detail=\"{}\"", written.error().message());
  }
}

DecisionKeeper::Known DecisionKeeper::decide(const Agent& agent, const std::string& root, const Chain& told,
                                             bool adopts) {
  const auto obeyed = holders_.tenure(agent.fingerprint)->session();
  if (obeyed != 0 && agent.session != 0 && obeyed != agent.session) {
    const Known held = beside(agent, root, holders_.why_not(agent.fingerprint, agent.session));
    const bool is_newer = decisions::relate(told, held.chain) == decisions::Relation::left;
    if (root.empty() || !adopts || !is_newer) return held;
    holders_.adopt(agent.fingerprint, speaker_of(agent));
    service::log_warning("agent-adopted fingerprint={} host={} address={}", agent.fingerprint, agent.process.host,
                         agent.process.address);
  }
  const InRoot there = root.empty() ? InRoot() : look_into(place_of(agent, root));
  std::unique_lock lock(mutex_);
  if (!root.empty()) {
    const Known known = take(agent, root, there, told, adopts);
    lock.unlock();
    if (!known.held) write_copy(agent, root);
    return known;
  }
  const auto taken = take_pause(agent, told);
  return {books_[agent.fingerprint].pause, taken ? std::nullopt : std::optional(taken.error())};
}

Result<> DecisionKeeper::take_pause(const Agent& agent, const Chain& told) {
  Book book = books_[agent.fingerprint];
  book.pause = decisions::kept_by_receiver(book.pause, told);
  return put(agent.fingerprint, std::move(book));
}

/// What a process hears of a root whose agent another process is.
DecisionKeeper::Known DecisionKeeper::beside(const Agent& agent, const std::string& root, Why why) {
  return {known(agent.fingerprint, root), Error{ErrorCode::foreign_agent, place_of(agent, root),
                                                describe(why, holders_.holder(agent.fingerprint), agent.process) +
                                                    ". Nothing is taken from this one. Stop one of the two, or give it "
                                                    "a key of its own; if this one is to go on, then here: "
                                                    "maildirsync mirror " +
                                                    root + " --adopt, or maildirsync drain " + root + " --adopt",
                                                0}};
}

/// The root has been filled by another agent than this one.
std::optional<DecisionKeeper::Known> DecisionKeeper::foreign(const Agent& agent, const std::string& root,
                                                             const Book& copy) const {
  const auto held = [&](const Chain& chain, const std::string& by) {
    return Known{chain, Error{ErrorCode::foreign_agent, place_of(agent, root),
                              "the root has been filled by another agent (" + by +
                                  "); two agents of one root cannot both work, and nothing is taken from this one (" +
                                  agent.fingerprint + ") until a person says so at it: maildirsync mirror " + root +
                                  " --adopt, or maildirsync drain " + root + " --adopt",
                              0}};
  };
  const auto own = books_.find(agent.fingerprint);
  if (agent.shared.contains(root)) return std::nullopt;  // each account there has its owner
  const std::string place = place_of(agent, root);
  if (own != books_.end() && has_place(own->second, root, place)) return std::nullopt;
  for (const auto& [fingerprint, book] : books_) {
    if (fingerprint == agent.fingerprint) continue;
    for (const auto& [name, other_place] : book.places) {
      if (other_place == place) return held(chain_of(book, name), fingerprint);
    }
  }
  if (!copy.agent.empty() && copy.agent != agent.fingerprint && !copy.roots.empty()) {
    return held(copy.roots.begin()->second, copy.agent);
  }
  return std::nullopt;
}

/// The directory is that of a root of this agent that was drained under another name, or of one of which nobody knows
/// any more when it was. Once a person has said it anew, what was decided then is in the chain of this name.
std::optional<DecisionKeeper::Known> DecisionKeeper::of_another_name(const Agent& agent, const std::string& root,
                                                                     const InRoot& there, const Chain& told) const {
  static const Book none;
  const std::string place = place_of(agent, root);
  const auto found = books_.find(agent.fingerprint);
  const Book& own = found == books_.end() ? none : found->second;
  const bool is_own_copy = there.copy.agent == agent.fingerprint;
  const Chain& here = chain_of(own, root);
  const auto held = [&](const Chain& chain, const std::string& why) {
    return Known{chain,
                 Error{ErrorCode::decisions_lost, place,
                       why + "; of \"" + root + "\" this agent knows: " + decisions::describe(told) +
                           ". Whether users work there only a person can say, and nothing is sent until then. "
                           "If they do: maildirsync drain " +
                           root + ". If they do not, and all that they did there may be undone: maildirsync mirror " +
                           root + " --undo-what-users-did",
                       0}};
  };
  const auto counts = [&](const std::string& name, const Chain& chain) {
    if (name == root || place_of(agent, name) == place) return false;  // others land there, too
    return is_worth_a_copy(chain) && !decisions::contains(told, chain.back()) &&
           !decisions::contains(here, chain.back());
  };
  const auto held_by = [&](const std::string& name, const Chain& chain) {
    return held(chain, "the directory was filled as another root of this agent, \"" + name +
                           "\", of which the receiver knows: " + decisions::describe(chain));
  };
  if (is_own_copy) {
    for (const auto& [name, chain] : there.copy.roots) {
      if (counts(name, chain)) return held_by(name, chain);
    }
  }
  for (const auto& [name, other_place] : own.places) {
    if (other_place == place && counts(name, chain_of(own, name))) return held_by(name, chain_of(own, name));
  }
  const bool is_known = !told.empty() || !here.empty() || (is_own_copy && !chain_of(there.copy, root).empty());
  if (!is_known && there.has_given && !agent.shared.contains(root)) {
    return held({}, "a root was drained in this directory, and the receiver does not know any more which and when");
  }
  return std::nullopt;
}

/// `there` is what the root has; its place may have another copy by now, of an agent that came at the same moment.
DecisionKeeper::Known DecisionKeeper::take(const Agent& agent, const std::string& root, const InRoot& there,
                                           const Chain& told, bool adopts) {
  const Book& copy = there.copy;
  const auto fence = fence_of(agent.fingerprint, root);
  if (auto held = foreign(agent, root, copy)) {
    const bool is_newer = decisions::relate(told, held->chain) == decisions::Relation::left;
    if (!adopts || !is_newer) {
      fence->set(held->chain, held->held);
      return *held;
    }
    if (const auto taken = take_from_others(agent, root); !taken) return {held->chain, taken.error()};
    service::log_warning("root-adopted root={} fingerprint={}", root, agent.fingerprint);
    return keep(agent, root, told);
  }
  if (auto held = of_another_name(agent, root, there, told)) {
    fence->set(held->chain, held->held);
    return *held;
  }
  const bool is_own_copy = copy.agent == agent.fingerprint;
  const Chain here =
      decisions::newer_copy(chain_of(books_[agent.fingerprint], root), is_own_copy ? chain_of(copy, root) : Chain());
  const Chain kept = decisions::kept_by_receiver(here, told);
  return keep(agent, root, kept);
}

/// Into the file, then the fence, then the copy (write_copy): a crash in between leaves the older word there, which the
/// agent's next greeting replaces.
DecisionKeeper::Known DecisionKeeper::keep(const Agent& agent, const std::string& root, Chain chain) {
  const auto fence = fence_of(agent.fingerprint, root);
  const std::string place = place_of(agent, root);
  Book book = books_[agent.fingerprint];
  const Chain before = chain_of(book, root);
  if (!chain.empty()) {
    book.roots[root] = chain;
    book.places[root] = place;
    // Of what the root was called before, unless others land there, too.
    std::erase_if(book.places, [&](const auto& one) {
      return one.second == place && one.first != root && place_of(agent, one.first) != place;
    });
  }
  if (const auto written = put(agent.fingerprint, book); !written) {
    const Error error{
        ErrorCode::state, "",
        "the receiver cannot keep what was decided (" + written.error().message() + "); make space in its state_dir",
        0};
    fence->set(before, error);
    return {before, error};
  }
  if (before.empty() || chain.empty() || !(before.back() == chain.back())) {
    if (!chain.empty()) {
      service::log_info("decision root={} fingerprint={} known=\"{}\"", root, agent.fingerprint,
                        decisions::describe(chain));
    }
  }
  fence->set(chain, std::nullopt);
  return {chain, std::nullopt};
}

std::shared_ptr<std::mutex> DecisionKeeper::copy_mutex(const std::string& place) {
  const std::lock_guard lock(mutex_);
  auto& mutex = copy_mutexes_[place];
  if (!mutex) mutex = std::make_shared<std::mutex>();
  return mutex;
}

/// What is known of the root now, into the root. Without the lock on all that is known: the directory may hang. Before
/// the agent is answered.
void DecisionKeeper::write_copy(const Agent& agent, const std::string& root) {
  const std::string place = place_of(agent, root);
  if (place.empty()) return;
  const auto mutex = copy_mutex(place);
  const std::lock_guard one_at_a_time(*mutex);
  Book copy;
  copy.agent = agent.fingerprint;
  {
    const std::lock_guard lock(mutex_);
    const auto book = books_.find(agent.fingerprint);
    if (book == books_.end() || !has_place(book->second, root, place)) return;  // another agent has it by now
    copy.roots[root] = chain_of(book->second, root);
  }
  const Chain& chain = copy.roots[root];
  copy.places[root] = place;
  if (!agent.shared.contains(root) && is_worth_a_copy(chain) && is_the_root(place)) daemon::write_copy(place, copy);
  remember_given(agent, root, chain);
}

/// All that a drained root holds is remembered as had by its users.
void DecisionKeeper::remember_given(const Agent& agent, const std::string& root, const Chain& chain) const {
  const std::string place = place_of(agent, root);
  const bool drains = !chain.empty() && chain.back().word == decisions::Word::drain;
  if (!drains || !take_stock_ || !is_the_root(place)) return;
  const auto token = decisions::token_of(chain);
  take_stock_(agent.fingerprint, root, place,
              agent.fingerprint + ' ' + root + ' ' + std::to_string(token.number) + ':' + token.id);
}

/// The others lose the place: should one of them come again, it is the foreign one.
Result<> DecisionKeeper::take_from_others(const Agent& agent, const std::string& root) {
  const std::string place = place_of(agent, root);
  std::vector<std::pair<std::string, Book>> changed;
  for (const auto& [fingerprint, book] : books_) {
    if (fingerprint == agent.fingerprint) continue;
    Book next = book;
    std::erase_if(next.places, [&](const auto& one) { return one.second == place; });
    if (!(next == book)) changed.emplace_back(fingerprint, std::move(next));
  }
  for (auto& [fingerprint, book] : changed) {
    for (const auto& [name, chain] : book.roots) {
      if (!book.places.contains(name)) {
        fence_of(fingerprint, name)
            ->set(chain, Error{ErrorCode::foreign_agent, place, "the root was taken over by " + agent.fingerprint, 0});
      }
    }
    MAILDIRSYNC_TRY(put(fingerprint, std::move(book)));
  }
  return {};
}

}  // namespace maildirsync::daemon
