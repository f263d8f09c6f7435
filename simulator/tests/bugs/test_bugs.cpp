// Every planted bug is reported with the right kind at a line that its source marks `// BUG <name>`, within 20 seeds;
// its fixed twin is silent over all of them.
#include <doctest/doctest.h>

#include <dlfcn.h>
#include <unistd.h>

#include <cuda.h>

#include <filesystem>
#include <sstream>

#include "simulator/tests/bugs/findings.hpp"
#include "simulator/tests/bugs/scenarios.hpp"

using namespace bugs;

namespace {

constexpr uint64_t kSeeds = 20;

// The simulator's own entry point; no real driver has it.
void set_options(uint64_t seed, const std::string& findings_file) {
  using Set = CUresult (*)(const char*, const char*, uint64_t, const char*);
  const auto set = reinterpret_cast<Set>(dlsym(RTLD_DEFAULT, "simSetOptions"));
  REQUIRE((set != nullptr));
  REQUIRE(cuInit(0) == CUDA_SUCCESS);
  REQUIRE(set("all", "hostile", seed, findings_file.c_str()) == CUDA_SUCCESS);
}

// Lines of the scenario's source with its mark.
std::vector<int> marked_lines(const Scenario& s) {
  std::ifstream in(std::string("simulator/tests/bugs/kernels/") + s.file + ".cu");
  std::vector<int> result;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string mark = std::string("// BUG ") + s.name;
    if (line.size() >= mark.size() && line.compare(line.size() - mark.size(), mark.size(), mark) == 0)
      result.push_back(number);
  }
  REQUIRE(!result.empty());
  return result;
}

bool is_of_kind(const Scenario& s, const std::string& kind) {
  std::istringstream kinds(s.kinds);
  for (std::string k; kinds >> k;) {
    if (k == kind) return true;
  }
  return false;
}

bool is_expected(const Scenario& s, const Finding& finding) {
  if (!is_of_kind(s, finding.kind)) return false;
  for (const int line : marked_lines(s)) {
    if (names_line(finding.line, std::string(s.file) + ".cu", line)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("every planted bug is found, and no fix is accused") {
  const std::string path = std::filesystem::temp_directory_path() / ("sim_bugs." + std::to_string(getpid()) + ".json");
  for (const Scenario& s : scenarios()) {
    SUBCASE(s.name) {
      CAPTURE(std::string(s.what));
      FindingsFile file(path);
      uint64_t found_by = 0;
      std::string others;
      for (uint64_t seed = 1; seed <= kSeeds && found_by == 0; ++seed) {
        set_options(seed, path);
        const std::string failure = run(s, false, BUG_KERNELS);
        for (const Finding& f : file.take()) {
          if (is_expected(s, f))
            found_by = seed;
          else
            others += f.line + "\n";
        }
        if (!failure.empty() && found_by == 0) others += failure + "\n";
      }
      CHECK_MESSAGE(found_by != 0, "no finding of kind ", std::string(s.kinds), " at a marked line in ", kSeeds,
                    " seeds; others:\n", others);
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        set_options(seed, path);
        const std::string failure = run(s, true, BUG_KERNELS);
        CHECK_MESSAGE(failure == "", "the fix fails with seed ", seed);
        for (const Finding& f : file.take()) FAIL_CHECK("the fix is accused: ", f.line);
      }
    }
  }
  unlink(path.c_str());
}
