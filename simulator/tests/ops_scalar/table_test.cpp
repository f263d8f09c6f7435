// Every opcode that the arithmetic rows of the instruction table stand for, against the reference formulas; the forms
// that need a kernel of their own; and the list of rows that no test executes, which must be empty.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "answers.hpp"
#include "ops/table.hpp"

using namespace sim;
using namespace sim::test;

namespace {

constexpr size_t kMostReports = 40;

std::string hex(const Words& words) {
  std::string text;
  char digits[24];
  for (const uint64_t word : words) {
    std::snprintf(digits, sizeof digits, " %llx", static_cast<unsigned long long>(word));
    text += digits;
  }
  return text;
}

Words row_of(const Words& all, uint32_t t, uint32_t words) {
  return {all.begin() + static_cast<long>(t * words), all.begin() + static_cast<long>((t + 1) * words)};
}

// The ISA leaves the payload of an f64 NaN open.
bool is_f64_nan(const std::string& id, const Words& got, const Words& want) {
  if (!id.ends_with("f64")) return false;
  const auto is_nan = [](uint64_t v) { return (v & ~0ull >> 1) > 0x7ff0000000000000; };
  for (size_t n = 0; n < got.size(); ++n)
    if (got[n] != want[n] && !(is_nan(got[n]) && is_nan(want[n]))) return false;
  return true;
}

// What an H100 answered, as hashes by case (tests/hopper). Forms of sm_100 and later, and new cases, are not among
// them.
const std::map<std::string, uint64_t>& recorded() {
  static const std::map<std::string, uint64_t> answers = [] {
    std::map<std::string, uint64_t> read;
    std::ifstream in("simulator/tests/ops_scalar/h100_answers.txt");
    for (std::string line; std::getline(in, line);)
      if (!line.starts_with('#')) read[line.substr(17)] = std::stoull(line.substr(0, 16), nullptr, 16);
    return read;
  }();
  return answers;
}
size_t& replayed() {
  static size_t count = 0;
  return count;
}

// Runs a case, holds it against the recorded answer, and calls check(thread, inputs, outputs) until it returns false.
template <class F>
void judge(const Case& c, F&& check) {
  Words out;
  try {
    out = run_case(c, recorded().count(c.id) != 0);
  } catch (const std::exception& error) {
    FAIL_CHECK(c.id << ": " << std::string(error.what()));
    return;
  }
  if (const auto known = recorded().find(c.id); known != recorded().end()) {
    ++replayed();
    CHECK_MESSAGE(hash_of(out) == known->second, c.id << " does not answer as the H100 did");
  }
  for (uint32_t t = 0; t < c.threads; ++t)
    if (!check(t, row_of(out, t, c.out_words))) return;
}

// The rows that lowering chose in the kernel of a case.
void note_rows(const Case& c, std::set<const Form*>& executed) {
  const auto module = load_ptx(c.ptx, c.id);
  const Kernel* kernel = module->find("k");
  for (const std::string& text : kernel->text) {
    const std::string opcode = text.substr(0, text.find_first_of(" ;"));
    for (const Form* form : form_table().find(opcode)) executed.insert(form);
    for (const char* read : {"%clock", "%globaltimer", "%is_explicit_cluster"}) {
      const size_t percent = text.find(read);
      if (percent == std::string::npos) continue;
      for (const Form* form :
           form_table().find(opcode + ":" + text.substr(percent, text.find_first_of(" ;", percent) - percent)))
        executed.insert(form);
    }
  }
}

}  // namespace

TEST_CASE("every arithmetic form agrees with its reference") {
  const std::vector<Case> cases = table_cases();
  CHECK(cases.size() > 3000);
  size_t reports = 0;
  for (const Case& c : cases) {
    const Opcode op(c.opcode);
    judge(c, [&](uint32_t t, const Words& got) {
      const Words in = c.sources(t);
      auto want = reference(op, in);
      if (!want) {
        FAIL_CHECK(c.id << ": there is no reference for it");
        return false;
      }
      want->resize(c.out_words);
      if (agrees(op, in, got, *want)) return true;
      FAIL_CHECK(c.id << " of" << hex(in) << " gives" << hex(got) << ", want" << hex(*want));
      ++reports;
      return false;
    });
    if (reports > kMostReports) return;
  }
}

TEST_CASE("carry chains, packing, exchanges, memory and control") {
  size_t reports = 0;
  for (const HandCase& h : hand_cases()) {
    judge(h.base, [&](uint32_t t, const Words& got) {
      const Words want = h.expected(h.base, t);
      if (got == want || is_f64_nan(h.base.id, got, want)) return true;
      FAIL_CHECK(h.base.id << " in thread " << t << " of" << hex(row_of(h.base.inputs, t, h.base.in_words)) << " gives"
                           << hex(got) << ", want" << hex(want));
      ++reports;
      return false;
    });
    if (reports > kMostReports) return;
  }
}

TEST_CASE("most forms were asked of a GPU") { CHECK(replayed() > 6000); }

TEST_CASE("every row of the scalar tables is executed") {
  std::set<const Form*> executed;
  for (const Case& c : table_cases()) executed.insert(c.row);
  for (const HandCase& h : hand_cases()) note_rows(h.base, executed);
  for (const Group group :
       {Group::kAlu, Group::kFloat, Group::kCompare, Group::kConvert, Group::kMemory, Group::kControl, Group::kWarp})
    for (const Form& row : form_table().group(group))
      CHECK_MESSAGE(executed.count(&row) == 1,
                    "never executed: " << std::string(row.pattern) << "   " << std::string(row.operands));
}
