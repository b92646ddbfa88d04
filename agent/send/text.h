#pragma once

#include <string>

namespace maildirsync::agent {

/// A name fit for JSON, in which bytes that are no UTF-8 cannot stand: then all that is not ASCII is shown as \xNN.
std::string printable(const std::string& text);

}  // namespace maildirsync::agent
