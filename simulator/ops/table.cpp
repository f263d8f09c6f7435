// The instruction table of this simulator, with the build of the handlers that the processor runs fastest.
#include "ops/table.hpp"

#include <stdexcept>

#include "numerics/isa.hpp"

namespace sim {

const FormTable& form_table() {
  static const FormTable table = [] {
    if (!numerics::isa_error().empty()) throw std::runtime_error(numerics::isa_error());
    switch (numerics::isa()) {
      case numerics::Isa::kAvx512:
        return FormTable(avx512::form_groups());
      case numerics::Isa::kAvx2:
        return FormTable(avx2::form_groups());
      default:
        return FormTable(baseline::form_groups());
    }
  }();
  return table;
}

const Form* find_form(std::string_view dotted_opcode) {
  const auto found = form_table().find(dotted_opcode);
  return found.empty() ? nullptr : found.front();
}

}  // namespace sim
