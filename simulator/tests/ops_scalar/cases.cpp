// See cases.hpp. A row's operand string says how sources are loaded and destinations stored.
#include "cases.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>

#include "exact.hpp"
#include "machine/launch.hpp"
#include "ops/table.hpp"
#include "tests/forms.hpp"

namespace sim::test {
namespace {

// One operand of a row's operand string.
struct Slot {
  int bits = 32;
  int list = 0;
  bool is_pred = false, is_optional = false, has_second = false;
  bool second_is_pred = false;
};
std::vector<Slot> slots_of(std::string_view operands) {
  std::vector<Slot> slots;
  while (!operands.empty()) {
    const size_t space = std::min(operands.find(' '), operands.size());
    std::string word(operands.substr(0, space));
    operands.remove_prefix(std::min(space + 1, operands.size()));
    if (word.empty()) continue;
    Slot s;
    if (word.ends_with('?')) s.is_optional = true, word.pop_back();
    if (const size_t bar = word.find('|'); bar != std::string::npos) {
      s.has_second = true;
      s.second_is_pred = word[bar + 1] == 'p';
      word.resize(bar);
    }
    if (word[0] == 'v') {
      s.list = word[1] - '0';
      word = word.substr(2);
    }
    s.is_pred = word == "p";
    s.bits = s.is_pred ? 1 : std::stoi(word.substr(1));
    slots.push_back(s);
  }
  return slots;
}

// Values at which things go wrong, for every type that has so many bits.
const std::vector<uint64_t>& corners(int bits) {
  static const std::vector<uint64_t> predicate{0, 1};
  static const std::vector<uint64_t> b8{0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x10, 0x55, 0xaa};
  static const std::vector<uint64_t> b16{
      0, 1, 2, 3, 7, 15, 16, 17, 31, 0x7f, 0x80, 0xff, 0x100, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0x5555,
      // f16: 1, -1, 1.5, 2.5, just above 1, largest, least normal, largest subnormal, least, infinities, NaNs
      0x3c00, 0xbc00, 0x3e00, 0x4100, 0x3c01, 0x7bff, 0xfbff, 0x0400, 0x03ff, 0x83ff, 0x7c00, 0xfc00, 0x7e00, 0xfe01,
      0x7c01, 0x3800, 0xb800, 0x6400,
      // bf16 the same way
      0x3f80, 0xbf80, 0x3fc0, 0x4020, 0x3f81, 0x7f7f, 0xff7f, 0x0080, 0x007f, 0x807f, 0x7f80, 0xff80, 0x7fc0, 0xffc1,
      0x7f81, 0x3f00, 0x4300, 0x437f};
  static const std::vector<uint64_t> b32{
      0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000,
      0xffff8000, 0xffff7fff, 0x00ffffff, 0x01000000, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
      0xffffffff, 0x55555555, 0xaaaaaaaa, 0x01000001, 0x80ff7f01, 0x1f051f05,
      // f32: +-1, 0.5, 1.5, 2.5, -2.5, next to 1, largest, least normal, largest and least subnormal, infinities, NaNs
      0x3f800000, 0xbf800000, 0x3f000000, 0xbf000000, 0x3fc00000, 0x40200000, 0xc0200000, 0x3f800001, 0x3f7fffff,
      0x7f7fffff, 0xff7fffff, 0x00800000, 0x80800000, 0x007fffff, 0x807fffff, 0x7f800000, 0xff800000, 0x7fc00000,
      0xffc00001, 0x7f800001,
      // ties and limits of narrower types: f16 65504, 65519.996, 65520; bf16 ties; 2^31, 2^32, 2^63, -2^31, 255.5, -0.5
      // ..
      0x477fe000, 0x477fefff, 0x477ff000, 0x3f808000, 0x3f818000, 0x33000000, 0x33000001, 0x4f000000, 0x4effffff,
      0xcf000000, 0xcf000001, 0x4f800000, 0x5f000000, 0x5f800000, 0xdf000000, 0x437f8000, 0x437f0000, 0x42fe0000,
      0xc3000000, 0x46fffe00, 0x4b000001, 0x4affffff,
      // pairs of halves
      0x3c003c00, 0x7bff0400, 0xfc007c00, 0x7e00bc00, 0x80000001, 0x3f803f80, 0xff807f7f, 0x7fc00080, 0x83ff7c01};
  static const std::vector<uint64_t> b64{
      0, 1, 2, 7, 31, 32, 63, 64, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0xffffffff80000000,
      0x7ffffffffffffffe, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe,
      0xffffffffffffffff, 0x5555555555555555, 0x0020000000000001, 0x0040000000000001, 0x7ffffffffffffc00,
      0x8000000080000001, 0x0000010000010001,
      // f64: +-1, 0.5, 1.5, 2.5, next to 1, largest, least normal, subnormals, infinities, NaNs
      0x3ff0000000000000, 0xbff0000000000000, 0x3fe0000000000000, 0x3ff8000000000000, 0x4004000000000000,
      0x3ff0000000000001, 0x3fefffffffffffff, 0x7fefffffffffffff, 0xffefffffffffffff, 0x0010000000000000,
      0x000fffffffffffff, 0x8000000000000001, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
      0xfff8000000000001, 0x7ff0000000000001,
      // limits and ties of narrower types: 2^31, 2^32, 2^63, 2^64, largest f32 and the tie above, least f32 / 2, 65520,
      // 1 + 2^-24
      0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000200000, 0x41efffffffe00000, 0x41f0000000000000,
      0x43e0000000000000, 0x43f0000000000000, 0xc3e0000000000000, 0x47efffffe0000000, 0x47effffff0000000,
      0x47efffffefffffff, 0x3690000000000000, 0x3690000000000001, 0x380fffffffffffff, 0x40effe0000000000,
      0x40effdffffffffff, 0x3ff0000010000000, 0x3ff0000030000000, 0x3ff0000010000001, 0x3f00200000000000,
      0x3ff0100000000000, 0xbfe0000000000000, 0xc004000000000000,
      // pairs of f32
      0x3f8000003f800000, 0x7f7fffff00800000, 0xff8000007f800000, 0x7fc00000bf800000};
  return bits == 1 ? predicate : bits == 8 ? b8 : bits == 16 ? b16 : bits == 32 ? b32 : b64;
}

// All strings that a pattern stands for. Groups nest: the alternatives of the first one are put in its place in turn.
void expand(const std::string& pattern, std::vector<std::string>& out) {
  const size_t open = pattern.find('[');
  if (open == std::string::npos) {
    out.push_back(pattern);
    return;
  }
  std::vector<std::string> alternatives(1);
  size_t at = open + 1;
  for (int depth = 1; depth > 0; ++at) {
    const char c = pattern.at(at);
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (depth == 1 && c == '|')
      alternatives.emplace_back();
    else if (depth > 0)
      alternatives.back() += c;
  }
  for (const std::string& alternative : alternatives)
    expand(pattern.substr(0, open) + alternative + pattern.substr(at), out);
}

uint64_t seed_of(const std::string& text) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

// Half corners, half random bits; of the random ones half have an ordinary exponent, so that sums meet.
uint64_t sample(std::mt19937_64& random, int bits) {
  const auto& list = corners(bits);
  const uint64_t dice = random();
  if (bits <= 8 || (dice & 1) != 0) return list[(dice >> 8) % list.size()];
  uint64_t value = random() & (bits == 64 ? ~0ull : (1ull << bits) - 1);
  if ((dice & 2) == 0) return value;
  const auto exponent = [&](int fraction, int exponents, int bias, int shift) {
    const uint64_t mask = ((1ull << exponents) - 1) << (fraction + shift);
    value =
        (value & ~mask) | (static_cast<uint64_t>(bias - 8 + static_cast<int>((dice >> 32) % 16)) << (fraction + shift));
  };
  if (bits == 64)
    exponent(52, 11, 1023, 0);
  else if (bits == 32 && (dice & 4) != 0)
    exponent(23, 8, 127, 0);
  else
    exponent(10, 5, 15, 0);
  return value;
}

std::string load_type(int bits) { return ".b" + std::to_string(bits); }

struct Kernel {
  std::string declarations, loads, instruction, stores;
  uint32_t in_words = 0, out_words = 0;
};

// The text of an operand, and the statements that bring its value in or out.
std::string declare(Kernel& k, const Slot& s, const std::string& name, bool is_destination, bool keeps_width) {
  if (s.is_pred) {
    k.declarations += ".reg .pred " + name + ";\n.reg .b32 " + name + "w;\n";
    if (is_destination) {
      k.stores += "selp.b32 " + name + "w, 1, 0, " + name + ";\nst.global.b32 [%out+" +
                  std::to_string(8 * k.out_words++) + "], " + name + "w;\n";
    } else {
      k.loads += "ld.global.b32 " + name + "w, [%in+" + std::to_string(8 * k.in_words++) + "];\nsetp.ne.u32 " + name +
                 ", " + name + "w, 0;\n";
    }
    return name;
  }
  const int declared = s.bits == 8 && !keeps_width ? 16 : s.bits;  // registers of 8 bits exist for mov alone
  const int parts = std::max(s.list, 1);
  std::string text = s.list > 0 ? "{" : "";
  for (int n = 0; n < parts; ++n) {
    const std::string part = s.list > 0 ? name + "_" + std::to_string(n) : name;
    k.declarations += ".reg " + load_type(declared) + " " + part + ";\n";
    if (is_destination) {
      // A narrow result is looked at in the whole register.
      k.stores +=
          "st.global" + load_type(declared) + " [%out+" + std::to_string(8 * k.out_words++) + "], " + part + ";\n";
    } else {
      k.loads += "ld.global" + load_type(s.bits) + " " + part + ", [%in+" + std::to_string(8 * k.in_words++) + "];\n";
    }
    text += (n > 0 ? ", " : "") + part;
  }
  return text + (s.list > 0 ? "}" : "");
}

// Which source of an opcode has to be an immediate, and which values it takes.
std::vector<uint64_t> immediates_of(const std::string& name) {
  if (name == "lop3") return {0xe8, 0x96, 0xfe, 0x80, 0x2a, 0x00, 0xff};
  if (name == "prmt") return {0x3210, 0x5410, 0x7632, 0xba98, 0x0f84};
  return {};
}

Case make_case(const Form& row, const std::string& opcode, const std::vector<Slot>& slots,
               std::optional<uint64_t> immediate, bool negates) {
  Case c;
  c.opcode = c.id = opcode;
  c.row = &row;
  c.immediate = immediate;
  Kernel k;
  const bool is_move = opcode.starts_with("mov.");
  std::string operands;
  std::vector<int> source_bits;
  size_t source = 0;
  for (size_t n = 0; n < slots.size(); ++n) {
    const Slot& s = slots[n];
    std::string text;
    if (n == 0) {
      text = declare(k, s, "%d", true, is_move);
      if (s.has_second) text += "|" + declare(k, {s.second_is_pred ? 1 : 32, 0, s.second_is_pred}, "%e", true, false);
    } else {
      const bool is_immediate =
          immediate && !s.is_pred && ((opcode.starts_with("lop3") && n == 4) || (opcode.starts_with("prmt") && n == 3));
      if (is_immediate) {
        text = std::to_string(*immediate);
        c.immediate_source = source;
      } else {
        const std::string name = "%s" + std::to_string(n);
        text = declare(k, s, name, false, is_move);
        for (int part = 0; part < std::max(s.list, 1); ++part) source_bits.push_back(s.bits);
        if (negates && s.is_pred) text = "!" + text;
        for (int part = 0; part < std::max(s.list, 1); ++part) c.negated.push_back(negates && s.is_pred);
      }
      ++source;
    }
    operands += (n == 0 ? " " : ", ") + text;
  }
  if (immediate) c.id += " " + std::to_string(*immediate);
  if (negates) c.id += " !p";
  if (slots.size() == 4 && (opcode.starts_with("min") || opcode.starts_with("max"))) c.id += " of three";
  c.in_words = k.in_words;
  c.out_words = k.out_words;
  c.ptx = wrap(k.declarations, k.loads + opcode + operands + ";\n" + k.stores, k.in_words, k.out_words);
  const bool is_plain = opcode.starts_with("cvt") || opcode.starts_with("setp") || opcode.starts_with("set.");
  c.threads = is_plain ? 192 : 448;
  std::mt19937_64 random(seed_of(c.id));
  for (uint32_t t = 0; t < c.threads; ++t) {
    for (uint32_t n = 0; n < c.in_words; ++n) {
      const auto& list = corners(source_bits[n]);
      // One source alone: first all corners in order.
      c.inputs.push_back(c.in_words == 1 && t < list.size() ? list[t] : sample(random, source_bits[n]));
    }
    // Addends that cancel the product show whether it was rounded before.
    if ((opcode.starts_with("fma") || opcode.starts_with("mad.r")) && t % 4 == 0 && c.in_words == 3) {
      uint64_t* in = &c.inputs[c.inputs.size() - 3];
      const std::string type = Opcode(opcode).type();
      const Binary f = type.starts_with("bf16") ? kB16 : type.starts_with("f16") ? kH16 : type == "f64" ? kD64 : kS32;
      if (source_bits[0] == source_bits[2] && !type.ends_with("x2"))
        in[2] = encode(f, negate(multiply(decode(f, in[0]), decode(f, in[1]))), Mode::kNearest, in[2]);
    }
  }
  return c;
}

}  // namespace

Words Case::sources(uint32_t t) const {
  Words in(inputs.begin() + static_cast<long>(t * in_words), inputs.begin() + static_cast<long>((t + 1) * in_words));
  for (size_t n = 0; n < in.size(); ++n)
    if (n < negated.size() && negated[n]) in[n] ^= 1;
  if (immediate) in.insert(in.begin() + static_cast<long>(immediate_source), *immediate);
  return in;
}

std::string wrap(const std::string& declarations, const std::string& body, uint32_t in_words, uint32_t out_words) {
  return ".version 8.8\n.target sm_90a\n.address_size 64\n"
         ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n)\n{\n"
         ".reg .pred %done;\n.reg .b32 %index, %count, %block, %size;\n.reg .b64 %in, %out, %step;\n" +
         declarations +
         "ld.param.u64 %in, [in];\nld.param.u64 %out, [out];\nld.param.u32 %count, [n];\n"
         "mov.u32 %index, %tid.x;\nmov.u32 %block, %ctaid.x;\nmov.u32 %size, %ntid.x;\n"
         "mad.lo.u32 %index, %block, %size, %index;\n"
         "setp.ge.u32 %done, %index, %count;\n@%done exit;\n"
         "mul.wide.u32 %step, %index, " +
         std::to_string(8 * in_words) +
         ";\nadd.s64 %in, %in, %step;\n"
         "mul.wide.u32 %step, %index, " +
         std::to_string(8 * out_words) + ";\nadd.s64 %out, %out, %step;\n" + body + "ret;\n}\n";
}

std::vector<Case> table_cases() {
  std::vector<Case> cases;
  for (const Group group : {Group::kAlu, Group::kFloat, Group::kCompare, Group::kConvert}) {
    for (const Form& row : form_table().group(group)) {
      const std::string_view pattern = row.pattern;
      // Carry chains need two instructions, moves of 128 bits, packing and clocks a kernel of their own: hand_cases().
      if (pattern.find(".cc") != std::string_view::npos || pattern.starts_with("addc") || pattern.starts_with("subc") ||
          pattern.starts_with("madc"))
        continue;
      const std::vector<Slot> slots = slots_of(row.operands);
      if (pattern.starts_with("mov.") && (pattern.find(":%") != std::string_view::npos || pattern == "mov.b128" ||
                                          slots[0].list > 0 || slots[1].list > 0))
        continue;
      std::vector<std::string> opcodes;
      expand(std::string(pattern), opcodes);
      for (const std::string& opcode : opcodes) {
        const std::string name = opcode.substr(0, opcode.find('.'));
        const std::vector<uint64_t> immediates = immediates_of(name);
        const bool needs_immediate = name == "lop3";
        if (!needs_immediate) cases.push_back(make_case(row, opcode, slots, std::nullopt, false));
        if (needs_immediate || opcode == "prmt.b32")
          for (const uint64_t immediate : immediates) cases.push_back(make_case(row, opcode, slots, immediate, false));
        const bool has_source_predicate =
            std::any_of(slots.begin() + 1, slots.end(), [](const Slot& s) { return s.is_pred; });
        if (has_source_predicate && !needs_immediate)
          cases.push_back(make_case(row, opcode, slots, std::nullopt, true));
      }
    }
  }
  return cases;
}

Words run_case(const Case& c, bool is_recorded) {
  const auto module = load_ptx(c.ptx, c.id);
  const sim::Kernel* kernel = module->find("k");
  if (!kernel->load_error.empty()) throw std::runtime_error(kernel->load_error);
  launched_forms().note(*kernel, is_recorded);
  Memory memory;
  Words out(static_cast<size_t>(c.threads) * c.out_words);
  struct {
    uint64_t in, out;
    uint32_t n;
  } params{memory.allocate(c.inputs.size() * 8, "in"), memory.allocate(out.size() * 8, "out"), c.threads};
  std::memcpy(reinterpret_cast<void*>(params.in), c.inputs.data(), c.inputs.size() * 8);
  std::memset(reinterpret_cast<void*>(params.out), 0, out.size() * 8);
  LaunchConfig config;
  config.block = {64, 1, 1};
  config.grid = {(c.threads + 63) / 64, 1, 1};
  const LaunchResult result = run_grid(*kernel, config, &params, memory, *find_card("h200"));
  if (result.status != LaunchResult::Status::kOk) throw std::runtime_error(result.report);
  std::memcpy(out.data(), reinterpret_cast<void*>(params.out), out.size() * 8);
  return out;
}

}  // namespace sim::test
