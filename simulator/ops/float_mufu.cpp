// The special function unit: rcp, rsqrt, sqrt, sin, cos, lg2, ex2, tanh approximations, and division by them.
// PTX ISA 9.7.3.8, 9.7.3.13 to 9.7.3.22, 9.7.4.9 and 9.7.4.10. The functions are numerics/mufu.hpp's, bit for bit those
// of an H200; here are their lanes, and the divisions that ptxas makes of rcp. The approximations of f64 are not
// simulated: nobody has recorded what the unit makes of them.
#include "numerics/mufu.hpp"

#include "ops/float.hpp"
#include "ops/float_views.hpp"
#include "ops/lanes.hpp"

namespace sim {
namespace {

using namespace numerics;

template <uint32_t (*kFunction)(uint32_t)>
void mufu(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = kFunction(a[l]); });
}
template <uint16_t (*kFunction)(uint16_t)>
void mufu_half(Warp& w, const Instr& i) {
  uint32_t* d = u32(w, i.d);
  const uint32_t* a = u32(w, i.a);
  for_lanes(w, [=](int l) { d[l] = kFunction(static_cast<uint16_t>(a[l])); });
}

// a / b = a * rcp(b). kFull scales both where rcp(b) would leave the range.
template <bool kFull, bool kFtz>
void divide(Warp& w, const Instr& i) {
  using V = std::conditional_t<kFtz, F32Ftz, F32>;
  uint32_t* d = u32(w, i.d);
  const uint32_t *a = u32(w, i.a), *b = u32(w, i.b);
  for_lanes(w, [=](int l) {
    float x = V::decode(a[l]), y = V::decode(b[l]);
    const float size = std::abs(y);
    if (kFull && size > 0x1p126f)
      x *= 0.25f, y *= 0.25f;
    else if (!kFtz && size < 0x1p-126f)
      x *= 0x1p24f, y *= 0x1p24f;
    const float inverse = std::bit_cast<float>(rcp_approx_ftz_f32(std::bit_cast<uint32_t>(y)));
    d[l] = V::encode(x * inverse);
  });
}
Handler bind_divide(const ptx::Statement& s, Instr&) {
  if (s.has("full")) return s.has("ftz") ? divide<true, true> : divide<true, false>;
  return s.has("ftz") ? divide<false, true> : divide<false, false>;
}

constexpr Form kForms[] = {
    {"div.[approx|full][|.ftz].f32", "r32 r32 r32", nullptr, bind_divide, Unit::kMufu, "9.7.3.8"},
    {"rcp.approx.f32", "r32 r32", mufu<rcp_approx_f32>, nullptr, Unit::kMufu, "9.7.3.13"},
    {"rcp.approx.ftz.f32", "r32 r32", mufu<rcp_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.13"},
    {"sqrt.approx.f32", "r32 r32", mufu<sqrt_approx_f32>, nullptr, Unit::kMufu, "9.7.3.15"},
    {"sqrt.approx.ftz.f32", "r32 r32", mufu<sqrt_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.15"},
    {"rsqrt.approx.f32", "r32 r32", mufu<rsqrt_approx_f32>, nullptr, Unit::kMufu, "9.7.3.16"},
    {"rsqrt.approx.ftz.f32", "r32 r32", mufu<rsqrt_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.16"},
    {"sin.approx.f32", "r32 r32", mufu<sin_approx_f32>, nullptr, Unit::kMufu, "9.7.3.18"},
    {"sin.approx.ftz.f32", "r32 r32", mufu<sin_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.18"},
    {"cos.approx.f32", "r32 r32", mufu<cos_approx_f32>, nullptr, Unit::kMufu, "9.7.3.19"},
    {"cos.approx.ftz.f32", "r32 r32", mufu<cos_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.19"},
    {"lg2.approx.f32", "r32 r32", mufu<lg2_approx_f32>, nullptr, Unit::kMufu, "9.7.3.20"},
    {"lg2.approx.ftz.f32", "r32 r32", mufu<lg2_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.20"},
    {"ex2.approx.f32", "r32 r32", mufu<ex2_approx_f32>, nullptr, Unit::kMufu, "9.7.3.21"},
    {"ex2.approx.ftz.f32", "r32 r32", mufu<ex2_approx_ftz_f32>, nullptr, Unit::kMufu, "9.7.3.21"},
    {"tanh.approx.f32", "r32 r32", mufu<tanh_approx_f32>, nullptr, Unit::kMufu, "9.7.3.22"},
    {"ex2.approx.f16", "r16 r16", mufu_half<ex2_approx_f16>, nullptr, Unit::kMufu, "9.7.4.10"},
    {"ex2.approx.f16x2", "r32 r32", mufu<each_half<ex2_approx_f16>>, nullptr, Unit::kMufu, "9.7.4.10"},
    {"ex2.approx.ftz.bf16", "r16 r16", mufu_half<ex2_approx_ftz_bf16>, nullptr, Unit::kMufu, "9.7.4.10"},
    {"ex2.approx.ftz.bf16x2", "r32 r32", mufu<each_half<ex2_approx_ftz_bf16>>, nullptr, Unit::kMufu, "9.7.4.10"},
    {"tanh.approx.f16", "r16 r16", mufu_half<tanh_approx_f16>, nullptr, Unit::kMufu, "9.7.4.9"},
    {"tanh.approx.f16x2", "r32 r32", mufu<each_half<tanh_approx_f16>>, nullptr, Unit::kMufu, "9.7.4.9"},
    {"tanh.approx.bf16", "r16 r16", mufu_half<tanh_approx_bf16>, nullptr, Unit::kMufu, "9.7.4.9"},
    {"tanh.approx.bf16x2", "r32 r32", mufu<each_half<tanh_approx_bf16>>, nullptr, Unit::kMufu, "9.7.4.9"},
};

}  // namespace

std::span<const Form> mufu_forms() { return kForms; }

}  // namespace sim
