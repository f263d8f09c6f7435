// ldmatrix, stmatrix and movmatrix: 8x8 tiles of 16-bit elements and their 8-, 6- and 4-bit relatives, between rows in
// shared memory and the fragments that mma.sync takes.
// A fragment register of 32 words is a tile row by row: word 4g + t is bytes [4t, +4) of row g. So the plain 16-bit
// forms are 16-byte copies, and .trans is a transposition of an 8x8 tile.
#include <immintrin.h>

#include "ops/async_ops.hpp"
#include "ops/observe.hpp"

namespace sim {
namespace {

constexpr uint32_t kRowBytes = 16;

// Pointers to the rows that the first `rows` lanes name; the addresses of the other lanes are not looked at.
void row_pointers(Warp& w, const Instr& i, uint32_t slot, uint32_t rows, Space space, Access access, std::byte** out) {
  Pointers p;
  const uint32_t executing = w.mask;
  w.mask = rows == kWarpSize ? executing : (1u << rows) - 1;
  gather(w, i, slot, space, kRowBytes, kRowBytes, access, p);
  observe(w, i, space, access, kRowBytes, p);
  w.mask = executing;
  for (uint32_t r = 0; r < rows; ++r) out[r] = p.of(static_cast<int>(r), kRowBytes);
}

// Transposes 8 rows of 8 16-bit elements.
void transpose_8x8(__m128i row[8]) {
  __m128i pairs[8], quads[8];
  for (int k = 0; k < 4; ++k) {
    pairs[2 * k] = _mm_unpacklo_epi16(row[2 * k], row[2 * k + 1]);
    pairs[2 * k + 1] = _mm_unpackhi_epi16(row[2 * k], row[2 * k + 1]);
  }
  for (int half = 0; half < 2; ++half)
    for (int k = 0; k < 2; ++k) {
      quads[4 * half + 2 * k] = _mm_unpacklo_epi32(pairs[4 * half + k], pairs[4 * half + 2 + k]);
      quads[4 * half + 2 * k + 1] = _mm_unpackhi_epi32(pairs[4 * half + k], pairs[4 * half + 2 + k]);
    }
  for (int k = 0; k < 4; ++k) {
    row[2 * k] = _mm_unpacklo_epi64(quads[k], quads[4 + k]);
    row[2 * k + 1] = _mm_unpackhi_epi64(quads[k], quads[4 + k]);
  }
}

__m128i load_row(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
void store_row(void* p, __m128i row) { _mm_storeu_si128(static_cast<__m128i*>(p), row); }

Space space_of(const Instr& i) { return static_cast<Space>(i.imm); }
Handler with_space(const ptx::Statement& s, Instr& i, Handler handler) {
  i.imm = static_cast<int64_t>(shared_or_generic(s));
  return handler;
}

template <int kTiles, bool kTranspose>
void load_b16(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  std::byte* rows[8 * kTiles];
  row_pointers(w, i, i.ops[kTiles], 8 * kTiles, space_of(i), Access::kRead, rows);
  for (int tile = 0; tile < kTiles; ++tile) {
    uint32_t* const d = u32(w, i.ops[tile]);
    if constexpr (kTranspose) {
      __m128i data[8];
      for (int r = 0; r < 8; ++r) data[r] = load_row(rows[8 * tile + r]);
      transpose_8x8(data);
      for (int r = 0; r < 8; ++r) store_row(d + 4 * r, data[r]);
    } else {
      for (int r = 0; r < 8; ++r) store_row(d + 4 * r, load_row(rows[8 * tile + r]));
    }
  }
}

template <int kTiles, bool kTranspose>
void store_b16(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  std::byte* rows[8 * kTiles];
  row_pointers(w, i, i.ops[0], 8 * kTiles, space_of(i), Access::kWrite, rows);
  for (int tile = 0; tile < kTiles; ++tile) {
    const uint32_t* const a = u32(w, i.ops[1 + tile]);
    __m128i data[8];
    for (int r = 0; r < 8; ++r) data[r] = load_row(a + 4 * r);
    if constexpr (kTranspose) transpose_8x8(data);
    for (int r = 0; r < 8; ++r) store_row(rows[8 * tile + r], data[r]);
  }
  note_progress(w);
}

void move_b16(Warp& w, const Instr& i) {
  if (!full_warp(w, i)) return;
  const uint32_t* const a = u32(w, i.a);
  uint32_t* const d = u32(w, i.d);
  __m128i data[8];
  for (int r = 0; r < 8; ++r) data[r] = load_row(a + 4 * r);
  transpose_8x8(data);
  for (int r = 0; r < 8; ++r) store_row(d + 4 * r, data[r]);
}

// One row of 16 elements in a 16-byte container, widened to a byte each: b8 as it is; b6 packed in 12 bytes, b4 in 8.
template <int kBits>
void widen_row(const std::byte* row, uint8_t* out) {
  if constexpr (kBits == 8) {
    std::memcpy(out, row, kRowBytes);
  } else {
    uint64_t low = 0, high = 0;
    std::memcpy(&low, row, 8);
    std::memcpy(&high, row + 8, 8);
    for (int e = 0; e < 16; ++e) {
      const int bit = e * kBits;
      uint64_t value = bit < 64 ? low >> bit : high >> (bit - 64);
      if (bit < 64 && bit + kBits > 64) value |= high << (64 - bit);
      out[e] = static_cast<uint8_t>(value & ((1u << kBits) - 1));
    }
  }
}

// m8n16: register `tile` of lane 4g + t holds elements 4t .. 4t + 3 of row g.
template <int kTiles, int kBits>
void load_m8n16(Warp& w, const Instr& i) {
  require_card(w, i, 10, "sm_100a, sm_120a or their families");
  if (!full_warp(w, i)) return;
  std::byte* rows[8 * kTiles];
  row_pointers(w, i, i.ops[kTiles], 8 * kTiles, space_of(i), Access::kRead, rows);
  for (int tile = 0; tile < kTiles; ++tile)
    for (int r = 0; r < 8; ++r)
      widen_row<kBits>(rows[8 * tile + r], reinterpret_cast<uint8_t*>(u32(w, i.ops[tile]) + 4 * r));
}

// m16n16.trans: byte j of register 2 * tile + h of lane 4g + t is element (row 4t + j, column g + 8h).
template <int kTiles, int kBits>
void load_m16n16(Warp& w, const Instr& i) {
  require_card(w, i, 10, "sm_100a, sm_120a or their families");
  if (!full_warp(w, i)) return;
  std::byte* rows[16 * kTiles];
  row_pointers(w, i, i.ops[2 * kTiles], 16 * kTiles, space_of(i), Access::kRead, rows);
  for (int tile = 0; tile < kTiles; ++tile) {
    uint8_t source[16][16];
    for (int r = 0; r < 16; ++r) widen_row<kBits>(rows[16 * tile + r], source[r]);
    for (int half = 0; half < 2; ++half) {
      uint8_t* const d = reinterpret_cast<uint8_t*>(u32(w, i.ops[2 * tile + half]));
      for (int g = 0; g < 8; ++g)
        for (int r = 0; r < 16; ++r) d[16 * g + r] = source[r][g + 8 * half];
    }
  }
}

// m16n8.trans.b8: byte j of lane 4g + t is element (m = g + 8 (j >> 1), n = 2t + (j & 1)), stored at byte m of row n.
template <int kTiles>
void store_m16n8(Warp& w, const Instr& i) {
  require_card(w, i, 10, "sm_100a, sm_120a or their families");
  if (!full_warp(w, i)) return;
  std::byte* rows[8 * kTiles];
  row_pointers(w, i, i.ops[0], 8 * kTiles, space_of(i), Access::kWrite, rows);
  for (int tile = 0; tile < kTiles; ++tile) {
    const uint32_t* const a = u32(w, i.ops[1 + tile]);
    for (int lane = 0; lane < kWarpSize; ++lane)
      for (int j = 0; j < 4; ++j)
        rows[8 * tile + 2 * (lane & 3) + (j & 1)][(lane >> 2) + 8 * (j >> 1)] =
            static_cast<std::byte>(a[lane] >> (8 * j));
  }
  note_progress(w);
}

template <int kTiles>
Handler bind_load_b16(const ptx::Statement& s, Instr& i) {
  return with_space(s, i, s.has("trans") ? load_b16<kTiles, true> : load_b16<kTiles, false>);
}
template <int kTiles>
Handler bind_store_b16(const ptx::Statement& s, Instr& i) {
  return with_space(s, i, s.has("trans") ? store_b16<kTiles, true> : store_b16<kTiles, false>);
}
template <int kTiles>
Handler bind_load_m8n16(const ptx::Statement& s, Instr& i) {
  return with_space(s, i, s.has("b4x16_p64") ? load_m8n16<kTiles, 4> : load_m8n16<kTiles, 6>);
}
template <int kTiles>
Handler bind_load_m16n16(const ptx::Statement& s, Instr& i) {
  return with_space(s, i,
                    s.has("b4x16_p64")   ? load_m16n16<kTiles, 4>
                    : s.has("b6x16_p32") ? load_m16n16<kTiles, 6>
                                         : load_m16n16<kTiles, 8>);
}
template <int kTiles>
Handler bind_store_m16n8(const ptx::Statement& s, Instr& i) {
  return with_space(s, i, store_m16n8<kTiles>);
}

constexpr char kLoadIsa[] = "9.7.14.5.15 ldmatrix";
constexpr char kStoreIsa[] = "9.7.14.5.16 stmatrix";

// Compilers write shape, count and .trans in any order.
const Form kForms[] = {
    {"ldmatrix.sync.aligned[.m8n8.x1[.trans|]|.x1[.trans|].m8n8|.trans.m8n8.x1][.shared|.shared::cta|].b16",
     "v1r32 [a]", nullptr, bind_load_b16<1>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned[.m8n8.x2[.trans|]|.x2[.trans|].m8n8|.trans.m8n8.x2][.shared|.shared::cta|].b16",
     "v2r32 [a]", nullptr, bind_load_b16<2>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned[.m8n8.x4[.trans|]|.x4[.trans|].m8n8|.trans.m8n8.x4][.shared|.shared::cta|].b16",
     "v4r32 [a]", nullptr, bind_load_b16<4>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned.m8n16.x1[.shared|.shared::cta|].b8x16.[b4x16_p64|b6x16_p32]", "v1r32 [a]", nullptr,
     bind_load_m8n16<1>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned.m8n16.x2[.shared|.shared::cta|].b8x16.[b4x16_p64|b6x16_p32]", "v2r32 [a]", nullptr,
     bind_load_m8n16<2>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned.m8n16.x4[.shared|.shared::cta|].b8x16.[b4x16_p64|b6x16_p32]", "v4r32 [a]", nullptr,
     bind_load_m8n16<4>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned.m16n16.x1.trans[.shared|.shared::cta|].[b8|b8x16.b4x16_p64|b8x16.b6x16_p32]", "v2r32 [a]",
     nullptr, bind_load_m16n16<1>, Unit::kLsu, kLoadIsa},
    {"ldmatrix.sync.aligned.m16n16.x2.trans[.shared|.shared::cta|].[b8|b8x16.b4x16_p64|b8x16.b6x16_p32]", "v4r32 [a]",
     nullptr, bind_load_m16n16<2>, Unit::kLsu, kLoadIsa},
    {"stmatrix.sync.aligned[.m8n8.x1[.trans|]|.x1[.trans|].m8n8|.trans.m8n8.x1][.shared|.shared::cta|].b16",
     "[a] v1r32", nullptr, bind_store_b16<1>, Unit::kLsu, kStoreIsa},
    {"stmatrix.sync.aligned[.m8n8.x2[.trans|]|.x2[.trans|].m8n8|.trans.m8n8.x2][.shared|.shared::cta|].b16",
     "[a] v2r32", nullptr, bind_store_b16<2>, Unit::kLsu, kStoreIsa},
    {"stmatrix.sync.aligned[.m8n8.x4[.trans|]|.x4[.trans|].m8n8|.trans.m8n8.x4][.shared|.shared::cta|].b16",
     "[a] v4r32", nullptr, bind_store_b16<4>, Unit::kLsu, kStoreIsa},
    {"stmatrix.sync.aligned.m16n8.x1.trans[.shared|.shared::cta|].b8", "[a] v1r32", nullptr, bind_store_m16n8<1>,
     Unit::kLsu, kStoreIsa},
    {"stmatrix.sync.aligned.m16n8.x2.trans[.shared|.shared::cta|].b8", "[a] v2r32", nullptr, bind_store_m16n8<2>,
     Unit::kLsu, kStoreIsa},
    {"stmatrix.sync.aligned.m16n8.x4.trans[.shared|.shared::cta|].b8", "[a] v4r32", nullptr, bind_store_m16n8<4>,
     Unit::kLsu, kStoreIsa},
    {"movmatrix.sync.aligned.m8n8.trans.b16", "r32 r32", move_b16, nullptr, Unit::kLsu, "9.7.14.5.17 movmatrix"},
};

}  // namespace

std::span<const Form> matrix_forms() { return kForms; }

}  // namespace sim
