// Loads, stores, atomics, addresses and control: every thread works on bytes of its own, in each state space.
#include <algorithm>
#include <random>

#include "cases.hpp"

namespace sim::test {
namespace {

std::string number(int n) { return std::to_string(n); }

void add_case(std::vector<HandCase>& cases, const std::string& id, const std::string& declarations,
              const std::string& body, uint32_t in_words, uint32_t out_words,
              std::function<Words(const Case&, uint32_t)> expected) {
  HandCase h;
  h.base.id = id;
  h.base.in_words = in_words;
  h.base.out_words = out_words;
  h.base.threads = 128;
  h.base.ptx = wrap(declarations, body, in_words, out_words);
  std::mt19937_64 random(id.size() * 104729 + id.back());
  for (uint32_t n = 0; n < h.base.threads * in_words; ++n) h.base.inputs.push_back(random());
  h.expected = std::move(expected);
  cases.push_back(std::move(h));
}
uint64_t word(const Case& c, uint32_t t, uint32_t n) { return c.inputs[static_cast<size_t>(t) * c.in_words + n]; }
// `bits` bits at bit `at` of the thread's words.
uint64_t field(const Case& c, uint32_t t, int at, int bits) {
  const uint64_t v = word(c, t, static_cast<uint32_t>(at / 64)) >> (at % 64);
  return bits == 64 ? v : v & ((1ull << bits) - 1);
}
std::string reg(int bits, int n) { return "%v" + number(bits) + "_" + number(n); }

constexpr char kDeclarations[] =
    ".reg .b16 %v16_<8>;\n.reg .b32 %v32_<8>, %slot, %k<8>;\n.reg .b64 %v64_<8>, %at, %policy, %w<8>;\n"
    ".reg .b128 %v128_<2>;\n"
    ".reg .pred %p<4>;\n.shared .align 32 .b8 area[4096];\n.local .align 32 .b8 depot[64];\n";

// Where a space's 32 bytes of this thread lie: the statements that make the address, and its register.
struct Place {
  std::string setup, address;
};
Place place(const std::string& space) {
  if (space == ".global" || space == "") return {"mov.b64 %at, %out;\nadd.s64 %at, %at, 64;\n", "%at"};
  if (space == ".local") return {"", "depot"};
  return {
      "mov.u32 %slot, %tid.x;\nand.b32 %slot, %slot, 63;\nshl.b32 %slot, %slot, 5;\nmov.u32 %k7, area;\n"
      "add.u32 %slot, %slot, %k7;\n",
      "%slot"};
}
std::string plain(const std::string& space) { return space == "" ? ".global" : space.substr(0, space.find("::")); }

struct Type {
  const char* name;
  int bits;
};

// opcode up to the type ("ld.relaxed.gpu.shared"), the space that it names, and whether a cache policy follows.
struct Variant {
  std::string opcode, space, tail;
  bool has_policy;
};

// Loads: the thread's words are put in place, then read as the opcode says; wider registers show the extension.
void load_case(std::vector<HandCase>& cases, const Variant& v, const Type& type, int n) {
  const std::string opcode = v.opcode + v.tail + (n > 1 ? ".v" + number(n) : "") + "." + type.name;
  const int reg_bits = std::max(type.bits, 16) == 16 && type.name[0] != 's' ? 16 : std::max(type.bits, 32);
  const Place p = place(v.space);
  std::string body = p.setup, list, st;
  for (int k = 0; k < 4; ++k)
    body += "ld.global.b64 %w" + number(k) + ", [%in+" + number(8 * k) + "];\nst" + plain(v.space) + ".b64 [" +
            p.address + "+" + number(8 * k) + "], %w" + number(k) + ";\n";
  const std::string address =
      v.opcode.find(".nc") != std::string::npos || v.opcode.starts_with("ldu") ? "%in" : p.address;
  for (int k = 0; k < n; ++k) {
    list += (k > 0 ? ", " : "") + reg(reg_bits, k);
    st += "st.global.b" + number(reg_bits) + " [%out+" + number(8 * k) + "], " + reg(reg_bits, k) + ";\n";
  }
  if (v.has_policy) body += "createpolicy.fractional.L2::evict_first.b64 %policy, 1.0;\n";
  body += opcode + " " + (n > 1 ? "{" + list + "}" : list) + ", [" + address + "]" +
          (v.has_policy ? ", "
                          "%policy"
                        : "") +
          ";\n" + st;
  add_case(cases, opcode, kDeclarations, body, 4, 12, [=](const Case& c, uint32_t t) {
    Words r(12);
    for (int k = 0; k < n; ++k) {
      uint64_t x = field(c, t, k * type.bits, type.bits);
      if (type.name[0] == 's' && type.bits < 32 && (x >> (type.bits - 1) & 1) != 0)
        x |= 0xffffffffu & ~((1ull << type.bits) - 1);
      r[static_cast<size_t>(k)] = x;
    }
    if (plain(v.space) == ".global")
      for (uint32_t k = 0; k < 4; ++k) r[8 + k] = word(c, t, k);
    return r;
  });
}

// Stores: over zeros in the space, read back as 64-bit words.
void store_case(std::vector<HandCase>& cases, const Variant& v, const Type& type, int n) {
  const std::string opcode = v.opcode + v.tail + (n > 1 ? ".v" + number(n) : "") + "." + type.name;
  const int reg_bits = std::max(type.bits, 16);
  const Place p = place(v.space);
  std::string body = p.setup, list, back;
  for (int k = 0; k < 4; ++k) {
    body += "st" + plain(v.space) + ".b64 [" + p.address + "+" + number(8 * k) + "], 0;\n";
    back += "ld" + plain(v.space) + ".b64 %w" + number(k) + ", [" + p.address + "+" + number(8 * k) +
            "];\nst.global.b64 [%out+" + number(8 * k) + "], %w" + number(k) + ";\n";
  }
  for (int k = 0; k < n; ++k) {
    body += "ld.global.b" + number(reg_bits) + " " + reg(reg_bits, k) + ", [%in+" + number(8 * k) + "];\n";
    list += (k > 0 ? ", " : "") + reg(reg_bits, k);
  }
  if (v.has_policy) body += "createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 %policy, 0.5;\n";
  body += opcode + " [" + p.address + "], " + (n > 1 ? "{" + list + "}" : list) + (v.has_policy ? ", %policy" : "") +
          ";\n" + back;
  add_case(cases, opcode, kDeclarations, body, 8, 12, [=](const Case& c, uint32_t t) {
    Words r(12);
    for (int k = 0; k < n; ++k) {
      const uint64_t x = field(c, t, 64 * k, type.bits);
      r[static_cast<size_t>(k * type.bits / 64)] |= x << (k * type.bits % 64);
    }
    if (plain(v.space) == ".global")
      for (size_t k = 0; k < 4; ++k) r[8 + k] = r[k];
    return r;
  });
}

// st.b128 and ld.b128 together.
void wide_case(std::vector<HandCase>& cases, const std::string& space, const std::string& policy) {
  const std::string hint = policy.empty() ? "" : ".L2::cache_hint", operand = policy.empty() ? "" : ", %policy";
  const Place p = place(space);
  add_case(cases, "ld/st" + space + hint + ".b128", kDeclarations,
           p.setup + policy +
               "ld.global.b64 %w0, [%in];\nld.global.b64 %w1, [%in+8];\nmov.b128 %v128_0, {%w0, %w1};\nst" + space +
               hint + ".b128 [" + p.address + "], %v128_0" + operand + ";\nld" + space + hint + ".b128 %v128_1, [" +
               p.address + "]" + operand +
               ";\nmov.b128 {%w2, %w3}, %v128_1;\nst.global.b64 [%out], %w2;\nst.global.b64 [%out+8], %w3;\n",
           2, 12, [=](const Case& c, uint32_t t) {
             Words r(12);
             r[0] = word(c, t, 0), r[1] = word(c, t, 1);
             if (plain(space) == ".global") r[8] = r[0], r[9] = r[1];
             return r;
           });
}

// atom: old value and what is left in memory; red: the latter alone.
void atomic_case(std::vector<HandCase>& cases, const std::string& head, const std::string& op, const std::string& type,
                 const std::string& space, const std::string& opcode, bool has_policy) {
  const bool returns = head == "atom", is_cas = op == "cas";
  const int bits = bits_of(type);
  const int reg_bits = std::max(bits, 16);
  const Place p = place(space);
  std::string body = p.setup;
  for (int k = 0; k < 3; ++k)
    body += "ld.global.b" + number(reg_bits) + " " + reg(reg_bits, k) + ", [%in+" + number(8 * k) + "];\n";
  // Every second thread's comparison succeeds.
  if (is_cas)
    body += "mov.u32 %k0, %laneid;\nand.b32 %k0, %k0, 1;\nsetp.eq.u32 %p0, %k0, 0;\n@%p0 mov.b" + number(reg_bits) +
            " " + reg(reg_bits, 1) + ", " + reg(reg_bits, 0) + ";\n";
  body += "st" + plain(space) + ".b64 [" + p.address + "], 0;\nst" + plain(space) + ".b" + number(reg_bits) + " [" +
          p.address + "], " + reg(reg_bits, 0) + ";\n";
  if (has_policy) body += "createpolicy.fractional.L2::evict_normal.b64 %policy;\n";
  body += opcode + " " + (returns ? reg(reg_bits, 4) + ", " : "") + "[" + p.address + "], " + reg(reg_bits, 1) +
          (is_cas ? ", " + reg(reg_bits, 2) : "") + (has_policy ? ", %policy" : "") + ";\n";
  if (returns) body += "st.global.b" + number(reg_bits) + " [%out], " + reg(reg_bits, 4) + ";\n";
  body += "ld" + plain(space) + ".b64 %w0, [" + p.address + "];\nst.global.b64 [%out+8], %w0;\n";
  add_case(cases, opcode, kDeclarations, body, 3, 12, [=](const Case& c, uint32_t t) {
    const uint64_t old = field(c, t, 0, bits), b = is_cas && t % 2 == 0 ? old : field(c, t, 64, bits),
                   next = field(c, t, 128, bits);
    uint64_t left = 0;
    if (op == "exch")
      left = b;
    else if (is_cas)
      left = old == b ? next : old;
    else if (op == "inc")
      left = old >= b ? 0 : old + 1;
    else if (op == "dec")
      left = old == 0 || old > b ? b : old - 1;
    else {
      // f32 sums flush subnormals in global memory.
      const bool flushes = op == "add" && type == "f32" && plain(space) == ".global";
      left = (*reference(Opcode(op + (flushes ? ".ftz." : ".") + type), {old, b}))[0];
    }
    Words r(12);
    r[0] = returns ? old : 0;
    r[1] = left;
    if (plain(space) == ".global") r[8] = left;
    return r;
  });
}

void vector_atomic_case(std::vector<HandCase>& cases, const std::string& head, const std::string& op,
                        const std::string& type, int n, bool has_policy) {
  const bool returns = head == "atom";
  const int bits = bits_of(type);
  const bool has_noftz = type != "f32";
  const std::string opcode = head + ".global." + op + (has_noftz ? ".noftz" : "") +
                             (has_policy ? ".L2::cache_hint" : "") + ".v" + number(n) + "." + type;
  const Place p = place(".global");
  std::string body = p.setup, list, results, st;
  for (int k = 0; k < n; ++k) {
    body += "ld.global.b" + number(bits) + " " + reg(bits, k) + ", [%in+" + number(8 * k) + "];\nst.global.b" +
            number(bits) + " [%at+" + number(k * bits / 8) + "], " + reg(bits, k) + ";\n";
    body += "ld.global.b" + number(bits) + " " + reg(bits, k) + ", [%in+" + number(8 * k + 64) + "];\n";
    list += (k > 0 ? ", " : "") + reg(bits, k);
    results += (k > 0 ? ", %q" : "%q") + number(k);
    if (returns) st += "st.global.b" + number(bits) + " [%out+" + number(8 * k) + "], %q" + number(k) + ";\n";
  }
  if (has_policy) body += "createpolicy.fractional.L2::evict_unchanged.b64 %policy;\n";
  body += opcode + " " + (returns ? "{" + results + "}, " : "") + "[%at], {" + list + "}" +
          (has_policy ? ", %policy" : "") + ";\n" + st;
  add_case(cases, opcode, std::string(kDeclarations) + ".reg .b" + number(bits) + " %q<8>;\n", body, 16, 12,
           [=](const Case& c, uint32_t t) {
             Words r(12);
             for (int k = 0; k < n; ++k) {
               const uint64_t old = field(c, t, 64 * k, bits), b = field(c, t, 64 * (8 + k), bits);
               const uint64_t left = (*reference(Opcode(op + (type == "f32" ? ".ftz." : ".") + type), {old, b}))[0];
               if (returns) r[static_cast<size_t>(k)] = old;
               r[static_cast<size_t>(8 + k * bits / 64)] |= left << (k * bits % 64);
             }
             return r;
           });
}

void loads_and_stores(std::vector<HandCase>& cases) {
  const Type types[] = {{"b8", 8},   {"u8", 8},   {"s8", 8},   {"b16", 16}, {"u16", 16}, {"s16", 16}, {"b32", 32},
                        {"u32", 32}, {"s32", 32}, {"f32", 32}, {"b64", 64}, {"u64", 64}, {"s64", 64}, {"f64", 64}};
  for (const bool has_policy : {false, true}) {
    const std::string tail = has_policy ? ".L2::cache_hint" : "";
    const std::vector<std::string> spaces =
        has_policy ? std::vector<std::string>{".global"}
                   : std::vector<std::string>{".global", "", ".shared", ".shared::cta", ".local"};
    for (const std::string& space : spaces) {
      for (const Type& type : types) {
        for (const int n : {1, 2, 4, 8}) {
          if (n * type.bits > 256 || (n == 8 && type.bits != 32) || (n * type.bits > 128 && space != ".global"))
            continue;
          load_case(cases, {"ld" + space, space, tail, has_policy}, type, n);
          store_case(cases, {"st" + space, space, tail, has_policy}, type, n);
        }
      }
    }
  }
  for (const char* opcode : {"ld.global.ca",
                             "ld.global.cg",
                             "ld.global.cs",
                             "ld.global.lu",
                             "ld.global.cv",
                             "ld.global.nc",
                             "ld.global.nc.L1::no_allocate",
                             "ld.global.nc.L1::no_allocate.L2::128B",
                             "ld.global.L1::evict_last",
                             "ld.global.L2::256B",
                             "ld.weak.global",
                             "ld.volatile.global",
                             "ld.relaxed.gpu.global",
                             "ld.relaxed.cta.global",
                             "ld.acquire.sys.global",
                             "ld.global.acquire.gpu",
                             "ld.shared.relaxed.cta",
                             "ld.global.volatile",
                             "ld.acquire.cluster.global",
                             "ld.volatile.shared",
                             "ld.relaxed.cta.shared",
                             "ld.acquire.cta.shared::cta",
                             "ld.volatile",
                             "ld.relaxed.sys",
                             "ld.acquire.gpu",
                             "ldu.global",
                             "ldu"}) {
    const std::string text = opcode;
    const std::string space = text.find(".shared") != std::string::npos   ? ".shared"
                              : text.find(".global") != std::string::npos ? ".global"
                                                                          : "";
    for (const Type type : {Type{"u8", 8}, Type{"u32", 32}, Type{"s16", 16}, Type{"b64", 64}})
      load_case(cases, {text, space, "", false}, type, 1);
    if (text.find("relaxed") == std::string::npos && text.find("acquire") == std::string::npos &&
        text.find("volatile") == std::string::npos) {
      for (const Type type : {Type{"u8", 8}, Type{"u16", 16}, Type{"u32", 32}})
        load_case(cases, {text, space, "", false}, type, 4);
      for (const Type type : {Type{"u8", 8}, Type{"u16", 16}, Type{"u32", 32}, Type{"u64", 64}})
        load_case(cases, {text, space, "", false}, type, 2);
    }
  }
  for (const char* opcode :
       {"st.global.wb", "st.global.cg", "st.global.cs", "st.global.wt", "st.global.L1::no_allocate", "st.weak.global",
        "st.global.release.gpu", "st.shared.relaxed.cta", "st.volatile.global", "st.relaxed.gpu.global",
        "st.release.sys.global", "st.release.cta.shared", "st.volatile.shared", "st.volatile", "st.release.gpu"}) {
    const std::string text = opcode;
    const std::string space = text.find(".shared") != std::string::npos   ? ".shared"
                              : text.find(".global") != std::string::npos ? ".global"
                                                                          : "";
    for (const Type type : {Type{"u8", 8}, Type{"u32", 32}, Type{"b64", 64}})
      store_case(cases, {text, space, "", false}, type, 1);
  }
  for (const char* space : {".global", ".shared", ""}) wide_case(cases, space, "");
  wide_case(cases, ".global", "createpolicy.fractional.L2::evict_first.b64 %policy, 1.0;\n");
}

void atomics(std::vector<HandCase>& cases) {
  const std::vector<std::string> typed = {
      "add.u32",        "add.s32",         "add.u64",          "add.f32", "add.f64", "add.noftz.f16",
      "add.noftz.bf16", "add.noftz.f16x2", "add.noftz.bf16x2", "min.u32", "min.s32", "min.u64",
      "min.s64",        "max.u32",         "max.s32",          "max.u64", "max.s64", "inc.u32",
      "dec.u32",        "and.b32",         "or.b32",           "xor.b32", "and.b64", "or.b64",
      "xor.b64",        "exch.b32",        "exch.b64",         "cas.b16", "cas.b32", "cas.b64"};
  for (const std::string& entry : typed) {
    const std::string op = entry.substr(0, entry.find('.')), type = entry.substr(entry.rfind('.') + 1);
    const std::string stem = entry.substr(0, entry.rfind('.'));
    for (const std::string head : {"atom", "red"}) {
      if (head == "red" && (op == "exch" || op == "cas")) continue;
      for (const std::string space : {".global", ".shared", ""})
        atomic_case(cases, head, op, type, space, head + space + "." + entry, false);
      atomic_case(cases, head, op, type, ".global", head + ".relaxed.gpu.global." + entry, false);
      atomic_case(cases, head, op, type, ".global", head + ".release.cta.global." + entry, false);
      if (bits_of(type) >= 32)
        atomic_case(cases, head, op, type, "", head + "." + stem + ".relaxed.sys." + type, false);
      if (op != "cas")
        atomic_case(cases, head, op, type, ".global", head + ".global." + stem + ".L2::cache_hint." + type, true);
    }
  }
  for (const bool has_policy : {false, true})
    for (const std::string head : {"atom", "red"}) {
      for (const int n : {2, 4}) {
        vector_atomic_case(cases, head, "add", "f32", n, has_policy);
        for (const std::string op : {"add", "min", "max"})
          for (const std::string type : {"f16x2", "bf16x2"}) vector_atomic_case(cases, head, op, type, n, has_policy);
      }
      for (const int n : {2, 4, 8})
        for (const std::string op : {"add", "min", "max"})
          for (const std::string type : {"f16", "bf16"}) vector_atomic_case(cases, head, op, type, n, has_policy);
    }
  for (const std::string hint : {"", ".L2::cache_hint"}) {
    const std::string policy = hint.empty() ? "" : "createpolicy.fractional.L2::evict_first.b64 %policy, 1.0;\n",
                      operand = hint.empty() ? "" : ", %policy";
    add_case(cases, "atom.global.exch" + hint + ".b128, atom.global.cas.b128",
             std::string(kDeclarations) + ".reg .b128 %x<4>;\n",
             place(".global").setup + policy +
                 "ld.global.b64 %w0, [%in];\nld.global.b64 %w1, [%in+8];\nmov.b128 %v128_0, {%w0, %w1};\n"
                 "mov.b128 %v128_1, {%w1, %w0};\nst.global.b64 [%at], 7;\n"
                 "st.global.b64 [%at+8], 9;\natom.global.exch" +
                 hint + ".b128 %x0, [%at], %v128_0" + operand +
                 ";\natom.global.cas.b128 %x1, [%at], %v128_0, %v128_1;\n"
                 "atom.global.cas.b128 %x2, [%at], %v128_0, %v128_0;\n"
                 "mov.b128 {%w2, %w3}, %x0;\nst.global.b64 [%out], %w2;\nst.global.b64 [%out+8], %w3;\n"
                 "mov.b128 {%w2, %w3}, %x1;\nst.global.b64 [%out+16], %w2;\n"
                 "mov.b128 {%w2, %w3}, %x2;\nst.global.b64 [%out+24], %w2;\n",
             2, 12, [](const Case& c, uint32_t t) {
               Words r(12);
               r[0] = 7, r[1] = 9, r[2] = word(c, t, 0), r[3] = word(c, t, 1), r[8] = word(c, t, 1),
               r[9] = word(c, t, 0);
               return r;
             });
  }
}

void addresses_and_control(std::vector<HandCase>& cases) {
  add_case(cases, "addresses",
           std::string(kDeclarations) +
               ".reg .b64 %g<8>;\n"
               ".const .align 8 .b64 table[2] = {11, 12};\n",
           "mov.u64 %g0, area;\ncvta.shared.u64 %g1, %g0;\ncvta.to.shared.u64 %g2, %g1;\nsub.s64 %g2, %g2, %g0;\n"
           "isspacep.shared %p0, %g1;\n"
           "isspacep.global %p1, %out;\nisspacep.local %p2, %g1;\nselp.b64 %w0, 1, 0, %p0;\n"
           "selp.b64 %w1, 2, 0, %p1;\nselp.b64 %w2, 4, 0, %p2;\n"
           "add.s64 %g2, %g2, %w0;\nadd.s64 %g2, %g2, %w1;\nadd.s64 %g2, %g2, %w2;\nst.global.b64 [%out], %g2;\n"
           "cvta.to.global.u64 %g3, %out;\nld.const.b64 %w3, [table+8];\nst.global.b64 [%g3+8], %w3;\n"
           "mov.u64 %g4, table;\ncvta.const.u64 %g4, %g4;\nisspacep.const %p3, %g4;\nselp.b64 %w4, 8, 0, %p3;\n"
           "ld.b64 %w5, [%g4];\nadd.s64 %w4, %w4, %w5;\nst.global.b64 [%out+16], %w4;\n"
           "mapa.u64 %g5, %g1, 0;\nsub.s64 %g5, %g5, %g5;\nst.global.b64 [%out+24], %g5;\nmov.u32 %k0, area;\n"
           "mapa.shared::cluster.u32 %k1, %k0, 0;\n"
           "getctarank.shared::cluster.u32 %k2, %k1;\ngetctarank.u64 %k3, %g1;\nadd.u32 %k2, %k2, %k3;\n"
           "st.global.b32 [%out+32], %k2;\n"
           "prefetch.global.L1 [%in];\nprefetch.global.L2 [%in];\nprefetchu.L1 [%in];\n"
           "prefetch.global.L2::evict_last [%in];\n"
           "createpolicy.range.global.L2::evict_last.L2::evict_unchanged.b64 %policy, [%in], 128, 256;\n"
           "createpolicy.cvt.L2.b64 %policy, 0x14f0000000000000;\n",
           1, 12, [](const Case&, uint32_t) { return Words{3, 12, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0}; });
  add_case(cases, "priority hints",
           std::string(kDeclarations) + ".global .align 128 .b8 line[128];\n.reg .b64 %g<2>;\n",
           "mov.u64 %g0, line;\napplypriority.global.L2::evict_normal [%g0], 128;\n"
           "discard.global.L2 [%g0], 128;\n",
           1, 1, [](const Case&, uint32_t) { return Words{0}; });
  // 64 threads of a block: the warps arrive at barriers 3 and 4 once each without waiting.
  add_case(cases, "control", std::string(kDeclarations) + ".reg .b32 %c<4>;\n",
           "mov.u32 %c0, %tid.x;\nand.b32 %c1, %c0, 1;\nmov.u32 %c2, 5;\nsetp.eq.u32 %p0, %c1, 0;\n@%p0 bra $even;\n"
           "mov.u32 %c2, 6;\nbra.uni $end;\n$even:\n"
           "mov.u32 %c2, 7;\n$end:\nbar.sync 0;\nbarrier.cta.sync 1;\nbarrier.sync.aligned 2, 64;\n"
           "barrier.cta.arrive 3, 64;\nbarrier.cta.arrive.aligned 4, 64;\n"
           "barrier.red.popc.u32 %c3, 5, %p0;\nadd.u32 %c2, %c2, %c3;\nbar.red.and.pred %p1, 6, 64, %p0;\n"
           "@%p1 add.u32 %c2, %c2, 1000;\n"
           "bar.warp.sync -1;\nmembar.cta;\nfence.acq_rel.gpu;\nnanosleep.u32 20;\n"
           "griddepcontrol.launch_dependents;\ngriddepcontrol.wait;\n"
           "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\npmevent 1;\nst.global.b32 [%out], %c2;\n"
           "mov.u32 %c3, 1;\n$table: .branchtargets $first, $second;\nbrx.idx %c3, $table;\n$first:\ntrap;\n$second:\n",
           1, 1, [](const Case&, uint32_t t) { return Words{(t % 2 == 0 ? 7u : 6u) + 32u}; });
  add_case(cases, "setmaxnreg", kDeclarations,
           "setmaxnreg.dec.sync.aligned.u32 40;\nsetmaxnreg.inc.sync.aligned.u32 64;\nexit;\nbrkpt;\n", 1, 1,
           [](const Case&, uint32_t) { return Words{0}; });
}

}  // namespace

void memory_cases(std::vector<HandCase>& cases) {
  loads_and_stores(cases);
  atomics(cases);
  addresses_and_control(cases);
}

}  // namespace sim::test
