// Counts every operator new of a program. Included by one file of it: it
// replaces the operators.
#ifndef SPECINFER_TESTS_BASE_COUNT_ALLOCATIONS_H_
#define SPECINFER_TESTS_BASE_COUNT_ALLOCATIONS_H_

#include <atomic>
#include <cstdlib>
#include <new>

// g++ inlines only one side of the replaced pair and then warns.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace specinfer {
inline std::atomic<long> num_allocations{0};
}

void* operator new(std::size_t num_bytes) {
  specinfer::num_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* block = std::malloc(num_bytes)) return block;
  throw std::bad_alloc();
}
void* operator new[](std::size_t num_bytes) { return operator new(num_bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

#endif  // SPECINFER_TESTS_BASE_COUNT_ALLOCATIONS_H_
