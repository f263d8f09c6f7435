// Prints the instruction table, a row a line: section of the ISA, unit, pattern, operands. What page.py reads.
#include <cstdio>

#include "ops/table.hpp"
#include "tests/forms.hpp"

int main() {
  for (const sim::Form* row : sim::form_table().rows())
    std::printf("%.*s\t%s\n", static_cast<int>(row->isa.size()), row->isa.data(), sim::test::form_key(*row).c_str());
  return 0;
}
