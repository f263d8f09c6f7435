// Operand resolution. Two passes per statement: match() compares with a row's shape and creates nothing, then add_*()
// make the Refs for the row that fits.
#include "program/operands.hpp"

#include <bit>

#include "program/adapters.hpp"

namespace sim::lowering {
namespace {

using Kind = ptx::Operand::Kind;

// The opcodes whose data registers may be wider than the instruction's type.
bool takes_wider_registers(const ptx::Statement& statement) {
  const std::string_view opcode = statement.tokens[0];
  return opcode == "ld" || opcode == "st" || opcode == "cvt" || opcode == "ldu";
}

bool is_signed_type(std::string_view token) {
  return token.size() > 1 && token[0] == 's' && token[1] >= '0' && token[1] <= '9';
}

std::string quoted(std::string_view text) { return '`' + std::string(text) + '`'; }

std::string describe(const ptx::Operand& operand) {
  switch (operand.kind) {
    case Kind::kName:
      return quoted(operand.name);
    case Kind::kInteger:
      return "an integer constant";
    case Kind::kFloat32:
      return "a 32-bit float constant";
    case Kind::kFloat64:
      return "a 64-bit float constant";
    case Kind::kAddress:
      return "an address";
    case Kind::kTensor:
      return "a tensor address";
    case Kind::kVector:
      return "a list of " + std::to_string(operand.parts.size());
    case Kind::kPair:
      return "a pair";
    case Kind::kSink:
      return "`_`";
  }
  return {};
}

uint64_t low_bits(uint64_t value, uint16_t bits) { return bits >= 64 ? value : value & ((uint64_t{1} << bits) - 1); }

bool is_address_space_32(ptx::VariableSpace space) {
  return space == ptx::VariableSpace::kShared || space == ptx::VariableSpace::kLocal ||
         space == ptx::VariableSpace::kParam;
}

}  // namespace

Symbol OperandResolver::find(const ptx::Operand& operand) {
  const Symbol symbol = scopes_.find(operand.name);
  if (symbol.kind == Symbol::Kind::kNone) source_.fail(operand.position, quoted(operand.name) + " is not declared");
  return symbol;
}

void OperandResolver::emit(const ptx::Statement& statement, const SourceLocation& location,
                           std::span<const FormShape> shapes, std::span<const ptx::Operand> operands) {
  statement_ = &statement;
  location_ = location;
  const FormShape* fitting = nullptr;
  Assignment assignment;
  std::optional<Mismatch> why;
  for (const FormShape& shape : shapes) {
    const std::optional<Mismatch> mismatch = match(shape, operands, assignment);
    if (!mismatch) {
      fitting = &shape;
      break;
    }
    if (!why) why = mismatch;
  }
  if (fitting == nullptr) {
    std::string wanted;
    for (const FormShape& shape : shapes) wanted += (wanted.empty() ? "" : " or ") + quoted(shape.form->operands);
    source_.fail(why->position, "form " + quoted(statement.opcode) + " takes " + wanted + ": " + why->reason);
  }
  guard_ = guard_of(statement);
  addresses_ = 0;
  refs_.clear();
  after_.clear();
  Operation operation;
  operation.statement = &statement;
  operation.form = fitting->form;
  operation.guard = guard_;
  operation.location = location;
  const DestinationUse destination = destination_of(statement, *fitting);
  for (size_t k = 0; k < assignment.size(); ++k)
    add_operand(operation, fitting->operands[k], assignment[k], k == 0 ? destination : DestinationUse{false, true});
  operation.first_ref = static_cast<uint32_t>(entry_.refs.size());
  operation.ref_count = static_cast<uint32_t>(refs_.size());
  entry_.refs.insert(entry_.refs.end(), refs_.begin(), refs_.end());
  entry_.operations.push_back(operation);
  entry_.operations.insert(entry_.operations.end(), after_.begin(), after_.end());
}

void OperandResolver::emit_unknown(const ptx::Statement& statement, const SourceLocation& location) {
  Operation operation;
  operation.statement = &statement;
  operation.location = location;
  entry_.operations.push_back(operation);
}

std::optional<OperandResolver::Mismatch> OperandResolver::match(const FormShape& shape,
                                                                std::span<const ptx::Operand> operands,
                                                                Assignment& assignment) {
  assignment.assign(shape.operands.size(), nullptr);
  const bool has_destination = destination_of(*statement_, shape).is_written;
  size_t next = 0;
  std::string last_reason;  // why the operand at `next` did not fit the optional before it
  for (size_t k = 0; k < shape.operands.size(); ++k) {
    const OperandShape& wanted = shape.operands[k];
    if (next == operands.size()) {
      if (wanted.is_optional) continue;
      return Mismatch{"operand " + std::to_string(k + 1) + " is missing", statement_->position};
    }
    last_reason = mismatch(wanted, operands[next], has_destination && k == 0);
    if (last_reason.empty()) {
      assignment[k] = &operands[next++];
    } else if (!wanted.is_optional) {
      return Mismatch{"operand " + std::to_string(next + 1) + ' ' + last_reason, operands[next].position};
    }
  }
  if (next == operands.size()) return std::nullopt;
  const std::string reason = last_reason.empty() ? "is one too many" : last_reason;
  return Mismatch{"operand " + std::to_string(next + 1) + ' ' + reason, operands[next].position};
}

// Empty: the operand fits; otherwise a clause that begins with "is".
std::string OperandResolver::mismatch(const OperandShape& shape, const ptx::Operand& operand, bool is_destination) {
  const auto element = [&](OperandShape::Kind kind, uint16_t bits, const ptx::Operand& part) {
    return kind == OperandShape::Kind::kPredicate ? predicate_mismatch(part, is_destination)
                                                  : register_mismatch(bits, part, is_destination);
  };
  switch (shape.kind) {
    case OperandShape::Kind::kAddress:
      return operand.kind == Kind::kAddress ? "" : "is " + describe(operand);
    case OperandShape::Kind::kTensor:
      return operand.kind == Kind::kTensor ? "" : "is " + describe(operand);
    case OperandShape::Kind::kLabel:
      if (operand.kind != Kind::kName) return "is " + describe(operand);
      if (scopes_.find_label(operand.name) == kNoLabel && scopes_.find_table(operand.name) == nullptr)
        source_.fail(operand.position, "there is no label " + quoted(operand.name));
      return "";
    default:
      break;
  }
  if (shape.has_second && operand.kind == Kind::kPair) {
    const std::string first = element(shape.kind, shape.bits, operand.parts[0]);
    return first.empty() ? element(shape.second, shape.second_bits, operand.parts[1]) : first;
  }
  if (operand.kind == Kind::kVector && (shape.list > 0 || operand.parts.size() == 1)) {
    if (operand.parts.size() != std::max<size_t>(shape.list, 1)) return "is " + describe(operand);
    for (const ptx::Operand& part : operand.parts)
      if (std::string reason = element(shape.kind, shape.bits, part); !reason.empty()) return reason;
    return "";
  }
  if (shape.list > 1) return "is " + describe(operand);
  return element(shape.kind, shape.bits, operand);
}

std::string OperandResolver::register_mismatch(uint16_t bits, const ptx::Operand& operand, bool is_destination) {
  switch (operand.kind) {
    case Kind::kSink:
      return is_destination ? "" : "is `_`, which has no value";
    case Kind::kInteger:
      return !is_destination && bits <= 64 ? "" : "is " + describe(operand);
    case Kind::kFloat32:
      return !is_destination && bits == 32 ? "" : "is " + describe(operand);
    case Kind::kFloat64:
      return !is_destination && (bits == 64 || bits == 32) ? "" : "is " + describe(operand);
    case Kind::kName:
      break;
    default:
      return "is " + describe(operand);
  }
  if (operand.is_negated || operand.is_minus) return "is a negated register";
  const Symbol symbol = find(operand);
  switch (symbol.kind) {
    case Symbol::Kind::kRegister: {
      if (symbol.type.kind == 'p') return "is the predicate " + quoted(operand.name);
      if (symbol.type.bits == bits) return "";
      const bool both_in_four_bytes = symbol.type.bits <= 32 && bits <= 32;
      if (takes_wider_registers(*statement_) && (symbol.type.bits > bits || both_in_four_bytes) &&
          symbol.type.bits <= 64)
        return "";
      return "is the " + std::to_string(symbol.type.bits) + "-bit register " + quoted(operand.name);
    }
    case Symbol::Kind::kSpecial:
      if (is_destination) return "is the read-only register " + quoted(operand.name);
      if (symbol.special->bytes * 8 == bits) return "";
      return "is the " + std::to_string(symbol.special->bytes * 8) + "-bit register " + quoted(operand.name);
    case Symbol::Kind::kVariable:
      return !is_destination && (bits == 32 || bits == 64) ? "" : "is the address of " + quoted(operand.name);
    default:
      return "is " + quoted(operand.name) + ", which is no register";
  }
}

std::string OperandResolver::predicate_mismatch(const ptx::Operand& operand, bool is_destination) {
  if (operand.kind == Kind::kSink) return is_destination ? "" : "is `_`, which has no value";
  // Only mov.pred takes a constant: elsewhere an integer belongs to a row with a register in that place.
  if (operand.kind == Kind::kInteger && !is_destination && statement_->tokens[0] == "mov") return "";
  if (operand.kind != Kind::kName) return "is " + describe(operand);
  const Symbol symbol = find(operand);
  if (symbol.kind != Symbol::Kind::kRegister || symbol.type.kind != 'p')
    return "is " + quoted(operand.name) + ", which is no predicate";
  return operand.is_negated && is_destination ? "is a negated predicate" : "";
}

void OperandResolver::add_operand(Operation& operation, const OperandShape& shape, const ptx::Operand* operand,
                                  DestinationUse use) {
  switch (shape.kind) {
    case OperandShape::Kind::kAddress:
      if (operand == nullptr) {
        ++addresses_;
        return refs_.push_back({Ref::Kind::kSink});
      }
      return add_base(operation, *operand);
    case OperandShape::Kind::kTensor: {
      if (operand == nullptr) {
        ++addresses_;
        return refs_.push_back({Ref::Kind::kSink});
      }
      add_base(operation, *operand);
      for (const ptx::Operand& coordinate : operand->parts[1].parts) {
        if (std::string reason = register_mismatch(32, coordinate, false); !reason.empty())
          source_.fail(coordinate.position, "form " + quoted(statement_->opcode) + ": this coordinate " + reason);
        add_register(32, coordinate, use);
      }
      return;
    }
    case OperandShape::Kind::kLabel:
      if (operand != nullptr) add_labels(operation, *operand);
      return;
    default:
      break;
  }
  const ptx::Operand* second = nullptr;
  if (operand != nullptr && operand->kind == Kind::kPair) {
    second = &operand->parts[1];
    operand = &operand->parts[0];
  }
  const bool is_list = operand != nullptr && operand->kind == Kind::kVector;
  for (size_t k = 0; k < std::max<size_t>(shape.list, 1); ++k)
    add_element(shape.kind, shape.bits, is_list ? &operand->parts[k] : operand, use);
  if (shape.has_second) add_element(shape.second, shape.second_bits, second, use);
}

void OperandResolver::add_element(OperandShape::Kind kind, uint16_t bits, const ptx::Operand* operand,
                                  DestinationUse use) {
  const bool is_absent = operand == nullptr || operand->kind == Kind::kSink;
  if (kind == OperandShape::Kind::kPredicate) {
    refs_.push_back(is_absent ? Ref{Ref::Kind::kNoPredicate} : predicate(*operand, use));
  } else if (is_absent) {
    refs_.push_back({Ref::Kind::kSink});
  } else {
    add_register(bits, *operand, use);
  }
}

void OperandResolver::add_register(uint16_t bits, const ptx::Operand& operand, DestinationUse use) {
  if (operand.kind == Kind::kFloat64 && bits == 32) {
    const float narrow = static_cast<float>(std::bit_cast<double>(operand.value));
    return refs_.push_back(constant(32, std::bit_cast<uint32_t>(narrow)));
  }
  if (operand.kind != Kind::kName) return refs_.push_back(constant(bits, operand.value));
  const Symbol symbol = find(operand);
  if (symbol.kind == Symbol::Kind::kVariable) return refs_.push_back(constant(bits, operand.value, symbol.variable));
  if (symbol.kind == Symbol::Kind::kSpecial) return refs_.push_back(special(*symbol.special));
  if (symbol.type.bits != bits) {
    const bool is_wider = symbol.type.bits > bits;
    if (use.is_written) {
      const size_t count = statement_->tokens.size();
      const bool is_cvt = statement_->tokens[0] == "cvt" && count >= 2;
      const bool is_signed = is_signed_type(statement_->tokens[is_cvt ? count - 2 : count - 1]);
      // Unsigned values of up to 32 bits fill a 4-byte lane with zeros already.
      if (symbol.type.bits == 64 || is_signed) return refs_.push_back(widen_destination(bits, symbol));
    } else if (symbol.type.bits == 64 || (is_wider && statement_->tokens[0] != "st")) {
      return refs_.push_back(narrow_source(bits, symbol));
    }
  }
  refs_.push_back({Ref::Kind::kRegister, false, use.is_read, use.is_written, symbol.id});
}

Operation OperandResolver::adapter(Handler handler, int64_t imm, const Ref& destination, const Ref& source) {
  Operation operation;
  operation.statement = statement_;
  operation.adapter = handler;
  operation.imm = imm;
  operation.guard = guard_;
  operation.location = location_;
  operation.first_ref = static_cast<uint32_t>(entry_.refs.size());
  operation.ref_count = 2;
  entry_.refs.push_back(destination);
  entry_.refs.push_back(source);
  return operation;
}

// ld, cvt: the form writes a register of its row's width, the adapter extends (or cuts) that to the declared one.
Ref OperandResolver::widen_destination(uint16_t bits, const Symbol& symbol) {
  const uint32_t narrow = static_cast<uint32_t>(entry_.register_bytes.size());
  entry_.register_bytes.push_back(4);
  const size_t count = statement_->tokens.size();
  const bool is_cvt = statement_->tokens[0] == "cvt" && count >= 2;
  const std::string_view type = statement_->tokens[is_cvt ? count - 2 : count - 1];
  const bool is_wide = symbol.type.bits == 64;
  const uint16_t from = std::min(bits, symbol.type.bits);
  const Resize resize{from, symbol.type.bits, is_signed_type(type), false, is_wide};
  after_.push_back(adapter(resize.handler(), resize.imm(), {Ref::Kind::kRegister, false, false, true, symbol.id},
                           {Ref::Kind::kRegister, false, true, false, narrow}));
  return {Ref::Kind::kRegister, false, false, true, narrow};
}

// st, cvt: the adapter runs first and leaves the low bits in a register of the form's width.
Ref OperandResolver::narrow_source(uint16_t bits, const Symbol& symbol) {
  const uint32_t narrow = static_cast<uint32_t>(entry_.register_bytes.size());
  entry_.register_bytes.push_back(4);
  const Resize resize{bits, bits, false, symbol.type.bits == 64, false};
  entry_.operations.push_back(adapter(resize.handler(), resize.imm(),
                                      {Ref::Kind::kRegister, false, false, true, narrow},
                                      {Ref::Kind::kRegister, false, true, false, symbol.id}));
  return {Ref::Kind::kRegister, false, true, false, narrow};
}

void OperandResolver::add_base(Operation& operation, const ptx::Operand& address) {
  if (addresses_ == kMaxAddresses) source_.fail(address.position, "more addresses than an instruction has");
  const ptx::Operand& base = address.parts[0];
  const int64_t offset = static_cast<int64_t>(address.value);
  if (offset != static_cast<int32_t>(offset)) source_.fail(address.position, "this offset does not fit 32 bits");
  bool is_wide = true;
  Ref ref;
  if (base.kind == Kind::kInteger) {
    ref = constant(64, base.value);
  } else {
    const Symbol symbol = find(base);
    if (symbol.kind == Symbol::Kind::kRegister && (symbol.type.bits == 32 || symbol.type.bits == 64)) {
      is_wide = symbol.type.bits == 64;
      ref = {Ref::Kind::kRegister, false, true, false, symbol.id};
    } else if (symbol.kind == Symbol::Kind::kVariable) {
      is_wide = !is_address_space_32(symbol.variable->space);
      ref = constant(is_wide ? 64 : 32, 0, symbol.variable);
    } else {
      source_.fail(base.position, quoted(base.name) + " is neither a 32- or 64-bit register nor a variable");
    }
  }
  operation.offset[addresses_] = static_cast<int32_t>(offset);
  if (is_wide) operation.wide_base |= static_cast<uint8_t>(1u << addresses_);
  ++addresses_;
  refs_.push_back(ref);
}

void OperandResolver::add_labels(Operation& operation, const ptx::Operand& operand) {
  const auto label = [&](std::string_view name, ptx::Position position) {
    const uint32_t found = scopes_.find_label(name);
    if (found == kNoLabel) source_.fail(position, "there is no label " + quoted(name));
    return found;
  };
  if (const ptx::BranchTable* table = scopes_.find_table(operand.name)) {
    refs_.push_back({Ref::Kind::kNumber, false, false, false, static_cast<uint32_t>(table->targets.size())});
    for (const ptx::Label& target : table->targets)
      refs_.push_back({Ref::Kind::kLabel, false, false, false, label(target.name, target.position)});
  } else {
    operation.label = label(operand.name, operand.position);
  }
}

Ref OperandResolver::guard_of(const ptx::Statement& statement) {
  if (statement.guard.empty()) return {Ref::Kind::kTruePredicate};
  ptx::Operand operand;
  operand.name = statement.guard;
  operand.position = statement.position;
  operand.is_negated = statement.is_guard_negated;
  if (std::string reason = predicate_mismatch(operand, false); !reason.empty())
    source_.fail(statement.position, "the guard " + reason);
  return predicate(operand, {false, true});
}

Ref OperandResolver::predicate(const ptx::Operand& operand, DestinationUse use) {
  if (operand.kind == Kind::kInteger) return {Ref::Kind::kTruePredicate, operand.value == 0};
  return {Ref::Kind::kPredicate, operand.is_negated, use.is_read, use.is_written, find(operand).id};
}

Ref OperandResolver::constant(uint16_t bits, uint64_t value, const ptx::Variable* symbol) {
  const uint16_t bytes = bits == 64 ? 8 : 4;
  value = low_bits(value, bits);
  const auto [found, is_new] =
      constants_.try_emplace({symbol, value, bytes}, static_cast<uint32_t>(entry_.constants.size()));
  if (is_new) entry_.constants.push_back({static_cast<uint8_t>(bytes), value, symbol});
  return {Ref::Kind::kConstant, false, false, false, found->second};
}

Ref OperandResolver::special(const SpecialRegister& special) {
  uint32_t id = 0;
  while (id < entry_.specials.size() && entry_.specials[id].special != special.special) ++id;
  if (id == entry_.specials.size()) entry_.specials.push_back({special.special, special.bytes});
  return {Ref::Kind::kSpecial, false, false, false, id};
}

}  // namespace sim::lowering
