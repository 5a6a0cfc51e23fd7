// Whole files as strings; "-" is standard input.
#ifndef SPECINFER_TOOLS_SPECINFER_FILE_TEXT_H_
#define SPECINFER_TOOLS_SPECINFER_FILE_TEXT_H_

#include <string>

namespace specinfer_cli {

// Throws Failure.
std::string ReadFile(const std::string& path);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_FILE_TEXT_H_
