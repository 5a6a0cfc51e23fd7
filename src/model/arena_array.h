// Growing arrays and texts whose bytes come from the engine's arena, so that a
// hostile file's directory is counted against the budget and refused instead of
// exhausting the host.
#ifndef SPECINFER_SRC_MODEL_ARENA_ARRAY_H_
#define SPECINFER_SRC_MODEL_ARENA_ARRAY_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/base/memory.h"
#include "src/base/status_macros.h"

namespace specinfer {

template <typename T>
class ArenaArray {
 public:
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64);

  explicit ArenaArray(Memory& memory) : memory_(&memory) {}

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return reinterpret_cast<T*>(block_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(block_.data()); }
  T& operator[](size_t index) { return data()[index]; }
  const T& operator[](size_t index) const { return data()[index]; }
  absl::Span<const T> span() const { return {data(), size_}; }

  // Errors: RESOURCE_EXHAUSTED, with nothing changed.
  absl::Status Append(const T& value) {
    if ((size_ + 1) * sizeof(T) > block_.size()) {
      const size_t capacity = std::max<size_t>(4096 / sizeof(T) + 1, size_ * 2);
      SPECINFER_ASSIGN_OR_RETURN(
          Block block, memory_->Allocate(capacity * sizeof(T),
                                         "the model file's directory"));
      if (size_ > 0)
        std::memcpy(block.data(), block_.data(), size_ * sizeof(T));
      block_ = std::move(block);
    }
    ::new (block_.data() + size_ * sizeof(T)) T(value);
    ++size_;
    return absl::OkStatus();
  }

 private:
  Memory* memory_;
  Block block_;
  size_t size_ = 0;
};

// Copies of texts that stay where they are until the pool dies.
class TextPool {
 public:
  explicit TextPool(Memory& memory) : memory_(&memory) {}

  absl::StatusOr<std::string_view> Add(std::string_view text) {
    if (text.empty()) return std::string_view();
    if (blocks_.empty() || blocks_.back().size() - used_ < text.size()) {
      SPECINFER_ASSIGN_OR_RETURN(
          Block block, memory_->Allocate(std::max<size_t>(text.size(), 16384),
                                         "the model file's names"));
      blocks_.push_back(std::move(block));
      used_ = 0;
    }
    char* copy = reinterpret_cast<char*>(blocks_.back().data()) + used_;
    std::memcpy(copy, text.data(), text.size());
    used_ += text.size();
    return std::string_view(copy, text.size());
  }

 private:
  Memory* memory_;
  std::deque<Block> blocks_;
  size_t used_ = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_ARENA_ARRAY_H_
