#include "src/speech/word_alignment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace specinfer {
namespace {

constexpr int32_t kFilterReach = 3;  // a median of 7

// Divides each row by its sum.
void NormalizeRows(int32_t row_length, std::vector<float>* weights) {
  const size_t length = static_cast<size_t>(row_length);
  for (size_t begin = 0; begin < weights->size(); begin += length) {
    double sum = 0.0;
    for (size_t i = begin; i < begin + length; ++i) sum += (*weights)[i];
    if (!(sum > 0.0)) continue;
    for (size_t i = begin; i < begin + length; ++i)
      (*weights)[i] = static_cast<float>((*weights)[i] / sum);
  }
}

// To mean 0 and variance 1 over the rows of one head, position by position.
// Where all rows look the same, 0.
void StandardizeColumns(int32_t num_rows, int32_t num_columns,
                        absl::Span<float> head) {
  const size_t columns = static_cast<size_t>(num_columns);
  for (size_t column = 0; column < columns; ++column) {
    double sum = 0.0, squares = 0.0;
    for (size_t i = column; i < head.size(); i += columns) sum += head[i];
    const double mean = sum / num_rows;
    for (size_t i = column; i < head.size(); i += columns)
      squares += (head[i] - mean) * (head[i] - mean);
    const double deviation = std::sqrt(squares / num_rows);
    const double scale = deviation > 0.0 ? 1.0 / deviation : 0.0;
    for (size_t i = column; i < head.size(); i += columns)
      head[i] = static_cast<float>((head[i] - mean) * scale);
  }
}

}  // namespace

void MedianFilter(absl::Span<const float> in, int32_t row_length,
                  absl::Span<float> out) {
  if (row_length <= kFilterReach) {
    std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  const size_t length = static_cast<size_t>(row_length);
  for (size_t begin = 0; begin < in.size(); begin += length) {
    for (int32_t i = 0; i < row_length; ++i) {
      std::array<float, 2 * kFilterReach + 1> near;
      for (int32_t j = -kFilterReach; j <= kFilterReach; ++j) {
        int32_t place = std::abs(i + j);
        if (place >= row_length) place = 2 * (row_length - 1) - place;
        near[static_cast<size_t>(j + kFilterReach)] =
            in[begin + static_cast<size_t>(place)];
      }
      std::nth_element(near.begin(), near.begin() + kFilterReach, near.end());
      out[begin + static_cast<size_t>(i)] = near[kFilterReach];
    }
  }
}

std::vector<int32_t> WarpTime(absl::Span<const float> cost, int32_t num_rows,
                              int32_t num_columns) {
  enum Step : uint8_t { kBoth, kDown, kRight };
  constexpr float kFar = std::numeric_limits<float>::infinity();
  const size_t columns = static_cast<size_t>(num_columns);
  std::vector<Step> steps(cost.size());  // how the path came here
  // total[j]: of the cheapest path to the place above column j - 1, then, once
  // passed, to the place itself.
  std::vector<float> total(columns + 1, kFar);
  total[0] = 0.0f;
  for (size_t row = 0; row < static_cast<size_t>(num_rows); ++row) {
    float diagonal = total[0];
    total[0] = kFar;
    for (size_t column = 0; column < columns; ++column) {
      const float down = total[column + 1], right = total[column];
      Step step = kRight;
      float before = right;
      if (diagonal < down && diagonal < right) {
        step = kBoth;
        before = diagonal;
      } else if (down < diagonal && down < right) {
        step = kDown;
        before = down;
      }
      steps[row * columns + column] = step;
      diagonal = down;
      total[column + 1] = before + cost[row * columns + column];
    }
  }

  std::vector<int32_t> first(static_cast<size_t>(num_rows), 0);
  size_t row = static_cast<size_t>(num_rows), column = columns;
  while (row > 0 && column > 0) {
    first[row - 1] = static_cast<int32_t>(column - 1);
    const Step step = row == 1      ? kRight
                      : column == 1 ? kDown
                                    : steps[(row - 1) * columns + column - 1];
    if (step != kRight) --row;
    if (step != kDown) --column;
  }
  return first;
}

absl::StatusOr<std::vector<int32_t>> AlignTokens(
    const AlignmentAttention& attention) {
  const int64_t num_weights = int64_t{attention.num_heads} *
                              attention.num_rows * attention.num_positions;
  if (attention.num_heads < 1 || attention.num_positions < 1 ||
      attention.first_row < 0 || attention.num_rows < attention.first_row + 2 ||
      static_cast<int64_t>(attention.weights.size()) != num_weights) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attention weights of ", attention.num_heads, " heads, ",
        attention.num_rows, " rows and ", attention.num_positions,
        " positions cannot be aligned from row ", attention.first_row,
        "; there are ", attention.weights.size(), " numbers"));
  }
  const int32_t columns = attention.num_positions;
  std::vector<float> weights(attention.weights.begin(),
                             attention.weights.end());
  NormalizeRows(columns, &weights);
  const size_t head_size =
      weights.size() / static_cast<size_t>(attention.num_heads);
  for (size_t begin = 0; begin < weights.size(); begin += head_size) {
    StandardizeColumns(attention.num_rows, columns,
                       absl::MakeSpan(weights).subspan(begin, head_size));
  }
  std::vector<float> filtered(weights.size());
  MedianFilter(weights, columns, absl::MakeSpan(filtered));

  const int32_t num_rows = attention.num_rows - attention.first_row - 1;
  std::vector<float> cost(static_cast<size_t>(num_rows) *
                          static_cast<size_t>(columns));
  const size_t offset =
      static_cast<size_t>(attention.first_row) * static_cast<size_t>(columns);
  for (size_t i = 0; i < cost.size(); ++i) {
    double sum = 0.0;
    for (size_t begin = offset; begin < filtered.size(); begin += head_size)
      sum += filtered[begin + i];
    cost[i] = static_cast<float>(-sum / attention.num_heads);
  }
  return WarpTime(cost, num_rows, columns);
}

}  // namespace specinfer
