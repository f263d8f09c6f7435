// Packs the scalar test cases for a GPU, and compares or records what it answered (tests/hopper/README.md).
//   sim_scalar_cases pack CASES | compare ANSWERS | record ANSWERS HASHES NOTE
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>

#include "answers.hpp"

using namespace sim::test;

namespace {

void write_u32(std::ostream& out, uint32_t value) { out.write(reinterpret_cast<const char*>(&value), 4); }
void write_text(std::ostream& out, const std::string& text) {
  write_u32(out, static_cast<uint32_t>(text.size()));
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
}
uint32_t read_u32(std::istream& in) {
  uint32_t value = 0;
  in.read(reinterpret_cast<char*>(&value), 4);
  if (!in) throw std::runtime_error("the file of answers ends early");
  return value;
}

int pack(const char* path) {
  const std::vector<Case> cases = all_cases();
  std::ofstream out(path, std::ios::binary);
  write_u32(out, static_cast<uint32_t>(cases.size()));
  for (const Case& c : cases) {
    write_text(out, c.id);
    write_text(out, c.ptx);
    write_u32(out, c.in_words);
    write_u32(out, c.out_words);
    write_u32(out, c.threads);
    out.write(reinterpret_cast<const char*>(c.inputs.data()), static_cast<std::streamsize>(c.inputs.size() * 8));
  }
  out.flush();
  if (!out) throw std::runtime_error(std::string("cannot write ") + path);
  std::printf("%zu cases\n", cases.size());
  return 0;
}

// Outputs by case; cases that the GPU did not load have none.
std::map<std::string, Words> read_answers(const char* path, const std::vector<Case>& cases) {
  std::map<std::string, size_t> sizes;
  for (const Case& c : cases) sizes[c.id] = static_cast<size_t>(c.threads) * c.out_words;
  std::ifstream in(path, std::ios::binary);
  std::map<std::string, Words> answers;
  for (uint32_t left = read_u32(in); left > 0; --left) {
    std::string id(read_u32(in), '\0');
    in.read(id.data(), static_cast<std::streamsize>(id.size()));
    if (read_u32(in) != 0) continue;
    if (sizes.count(id) == 0) throw std::runtime_error("answers to an unknown case: " + id);
    Words words(sizes[id]);
    in.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(words.size() * 8));
    answers[id] = std::move(words);
  }
  return answers;
}

int compare(const char* path) {
  const std::vector<Case> cases = all_cases();
  const auto answers = read_answers(path, cases);
  int different = 0;
  for (const Case& c : cases) {
    const auto found = answers.find(c.id);
    if (found == answers.end()) {
      std::printf("absent     %s\n", c.id.c_str());
      continue;
    }
    const Words ours = run_case(c);
    size_t wrong = 0, first = ours.size();
    for (size_t n = 0; n < ours.size(); ++n) {
      if (ours[n] == found->second[n]) continue;
      ++wrong;
      first = std::min(first, n);
    }
    if (wrong == 0) continue;
    ++different;
    const size_t thread = first / c.out_words;
    std::printf("different  %s: %zu of %zu words; thread %zu word %zu: simulator %llx, GPU %llx, inputs", c.id.c_str(),
                wrong, ours.size(), thread, first % c.out_words, static_cast<unsigned long long>(ours[first]),
                static_cast<unsigned long long>(found->second[first]));
    for (uint32_t n = 0; n < c.in_words; ++n)
      std::printf(" %llx", static_cast<unsigned long long>(c.inputs[thread * c.in_words + n]));
    std::printf("\n");
  }
  std::printf("%zu cases, %zu answered, %d different\n", cases.size(), answers.size(), different);
  return different == 0 ? 0 : 1;
}

// `note`: the GPU, its driver and the date.
int record(const char* path, const char* target, const char* note) {
  const auto answers = read_answers(path, all_cases());
  std::ofstream out(target);
  out << "# " << note << '\n';
  for (const auto& [id, words] : answers) {
    char digits[20];
    std::snprintf(digits, sizeof digits, "%016llx ", static_cast<unsigned long long>(hash_of(words)));
    out << digits << id << '\n';
  }
  return out ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3 && std::strcmp(argv[1], "pack") == 0) return pack(argv[2]);
    if (argc == 3 && std::strcmp(argv[1], "compare") == 0) return compare(argv[2]);
    if (argc == 5 && std::strcmp(argv[1], "record") == 0) return record(argv[2], argv[3], argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sim_scalar_cases: %s\n", error.what());
    return 1;
  }
  std::fprintf(stderr, "usage: sim_scalar_cases pack CASES | compare ANSWERS | record ANSWERS HASHES NOTE\n");
  return 2;
}
