// The tracing observer. A hook comes before its instruction has run, so a line is written when the next instruction of
// the host thread begins: then the destination holds what was written.
#include "trace/trace.hpp"

#include <bit>
#include <cstdio>
#include <mutex>
#include <stdexcept>

#include "machine/block.hpp"
#include "machine/json.hpp"
#include "machine/observer.hpp"
#include "program/shape.hpp"

namespace sim::trace {
namespace {

struct Trace {
  std::mutex mutex;
  Settings settings;
  uint64_t written = 0;
};
Trace& current() {
  static Trace& trace = *new Trace;
  return trace;
}

// Where an instruction's result lies.
struct Destination {
  uint32_t registers = 0, bytes = 0;  // how many, of how many bytes a lane
  bool is_predicate = false;
};

Destination destination_of(const Kernel& kernel, uint32_t pc) {
  const Form* const form = kernel.forms[pc];
  if (form == nullptr) return {};
  ptx::Statement statement;  // the opcode alone: all that destination_of() looks at
  std::string_view text = kernel.text[pc];
  if (text.starts_with('@')) text.remove_prefix(text.find(' ') + 1);
  text = text.substr(0, text.find_first_of(" ;"));
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    statement.tokens.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const lowering::FormShape shape = lowering::parse_shape(*form);
  if (!lowering::destination_of(statement, shape).is_written) return {};
  const lowering::OperandShape& first = shape.operands[0];
  if (first.kind == lowering::OperandShape::Kind::kPredicate) return {1, 0, true};
  return {std::max<uint32_t>(first.list, 1), std::max<uint32_t>(first.bits / 8, 4), false};
}

std::string hex(uint64_t value, int digits) {
  char text[24];
  std::snprintf(text, sizeof text, "\"0x%0*llx\"", digits, static_cast<unsigned long long>(value));
  return text;
}

std::string triple(const Dim3& d) {
  return '[' + std::to_string(d.x) + ',' + std::to_string(d.y) + ',' + std::to_string(d.z) + ']';
}

class Tracing : public Observer {
 public:
  explicit Tracing(const Grid& grid) {
    const Settings& s = current().settings;
    if (!s.kernel.empty() && s.kernel != grid.kernel->name) return;
    file_ = std::fopen(s.file.c_str(), "a");
    if (file_ == nullptr) throw std::runtime_error("cannot write the trace to " + s.file);
    for (uint32_t pc = 0; pc < grid.kernel->code.size(); ++pc)
      destinations_.push_back(destination_of(*grid.kernel, pc));
  }
  ~Tracing() override {
    if (file_ != nullptr) std::fclose(file_);
  }

  bool wants_instructions() const override { return file_ != nullptr; }
  void instruction(Warp& w, const Instr& i) override {
    write();
    const Settings& s = current().settings;
    if (s.warp >= 0 && w.index != static_cast<uint32_t>(s.warp)) return;
    const Dim3& id = w.block->id;
    if (s.block && (id.x != s.block->x || id.y != s.block->y || id.z != s.block->z)) return;
    warp_ = &w;
    pc_ = i.pc;
    mask_ = w.mask;
    active_ = w.active;
  }
  void parked(Warp&, const Instr&) override { warp_ = nullptr; }
  void block_ends(Block&) override { write(); }  // before its registers are another block's
  void grid_ends(const Grid&) override { write(); }

 private:
  void write() {
    if (warp_ == nullptr) return;
    const Warp& w = *warp_;
    warp_ = nullptr;
    Trace& trace = current();
    const std::lock_guard lock(trace.mutex);
    if (trace.written >= trace.settings.most) return;
    ++trace.written;
    const Kernel& kernel = *w.kernel;
    const SourceLocation& at = kernel.locations[pc_];
    const std::string& file = at.line != 0 ? kernel.module->files[at.file] : kernel.module->name;
    const std::string line = "{\"kernel\":" + json_text(kernel.name) + ",\"block\":" + triple(w.block->id) +
                             ",\"warp\":" + std::to_string(w.index) + ",\"pc\":" + std::to_string(pc_) +
                             ",\"file\":" + json_text(file) +
                             ",\"line\":" + std::to_string(at.line != 0 ? at.line : at.ptx_line) +
                             ",\"ptx\":" + json_text(kernel.text[pc_]) + ",\"active\":" + hex(active_, 8) +
                             ",\"mask\":" + hex(mask_, 8) + result(w) + "}\n";
    std::fwrite(line.data(), 1, line.size(), file_);
  }

  // Of the lowest lane that executed it.
  std::string result(const Warp& w) const {
    const Destination& d = destinations_[pc_];
    if (mask_ == 0 || d.registers == 0) return "";
    const int lane = std::countr_zero(mask_);
    const Instr& i = w.kernel->code[pc_];
    std::string values;
    for (uint32_t n = 0; n < d.registers; ++n) {
      if (d.is_predicate) {
        if (i.ops[n] == kNoPred) return "";
        values += std::to_string(pred(w, i.ops[n]) >> lane & 1);
        continue;
      }
      uint64_t words[2] = {};
      std::memcpy(words, w.regs + i.ops[n] + static_cast<size_t>(lane) * d.bytes, d.bytes);
      if (n != 0) values += ',';
      values += d.bytes == 16 ? '[' + hex(words[1], 16) + ',' + hex(words[0], 16) + ']'
                              : hex(words[0], static_cast<int>(2 * d.bytes));
    }
    return ",\"lane\":" + std::to_string(lane) + ",\"result\":[" + values + ']';
  }

  std::FILE* file_ = nullptr;
  std::vector<Destination> destinations_;  // by pc
  const Warp* warp_ = nullptr;             // its last instruction has not been written yet
  uint32_t pc_ = 0, mask_ = 0, active_ = 0;
};

}  // namespace

void configure(Settings settings) {
  Trace& trace = current();
  const std::lock_guard lock(trace.mutex);
  trace.settings = std::move(settings);
  trace.written = 0;
}

std::unique_ptr<Observer> trace_grid(const Grid& grid) { return std::make_unique<Tracing>(grid); }

}  // namespace sim::trace
