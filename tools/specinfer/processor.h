// What the machine is and how fast it reads memory: the bound of decoding.
#ifndef SPECINFER_TOOLS_SPECINFER_PROCESSOR_H_
#define SPECINFER_TOOLS_SPECINFER_PROCESSOR_H_

#include <cstdint>
#include <string>

namespace specinfer_cli {

// As the operating system calls it; "unknown" where it does not say.
std::string ProcessorName();

// Bytes per second that `num_threads` threads read from memory together: the
// best of several passes over a block that fits no cache.
double MeasureReadBandwidth(uint32_t num_threads);

// The process's high-water mark.
uint64_t PeakMemoryBytes();

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_PROCESSOR_H_
