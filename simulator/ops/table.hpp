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

// The parts of this simulator's table: one for each function of form.hpp, in that order.
enum class Group : uint8_t {
  kAlu,
  kFloat,
  kCompare,
  kConvert,
  kMemory,
  kControl,
  kWarp,
  kMatrix,
  kMma,
  kMmaDouble,
  kMmaInteger,
  kConvertNarrow,
  kAsync,
};

class FormTable {
 public:
  explicit FormTable(std::span<const std::span<const Form>> groups);

  // Rows whose pattern admits the opcode, in table order: more than one only when their operands differ.
  std::vector<const Form*> find(std::string_view dotted_opcode) const;
  const std::vector<const Form*>& rows() const { return rows_; }
  std::span<const Form> group(Group group) const { return groups_.at(static_cast<size_t>(group)); }

 private:
  std::vector<std::span<const Form>> groups_;
  std::vector<const Form*> rows_;
  std::unordered_map<std::string, std::vector<const Form*>> by_first_token_;
};

// The handlers are compiled once for each instruction set (numerics/isa.hpp). rows.cpp has form_groups(); the build
// gives it the name of its instruction set and hides everything else, so that no function of one build serves another.
std::span<const std::span<const Form>> form_groups();
namespace baseline {
std::span<const std::span<const Form>> form_groups();
}
namespace avx2 {
std::span<const std::span<const Form>> form_groups();
}
namespace avx512 {
std::span<const std::span<const Form>> form_groups();
}

// The table of this simulator. Throws std::runtime_error where B12X_SIM_ISA asks for what the processor lacks.
const FormTable& form_table();

bool pattern_matches(std::string_view pattern, std::string_view opcode);

}  // namespace sim
