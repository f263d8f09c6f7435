// From the tree of a PTX file to executable kernels: names are resolved in source order, forms found in the table, live
// ranges turned into slots, and each operation becomes one Instr.
#include "program/lower.hpp"

#include <algorithm>
#include <unordered_set>

#include "program/operands.hpp"
#include "program/print.hpp"
#include "program/scopes.hpp"
#include "program/variables.hpp"

namespace sim {
namespace {

using namespace lowering;

// The rows of each opcode met so far in a module, with parsed operand shapes.
class ShapeCache {
 public:
  explicit ShapeCache(const FormTable& table) : table_(table) {}
  const std::vector<FormShape>& find(std::string_view opcode) {
    const auto [found, is_new] = shapes_.try_emplace(std::string(opcode));
    if (is_new)
      for (const Form* form : table_.find(opcode)) found->second.push_back(parse_shape(*form));
    return found->second;
  }

 private:
  const FormTable& table_;
  std::unordered_map<std::string, std::vector<FormShape>> shapes_;
};

// Why no row spells a statement, where more can be said of it.
std::string why_absent(const ptx::Statement& statement) {
  constexpr std::string_view kOfDataCentres[] = {"tile::scatter4", "im2col::w::128", "im2col_no_offs::w::128",
                                                 "cta_group::1", "cta_group::2"};
  const auto is_named = [&](std::string_view token) { return statement.has(token); };
  const bool gathers_elsewhere = statement.has("tile::gather4") && !statement.has("shared::cta");
  if (gathers_elsewhere || std::any_of(std::begin(kOfDataCentres), std::end(kOfDataCentres), is_named))
    return ": it needs sm_100a, sm_103a or sm_110a, and no simulated card is of these";
  if (statement.has("im2col::w") || statement.has("im2col_no_offs::w"))
    return ": it follows maps of cuTensorMapEncodeIm2colWide, whose encoding on sm_100 and later is not known";
  return {};
}

// What an entry needs and the simulator lacks; becomes Kernel::load_error.
class LoadErrors {
 public:
  LoadErrors(const Module& module, std::string_view kernel) : module_(module), kernel_(kernel) {}
  bool empty() const { return count_ == 0; }

  // Each complaint once, at the place where it is met first.
  void add(const SourceLocation& location, const std::string& complaint) {
    if (!known_.insert(complaint).second || ++count_ > kMaxShown) return;
    text_ += '\n' + describe_location(module_, location) + ": " + complaint;
    if (location.line != 0) text_ += " (" + module_.name + ':' + std::to_string(location.ptx_line) + ')';
  }
  std::string text() const {
    if (empty()) return {};
    std::string more = count_ > kMaxShown ? "\nand " + std::to_string(count_ - kMaxShown) + " more" : "";
    return "kernel `" + std::string(kernel_) + "` cannot run on the simulator:" + text_ + more;
  }

 private:
  static constexpr size_t kMaxShown = 20;
  const Module& module_;
  std::string_view kernel_;
  std::unordered_set<std::string> known_;
  std::string text_;
  size_t count_ = 0;
};

// Statements of one entry -> Entry.
class EntryBuilder {
 public:
  EntryBuilder(const ptx::Source& source, const ptx::Tree& tree, const ptx::Function& function, ShapeCache& shapes,
               LoadErrors& errors)
      : body_(function.body),
        shapes_(shapes),
        errors_(errors),
        scopes_(source, tree, function, entry_),
        resolver_(source, scopes_, entry_),
        has_functions_(std::any_of(tree.functions.begin(), tree.functions.end(), [](auto& f) { return !f.is_entry; })) {
  }

  Entry run() {
    entry_.operations.reserve(body_.statements.size() + 1);
    for (const ptx::Item& item : body_.items) {
      switch (item.kind) {
        case ptx::Item::Kind::kOpen:
          scopes_.open();
          break;
        case ptx::Item::Kind::kClose:
          scopes_.close();
          break;
        case ptx::Item::Kind::kLabel:
          scopes_.place_label();
          break;
        case ptx::Item::Kind::kBranchTable:
          break;
        case ptx::Item::Kind::kRegisters:
          scopes_.declare(body_.registers[item.index]);
          break;
        case ptx::Item::Kind::kVariable:
          scopes_.declare(body_.variables[item.index]);
          has_call_params_ |= body_.variables[item.index].space == ptx::VariableSpace::kParam;
          break;
        case ptx::Item::Kind::kStatement:
          add(body_.statements[item.index], body_.locations[item.index]);
          break;
      }
    }
    end_with_exit();
    return std::move(entry_);
  }

 private:
  void add(const ptx::Statement& statement, const SourceLocation& location) {
    if (statement.tokens[0] == "call") {
      const auto name = std::find_if(statement.operands.begin(), statement.operands.end(),
                                     [](const ptx::Operand& o) { return o.kind == ptx::Operand::Kind::kName; });
      const std::string callee = name == statement.operands.end() ? "" : " to `" + std::string(name->name) + '`';
      errors_.add(location, "call" + callee + ": only inlined functions run");
      return resolver_.emit_unknown(statement, location);
    }
    if (const std::string_view name = call_operand(statement); !name.empty()) {
      errors_.add(location, "`" + std::string(name) + "` serves a call: only inlined functions run");
      return resolver_.emit_unknown(statement, location);
    }
    std::span<const ptx::Operand> operands = statement.operands;
    std::string form = statement.opcode;
    if (operands.size() == 2 && operands[1].kind == ptx::Operand::Kind::kName) {
      const SpecialRegister* special = find_special(operands[1].name);
      if (special != nullptr && special->is_dynamic) {
        form.append(1, ':').append(special->name);
        operands = operands.first(1);
      }
    }
    const std::vector<FormShape>& shapes = shapes_.find(form);
    if (shapes.empty()) {
      errors_.add(location, "unknown form `" + form + '`' + why_absent(statement));
      return resolver_.emit_unknown(statement, location);
    }
    resolver_.emit(statement, location, shapes, operands);
  }

  // The operand that is a function or a call's parameter, "" when there is none.
  std::string_view call_operand(const ptx::Statement& statement) const {
    if (!has_call_params_ && !has_functions_) return {};
    for (const ptx::Operand& operand : statement.operands) {
      const ptx::Operand& name = operand.kind == ptx::Operand::Kind::kAddress ? operand.parts[0] : operand;
      if (name.name.empty()) continue;
      const Symbol::Kind kind = scopes_.find(name.name).kind;
      if (kind == Symbol::Kind::kCallParam || kind == Symbol::Kind::kFunction) return name.name;
    }
    return {};
  }

  void end_with_exit() {
    static const ptx::Statement exit = [] {
      ptx::Statement statement;
      statement.opcode = "exit";
      statement.tokens = {"exit"};
      statement.text = "exit";
      return statement;
    }();
    const uint32_t end = static_cast<uint32_t>(entry_.operations.size());
    const bool is_reached =
        end == 0 || !entry_.operations.back().ends_flow() ||
        std::find(entry_.label_positions.begin(), entry_.label_positions.end(), end) != entry_.label_positions.end();
    if (is_reached) add(exit, end == 0 ? SourceLocation{} : entry_.operations.back().location);
  }

  const ptx::Body& body_;
  ShapeCache& shapes_;
  LoadErrors& errors_;
  Entry entry_;
  Scopes scopes_;
  OperandResolver resolver_;
  bool has_call_params_ = false;
  const bool has_functions_;
};

// Text of a statement on one line, with its guard.
std::string one_line(const ptx::Statement& statement) {
  std::string line;
  if (!statement.guard.empty()) line.append(statement.is_guard_negated ? "@!" : "@").append(statement.guard) += ' ';
  for (const char c : statement.text) {
    const bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!is_space) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// Entry + slots -> the kernel's code and read-only slots.
void assemble(const Entry& entry, Kernel& kernel, LoadErrors& errors) {
  const SlotPlan plan = assign_slots(entry, live_intervals(entry));
  uint32_t end = plan.bytes;
  const auto new_slot = [&](uint32_t bytes_per_lane) {
    const uint32_t slot = end;
    end += bytes_per_lane * kWarpSize;
    return slot;
  };
  for (const SpecialUse& use : entry.specials) kernel.specials.push_back({new_slot(use.bytes), use.bytes, use.special});
  for (const Constant& constant : entry.constants)
    kernel.constants.push_back({new_slot(constant.bytes), constant.bytes, constant.value, 0,
                                constant.symbol != nullptr && constant.symbol->space == ptx::VariableSpace::kShared});
  kernel.sink_slot = new_slot(16);
  kernel.register_file_bytes = end;
  kernel.pred_count = plan.pred_count;

  const auto encode = [&](const Ref& ref) -> uint32_t {
    switch (ref.kind) {
      case Ref::Kind::kRegister:
        return plan.location[ref.id];
      case Ref::Kind::kPredicate:
        return 2 * plan.location[ref.id] + ref.is_negated;
      case Ref::Kind::kConstant:
        return kernel.constants[ref.id].slot;
      case Ref::Kind::kSpecial:
        return kernel.specials[ref.id].slot;
      case Ref::Kind::kSink:
        return kernel.sink_slot;
      case Ref::Kind::kNoPredicate:
        return kNoPred;
      case Ref::Kind::kTruePredicate:
        return ref.is_negated;
      case Ref::Kind::kLabel:
        return entry.label_positions[ref.id];
      case Ref::Kind::kNumber:
        return ref.id;
    }
    return 0;
  };
  const size_t count = entry.operations.size();
  kernel.code.reserve(count);
  kernel.locations.reserve(count);
  kernel.text.reserve(count);
  kernel.forms.reserve(count);
  kernel.operand_pool.reserve(entry.refs.size());  // Instr::ops points into it: it must not move
  for (const Operation& operation : entry.operations) {
    Instr instr{};
    instr.ops = kernel.operand_pool.data() + kernel.operand_pool.size();
    for (uint32_t k = 0; k < operation.ref_count; ++k)
      kernel.operand_pool.push_back(encode(entry.refs_of(operation)[k]));
    uint32_t* const first[] = {&instr.d, &instr.a, &instr.b, &instr.c};
    for (uint32_t k = 0; k < std::min(operation.ref_count, 4u); ++k) *first[k] = instr.ops[k];
    instr.guard = static_cast<uint16_t>(encode(operation.guard));
    instr.wide_base = operation.wide_base;
    std::copy(std::begin(operation.offset), std::end(operation.offset), instr.offset);
    instr.target = operation.label == kNoLabel ? 0 : entry.label_positions[operation.label];
    instr.pc = static_cast<uint32_t>(kernel.code.size());
    instr.imm = operation.imm;
    instr.unit = operation.form != nullptr ? operation.form->unit : Unit::kAlu;
    instr.execute = operation.adapter;
    if (operation.form != nullptr) {
      instr.execute =
          operation.form->bind != nullptr ? operation.form->bind(*operation.statement, instr) : operation.form->execute;
      if (instr.execute == nullptr)
        errors.add(operation.location,
                   "this combination of modifiers is no form: `" + operation.statement->opcode + '`');
    }
    kernel.code.push_back(instr);
    kernel.locations.push_back(operation.location);
    kernel.text.push_back(one_line(*operation.statement));
    kernel.forms.push_back(operation.form);
  }
}

std::unique_ptr<Kernel> lower(const ptx::Source& source, const ptx::Tree& tree, const ptx::Function& function,
                              const Addresses& globals, ShapeCache& shapes, const Module& module) {
  auto kernel = std::make_unique<Kernel>();
  kernel->name = function.name;
  kernel->module = &module;
  std::copy(std::begin(function.reqntid), std::end(function.reqntid), kernel->reqntid);
  std::copy(std::begin(function.maxntid), std::end(function.maxntid), kernel->maxntid);
  std::copy(std::begin(function.required_cluster), std::end(function.required_cluster), kernel->required_cluster);
  kernel->max_nreg = function.max_nreg;
  kernel->min_ctas_per_sm = function.min_ctas_per_sm;
  kernel->is_explicit_cluster = function.is_explicit_cluster;
  kernel->blocks_are_clusters = function.blocks_are_clusters;
  kernel->max_cluster_rank = function.max_cluster_rank;
  LoadErrors errors(module, function.name);
  Entry entry = EntryBuilder(source, tree, function, shapes, errors).run();
  place_variables(source, function, globals, entry, *kernel);
  kernel->registers = estimate_registers(*kernel, register_pressure(entry));
  assemble(entry, *kernel, errors);
  kernel->load_error = errors.text();
  return kernel;
}

}  // namespace

std::unique_ptr<Module> load_ptx(std::string_view text, std::string name, const FormTable& table) {
  auto module = std::make_unique<Module>();
  while (text.ends_with('\0')) text.remove_suffix(1);  // PTX in fat binaries is padded with zeros
  module->source = text;
  module->name = std::move(name);
  const ptx::Source source{module->name, module->source};
  ptx::Tree tree = ptx::parse(source);
  module->target = tree.target;
  module->files = std::move(tree.files);
  module->inline_sites = std::move(tree.inline_sites);
  const Addresses globals = place_globals(source, tree, *module);
  ShapeCache shapes(table);
  for (const ptx::Function& function : tree.functions)
    if (function.is_entry && function.has_body)
      module->kernels.push_back(lower(source, tree, function, globals, shapes, *module));
  return module;
}

uint64_t constant_bytes(const Module& module) {
  uint64_t bytes = 0;
  for (const GlobalVariable& g : module.globals) bytes += g.is_const ? g.bytes : 0;
  return bytes;
}

const Kernel* Module::find(std::string_view kernel_name) const {
  const auto found =
      std::find_if(kernels.begin(), kernels.end(), [&](auto& kernel) { return kernel->name == kernel_name; });
  return found == kernels.end() ? nullptr : found->get();
}

}  // namespace sim
