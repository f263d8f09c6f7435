// PTX text to tokens, one at a time. Debug sections (a hundred thousand lines with -lineinfo) never become tokens: the
// parser asks to jump over their bodies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ptx/ast.hpp"

namespace sim::ptx {

// The text being read, and the one way to complain about it.
struct Source {
  std::string_view name;  // file name for messages
  std::string_view text;

  // Throws Error: "name:line:column: what", the source line, a caret.
  [[noreturn]] void fail(Position position, const std::string& what) const;
};

struct Token {
  enum class Kind : uint8_t {
    kEnd,
    kName,       // identifier: foo, %r1, $L__BB0_1, _, %tid.x
    kDirective,  // .reg, .b32, .debug_str; `text` starts with the dot
    kInteger,    // `value`
    kFloat32,    // bits in `value`
    kFloat64,
    kString,  // `text` without the quotes
    kPunct,   // one character
  };
  Kind kind = Kind::kEnd;
  std::string_view text;
  uint64_t value = 0;
  Position position;
};

class Lexer {
 public:
  explicit Lexer(const Source& source);

  const Token& token() const { return token_; }
  void advance();
  bool at(char punct) const { return token_.kind == Token::Kind::kPunct && token_.text[0] == punct; }
  bool at_directive(std::string_view text) const {
    return token_.kind == Token::Kind::kDirective && token_.text == text;
  }

  // Whether the current name is followed by a colon that is not `::`; then the colon is skipped too.
  bool take_label_colon();

  // The current token is the name an opcode begins with: reads the rest of the dotted form into `statement` (white
  // space around dots is dropped) and advances to the first operand.
  void take_opcode(Statement& statement);

  // The current token is the `{` of a section: moves behind the matching `}` and returns what lies between.
  std::string_view take_braced_text();

  // Statements take their text from the source: offset of the current token, end of the one before it.
  size_t token_offset() const { return static_cast<size_t>(token_.text.data() - source_.text.data()); }
  size_t previous_end() const { return previous_end_; }
  std::string_view text_between(size_t begin, size_t end) const { return source_.text.substr(begin, end - begin); }

  [[noreturn]] void fail(const std::string& what) const { source_.fail(token_.position, what); }
  [[noreturn]] void fail_expected(std::string_view wanted) const;

 private:
  void skip_space();
  void read_number(size_t start);
  Position position_of(size_t offset) const { return {line_, static_cast<uint32_t>(offset - line_start_ + 1)}; }
  char char_at(size_t offset) const { return offset < source_.text.size() ? source_.text[offset] : '\0'; }

  const Source& source_;
  size_t cursor_ = 0;
  size_t previous_end_ = 0;
  size_t line_start_ = 0;
  uint32_t line_ = 1;
  Token token_;
};

}  // namespace sim::ptx
