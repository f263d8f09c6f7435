// The process's sums, and their JSON.
#include "counters/sums.hpp"

#include <algorithm>

#include "machine/json.hpp"
#include "program/print.hpp"

namespace sim::counters {
namespace {

constexpr const char* kNames[] = {"inst_executed",
                                  "thread_inst_executed",
                                  "thread_inst_executed_pred_on",
                                  "shared_load_wavefronts",
                                  "shared_store_wavefronts",
                                  "shared_atomic_wavefronts",
                                  "shared_conflicts",
                                  "global_load_requests",
                                  "global_load_sectors",
                                  "global_store_requests",
                                  "global_store_sectors",
                                  "global_atomic_requests",
                                  "global_atomic_sectors",
                                  "local_requests",
                                  "cp_async_bytes",
                                  "bulk_load_bytes",
                                  "bulk_store_bytes",
                                  "l2_read_sectors",
                                  "l2_write_sectors",
                                  "l2_update_sectors",
                                  "l2_hit_sectors",
                                  "dram_read_bytes",
                                  "dram_write_bytes",
                                  "tensor_inst",
                                  "tensor_cycles",
                                  "mbarrier_waits",
                                  "mbarrier_wait_fails",
                                  "barrier_waits",
                                  "strong_loads"};
static_assert(std::size(kNames) == kCounters);

std::string pair(const char* name, uint64_t value) { return '"' + std::string(name) + "\":" + std::to_string(value); }

// {"name":value ..}; `all`: zeros as well.
std::string object(const Counts& counts, bool all) {
  std::string out;
  for (size_t n = 0; n < kCounters; ++n)
    if (all || counts.data()[n] != 0) out += (out.empty() ? "" : ",") + pair(kNames[n], counts.data()[n]);
  return '{' + out + '}';
}

Counts total(const KernelSum& kernel) {
  Counts sum;
  for (const InstructionSum& i : kernel.instructions) sum.add(i.counts);
  return sum;
}

// "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" of "@%p1 mma.sync... {..}, ..".
std::string opcode_of(const std::string& text) {
  const size_t begin = text.starts_with('@') ? text.find(' ') + 1 : 0;
  return text.substr(begin, text.find_first_of(" ;", begin) - begin);
}

std::string pipes(const KernelSum& kernel) {
  std::map<std::string_view, uint64_t> by_name;
  for (const InstructionSum& i : kernel.instructions) by_name[unit_name(i.unit)] += i.counts[Counter::kInstExecuted];
  std::string out;
  for (const auto& [name, count] : by_name)
    if (count != 0) out += (out.empty() ? "" : ",") + pair(std::string(name).c_str(), count);
  return '{' + out + '}';
}

std::string tensor_forms(const KernelSum& kernel) {
  std::map<std::string, std::pair<uint64_t, uint64_t>> by_form;
  for (const InstructionSum& i : kernel.instructions) {
    if (i.counts[Counter::kTensorInst] == 0) continue;
    auto& [count, cycles] = by_form[opcode_of(i.text)];
    count += i.counts[Counter::kTensorInst];
    cycles += i.counts[Counter::kTensorCycles];
  }
  std::string out;
  for (const auto& [form, sum] : by_form)
    out += (out.empty() ? "" : ",") + std::string("{\"form\":") + json_text(form) + ',' + pair("inst", sum.first) +
           ',' + pair("cycles", sum.second) + '}';
  return '[' + out + ']';
}

std::string warps(const KernelSum& kernel) {
  std::string out;
  for (const WarpCounts& w : kernel.warps)
    out += (out.empty() ? "{" : ",{") + pair("inst_executed", w.executed) + ',' +
           pair("mbarrier_wait_fails", w.mbarrier_wait_fails) + ',' + pair("barrier_waits", w.barrier_waits) + '}';
  return '[' + out + ']';
}

std::string sms(const KernelSum& kernel) {
  std::string out;
  for (const SmCounts& sm : kernel.sms)
    out += (out.empty() ? "{" : ",{") + pair("blocks", sm.blocks) + ',' + pair("inst_executed", sm.executed) + ',' +
           pair("tensor_inst", sm.tensor) + ',' + pair("bulk_load_bytes", sm.bulk_load_bytes) + '}';
  return '[' + out + ']';
}

std::string place(const InstructionSum& i) { return "\"file\":" + json_text(i.file) + ',' + pair("line", i.line); }

std::string lines(const KernelSum& kernel) {
  std::map<std::pair<std::string, uint32_t>, Counts> by_line;
  for (const InstructionSum& i : kernel.instructions) by_line[{i.file, i.line}].add(i.counts);
  std::string out;
  for (const auto& [at, counts] : by_line)
    out += (out.empty() ? "" : ",") + std::string("{\"file\":") + json_text(at.first) + ',' + pair("line", at.second) +
           ",\"counters\":" + object(counts, false) + '}';
  return '[' + out + ']';
}

std::string instructions(const KernelSum& kernel) {
  std::string out;
  for (const InstructionSum& i : kernel.instructions)
    out += (out.empty() ? "{" : ",{") + place(i) + ",\"ptx\":" + json_text(i.text) + ",\"pipe\":\"" +
           std::string(unit_name(i.unit)) + "\",\"counters\":" + object(i.counts, false) + '}';
  return '[' + out + ']';
}

}  // namespace

const char* name_of(Counter counter) { return kNames[static_cast<size_t>(counter)]; }

Sums& sums() {
  static Sums& all = *new Sums;
  return all;
}

std::string to_json(const Card& card) {
  Sums& all = sums();
  const std::lock_guard lock(all.mutex);
  std::string out;
  for (const auto& [key, kernel] : all.kernels) {
    const Counts sum = total(kernel);
    const uint64_t cycles = sum[Counter::kTensorCycles];
    // A quarter of an SM issues one instruction a cycle: what the tensor pipe could reach if nothing else held it up.
    const uint64_t bound = std::max({cycles, sum[Counter::kInstExecuted], uint64_t{1}});
    out += (out.empty() ? "" : ",\n") + std::string("{\"name\":") + json_text(kernel.name) +
           ",\"module\":" + json_text(kernel.module) + ',' + pair("launches", kernel.launches) +
           ",\"counters\":" + object(sum, true) + ",\"pipes\":" + pipes(kernel) +
           ",\"tensor_utilisation_bound\":" + std::to_string(static_cast<double>(cycles) / static_cast<double>(bound)) +
           ",\"tensor_forms\":" + tensor_forms(kernel) + ",\"warps\":" + warps(kernel) + ",\"sms\":" + sms(kernel) +
           ",\"lines\":" + lines(kernel) + ",\"instructions\":" + instructions(kernel) + '}';
  }
  return "{\"gpu\":" + json_text(card.key) + ',' + pair("l2_bytes", card.l2_bytes) + ",\"kernels\":[" + out + "]}";
}

Counts totals(const std::string& kernel) {
  Sums& all = sums();
  const std::lock_guard lock(all.mutex);
  Counts sum;
  for (const auto& [key, k] : all.kernels)
    if (k.name == kernel) sum.add(total(k));
  return sum;
}

void reset() {
  Sums& all = sums();
  const std::lock_guard lock(all.mutex);
  all.kernels.clear();
}

void flush_l2() {
  Sums& all = sums();
  const std::lock_guard lock(all.mutex);
  if (all.l2) all.l2->clear();
}

}  // namespace sim::counters
