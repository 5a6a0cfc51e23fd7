// The part of Parser that reads expressions; each function is one level of
// Jinja's precedence, loosest first.
#include <algorithm>
#include <string>
#include <utility>

#include "src/base/status_macros.h"
#include "src/base/text.h"
#include "src/text/jinja_arena.h"
#include "src/text/jinja_builtins.h"
#include "src/text/jinja_parser.h"

namespace specinfer::jinja {

bool Parser::AtTupleEnd(std::string_view end_name) const {
  return current().kind == TokenKind::kOutputEnd ||
         current().kind == TokenKind::kStatementEnd || AtOperator(")") ||
         (!end_name.empty() && AtName(end_name));
}

absl::StatusOr<NodePtr> Parser::ParseTuple(bool allows_conditional,
                                           bool is_bracketed,
                                           std::string_view end_name) {
  NodePtr tuple = New(NodeKind::kTuple, current().line);
  bool is_tuple = false;
  while (true) {
    if (!tuple->children.empty())
      SPECINFER_RETURN_IF_ERROR(ExpectOperator(","));
    if (AtTupleEnd(end_name)) break;
    SPECINFER_ASSIGN_OR_RETURN(
        NodePtr item, allows_conditional ? ParseExpression() : ParseOr());
    SPECINFER_RETURN_IF_ERROR(Add(*tuple, std::move(item)));
    if (!AtOperator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return tuple;
  if (!tuple->children.empty()) return std::move(tuple->children[0]);
  if (!is_bracketed) return Unexpected("an expression");
  return tuple;
}

absl::StatusOr<NodePtr> Parser::Binary(NodeKind kind, std::string_view name,
                                       int line, NodePtr left, NodePtr right) {
  NodePtr node = New(kind, line);
  node->text = name;
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(left)));
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(right)));
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseExpression() {
  int line = current().line;
  if (++nesting_ > kMaxNesting) {
    return TemplateError(
        line, Cat("nesting is deeper than ", kMaxNesting, " levels"));
  }
  absl::Status outer_unknown = unknown_;
  SPECINFER_ASSIGN_OR_RETURN(NodePtr value, ParseOr());
  while (SkipName("if")) {
    NodePtr node = New(NodeKind::kConditional, line);
    SPECINFER_ASSIGN_OR_RETURN(NodePtr condition, ParseOr());
    NodePtr other;
    if (SkipName("else")) {
      SPECINFER_ASSIGN_OR_RETURN(other, ParseExpression());
    }
    for (NodePtr* child : {&condition, &value, &other})
      SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(*child)));
    value = std::move(node);
    unknown_ = outer_unknown;
  }
  --nesting_;
  return value;
}

absl::StatusOr<NodePtr> Parser::ParseOr() {
  int line = current().line;
  SPECINFER_ASSIGN_OR_RETURN(NodePtr left, ParseAnd());
  while (SkipName("or")) {
    SPECINFER_ASSIGN_OR_RETURN(NodePtr right, ParseAnd());
    SPECINFER_ASSIGN_OR_RETURN(left, Binary(NodeKind::kOr, "or", line,
                                            std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<NodePtr> Parser::ParseAnd() {
  int line = current().line;
  SPECINFER_ASSIGN_OR_RETURN(NodePtr left, ParseNot());
  while (SkipName("and")) {
    SPECINFER_ASSIGN_OR_RETURN(NodePtr right, ParseNot());
    SPECINFER_ASSIGN_OR_RETURN(left, Binary(NodeKind::kAnd, "and", line,
                                            std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<NodePtr> Parser::ParseNot() {
  int line = current().line;
  int num_nots = 0;
  for (; SkipName("not"); ++num_nots) {
  }
  SPECINFER_ASSIGN_OR_RETURN(NodePtr operand, ParseCompare());
  for (; num_nots > 0; --num_nots) {
    NodePtr node = New(NodeKind::kNot, line);
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(operand)));
    operand = std::move(node);
  }
  return operand;
}

absl::StatusOr<NodePtr> Parser::ParseCompare() {
  constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
      {"==", Comparison::kEqual},  {"!=", Comparison::kNotEqual},
      {"<", Comparison::kLess},    {"<=", Comparison::kLessEqual},
      {">", Comparison::kGreater}, {">=", Comparison::kGreaterEqual},
  };
  NodePtr node = New(NodeKind::kCompare, current().line);
  SPECINFER_ASSIGN_OR_RETURN(NodePtr first, ParseSum());
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(first)));
  while (true) {
    size_t num_comparisons = node->comparisons.size();
    for (const auto& [name, comparison] : kComparisons) {
      if (AtOperator(name)) node->comparisons.push_back(comparison);
    }
    if (AtName("in")) node->comparisons.push_back(Comparison::kIn);
    if (AtName("not") && next().kind == TokenKind::kName &&
        next().text == "in") {
      Advance();
      node->comparisons.push_back(Comparison::kNotIn);
    }
    if (node->comparisons.size() == num_comparisons) break;
    Advance();
    SPECINFER_ASSIGN_OR_RETURN(NodePtr operand, ParseSum());
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  }
  if (node->comparisons.empty()) return std::move(node->children[0]);
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseSum() {
  SPECINFER_ASSIGN_OR_RETURN(NodePtr left, ParseConcat());
  while (AtOperator("+") || AtOperator("-")) {
    Token sign = current();
    Advance();
    SPECINFER_ASSIGN_OR_RETURN(NodePtr right, ParseConcat());
    SPECINFER_ASSIGN_OR_RETURN(
        left, Binary(NodeKind::kBinary, sign.text, sign.line, std::move(left),
                     std::move(right)));
  }
  return left;
}

absl::StatusOr<NodePtr> Parser::ParseConcat() {
  NodePtr node = New(NodeKind::kConcat, current().line);
  do {
    SPECINFER_ASSIGN_OR_RETURN(NodePtr operand, ParseProduct());
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  } while (SkipOperator("~"));
  if (node->children.size() == 1) return std::move(node->children[0]);
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseProduct() {
  SPECINFER_ASSIGN_OR_RETURN(NodePtr left, ParsePower());
  while (AtOperator("*") || AtOperator("/") || AtOperator("//") ||
         AtOperator("%")) {
    Token sign = current();
    Advance();
    SPECINFER_ASSIGN_OR_RETURN(NodePtr right, ParsePower());
    SPECINFER_ASSIGN_OR_RETURN(
        left, Binary(NodeKind::kBinary, sign.text, sign.line, std::move(left),
                     std::move(right)));
  }
  return left;
}

absl::StatusOr<NodePtr> Parser::ParsePower() {
  SPECINFER_ASSIGN_OR_RETURN(NodePtr left, ParseUnary(/*allows_filter=*/true));
  while (AtOperator("**")) {
    int line = current().line;
    Advance();
    SPECINFER_ASSIGN_OR_RETURN(NodePtr right,
                               ParseUnary(/*allows_filter=*/true));
    SPECINFER_ASSIGN_OR_RETURN(left, Binary(NodeKind::kBinary, "**", line,
                                            std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<NodePtr> Parser::ParseUnary(bool allows_filter) {
  int line = current().line;
  NodePtr node;
  if (AtOperator("-") || AtOperator("+")) {
    node =
        New(AtOperator("-") ? NodeKind::kNegative : NodeKind::kPositive, line);
    Advance();
    if (++nesting_ > kMaxNesting) {
      return TemplateError(
          line, Cat("nesting is deeper than ", kMaxNesting, " levels"));
    }
    SPECINFER_ASSIGN_OR_RETURN(NodePtr operand,
                               ParseUnary(/*allows_filter=*/false));
    --nesting_;
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  } else {
    SPECINFER_ASSIGN_OR_RETURN(node, ParsePrimary());
  }
  SPECINFER_ASSIGN_OR_RETURN(node, ParsePostfix(std::move(node)));
  if (!allows_filter) return node;
  return ParseFilters(std::move(node));
}

absl::StatusOr<NodePtr> Parser::ParsePrimary() {
  const Token& token = current();
  NodePtr node = New(NodeKind::kName, token.line);
  node->text = token.text;
  node->integer = token.integer;
  node->number = token.number;
  switch (token.kind) {
    case TokenKind::kName:
      if (token.text == "true" || token.text == "True" ||
          token.text == "false" || token.text == "False") {
        node->kind = NodeKind::kBool;
        node->integer = token.text[0] == 't' || token.text[0] == 'T';
      } else if (token.text == "none" || token.text == "None") {
        node->kind = NodeKind::kNone;
      }
      Advance();
      return node;
    case TokenKind::kInteger:
      node->kind = NodeKind::kInteger;
      Advance();
      return node;
    case TokenKind::kFloat:
      node->kind = NodeKind::kFloat;
      Advance();
      return node;
    case TokenKind::kString:
      node->kind = NodeKind::kString;
      for (Advance(); current().kind == TokenKind::kString; Advance())
        node->text += current().text;
      return node;
    default:
      break;
  }
  if (SkipOperator("(")) {
    SPECINFER_ASSIGN_OR_RETURN(
        node, ParseTuple(/*allows_conditional=*/true, /*is_bracketed=*/true));
    SPECINFER_RETURN_IF_ERROR(ExpectOperator(")"));
    return node;
  }
  if (AtOperator("[") || AtOperator("{")) return ParseListOrDict();
  return Unexpected("an expression");
}

absl::StatusOr<NodePtr> Parser::ParseListOrDict() {
  bool is_list = AtOperator("[");
  std::string_view end = is_list ? "]" : "}";
  NodePtr node =
      New(is_list ? NodeKind::kList : NodeKind::kDict, current().line);
  Advance();
  while (!AtOperator(end)) {
    if (!node->children.empty()) SPECINFER_RETURN_IF_ERROR(ExpectOperator(","));
    if (AtOperator(end)) break;
    SPECINFER_ASSIGN_OR_RETURN(NodePtr item, ParseExpression());
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(item)));
    if (is_list) continue;
    SPECINFER_RETURN_IF_ERROR(ExpectOperator(":"));
    SPECINFER_ASSIGN_OR_RETURN(NodePtr value, ParseExpression());
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(value)));
  }
  Advance();
  return node;
}

absl::StatusOr<NodePtr> Parser::ParsePostfix(NodePtr operand) {
  while (true) {
    if (AtOperator(".") || AtOperator("[")) {
      SPECINFER_ASSIGN_OR_RETURN(operand, ParseSubscript(std::move(operand)));
    } else if (AtOperator("(")) {
      SPECINFER_ASSIGN_OR_RETURN(operand, ParseCall(std::move(operand)));
    } else {
      return operand;
    }
  }
}

absl::StatusOr<NodePtr> Parser::ParseFilters(NodePtr operand) {
  while (true) {
    if (SkipOperator("|")) {
      SPECINFER_ASSIGN_OR_RETURN(operand, ParseFilter(std::move(operand)));
    } else if (SkipName("is")) {
      SPECINFER_ASSIGN_OR_RETURN(operand, ParseTest(std::move(operand)));
    } else if (AtOperator("(")) {
      SPECINFER_ASSIGN_OR_RETURN(operand, ParseCall(std::move(operand)));
    } else {
      return operand;
    }
  }
}

absl::StatusOr<std::string> Parser::ParseDottedName() {
  SPECINFER_ASSIGN_OR_RETURN(std::string name, ExpectName());
  while (SkipOperator(".")) {
    SPECINFER_ASSIGN_OR_RETURN(std::string part, ExpectName());
    name += Cat(".", part);
  }
  return name;
}

absl::StatusOr<NodePtr> Parser::ParseFilter(NodePtr operand) {
  NodePtr node = New(NodeKind::kFilter, current().line);
  SPECINFER_ASSIGN_OR_RETURN(node->text, ParseDottedName());
  if (!HasFilter(node->text))
    unknown_.Update(AtLine(UnsupportedFilter(node->text), node->line));
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  if (AtOperator("(")) SPECINFER_RETURN_IF_ERROR(ParseArguments(*node));
  return node;
}

absl::StatusOr<NodePtr> Parser::ParseTest(NodePtr operand) {
  NodePtr node = New(NodeKind::kTest, current().line);
  bool is_negated = SkipName("not");
  SPECINFER_ASSIGN_OR_RETURN(node->text, ParseDottedName());
  if (!HasTest(node->text))
    unknown_.Update(AtLine(UnsupportedTest(node->text), node->line));
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  TokenKind kind = current().kind;
  bool is_value = kind == TokenKind::kName || kind == TokenKind::kString ||
                  kind == TokenKind::kInteger || kind == TokenKind::kFloat ||
                  AtOperator("[") || AtOperator("{");
  if (AtOperator("(")) {
    SPECINFER_RETURN_IF_ERROR(ParseArguments(*node));
  } else if (is_value && !AtName("else") && !AtName("or") && !AtName("and")) {
    if (AtName("is")) return Unexpected("one test, not a chain of them");
    Argument argument;
    SPECINFER_ASSIGN_OR_RETURN(NodePtr value, ParsePrimary());
    SPECINFER_ASSIGN_OR_RETURN(argument.value, ParsePostfix(std::move(value)));
    SPECINFER_RETURN_IF_ERROR(AddArgument(*node, std::move(argument)));
  }
  if (!is_negated) return node;
  NodePtr negation = New(NodeKind::kNot, node->line);
  SPECINFER_RETURN_IF_ERROR(Add(*negation, std::move(node)));
  return negation;
}

absl::StatusOr<NodePtr> Parser::ParseSubscript(NodePtr object) {
  int line = current().line;
  if (SkipOperator(".")) {
    NodePtr node = New(NodeKind::kAttribute, line);
    node->text = current().text;
    if (current().kind == TokenKind::kName) {
      Advance();
      SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(object)));
      return node;
    }
    if (current().kind != TokenKind::kInteger)
      return Unexpected("a name or a number");
    node->kind = NodeKind::kItem;
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(object)));
    SPECINFER_ASSIGN_OR_RETURN(NodePtr index, ParsePrimary());
    SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(index)));
    return node;
  }
  Advance();
  NodePtr tuple = New(NodeKind::kTuple, line);
  while (!AtOperator("]")) {
    if (!tuple->children.empty())
      SPECINFER_RETURN_IF_ERROR(ExpectOperator(","));
    SPECINFER_ASSIGN_OR_RETURN(NodePtr index, ParseSubscripted());
    SPECINFER_RETURN_IF_ERROR(Add(*tuple, std::move(index)));
  }
  Advance();
  NodePtr index = tuple->children.size() == 1 ? std::move(tuple->children[0])
                                              : std::move(tuple);
  return Binary(NodeKind::kItem, "", line, std::move(object), std::move(index));
}

absl::StatusOr<NodePtr> Parser::ParseSubscripted() {
  NodePtr slice = New(NodeKind::kSlice, current().line);
  NodePtr bounds[3];
  if (!AtOperator(":")) {
    SPECINFER_ASSIGN_OR_RETURN(bounds[0], ParseExpression());
    if (!AtOperator(":")) return std::move(bounds[0]);
  }
  Advance();
  if (!AtOperator(":") && !AtOperator("]") && !AtOperator(",")) {
    SPECINFER_ASSIGN_OR_RETURN(bounds[1], ParseExpression());
  }
  if (SkipOperator(":") && !AtOperator("]") && !AtOperator(",")) {
    SPECINFER_ASSIGN_OR_RETURN(bounds[2], ParseExpression());
  }
  for (NodePtr& bound : bounds)
    SPECINFER_RETURN_IF_ERROR(Add(*slice, std::move(bound)));
  return slice;
}

absl::StatusOr<NodePtr> Parser::ParseCall(NodePtr callee) {
  NodePtr node = New(NodeKind::kCall, current().line);
  SPECINFER_RETURN_IF_ERROR(Add(*node, std::move(callee)));
  SPECINFER_RETURN_IF_ERROR(ParseArguments(*node));
  return node;
}

absl::Status Parser::ParseArguments(Node& call) {
  SPECINFER_RETURN_IF_ERROR(ExpectOperator("("));
  auto furthest = Argument::Kind::kPositional;
  while (!AtOperator(")")) {
    if (!call.arguments.empty()) {
      SPECINFER_RETURN_IF_ERROR(ExpectOperator(","));
      if (AtOperator(")")) break;
    }
    Argument argument;
    int line = current().line;
    if (SkipOperator("*")) {
      argument.kind = Argument::Kind::kSpread;
    } else if (SkipOperator("**")) {
      argument.kind = Argument::Kind::kSpreadNamed;
    } else if (current().kind == TokenKind::kName &&
               next().kind == TokenKind::kOperator && next().text == "=") {
      argument.kind = Argument::Kind::kNamed;
      argument.name = current().text;
      Advance();
      Advance();
    }
    bool repeats =
        argument.kind == furthest && furthest >= Argument::Kind::kSpread;
    bool follows_spread = argument.kind == Argument::Kind::kNamed &&
                          furthest == Argument::Kind::kSpread;
    if (repeats || (argument.kind < furthest && !follows_spread)) {
      return TemplateError(line,
                           "the arguments of a call are in the wrong order");
    }
    furthest = std::max(furthest, argument.kind);
    SPECINFER_ASSIGN_OR_RETURN(argument.value, ParseExpression());
    SPECINFER_RETURN_IF_ERROR(AddArgument(call, std::move(argument)));
  }
  Advance();
  return absl::OkStatus();
}

}  // namespace specinfer::jinja
