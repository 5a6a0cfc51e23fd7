#include "src/speculate/token_tree.h"

namespace specinfer {

TokenTree::TokenTree(int32_t max_nodes) : max_nodes_(max_nodes) {
  const size_t num_nodes = static_cast<size_t>(max_nodes);
  tokens_.reserve(num_nodes);
  parents_.reserve(num_nodes);
  depths_.reserve(num_nodes);
  path_bits_.reserve(num_nodes * ((num_nodes + 63) / 64));
}

void TokenTree::Reset(Token root) {
  is_chain_ = true;
  tokens_.assign(1, root);
  parents_.assign(1, -1);
  depths_.assign(1, 0);
}

int32_t TokenTree::FindChild(int32_t node, Token token) const {
  for (int32_t child = node + 1; child < size(); ++child) {
    if (parent(child) == node && tokens_[static_cast<size_t>(child)] == token)
      return child;
  }
  return -1;
}

int32_t TokenTree::AddNode(int32_t parent, Token token) {
  const int32_t existing = FindChild(parent, token);
  if (existing >= 0) return existing;
  const int32_t node = size();
  if (parent != node - 1) is_chain_ = false;
  tokens_.push_back(token);
  parents_.push_back(parent);
  depths_.push_back(depth(parent) + 1);
  return node;
}

absl::Span<const uint64_t> TokenTree::PathBits() {
  if (is_chain_) return {};
  const size_t num_words = (tokens_.size() + 63) / 64;
  path_bits_.assign(tokens_.size() * num_words, 0);
  for (size_t node = 0; node < tokens_.size(); ++node) {
    uint64_t* row = path_bits_.data() + node * num_words;
    if (parents_[node] >= 0) {
      const uint64_t* above =
          path_bits_.data() + static_cast<size_t>(parents_[node]) * num_words;
      for (size_t word = 0; word < num_words; ++word) row[word] = above[word];
    }
    row[node / 64] |= uint64_t{1} << (node % 64);
  }
  return path_bits_;
}

}  // namespace specinfer
