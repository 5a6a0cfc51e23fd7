#include "src/speculate/sampled_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

#include "src/base/status_macros.h"
#include "src/speculate/draw_key.h"

namespace specinfer {
namespace {

// A draw's index: its row, then the quad of its token. Ten bits and nineteen.
constexpr int32_t kQuadBits = 19;
constexpr int32_t kMaxRows = 1 << 10;
constexpr int32_t kMaxVocabulary = 4 << kQuadBits;

}  // namespace

absl::StatusOr<std::unique_ptr<SampledTree>> SampledTree::Create(
    const Limits& limits, Memory& memory) {
  if (limits.max_nodes < 1 || limits.max_expanded < 1 ||
      limits.max_expanded > kMaxRows || limits.max_children < 1 ||
      limits.vocabulary_size < 1 || limits.vocabulary_size > kMaxVocabulary) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a sampled tree needs a node and a child of it, has up to ", kMaxRows,
        " nodes with children and a vocabulary of up to ", kMaxVocabulary));
  }
  SPECINFER_ASSIGN_OR_RETURN(
      Block rows, memory.Allocate(PlanBytes(limits), "laws of a sampled tree"));
  return std::unique_ptr<SampledTree>(new SampledTree(limits, std::move(rows)));
}

uint64_t SampledTree::PlanBytes(const Limits& limits) {
  return sizeof(float) * static_cast<uint64_t>(limits.max_expanded) *
         static_cast<uint64_t>(limits.vocabulary_size);
}

SampledTree::SampledTree(const Limits& limits, Block rows)
    : limits_(limits), rows_(std::move(rows)), tree_(limits.max_nodes) {
  row_of_.reserve(static_cast<size_t>(limits.max_nodes));
  draws_.reserve(static_cast<size_t>(
      std::min(limits.max_children, limits.vocabulary_size)));
  Reset(/*root=*/0, {});
}

void SampledTree::Reset(Token root, const NoiseKey& key) {
  key_ = key;
  tree_.Reset(root);
  num_expanded_ = 0;
  row_of_.assign(1, -1);
}

absl::Span<float> SampledTree::Row(int32_t row) const {
  const size_t width = static_cast<size_t>(limits_.vocabulary_size);
  return {
      reinterpret_cast<float*>(rows_.data()) + static_cast<size_t>(row) * width,
      width};
}

absl::Span<const float> SampledTree::law(int32_t node) const {
  const int32_t row = row_of_[static_cast<size_t>(node)];
  return row < 0 ? absl::Span<const float>() : Row(row);
}

// The times of an exponential race, E / law, in ascending order are draws
// without replacement.
absl::Status SampledTree::Race(absl::Span<const float> law, uint32_t row,
                               size_t num_children) {
  draws_.clear();
  float last_time = std::numeric_limits<float>::infinity();  // to be beaten
  std::array<uint32_t, 4> bits = {};
  for (size_t token = 0; token < law.size(); ++token) {
    const float mass = law[token];
    if (!(mass >= 0.0f && std::isfinite(mass))) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the draft gives token ", token, " the probability ", mass));
    }
    if (token % 4 == 0) {
      bits = DrawBits(key_, DrawPurpose::kDraft,
                      row << kQuadBits | static_cast<uint32_t>(token / 4));
    }
    if (mass == 0.0f) continue;
    // E is at least w of noise.h; most tokens are out of the race by that.
    const float least = static_cast<float>(bits[token % 4]) * 0x0.ffffp-32f;
    if (least > last_time * mass) continue;
    const Draw draw = {.time = ExponentialNoise(bits[token % 4]) / mass,
                       .token = static_cast<Token>(token)};
    if (!(draw.time < last_time)) continue;
    if (draws_.size() == num_children) draws_.pop_back();
    const auto place = std::upper_bound(
        draws_.begin(), draws_.end(), draw,
        [](const Draw& a, const Draw& b) { return a.time < b.time; });
    draws_.insert(place, draw);
    if (draws_.size() == num_children) last_time = draws_.back().time;
  }
  return draws_.empty()
             ? absl::InvalidArgumentError("the draft's law is 0 everywhere")
             : absl::OkStatus();
}

absl::StatusOr<int32_t> SampledTree::Expand(int32_t node,
                                            absl::Span<const float> law,
                                            int32_t num_children,
                                            DraftSource source) {
  if (law.size() != static_cast<size_t>(limits_.vocabulary_size)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the draft's law has ", law.size(), " tokens, the tree ",
                     limits_.vocabulary_size));
  }
  if (node < 0 || node >= tree_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tree has no node ", node));
  }
  if (row_of_[static_cast<size_t>(node)] >= 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", node, " has its children already"));
  }
  num_children =
      std::min({num_children, limits_.max_children, limits_.vocabulary_size,
                limits_.max_nodes - tree_.size()});
  if (num_children <= 0) return 0;
  if (num_expanded_ == limits_.max_expanded) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the tree keeps the laws of ", limits_.max_expanded, " nodes"));
  }
  SPECINFER_RETURN_IF_ERROR(Race(law, static_cast<uint32_t>(num_expanded_),
                                 static_cast<size_t>(num_children)));
  const absl::Span<float> row = Row(num_expanded_);
  if (row.data() != law.data()) std::copy(law.begin(), law.end(), row.begin());
  row_of_[static_cast<size_t>(node)] = num_expanded_++;
  for (const Draw& draw : draws_) {
    tree_.AddNode(node, draw.token,
                  tree_.score(node) * law[static_cast<size_t>(draw.token)],
                  source);
    row_of_.push_back(-1);
  }
  return static_cast<int32_t>(draws_.size());
}

}  // namespace specinfer
