// One type per SASS instruction. For pipes.cu, run(x, a, b) is one step of a dependent chain in x.
// No operands are constants, so that the compiler can neither fold nor merge steps (run.py counts them in the SASS).
#pragma once

#include <cstdint>
#include <string>
#include <typeinfo>

using u32 = uint32_t;

struct LOP3 {  // majority: two steps have four inputs and cannot become one
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("lop3.b32 %0, %0, %1, %2, 0xE8;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct PRMT {
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("prmt.b32 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct SHF {
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("shf.l.wrap.b32 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct IMAD {
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("mad.lo.u32 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct FMNMX {
  static __device__ void run(u32& x, u32 a, u32) { asm volatile("max.f32 %0, %0, %1;" : "+r"(x) : "r"(a)); }
};
struct FFMA {
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("fma.rn.f32 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct HMUL2 {
  static __device__ void run(u32& x, u32 a, u32) { asm volatile("mul.rn.f16x2 %0, %0, %1;" : "+r"(x) : "r"(a)); }
};
struct HFMA2 {
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct HFMA2_BF16 {
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("fma.rn.bf16x2 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct F2FP_UNPACK {  // e4m3x2 -> f16x2
  static __device__ void run(u32& x, u32, u32) {
    asm volatile("{.reg .b16 l, h; mov.b32 {l, h}, %0; cvt.rn.f16x2.e4m3x2 %0, l;}" : "+r"(x));
  }
};
struct F2FP_E4M3 {  // two instructions, each two f32 -> e4m3x2, the second merges with the first
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile(
        "{.reg .b16 l, h; cvt.rn.satfinite.e4m3x2.f32 l, %0, %1; cvt.rn.satfinite.e4m3x2.f32 h, %0, %2;"
        " mov.b32 %0, {l, h};}"
        : "+r"(x)
        : "r"(a), "r"(b));
  }
};
struct F2FP_F16 {  // two f32 -> f16x2
  static __device__ void run(u32& x, u32 a, u32) { asm volatile("cvt.rn.f16x2.f32 %0, %0, %1;" : "+r"(x) : "r"(a)); }
};
struct MUFU_EX2 {
  static __device__ void run(u32& x, u32, u32) { asm volatile("ex2.approx.ftz.f32 %0, %0;" : "+r"(x)); }
};
struct MUFU_RSQ {
  static __device__ void run(u32& x, u32, u32) { asm volatile("rsqrt.approx.ftz.f32 %0, %0;" : "+r"(x)); }
};
struct MUFU_RCP {  // with one LOP3, because a reciprocal of a reciprocal is removed
  static __device__ void run(u32& x, u32 a, u32 b) {
    asm volatile("rcp.approx.ftz.f32 %0, %0; lop3.b32 %0, %0, %1, %2, 0xE8;" : "+r"(x) : "r"(a), "r"(b));
  }
};
struct SHFL {
  static __device__ void run(u32& x, u32 a, u32) {
    asm volatile("shfl.sync.bfly.b32 %0, %0, %1, 31, 0xffffffff;" : "+r"(x) : "r"(a));
  }
};
struct MOVM {
  static __device__ void run(u32& x, u32, u32) {
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %0;" : "+r"(x));
  }
};

// Shared memory, for shared.cu: run(address, v) reads or writes v; a warp's lanes are kLaneBytes apart.
struct LDS_32 {
  static constexpr u32 kLaneBytes = 4;
  static __device__ void run(u32 at, u32* v) { asm volatile("ld.shared.b32 %0, [%1];" : "=r"(v[0]) : "r"(at)); }
};
struct LDS_128 {
  static constexpr u32 kLaneBytes = 16;
  static __device__ void run(u32 at, u32* v) {
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(at));
  }
};
struct LDSM_X4 {
  static constexpr u32 kLaneBytes = 16;
  static __device__ void run(u32 at, u32* v) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
                 : "r"(at));
  }
};
struct LDSM_X4_T {
  static constexpr u32 kLaneBytes = 16;
  static __device__ void run(u32 at, u32* v) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
                 : "r"(at));
  }
};
struct STS_128 {
  static constexpr u32 kLaneBytes = 16;
  static __device__ void run(u32 at, u32* v) {
    asm volatile("st.shared.v4.b32 [%4], {%0, %1, %2, %3};" ::"r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]), "r"(at));
  }
};

template <class Op>
std::string name_of() {  // compilers mangle the type LOP3 as "4LOP3"
  const std::string text = typeid(Op).name();
  return text.substr(text.find_first_not_of("0123456789"));
}
