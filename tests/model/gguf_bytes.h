// Writes GGUF byte by byte, right or wrong as a test wants it.
#ifndef SPECINFER_TESTS_MODEL_GGUF_BYTES_H_
#define SPECINFER_TESTS_MODEL_GGUF_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace specinfer {

class GgufBytes {
 public:
  template <typename T>
  GgufBytes& Put(T value) {
    const size_t end = bytes_.size();
    bytes_.resize(end + sizeof(T));
    std::memcpy(bytes_.data() + end, &value, sizeof(T));
    return *this;
  }
  GgufBytes& Text(std::string_view text) {
    Put<uint64_t>(text.size());
    bytes_.append(text);
    return *this;
  }
  GgufBytes& Header(uint64_t num_tensors, uint64_t num_keys,
                    uint32_t version = 3) {
    bytes_.append("GGUF");
    return Put<uint32_t>(version)
        .Put<uint64_t>(num_tensors)
        .Put<uint64_t>(num_keys);
  }
  // A key and its value's type; the value follows by Put or Text.
  GgufBytes& Key(std::string_view key, uint32_t type) {
    return Text(key).Put<uint32_t>(type);
  }
  GgufBytes& Uint32Key(std::string_view key, uint32_t value) {
    return Key(key, 4).Put<uint32_t>(value);
  }
  GgufBytes& Tensor(std::string_view name, const std::vector<int64_t>& dims,
                    uint32_t type, uint64_t offset) {
    Text(name).Put<uint32_t>(static_cast<uint32_t>(dims.size()));
    for (const int64_t dim : dims) Put<int64_t>(dim);
    return Put<uint32_t>(type).Put<uint64_t>(offset);
  }
  // Pads to the alignment and appends the data section.
  GgufBytes& Data(size_t num_bytes, size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    bytes_.resize(bytes_.size() + num_bytes, '\x2a');
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace specinfer

#endif  // SPECINFER_TESTS_MODEL_GGUF_BYTES_H_
