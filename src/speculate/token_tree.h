// The tokens one pass scores: a root, which is the last committed token, and
// guesses of what follows it.
//
// Invariants:
// 1. Nodes are in topological order; node 0 is the root.
// 2. Siblings carry distinct tokens.
// 3. A node's depth is its distance from the root: its position is the root's
//    plus that.
#ifndef SPECINFER_SRC_SPECULATE_TOKEN_TREE_H_
#define SPECINFER_SRC_SPECULATE_TOKEN_TREE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"

namespace specinfer {

class TokenTree {
 public:
  // For trees of up to `max_nodes` nodes; nothing is allocated afterwards.
  explicit TokenTree(int32_t max_nodes);

  // Starts over with one node.
  void Reset(Token root);
  // Adds a child of `parent` and returns it, or returns the child that already
  // carries `token`.
  // REQUIRES: size() < max_nodes().
  int32_t AddNode(int32_t parent, Token token);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  int32_t max_nodes() const { return max_nodes_; }
  bool is_chain() const { return is_chain_; }
  Token token(int32_t node) const { return tokens_[static_cast<size_t>(node)]; }
  int32_t parent(int32_t node) const {
    return parents_[static_cast<size_t>(node)];
  }
  int32_t depth(int32_t node) const {
    return depths_[static_cast<size_t>(node)];
  }
  // The child of `node` that carries `token`, or -1.
  int32_t FindChild(int32_t node, Token token) const;

  absl::Span<const Token> tokens() const { return tokens_; }
  absl::Span<const int32_t> depths() const { return depths_; }
  // Row i: the nodes on the path from the root to node i, itself included;
  // ceil(size / 64) words a row. Empty for a chain. Borrowed until the tree
  // changes.
  absl::Span<const uint64_t> PathBits();

 private:
  const int32_t max_nodes_;
  bool is_chain_ = true;
  std::vector<Token> tokens_;
  std::vector<int32_t> parents_;
  std::vector<int32_t> depths_;
  std::vector<uint64_t> path_bits_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_TOKEN_TREE_H_
