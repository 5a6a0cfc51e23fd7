// A parsed template: a tree of plain nodes that never changes after parsing.
#ifndef SPECINFER_SRC_TEXT_JINJA_AST_H_
#define SPECINFER_SRC_TEXT_JINJA_AST_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

namespace specinfer::jinja {

struct Node;
using NodePtr = std::unique_ptr<Node>;

// Beside each kind: what its children are; [x] may be null.
enum class NodeKind : uint8_t {
  // Statements.
  kBody,         // statements
  kText,         // text: what to write
  kOutput,       // expression
  kIf,           // condition, body, condition, body, ..., [else body]
  kFor,          // target, iterated, [condition], body, [else body]
  kSet,          // target, expression
  kSetBlock,     // target, [filter around kCaptured], body
  kMacro,        // text: name; arguments: parameters; body
  kCallBlock,    // arguments: parameters; call, body
  kFilterBlock,  // filter around kCaptured, body
  kWith,         // target, expression, ..., body
  kBreak,
  kContinue,
  // Expressions.
  kNone,
  kBool,         // integer
  kInteger,      // integer
  kFloat,        // number
  kString,       // text
  kName,         // text
  kCaptured,     // what a block has just written
  kTuple,        // items
  kList,         // items
  kDict,         // key, value, ...
  kAttribute,    // object; text: name; as a target: of a namespace
  kItem,         // object, subscript
  kSlice,        // [start], [stop], [step]
  kCall,         // callee; arguments
  kFilter,       // operand; text: name; arguments
  kTest,         // operand; text: name; arguments
  kNot,          // operand
  kNegative,     // operand
  kPositive,     // operand
  kAnd,          // left, right
  kOr,           // left, right
  kBinary,       // text: operator; left, right
  kConcat,       // operands
  kCompare,      // operands; operators between them
  kConditional,  // condition, value, [other value]
};

enum class Comparison : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn
};

struct Argument {
  enum class Kind : uint8_t { kPositional, kNamed, kSpread, kSpreadNamed };
  Kind kind = Kind::kPositional;
  std::string name;
  NodePtr value;  // of a parameter: its default, or null
};

struct Node {
  NodeKind kind;
  int line;
  // Levels of nodes below and including this one; bounded, so walking and
  // destroying the tree is safe.
  int height = 1;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<NodePtr> children;
  std::vector<Argument> arguments;
  std::vector<Comparison> comparisons;
};

}  // namespace specinfer::jinja

#endif  // SPECINFER_SRC_TEXT_JINJA_AST_H_
