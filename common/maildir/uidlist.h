#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace maildirsync::maildir {

/// A `dovecot-uidlist` of version 3, as Dovecot's maildir-uidlist.c writes it: a line "3 V<validity> N<next uid>
/// G<guid>", then a line "<uid> <extensions> :<name>" for each message, by rising UIDs. Names stand without flags.
struct Uidlist {
  std::string header;
  std::uint32_t validity = 0;
  std::uint32_t next = 0;                      ///< above all UIDs
  std::map<std::uint32_t, std::string> lines;  ///< whole, without their ends
};

/// Nothing for another version, and for what is not a uidlist.
std::optional<Uidlist> parse_uidlist(std::string_view text);

std::string format_uidlist(const Uidlist& list);

/// The name that a line is about, without flags; "" when it names none.
std::string_view name_in_line(std::string_view line);

/// Gives messages the UIDs back that older versions of the list knew.
struct Reunion {
  Uidlist list;
  std::set<std::string> found;  ///< of the wanted names, those that have their UID
};
/// `wanted`: names without flags, of messages that are there. `older`: the newest first; those of another validity say
/// nothing. A UID that another message has by now is not taken from it. Without `now`, the newest of `older` goes on.
Reunion reunite(const std::optional<Uidlist>& now, const std::vector<Uidlist>& older,
                const std::set<std::string>& wanted);

}  // namespace maildirsync::maildir
