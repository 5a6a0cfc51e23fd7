// What one chunk of the vocabulary says about one query, and how the chunks'
// answers are joined.
#ifndef SPECINFER_BACKENDS_CPU_KERNELS_HEAD_CHUNK_H_
#define SPECINFER_BACKENDS_CPU_KERNELS_HEAD_CHUNK_H_

#include <cstdint>

#include "absl/types/span.h"

#include "backends/cpu/kernels/head_kernel.h"
#include "src/backend/stream.h"

namespace specinfer::cpu {

inline constexpr int64_t kHeadChunk =
    4096;  // tokens; part of the canonical arithmetic

// Of one query and chunk. A chunk without tokens has best.token -1 and greatest
// -infinity.
struct ChunkAnswer {
  Candidate best;  // of (a)
  float best_value =
      0.0f;  // logit · inverse_temperature + noise; the logit without noise
  float greatest = 0.0f;
  float sum_of_exp = 0.0f;  // Σ exp(logit - greatest)
  int32_t num_top = 0;
};

// Logit descending, then id ascending.
inline bool ComesBefore(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// Answers `query` for the tokens [first_token, first_token + count) from their
// raw logits, which become adjusted ones. `logits` has room for count rounded
// up to 16. `top` has room for min(query.top.size(), count). `least_value` is a
// lower bound of the winner's best_value over all chunks; raised as better ones
// are found.
void AnswerChunk(const HeadKernels& kernels, const HeadArgs& args,
                 const HeadQuery& query, Token first_token, int64_t count,
                 float* logits, float* least_value, ChunkAnswer* answer,
                 Candidate* top);

// Joins the answers of all chunks, which are in the order of their tokens.
// `top` has `top_stride` places per chunk.
void JoinChunks(const HeadQuery& query, absl::Span<const ChunkAnswer> answers,
                const Candidate* top, int64_t top_stride);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_KERNELS_HEAD_CHUNK_H_
