// chat: a conversation in the terminal. Ctrl-C stops the answer, not the
// program.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "answer.h"
#include "failure.h"
#include "file_text.h"
#include "options.h"
#include "speculation_report.h"
#include "verbs.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace specinfer_cli {
namespace {

constexpr char kHelp[] =
    "/regenerate   another answer to the last message\n"
    "/stats        what the conversation has taken so far\n"
    "/save FILE    keep the conversation in a file\n"
    "/load FILE    go on with a kept one\n"
    "/reset        begin anew\n"
    "/quit         leave, as Ctrl-D does; Ctrl-C stops an answer\n";

struct ChatOptions {
  ModelOptions model;
  PromptOptions prompt;
  SamplingOptions sampling;
  SpeculationOptions speculation;
  uint32_t num_context_tokens = 0;
  std::string cache_type = "f16";
  std::string system;
};

int32_t WriteToFile(void* user_data, const void* data, size_t num_bytes) {
  auto* file = static_cast<std::FILE*>(user_data);
  return std::fwrite(data, 1, num_bytes, file) == num_bytes ? 0 : 1;
}

class Conversation {
 public:
  explicit Conversation(const ChatOptions& options)
      : options_(options),
        generation_(options.sampling, options.speculation),
        loaded_(LoadModel(options.model, options.speculation)),
        is_terminal_(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    if (GetProperties(loaded_.model.get()).has_chat_template == 0) {
      throw Failure("model \"" + loaded_.path +
                    "\" has no chat template: use `specinfer generate --raw`");
    }
    Reset();
  }

  void Run() {
    interrupt_.SetIdleHint("\n(/quit or Ctrl-D leaves)\n> ");
    if (is_terminal_) {
      std::printf("Chat with %s. /help lists the commands.\n",
                  std::filesystem::path(loaded_.path).filename().c_str());
    }
    if (!options_.prompt.prompt.empty() || !options_.prompt.file.empty()) {
      Say(ReadPrompt(options_.prompt));
    }
    std::string line;
    while (ReadLine(line)) {
      if (line.empty()) continue;
      // One message that fails is no reason to lose the conversation.
      try {
        if (line[0] != '/') {
          Say(line);
        } else if (!Obey(line)) {
          return;
        }
      } catch (const Failure& failure) {
        if (!is_terminal_) throw;
        std::fprintf(stderr, "specinfer: %s\n", failure.what());
      }
    }
    if (is_terminal_) std::printf("\n");
  }

 private:
  bool ReadLine(std::string& line) {
    if (is_terminal_) {
      std::printf("> ");
      std::fflush(stdout);
    }
    return static_cast<bool>(std::getline(std::cin, line));
  }

  void Reset() {
    specinfer_session_config config =
        SessionConfig(loaded_, options_.speculation, options_.cache_type);
    config.max_context_tokens = options_.num_context_tokens;
    config.overflow = SPECINFER_OVERFLOW_DROP_TURNS;
    session_.reset();
    session_ = CreateSession(loaded_.model.get(), config);
    last_answer_.reset();
    if (options_.system.empty()) return;
    Append("system", options_.system);
  }

  void Append(const std::string& role, const std::string& content) {
    Check(specinfer_session_append_message(session_.get(), role.data(),
                                           role.size(), content.data(),
                                           content.size()));
  }

  void Say(const std::string& message) {
    Append("user", message);
    MakeAndShowAnswer(/*regenerates=*/false);
  }

  void MakeAndShowAnswer(bool regenerates) {
    last_answer_ =
        MakeAnswer(session_.get(), generation_.config(),
                   {.regenerates = regenerates, .streams = true}, interrupt_);
    std::printf("\n");
    if (is_terminal_ && last_answer_->IsCancelled()) std::printf("(stopped)\n");
    std::fflush(stdout);
  }

  // False: the user wants to leave.
  bool Obey(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string argument =
        space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "/quit" || command == "/exit") return false;
    if (command == "/help") {
      std::printf("%s", kHelp);
    } else if (command == "/stats") {
      PrintStatistics();
    } else if (command == "/regenerate") {
      MakeAndShowAnswer(/*regenerates=*/true);
    } else if (command == "/save") {
      Save(argument);
    } else if (command == "/load") {
      Load(argument);
    } else if (command == "/reset") {
      Reset();
    } else {
      throw Failure("no command " + command + ": /help lists them");
    }
    return true;
  }

  void PrintStatistics() {
    if (last_answer_) {
      std::printf("last answer   %s\n", Summary(*last_answer_).c_str());
    }
    const specinfer_session_statistics all = GetStatistics(session_.get());
    std::printf("context       %u of %u tokens, %u of them in the cache\n",
                all.num_context_tokens, all.max_context_tokens,
                all.num_cached_tokens);
    std::printf("read          %llu tokens in %.2f s, %llu reused\n",
                static_cast<unsigned long long>(all.num_prefilled_tokens),
                1e-6 * static_cast<double>(all.prefill_microseconds),
                static_cast<unsigned long long>(all.num_reused_tokens));
    std::printf("written       %llu tokens in %llu rounds and %.2f s\n",
                static_cast<unsigned long long>(all.num_generated_tokens),
                static_cast<unsigned long long>(all.num_rounds),
                1e-6 * static_cast<double>(all.decode_microseconds));
    std::printf("%s", Describe(GetSpeculation(session_.get())).c_str());
    if (all.num_dropped_turns > 0) {
      std::printf(
          "dropped       %llu turns, %llu tokens: the context is full\n",
          static_cast<unsigned long long>(all.num_dropped_turns),
          static_cast<unsigned long long>(all.num_dropped_tokens));
    }
    const specinfer_engine_statistics engine =
        GetStatistics(loaded_.engine.get());
    std::printf("memory        %.1f MB, at most %.1f MB; cache %.1f MB\n",
                1e-6 * static_cast<double>(engine.memory_used_bytes),
                1e-6 * static_cast<double>(engine.memory_peak_bytes),
                1e-6 * static_cast<double>(all.cache_bytes));
    std::printf("processor     %s, %u threads\n", engine.backend,
                engine.num_threads);
  }

  // Written beside the file first, so that a failure costs no kept one.
  void Save(const std::string& path) {
    if (path.empty()) throw Failure("/save needs a file name");
    const std::string partial = path + ".partial";
    std::FILE* file = std::fopen(partial.c_str(), "wb");
    if (file == nullptr) {
      throw Failure("file \"" + path + "\": " + std::strerror(errno));
    }
    const specinfer_status status =
        specinfer_session_save(session_.get(), WriteToFile, file);
    const bool is_written = std::fclose(file) == 0;
    if (status != SPECINFER_OK || !is_written ||
        std::rename(partial.c_str(), path.c_str()) != 0) {
      std::remove(partial.c_str());
      Check(status, "file \"" + path + "\"");
      throw Failure("file \"" + path + "\" could not be written");
    }
    std::printf("(kept in %s)\n", path.c_str());
  }

  void Load(const std::string& path) {
    if (path.empty()) throw Failure("/load needs a file name");
    const std::string data = ReadFile(path);
    Check(specinfer_session_restore(session_.get(), data.data(), data.size()),
          "file \"" + path + "\"");
    last_answer_.reset();
    std::printf("(%u tokens loaded from %s)\n",
                GetStatistics(session_.get()).num_context_tokens, path.c_str());
  }

  const ChatOptions& options_;
  const Generation generation_;
  const LoadedModel loaded_;
  const bool is_terminal_;
  Session session_;
  std::optional<Answer> last_answer_;
  // Last, so that no press reaches a session that is gone.
  Interrupt interrupt_;
};

}  // namespace

void AddChat(CLI::App& app) {
  auto options = std::make_shared<ChatOptions>();
  options->sampling.temperature = 0.7f;
  options->sampling.top_p = 0.95f;
  CLI::App* verb = app.add_subcommand("chat", "A conversation in the terminal");
  AddModelOptions(*verb, options->model);
  AddCacheDirectoryOption(*verb, options->model);
  AddPromptOptions(*verb, options->prompt);
  AddSamplingOptions(*verb, options->sampling);
  AddSpeculationOptions(*verb, options->speculation);
  verb->add_option("--context", options->num_context_tokens,
                   "Context in tokens; 0: the model's own, at most 4096");
  AddCacheTypeOption(*verb, options->cache_type);
  verb->add_option("--system", options->system, "A system message");
  verb->callback([options] {
    Conversation conversation(*options);
    conversation.Run();
  });
}

}  // namespace specinfer_cli
