// Whole files as strings; "-" is standard input or output.
#ifndef SPECINFER_TOOLS_SPECINFER_FILE_TEXT_H_
#define SPECINFER_TOOLS_SPECINFER_FILE_TEXT_H_

#include <string>

namespace specinfer_cli {

// Throws Failure.
std::string ReadFile(const std::string& path);
// "-" is standard output. Throws Failure.
void WriteFile(const std::string& path, const std::string& text);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_FILE_TEXT_H_
