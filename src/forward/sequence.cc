#include "src/forward/sequence.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/status_macros.h"

namespace specinfer {
namespace {

// A window keeps this many positions more, so that small steps back (a banned
// string, an edited word) cost nothing.
constexpr int32_t kWindowSlack = 4 * kPagePositions;

int32_t PagesFor(int32_t num_slots) {
  return (num_slots + kPagePositions - 1) / kPagePositions;
}

// Pages of a group that are held at a time; `num_nodes` of the slots are a
// pass's nodes.
int32_t PoolPages(const CacheGroup& group, int32_t num_slots,
                  int32_t num_nodes) {
  const int32_t num_pages = PagesFor(num_slots);
  if (group.window == 0) return num_pages;
  return std::min(num_pages,
                  PagesFor(group.window + kWindowSlack + num_nodes) + 2);
}

}  // namespace

Sequence::Sequence(Backend& backend, const CacheLayout& layout,
                   int32_t max_positions, int32_t max_nodes)
    : backend_(backend),
      layout_(layout),
      max_positions_(max_positions),
      max_nodes_(max_nodes) {}

absl::StatusOr<std::unique_ptr<Sequence>> Sequence::Create(
    Backend& backend, const CacheLayout& layout, int32_t max_positions,
    int32_t max_nodes) {
  std::unique_ptr<Sequence> sequence(
      new Sequence(backend, layout, max_positions, max_nodes));
  sequence->groups_.resize(layout.groups.size());
  sequence->move_from_.reserve(static_cast<size_t>(max_nodes));
  sequence->move_to_.reserve(static_cast<size_t>(max_nodes));
  const size_t num_pages =
      static_cast<size_t>(PagesFor(max_positions + max_nodes));
  for (size_t g = 0; g < sequence->groups_.size(); ++g) {
    sequence->groups_[g].held.resize(num_pages);
    sequence->groups_[g].views.resize(num_pages);
    SPECINFER_RETURN_IF_ERROR(sequence->AddPool(g));
  }
  return sequence;
}

uint64_t Sequence::PlanBytes(const CacheLayout& layout, int32_t num_slots) {
  uint64_t num_bytes = 0;
  for (const CacheGroup& group : layout.groups) {
    num_bytes += group.page_bytes *
                 static_cast<uint64_t>(PoolPages(group, num_slots, num_slots));
  }
  return num_bytes;
}

absl::Status Sequence::AddPool(size_t group) {
  const CacheGroup& shape = layout_.groups[group];
  SPECINFER_ASSIGN_OR_RETURN(
      std::shared_ptr<PagePool> pool,
      PagePool::Create(
          backend_, shape.page_bytes,
          PoolPages(shape, max_positions_ + max_nodes_, max_nodes_)));
  groups_[group].pools.push_back(std::move(pool));
  return absl::OkStatus();
}

// A fork may keep all pages of a pool from coming back, so a sequence can
// outgrow its own pool.
absl::StatusOr<Page> Sequence::AcquirePage(size_t group) {
  for (const std::shared_ptr<PagePool>& pool : groups_[group].pools) {
    if (!pool->IsEmpty()) return pool->Acquire();
  }
  SPECINFER_RETURN_IF_ERROR(AddPool(group));
  return groups_[group].pools.back()->Acquire();
}

void Sequence::SetPage(Group& group, int32_t index, Page page) {
  const size_t i = static_cast<size_t>(index);
  group.held[i] = std::move(page);
  group.views[i] = group.held[i].view();
}

absl::Status Sequence::MakeWritable(size_t g, int32_t page) {
  Group& group = groups_[g];
  const Page& old = group.held[static_cast<size_t>(page)];
  if (!old.empty() && !old.is_shared()) return absl::OkStatus();
  SPECINFER_ASSIGN_OR_RETURN(Page fresh, AcquirePage(g));
  if (!old.empty()) {
    const CachePage from = old.view();
    const CachePage to = fresh.view();
    std::memcpy(to.buffer->host() + to.offset,
                from.buffer->host() + from.offset,
                layout_.groups[g].page_bytes);
  }
  SetPage(group, page, std::move(fresh));
  return absl::OkStatus();
}

absl::Status Sequence::Prepare(int32_t num_nodes) {
  const int32_t first = num_committed_ / kPagePositions;
  const int32_t end = PagesFor(num_committed_ + num_nodes);
  // Page by page: where memory is short, what a smaller pass needs comes first.
  for (int32_t page = first; page < end; ++page) {
    for (size_t g = 0; g < groups_.size(); ++g) {
      SPECINFER_RETURN_IF_ERROR(MakeWritable(g, page));
      groups_[g].num_held = std::max(groups_[g].num_held, page + 1);
    }
  }
  return absl::OkStatus();
}

absl::Status Sequence::Commit(absl::Span<const int32_t> path, Stream& stream) {
  move_from_.clear();
  move_to_.clear();
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == static_cast<int32_t>(i)) continue;
    move_from_.push_back(num_committed_ + path[i]);
    move_to_.push_back(num_committed_ + static_cast<int32_t>(i));
  }
  if (!move_from_.empty()) {
    stream.Begin({}, /*resume=*/false);
    for (size_t g = 0; g < groups_.size(); ++g) {
      SPECINFER_RETURN_IF_ERROR(
          stream.MoveCacheSlots({.pages = groups_[g].views,
                                 .from = move_from_,
                                 .to = move_to_,
                                 .cache_type = layout_.cache_type,
                                 .num_layers = layout_.groups[g].num_layers,
                                 .kv_heads = layout_.kv_heads,
                                 .head_dim = layout_.head_dim}));
    }
    SPECINFER_RETURN_IF_ERROR(stream.Wait());
  }
  CommitChain(static_cast<int32_t>(path.size()));
  return absl::OkStatus();
}

void Sequence::CommitChain(int32_t num_nodes) {
  num_committed_ += num_nodes;
  ReleaseOutsideWindow();
}

void Sequence::ReleaseOutsideWindow() {
  for (size_t g = 0; g < groups_.size(); ++g) {
    const int32_t window = layout_.groups[g].window;
    if (window == 0) continue;
    Group& group = groups_[g];
    const int32_t first_needed =
        std::max(0, num_committed_ - window - kWindowSlack) / kPagePositions;
    for (; group.first_held < first_needed; ++group.first_held)
      SetPage(group, group.first_held, Page());
  }
}

int32_t Sequence::Truncate(int32_t num_positions) {
  num_positions = std::clamp(num_positions, 0, num_committed_);
  for (size_t g = 0; g < groups_.size(); ++g) {
    const int32_t window = layout_.groups[g].window;
    const int32_t first_seen =
        window == 0 ? 0 : std::max(0, num_positions - window + 1);
    if (first_seen / kPagePositions < groups_[g].first_held) num_positions = 0;
  }
  num_committed_ = num_positions;
  const int32_t end = PagesFor(num_positions);
  for (Group& group : groups_) {
    if (num_positions == 0) group.first_held = 0;
    for (int32_t page = end; page < group.num_held; ++page)
      SetPage(group, page, Page());
    group.num_held = std::min(group.num_held, end);
  }
  return num_positions;
}

bool Sequence::Release() {
  Truncate(0);
  bool had_any = false;
  for (Group& group : groups_) {
    for (const std::shared_ptr<PagePool>& pool : group.pools)
      had_any = had_any || pool->used_bytes() > 0;
    group.pools.clear();
  }
  return had_any;
}

absl::StatusOr<std::unique_ptr<Sequence>> Sequence::Fork() const {
  SPECINFER_ASSIGN_OR_RETURN(
      std::unique_ptr<Sequence> fork,
      Create(backend_, layout_, max_positions_, max_nodes_));
  fork->num_committed_ = num_committed_;
  fork->memory_ = memory_;
  const int32_t end = PagesFor(num_committed_);
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& from = groups_[g];
    Group& to = fork->groups_[g];
    to.first_held = from.first_held;
    to.num_held = std::min(from.num_held, end);
    for (int32_t page = from.first_held; page < to.num_held; ++page) {
      fork->SetPage(to, page, from.held[static_cast<size_t>(page)]);
    }
  }
  return fork;
}

absl::Status Sequence::VisitPages(
    absl::FunctionRef<absl::Status(int32_t group, int32_t page,
                                   absl::Span<uint8_t> bytes)>
        visit) {
  const int32_t end = PagesFor(num_committed_);
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (int32_t page = groups_[g].first_held; page < end; ++page) {
      const CachePage view = groups_[g].views[static_cast<size_t>(page)];
      const absl::Span<uint8_t> bytes(view.buffer->host() + view.offset,
                                      layout_.groups[g].page_bytes);
      SPECINFER_RETURN_IF_ERROR(visit(static_cast<int32_t>(g), page, bytes));
    }
  }
  return absl::OkStatus();
}

absl::Status Sequence::Adopt(int32_t num_committed,
                             absl::Span<const int32_t> first_pages) {
  if (num_committed < 0 || num_committed > max_positions_ ||
      first_pages.size() != groups_.size()) {
    return absl::InvalidArgumentError("saved cache does not fit this session");
  }
  const int32_t end = PagesFor(num_committed);
  for (size_t g = 0; g < groups_.size(); ++g) {
    const int32_t window = layout_.groups[g].window;
    const int32_t first_seen =
        window == 0 ? 0 : std::max(0, num_committed - window + 1);
    if (first_pages[g] < 0 || first_pages[g] > first_seen / kPagePositions) {
      return absl::InvalidArgumentError(
          "saved cache lacks pages that attention sees");
    }
  }
  Truncate(0);
  for (size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].first_held = first_pages[g];
    groups_[g].num_held = end;
    for (int32_t page = first_pages[g]; page < end; ++page)
      SPECINFER_RETURN_IF_ERROR(MakeWritable(g, page));
  }
  num_committed_ = num_committed;
  return absl::OkStatus();
}

uint64_t Sequence::cache_bytes() const {
  uint64_t num_bytes = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    num_bytes += static_cast<uint64_t>(group.num_held - group.first_held) *
                 layout_.groups[g].page_bytes;
  }
  return num_bytes;
}

}  // namespace specinfer
