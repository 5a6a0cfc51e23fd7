// specinfer.hpp end to end, in a program without exceptions and RTTI. Prints
// what failed.
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "specinfer.hpp"

namespace {

static_assert(std::is_nothrow_move_constructible_v<specinfer::Session>);
static_assert(!std::is_copy_constructible_v<specinfer::Session>);
static_assert(!std::is_copy_constructible_v<specinfer::Engine>);

int num_failures = 0;

void Expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s (%s)\n", what, specinfer_last_error());
  ++num_failures;
}

void UseModel(const specinfer::Model& model) {
  const auto tokens = model.Tokenize("Hello, world");
  Expect(tokens.ok() && !tokens->empty(), "tokenize");
  const auto text = model.Detokenize(*tokens);
  Expect(text.ok() && *text == "Hello, world", "detokenize");
  const auto architecture = model.GetMetadata("general.architecture");
  Expect(architecture.ok() && *architecture == "llama", "metadata");
  Expect(!model.GetMetadata("no.such.key").ok(), "absent metadata");
  Expect(model.GetProperties().ok(), "properties");
  const auto rates = model.Measure();
  Expect(rates.ok() && rates->read_bytes_per_second > 0, "measure");
  const auto time = model.GetPassTime(SPECINFER_PASS_TARGET, 8, 256);
  Expect(time.ok() && time->seconds > 0, "time of a pass");
  Expect(model.RenderChat(R"([{"role":"user","content":"Hi"}])").ok(),
         "render chat");
}

void UseSession(specinfer::Session session) {
  specinfer_generation_config config = specinfer::GenerationConfig();
  config.max_tokens = 8;
  config.ignore_end = 1;
  const auto kept = session.SetPrompt("Once upon a time");
  Expect(kept.ok(), "set prompt");

  size_t num_tokens = 0;
  const specinfer::Status status =
      session.Generate(config, [&](const specinfer::Event& event) {
        num_tokens += event.num_tokens();
        return true;
      });
  Expect(status.ok() && num_tokens == 8, "generate with a callable");
  const auto planned = session.PlanPass(16, 2, 2);
  Expect(planned.ok() && planned->read_bytes > 0, "plan a pass");
  const auto pass = session.MeasurePass(2, 2);
  Expect(pass.ok() && pass->seconds > 0, "measure a pass");
  const auto more = session.Generate(config);
  Expect(more.ok(), "generate a text");

  std::string saved;
  const specinfer::Status save =
      session.Save([&](const void* data, size_t num_bytes) {
        saved.append(static_cast<const char*>(data), num_bytes);
        return true;
      });
  Expect(save.ok() && !saved.empty(), "save");
  Expect(session.Restore(saved.data(), saved.size()).ok(), "restore");
  auto fork = session.Fork();
  Expect(fork.ok() && fork->GetTokens().ok(), "fork");
  const auto vector = session.Embed("a text");
  Expect(vector.ok() && !vector->empty(), "embed");
  const auto scores = session.ScoreTokens({1, 2});
  Expect(scores.ok() && scores->size() == 2, "score tokens");
  Expect(session.GetStatistics().ok(), "statistics");

  const specinfer::Session taken = std::move(session);
  const specinfer::Status refused = session.Truncate(0);
  Expect(!refused.ok() && refused.message() == "session is NULL",
         "a session that was moved from");
  Expect(taken.get() != nullptr, "the session it was moved to");
}

// A model that drafts for itself: most guesses are right.
void Speculate(const specinfer::Model& model) {
  auto corpus = specinfer::Corpus::Create(model, 4096);
  Expect(corpus.ok() && corpus->AddText("Once upon a time").ok(), "corpus");
  std::string saved;
  const specinfer::Status save =
      corpus->Save([&](const void* data, size_t num_bytes) {
        saved.append(static_cast<const char*>(data), num_bytes);
        return true;
      });
  Expect(save.ok() && !saved.empty(), "save a corpus");
  Expect(corpus->Clear().ok(), "clear a corpus");
  Expect(corpus->Restore(saved.data(), saved.size()).ok(), "restore a corpus");

  auto created = specinfer::Session::Create(model, model);
  Expect(created.ok(), "session with a draft model");
  if (!created.ok()) return;
  Expect(created->SetCorpus(*corpus, SPECINFER_CORPUS_LEARN).ok(),
         "set the corpus");
  size_t num_rounds = 0, num_tokens = 0, num_nodes = 0;
  const auto count = [&](const specinfer::Round& round) {
    ++num_rounds;
    num_tokens += round.num_tokens();
    num_nodes += round.num_nodes();
    Expect(round.node(0).parent == -1 && round.token(0) >= 0, "round");
  };
  Expect(created->SetRoundCallback(count).ok(), "set a round callback");
  specinfer::Session session = *std::move(created);  // keeps the callable
  Expect(session.SetPrompt("Once upon a time").ok(), "set prompt");
  specinfer_generation_config config = specinfer::GenerationConfig();
  config.max_tokens = 16;
  config.ignore_end = 1;
  config.strategy = SPECINFER_STRATEGY_DRAFT;
  Expect(session.Generate(config).ok(), "speculate");

  const auto statistics = session.GetSpeculationStatistics();
  Expect(statistics.ok() && statistics->num_rounds == num_rounds &&
             statistics->num_tokens == num_tokens,
         "speculation statistics");
  Expect(num_rounds > 0 && num_rounds < 16 && num_nodes > num_rounds,
         "fewer rounds than tokens");
  Expect(session.SetRoundCallback(nullptr).ok(), "no round callback");
  Expect(session.RemoveCorpus().ok(), "no corpus");
  Expect(session.Generate(config).ok() && num_tokens == 16,
         "nobody is called any more");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto engine = specinfer::Engine::Create();
  Expect(engine.ok() && engine->GetStatistics().ok(), "engine");
  Expect(specinfer::Model::Load(*engine, "/nowhere").status().code() ==
             SPECINFER_NOT_FOUND,
         "absent file");
  auto load = specinfer::Load::Start(*engine, argv[1]);
  Expect(load.ok() && load->Wait(UINT64_MAX).ok(), "asynchronous load");
  float fraction = 0;
  auto model = specinfer::Model::Load(*engine, argv[1], [&](float now) {
    fraction = now;
    return true;
  });
  Expect(model.ok(), "load");
  if (!model.ok()) return 1;
  Expect(fraction == 1.0f, "progress");
  UseModel(*model);
  Speculate(*model);
  auto session = specinfer::Session::Create(*model);
  Expect(session.ok(), "session");
  if (session.ok()) UseSession(*std::move(session));
  return num_failures == 0 ? 0 : 1;
}
