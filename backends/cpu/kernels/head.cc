#include "backends/cpu/kernels/head.h"

#include <algorithm>
#include <limits>

#include "backends/cpu/cpu_buffer.h"
#include "backends/cpu/kernels/head_chunk.h"
#include "backends/cpu/kernels/linear.h"
#include "backends/cpu/kernels/linear_rows.h"
#include "backends/cpu/kernels/pick_kernel.h"
#include "src/base/status_macros.h"

namespace specinfer::cpu {
namespace {

// A tile computes a chunk for these; their logits fit the second cache.
constexpr int64_t kMaxTileQueries = 32;
static_assert(kMaxTileQueries % kPanelRows == 0);

int64_t NumChunks(int64_t vocabulary) {
  return (vocabulary + kHeadChunk - 1) / kHeadChunk;
}

// What one batch of queries keeps: answers [kMaxBatchQueries][chunks],
// candidates [chunks · kHeadChunk] that the queries share out, and the least
// value of each query.
struct BatchScratch {
  ChunkAnswer* answers = nullptr;
  Candidate* candidates = nullptr;
  float* least_values = nullptr;
};

size_t BatchScratchBytes(int64_t num_chunks) {
  return static_cast<size_t>(num_chunks * kMaxBatchQueries) *
             sizeof(ChunkAnswer) +
         static_cast<size_t>(num_chunks * kHeadChunk) * sizeof(Candidate) +
         kMaxBatchQueries * sizeof(float);
}

BatchScratch CutBatchScratch(uint8_t* bytes, int64_t num_chunks) {
  BatchScratch scratch;
  scratch.answers = reinterpret_cast<ChunkAnswer*>(bytes);
  scratch.candidates = reinterpret_cast<Candidate*>(
      scratch.answers + num_chunks * kMaxBatchQueries);
  scratch.least_values =
      reinterpret_cast<float*>(scratch.candidates + num_chunks * kHeadChunk);
  return scratch;
}

// Candidates that a query keeps of each chunk.
int64_t TopPerChunk(const HeadQuery& query) {
  return std::min<int64_t>(static_cast<int64_t>(query.top.size()), kHeadChunk);
}

// The end of the batch that begins at query `begin`: its candidates fit the
// scratch.
int64_t EndOfBatch(absl::Span<const HeadQuery> queries, int64_t begin) {
  const int64_t limit = std::min<int64_t>(static_cast<int64_t>(queries.size()),
                                          begin + kMaxBatchQueries);
  int64_t kept = 0;
  int64_t end = begin;
  while (end < limit &&
         kept + TopPerChunk(queries[static_cast<size_t>(end)]) <= kHeadChunk) {
    kept += TopPerChunk(queries[static_cast<size_t>(end++)]);
  }
  return end;
}

const HeadKernels& FindHeadKernels(Isa isa) {
  return SPECINFER_PICK_KERNEL(isa, kHead);
}

// One run of the op.
class HeadRun {
 public:
  HeadRun(const HeadArgs& args, Isa isa, Scratch& scratch)
      : args_(args),
        weight_(AsPacked(*args.weight)),
        isa_(isa),
        kernels_(FindHeadKernels(isa)),
        num_tokens_(args.num_tokens > 0
                        ? std::min<int64_t>(args.num_tokens, weight_.outputs)
                        : weight_.outputs),
        num_chunks_(NumChunks(num_tokens_)),
        rows_{weight_.layout->activations(), Floats(args.hidden),
              scratch.quantized.data()},
        batch_(CutBatchScratch(scratch.head.data(), num_chunks_)) {}

  const QuantizedRows& rows() const { return rows_; }
  int64_t num_chunks() const { return num_chunks_; }

  void PrepareBatch(int64_t begin, int64_t end) {
    constexpr float kNothing = -std::numeric_limits<float>::infinity();
    std::fill(batch_.least_values, batch_.least_values + (end - begin),
              kNothing);
    for (int64_t q = begin; q < end; ++q) {
      const absl::Span<float> full = query(q).full;
      if (static_cast<int64_t>(full.size()) > num_tokens_)
        std::fill(full.begin() + num_tokens_, full.end(), kNothing);
    }
  }

  // Chunk `chunk` of the queries [first, last) of the batch that begins at
  // `begin`; `logits` is the worker's.
  void RunChunk(int64_t begin, int64_t first, int64_t last, int64_t chunk,
                float* logits) const {
    const int64_t first_token = chunk * kHeadChunk;
    const int64_t count = std::min(kHeadChunk, num_tokens_ - first_token);
    ComputeLogits(begin, first, last, first_token, count, logits);
    for (int64_t q = first; q < last; ++q) {
      const int64_t in_batch = q - begin;
      AnswerChunk(kernels_, args_, query(q), static_cast<Token>(first_token),
                  count, logits + (q - first) * kHeadChunk,
                  batch_.least_values + in_batch, answers(in_batch) + chunk,
                  candidates(begin, q) + chunk * TopPerChunk(query(q)));
    }
  }

  void JoinBatch(int64_t begin, int64_t end) const {
    for (int64_t q = begin; q < end; ++q) {
      JoinChunks(query(q),
                 {answers(q - begin), static_cast<size_t>(num_chunks_)},
                 candidates(begin, q), TopPerChunk(query(q)));
    }
  }

 private:
  const HeadQuery& query(int64_t index) const {
    return args_.queries[static_cast<size_t>(index)];
  }
  ChunkAnswer* answers(int64_t in_batch) const {
    return batch_.answers + in_batch * num_chunks_;
  }

  Candidate* candidates(int64_t begin, int64_t index) const {
    int64_t before = 0;
    for (int64_t q = begin; q < index; ++q) before += TopPerChunk(query(q));
    return batch_.candidates + before * num_chunks_;
  }

  // Of the queries [first, last) of the batch that begins at `begin`.
  void ComputeLogits(int64_t begin, int64_t first, int64_t last,
                     int64_t first_token, int64_t count, float* logits) const {
    for (int64_t q = first, num_rows = 0; q < last; q += num_rows) {
      const bool has_floats = rows_.activations == Activations::kFloats;
      num_rows = has_floats ? CountConsecutive(q, last) : last - q;
      LinearTile tile = rows_.TileOf(
          weight_, isa_, has_floats ? query(q).row : q - begin, num_rows);
      tile.out_stride = kHeadChunk;
      LinearKernel* const kernel =
          FindLinearKernel(isa_, weight_.dtype, num_rows);
      for (int64_t token = 0; token < count; token += kGroupOutputs) {
        tile.group = (first_token + token) / kGroupOutputs;
        tile.out = logits + (q - first) * kHeadChunk + token;
        kernel(tile);
      }
    }
  }

  // How many of the queries from `first` on ask about rows in sequence.
  int64_t CountConsecutive(int64_t first, int64_t last) const {
    int64_t end = first + 1;
    while (end < last && query(end).row == query(end - 1).row + 1) ++end;
    return end - first;
  }

  const HeadArgs& args_;
  const PackedWeight& weight_;
  const Isa isa_;
  const HeadKernels& kernels_;
  const int64_t num_tokens_;
  const int64_t num_chunks_;
  const QuantizedRows rows_;
  const BatchScratch batch_;
};

}  // namespace

absl::Status AllocateHeadScratch(const StreamLimits& limits, int num_workers,
                                 Memory& memory, Scratch* scratch) {
  if (limits.max_vocabulary == 0) return absl::OkStatus();
  scratch->bytes_per_worker = kMaxTileQueries * kHeadChunk * sizeof(float);
  SPECINFER_ASSIGN_OR_RETURN(
      scratch->per_worker, memory.Allocate(scratch->bytes_per_worker *
                                               static_cast<size_t>(num_workers),
                                           "logits of a chunk"));
  SPECINFER_ASSIGN_OR_RETURN(
      scratch->head,
      memory.Allocate(BatchScratchBytes(NumChunks(limits.max_vocabulary)),
                      "candidates of the head"));
  return absl::OkStatus();
}

absl::Status RunHead(const HeadArgs& args, Isa isa, Scratch& scratch,
                     TileRunner& tiles) {
  HeadRun run(args, isa, scratch);
  const int64_t num_queries = static_cast<int64_t>(args.queries.size());
  if (num_queries == 0) return absl::OkStatus();
  for (int64_t begin = 0; begin < num_queries;) {
    const int64_t end = EndOfBatch(args.queries, begin);
    const int64_t num_parts =
        (end - begin + kMaxTileQueries - 1) / kMaxTileQueries;
    const auto row_of = [&](int64_t i) -> int64_t {
      return args.queries[static_cast<size_t>(begin + i)].row;
    };
    SPECINFER_RETURN_IF_ERROR(
        QuantizeRows(args.hidden, end - begin, row_of, isa, run.rows(), tiles));
    SPECINFER_RETURN_IF_ERROR(
        tiles.SerialPhase([&] { run.PrepareBatch(begin, end); }));
    SPECINFER_RETURN_IF_ERROR(tiles.Phase(
        run.num_chunks() * num_parts, [&](int64_t tile, int worker) {
          const int64_t first = begin + tile % num_parts * kMaxTileQueries;
          run.RunChunk(begin, first, std::min(first + kMaxTileQueries, end),
                       tile / num_parts,
                       reinterpret_cast<float*>(scratch.worker(worker)));
        }));
    SPECINFER_RETURN_IF_ERROR(
        tiles.SerialPhase([&] { run.JoinBatch(begin, end); }));
    begin = end;
  }
  return absl::OkStatus();
}

}  // namespace specinfer::cpu
