// What the front-end tests share: a small instruction table whose handlers run on a bare warp, and helpers that load
// PTX text and show what came of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "machine/warp.hpp"
#include "program/lower.hpp"

namespace front_end_test {

using namespace sim;

inline void no_operation(Warp&, const Instr&) {}
inline void add_u32(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) { u32(w, i.d)[l] = u32(w, i.a)[l] + u32(w, i.b)[l]; });
}
inline void mul_u32(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) { u32(w, i.d)[l] = u32(w, i.a)[l] * u32(w, i.b)[l]; });
}
inline void add_u64(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) { u64(w, i.d)[l] = u64(w, i.a)[l] + u64(w, i.b)[l]; });
}
inline void mov_u32(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) { u32(w, i.d)[l] = u32(w, i.a)[l]; });
}
inline void mov_u64(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) { u64(w, i.d)[l] = u64(w, i.a)[l]; });
}
inline void pack_u64(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) { u64(w, i.d)[l] = uint64_t{u32(w, i.b)[l]} << 32 | u32(w, i.a)[l]; });
}
inline void setp_lt_u32(Warp& w, const Instr& i) {
  uint32_t result = 0;
  for_lanes(w, [&](int l) { result |= uint32_t{u32(w, i.b)[l] < u32(w, i.c)[l]} << l; });
  set_pred(w, i.d, result);
}

// Generic addresses are host addresses here; the tests bring their own memory.
template <class T, bool kIsLoad, int kCount = 1>
void copy(Warp& w, const Instr& i) {
  for_lanes(w, [&](int l) {
    for (int k = 0; k < kCount; ++k) {
      const uint32_t base = kIsLoad ? i.ops[kCount] : i.d;
      T* memory = reinterpret_cast<T*>(address(w, i, 0, base, l)) + k;
      const uint32_t slot = kIsLoad ? i.ops[k] : i.ops[1 + k];
      using Lane = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
      if constexpr (kIsLoad) {
        lanes<Lane>(w, slot)[l] = static_cast<Lane>(*memory);
      } else {
        *memory = static_cast<T>(lanes<Lane>(w, slot)[l]);
      }
    }
  });
}

inline Handler bind_modifier(const ptx::Statement& statement, Instr& instr) {
  instr.imm = static_cast<int64_t>(statement.operands[1].value);
  return statement.has("bad") ? nullptr : no_operation;
}

inline constexpr Form kForms[] = {
    {"add.[u32|s32]", "r32 r32 r32", add_u32, nullptr, Unit::kAlu, ""},
    {"mul.lo.u32", "r32 r32 r32", mul_u32, nullptr, Unit::kFma, ""},
    {"add.u64", "r64 r64 r64", add_u64, nullptr, Unit::kAlu, ""},
    {"add.f16", "r16 r16 r16", no_operation, nullptr, Unit::kHalf, ""},
    {"add.f64", "r64 r64 r64", no_operation, nullptr, Unit::kFp64, ""},
    {"mov.[b16|u16]", "r16 r16", mov_u32, nullptr, Unit::kAlu, ""},
    {"mov.[b32|u32|f32]", "r32 r32", mov_u32, nullptr, Unit::kAlu, ""},
    {"mov.[b64|u64]", "r64 r64", mov_u64, nullptr, Unit::kAlu, ""},
    {"mov.b64", "r64 v2r32", pack_u64, nullptr, Unit::kAlu, ""},
    {"mov.b64", "v2r32 r64", no_operation, nullptr, Unit::kAlu, ""},
    {"mov.b128", "r128 v2r64", no_operation, nullptr, Unit::kAlu, ""},
    {"mov.pred", "p p", no_operation, nullptr, Unit::kAlu, ""},
    {"mov.u64:%globaltimer", "r64", no_operation, nullptr, Unit::kAlu, ""},
    {"mov.u32:%clock", "r32", no_operation, nullptr, Unit::kAlu, ""},
    {"setp.lt.u32", "p|p r32 r32", setp_lt_u32, nullptr, Unit::kAlu, ""},
    {"selp.b32", "r32 r32 r32 p", no_operation, nullptr, Unit::kAlu, ""},
    {"cvt.s64.s8", "r64 r8", no_operation, nullptr, Unit::kConvert, ""},
    {"cvt.u8.u32", "r8 r32", mov_u32, nullptr, Unit::kConvert, ""},
    {"ld[.global|.shared|.param|.const|.local|].[b32|u32|f32]", "r32 [a]", copy<uint32_t, true>, nullptr, Unit::kLsu,
     ""},
    {"ld[.global|.shared|.param|.const|.local|].[b64|u64]", "r64 [a]", copy<uint64_t, true>, nullptr, Unit::kLsu, ""},
    {"ld.s8", "r32 [a]", copy<int8_t, true>, nullptr, Unit::kLsu, ""},
    {"ld.u8", "r8 [a]", copy<uint8_t, true>, nullptr, Unit::kLsu, ""},
    {"ld.v4.u32", "v4r32 [a]", copy<uint32_t, true, 4>, nullptr, Unit::kLsu, ""},
    {"st[.global|.shared|.local|].[b32|u32|f32]", "[a] r32", copy<uint32_t, false>, nullptr, Unit::kLsu, ""},
    {"st[.global|.shared|.local|].[b64|u64]", "[a] r64", copy<uint64_t, false>, nullptr, Unit::kLsu, ""},
    {"st.[b8|u8]", "[a] r8", copy<uint8_t, false>, nullptr, Unit::kLsu, ""},
    {"st.v4.b32", "[a] v4r32", copy<uint32_t, false, 4>, nullptr, Unit::kLsu, ""},
    {"cvta.param.u64", "r64 r64", no_operation, nullptr, Unit::kAlu, ""},
    {"bra[.uni|]", "l", no_operation, nullptr, Unit::kControl, ""},
    {"brx.idx[.uni|]", "r32 l", no_operation, nullptr, Unit::kControl, ""},
    {"[exit|ret]", "", no_operation, nullptr, Unit::kControl, ""},
    {"bar.sync", "r32 r32?", no_operation, nullptr, Unit::kSync, ""},
    {"bar.red.popc.u32", "r32 r32 p", no_operation, nullptr, Unit::kSync, ""},
    {"shfl.sync.bfly.b32", "r32|p r32 r32 r32 r32", no_operation, nullptr, Unit::kAlu, ""},
    {"elect.sync", "r32|p r32", no_operation, nullptr, Unit::kAlu, ""},
    {"mbarrier.arrive[.shared::cta|].b64", "r64 [a] r32?", no_operation, nullptr, Unit::kSync, ""},
    {"mbarrier.try_wait.parity.shared::cta.b64", "p [a] r32", no_operation, nullptr, Unit::kSync, ""},
    {"cp.async.ca.shared.global", "[a] [a] r32 r32?", no_operation, nullptr, Unit::kAsync, ""},
    {"cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes", "[a] [t,r32] [a]", no_operation,
     nullptr, Unit::kAsync, ""},
    {"mma.sync.aligned.m16n8k64.row.col.test", "v4r32 v4r32 v2r32 v4r32 v1r32 v2r16", no_operation, nullptr,
     Unit::kTensor, ""},
    {"wgmma.mma_async.test", "v2r32 r64", no_operation, nullptr, Unit::kTensor, ""},
    {"test.imm[.bad|]", "r32 r32", nullptr, bind_modifier, Unit::kAlu, ""},
};

inline const FormTable& table() {
  static const std::span<const Form> groups[] = {kForms};
  static const FormTable table(groups);
  return table;
}

inline std::unique_ptr<Module> load(std::string_view text) { return load_ptx(text, "demo.ptx", table()); }

inline std::string header() { return ".version 9.0\n.target sm_120f\n.address_size 64\n"; }

// A module with one entry `k` around the statements; the body begins in line 5.
inline std::string entry(std::string_view body) {
  return header() + ".visible .entry k(.param .u64 p, .param .u32 n) {\n" + std::string(body) + "\n}\n";
}

// what() of the error that loading throws, "" when it throws none.
inline std::string error_of(std::string_view text) {
  try {
    load(text);
  } catch (const ptx::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace front_end_test
