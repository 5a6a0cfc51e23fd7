// Which of GGUF's names a tensor of a Hugging Face model has.
#ifndef SPECINFER_SRC_MODEL_HUGGINGFACE_NAMES_H_
#define SPECINFER_SRC_MODEL_HUGGINGFACE_NAMES_H_

#include <string>
#include <string_view>

namespace specinfer {

// What the names of a model's tensors depend on.
struct HuggingfaceNaming {
  std::string architecture;  // GGUF's word
  bool is_tied =
      false;  // a stored head is a copy of the embedding and left out
};

// What becomes of a tensor.
struct TensorPlace {
  bool is_known = false;
  std::string name;  // GGUF's; empty: left out (tied heads, tables of angles,
                     // image towers)
};
TensorPlace FindTensorPlace(const HuggingfaceNaming& naming,
                            std::string_view name);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_HUGGINGFACE_NAMES_H_
