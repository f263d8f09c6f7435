// A loaded PTX module in executable form: what ptx/ + program/lower.cpp produce and machine/ executes.
// The one idea: every operand is a byte offset into the warp's register file. Immediates, symbol addresses and special
// registers live there too, as read-only slots filled once per warp, so a handler never asks what kind an operand is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

struct Form;
struct Warp;
struct Instr;
using Handler = void (*)(Warp&, const Instr&);

inline constexpr int kWarpSize = 32;
inline constexpr int kMaxAddresses = 3;  // cp.async.bulk.tensor names three: destination, tensor map, mbarrier

// The pipe an instruction issues to; counters and the time model group by it.
enum class Unit : uint8_t { kAlu, kFma, kHalf, kFp64, kMufu, kConvert, kLsu, kTensor, kControl, kSync, kAsync };

// One executable instruction. Operands appear in the order in which PTX writes them, vectors flattened:
// `st.shared.v2.b32 [a+8], {x, y}` has ops = {a, x, y} and offset[0] = 8.
//   register operand   byte offset of its slot: 32 lanes x 4 bytes (8-, 16-, 32-bit types: zero-extended in 4 bytes),
//                      32 x 8 bytes for 64-bit types, 32 x 16 bytes for .b128
//   predicate operand  2 * index + negated, index into Warp::preds (index 0 is constant true)
//   address operand    slot of the base (register, symbol address or immediate) with offset[k], k = how many-th
//                      address; bit k of wide_base tells a 64-bit base slot from a 32-bit one
//   label              instruction index in `target`
//   `_` or an omitted optional operand: Kernel::sink_slot for registers, kNoPred for predicates
struct Instr {
  Handler execute;
  uint32_t d, a, b, c;  // = ops[0..3]; 0 where there are fewer
  const uint32_t* ops;  // all operands, flattened
  uint16_t guard;       // predicate operand of `@p` / `@!p`; 0 = none
  uint8_t wide_base;    // bit k: address operand k has a 64-bit base
  Unit unit;
  uint32_t target;                // branch target: index into Kernel::code
  int32_t offset[kMaxAddresses];  // byte offsets of the address operands
  uint32_t pc;                    // own index in Kernel::code
  int64_t imm;                    // whatever the form's bind function stores (size, count, rounding, selector)
};

inline constexpr uint32_t kNoPred = 0xffffffffu;  // predicate operand that was not written in the PTX

// Where an instruction comes from. `-lineinfo` gives .loc, with inlined_at chains.
struct SourceLocation {
  uint32_t ptx_line = 0;
  uint32_t file = 0;  // index into Module::files, 0 = unknown
  uint32_t line = 0;
  int32_t inlined_at = -1;  // index into Module::inline_sites, -1 = not inlined
};
struct InlineSite {
  std::string function;
  SourceLocation call_site;
};

struct Param {
  std::string name;
  uint32_t offset = 0, bytes = 0, align = 0;
};

// Read-only slots that a warp's register file gets once: constants are broadcast, special registers are per lane.
struct ConstSlot {
  uint32_t slot = 0;
  uint32_t bytes_per_lane = 4;  // 4, 8 or 16
  uint64_t value = 0, value_high = 0;
  bool is_shared_address = false;  // in a block of rank r of its cluster: r << Cluster::kRankShift more
};
enum class Special : uint8_t {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLaneId,
  kWarpId,
  kNwarpId,
  kSmId,
  kNsmId,
  kGridId,
  kLanemaskEq,
  kLanemaskLe,
  kLanemaskLt,
  kLanemaskGe,
  kLanemaskGt,
  kDynamicSmemSize,
  kTotalSmemSize,
  kClusterCtaidX,
  kClusterCtaidY,
  kClusterCtaidZ,
  kClusterNctaidX,
  kClusterNctaidY,
  kClusterNctaidZ,
  kClusterCtarank,
  kClusterNctarank,
  kClusteridX,
  kClusteridY,
  kClusteridZ,
  kNclusteridX,
  kNclusteridY,
  kNclusteridZ,
  kCurrentGraphExec,
  kEnvReg,
  kClock,
  kClock64,
  kClockHi,
  kGlobaltimer,
  kGlobaltimerLo,
  kGlobaltimerHi,
  kIsExplicitCluster,  // from kClock on: read when executed, never slots
};
struct SpecialSlot {
  uint32_t slot = 0;
  uint32_t bytes_per_lane = 4;
  Special special{};
};

// One .entry. Immutable after load; shared by all threads that execute it.
struct Kernel {
  std::string name;
  std::vector<Instr> code;                // ends with an exit; branch targets are indices
  std::vector<SourceLocation> locations;  // parallel to code
  std::vector<const Form*> forms;  // parallel to code: the table row; nullptr: a width adapter of lowering, or unknown
  std::vector<std::string> text;   // parallel to code: the PTX statement, for reports and disassembly
  std::vector<uint32_t> operand_pool;  // Instr::ops points into it
  std::vector<ConstSlot> constants;
  std::vector<SpecialSlot> specials;
  uint32_t register_file_bytes = 0;  // per warp, slots + constants + specials
  uint32_t sink_slot = 0;            // a slot nobody reads, 16 bytes a lane
  uint32_t pred_count = 1;           // preds[0] is constant true
  std::vector<Param> params;
  uint32_t param_bytes = 0;
  uint32_t static_shared_bytes = 0;  // .shared of the module that the entry uses
  uint32_t shared_align = 16;
  uint32_t local_bytes = 0;  // per lane
  uint32_t reqntid[3] = {0, 0, 0}, maxntid[3] = {0, 0, 0};
  uint32_t max_nreg = 0, min_ctas_per_sm = 0;
  // A thread's registers and a block's barriers. Exact where machine code came with the PTX and the driver has read
  // them off; else an estimate (registers.cpp), and no barriers known.
  uint32_t registers = 0, barriers = 0;
  bool are_registers_exact = false;
  bool is_explicit_cluster = false;          // .explicitcluster: a launch has to have cluster dimensions
  bool blocks_are_clusters = false;          // .blocksareclusters: the launch's grid counts clusters
  uint32_t required_cluster[3] = {0, 0, 0};  // .reqnctapercluster; 0: none
  uint32_t max_cluster_rank = 0;             // .maxclusterrank: blocks of a cluster; 0: none
  std::string load_error;  // not empty: forms the simulator does not know, file:line each; launching fails with it
  const struct Module* module = nullptr;
};

// A .global or .const variable: storage belongs to the module, addresses are host addresses.
struct GlobalVariable {
  std::string name;
  uint64_t address = 0;
  uint64_t bytes = 0;
  bool is_const = false;
  bool is_managed = false;
};

struct Module {
  std::string name;                // file or "ptx in memory"
  std::string target;              // "sm_120f"
  std::vector<std::string> files;  // index 0: ""
  std::vector<InlineSite> inline_sites;
  std::vector<std::unique_ptr<Kernel>> kernels;
  std::vector<GlobalVariable> globals;
  std::unique_ptr<std::byte[]> storage;  // initialised .global/.const data
  std::string source;                    // the PTX text, for carets
  const Kernel* find(std::string_view kernel_name) const;
};

uint64_t constant_bytes(const Module& module);  // of its .const variables

// Parses and lowers PTX text. Syntax errors, unknown directives and undeclared names throw ptx::Error (message with
// file:line:column and a caret). An unknown opcode or modifier does not throw: it is collected in Kernel::load_error of
// the entry that uses it, so that the other entries of the module still run.
std::unique_ptr<Module> load_ptx(std::string_view text, std::string name);

}  // namespace sim
