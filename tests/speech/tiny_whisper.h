// A tiny Whisper with made-up weights and a small vocabulary in Whisper's
// order: what it says is nonsense, but by all the rules.
#ifndef SPECINFER_TESTS_SPEECH_TINY_WHISPER_H_
#define SPECINFER_TESTS_SPEECH_TINY_WHISPER_H_

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "src/backend/engine.h"
#include "src/session/model.h"
#include "tests/backend/machine.h"
#include "tests/model/memory_files.h"
#include "tests/model/whisper_files.h"

namespace specinfer {

// 256 bytes, 11 special tokens with one language, 1,501 timestamps.
inline std::vector<std::string> TinyWhisperVocabulary() {
  std::vector<std::string> tokens;
  // GPT-2's spelling of bytes: those that show stand for themselves.
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool shows = (byte >= 33 && byte <= 126) ||
                       (byte >= 161 && byte <= 172) || byte >= 174;
    const int code = shows ? byte : next++;
    std::string spelling;
    if (code < 128) {
      spelling.push_back(static_cast<char>(code));
    } else {
      spelling.push_back(static_cast<char>(0xC0 | code >> 6));
      spelling.push_back(static_cast<char>(0x80 | (code & 63)));
    }
    tokens.push_back(spelling);
  }
  for (const char* name :
       {"<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>",
        "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
        "<|notimestamps|>"})
    tokens.push_back(name);
  for (int i = 0; i <= 1500; ++i) {
    char name[32];
    std::snprintf(name, sizeof(name), "<|%d.%02d|>", i / 50, i % 50 * 2);
    tokens.push_back(name);
  }
  return tokens;
}

// With `backend`; null where this machine lacks its instructions.
inline std::shared_ptr<const Model> LoadTinyWhisper(
    const std::string& backend = "cpu", int num_threads = 1,
    bool has_alignment_heads = true) {
  const std::vector<std::string> vocabulary = TinyWhisperVocabulary();
  TinyWhisper model({.vocabulary = static_cast<uint32_t>(vocabulary.size()),
                     .hidden = 64,
                     .feed_forward = 256,
                     .text_context = 64,
                     .text_layers = 2,
                     .audio_context = 1500,
                     .audio_layers = 1,
                     .mel_bins = 80,
                     .text_heads = 2,
                     .audio_heads = 2});
  uint64_t seed = 1;
  for (auto& [name, tensor] : model.tensors) {
    const bool is_table = name.find("embd") != std::string::npos;
    tensor.values = testing::RandomFloats(tensor.values.size(), ++seed,
                                          is_table ? 1.0f : 0.3f);
  }
  // Static, as the file is read through it as long as the model lives.
  static MemoryFiles* const files = new MemoryFiles;
  const std::string folder = has_alignment_heads ? "d" : "headless";
  files->Put(folder + "/model.bin", WriteCtranslate2(model).bytes());
  if (has_alignment_heads)
    files->Put("d/config.json", R"({"alignment_heads": [[1, 0], [0, 1]]})");
  std::string lines;
  for (const std::string& token : vocabulary) lines += token + "\n";
  files->Put(folder + "/vocabulary.txt", lines);
  EngineOptions options;
  options.backend = backend;
  options.num_threads = num_threads;
  options.file_reader = files->reader();
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      CreateEngine(std::move(options));
  if (!engine.ok()) return nullptr;
  absl::StatusOr<std::shared_ptr<const Model>> loaded = Model::Load(
      std::shared_ptr<const Engine>(*std::move(engine)), folder, {});
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? *loaded : nullptr;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPEECH_TINY_WHISPER_H_
