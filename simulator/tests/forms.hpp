// Which rows of the instruction table a test program launched. With SIM_FORMS=<folder> it is written to
// <folder>/<program>.txt when the program ends; coverage/page.py makes the page docs/ptx-coverage.md of these files.
#pragma once

#include <cerrno>  // program_invocation_short_name
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "ops/form.hpp"

namespace sim::test {

// "pattern<tab>operands": no two rows have both in common.
inline std::string form_key(const Form& form) { return std::string(form.pattern) + '\t' + std::string(form.operands); }

class LaunchedForms {
 public:
  // `is_recorded`: what the kernel gave was also held against a recorded answer of a GPU.
  void note(const Kernel& kernel, bool is_recorded = false) {
    if (folder_ == nullptr) return;
    for (const Form* form : kernel.forms)
      if (form != nullptr) forms_[form] |= is_recorded;
  }
  ~LaunchedForms() {
    if (folder_ == nullptr) return;
    std::ofstream out(std::string(folder_) + '/' + program_invocation_short_name + ".txt");
    for (const auto& [form, is_recorded] : forms_)
      out << (is_recorded ? "recorded\t" : "tested\t") << form_key(*form) << '\n';
  }

 private:
  const char* folder_ = std::getenv("SIM_FORMS");
  std::map<const Form*, bool> forms_;
};

inline LaunchedForms& launched_forms() {
  static LaunchedForms forms;
  return forms;
}

}  // namespace sim::test
