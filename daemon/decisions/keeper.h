#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "common/decisions/decision.h"
#include "common/os/result.h"
#include "daemon/decisions/cutover_copies.h"
#include "daemon/decisions/fence.h"
#include "daemon/decisions/given.h"
#include "daemon/decisions/key_holders.h"

namespace maildirsync::daemon {

/// The receiver's memory of what was decided, for each agent (by its fingerprint) and root: a file for each agent in
/// the state directory, and a copy in the root itself, which outlives that. Of the two, the newer word counts. What an
/// agent says is on the disk before it is answered. Thread-safe; all of it blocks on files. A root whose directory does
/// not answer holds up those who greet with it or decide about it, and nobody else.
class DecisionKeeper {
 public:
  /// Reads what is there. Damaged files are put aside and told in the log.
  static Result<std::unique_ptr<DecisionKeeper>> open(const std::string& state_dir);

  /// An agent as it greets.
  struct Agent {
    std::string fingerprint;
    std::map<std::string, std::string> places;  ///< its configured roots: name, and directory here
    std::set<std::string> shared;               ///< those of them in whose directory others land, too
    bool keeps_decisions = false;
    std::uint64_t run = 0;
    std::uint64_t session = 0;
    std::map<std::string, decisions::Chain> roots;
    decisions::Chain pause;
    Speaker process = {};  ///< its `session` is set by the keeper
  };
  struct Known {
    decisions::Chain chain;
    std::optional<Error> held;  ///< nothing is taken for the root: foreign_agent, decisions_lost (the directory was
                                ///< drained under another name), or what could not be written
  };
  struct Answer {
    std::map<std::string, Known> roots;
    decisions::Chain pause;
    std::uint64_t run = 0;
    bool older_state = false;
    KeyJudgement judgement;  ///< if it is not `obeyed`, all roots are held
    Speaker holder;          ///< then: the process that is obeyed
  };
  /// `holder_is_here`: the process of this key that is obeyed, if it is another one, has a connection.
  Answer greet(const Agent& agent, bool holder_is_here = false);

  /// Which process of an agent is obeyed. Nothing of another one is kept, but of one that adopts.
  KeyHolders& holders() { return holders_; }
  CutoverCopies& cutovers() { return cutovers_; }

  /// Something was decided anew. `root` "": the pause. With `adopts`, the root is taken over from whoever filled it.
  Known decide(const Agent& agent, const std::string& root, const decisions::Chain& told, bool adopts);

  /// For operations of that agent in that root.
  std::shared_ptr<const Fence> fence(const std::string& fingerprint, const std::string& root);

  /// What the users of drained roots have had that land in that directory.
  std::shared_ptr<Given> given(const std::string& place);

  /// Before the first greeting. `take_stock` is called for a root that is drained, each time that its agent greets or
  /// decides; `drain` says by which decision. Not to block.
  using TakeStock = std::function<void(const std::string& fingerprint, const std::string& root,
                                       const std::string& place, const std::string& drain)>;
  void on_drain(TakeStock take_stock);

  /// For status: what is known of an agent's root.
  decisions::Chain known(const std::string& fingerprint, const std::string& root);

 private:
  explicit DecisionKeeper(const std::string& state_dir)
      : state_dir_(state_dir), holders_(state_dir), cutovers_(state_dir) {}

  std::shared_ptr<Fence> fence_of(const std::string& fingerprint, const std::string& root);
  void number_run(const Agent& agent, Answer& answer);
  /// What a root's directory says of itself.
  struct InRoot {
    decisions::Book copy;    ///< of what was decided; empty where there is none, or it cannot be read
    bool has_given = false;  ///< a root was drained there
  };
  static InRoot look_into(const std::string& place);
  Known take(const Agent& agent, const std::string& root, const InRoot& there, const decisions::Chain& told,
             bool adopts);
  Known keep(const Agent& agent, const std::string& root, decisions::Chain chain);
  void write_copy(const Agent& agent, const std::string& root);
  std::shared_ptr<std::mutex> copy_mutex(const std::string& place);
  void remember_given(const Agent& agent, const std::string& root, const decisions::Chain& chain) const;
  std::optional<Known> of_another_name(const Agent& agent, const std::string& root, const InRoot& there,
                                       const decisions::Chain& told) const;
  std::optional<Known> foreign(const Agent& agent, const std::string& root, const decisions::Book& copy) const;
  Known beside(const Agent& agent, const std::string& root, Why why);
  Result<> take_from_others(const Agent& agent, const std::string& root);
  Result<> take_pause(const Agent& agent, const decisions::Chain& told);
  Result<> put(const std::string& fingerprint, decisions::Book book);

  const std::string state_dir_;
  KeyHolders holders_;
  CutoverCopies cutovers_;
  std::mutex mutex_;                                       ///< held for no call to a root's directory
  std::map<std::string, decisions::Book> books_;           ///< by fingerprint; as on the disk
  std::set<std::pair<std::string, std::uint64_t>> older_;  ///< sessions that began with an older copy of the state
  std::map<std::string, std::shared_ptr<std::mutex>>
      copy_mutexes_;  ///< by place; each is held while the copy is written
  std::mutex fences_mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Fence>> fences_;
  std::map<std::string, std::shared_ptr<Given>> given_;  ///< by place; under fences_mutex_
  TakeStock take_stock_;
};

}  // namespace maildirsync::daemon
