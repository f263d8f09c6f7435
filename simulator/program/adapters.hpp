// The instructions that lowering adds where ld, st and cvt name registers wider than their type (PTX ISA 9.4.1).
#pragma once

#include <cstdint>

#include "program/program.hpp"

namespace sim::lowering {

// d = the low `from` bits of a, sign- or zero-extended, cut to `to` bits. d and a are 4- or 8-byte slots.
struct Resize {
  uint16_t from, to;
  bool is_signed;
  bool is_source_wide, is_destination_wide;  // 8-byte slots

  Handler handler() const;
  int64_t imm() const { return from | to << 8; }
};

}  // namespace sim::lowering
