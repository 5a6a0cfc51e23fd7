#include "src/speculate/token_tree.h"

#include <algorithm>

namespace specinfer {

TokenTree::TokenTree(int32_t max_nodes) : max_nodes_(max_nodes) {
  const size_t num_nodes = static_cast<size_t>(max_nodes);
  tokens_.reserve(num_nodes);
  depths_.reserve(num_nodes);
  nodes_.reserve(num_nodes);
  path_bits_.reserve(num_nodes * ((num_nodes + 63) / 64));
}

void TokenTree::Reset(Token root) {
  next_id_ = 1;
  num_branches_ = 0;
  tokens_.assign(1, root);
  depths_.assign(1, 0);
  nodes_.assign(1, {.id = 0,
                    .parent = -1,
                    .order = 0,
                    .first_child = -1,
                    .last_child = -1,
                    .next_sibling = -1,
                    .score = 1.0f,
                    .source = 0});
}

int32_t TokenTree::FindChild(int32_t node, Token token) const {
  for (int32_t child = first_child(node); child >= 0;
       child = next_sibling(child)) {
    if (this->token(child) == token) return child;
  }
  return -1;
}

int32_t TokenTree::AddNode(int32_t parent, Token token, float score,
                           DraftSource source) {
  const int32_t existing = FindChild(parent, token);
  if (existing >= 0) {
    set_score(existing, std::max(score, this->score(existing)));
    return existing;
  }
  const int32_t node = size();
  tokens_.push_back(token);
  depths_.push_back(depth(parent) + 1);
  nodes_.push_back(
      {.id = next_id_++, .parent = parent, .score = score, .source = source});
  Link(node);
  return node;
}

void TokenTree::Link(int32_t node) {
  Node& linked = nodes_[Index(node)];
  Node& above = nodes_[Index(linked.parent)];
  const int32_t before = above.last_child;
  (before < 0 ? above.first_child : nodes_[Index(before)].next_sibling) = node;
  above.last_child = node;
  linked.order = before < 0 ? 0 : nodes_[Index(before)].order + 1;
  linked.first_child = linked.last_child = linked.next_sibling = -1;
  if (linked.parent != node - 1) ++num_branches_;
}

void TokenTree::Prune(float least_score, std::vector<int32_t>* renumbered) {
  renumbered->assign(nodes_.size(), -1);
  (*renumbered)[0] = 0;
  nodes_[0].first_child = nodes_[0].last_child = -1;
  num_branches_ = 0;
  int32_t num_kept = 1;
  for (int32_t node = 1; node < size(); ++node) {
    Node moved = nodes_[Index(node)];
    moved.parent = (*renumbered)[Index(moved.parent)];
    if (moved.parent < 0 || moved.score < least_score) continue;
    (*renumbered)[Index(node)] = num_kept;
    tokens_[Index(num_kept)] = token(node);
    depths_[Index(num_kept)] = depth(node);
    nodes_[Index(num_kept)] = moved;
    Link(num_kept++);
  }
  tokens_.resize(Index(num_kept));
  depths_.resize(Index(num_kept));
  nodes_.resize(Index(num_kept));
}

void TokenTree::Shrink(int32_t size) {
  for (int32_t node = this->size() - 1; node >= size; --node) {
    // The last node is its parent's last child.
    const Node& last = nodes_[Index(node)];
    Node& above = nodes_[Index(last.parent)];
    if (above.first_child == node) {
      above.first_child = above.last_child = -1;
    } else {
      int32_t before = above.first_child;
      while (next_sibling(before) != node) before = next_sibling(before);
      nodes_[Index(before)].next_sibling = -1;
      above.last_child = before;
    }
    if (last.parent != node - 1) --num_branches_;
    tokens_.pop_back();
    depths_.pop_back();
    nodes_.pop_back();
  }
}

double TokenTree::ExpectedTokens() const {
  double sum = 0.0;
  for (const Node& node : nodes_) sum += node.score;
  return sum;
}

void TokenTree::GetPath(int32_t node, std::vector<Token>* path) const {
  path->resize(Index(depth(node)));
  for (size_t i = path->size(); i > 0; --i) {
    (*path)[i - 1] = token(node);
    node = parent(node);
  }
}

absl::Span<const uint64_t> TokenTree::PathBits() {
  if (is_chain()) return {};
  const size_t num_words = (tokens_.size() + 63) / 64;
  path_bits_.assign(tokens_.size() * num_words, 0);
  for (size_t node = 0; node < tokens_.size(); ++node) {
    uint64_t* row = path_bits_.data() + node * num_words;
    if (nodes_[node].parent >= 0) {
      const uint64_t* above =
          path_bits_.data() + Index(nodes_[node].parent) * num_words;
      for (size_t word = 0; word < num_words; ++word) row[word] = above[word];
    }
    row[node / 64] |= uint64_t{1} << (node % 64);
  }
  return path_bits_;
}

}  // namespace specinfer
