// driver_questions list      the names of the groups
// driver_questions GROUP     asks whatever libcuda.so.1 the loader finds: a line an answer, question TAB answer
// Exit code 3: something that the questions stand on failed (its text is on stderr).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "questions.hpp"

namespace questions {

std::string name_of(CUresult r) {
  const char* name = nullptr;
  if (cuGetErrorName(r, &name) != CUDA_SUCCESS || name == nullptr) return std::to_string(r);
  return std::strncmp(name, "CUDA_", 5) == 0 ? name + 5 : name;
}

void must(CUresult r) {
  if (r == CUDA_SUCCESS) return;
  std::fprintf(stderr, "a question stands on a call that answered %s\n", name_of(r).c_str());
  std::fflush(stdout);
  std::_Exit(3);
}

void Answers::write(const std::string& question, const std::string& answer) const {
  std::printf("%s\t", question.c_str());
  for (const char c : answer)
    if (c == '\n')
      std::fputs("\\n", stdout);
    else
      std::putchar(c);
  std::putchar('\n');
  std::fflush(stdout);
}

}  // namespace questions

int main(int argc, char** argv) {
  using namespace questions;
  std::vector<Group> groups;
  for (const auto part :
       {about_memory(), about_copies(), about_captures(), about_graphs(), about_updates(), about_pools(),
        about_modules(), about_functions(), about_launches(), about_streams(), about_cards(), about_handles()})
    groups.insert(groups.end(), part.begin(), part.end());
  if (argc != 2) {
    std::fputs("use: driver_questions list|GROUP\n", stderr);
    return 2;
  }
  if (std::strcmp(argv[1], "list") == 0) {
    for (const Group& g : groups) std::puts(g.name);
    return 0;
  }
  for (const Group& g : groups) {
    if (std::strcmp(g.name, argv[1]) != 0) continue;
    must(cuInit(0));
    g.ask(Answers{});
    std::fflush(stdout);
    std::_Exit(0);  // what is left over is the system's to take back: only answers count
  }
  std::fprintf(stderr, "no group is called %s\n", argv[1]);
  return 2;
}
