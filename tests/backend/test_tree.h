// Random token trees in the form that attention takes.
#ifndef SPECINFER_TESTS_BACKEND_TEST_TREE_H_
#define SPECINFER_TESTS_BACKEND_TEST_TREE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/backend/machine.h"

namespace specinfer::testing {

struct TestTree {
  std::vector<int> parents;  // -1: the root
  std::vector<int32_t> depths;
  std::vector<uint64_t> path_bits;

  int num_nodes() const { return static_cast<int>(parents.size()); }

  AttentionSequence Sequence(const std::vector<CachePage>& pages,
                             int num_committed, int first_row = 0) const {
    AttentionSequence sequence;
    sequence.pages = pages;
    sequence.num_committed = num_committed;
    sequence.first_row = first_row;
    sequence.num_nodes = num_nodes();
    sequence.depths = depths;
    sequence.path_bits = path_bits;
    return sequence;
  }

  // The nodes from the root to `node`.
  std::vector<int> Path(int node) const {
    std::vector<int> path;
    for (; node >= 0; node = parents[static_cast<size_t>(node)])
      path.push_back(node);
    std::reverse(path.begin(), path.end());
    return path;
  }
};

inline TestTree TreeOf(std::vector<int> parents) {
  TestTree tree;
  tree.parents = std::move(parents);
  const size_t num_words = (tree.parents.size() + 63) / 64;
  tree.path_bits.resize(tree.parents.size() * num_words);
  for (int node = 0; node < tree.num_nodes(); ++node) {
    const std::vector<int> path = tree.Path(node);
    tree.depths.push_back(static_cast<int32_t>(path.size()) - 1);
    for (const int step : path) {
      tree.path_bits[static_cast<size_t>(node) * num_words +
                     static_cast<size_t>(step / 64)] |= uint64_t{1}
                                                        << (step % 64);
    }
  }
  return tree;
}

// Parents come before children; `bias_to_last` makes it deep.
inline TestTree RandomTree(int num_nodes, uint64_t seed, bool is_deep) {
  std::vector<int> parents = {-1};
  for (int node = 1; node < num_nodes; ++node) {
    const uint32_t index = static_cast<uint32_t>(node);
    const bool extends_last = is_deep && RandomBelow(8, seed + 1, index) != 0;
    parents.push_back(extends_last ? node - 1 : RandomBelow(node, seed, index));
  }
  return TreeOf(std::move(parents));
}

inline TestTree Chain(int num_nodes) {
  std::vector<int> parents(static_cast<size_t>(num_nodes));
  for (int node = 0; node < num_nodes; ++node)
    parents[static_cast<size_t>(node)] = node - 1;
  TestTree tree = TreeOf(std::move(parents));
  tree.path_bits.clear();
  return tree;
}

}  // namespace specinfer::testing

#endif  // SPECINFER_TESTS_BACKEND_TEST_TREE_H_
