// What chooses tokens by rules that follow the text: the likes of Whisper's
// timestamps, where a sampler's options are not enough.
#ifndef SPECINFER_SRC_SAMPLE_TOKEN_CHOOSER_H_
#define SPECINFER_SRC_SAMPLE_TOKEN_CHOOSER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"

namespace specinfer {

// A node of a tree whose next token is to be chosen.
struct ChoiceNode {
  int32_t index = 0;             // in the tree
  int32_t row = 0;               // of the head's questions
  int64_t position = 0;          // of the token
  absl::Span<const Token> path;  // from below the root to the node
};

// As Sampler: the choice is a function of the law, the path and the position
// alone. Of one sequence; not thread-safe.
class TokenChooser {
 public:
  virtual ~TokenChooser() = default;

  // The most questions about one node.
  static constexpr int32_t kMaxQuestions = 3;

  // Adds the questions about a node to `queries`. Where their answers go stays
  // where it is until the pass is over.
  virtual void Ask(const ChoiceNode& node, std::vector<HeadQuery>* queries) = 0;
  // The token, from the answers; -1: none is left.
  virtual Token Choose(int32_t node) = 0;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SAMPLE_TOKEN_CHOOSER_H_
