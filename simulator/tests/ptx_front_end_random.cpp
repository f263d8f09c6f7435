// The front end on programs nobody wrote: random structured programs whose slots are shared, run on diverged lanes
// against an interpreter of the text; and text cut or damaged anywhere.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "ptx/module_ast.hpp"
#include "simulator/tests/ptx_front_end.hpp"

using namespace front_end_test;

// --- random structured programs, lanes diverged
// -------------------------------------------------------------------------

namespace {

constexpr size_t kWordsPerLane = 1024;

struct Random {
  uint64_t state;
  uint32_t below(uint32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33) % n;
  }
};

// Writes a random program. Variables are registers that are defined before use in their block; blocks are ifs, if-elses
// and counted loops whose conditions differ from lane to lane.
class ProgramWriter {
 public:
  explicit ProgramWriter(uint64_t seed) : random_{seed} {
    text_ = ".reg .u32 %v<4000>; .reg .pred %p<2000>; .reg .b64 out;\nld.param.u64 out, [p];\nadd.u64 out, out, 0;\n";
    text_ += "mov.u32 %v0, %laneid;\n";
    visible_.push_back(0);
    block(0);
    store(pick());  // the others die where they were read last
    text_ += "exit;\n";
  }
  const std::string& text() const { return text_; }
  int stores() const { return stores_; }
  int registers() const { return next_; }

 private:
  std::string v(int id) { return "%v" + std::to_string(id); }
  int pick() { return visible_[random_.below(static_cast<uint32_t>(visible_.size()))]; }
  void store(int id) { text_ += "st.b32 [out+" + std::to_string(4 * stores_++) + "], " + v(id) + ";\n"; }

  void block(int depth) {
    const size_t outer = visible_.size();
    const int count = 3 + static_cast<int>(random_.below(depth == 0 ? 12 : 6));
    for (int k = 0; k < count; ++k) {
      const uint32_t choice = random_.below(depth < 4 ? 10 : 7);
      const std::string a = v(pick()), b = v(pick());
      if (choice < 3) {
        visible_.push_back(next_++);
        text_ += (choice == 0 ? "mul.lo.u32 " : "add.u32 ") + v(visible_.back()) + ", " + a + ", " + b + ";\n";
      } else if (choice < 5) {
        const int target = pick();
        if (is_counter(target)) continue;
        text_ += "add.u32 " + v(target) + ", " + a + ", " + std::to_string(random_.below(1000)) + ";\n";
      } else if (choice == 5) {
        const int target = pick();
        if (is_counter(target)) continue;
        const std::string p = condition(a, b);
        text_ += (random_.below(2) ? "@" : "@!") + p + " mov.u32 " + v(target) + ", " + b + ";\n";
      } else if (choice == 6) {
        store(pick());
      } else if (choice < 9) {
        const std::string end = label(), other = label();
        text_ += "@" + condition(a, b) + " bra " + other + ";\n";
        block(depth + 1);
        text_ += "bra " + end + ";\n" + other + ":\n";
        if (choice == 8) block(depth + 1);
        text_ += end + ":\n";
      } else {
        const int counter = next_++, limit = next_++;
        counters_.insert({counter, limit});
        const std::string start = label();
        text_ += "mov.u32 " + v(counter) + ", 0;\nadd.u32 " + v(limit) + ", %v0, 0;\n";
        const std::string small = condition(v(limit), "4");
        text_ +=
            "@!" + small + " mov.u32 " + v(limit) + ", " + std::to_string(1 + random_.below(3)) + ";\n" + start + ":\n";
        block(depth + 1);
        text_ += "add.u32 " + v(counter) + ", " + v(counter) + ", 1;\n";
        text_ += "@" + condition(v(counter), v(limit)) + " bra " + start + ";\n";
      }
    }
    visible_.resize(outer);
  }
  bool is_counter(int id) const { return id == 0 || counters_.count(id) != 0; }
  std::string condition(const std::string& a, const std::string& b) {
    const std::string p = "%p" + std::to_string(predicates_++);
    text_ += "setp.lt.u32 " + p + ", " + a + ", " + b + ";\n";
    return p;
  }
  std::string label() { return "L" + std::to_string(labels_++); }

  Random random_;
  std::string text_;
  std::vector<int> visible_;
  std::set<int> counters_;
  int next_ = 1, labels_ = 0, predicates_ = 0, stores_ = 0;
};

// What one lane must store: the statements themselves, with a value per register name and no slots anywhere.
std::vector<uint32_t> interpret(const std::string& text, uint32_t lane) {
  const ptx::Source source{"demo.ptx", text};
  const ptx::Tree tree = ptx::parse(source);
  const ptx::Body& body = tree.functions[0].body;
  std::map<std::string_view, uint32_t> label_at, value;
  uint32_t position = 0;
  for (const ptx::Item& item : body.items) {
    if (item.kind == ptx::Item::Kind::kStatement) ++position;
    if (item.kind == ptx::Item::Kind::kLabel) label_at[body.labels[item.index].name] = position;
  }
  std::vector<uint32_t> out(kWordsPerLane);
  const auto read = [&](const ptx::Operand& operand) {
    if (operand.kind == ptx::Operand::Kind::kInteger) return static_cast<uint32_t>(operand.value);
    return operand.name == "%laneid" ? lane : value.at(operand.name);
  };
  for (uint32_t pc = 0;;) {
    const ptx::Statement& s = body.statements[pc++];
    if (!s.guard.empty() && (value.at(s.guard) != 0) == s.is_guard_negated) continue;
    const auto& ops = s.operands;
    if (s.opcode == "exit") return out;
    if (s.opcode == "bra") pc = label_at.at(ops[0].name);
    if (s.opcode == "st.b32") out.at(ops[0].value / 4) = read(ops[1]);
    if (s.opcode == "mov.u32") value[ops[0].name] = read(ops[1]);
    if (s.opcode == "add.u32") value[ops[0].name] = read(ops[1]) + read(ops[2]);
    if (s.opcode == "mul.lo.u32") value[ops[0].name] = read(ops[1]) * read(ops[2]);
    if (s.opcode == "setp.lt.u32") value[ops[0].name] = read(ops[1]) < read(ops[2]);
  }
}

// A warp without a machine: in every step some of the lanes of a randomly chosen pc run. Lane l stores at out + 4096 *
// l.
void run(const Kernel& kernel, uint32_t* out, uint64_t seed) {
  std::vector<std::byte> memory(kernel.register_file_bytes + 64, std::byte{0xcd});
  std::vector<uint32_t> preds(kernel.pred_count, 0xaaaaaaaa);
  preds[0] = ~0u;
  Warp w;
  w.regs = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  w.preds = preds.data();
  for (const ConstSlot& c : kernel.constants)
    for (int l = 0; l < 32; ++l) {
      if (c.bytes_per_lane == 8) u64(w, c.slot)[l] = c.value;
      if (c.bytes_per_lane == 4) u32(w, c.slot)[l] = static_cast<uint32_t>(c.value);
    }
  for (const SpecialSlot& s : kernel.specials)
    for (int l = 0; l < 32; ++l) u32(w, s.slot)[l] = static_cast<uint32_t>(l);
  std::array<uint32_t, 32> pc{};
  uint32_t live = ~0u;
  Random random{seed};
  while (live != 0) {
    int lane = static_cast<int>(random.below(32));
    while (!(live >> lane & 1)) lane = (lane + 1) % 32;
    const Instr& i = kernel.code[pc[lane]];
    uint32_t group = 0;
    for (int l = 0; l < 32; ++l)
      if ((live >> l & 1) && pc[l] == pc[lane] && (l == lane || random.below(8) != 0)) group |= 1u << l;
    w.mask = group & pred(w, i.guard);
    const std::string_view pattern = kernel.forms[i.pc]->pattern;
    const bool is_branch = pattern.starts_with("bra"), is_exit = pattern.starts_with("[exit");
    if (pattern.starts_with("ld")) {
      for (int l = 0; l < 32; ++l)
        if (w.mask >> l & 1)
          u64(w, i.d)[l] = reinterpret_cast<uint64_t>(out + kWordsPerLane * static_cast<uint32_t>(l));
    } else {
      i.execute(w, i);
    }
    for (int l = 0; l < 32; ++l) {
      if (!(group >> l & 1)) continue;
      const bool is_taken = w.mask >> l & 1;
      pc[l] = is_branch && is_taken ? i.target : pc[l] + 1;
      if (is_exit && is_taken) live &= ~(1u << l);
    }
  }
}

}  // namespace

TEST_CASE("shared slots survive divergence: random programs and lane groups against an interpreter of the text") {
  size_t saved_bytes = 0, programs = 0;
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    const ProgramWriter program(seed * 7919);
    if (program.stores() > static_cast<int>(kWordsPerLane)) continue;
    CAPTURE(program.text());
    const std::string text = entry(program.text());
    const std::unique_ptr<Module> module = load(text);
    const Kernel& kernel = *module->kernels.at(0);
    REQUIRE(kernel.load_error.empty());
    std::vector<uint32_t> out(32 * kWordsPerLane);
    run(kernel, out.data(), seed);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const std::vector<uint32_t> wanted = interpret(text, lane);
      REQUIRE(std::equal(wanted.begin(), wanted.end(), out.begin() + lane * kWordsPerLane));
    }
    ++programs;
    saved_bytes += 128 * static_cast<size_t>(program.registers()) -
                   std::min<size_t>(kernel.constants[0].slot, 128 * program.registers());
  }
  CHECK(programs > 60);
  CHECK(saved_bytes > 0);
}

// --- damaged text
// -------------------------------------------------------------------------------------------------------

namespace {

const char* const kSample = R"(.version 9.0
.target sm_120f
.address_size 64
.const .align 4 .b8 table[4] = {0, 1, -2, 3};
.extern .shared .align 16 .b8 dyn[];
.visible .entry k(.param .align 8 .b8 k_param_0[24]) .maxntid 128 {
  .reg .pred %p<3>; .reg .b32 %r<9>; .reg .b64 %rd<5>;
  .loc 1 2 3, function_name $L__info_string0, inlined_at 1 9 1
  ld.param.b64 %rd1, [k_param_0+8];
  mov.u32 %r1, %tid.x;
  { .reg .pred P; LAB: setp.lt.u32 P, %r1, 0x10U; @!P bra LAB; }
  st.v4.b32 [%rd1+-4], {%r1,%r2,0f3F800000,1.5};
  shfl.sync.bfly.b32 %r3|%p1, %r1, 1, 31, -1;
  cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r2, 0}], [dyn+8];
  ts: .branchtargets A, B;
  brx.idx %r1, ts;
A: /* comment */ st.b8 [table], %rd1;
B: call.uni (x), f, (y);
  ret;
}
.file 1 "a.cu"
.section .debug_str { $L__info_string0: .b8 102 .b8 0 }
)";

}  // namespace

TEST_CASE("text cut at any byte, or with any byte changed, is an error or loads, and never more than that") {
  REQUIRE(error_of(kSample) == "");
  const std::string sample = kSample;
  size_t errors = 0;
  for (size_t length = 0; length < sample.size(); ++length) errors += !error_of(sample.substr(0, length)).empty();
  CHECK(errors > sample.size() / 2);
  Random random{1};
  const std::string alphabet = "{}[]();,.:|<>@!%$_-+\"0a/*\n\xff";
  for (int k = 0; k < 4000; ++k) {
    std::string damaged = sample;
    for (uint32_t n = 1 + random.below(3); n > 0; --n) {
      const size_t at = random.below(static_cast<uint32_t>(sample.size()));
      switch (random.below(3)) {
        case 0:
          damaged[std::min(at, damaged.size() - 1)] = alphabet[random.below(static_cast<uint32_t>(alphabet.size()))];
          break;
        case 1:
          damaged.erase(std::min(at, damaged.size() - 1), 1 + random.below(8));
          break;
        default:
          damaged.insert(std::min(at, damaged.size()), sample.substr(at, random.below(20)));
          break;
      }
    }
    error_of(damaged);  // throws anything else: the test fails; crashes: it fails too
  }
}
