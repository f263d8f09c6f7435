// The recursive-descent parser, shared by parser.cpp (module level), parser_body.cpp (statements, operands) and
// parser_debug.cpp (.file, .loc, .section).
#pragma once

#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ptx/lexer.hpp"
#include "ptx/module_ast.hpp"

namespace sim::ptx {

class Parser {
 public:
  explicit Parser(const Source& source) : lexer_(source) {}
  Tree run();

 private:
  // parser.cpp
  void parse_module_directive();
  void parse_function(bool is_entry);
  void parse_function_directive(Function& function);
  void parse_variables(VariableSpace space, bool is_extern, std::vector<Variable>& out);
  Variable parse_variable(VariableSpace space, bool is_extern);
  void parse_initialiser(Variable& variable, uint64_t elements);
  void parse_values(Variable& variable);
  std::vector<Variable> parse_param_list();

  // parser_body.cpp
  void parse_body(Body& body);
  void parse_body_directive(Body& body, std::string_view pending_label);
  void parse_registers(Body& body);
  void parse_statement(Body& body);
  Operand parse_operand(bool is_call);
  Operand parse_name_operand();
  Operand parse_number_operand();
  Operand parse_address();
  Operand parse_list(char close);
  uint64_t parse_constant(int minimum_precedence = 0);
  uint64_t parse_constant_atom();
  uint64_t parse_constant_tail(uint64_t value, int minimum_precedence);

  // parser_debug.cpp
  void parse_file();
  void parse_loc();
  void parse_section();
  void name_inline_sites();

  std::string_view take_name(std::string_view what);
  std::string_view take_directive(std::string_view what);
  uint64_t take_integer(std::string_view what, uint64_t limit);
  void expect(char punct);
  bool take(char punct);
  bool take_directive_if(std::string_view text);
  Type take_type();
  void skip_to_semicolon();

  // Counts how deep parentheses and braces nest; hostile input must not overflow the stack.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : depth_(parser.depth_) {
      if (++depth_ > kMaxNesting) parser.lexer_.fail("nested more than " + std::to_string(kMaxNesting) + " deep");
    }
    ~Nesting() { --depth_; }

   private:
    static constexpr int kMaxNesting = 64;
    int& depth_;
  };

  Lexer lexer_;
  int depth_ = 0;
  Tree tree_;
  SourceLocation location_;  // of the last .loc
  std::unordered_map<uint64_t, int32_t>
      site_of_position_;  // file, line, column of a .loc -> the site it was inlined at
  std::map<std::tuple<uint64_t, int32_t, std::string_view>, int32_t> site_of_call_;  // caller, its site, function label
  std::vector<std::string_view> site_labels_;  // parallel to inline_sites: label of the name in .debug_str
  std::string_view debug_strings_;             // body of .section .debug_str
};

}  // namespace sim::ptx
