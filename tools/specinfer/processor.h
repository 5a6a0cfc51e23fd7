// What the machine is, and what this process took of it.
#ifndef SPECINFER_TOOLS_SPECINFER_PROCESSOR_H_
#define SPECINFER_TOOLS_SPECINFER_PROCESSOR_H_

#include <cstdint>
#include <string>

namespace specinfer_cli {

// As the operating system calls it; "unknown" where it does not say.
std::string ProcessorName();

// The process's high-water mark.
uint64_t PeakMemoryBytes();

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_PROCESSOR_H_
