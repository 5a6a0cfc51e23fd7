// The tokens one pass scores: a root, which is the last committed token, and
// guesses of what follows it.
//
// Invariants:
// 1. Nodes are in topological order; node 0 is the root.
// 2. Siblings carry distinct tokens, and are linked in the order of proposal.
// 3. A node's depth is its distance from the root: its position is the root's
//    plus that.
#ifndef SPECINFER_SRC_SPECULATE_TOKEN_TREE_H_
#define SPECINFER_SRC_SPECULATE_TOKEN_TREE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "src/backend/stream.h"

namespace specinfer {

// Who proposed a node, as an index into a session's drafters. For statistics.
using DraftSource = uint8_t;

// Any proposals: deterministic, sampled, merged, pruned. They may be verified
// by matching alone (verifier.h).
class TokenTree {
 public:
  // For trees of up to `max_nodes` nodes; nothing is allocated afterwards.
  explicit TokenTree(int32_t max_nodes);

  // Starts over with one node.
  void Reset(Token root);
  // Adds a child of `parent` and returns it, or returns the child that already
  // carries `token`, whose score becomes the greater one. `score` is the
  // predicted probability that the target's text passes through the node: it
  // shapes trees and is kept for statistics, and decides nothing.
  // REQUIRES: size() < max_nodes().
  int32_t AddNode(int32_t parent, Token token, float score = 0.0f,
                  DraftSource source = 0);
  // Drops all nodes from `size` on.
  void Shrink(int32_t size);
  // Drops nodes below the root that score less than `least_score`, and what is
  // below them. (*renumbered)[node] becomes where a node is now; -1: dropped.
  // Nodes stay in order.
  void Prune(float least_score, std::vector<int32_t>* renumbered);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  int32_t max_nodes() const { return max_nodes_; }
  bool is_full() const { return size() >= max_nodes_; }
  bool is_chain() const { return num_branches_ == 0; }
  Token token(int32_t node) const { return tokens_[Index(node)]; }
  int32_t parent(int32_t node) const { return nodes_[Index(node)].parent; }
  int32_t depth(int32_t node) const { return depths_[Index(node)]; }
  float score(int32_t node) const { return nodes_[Index(node)].score; }
  void set_score(int32_t node, float score) {
    nodes_[Index(node)].score = score;
  }
  // The sum of all scores: tokens that a round is predicted to bring.
  double ExpectedTokens() const;
  DraftSource source(int32_t node) const { return nodes_[Index(node)].source; }
  // Its name until the next Reset, whatever is dropped. Grows with the node.
  int32_t id(int32_t node) const { return nodes_[Index(node)].id; }
  // How many siblings were proposed before it.
  int32_t order(int32_t node) const { return nodes_[Index(node)].order; }
  // Children in the order of proposal; -1: none, or no more.
  int32_t first_child(int32_t node) const {
    return nodes_[Index(node)].first_child;
  }
  int32_t next_sibling(int32_t node) const {
    return nodes_[Index(node)].next_sibling;
  }
  // The child of `node` that carries `token`, or -1.
  int32_t FindChild(int32_t node, Token token) const;
  // The tokens from below the root down to `node`, itself included.
  void GetPath(int32_t node, std::vector<Token>* path) const;

  absl::Span<const Token> tokens() const { return tokens_; }
  absl::Span<const int32_t> depths() const { return depths_; }
  // Row i: the nodes on the path from the root to node i, itself included;
  // ceil(size / 64) words a row. Empty for a chain. Borrowed until the tree
  // changes.
  absl::Span<const uint64_t> PathBits();

 private:
  struct Node {
    int32_t id;
    int32_t parent;
    int32_t order;
    int32_t first_child;
    int32_t last_child;
    int32_t next_sibling;
    float score;
    DraftSource source;
  };
  // Makes the last node the last child of its parent.
  void Link(int32_t node);
  static size_t Index(int32_t node) { return static_cast<size_t>(node); }

  const int32_t max_nodes_;
  int32_t next_id_ = 0;
  int32_t num_branches_ = 0;  // nodes whose parent is not the node before them
  std::vector<Token> tokens_;
  std::vector<int32_t> depths_;
  std::vector<Node> nodes_;
  std::vector<uint64_t> path_bits_;
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPECULATE_TOKEN_TREE_H_
