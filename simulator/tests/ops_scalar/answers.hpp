// Answers recorded on a GPU: one hash per case.
#pragma once

#include "cases.hpp"

namespace sim::test {

// Generated and hand-written cases whose outputs do not depend on time.
inline std::vector<Case> all_cases() {
  std::vector<Case> cases = table_cases();
  for (HandCase& h : hand_cases()) cases.push_back(std::move(h.base));
  return cases;
}

inline uint64_t hash_of(const Words& words) {
  uint64_t hash = words.size();
  for (const uint64_t word : words) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace sim::test
