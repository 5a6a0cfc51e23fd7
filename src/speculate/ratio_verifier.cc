#include "src/speculate/ratio_verifier.h"

#include "src/base/status_macros.h"
#include "src/speculate/draw_key.h"

namespace specinfer {
namespace {

// The child of `node` that is accepted, or -1; `residual` is then the law of
// the token instead. `key` is that of the token after `node`.
int32_t TestChildren(const TokenTree& tree, int32_t node, const NoiseKey& key,
                     ResidualLaw* residual) {
  for (int32_t child = tree.first_child(node); child >= 0;
       child = tree.next_sibling(child)) {
    const double uniform = UniformDraw(
        key, DrawPurpose::kAccept, static_cast<uint32_t>(tree.order(child)));
    if (residual->Accepts(tree.token(child), uniform)) return child;
    if (!residual->Refuse(tree.token(child))) return -1;
  }
  return -1;
}

}  // namespace

absl::Status WithoutReplacementVerify(const SampledTree& sampled, TargetLaw law,
                                      ResidualLaw* scratch, Walk* walk) {
  const TokenTree& tree = sampled.tree();
  walk->path.assign(1, 0);
  walk->tokens.clear();
  walk->nodes.clear();
  for (int32_t node = 0;;) {
    SPECINFER_ASSIGN_OR_RETURN(const absl::Span<const float> target, law(node));
    SPECINFER_RETURN_IF_ERROR(scratch->Begin(target, sampled.law(node)));
    NoiseKey key = sampled.key();
    key.position += tree.depth(node);
    const int32_t child = TestChildren(tree, node, key, scratch);
    walk->nodes.push_back(node);
    if (child < 0) {
      walk->tokens.push_back(
          scratch->Draw(UniformDraw(key, DrawPurpose::kTarget, /*index=*/0)));
      return absl::OkStatus();
    }
    walk->tokens.push_back(tree.token(child));
    walk->path.push_back(child);
    node = child;
  }
}

absl::Status RatioVerify(const SampledTree& sampled, TargetLaw law,
                         ResidualLaw* scratch, Walk* walk) {
  if (!sampled.tree().is_chain()) {
    return absl::InvalidArgumentError(
        "the ratio test verifies chains; verify a tree without replacement");
  }
  return WithoutReplacementVerify(sampled, law, scratch, walk);
}

}  // namespace specinfer
