// The engine's arena: every block over 4 KiB comes from here and counts against
// one hard budget.
#ifndef SPECINFER_SRC_BASE_MEMORY_H_
#define SPECINFER_SRC_BASE_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace specinfer {

// The host's allocator. Both functions may be called from any thread.
// `allocate` returns memory aligned to `alignment` (a power of two), or null
// when there is none.
struct MemoryHooks {
  void* (*allocate)(void* user_data, size_t num_bytes,
                    size_t alignment) = nullptr;
  void (*release)(void* user_data, void* block, size_t num_bytes,
                  size_t alignment) = nullptr;
  void* user_data = nullptr;
};

class Memory;

// One block of the arena, zeroed at first, 64-byte aligned (page-aligned
// without hooks). Move-only; returns its bytes and its charge when it dies. The
// arena must outlive it.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept { *this = static_cast<Block&&>(other); }
  Block& operator=(Block&& other) noexcept;
  ~Block() { Reset(); }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return data_ == nullptr; }
  void Reset();

  // Charges up to `num_bytes` more of a reserved block to the budget, before
  // they are first written.
  // Errors: RESOURCE_EXHAUSTED, with nothing charged.
  absl::Status Commit(size_t num_bytes);

 private:
  friend class Memory;
  Memory* memory_ = nullptr;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t charged_ = 0;
};

// Thread-safe.
class Memory {
 public:
  // `budget_bytes` 0: no limit.
  explicit Memory(uint64_t budget_bytes, MemoryHooks hooks = {});
  ~Memory();  // REQUIRES: every block is gone.
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // A block of `num_bytes`, charged at once. `what` names it in the error
  // ("weights", "key-value cache").
  // Errors: RESOURCE_EXHAUSTED (budget or host allocator), naming what was
  // asked and what is left.
  absl::StatusOr<Block> Allocate(size_t num_bytes, std::string_view what);

  // Address space for `num_bytes`, charged by Block::Commit as it is used. With
  // a host allocator, which cannot reserve, the memory is taken at once and
  // charged at once.
  absl::StatusOr<Block> Reserve(size_t num_bytes, std::string_view what);

  uint64_t budget_bytes() const { return budget_bytes_; }
  uint64_t used_bytes() const {
    return used_bytes_.load(std::memory_order_relaxed);
  }
  uint64_t peak_bytes() const {
    return peak_bytes_.load(std::memory_order_relaxed);
  }

 private:
  friend class Block;
  absl::Status Charge(size_t num_bytes, std::string_view what);
  void Discharge(size_t num_bytes);
  uint8_t* Take(size_t num_bytes);
  void Give(uint8_t* data, size_t num_bytes);

  const uint64_t budget_bytes_;
  const MemoryHooks hooks_;
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<uint64_t> peak_bytes_{0};
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_MEMORY_H_
