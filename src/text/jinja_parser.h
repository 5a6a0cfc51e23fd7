// Builds the tree of a template from its tokens. Nesting is bounded; a
// construct that cannot run is an error that names it.
#ifndef SPECINFER_SRC_TEXT_JINJA_PARSER_H_
#define SPECINFER_SRC_TEXT_JINJA_PARSER_H_

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "src/text/jinja_ast.h"
#include "src/text/jinja_lexer.h"

namespace specinfer::jinja {

class Parser {
 public:
  // REQUIRES: `tokens` ends with kEnd.
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // May be called once.
  absl::StatusOr<NodePtr> Parse();

 private:
  using Words = std::initializer_list<std::string_view>;

  // Tokens.
  const Token& current() const { return tokens_[position_]; }
  const Token& next() const {
    return tokens_[position_ + (current().kind != TokenKind::kEnd)];
  }
  void Advance() { position_ += current().kind != TokenKind::kEnd; }
  bool AtOperator(std::string_view text) const;
  bool AtName(std::string_view text) const;
  bool SkipOperator(std::string_view text);
  bool SkipName(std::string_view text);
  absl::Status Expect(TokenKind kind, std::string_view what);
  absl::Status ExpectOperator(std::string_view text);
  absl::StatusOr<std::string> ExpectName();
  absl::Status Unexpected(std::string_view wanted) const;

  // Nodes.
  static NodePtr New(NodeKind kind, int line);
  absl::Status Add(Node& parent, NodePtr child);
  absl::Status AddArgument(Node& parent, Argument argument);

  // Statements (jinja_parser.cc).
  absl::StatusOr<NodePtr> ParseBody(Words ends);
  absl::StatusOr<NodePtr> ParseBlock(Words ends);
  absl::StatusOr<NodePtr> ParseStatement();
  absl::StatusOr<NodePtr> ParseIf();
  absl::StatusOr<NodePtr> ParseFor();
  absl::StatusOr<NodePtr> ParseSet();
  absl::StatusOr<NodePtr> ParseMacro();
  absl::StatusOr<NodePtr> ParseCallBlock();
  absl::StatusOr<NodePtr> ParseFilterBlock();
  absl::StatusOr<NodePtr> ParseWith();
  absl::StatusOr<NodePtr> ParseGeneration();
  absl::StatusOr<NodePtr> ParseTarget(bool allows_namespace);
  absl::Status ParseParameters(Node& macro);
  absl::Status CheckEnd(std::string_view end);

  // Expressions (jinja_expression_parser.cc).
  absl::StatusOr<NodePtr> ParseTuple(bool allows_conditional, bool is_bracketed,
                                     std::string_view end_name = {});
  absl::StatusOr<NodePtr> ParseExpression();
  absl::StatusOr<NodePtr> ParseOr();
  absl::StatusOr<NodePtr> ParseAnd();
  absl::StatusOr<NodePtr> ParseNot();
  absl::StatusOr<NodePtr> ParseCompare();
  absl::StatusOr<NodePtr> ParseSum();
  absl::StatusOr<NodePtr> ParseConcat();
  absl::StatusOr<NodePtr> ParseProduct();
  absl::StatusOr<NodePtr> ParsePower();
  absl::StatusOr<NodePtr> ParseUnary(bool allows_filter);
  absl::StatusOr<NodePtr> ParsePrimary();
  absl::StatusOr<NodePtr> ParseListOrDict();
  absl::StatusOr<NodePtr> ParsePostfix(NodePtr operand);
  absl::StatusOr<NodePtr> ParseFilters(NodePtr operand);
  absl::StatusOr<NodePtr> ParseFilter(NodePtr operand);
  absl::StatusOr<NodePtr> ParseTest(NodePtr operand);
  absl::StatusOr<NodePtr> ParseSubscript(NodePtr object);
  absl::StatusOr<NodePtr> ParseSubscripted();
  absl::StatusOr<NodePtr> ParseCall(NodePtr callee);
  absl::Status ParseArguments(Node& call);
  absl::StatusOr<NodePtr> Binary(NodeKind kind, std::string_view name, int line,
                                 NodePtr left, NodePtr right);
  absl::StatusOr<std::string> ParseDottedName();
  bool AtTupleEnd(std::string_view end_name) const;

  std::vector<Token> tokens_;
  size_t position_ = 0;
  int nesting_ = 0;
  int num_loops_ = 0;
  // The first unknown filter or test. Inside an if (statement or expression) it
  // is forgotten: there it is an error only when it is reached.
  absl::Status unknown_;
};

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_PARSER_H_
