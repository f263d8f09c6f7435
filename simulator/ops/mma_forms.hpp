// What the opcodes and operands of mma.sync and mma.sp say, in the terms of numerics/mma.hpp: element types, depth,
// scales and where they lie; and the functions that multiply a form on each architecture.
#pragma once

#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

#include "numerics/mma.hpp"
#include "ops/async_ops.hpp"

namespace sim {

template <class T>
struct MmaName {
  std::string_view token;
  T value;
};
inline constexpr MmaName<numerics::Element> kMmaElements[] = {
    {"f16", numerics::Element::kF16},   {"bf16", numerics::Element::kBf16}, {"tf32", numerics::Element::kTf32},
    {"e4m3", numerics::Element::kE4m3}, {"e5m2", numerics::Element::kE5m2}, {"e2m3", numerics::Element::kE2m3},
    {"e3m2", numerics::Element::kE3m2}, {"e2m1", numerics::Element::kE2m1}, {"s8", numerics::Element::kS8},
    {"u8", numerics::Element::kU8},     {"s4", numerics::Element::kS4},     {"u4", numerics::Element::kU4},
};
inline constexpr MmaName<numerics::Accumulator> kMmaAccumulators[] = {
    {"f32", numerics::Accumulator::kF32}, {"f16", numerics::Accumulator::kF16}, {"s32", numerics::Accumulator::kS32}};

template <class T, size_t N>
T mma_value_of(const MmaName<T> (&names)[N], std::string_view token) {
  for (const MmaName<T>& n : names)
    if (n.token == token) return n.value;
  throw std::logic_error("mma: a row admits the unknown type " + std::string(token));
}

inline int mma_depth_of(const ptx::Statement& s) {
  for (const int k : {4, 8, 16, 32, 64, 128})
    if (s.has("m16n8k" + std::to_string(k))) return k;
  throw std::logic_error("mma: a row admits an unknown shape");
}

// The types are the last four tokens, D A B C, or the four before the scale type. `k`: products in a sum.
inline numerics::MmaForm mma_form_of(const ptx::Statement& s, int k) {
  using numerics::BlockScale;
  const bool is_scaled = s.has("block_scale");
  const size_t types = s.tokens.size() - (is_scaled ? 5 : 4);
  numerics::MmaForm form{};
  form.accumulator = mma_value_of(kMmaAccumulators, s.tokens[types]);
  form.a = mma_value_of(kMmaElements, s.tokens[types + 1]);
  form.b = mma_value_of(kMmaElements, s.tokens[types + 2]);
  form.k = static_cast<uint8_t>(k);
  form.satfinite = s.has("satfinite");
  if (is_scaled) {
    const bool is_ue4m3 = s.tokens.back() == "ue4m3";
    form.scale = s.has("scale_vec::4X") ? (is_ue4m3 ? BlockScale::k4xUe4m3 : BlockScale::k4xUe8m0)
                 : form.k == 64         ? BlockScale::k2xUe8m0
                                        : BlockScale::k1xUe8m0;
  }
  return form;
}

inline uint8_t mma_selector(Warp& w, const Instr& i, uint32_t slot, uint32_t allowed, const char* name) {
  const uint32_t value = u32(w, slot)[0];
  if (value > 31 || (allowed >> value & 1) == 0)
    fault(w, i, 0, std::string(name) + " " + std::to_string(value) + " is not allowed for this kind and scale_vec");
  return static_cast<uint8_t>(value);
}

// Scale operands from slots[0]: factors of A, {byte-id, thread-id}, and the same of B. The ids say which bytes of the
// register hold the factors, and which lanes of a quad hold it.
inline void read_scales(Warp& w, const Instr& i, const numerics::MmaForm& form, const uint32_t* slots,
                        numerics::MmaOperands& o) {
  const uint32_t bytes = form.scale == numerics::BlockScale::k1xUe8m0   ? 0b1111
                         : form.scale == numerics::BlockScale::k2xUe8m0 ? 0b101
                                                                        : 0b1;
  o.scale_a = u32(w, slots[0]);
  o.byte_a = mma_selector(w, i, slots[1], bytes, "byte-id-a");
  o.thread_a = mma_selector(w, i, slots[2], 0b11, "thread-id-a");
  o.scale_b = u32(w, slots[3]);
  o.byte_b = mma_selector(w, i, slots[4], bytes, "byte-id-b");
  o.thread_b = mma_selector(w, i, slots[5], 0b1111, "thread-id-b");
}

// One form as handlers use it; Instr::imm is its address. A function is null where the architecture lacks the form.
template <class Form, class Function, Function (*kFind)(numerics::Arch, const Form&)>
struct MmaProduct {
  Form form;
  Function sm90, sm120;

  static const MmaProduct* of(const Form& form) {
    static std::mutex mutex;
    static std::deque<MmaProduct> products;  // a deque keeps its elements where they are
    const std::lock_guard lock(mutex);
    for (const MmaProduct& p : products)
      if (p.form == form) return &p;
    products.push_back({form, kFind(numerics::Arch::kSm90, form), kFind(numerics::Arch::kSm120, form)});
    return &products.back();
  }
  static const MmaProduct& of(const Instr& i) { return *reinterpret_cast<const MmaProduct*>(i.imm); }

  bool exists() const { return sm90 != nullptr || sm120 != nullptr; }

  // For the card that the warp runs on; a fault where it has not the form.
  Function function_for(Warp& w, const Instr& i, const char* name) const {
    const Card& card = *w.block->grid->card;
    const Function f = card.cc_major >= 12 ? sm120 : sm90;
    if (f == nullptr)
      fault(w, i, -1,
            std::string("this ") + name + " does not exist on " + card.name + " (sm_" + std::to_string(card.cc_major) +
                std::to_string(card.cc_minor) + ")");
    return f;
  }
};

}  // namespace sim
