// Attention of one row over one KV head in plain loops, straight from the op's
// arguments.
#ifndef SPECINFER_BACKENDS_CPU_REFERENCE_TREE_ATTENTION_H_
#define SPECINFER_BACKENDS_CPU_REFERENCE_TREE_ATTENTION_H_

#include "src/backend/stream.h"

namespace specinfer::cpu {

// Writes the query heads of KV head `kv_head` for node `node` of `sequence`.
void TreeAttentionReference(const TreeAttentionArgs& args,
                            const AttentionSequence& sequence, int node,
                            int kv_head);

}  // namespace specinfer::cpu

#endif  // SPECINFER_BACKENDS_CPU_REFERENCE_TREE_ATTENTION_H_
