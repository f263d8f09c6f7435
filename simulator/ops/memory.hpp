// The parts of memory_forms(), and what they share.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "machine/warp.hpp"
#include "ops/form.hpp"

namespace sim {

std::span<const Form> atomic_forms();   // atom, red: atomic.cpp
std::span<const Form> address_forms();  // cvta, isspacep, mapa, prefetch, createpolicy ...: address.cpp

// The state space that an opcode names; none: generic.
Space space_of(const ptx::Statement& s);

// Rows whose patterns are put together from parts. Rows keep views into it, so it lives as long as they.
class FormList {
 public:
  void add(std::string pattern, std::string operands, Bind bind, Unit unit, const char* isa) {
    forms_.push_back({keep(std::move(pattern)), keep(std::move(operands)), nullptr, bind, unit, isa});
  }
  void add(std::span<const Form> forms) { forms_.insert(forms_.end(), forms.begin(), forms.end()); }
  std::span<const Form> forms() const { return forms_; }

 private:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  std::deque<std::string> texts_;
  std::vector<Form> forms_;
};

}  // namespace sim
