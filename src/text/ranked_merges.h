// The merges of a byte-level vocabulary that lists none, as tiktoken's do not.
#ifndef SPECINFER_SRC_TEXT_RANKED_MERGES_H_
#define SPECINFER_SRC_TEXT_RANKED_MERGES_H_

#include "absl/status/status.h"

#include "src/text/vocabulary_builder.h"

namespace specinfer {

// Adds, token by token, the merge that makes it: its own text, encoded with the
// tokens before it alone, ends as the two parts. In such a vocabulary a token's
// number is its rank. Tokens that come out in more parts, which no text ever
// reaches, get none, nor do those of more than 1024 bytes.
// Costs a look-up for each pair of neighbours and one more for each merge:
// under 0.1 s for 50,000 tokens.
absl::Status AddRankedMerges(VocabularyBuilder& builder);

}  // namespace specinfer

#endif  // SPECINFER_SRC_TEXT_RANKED_MERGES_H_
