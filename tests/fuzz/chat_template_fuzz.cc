// libFuzzer entry: the bytes up to the first NUL are a chat template, those
// after it the messages.
#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <string_view>

#include "src/text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t num_bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes), num_bytes);
  const size_t end = text.find('\0');
  absl::StatusOr<std::unique_ptr<specinfer::ChatTemplate>> chat_template =
      specinfer::ChatTemplate::Parse(text.substr(0, end));
  if (!chat_template.ok()) return 0;
  specinfer::ChatTemplate::Input input;
  input.messages_json =
      R"([{"role":"system","content":"s"},{"role":"user","content":"é\n"}])";
  if (end != std::string_view::npos) input.messages_json = text.substr(end + 1);
  input.add_generation_prompt = true;
  input.date = "2024-07-26";
  (void)(*chat_template)->Render(input);
  return 0;
}
