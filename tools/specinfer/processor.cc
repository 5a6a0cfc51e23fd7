#include "processor.h"

#include <fstream>

#include <sys/resource.h>

namespace specinfer_cli {
std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

uint64_t PeakMemoryBytes() {
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  constexpr uint64_t kUnitBytes = 1024;
  return static_cast<uint64_t>(usage.ru_maxrss) * kUnitBytes;
}

}  // namespace specinfer_cli
