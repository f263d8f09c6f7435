// Name look-up for lowering. Register ranges (`%r<133>`) stay ranges: a name is a prefix and a number.
#include "program/scopes.hpp"

#include <algorithm>
#include <charconv>

namespace sim::lowering {
namespace {

constexpr SpecialRegister kSpecials[] = {
    {"%tid.x", Special::kTidX, 4, false},
    {"%tid.y", Special::kTidY, 4, false},
    {"%tid.z", Special::kTidZ, 4, false},
    {"%ntid.x", Special::kNtidX, 4, false},
    {"%ntid.y", Special::kNtidY, 4, false},
    {"%ntid.z", Special::kNtidZ, 4, false},
    {"%ctaid.x", Special::kCtaidX, 4, false},
    {"%ctaid.y", Special::kCtaidY, 4, false},
    {"%ctaid.z", Special::kCtaidZ, 4, false},
    {"%nctaid.x", Special::kNctaidX, 4, false},
    {"%nctaid.y", Special::kNctaidY, 4, false},
    {"%nctaid.z", Special::kNctaidZ, 4, false},
    {"%laneid", Special::kLaneId, 4, false},
    {"%warpid", Special::kWarpId, 4, false},
    {"%nwarpid", Special::kNwarpId, 4, false},
    {"%smid", Special::kSmId, 4, false},
    {"%nsmid", Special::kNsmId, 4, false},
    {"%gridid", Special::kGridId, 8, false},
    {"%lanemask_eq", Special::kLanemaskEq, 4, false},
    {"%lanemask_le", Special::kLanemaskLe, 4, false},
    {"%lanemask_lt", Special::kLanemaskLt, 4, false},
    {"%lanemask_ge", Special::kLanemaskGe, 4, false},
    {"%lanemask_gt", Special::kLanemaskGt, 4, false},
    {"%dynamic_smem_size", Special::kDynamicSmemSize, 4, false},
    {"%total_smem_size", Special::kTotalSmemSize, 4, false},
    {"%cluster_ctaid.x", Special::kClusterCtaidX, 4, false},
    {"%cluster_ctaid.y", Special::kClusterCtaidY, 4, false},
    {"%cluster_ctaid.z", Special::kClusterCtaidZ, 4, false},
    {"%cluster_nctaid.x", Special::kClusterNctaidX, 4, false},
    {"%cluster_nctaid.y", Special::kClusterNctaidY, 4, false},
    {"%cluster_nctaid.z", Special::kClusterNctaidZ, 4, false},
    {"%cluster_ctarank", Special::kClusterCtarank, 4, false},
    {"%cluster_nctarank", Special::kClusterNctarank, 4, false},
    {"%clusterid.x", Special::kClusteridX, 4, false},
    {"%clusterid.y", Special::kClusteridY, 4, false},
    {"%clusterid.z", Special::kClusteridZ, 4, false},
    {"%nclusterid.x", Special::kNclusteridX, 4, false},
    {"%nclusterid.y", Special::kNclusteridY, 4, false},
    {"%nclusterid.z", Special::kNclusteridZ, 4, false},
    {"%current_graph_exec", Special::kCurrentGraphExec, 8, false},
    {"%is_explicit_cluster", Special::kIsExplicitCluster, 0, true},  // a predicate: no slot
    {"%clock", Special::kClock, 4, true},
    {"%clock64", Special::kClock64, 8, true},
    {"%clock_hi", Special::kClockHi, 4, true},
    {"%globaltimer", Special::kGlobaltimer, 8, true},
    {"%globaltimer_lo", Special::kGlobaltimerLo, 4, true},
    {"%globaltimer_hi", Special::kGlobaltimerHi, 4, true},
};

// The number behind `prefix` in `name` (no leading zeros), or false.
bool index_behind(std::string_view prefix, std::string_view name, uint32_t& index) {
  if (!name.starts_with(prefix)) return false;
  const std::string_view digits = name.substr(prefix.size());
  if (digits.empty() || (digits[0] == '0' && digits.size() > 1)) return false;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return error == std::errc{} && end == digits.data() + digits.size();
}

}  // namespace

const SpecialRegister* find_special(std::string_view name) {
  if (!name.starts_with('%')) return nullptr;
  const auto* found = std::find_if(std::begin(kSpecials), std::end(kSpecials), [&](auto& s) { return s.name == name; });
  return found == std::end(kSpecials) ? nullptr : found;
}

Scopes::Scopes(const ptx::Source& source, const ptx::Tree& tree, const ptx::Function& function, Entry& entry)
    : source_(source), entry_(entry), scopes_{{-1, {}, {}, {}, {}}, {0, {}, {}, {}, {}}} {
  current_ = 0;
  // A name may be declared any number of times before its definition, which then counts.
  for (const ptx::Variable& variable : tree.variables) {
    Symbol& symbol = scopes_[0].names[variable.name];
    if (symbol.variable != nullptr && variable.is_extern) continue;
    symbol = {.kind = Symbol::Kind::kVariable, .variable = &variable};
  }
  for (const ptx::Function& other : tree.functions) scopes_[0].names[other.name].kind = Symbol::Kind::kFunction;
  current_ = 1;
  for (const ptx::Variable& param : function.params)
    add_name(param.name, {.kind = Symbol::Kind::kVariable, .variable = &param}, param.position);
  collect_labels(function.body);
}

void Scopes::collect_labels(const ptx::Body& body) {
  int scope = 1;
  for (const ptx::Item& item : body.items) {
    if (item.kind == ptx::Item::Kind::kOpen) {
      scopes_.push_back({scope, {}, {}, {}, {}});
      scope = static_cast<int>(scopes_.size()) - 1;
    } else if (item.kind == ptx::Item::Kind::kClose) {
      scope = scopes_[scope].parent;
    } else if (item.kind == ptx::Item::Kind::kLabel) {
      const ptx::Label& label = body.labels[item.index];
      if (!scopes_[scope].labels.emplace(label.name, item.index).second)
        source_.fail(label.position, "label `" + std::string(label.name) + "` stands twice in this scope");
    } else if (item.kind == ptx::Item::Kind::kBranchTable) {
      scopes_[scope].tables[body.tables[item.index].name] = &body.tables[item.index];
    }
  }
  entry_.label_positions.resize(body.labels.size(), 0);
}

void Scopes::open() { current_ = ++opened_; }

void Scopes::close() { current_ = scopes_[current_].parent; }

void Scopes::place_label() {
  entry_.label_positions[labels_placed_++] = static_cast<uint32_t>(entry_.operations.size());
}

uint32_t Scopes::new_registers(const ptx::Type& type, uint32_t count) {
  const uint32_t first = static_cast<uint32_t>(entry_.register_bytes.size());
  const uint8_t bytes = type.kind == 'p' ? 0 : static_cast<uint8_t>(std::max(type.bits / 8, 4));
  entry_.register_bytes.resize(first + count, bytes);
  return first;
}

void Scopes::declare(const ptx::RegisterDecl& decl) {
  if (decl.count > 0) {
    for (const Range& range : scopes_[current_].ranges)
      if (range.decl->name == decl.name)
        source_.fail(decl.position, "`" + std::string(decl.name) + "<..>` is already declared in this scope, in line " +
                                        std::to_string(range.decl->position.line));
    scopes_[current_].ranges.push_back({&decl, new_registers(decl.type, decl.count)});
  } else {
    add_name(decl.name, {.kind = Symbol::Kind::kRegister, .type = decl.type, .id = new_registers(decl.type, 1)},
             decl.position);
  }
}

void Scopes::declare(const ptx::Variable& variable) {
  const bool is_call_param = variable.space == ptx::VariableSpace::kParam;
  add_name(variable.name,
           {.kind = is_call_param ? Symbol::Kind::kCallParam : Symbol::Kind::kVariable, .variable = &variable},
           variable.position);
}

void Scopes::add_name(std::string_view name, const Symbol& symbol, ptx::Position position) {
  if (!scopes_[current_].names.emplace(name, symbol).second)
    source_.fail(position, "`" + std::string(name) + "` is already declared in this scope");
}

Symbol Scopes::find(std::string_view name) const {
  const bool has_number = name.back() >= '0' && name.back() <= '9';
  for (int s = current_; s >= 0; s = scopes_[s].parent) {
    const Scope& scope = scopes_[s];
    uint32_t index = 0;
    if (has_number)
      for (const Range& range : scope.ranges)
        if (index_behind(range.decl->name, name, index) && index < range.decl->count)
          return {.kind = Symbol::Kind::kRegister, .type = range.decl->type, .id = range.first_id + index};
    if (scope.names.empty()) continue;
    if (const auto found = scope.names.find(name); found != scope.names.end()) return found->second;
  }
  if (const SpecialRegister* special = find_special(name)) return {.kind = Symbol::Kind::kSpecial, .special = special};
  return {};
}

uint32_t Scopes::find_label(std::string_view name) const {
  for (int s = current_; s >= 0; s = scopes_[s].parent)
    if (const auto found = scopes_[s].labels.find(name); found != scopes_[s].labels.end()) return found->second;
  return kNoLabel;
}

const ptx::BranchTable* Scopes::find_table(std::string_view name) const {
  for (int s = current_; s >= 0; s = scopes_[s].parent)
    if (const auto found = scopes_[s].tables.find(name); found != scopes_[s].tables.end()) return found->second;
  return nullptr;
}

}  // namespace sim::lowering
