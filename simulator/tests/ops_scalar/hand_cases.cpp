// Cases that need more than one instruction around them: carry chains, packing, exchanges between lanes, memory.
// Each names the opcodes that it executes and computes what they must give from the input words.
#include <algorithm>
#include <cstring>
#include <random>

#include "cases.hpp"

namespace sim::test {
namespace {

using i128 = __int128;

struct Builder {
  std::vector<HandCase> cases;

  // `body` uses %in and %out; `words`: corner and random words by width per input.
  void add(const std::string& id, const std::string& declarations, const std::string& body, uint32_t in_words,
           uint32_t out_words, std::function<Words(const Case&, uint32_t)> expected, uint32_t threads = 128) {
    HandCase h;
    h.base.id = id;
    h.base.in_words = in_words;
    h.base.out_words = out_words;
    h.base.threads = threads;
    h.base.ptx = wrap(declarations, body, in_words, out_words);
    std::mt19937_64 random(id.size() * 7919 + id[0]);
    for (uint32_t n = 0; n < threads * in_words; ++n) {
      const uint64_t dice = random();
      h.base.inputs.push_back(dice % 4 == 0 ? ~0ull : dice % 4 == 1 ? dice >> 60 : random());
    }
    h.expected = std::move(expected);
    cases.push_back(std::move(h));
  }
};

uint64_t word(const Case& c, uint32_t t, uint32_t n) { return c.inputs[static_cast<size_t>(t) * c.in_words + n]; }
uint64_t low(i128 v, int bits) { return bits == 64 ? static_cast<uint64_t>(v) : static_cast<uint64_t>(v) & 0xffffffff; }

// Loads input n into %<name>n of `bits`, for n < count.
std::string loads(const std::string& name, int bits, int count) {
  std::string text;
  for (int n = 0; n < count; ++n)
    text += "ld.global.b" + std::to_string(bits) + " %" + name + std::to_string(n) +
            ", "
            "[%in+" +
            std::to_string(8 * n) + "];\n";
  return text;
}
std::string store(int n, const std::string& reg, int bits) {
  return "st.global.b" + std::to_string(bits) + " [%out+" + std::to_string(8 * n) + "], " + reg + ";\n";
}

void carry_chains(Builder& b) {
  for (const std::string type : {"u32", "s32", "u64", "s64"}) {
    const int bits = type.ends_with("64") ? 64 : 32;
    const std::string reg = ".reg .b" + std::to_string(bits) + " %a<6>, %d<4>;\n";
    const std::string st = store(0, "%d0", bits) + store(1, "%d1", bits) + store(2, "%d2", bits);
    for (const bool is_sum : {true, false}) {
      const std::string op = is_sum ? "add" : "sub";
      b.add(op + ".cc." + type, reg,
            loads("a", bits, 6) + op + ".cc." + type + " %d0, %a0, %a1;\n" + op + "c.cc." + type + " %d1, %a2, %a3;\n" +
                op + "c." + type + " %d2, %a4, %a5;\n" + st,
            6, 3, [=](const Case& c, uint32_t t) {
              Words r;
              int carry = 0;
              for (uint32_t n = 0; n < 3; ++n) {
                const i128 x = low(static_cast<i128>(word(c, t, 2 * n)), bits),
                           y = low(static_cast<i128>(word(c, t, 2 * n + 1)), bits);
                const i128 v = is_sum ? x + y + carry : x - y - carry;
                carry = is_sum ? (v >> bits) != 0 : v < 0;
                r.push_back(low(v, bits));
              }
              return r;
            });
    }
    // mad.{lo,hi}.cc, madc.{lo,hi}.cc and madc.{lo,hi}: chains of three on one product.
    const bool is_signed = type[0] == 's';
    for (const std::string& parts : {std::string("lo hi lo"), std::string("hi lo hi")}) {
      std::string p[3] = {parts.substr(0, 2), parts.substr(3, 2), parts.substr(6, 2)};
      b.add("mad." + p[0] + ".cc." + type, reg,
            loads("a", bits, 5) + "mad." + p[0] + ".cc." + type +
                " %d0, %a0, %a1, %a2;\n"
                "madc." +
                p[1] + ".cc." + type + " %d1, %a0, %a1, %a3;\nmadc." + p[2] + "." + type + " %d2, %a0, %a1, %a4;\n" +
                st,
            5, 3, [=](const Case& c, uint32_t t) {
              const uint64_t x = low(static_cast<i128>(word(c, t, 0)), bits),
                             y = low(static_cast<i128>(word(c, t, 1)), bits);
              // Product by 32-bit pieces, then the signs' share of the upper half.
              unsigned __int128 product = static_cast<unsigned __int128>(x) * y;
              const auto half = [&](const std::string& name) {
                if (name == "lo") return static_cast<i128>(low(static_cast<i128>(product), bits));
                uint64_t high = low(static_cast<i128>(product >> bits), bits);
                if (is_signed && (x >> (bits - 1) & 1) != 0) high -= y;
                if (is_signed && (y >> (bits - 1) & 1) != 0) high -= x;
                return static_cast<i128>(low(static_cast<i128>(high), bits));
              };
              Words r;
              int carry = 0;
              for (uint32_t n = 0; n < 3; ++n) {
                const i128 v = half(p[n]) + low(static_cast<i128>(word(c, t, 2 + n)), bits) + carry;
                carry = static_cast<int>(v >> bits);
                r.push_back(low(v, bits));
              }
              return r;
            });
    }
  }
}

void moves(Builder& b) {
  // {parts} of `part` bits in a whole, there and back.
  struct Row {
    int whole, parts, part;
  };
  for (const Row row : {Row{16, 2, 8}, Row{32, 2, 16}, Row{32, 4, 8}, Row{64, 2, 32}, Row{64, 4, 16}, Row{128, 2, 64},
                        Row{128, 4, 32}}) {
    const std::string type = "mov.b" + std::to_string(row.whole), part = std::to_string(row.part);
    std::string sources, results, st;
    for (int n = 0; n < row.parts; ++n) {
      sources += (n == 0 ? "{%s" : ", %s") + std::to_string(n);
      // The parts come back in reverse, so that an exchange of places would show.
      results += (n == 0 ? "{%p" : ", %p") + std::to_string(n);
      st += store(n, "%p" + std::to_string(row.parts - 1 - n), row.part);
    }
    b.add(type + " pack " + std::to_string(row.parts),
          ".reg .b" + part + " %s<4>, %p<4>;\n.reg .b" + std::to_string(row.whole) + " %w, %copy;\n",
          loads("s", row.part, row.parts) + type + " %w, " + sources + "};\n" + type + " %copy, %w;\n" + type + " " +
              results + "}, %copy;\n" + st,
          4, static_cast<uint32_t>(row.parts), [=](const Case& c, uint32_t t) {
            Words r;
            for (int n = row.parts - 1; n >= 0; --n) {
              const uint64_t v = word(c, t, static_cast<uint32_t>(n));
              r.push_back(row.part == 64 ? v : v & ((1ull << row.part) - 1));
            }
            return r;
          });
  }
  b.add("launch without clusters", ".reg .b32 %c<1>;\n.reg .pred %p<1>;\n",
        "mov.pred %p0, %is_explicit_cluster;\nselp.b32 %c0, 7, 5, %p0;\n" + store(0, "%c0", 32), 1, 1,
        [](const Case&, uint32_t) { return Words{5}; });
  b.add("clocks", ".reg .b32 %c<8>;\n.reg .b64 %t<8>;\n.reg .pred %ok<4>;\n",
        "mov.u32 %c0, %clock;\nmov.u64 %t0, %clock64;\nmov.u64 %t1, %globaltimer;\nmov.u32 %c2, %globaltimer_lo;\n"
        "mov.u32 %c3, %globaltimer_hi;\nmov.u32 %c4, %clock_hi;\nmov.u64 %t2, %clock64;\nmov.u64 %t3, %globaltimer;\n"
        "setp.gt.u64 %ok0, %t2, %t0;\nsetp.ge.u64 %ok1, %t3, %t1;\nshr.u64 %t4, %t1, 32;\ncvt.u32.u64 %c5, %t4;\n"
        "setp.eq.u32 %ok2, %c5, %c3;\nselp.b32 %c6, 1, 0, %ok0;\nselp.b32 %c7, 1, 0, %ok1;\n" +
            store(0, "%c6", 32) + store(1, "%c7", 32) + "selp.b32 %c6, 1, 0, %ok2;\n" + store(2, "%c6", 32),
        1, 3, [](const Case&, uint32_t) { return Words{1, 1, 1}; });
}

// The 32 words n of the warp of thread t.
Words of_warp(const Case& c, uint32_t t, uint32_t n, uint64_t mask = 0xffffffff) {
  Words r;
  for (uint32_t l = 0; l < 32; ++l) r.push_back(word(c, t / 32 * 32 + l, n) & mask);
  return r;
}

void exchanges(Builder& b) {
  const std::string reg = ".reg .b32 %a<4>, %d<4>;\n.reg .b64 %w<2>;\n.reg .pred %p<4>;\n";
  for (const std::string mode : {"up", "down", "bfly", "idx"}) {
    for (const uint32_t width : {32u, 16u, 8u, 4u}) {
      const uint32_t clamp = mode == "up" ? 0 : 31, segment = (32 - width) << 8;
      b.add("shfl.sync." + mode + ".b32 " + std::to_string(width), reg,
            loads("a", 32, 2) + "and.b32 %a1, %a1, 31;\nshfl.sync." + mode + ".b32 %d0|%p1, %a0, %a1, " +
                std::to_string(segment | clamp) + ", -1;\nselp.b32 %d1, 1, 0, %p1;\n" + store(0, "%d0", 32) +
                store(1, "%d1", 32),
            2, 2, [=](const Case& c, uint32_t t) {
              const int lane = static_cast<int>(t % 32), w = static_cast<int>(width),
                        step = static_cast<int>(word(c, t, 1) & 31);
              const int first = lane / w * w, last = first + w - 1;
              int from = 0;
              bool inside = true;
              if (mode == "up") from = lane - step, inside = from >= first;
              if (mode == "down") from = lane + step, inside = from <= last;
              if (mode == "bfly") from = lane ^ step, inside = from <= last;
              if (mode == "idx") from = first | (step & (w - 1));
              const Words all = of_warp(c, t, 0, 0xffffffff);
              return Words{all[static_cast<size_t>(inside ? from : lane)], inside ? 1u : 0u};
            });
    }
  }
  b.add("votes", reg,
        loads("a", 32, 1) +
            "setp.lt.s32 %p0, %a0, 0;\nvote.sync.all.pred %p1, %p0, -1;\nvote.sync.any.pred %p2, !%p0, -1;\n"
            "vote.sync.uni.pred %p3, %p0, -1;\nvote.sync.ballot.b32 %d0, %p0, -1;\nselp.b32 %d1, 1, 0, %p1;\n"
            "selp.b32 %d2, 1, 0, %p2;\nselp.b32 %d3, 1, 0, %p3;\n" +
            store(0, "%d0", 32) + store(1, "%d1", 32) + store(2, "%d2", 32) + store(3, "%d3", 32) +
            "activemask.b32 %d0;\n" + store(4, "%d0", 32),
        1, 5, [](const Case& c, uint32_t t) {
          uint64_t ballot = 0;
          for (uint32_t l = 0; l < 32; ++l) ballot |= (of_warp(c, t, 0)[l] >> 31 & 1) << l;
          const bool all = ballot == 0xffffffff, none = ballot == 0;
          return Words{ballot, all, !all, all || none, 0xffffffff};
        });
  b.add("elect.sync", reg,
        "elect.sync %d0|%p0, 0xffffffff;\nselp.b32 %d1, 1, 0, %p0;\n" + store(0, "%d0", 32) + store(1, "%d1", 32), 1, 2,
        [](const Case&, uint32_t t) { return Words{0, t % 32 == 0}; });
  b.add("match", reg,
        loads("a", 32, 1) + loads("w", 64, 1) +
            "and.b32 %a0, %a0, 3;\nand.b64 %w0, %w0, 0x100000001;\nmatch.any.sync.b32 %d0, %a0, -1;\n"
            "match.any.sync.b64 %d1, %w0, -1;\nmatch.all.sync.b32 %d2|%p0, %a0, -1;\n"
            "match.all.sync.b64 %d3|%p1, 5, -1;\n" +
            store(0, "%d0", 32) + store(1, "%d1", 32) + store(2, "%d2", 32) + store(3, "%d3", 32) +
            "selp.b32 %d0, 1, 0, %p0;\nselp.b32 %d1, 1, 0, %p1;\n" + store(4, "%d0", 32) + store(5, "%d1", 32),
        1, 6, [](const Case& c, uint32_t t) {
          const auto same = [&](uint64_t mask) {
            uint64_t r = 0;
            for (uint32_t l = 0; l < 32; ++l)
              r |= static_cast<uint64_t>((word(c, t / 32 * 32 + l, 0) & mask) == (word(c, t, 0) & mask)) << l;
            return r;
          };
          const uint64_t low_bits = same(3);
          const bool all = low_bits == 0xffffffff;
          return Words{low_bits, same(0x100000001), all ? low_bits : 0, 0xffffffff, all, 1};
        });
  for (const std::string op :
       {"add.u32", "add.s32", "min.u32", "min.s32", "max.u32", "max.s32", "and.b32", "or.b32", "xor.b32"}) {
    // Even and odd lanes are two groups with masks of their own.
    b.add("redux.sync." + op, reg,
          loads("a", 32, 1) +
              "mov.u32 %a1, %laneid;\nand.b32 %a1, %a1, 1;\nmov.u32 %a2, 0x55555555;\nshl.b32 %a2, %a2, %a1;\n"
              "redux.sync." +
              op + " %d0, %a0, %a2;\n" + store(0, "%d0", 32),
          1, 1, [=](const Case& c, uint32_t t) {
            const Words all = of_warp(c, t, 0);
            i128 r = 0;
            bool is_first = true;
            for (uint32_t l = t % 2; l < 32; l += 2) {
              const i128 v =
                  op.ends_with("s32") ? static_cast<i128>(static_cast<int32_t>(all[l])) : static_cast<i128>(all[l]);
              const std::string name = op.substr(0, op.find('.'));
              if (is_first)
                r = v;
              else
                r = name == "add"   ? r + v
                    : name == "min" ? std::min(r, v)
                    : name == "max" ? std::max(r, v)
                    : name == "and" ? r & v
                    : name == "or"  ? r | v
                                    : r ^ v;
              is_first = false;
            }
            return Words{low(r, 32)};
          });
  }
}

}  // namespace

void memory_cases(std::vector<HandCase>& cases);

std::vector<HandCase> hand_cases() {
  Builder b;
  carry_chains(b);
  moves(b);
  exchanges(b);
  memory_cases(b.cases);
  return std::move(b.cases);
}

}  // namespace sim::test
