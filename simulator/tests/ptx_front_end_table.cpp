// The real instruction table: no opcode fits two rows that take the same operands, every row can be read; and what nvcc
// writes (tests/ptx/nvcc_sample.cu) loads on it, whole or damaged.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "ops/table.hpp"
#include "program/print.hpp"
#include "program/shape.hpp"

using namespace sim;

namespace {

// A pattern as an automaton that reads one character at a time. State 0 is the start.
class Automaton {
 public:
  explicit Automaton(std::string_view pattern) : end_(sequence(pattern, add_state())) {}

  using States = std::set<int>;
  States start() const { return closure({0}); }
  States step(const States& from, char c) const {
    States next;
    for (const int s : from)
      if (states_[s].c == c) next.insert(states_[s].next);
    return closure(next);
  }
  std::set<char> characters(const States& from) const {
    std::set<char> found;
    for (const int s : from)
      if (states_[s].c != 0) found.insert(states_[s].c);
    return found;
  }
  bool accepts(const States& states) const { return states.count(end_) != 0; }

 private:
  struct State {
    char c = 0;
    int next = -1;
    std::vector<int> silent;
  };
  int add_state() {
    states_.push_back({});
    return static_cast<int>(states_.size()) - 1;
  }
  // Reads `pattern` from state `at`; returns the state behind it.
  int sequence(std::string_view pattern, int at) {
    while (!pattern.empty()) {
      if (pattern[0] != '[') {
        const int next = add_state();
        states_[at].c = pattern[0];
        states_[at].next = next;
        at = next;
        pattern.remove_prefix(1);
        continue;
      }
      const int behind = add_state();
      int depth = 0;
      size_t begin = 1, i = 0;
      do {
        if (pattern[i] == ']') --depth;
        if ((pattern[i] == '|' && depth == 1) || depth == 0) {
          if (i > 0) {
            const int first = add_state();
            states_[at].silent.push_back(first);
            const int last = sequence(pattern.substr(begin, i - begin), first);
            states_[last].silent.push_back(behind);
            begin = i + 1;
          }
        }
        if (pattern[i] == '[') ++depth;
        ++i;
      } while (depth > 0);
      pattern.remove_prefix(i);
      at = behind;
    }
    return at;
  }
  States closure(States states) const {
    std::vector<int> open(states.begin(), states.end());
    while (!open.empty()) {
      const int s = open.back();
      open.pop_back();
      for (const int next : states_[s].silent)
        if (states.insert(next).second) open.push_back(next);
    }
    return states;
  }

  std::vector<State> states_;
  int end_;
};

// An opcode that both patterns admit, "" when there is none.
std::string common_opcode(const Automaton& a, const Automaton& b) {
  struct Place {
    Automaton::States in_a, in_b;
    std::string text;
  };
  std::vector<Place> open{{a.start(), b.start(), ""}};
  std::set<std::pair<Automaton::States, Automaton::States>> seen;
  while (!open.empty()) {
    const Place place = open.back();
    open.pop_back();
    if (a.accepts(place.in_a) && b.accepts(place.in_b)) return place.text;
    for (const char c : a.characters(place.in_a)) {
      Place next{a.step(place.in_a, c), b.step(place.in_b, c), place.text + c};
      if (!next.in_a.empty() && !next.in_b.empty() && seen.insert({next.in_a, next.in_b}).second) open.push_back(next);
    }
  }
  return "";
}

std::string common_opcode(std::string_view a, std::string_view b) { return common_opcode(Automaton(a), Automaton(b)); }

std::string read(const std::string& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("patterns match what their brackets say") {
  const auto matches = pattern_matches;
  CHECK(matches("exit", "exit"));
  CHECK_FALSE(matches("exit", "exit.x"));
  CHECK_FALSE(matches("exit.x", "exit"));
  CHECK(matches("ld[.global|.shared|].u32", "ld.u32"));
  CHECK(matches("ld[.global|.shared|].u32", "ld.shared.u32"));
  CHECK_FALSE(matches("ld[.global|.shared|].u32", "ld.shared.global.u32"));
  CHECK(matches("a[.b[.c|.d[.e|]]|].f", "a.b.d.e.f"));
  CHECK(matches("a[.b[.c|.d[.e|]]|].f", "a.f"));
  CHECK_FALSE(matches("a[.b[.c|.d[.e|]]|].f", "a.b.f"));
  CHECK(matches("[exit|ret]", "ret"));
  CHECK(matches("x[.1|.12].3", "x.12.3"));  // the first alternative fits a prefix only
}

TEST_CASE("the overlap search finds common opcodes") {
  CHECK(common_opcode("ld[.a|.b].u32", "ld.b.[u32|s32]") == "ld.b.u32");
  CHECK(common_opcode("ld[.a|].u32", "ld.u32") == "ld.u32");
  CHECK(common_opcode("ld[.a|].u32", "ld.b.u32") == "");
  CHECK(common_opcode("a[.b[.c|]|].d", "a.b.[c|x].d") == "a.b.c.d");
}

TEST_CASE("every row can be read, has a handler, and shares no opcode with a row of the same operands") {
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<const Form*, Automaton>>> groups;
  for (const Form* form : form_table().rows()) {
    CAPTURE(form->pattern);
    CHECK(bool(form->execute) != bool(form->bind));
    CHECK_FALSE(form->isa.empty());
    CHECK_NOTHROW(lowering::parse_shape(*form));
    const std::string head(form->pattern.substr(0, form->pattern.find_first_of(".[", 1)));
    auto& group = groups[{head, std::string(form->operands)}];
    const Automaton automaton(form->pattern);
    for (const auto& [other, other_automaton] : group) {
      CAPTURE(other->pattern);
      CHECK(common_opcode(other_automaton, automaton) == "");
    }
    group.emplace_back(form, automaton);
  }
  CHECK(form_table().rows().size() > 500);
}

TEST_CASE("find_form takes exact opcodes only") {
  CHECK(find_form("add.s32") != nullptr);
  CHECK(find_form("add.s32.") == nullptr);
  CHECK(find_form("add.s31") == nullptr);
  CHECK(find_form("") == nullptr);
}

TEST_CASE("nvcc's PTX loads, and each instruction knows its source line") {
  for (const std::string arch : {"120f", "90a"}) {
    CAPTURE(arch);
    const auto module = load_ptx(read("simulator/tests/ptx/nvcc_sample." + arch + ".ptx"), "nvcc_sample.ptx");
    CHECK(module->target == "sm_" + arch);
    REQUIRE(module->kernels.size() == 1);
    const Kernel& kernel = *module->find("sample");
    CHECK(kernel.load_error == "");
    CHECK(kernel.code.size() > 250);
    CHECK(kernel.maxntid[0] == 128);
    CHECK(kernel.min_ctas_per_sm == 2);
    CHECK(kernel.param_bytes == 192);
    CHECK(kernel.static_shared_bytes == 1024);  // 136 bytes, then the dynamic array aligned to 1,024
    CHECK(kernel.shared_align == 1024);
    CHECK(kernel.local_bytes >= 64);
    CHECK(module->globals.size() >= 2);
    std::vector<std::string> waits;
    for (const Instr& i : kernel.code) {
      CHECK(bool(i.execute));
      const std::string& text = kernel.text[i.pc];
      if (text.starts_with("mbarrier.try_wait")) waits.push_back(describe_location(*module, kernel.locations[i.pc]));
      if (text.starts_with("prefetch.tensormap"))
        CHECK(describe_location(*module, kernel.locations[i.pc]) == "nvcc_sample.cu:50");
    }
    REQUIRE(waits.size() == 2);
    // The line in wait(), then both calls. For sm_120 nvcc counts the lines inside the assembly, for sm_90 it does not.
    const std::string line = "nvcc_sample.cu:" + std::string(arch == "120f" ? "30" : "27");
    CHECK(waits[0] == line + " (inlined at nvcc_sample.cu:35, inlined at nvcc_sample.cu:48)");
    CHECK(waits[1] == line + " (inlined at nvcc_sample.cu:36, inlined at nvcc_sample.cu:48)");
    // Slots are shared: far fewer bytes than a slot for each of the 300 registers.
    CHECK(kernel.register_file_bytes < 128 * 250);
    CHECK(disassemble(kernel).find("(unknown)") == std::string::npos);
  }
}

TEST_CASE("nvcc's PTX with lines missing is an error or loads") {
  const std::string text = read("simulator/tests/ptx/nvcc_sample.120f.ptx");
  size_t errors = 0, count = 0;
  for (size_t begin = 0; begin < text.size(); ++count) {
    const size_t end = std::min(text.find('\n', begin) + 1, text.size());
    try {
      if (count % 5 == 0) load_ptx(text.substr(0, begin) + text.substr(end), "cut.ptx");
    } catch (const ptx::Error&) {
      ++errors;
    }
    begin = end;
  }
  CHECK(errors >= 5);
}

TEST_CASE("the table knows the opcodes of other people's kernels") {
  std::istringstream lines(read("simulator/tests/data/opcodes.txt"));
  size_t count = 0;
  for (std::string opcode; std::getline(lines, opcode);) {
    if (opcode.starts_with('#')) continue;
    ++count;
    CHECK_MESSAGE(find_form(opcode) != nullptr, opcode);
  }
  CHECK(count > 450);
}
