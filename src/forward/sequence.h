// A sequence's memory: its key-value pages, behind verbs that do not say which
// layer is which.
//
// Invariants:
// 1. Slots [0, num_committed) hold committed tokens, slot = position. Tree
//    nodes of a pass follow them.
// 2. A page that another sequence holds too is never written: Prepare copies
//    it first.
// 3. A group with a window may have let go of pages before
//    num_committed - window.
#ifndef SPECINFER_SRC_FORWARD_SEQUENCE_H_
#define SPECINFER_SRC_FORWARD_SEQUENCE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/backend/backend.h"
#include "src/forward/cache_layout.h"
#include "src/forward/page_pool.h"

namespace specinfer {

class Sequence {
 public:
  // For up to `max_positions` committed tokens and `max_nodes` more in a pass.
  // `layout` and `backend` must outlive it.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<Sequence>> Create(
      Backend& backend, const CacheLayout& layout, int32_t max_positions,
      int32_t max_nodes);

  // The most that a sequence of `num_slots` slots takes.
  static uint64_t PlanBytes(const CacheLayout& layout, int32_t num_slots);

  const CacheLayout& layout() const { return layout_; }
  int32_t num_committed() const { return num_committed_; }
  int32_t max_positions() const { return max_positions_; }

  // Makes the next `num_nodes` slots writable.
  // Errors: RESOURCE_EXHAUSTED; the tokens are as before, and slots that memory
  // was found for serve a smaller pass.
  absl::Status Prepare(int32_t num_nodes);

  // Keeps the nodes `path` of the last pass, ascending from the root, as the
  // next committed tokens.
  absl::Status Commit(absl::Span<const int32_t> path, Stream& stream);
  // Keeps the first `num_nodes` nodes: a chain.
  void CommitChain(int32_t num_nodes);

  // Goes back to `num_positions` committed tokens, or to none where a window
  // has let their keys go. Returns what is left.
  int32_t Truncate(int32_t num_positions);

  // Goes back to none, and gives the memory of all pages back, but of those
  // that forks hold. False: it had none.
  bool Release();

  // What the sequence's tokens attend to besides each other, of an
  // encoder-decoder: keys and values of what was encoded, in a sequence of the
  // same layers. Null: nothing.
  void Bind(std::shared_ptr<const Sequence> memory) {
    memory_ = std::move(memory);
  }
  const Sequence* memory() const { return memory_.get(); }

  // A sequence with the same content that shares its pages, bound to the same
  // memory.
  // Errors: RESOURCE_EXHAUSTED.
  absl::StatusOr<std::unique_ptr<Sequence>> Fork() const;

  // The pages of one group, for the ops; indexed by slot / 64.
  absl::Span<const CachePage> pages(int32_t group) const {
    return groups_[static_cast<size_t>(group)].views;
  }

  // Calls `visit` with the bytes of each held page that has committed tokens:
  // group by group, ascending.
  absl::Status VisitPages(
      absl::FunctionRef<absl::Status(int32_t group, int32_t page,
                                     absl::Span<uint8_t> bytes)>
          visit);
  // Makes an empty sequence one of `num_committed` tokens whose groups hold
  // pages from `first_pages` on; VisitPages then gives the memory to fill.
  absl::Status Adopt(int32_t num_committed,
                     absl::Span<const int32_t> first_pages);
  int32_t first_page(int32_t group) const {
    return groups_[static_cast<size_t>(group)].first_held;
  }

  uint64_t cache_bytes() const;

 private:
  struct Group {
    std::vector<std::shared_ptr<PagePool>> pools;  // the last one serves
    std::vector<Page> held;  // by page number; empty: not held
    std::vector<CachePage> views;
    int32_t first_held = 0;
    int32_t num_held = 0;  // pages [first_held, num_held) are held
  };

  Sequence(Backend& backend, const CacheLayout& layout, int32_t max_positions,
           int32_t max_nodes);
  absl::Status AddPool(size_t group);
  absl::StatusOr<Page> AcquirePage(size_t group);
  absl::Status MakeWritable(size_t group, int32_t page);
  void SetPage(Group& group, int32_t index, Page page);
  void ReleaseOutsideWindow();

  Backend& backend_;
  const CacheLayout& layout_;
  const int32_t max_positions_;
  const int32_t max_nodes_;
  int32_t num_committed_ = 0;
  std::shared_ptr<const Sequence> memory_;
  std::vector<Group> groups_;
  std::vector<int32_t> move_from_, move_to_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_FORWARD_SEQUENCE_H_
