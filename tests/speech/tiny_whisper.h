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

// Name and bytes of its files: a folder of CTranslate2.
inline std::vector<std::pair<std::string, std::string>> TinyWhisperFiles(
    uint32_t text_context = 64, bool has_alignment_heads = true) {
  const std::vector<std::string> vocabulary = TinyWhisperVocabulary();
  TinyWhisper model({.vocabulary = static_cast<uint32_t>(vocabulary.size()),
                     .hidden = 64,
                     .feed_forward = 256,
                     .text_context = text_context,
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
  std::string lines;
  for (const std::string& token : vocabulary) lines += token + "\n";
  std::vector<std::pair<std::string, std::string>> files = {
      {"model.bin", WriteCtranslate2(model).bytes()},
      {"vocabulary.txt", lines}};
  if (has_alignment_heads)
    files.emplace_back("config.json",
                       R"({"alignment_heads": [[1, 0], [0, 1]]})");
  return files;
}

// With `backend`; null where this machine lacks its instructions.
inline std::shared_ptr<const Model> LoadTinyWhisper(
    const std::string& backend = "cpu", int num_threads = 1,
    uint32_t text_context = 64, bool has_alignment_heads = true) {
  // Static, as the file is read through it as long as the model lives.
  static MemoryFiles* const memory_files = new MemoryFiles;
  const std::string folder = has_alignment_heads ? "d" : "headless";
  for (auto& [name, bytes] :
       TinyWhisperFiles(text_context, has_alignment_heads))
    memory_files->Put(folder + "/" + name, bytes);
  EngineOptions options;
  options.backend = backend;
  options.num_threads = num_threads;
  options.file_reader = memory_files->reader();
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
