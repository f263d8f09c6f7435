// Options of the just-in-time compiler. There is none here: what programs get out of it are its logs, in its form, so
// that what reads them finds the line; and refusals of options that it would refuse.
#pragma once

#include <string>

#include "driver/state.hpp"

namespace sim::ptx {
struct Error;
}

namespace sim::driver {

class JitOptions {
 public:
  // Checks the options and remembers where the logs go; both logs are empty then.
  CUresult read(const Card& card, unsigned count, const CUjit_option* options, void** values);
  // "ptxas application ptx input, line 5; error   : ..."
  void log(const ptx::Error& error);
  // What has no line: an image that cannot be used; or, in the log of what is worth knowing, a kernel that cannot run.
  void log_error(const std::string& text);
  void log_note(const std::string& text);

 private:
  struct Log {
    char* buffer = nullptr;
    size_t room = 0;
    void** size = nullptr;  // the option's value, which says afterwards how much of the buffer is used
    void append(const std::string& text);

   private:
    std::string text_;
  };
  Log errors_, notes_;
};

}  // namespace sim::driver
