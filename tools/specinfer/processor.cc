#include "processor.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>

namespace specinfer_cli {
namespace {

constexpr size_t kPrefetchWords = 512;  // 4 KiB ahead, as the kernels do

uint64_t Sum(const uint64_t* words, size_t num_words) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= num_words; i += 8) {
    __builtin_prefetch(words + i + kPrefetchWords);
    for (size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

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

double MeasureReadBandwidth(uint32_t num_threads) {
  constexpr size_t kBlockBytes = size_t{1} << 29;
  constexpr int kNumPasses = 5;
  // Large pages, as the weights have, or address look-ups would be measured.
  void* const memory = mmap(nullptr, kBlockBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 0;
  madvise(memory, kBlockBytes, MADV_HUGEPAGE);
  uint64_t* const block = static_cast<uint64_t*>(memory);
  std::fill_n(block, kBlockBytes / sizeof(uint64_t), 1);
  const size_t words_per_thread = kBlockBytes / sizeof(uint64_t) / num_threads;
  std::atomic<uint64_t> total = 0;  // keeps the reading from being left out
  double best_seconds = 1e9;
  for (int pass = 0; pass < kNumPasses; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (uint32_t thread = 0; thread < num_threads; ++thread) {
      threads.emplace_back([&, thread] {
        total += Sum(block + thread * words_per_thread, words_per_thread);
      });
    }
    for (std::thread& thread : threads) thread.join();
    const std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - begin;
    best_seconds = std::min(best_seconds, taken.count());
  }
  munmap(memory, kBlockBytes);
  const size_t num_read = words_per_thread * num_threads * sizeof(uint64_t);
  return total == 0 ? 0 : static_cast<double>(num_read) / best_seconds;
}

uint64_t PeakMemoryBytes() {
  rusage usage = {};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  constexpr uint64_t kUnitBytes = 1024;
  return static_cast<uint64_t>(usage.ru_maxrss) * kUnitBytes;
}

}  // namespace specinfer_cli
