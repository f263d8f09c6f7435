// The joined instruction table. Rows are patterns ("ld.[global|shared][.nc|].u32"); a dotted opcode is matched against
// the rows that share its first token. Nothing is expanded: the rows stand for millions of opcodes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ops/form.hpp"

namespace sim {

class FormTable {
 public:
  explicit FormTable(std::span<const std::span<const Form>> groups);

  // Rows whose pattern admits the opcode, in table order: more than one only when their operands differ.
  std::vector<const Form*> find(std::string_view dotted_opcode) const;
  const std::vector<const Form*>& rows() const { return rows_; }

 private:
  std::vector<const Form*> rows_;
  std::unordered_map<std::string, std::vector<const Form*>> by_first_token_;
};

// The table of this simulator. Throws std::runtime_error on a processor that cannot run the handlers.
const FormTable& form_table();

bool pattern_matches(std::string_view pattern, std::string_view opcode);

}  // namespace sim
