// What became of a session's guesses, for people and for programs.
#ifndef SPECINFER_TOOLS_SPECINFER_SPECULATION_REPORT_H_
#define SPECINFER_TOOLS_SPECINFER_SPECULATION_REPORT_H_

#include <string>

#include "specinfer.h"
#include "specinfer/speculation.h"
#include <nlohmann/json.hpp>

namespace specinfer_cli {

// Throws Failure.
specinfer_speculation_statistics GetSpeculation(specinfer_session* session);

// Every field, under the names of the C interface.
nlohmann::ordered_json ToJson(const specinfer_speculation_statistics& all);

// Lines for a terminal: tokens per round, the gain over plain decoding, and
// each drafter's guesses. Empty before the first round.
std::string Describe(const specinfer_speculation_statistics& all);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_SPECULATION_REPORT_H_
