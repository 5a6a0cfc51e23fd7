#include "src/text/chat_template.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "nlohmann/json.hpp"

namespace specinfer {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFolder[] = SPECINFER_TESTDATA "/chat/";

std::string ReadFile(const std::string& name) {
  std::ifstream file(kFolder + name, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Json ReadJson(const std::string& name) {
  return Json::parse(ReadFile(name), nullptr, /*allow_exceptions=*/false);
}

absl::StatusOr<std::string> RenderText(const std::string& source,
                                       const ChatTemplate::Input& input) {
  absl::StatusOr<std::unique_ptr<ChatTemplate>> chat_template =
      ChatTemplate::Parse(source);
  if (!chat_template.ok()) return chat_template.status();
  return (*chat_template)->Render(input);
}

// Renders with one message; returns the text, or the error in angle brackets.
std::string Outcome(
    const std::string& source,
    const std::string& messages = R"([{"role":"user","content":"hi"}])") {
  ChatTemplate::Input input;
  input.messages_json = messages;
  absl::StatusOr<std::string> text = RenderText(source, input);
  return text.ok() ? *text : "<" + std::string(text.status().message()) + ">";
}

// Expects what Python's Jinja2 made of the same template: the same bytes, or an
// error where it raised one.
void ExpectSame(const absl::StatusOr<std::string>& text, const Json& golden,
                const std::string& what) {
  if (golden.is_null()) {
    EXPECT_FALSE(text.ok()) << what << "\nrendered: " << *text;
    return;
  }
  ASSERT_TRUE(text.ok()) << what << "\n" << text.status();
  EXPECT_EQ(*text, golden.get<std::string>()) << what;
}

TEST(ChatTemplate, RendersPopularTemplatesAsPythonDoes) {
  const Json golden = ReadJson("chat_golden.json");
  ASSERT_GE(golden["cases"].size(), 200u);
  const std::string date = golden["date"];

  for (const Json& expected : golden["cases"]) {
    const Json& conversation =
        golden["conversations"][expected["conversation"].get<std::string>()];
    const std::string messages = conversation["messages"].dump();
    const std::string tools =
        conversation["tools"].is_null() ? "" : conversation["tools"].dump();
    const std::string extra =
        conversation["extra"].is_null() ? "" : conversation["extra"].dump();
    ChatTemplate::Input input{
        messages, tools,  conversation["add_generation_prompt"].get<bool>(),
        "<s>",    "</s>", extra,
        date};
    const std::string name = expected["template"];
    absl::StatusOr<std::string> text =
        RenderText(ReadFile(name + ".jinja"), input);
    ExpectSame(text, expected["text"],
               name + ": " + expected["conversation"].get<std::string>());
  }
}

TEST(ChatTemplate, SpeaksTheLanguageAsPythonDoes) {
  const Json golden = ReadJson("language_golden.json");
  ASSERT_GE(golden["snippets"].size(), 150u);
  const std::string date = golden["date"], messages = golden["messages"].dump();

  for (const Json& snippet : golden["snippets"]) {
    ChatTemplate::Input input{messages, "", true, "<s>", "</s>", "", date};
    absl::StatusOr<std::string> text = RenderText(snippet["source"], input);
    ExpectSame(text, snippet["text"], snippet["source"]);
  }
}

TEST(ChatTemplate, NamesTheFilterItCannotRun) {
  EXPECT_EQ(Outcome("a\n{{ 'x' | xyz }}"),
            "<chat template line 2: filter \"xyz\" is not supported>");
}

TEST(ChatTemplate, NamesTheTestItCannotRun) {
  EXPECT_EQ(Outcome("{{ 1 is xyz }}"),
            "<chat template line 1: test \"xyz\" is not supported>");
}

TEST(ChatTemplate, NamesTheStatementItCannotRun) {
  EXPECT_EQ(Outcome("\n\n{% include 'x' %}"),
            "<chat template line 3: statement \"include\" is not supported>");
}

TEST(ChatTemplate, ReportsAnUnknownFilterInsideAnIfOnlyWhenReached) {
  EXPECT_EQ(Outcome("{% if false %}{{ 1 | xyz }}{% endif %}ok"), "ok");
  EXPECT_EQ(Outcome("{% if true %}\n{{ 1 | xyz }}{% endif %}"),
            "<chat template line 2: filter \"xyz\" is not supported>");
}

TEST(ChatTemplate, TellsWhatTheTemplateRaised) {
  EXPECT_EQ(Outcome("\n{{ raise_exception('roles must alternate') }}"),
            "<chat template line 2: the template refuses the conversation: "
            "roles must alternate>");
}

TEST(ChatTemplate, NamesTheUndefinedVariable) {
  EXPECT_EQ(Outcome("{{ foo.bar }}"),
            "<chat template line 1: \"foo\" is undefined>");
}

TEST(ChatTemplate, RefusesMessagesThatAreNoArray) {
  EXPECT_EQ(Outcome("x", "{}"), "<chat messages is not a JSON array>");
  EXPECT_EQ(Outcome("x", "[1,").substr(0, 32),
            "<chat messages is not valid JSON");
  EXPECT_EQ(Outcome("x", "").substr(0, 32), "<chat messages is not valid JSON");
}

TEST(ChatTemplate, RefusesDeeplyNestedMessages) {
  const std::string messages = std::string(100'000, '[');

  EXPECT_EQ(Outcome("x", messages),
            "<chat messages nests deeper than 100 levels>");
}

TEST(ChatTemplate, RefusesInvalidUtf8) {
  EXPECT_EQ(Outcome("a\xFF"), "<chat template is not valid UTF-8>");
  EXPECT_EQ(Outcome("x", "[\"\xC0\x80\"]").substr(0, 32),
            "<chat messages is not valid JSON");
}

TEST(ChatTemplate, RefusesADateThatIsNone) {
  ChatTemplate::Input input;
  input.messages_json = "[]";
  input.date = "2024-02-30";

  EXPECT_FALSE(RenderText("{{ strftime_now('%Y') }}", input).ok());
}

TEST(ChatTemplate, TellsTheClockWithoutADate) {
  const std::string year = Outcome("{{ strftime_now('%Y') }}");

  EXPECT_EQ(year.size(), 4u);
  EXPECT_GE(year, "2024");
}

struct Hostile {
  std::string name;
  std::string source;
};

class HostileTemplate : public testing::TestWithParam<Hostile> {};

TEST_P(HostileTemplate, IsACleanError) {
  const std::string outcome = Outcome(GetParam().source);

  EXPECT_EQ(outcome.substr(0, 20), "<chat template line ")
      << outcome.substr(0, 200);
}

std::string Repeat(const std::string& text, int num_times) {
  std::string repeated;
  for (int i = 0; i < num_times; ++i) repeated += text;
  return repeated;
}

INSTANTIATE_TEST_SUITE_P(
    Bounds, HostileTemplate,
    testing::Values(
        Hostile{"Parentheses", "{{ " + Repeat("(", 50'000)},
        Hostile{"Lists", "{{ " + Repeat("[", 50'000)},
        Hostile{"Dicts", "{{ " + Repeat("{1:", 50'000)},
        Hostile{"Signs", "{{ " + Repeat("-", 50'000) + "1 }}"},
        Hostile{"Negations", "{{ " + Repeat("not ", 50'000) + "1 }}"},
        Hostile{"Sums", "{{ 1" + Repeat("+1", 50'000) + " }}"},
        Hostile{"Filters", "{{ 1" + Repeat("|abs", 50'000) + " }}"},
        Hostile{"Attributes", "{{ a" + Repeat(".a", 50'000) + " }}"},
        Hostile{"Subscripts", "{{ a" + Repeat("[a", 50'000) + " }}"},
        Hostile{"Conditions", "{{ 1" + Repeat(" if 1 else 1", 50'000) + " }}"},
        Hostile{"Ifs", Repeat("{% if 1 %}", 50'000)},
        Hostile{"Loops", Repeat("{% for a in b %}", 50'000)},
        Hostile{"Targets", "{% for " + Repeat("(", 50'000)},
        Hostile{"MacroRecursion",
                "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"},
        Hostile{"MutualRecursion",
                "{% macro f(x) %}{{ g(x + x) }}{% endmacro %}{% macro g(x) "
                "%}{{ f(x) }}{% endmacro %}{{ f('a') }}"},
        Hostile{"Range", "{{ range(10000000000)|list }}"},
        Hostile{"Steps",
                "{% for a in range(100000) %}{% for b in "
                "range(100000) %}{% endfor %}{% endfor %}"},
        Hostile{"Doubling",
                "{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set "
                "n.s = n.s + n.s %}{% endfor %}"},
        Hostile{"Repetition", "{{ 'ab' * 9223372036854775807 }}"},
        Hostile{"ListRepetition", "{{ [1] * 1000000000 }}"},
        Hostile{"Output",
                "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}"},
        Hostile{"Overflow", "{{ 9223372036854775807 + 1 }}"},
        Hostile{"Power", "{{ 10 ** 1000 }}"},
        Hostile{"Width", "{{ '%999999999d' % 1 }}"},
        Hostile{"Indent", "{{ [1]|tojson(indent=999999999) }}"},
        Hostile{"Replacement",
                "{% set s = 'a' * 10000 %}{{ s.replace('a', s) }}"},
        Hostile{"SelfInNamespace",
                "{% set n = namespace() %}{% set n.n = n %}{{ n }}"},
        Hostile{"NestedValues",
                "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set "
                "n.x = [n.x] %}{% endfor %}{{ n.x }}"},
        Hostile{"WideValues",
                "{% set n = namespace(x=[]) %}{% for i in range(60) %}{% set "
                "n.x = [n.x, n.x] %}"
                "{% endfor %}{{ n.x == [n.x] }}{{ n.x|tojson }}"},
        Hostile{"Search",
                "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ (s "
                "~ 'b') in s }}{% endfor %}"},
        Hostile{"Joins", "{{ (['a' * 100000] * 100000)|join('b') }}"},
        Hostile{"Integer", "{{ 99999999999999999999 }}"}),
    [](const testing::TestParamInfo<Hostile>& hostile) {
      return hostile.param.name;
    });

// 10,000 mutants of the real templates: each renders or is an error, and none
// runs without bound.
TEST(ChatTemplate, SurvivesMutatedTemplates) {
  const Json golden = ReadJson("chat_golden.json");
  std::vector<std::string> sources;
  std::string last_name;
  for (const Json& expected : golden["cases"]) {
    const std::string name = expected["template"];
    if (name != last_name) sources.push_back(ReadFile(name + ".jinja"));
    last_name = name;
  }
  const Json& conversation = golden["conversations"]["tool call and result"];
  const std::string messages = conversation["messages"].dump(),
                    tools = conversation["tools"].dump();
  const ChatTemplate::Input input{messages, tools, true,        "<s>",
                                  "</s>",   "",    "2024-07-26"};
  constexpr std::string_view kPieces[] = {
      "{{",     "}}",    "{%",  "%}",  "-",   "|",    "(",    ")",    "[",
      "]",      "'",     "\"",  "\\",  ".",   "loop", "not ", " if ", "::",
      "endfor", "endif", "~",   "*",   "999", "#}",   "{#",   "raw",  "\xC3",
      "\n",     "+",     "is ", "in ", "%",   "//"};
  std::mt19937 random(20240726);

  int num_rendered = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string source = sources[random() % sources.size()];
    for (unsigned num_changes = 1 + random() % 4; num_changes > 0;
         --num_changes) {
      const size_t at = random() % source.size();
      switch (random() % 4) {
        case 0:
          source.erase(at, 1 + random() % 8);
          break;
        case 1:
          source.insert(at, kPieces[random() % std::size(kPieces)]);
          break;
        case 2:
          source.insert(at,
                        source.substr(random() % source.size(), random() % 60));
          break;
        default:
          source[at] = static_cast<char>(random() % 128);
      }
      if (source.empty()) source = "x";
    }
    absl::StatusOr<std::string> text = RenderText(source, input);
    num_rendered += text.ok();
    const std::string problem =
        text.ok() ? "chat template" : std::string(text.status().message());
    EXPECT_EQ(problem.substr(0, 13), "chat template");
  }

  EXPECT_GT(num_rendered, 1000);
  EXPECT_LT(num_rendered, 10'000);
}

}  // namespace
}  // namespace specinfer
