// Function bodies: scopes, declarations, labels, statements and their operands.
#include <iterator>

#include "ptx/parser.hpp"

namespace sim::ptx {
namespace {

constexpr uint64_t kMaxRegisters = 1u << 20;

// Binary operators of constant expressions, by rising precedence as in C.
struct Operator {
  std::string_view spelling;
  int precedence;
  uint64_t (*apply)(uint64_t, uint64_t);
};
constexpr Operator kOperators[] = {
    {"|", 1, [](uint64_t a, uint64_t b) { return a | b; }},
    {"^", 2, [](uint64_t a, uint64_t b) { return a ^ b; }},
    {"&", 3, [](uint64_t a, uint64_t b) { return a & b; }},
    {"<<", 4, [](uint64_t a, uint64_t b) { return b < 64 ? a << b : 0; }},
    {">>", 4, [](uint64_t a, uint64_t b) { return b < 64 ? a >> b : 0; }},
    {"+", 5, [](uint64_t a, uint64_t b) { return a + b; }},
    {"-", 5, [](uint64_t a, uint64_t b) { return a - b; }},
    {"*", 6, [](uint64_t a, uint64_t b) { return a * b; }},
};
constexpr int kTermPrecedence = 6;  // binds tighter than + and -

}  // namespace

void Parser::parse_body(Body& body) {
  expect('{');
  for (int depth = 1; depth > 0;) {
    const Token token = lexer_.token();
    switch (token.kind) {
      case Token::Kind::kName:
        if (!lexer_.take_label_colon()) {
          parse_statement(body);
        } else {
          lexer_.advance();
          if (lexer_.at_directive(".branchtargets") || lexer_.at_directive(".callprototype") ||
              lexer_.at_directive(".calltargets")) {
            parse_body_directive(body, token.text);
          } else {
            body.items.push_back({Item::Kind::kLabel, static_cast<uint32_t>(body.labels.size())});
            body.labels.push_back({token.text, token.position});
          }
        }
        break;
      case Token::Kind::kDirective:
        parse_body_directive(body, {});
        break;
      default:
        if (lexer_.at('@')) {
          parse_statement(body);
        } else if (take('{')) {
          body.items.push_back({Item::Kind::kOpen});
          ++depth;
        } else if (lexer_.at('}')) {
          // The function's own brace is not a scope. Nothing may be read past it: the next function starts there.
          lexer_.advance();
          if (--depth > 0) body.items.push_back({Item::Kind::kClose});
        } else if (!take(';')) {
          lexer_.fail_expected("a statement or `}`");
        }
    }
  }
}

void Parser::parse_body_directive(Body& body, std::string_view label) {
  const std::string_view directive = lexer_.token().text;
  const auto variable = [&](VariableSpace space, bool is_extern) {
    lexer_.advance();
    body.items.push_back({Item::Kind::kVariable, static_cast<uint32_t>(body.variables.size())});
    body.variables.push_back(parse_variable(space, is_extern));
    expect(';');
  };
  if (directive == ".loc") {
    parse_loc();
  } else if (directive == ".reg") {
    parse_registers(body);
  } else if (directive == ".shared") {
    variable(VariableSpace::kShared, false);
  } else if (directive == ".local") {
    variable(VariableSpace::kLocal, false);
  } else if (directive == ".param") {
    variable(VariableSpace::kParam, false);
  } else if (directive == ".global") {
    variable(VariableSpace::kGlobal, false);
  } else if (directive == ".const") {
    variable(VariableSpace::kConst, false);
  } else if (directive == ".extern") {
    lexer_.advance();
    if (!lexer_.at_directive(".shared")) lexer_.fail_expected("`.shared`");
    variable(VariableSpace::kShared, true);
  } else if (directive == ".branchtargets" && !label.empty()) {
    lexer_.advance();
    BranchTable table{label, {}};
    do {
      const Position position = lexer_.token().position;
      table.targets.push_back({take_name("a label"), position});
    } while (take(','));
    expect(';');
    body.items.push_back({Item::Kind::kBranchTable, static_cast<uint32_t>(body.tables.size())});
    body.tables.push_back(std::move(table));
  } else if (directive == ".pragma" || directive == ".callprototype" || directive == ".calltargets") {
    skip_to_semicolon();
  } else {
    lexer_.fail("unknown directive `" + std::string(directive) + '`');
  }
}

// .reg .b32 %r<12>, a, b;
void Parser::parse_registers(Body& body) {
  lexer_.advance();
  if (lexer_.at_directive(".v2") || lexer_.at_directive(".v4"))
    lexer_.fail("vector registers are not supported: declare one register per component");
  const Type type = take_type();
  do {
    RegisterDecl decl{{}, type, 0, lexer_.token().position};
    decl.name = take_name("a register name");
    if (take('<')) {
      decl.count = static_cast<uint32_t>(take_integer("a register count", kMaxRegisters));
      if (decl.count == 0) lexer_.fail("a register range has at least one register");
      expect('>');
    }
    body.items.push_back({Item::Kind::kRegisters, static_cast<uint32_t>(body.registers.size())});
    body.registers.push_back(decl);
  } while (take(','));
  expect(';');
}

void Parser::parse_statement(Body& body) {
  Statement statement;
  if (take('@')) {
    statement.is_guard_negated = take('!');
    statement.guard = take_name("a predicate");
  }
  if (lexer_.token().kind != Token::Kind::kName) lexer_.fail_expected("an instruction");
  statement.position = lexer_.token().position;
  const size_t begin = lexer_.token_offset();
  lexer_.take_opcode(statement);
  const bool is_call = statement.tokens[0] == "call";
  if (!lexer_.at(';')) {
    do {
      statement.operands.push_back(parse_operand(is_call));
    } while (take(','));
  }
  statement.text = lexer_.text_between(begin, lexer_.previous_end());
  expect(';');
  body.items.push_back({Item::Kind::kStatement, static_cast<uint32_t>(body.statements.size())});
  body.statements.push_back(std::move(statement));
  body.locations.push_back(location_);
  body.locations.back().ptx_line = body.statements.back().position.line;
}

Operand Parser::parse_operand(bool is_call) {
  const Token& token = lexer_.token();
  if (lexer_.at('[')) return parse_address();
  if (lexer_.at('{')) return parse_list('}');
  if (lexer_.at('(') && is_call) return parse_list(')');
  if (token.kind == Token::Kind::kName && token.text != "WARP_SZ") return parse_name_operand();
  if (lexer_.at('!')) {
    lexer_.advance();
    if (lexer_.token().kind != Token::Kind::kName) lexer_.fail_expected("a predicate");
    Operand operand = parse_name_operand();
    operand.is_negated = true;
    return operand;
  }
  return parse_number_operand();
}

// name, name + constant, _, or a pair a|b
Operand Parser::parse_name_operand() {
  const auto name = [&] {
    Operand operand;
    operand.position = lexer_.token().position;
    operand.name = take_name("a name");
    if (operand.name == "_") operand.kind = Operand::Kind::kSink;
    return operand;
  };
  Operand first = name();
  if (lexer_.at('+')) {
    lexer_.advance();
    first.value = parse_constant();
    return first;
  }
  if (!take('|')) return first;
  Operand pair;
  pair.kind = Operand::Kind::kPair;
  pair.position = first.position;
  pair.parts.push_back(std::move(first));
  pair.parts.push_back(name());
  return pair;
}

// An integer expression, a float, or `-` before a float or a register.
Operand Parser::parse_number_operand() {
  Operand operand;
  operand.position = lexer_.token().position;
  const auto is_float = [&] {
    return lexer_.token().kind == Token::Kind::kFloat32 || lexer_.token().kind == Token::Kind::kFloat64;
  };
  bool is_minus = false;
  if (lexer_.at('-')) {
    lexer_.advance();
    is_minus = true;
    if (lexer_.token().kind == Token::Kind::kName && lexer_.token().text != "WARP_SZ") {
      operand = parse_name_operand();
      operand.is_minus = true;
      return operand;
    }
  }
  if (is_float()) {
    const bool is_double = lexer_.token().kind == Token::Kind::kFloat64;
    operand.kind = is_double ? Operand::Kind::kFloat64 : Operand::Kind::kFloat32;
    operand.value = lexer_.token().value;
    if (is_minus) operand.value ^= uint64_t{1} << (is_double ? 63 : 31);
    lexer_.advance();
    return operand;
  }
  operand.kind = Operand::Kind::kInteger;
  const uint64_t first = parse_constant_atom();
  operand.value = parse_constant_tail(is_minus ? 0 - first : first, 0);
  return operand;
}

// [base], [base + constant], [map, {coordinates}]
Operand Parser::parse_address() {
  Operand operand;
  operand.kind = Operand::Kind::kAddress;
  operand.position = lexer_.token().position;
  expect('[');
  Operand base;
  base.position = lexer_.token().position;
  if (lexer_.token().kind == Token::Kind::kName) {
    base.name = take_name("a name");
  } else {
    base.kind = Operand::Kind::kInteger;
    base.value = parse_constant();
  }
  operand.parts.push_back(std::move(base));
  while (lexer_.at('+') || lexer_.at('-')) {
    const bool is_minus = lexer_.at('-');
    lexer_.advance();
    const uint64_t term = parse_constant(kTermPrecedence);
    operand.value += is_minus ? 0 - term : term;
  }
  if (take(',')) {
    operand.kind = Operand::Kind::kTensor;
    if (!lexer_.at('{')) lexer_.fail_expected("the coordinates `{`");
    operand.parts.push_back(parse_list('}'));
  }
  expect(']');
  return operand;
}

Operand Parser::parse_list(char close) {
  Operand operand;
  operand.kind = Operand::Kind::kVector;
  operand.position = lexer_.token().position;
  lexer_.advance();
  if (take(close)) return operand;
  operand.parts.reserve(4);
  do {
    if (lexer_.at('{') || lexer_.at('[')) lexer_.fail_expected("a register or a constant");
    operand.parts.push_back(parse_operand(false));
  } while (take(','));
  expect(close);
  return operand;
}

uint64_t Parser::parse_constant(int minimum_precedence) {
  return parse_constant_tail(parse_constant_atom(), minimum_precedence);
}

uint64_t Parser::parse_constant_atom() {
  const Nesting nesting(*this);
  if (take('-')) return 0 - parse_constant_atom();
  if (take('~')) return ~parse_constant_atom();
  uint64_t value = 0;
  if (take('(')) {
    value = parse_constant(0);
    expect(')');
  } else if (lexer_.token().kind == Token::Kind::kName && lexer_.token().text == "WARP_SZ") {
    lexer_.advance();
    value = kWarpSize;
  } else {
    if (lexer_.token().kind != Token::Kind::kInteger) lexer_.fail_expected("an operand");
    value = lexer_.token().value;
    lexer_.advance();
  }
  return value;
}

// The operators behind `value` that bind at least as tightly as `minimum_precedence`.
uint64_t Parser::parse_constant_tail(uint64_t value, int minimum_precedence) {
  for (;;) {
    const Operator* found = nullptr;
    for (const Operator& candidate : kOperators)
      if (lexer_.at(candidate.spelling[0]) && candidate.precedence >= minimum_precedence) found = &candidate;
    if (found == nullptr) return value;
    lexer_.advance();
    if (found->spelling.size() == 2 && !take(found->spelling[1])) lexer_.fail_expected("a shift");
    value = found->apply(value, parse_constant(found->precedence + 1));
  }
}

}  // namespace sim::ptx
