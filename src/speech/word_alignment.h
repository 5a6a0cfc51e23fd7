// When each token is said, from what the decoder's alignment heads look at.
#ifndef SPECINFER_SRC_SPEECH_WORD_ALIGNMENT_H_
#define SPECINFER_SRC_SPEECH_WORD_ALIGNMENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace specinfer {

// Of one pass of the decoder over the rows
//   start of transcript, [language, task,] no-timestamps, text…, end of text.
struct AlignmentAttention {
  // Cross-attention weights of each alignment head, after the softmax over
  // encoder positions; of those, the first `num_positions`: half of the frames
  // that hold audio. They need not sum to 1: a row is divided by its sum, which
  // is the softmax over what is kept. Not normalised over the rows.
  absl::Span<const float> weights;  // [heads, rows, num_positions]
  int32_t num_heads = 0;
  int32_t num_rows = 0;
  int32_t num_positions = 0;
  // The row of <|notimestamps|>, which looks where the first text token is.
  int32_t first_row = 0;
};

inline constexpr int32_t kPositionsPerSecond = 50;

// The encoder position at which each text token begins, and, last, that at
// which the end of text does: num_rows - first_row - 1 numbers that never
// decrease. Weights are normalised over rows, smoothed by a median over 7
// positions, averaged over heads and warped in time (openai/whisper,
// timing.py, find_alignment; CTranslate2, whisper.cc, compute_alignments).
// Errors: INVALID_ARGUMENT (shapes that do not fit, no position).
absl::StatusOr<std::vector<int32_t>> AlignTokens(
    const AlignmentAttention& attention);

// The parts, for tests.

// Of each row of `in`, the median of 7 around each place, mirrored at the ends;
// rows of 3 and less stay as they are.
void MedianFilter(absl::Span<const float> in, int32_t row_length,
                  absl::Span<float> out);

// The cheapest path from the first row and column to the last ones in steps
// right, down or both, where a place costs `cost`: of each row, the first
// column on the path. Of equals, the step right.
std::vector<int32_t> WarpTime(absl::Span<const float> cost,  // [rows, columns]
                              int32_t num_rows, int32_t num_columns);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_WORD_ALIGNMENT_H_
