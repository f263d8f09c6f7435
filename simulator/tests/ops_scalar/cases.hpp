// Test cases made from the instruction table: every dotted opcode of the arithmetic rows becomes one small PTX kernel
// that loads its sources from a buffer, executes the instruction once and stores the destinations.
//   in  [n][in_words]  64-bit words, low bits used      out [n][out_words], cleared before
//   entry: k(.param .u64 in, .param .u64 out, .param .u32 n)
#pragma once

#include <functional>
#include <span>

#include "ops/form.hpp"
#include "reference.hpp"

namespace sim::test {

struct Case {
  std::string id;  // the opcode, and what distinguishes this case: "lop3.b32 0xe8", "selp.b32 !p"
  std::string opcode;
  const Form* row = nullptr;
  std::string ptx;
  uint32_t in_words = 0, out_words = 0, threads = 0;
  Words inputs;
  std::vector<bool> negated;          // per source: a predicate written with `!`
  std::optional<uint64_t> immediate;  // of the source that must be one, at index `immediate_source`
  size_t immediate_source = 0;

  // Source words of thread t as the reference takes them: negations and the immediate applied.
  Words sources(uint32_t t) const;
};

// Cases of the rows that the reference judges: alu, float, compare, convert.
std::vector<Case> table_cases();
// Cases written by hand: carry chains, packing, and exchanges between lanes; with what they must give.
struct HandCase {
  Case base;
  std::function<Words(const Case&, uint32_t thread)> expected;
};
std::vector<HandCase> hand_cases();

// A module with one entry `k` around `body`: %in and %out are the addresses of this thread's words. `declarations` come
// first in the entry.
std::string wrap(const std::string& declarations, const std::string& body, uint32_t in_words, uint32_t out_words);

// Outputs of all threads, run on the simulator.
// `is_recorded`: for the page of PTX forms, a recorded answer judges it too.
Words run_case(const Case& c, bool is_recorded = false);

}  // namespace sim::test
