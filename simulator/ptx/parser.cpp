// Module level of PTX: directives, variables with initialisers, function headers. Goes in: tokens; comes out: a Tree
// whose names point into the text.
#include "ptx/parser.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace sim::ptx {
namespace {

constexpr uint64_t kMaxVariableBytes = uint64_t{1} << 31;
constexpr uint64_t kMaxAlign = 1u << 16;

// Prefixes that say who may see a symbol. The simulator links nothing, so only .extern matters.
bool is_linkage(std::string_view directive) {
  return directive == ".visible" || directive == ".extern" || directive == ".weak" || directive == ".common";
}

bool space_of(std::string_view directive, VariableSpace& space) {
  static constexpr std::pair<std::string_view, VariableSpace> kSpaces[] = {
      {".global", VariableSpace::kGlobal}, {".shared", VariableSpace::kShared}, {".const", VariableSpace::kConst},
      {".local", VariableSpace::kLocal},   {".param", VariableSpace::kParam},
  };
  for (const auto& [name, value] : kSpaces)
    if (directive == name) return space = value, true;
  return false;
}

}  // namespace

Tree parse(const Source& source) { return Parser(source).run(); }

Tree Parser::run() {
  while (lexer_.token().kind != Token::Kind::kEnd) {
    if (lexer_.token().kind != Token::Kind::kDirective) lexer_.fail_expected("a directive");
    parse_module_directive();
  }
  name_inline_sites();
  return std::move(tree_);
}

void Parser::parse_module_directive() {
  const Token start = lexer_.token();
  const std::string_view directive = start.text;
  bool is_extern = false;
  if (is_linkage(directive)) {
    is_extern = directive == ".extern";
    lexer_.advance();
    if (lexer_.token().kind != Token::Kind::kDirective) lexer_.fail_expected("a declaration");
  }
  VariableSpace space{};
  if (take_directive_if(".entry")) return parse_function(true);
  if (take_directive_if(".func")) return parse_function(false);
  if (space_of(lexer_.token().text, space)) {
    lexer_.advance();
    return parse_variables(space, is_extern, tree_.variables);
  }
  if (is_linkage(directive)) lexer_.fail_expected("a function or a variable");
  if (directive == ".file") return parse_file();
  if (directive == ".section") return parse_section();
  if (directive == ".loc") return parse_loc();
  if (directive == ".version") {
    lexer_.advance();
    if (lexer_.token().kind != Token::Kind::kFloat64) lexer_.fail_expected("a version such as 9.0");
    lexer_.advance();
  } else if (directive == ".target") {
    lexer_.advance();
    tree_.target = take_name("a target");
    while (take(',')) take_name("a target option");
  } else if (directive == ".address_size") {
    lexer_.advance();
    if (lexer_.token().value != 64) lexer_.fail("only .address_size 64 is supported");
    take_integer("an address size", 64);
  } else if (directive == ".pragma") {
    skip_to_semicolon();
  } else {
    lexer_.fail("unknown directive `" + std::string(directive) + '`');
  }
}

void Parser::parse_function(bool is_entry) {
  Function function;
  function.is_entry = is_entry;
  if (!is_entry && lexer_.at('(')) parse_param_list();  // return values: device functions are not executed
  function.position = lexer_.token().position;
  function.name = take_name("a function name");
  if (lexer_.at('(')) function.params = parse_param_list();
  while (lexer_.token().kind == Token::Kind::kDirective) parse_function_directive(function);
  if (!take(';')) {
    function.has_body = true;
    location_ = {};
    parse_body(function.body);
  }
  tree_.functions.push_back(std::move(function));
}

void Parser::parse_function_directive(Function& function) {
  const std::string_view directive = lexer_.token().text;
  const auto dims = [&](uint32_t (&out)[3]) {
    lexer_.advance();
    std::fill(std::begin(out), std::end(out), 1);
    int count = 0;
    do {
      if (count == 3) lexer_.fail("a shape has at most three dimensions");
      out[count++] = static_cast<uint32_t>(take_integer("a dimension", 0x7fffffff));
    } while (take(','));
  };
  const auto number = [&](uint32_t& out) {
    lexer_.advance();
    out = static_cast<uint32_t>(take_integer("a number", 0x7fffffff));
  };
  uint32_t unused = 0;
  if (directive == ".maxntid") {
    dims(function.maxntid);
  } else if (directive == ".reqntid") {
    dims(function.reqntid);
  } else if (directive == ".reqnctapercluster") {
    dims(function.required_cluster);
  } else if (directive == ".minnctapersm" || directive == ".maxnctapersm") {
    number(directive == ".minnctapersm" ? function.min_ctas_per_sm : unused);
  } else if (directive == ".maxnreg") {
    number(function.max_nreg);
  } else if (directive == ".abi_preserve" || directive == ".abi_preserve_control") {
    number(unused);
  } else if (directive == ".maxclusterrank") {
    number(function.max_cluster_rank);
  } else if (directive == ".explicitcluster") {
    lexer_.advance();
    function.is_explicit_cluster = true;
  } else if (directive == ".blocksareclusters") {
    lexer_.advance();
    function.blocks_are_clusters = true;
  } else if (directive == ".noreturn") {
    lexer_.advance();
  } else if (directive == ".pragma") {
    skip_to_semicolon();
  } else {
    lexer_.fail("unknown directive `" + std::string(directive) + '`');
  }
}

std::vector<Variable> Parser::parse_param_list() {
  std::vector<Variable> params;
  expect('(');
  if (take(')')) return params;
  do {
    const std::string_view kind = take_directive("`.param` or `.reg`");
    if (kind != ".param" && kind != ".reg") lexer_.fail_expected("`.param` or `.reg`");
    params.push_back(parse_variable(VariableSpace::kParam, false));
  } while (take(','));
  expect(')');
  return params;
}

void Parser::parse_variables(VariableSpace space, bool is_extern, std::vector<Variable>& out) {
  out.push_back(parse_variable(space, is_extern));
  expect(';');
}

// [.align N] [.v2|.v4] .type [.ptr [.space] [.align N]] name [dims] [= values]
Variable Parser::parse_variable(VariableSpace space, bool is_extern) {
  Variable variable;
  variable.space = space;
  variable.is_extern = is_extern;
  const auto take_align = [&] {
    const uint64_t align = take_integer("an alignment", kMaxAlign);
    if (align == 0 || (align & (align - 1)) != 0) lexer_.fail("an alignment is a power of two");
    return static_cast<uint32_t>(align);
  };
  uint32_t align = 0;
  uint64_t lanes = 1;
  while (take_directive_if(".attribute")) {
    expect('(');
    while (!take(')')) {
      if (lexer_.token().kind == Token::Kind::kEnd) lexer_.fail_expected("`)`");
      if (take_directive_if(".managed"))
        variable.is_managed = true;
      else
        lexer_.advance();
    }
  }
  if (take_directive_if(".align")) align = take_align();
  if (take_directive_if(".v2")) lanes = 2;
  if (take_directive_if(".v4")) lanes = 4;
  variable.type = take_type();
  if (variable.type.kind == 'p' && space != VariableSpace::kParam) lexer_.fail("a predicate has no address");
  if (take_directive_if(".align")) align = take_align();
  if (take_directive_if(".ptr")) {  // says what a kernel parameter points at; the address itself is 8 bytes
    VariableSpace pointee{};
    if (space_of(lexer_.token().text, pointee)) lexer_.advance();
    if (take_directive_if(".align")) take_align();
  }
  const uint64_t element_bytes = std::max<uint64_t>(variable.type.bits / 8, 1);
  variable.position = lexer_.token().position;
  variable.name = take_name("a variable name");
  uint64_t elements = lanes;
  bool is_unsized = false;
  while (take('[')) {
    if (take(']')) {
      is_unsized = true;
      continue;
    }
    const uint64_t extent = parse_constant();
    if (extent > kMaxVariableBytes || elements * extent * element_bytes > kMaxVariableBytes)
      lexer_.fail("this variable is larger than 2 GiB");
    elements *= extent;
    expect(']');
  }
  variable.align = align != 0 ? align : static_cast<uint32_t>(lanes * element_bytes);
  if (take('=')) {
    parse_initialiser(variable, is_unsized ? kMaxVariableBytes / element_bytes : elements);
    if (is_unsized) elements = variable.values.size(), is_unsized = false;
  }
  variable.bytes = is_unsized ? 0 : elements * element_bytes;
  return variable;
}

void Parser::parse_initialiser(Variable& variable, uint64_t elements) {
  if (variable.space != VariableSpace::kGlobal && variable.space != VariableSpace::kConst)
    lexer_.fail("only .global and .const variables can be initialised");
  parse_values(variable);
  if (variable.values.size() > elements)
    lexer_.fail("the initialiser has " + std::to_string(variable.values.size()) + " values for " +
                std::to_string(elements) + " elements");
}

void Parser::parse_values(Variable& variable) {
  const Nesting nesting(*this);
  if (take('{')) {  // nested braces of multi-dimensional arrays: nvcc writes every element, so they flatten
    if (take('}')) return;
    do {
      parse_values(variable);
    } while (take(','));
    return expect('}');
  }
  const Token token = lexer_.token();
  if (token.kind == Token::Kind::kName && token.text != "WARP_SZ") {
    lexer_.advance();
    Variable::Relocation relocation{variable.values.size(), token.text, token.position};
    if (token.text == "generic") {
      expect('(');
      relocation.symbol = take_name("a symbol");
      expect(')');
    }
    uint64_t addend = 0;
    if (lexer_.at('+') || lexer_.at('-')) {
      const bool is_minus = lexer_.at('-');
      lexer_.advance();
      addend = is_minus ? 0 - parse_constant() : parse_constant();
    }
    variable.relocations.push_back(relocation);
    variable.values.push_back(addend);
    return;
  }
  const Operand value = parse_number_operand();
  const bool is_narrowed = value.kind == Operand::Kind::kFloat64 && variable.type.bits == 32;
  variable.values.push_back(
      is_narrowed ? std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(value.value))) : value.value);
}

std::string_view Parser::take_name(std::string_view what) {
  if (lexer_.token().kind != Token::Kind::kName) lexer_.fail_expected(what);
  const std::string_view name = lexer_.token().text;
  lexer_.advance();
  return name;
}

std::string_view Parser::take_directive(std::string_view what) {
  if (lexer_.token().kind != Token::Kind::kDirective) lexer_.fail_expected(what);
  const std::string_view text = lexer_.token().text;
  lexer_.advance();
  return text;
}

uint64_t Parser::take_integer(std::string_view what, uint64_t limit) {
  if (lexer_.token().kind != Token::Kind::kInteger) lexer_.fail_expected(what);
  const uint64_t value = lexer_.token().value;
  if (value > limit) lexer_.fail(std::string(what) + " of at most " + std::to_string(limit) + " was expected");
  lexer_.advance();
  return value;
}

void Parser::expect(char punct) {
  if (!take(punct)) lexer_.fail_expected(std::string{'`', punct, '`'});
}

bool Parser::take(char punct) {
  if (!lexer_.at(punct)) return false;
  lexer_.advance();
  return true;
}

bool Parser::take_directive_if(std::string_view text) {
  if (!lexer_.at_directive(text)) return false;
  lexer_.advance();
  return true;
}

Type Parser::take_type() {
  if (lexer_.token().kind != Token::Kind::kDirective) lexer_.fail_expected("a type");
  std::string_view text = lexer_.token().text.substr(1);
  Type type;
  if (text == "pred") {
    type = {'p', 1};
  } else {
    static constexpr std::pair<std::string_view, Type> kNamed[] = {
        {"f16x2", {'f', 32}}, {"bf16", {'f', 16}}, {"bf16x2", {'f', 32}}, {"tf32", {'f', 32}}};
    const auto* named =
        std::find_if(std::begin(kNamed), std::end(kNamed), [&](auto& row) { return row.first == text; });
    int bits = 0;
    if (named != std::end(kNamed)) {
      type = named->second;
    } else {
      const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), bits);
      const bool is_size = bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128;
      if (error != std::errc{} || end != text.data() + text.size() || !is_size ||
          std::string_view("busf").find(text[0]) == std::string_view::npos)
        lexer_.fail("unknown type `" + std::string(lexer_.token().text) + '`');
      type = {text[0], static_cast<uint16_t>(bits)};
    }
  }
  lexer_.advance();
  return type;
}

void Parser::skip_to_semicolon() {
  while (!take(';')) {
    if (lexer_.token().kind == Token::Kind::kEnd) lexer_.fail_expected("`;`");
    lexer_.advance();
  }
}

}  // namespace sim::ptx
