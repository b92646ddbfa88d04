#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace maildirsync::decisions {

/// What a person can say of a root (mirror, drain) or of a whole agent (run, pause). The numbers travel on the wire.
enum class Word : std::uint8_t { mirror = 1, drain = 2, run = 3, pause = 4 };

/// "mirror", "drain", "run", "pause".
std::string_view to_string(Word word);

/// One thing that was said.
struct Decision {
  std::uint64_t number = 0;  ///< higher than all that were said of the same root before: a fencing token
  Word word = Word::mirror;
  std::string id;                ///< 16 hex digits by chance: two sides may have said something under the same number
  std::string when;              ///< RFC 3339, UTC
  std::string by;                ///< the command, or "agent.toml"
  std::int64_t given_until = 0;  ///< of a drain: mail that came to the source before this (ns since the epoch) had been
                                 ///< given by then; 0: not known
  bool operator==(const Decision&) const = default;
};

/// All that was said of one root, the oldest first: the last one counts, and whoever has it knows those before it.
using Chain = std::vector<Decision>;

/// How many decisions of a root are kept.
inline constexpr std::size_t k_longest_chain = 32;

/// That a person looked at what is held, and lets it go on. Survives a restart, and goes once it was made use of.
struct Release {
  std::string root;
  std::string account;  ///< its path below the root; empty: the root itself
  std::string code;     ///< of the problem that was looked at
  std::string when;
  bool operator==(const Release&) const = default;
};

/// What one side knows of one agent's decisions: what is kept in its file.
struct Book {
  std::string agent;  ///< its fingerprint; empty in the agent's own book
  std::map<std::string, Chain> roots;
  std::map<std::string, Word> configured;  ///< at the agent: what agent.toml said of the root's mode then
  Chain pause;
  std::map<std::string, std::string> places;  ///< at the receiver: the directory where each root lands
  std::vector<Release> releases;              ///< at the agent
  std::uint64_t run = 0;  ///< the agent's runs so far: a lower one than before is that of an older copy of its state
  std::uint64_t session = 0;  ///< at the receiver: of that run
  bool operator==(const Book&) const = default;
};

/// The newest; null for an empty chain.
const Decision* newest(const Chain& chain);
/// Whether `chain` has that decision.
bool contains(const Chain& chain, const Decision& decision);

/// What two sides that each know a chain are to each other.
enum class Relation : std::uint8_t {
  unknown,    ///< neither knows anything
  same,       ///< both know the same
  left,       ///< the left side knows what the right does, and something newer; or the right knows nothing
  right,      ///< the other way round
  contradict  ///< each has said something that the other does not know, and they are not the same word
};

/// Where each said something that the other does not know, and both the same word, the higher number counts. Pure.
Relation relate(const Chain& left, const Chain& right);

/// A new decision, after all that either side has said. `said` brings word, id, when, by and given_until. Pure.
Chain say(const Chain& mine, const Chain& heard, Decision said);

/// 16 hex digits.
std::string random_id();
/// RFC 3339, UTC, of a Unix time.
std::string stamp_of(std::int64_t seconds);

}  // namespace maildirsync::decisions
