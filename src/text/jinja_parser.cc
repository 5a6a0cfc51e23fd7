#include "src/text/jinja_parser.h"

#include <algorithm>
#include <string>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_arena.h"

namespace specinfer::jinja {
namespace {

// A tree may be higher than the source nests, because a + b + c grows to the
// left.
constexpr int kMaxHeight = 200;

}  // namespace

absl::StatusOr<NodePtr> Parser::Parse() {
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBody({}));
  SPECINFER_RETURN_IF_ERROR(unknown_);
  return body;
}

bool Parser::AtOperator(std::string_view text) const {
  return current().kind == TokenKind::kOperator && current().text == text;
}

bool Parser::AtName(std::string_view text) const {
  return current().kind == TokenKind::kName && current().text == text;
}

bool Parser::SkipOperator(std::string_view text) {
  bool is_there = AtOperator(text);
  if (is_there) Advance();
  return is_there;
}

bool Parser::SkipName(std::string_view text) {
  bool is_there = AtName(text);
  if (is_there) Advance();
  return is_there;
}

absl::Status Parser::Unexpected(std::string_view wanted) const {
  std::string found = current().kind == TokenKind::kEnd
                          ? "the end"
                          : Cat("\"", current().text, "\"");
  return TemplateError(current().line,
                       Cat("expected ", wanted, ", found ", found));
}

absl::Status Parser::Expect(TokenKind kind, std::string_view what) {
  if (current().kind != kind) return Unexpected(what);
  Advance();
  return absl::OkStatus();
}

absl::Status Parser::ExpectOperator(std::string_view text) {
  if (!SkipOperator(text)) return Unexpected(Cat("\"", text, "\""));
  return absl::OkStatus();
}

absl::StatusOr<std::string> Parser::ExpectName() {
  if (current().kind != TokenKind::kName) return Unexpected("a name");
  std::string name = current().text;
  Advance();
  return name;
}

NodePtr Parser::New(NodeKind kind, int line) {
  NodePtr node = std::make_unique<Node>();
  node->kind = kind;
  node->line = line;
  return node;
}

absl::Status Parser::Add(Node& parent, NodePtr child) {
  if (child != nullptr) {
    parent.height = std::max(parent.height, child->height + 1);
    if (parent.height > kMaxHeight) {
      return TemplateError(
          child->line, Cat("nesting is deeper than ", kMaxHeight, " levels"));
    }
  }
  parent.children.push_back(std::move(child));
  return absl::OkStatus();
}

absl::Status Parser::AddArgument(Node& parent, Argument argument) {
  if (argument.value != nullptr) {
    parent.height = std::max(parent.height, argument.value->height + 1);
    if (parent.height > kMaxHeight) {
      return TemplateError(argument.value->line, Cat("nesting is deeper than ",
                                                     kMaxHeight, " levels"));
    }
  }
  parent.arguments.push_back(std::move(argument));
  return absl::OkStatus();
}

// Reads statements until a statement named in `ends`, which stays the current
// token, or the end of the template.
absl::StatusOr<NodePtr> Parser::ParseBody(Words ends) {
  NodePtr body = New(NodeKind::kBody, current().line);
  if (++nesting_ > kMaxNesting) {
    return TemplateError(
        current().line, Cat("nesting is deeper than ", kMaxNesting, " levels"));
  }
  while (current().kind != TokenKind::kEnd) {
    int line = current().line;
    if (current().kind == TokenKind::kText) {
      NodePtr text = New(NodeKind::kText, line);
      text->text = current().text;
      Advance();
      SPECINFER_RETURN_IF_ERROR(Add(*body, std::move(text)));
    } else if (current().kind == TokenKind::kOutputBegin) {
      Advance();
      NodePtr output = New(NodeKind::kOutput, line);
      SPECINFER_ASSIGN_OR_RETURN(
          NodePtr value,
          ParseTuple(/*allows_conditional=*/true, /*is_bracketed=*/false));
      SPECINFER_RETURN_IF_ERROR(Expect(TokenKind::kOutputEnd, "\"}}\""));
      SPECINFER_RETURN_IF_ERROR(Add(*output, std::move(value)));
      SPECINFER_RETURN_IF_ERROR(Add(*body, std::move(output)));
    } else {
      SPECINFER_RETURN_IF_ERROR(Expect(TokenKind::kStatementBegin, "\"{%\""));
      bool is_end =
          std::any_of(ends.begin(), ends.end(),
                      [this](std::string_view end) { return AtName(end); });
      if (is_end) break;
      SPECINFER_ASSIGN_OR_RETURN(NodePtr statement, ParseStatement());
      SPECINFER_RETURN_IF_ERROR(Expect(TokenKind::kStatementEnd, "\"%}\""));
      SPECINFER_RETURN_IF_ERROR(Add(*body, std::move(statement)));
    }
  }
  --nesting_;
  return body;
}

// The rest of a statement's opening tag, then its body up to one of `ends`,
// which becomes the current token.
absl::StatusOr<NodePtr> Parser::ParseBlock(Words ends) {
  SkipOperator(":");
  SPECINFER_RETURN_IF_ERROR(Expect(TokenKind::kStatementEnd, "\"%}\""));
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBody(ends));
  if (current().kind == TokenKind::kEnd)
    return Unexpected(Cat("\"", *(ends.end() - 1), "\""));
  return body;
}

absl::StatusOr<NodePtr> Parser::ParseStatement() {
  int line = current().line;
  if (current().kind != TokenKind::kName)
    return Unexpected("the name of a statement");
  std::string name = current().text;
  Advance();
  if (name == "if") return ParseIf();
  if (name == "for") return ParseFor();
  if (name == "set") return ParseSet();
  if (name == "macro") return ParseMacro();
  if (name == "call") return ParseCallBlock();
  if (name == "filter") return ParseFilterBlock();
  if (name == "with") return ParseWith();
  if (name == "generation") return ParseGeneration();
  if (name == "break" || name == "continue") {
    if (num_loops_ == 0)
      return TemplateError(line,
                           Cat("\"", name, "\" stands outside of a loop"));
    return New(name == "break" ? NodeKind::kBreak : NodeKind::kContinue, line);
  }
  return TemplateError(line, Cat("statement \"", name, "\" is not supported"));
}

absl::StatusOr<NodePtr> Parser::ParseIf() {
  NodePtr node = New(NodeKind::kIf, current().line);
  absl::Status outer_unknown = unknown_;
  for (bool has_more = true; has_more;) {
    SPECINFER_ASSIGN_OR_RETURN(
        NodePtr condition,
        ParseTuple(/*allows_conditional=*/false, /*is_bracketed=*/false));
    SPECINFER_ASSIGN_OR_RETURN(NodePtr body,
                               ParseBlock({"elif", "else", "endif"}));
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(condition)));
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(body)));
    has_more = AtName("elif");
    if (AtName("else")) {
      Advance();
      SPECINFER_ASSIGN_OR_RETURN(NodePtr else_body, ParseBlock({"endif"}));
      SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(else_body)));
    }
    Advance();
  }
  unknown_ = outer_unknown;
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseFor() {
  NodePtr node = New(NodeKind::kFor, current().line);
  SPECINFER_ASSIGN_OR_RETURN(NodePtr target,
                             ParseTarget(/*allows_namespace=*/false));
  if (!SkipName("in")) return Unexpected("\"in\"");
  SPECINFER_ASSIGN_OR_RETURN(NodePtr iterated,
                             ParseTuple(/*allows_conditional=*/false,
                                        /*is_bracketed=*/false, "recursive"));
  NodePtr condition;
  if (SkipName("if")) {
    SPECINFER_ASSIGN_OR_RETURN(condition, ParseExpression());
  }
  if (AtName("recursive"))
    return TemplateError(current().line,
                         "a \"recursive\" loop is not supported");
  ++num_loops_;
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"else", "endfor"}));
  --num_loops_;
  NodePtr else_body;
  if (SkipName("else")) {
    SPECINFER_ASSIGN_OR_RETURN(else_body, ParseBlock({"endfor"}));
  }
  Advance();
  for (NodePtr* child : {&target, &iterated, &condition, &body, &else_body}) {
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(*child)));
  }
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseSet() {
  int line = current().line;
  SPECINFER_ASSIGN_OR_RETURN(NodePtr target,
                             ParseTarget(/*allows_namespace=*/true));
  if (SkipOperator("=")) {
    NodePtr node = New(NodeKind::kSet, line);
    SPECINFER_ASSIGN_OR_RETURN(
        NodePtr value,
        ParseTuple(/*allows_conditional=*/true, /*is_bracketed=*/false));
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(target)));
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(value)));
    return node;
  }
  NodePtr node = New(NodeKind::kSetBlock, line);
  NodePtr filter;
  while (SkipOperator("|")) {
    if (filter == nullptr) filter = New(NodeKind::kCaptured, line);
    SPECINFER_ASSIGN_OR_RETURN(filter, ParseFilter(std::move(filter)));
  }
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"endset"}));
  Advance();
  for (NodePtr* child : {&target, &filter, &body})
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(*child)));
  return node;
}

// Names, tuples of names and, where allowed, attributes of a namespace.
absl::StatusOr<NodePtr> Parser::ParseTarget(bool allows_namespace) {
  int line = current().line;
  NodePtr tuple = New(NodeKind::kTuple, line);
  bool has_comma = false;
  do {
    if (!tuple->children.empty() && current().kind != TokenKind::kName &&
        !AtOperator("("))
      break;
    NodePtr item;
    if (SkipOperator("(")) {
      if (++nesting_ > kMaxNesting)
        return TemplateError(line, "assignment is nested too deeply");
      SPECINFER_ASSIGN_OR_RETURN(item, ParseTarget(allows_namespace));
      --nesting_;
      SPECINFER_RETURN_IF_ERROR(ExpectOperator(")"));
    } else {
      item = New(NodeKind::kName, current().line);
      if (AtName("in") && !tuple->children.empty()) break;
      SPECINFER_ASSIGN_OR_RETURN(item->text, ExpectName());
      constexpr std::string_view kConstants[] = {"true", "false", "none",
                                                 "True", "False", "None"};
      for (std::string_view constant : kConstants) {
        if (item->text == constant)
          return TemplateError(line,
                               Cat("cannot assign to \"", constant, "\""));
      }
      if (allows_namespace && SkipOperator(".")) {
        NodePtr attribute = New(NodeKind::kAttribute, current().line);
        SPECINFER_ASSIGN_OR_RETURN(attribute->text, ExpectName());
        SPECINFER_RETURN_IF_ERROR(Add(*attribute, std::move(item)));
        item = std::move(attribute);
      }
    }
    SPECINFER_RETURN_IF_ERROR(Add(*tuple, std::move(item)));
    has_comma = AtOperator(",");
  } while (SkipOperator(","));
  if (tuple->children.size() == 1 && !has_comma) {
    return std::move(tuple->children[0]);
  }
  return tuple;
}

absl::Status Parser::ParseParameters(Node& macro) {
  SPECINFER_RETURN_IF_ERROR(ExpectOperator("("));
  bool has_default = false;
  while (!AtOperator(")")) {
    if (!macro.arguments.empty())
      SPECINFER_RETURN_IF_ERROR(ExpectOperator(","));
    Argument parameter;
    int line = current().line;
    SPECINFER_ASSIGN_OR_RETURN(parameter.name, ExpectName());
    if (SkipOperator("=")) {
      SPECINFER_ASSIGN_OR_RETURN(parameter.value, ParseExpression());
      has_default = true;
    } else if (has_default) {
      return TemplateError(
          line, "a parameter without a default follows one with a default");
    }
    SPECINFER_RETURN_IF_ERROR(AddArgument(macro, std::move(parameter)));
  }
  Advance();
  return absl::OkStatus();
}

absl::StatusOr<NodePtr> Parser::ParseMacro() {
  NodePtr node = New(NodeKind::kMacro, current().line);
  SPECINFER_ASSIGN_OR_RETURN(node->text, ExpectName());
  SPECINFER_RETURN_IF_ERROR(ParseParameters(*node));
  int num_outer_loops = std::exchange(num_loops_, 0);
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"endmacro"}));
  num_loops_ = num_outer_loops;
  Advance();
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(body)));
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseCallBlock() {
  NodePtr node = New(NodeKind::kCallBlock, current().line);
  if (AtOperator("(")) SPECINFER_RETURN_IF_ERROR(ParseParameters(*node));
  SPECINFER_ASSIGN_OR_RETURN(NodePtr call, ParseExpression());
  if (call->kind != NodeKind::kCall)
    return TemplateError(node->line, "\"call\" needs a call");
  int num_outer_loops = std::exchange(num_loops_, 0);
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"endcall"}));
  num_loops_ = num_outer_loops;
  Advance();
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(call)));
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(body)));
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseFilterBlock() {
  NodePtr node = New(NodeKind::kFilterBlock, current().line);
  NodePtr filter = New(NodeKind::kCaptured, current().line);
  do {
    SPECINFER_ASSIGN_OR_RETURN(filter, ParseFilter(std::move(filter)));
  } while (SkipOperator("|"));
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"endfilter"}));
  Advance();
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(filter)));
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(body)));
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseWith() {
  NodePtr node = New(NodeKind::kWith, current().line);
  while (current().kind != TokenKind::kStatementEnd) {
    if (!node->children.empty()) SPECINFER_RETURN_IF_ERROR(ExpectOperator(","));
    NodePtr target = New(NodeKind::kName, current().line);
    SPECINFER_ASSIGN_OR_RETURN(target->text, ExpectName());
    SPECINFER_RETURN_IF_ERROR(ExpectOperator("="));
    SPECINFER_ASSIGN_OR_RETURN(NodePtr value, ParseExpression());
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(target)));
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(value)));
  }
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"endwith"}));
  Advance();
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(body)));
  return node;
}

// {% generation %} marks what the model wrote, for training; rendering ignores
// the mark but keeps its scope.
absl::StatusOr<NodePtr> Parser::ParseGeneration() {
  NodePtr node = New(NodeKind::kWith, current().line);
  int num_outer_loops = std::exchange(num_loops_, 0);
  SPECINFER_ASSIGN_OR_RETURN(NodePtr body, ParseBlock({"endgeneration"}));
  num_loops_ = num_outer_loops;
  Advance();
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(body)));
  return node;
}

}  // namespace specinfer::jinja
