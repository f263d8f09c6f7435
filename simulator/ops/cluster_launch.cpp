// clusterlaunchcontrol: a running block takes over the place of one that has not started (persistent kernels that ask
// for their next tile). The answer is 16 bytes that the asynchronous proxy writes to shared memory, an mbarrier hears
// of them; query_cancel reads the answer from a register. Whole clusters are taken over: one request gets the place of
// a cluster, and .multicast::cluster::all tells every block of the own one.
#include "ops/async_ops.hpp"

namespace sim {
namespace {

// The answer, opaque to programs: the id of the cluster's first block, and whether there is one.
struct Answer {
  uint32_t x = 0, y = 0, z = 0, is_canceled = 0;
};
static_assert(sizeof(Answer) == 16);

// What a request got, when the first of its answers is delivered.
struct Grant {
  Grid* grid;
  std::optional<Answer> answer{};

  const Answer& take() {
    if (!answer) {
      const std::optional<Dim3> block = grid->cancel_block();
      answer = block ? Answer{block->x, block->y, block->z, 1} : Answer{};
    }
    return *answer;
  }
};

struct Request : AsyncOperation {
  std::byte* answer;
  std::shared_ptr<Grant> grant;

  Request(std::byte* at, std::shared_ptr<Grant> of, uint32_t mbarrier)
      : AsyncOperation(Kind::kBulk), answer(at), grant(std::move(of)) {
    barrier = mbarrier;
    bytes = sizeof(Answer);
  }
  void each_range(const std::function<void(const AsyncRange&)>& f) const override {
    f({answer, sizeof(Answer), true, true});
  }
  void perform() override {
    const Answer& given = grant->take();
    std::memcpy(answer, &given, sizeof given);
  }
};

// Instr::imm: state space, and whether all blocks of the cluster are told.
constexpr int64_t kSpaceMask = 0xff, kToAll = 0x100;

// Operands: where the answer goes, mbarrier.
void try_cancel(Warp& w, const Instr& i) {
  require_card(w, i, 10, "sm_100 or newer");
  const Space space = static_cast<Space>(i.imm & kSpaceMask);
  const Block& own = *w.block;
  for (uint32_t m = w.mask; m != 0; m &= m - 1) {
    const int lane = std::countr_zero(m);
    const uint32_t barrier = mbarrier_operand(w, i, lane, 1, i.ops[1], space);
    const uint64_t at = address(w, i, 0, i.ops[0], lane);
    const std::byte* const answer = resolve(w, i, lane, space, at, sizeof(Answer), sizeof(Answer), Access::kWrite);
    if (answer < own.shared || answer >= own.shared + own.shared_bytes)
      fault(w, i, lane, "the answer of try_cancel goes to shared memory of the own block, the address lies elsewhere");
    const auto grant = std::make_shared<Grant>(Grant{own.grid});
    const bool to_all = (i.imm & kToAll) != 0;
    for (uint32_t rank = to_all ? 0 : own.rank; rank < (to_all ? own.cluster->size : own.rank + 1); ++rank) {
      const uint32_t there = at_rank(static_cast<uint32_t>(at), rank);
      std::byte* const to =
          resolve(w, i, lane, Space::kSharedCluster, there, sizeof(Answer), sizeof(Answer), Access::kWrite);
      issue(w, i, lane, Request(to, grant, at_rank(barrier, rank)));
    }
  }
}
Handler bind_try_cancel(const ptx::Statement& s, Instr& i) {
  i.imm = static_cast<int64_t>(shared_or_generic(s)) | (s.has("multicast::cluster::all") ? kToAll : 0);
  return try_cancel;
}

void is_canceled(Warp& w, const Instr& i) {
  const Answer* const answer = lanes<Answer>(w, i.ops[1]);
  uint32_t granted = 0;
  for (int lane = 0; lane < kWarpSize; ++lane) granted |= static_cast<uint32_t>(answer[lane].is_canceled != 0) << lane;
  set_pred(w, i.ops[0], granted);
}

// Of a refusal the manual leaves the id undefined: all ones here, which is no block's.
uint32_t id_of(const Answer& answer, int dimension) {
  const uint32_t id[] = {answer.x, answer.y, answer.z};
  return answer.is_canceled != 0 ? id[dimension] : ~0u;
}
template <int kDimension>
void first_ctaid(Warp& w, const Instr& i) {
  const Answer* const answer = lanes<Answer>(w, i.ops[1]);
  uint32_t* const d = u32(w, i.ops[0]);
  for_lanes(w, [=](int lane) { d[lane] = id_of(answer[lane], kDimension); });
}
// The fourth component is undefined, too.
void first_ctaid_all(Warp& w, const Instr& i) {
  const Answer* const answer = lanes<Answer>(w, i.ops[4]);
  for (int n = 0; n < 4; ++n) {
    uint32_t* const d = u32(w, i.ops[n]);
    for_lanes(w, [=](int lane) { d[lane] = n < 3 ? id_of(answer[lane], n) : ~0u; });
  }
}

constexpr char kTryIsa[] = "9.7.13.18 clusterlaunchcontrol.try_cancel";
constexpr char kQueryIsa[] = "9.7.13.19 clusterlaunchcontrol.query_cancel";

const Form kForms[] = {
    {"clusterlaunchcontrol.try_cancel.async[.shared::cta|].mbarrier::complete_tx::bytes[.multicast::cluster::all|].b128",
     "[a] [a]", nullptr, bind_try_cancel, Unit::kAsync, kTryIsa},
    {"clusterlaunchcontrol.query_cancel.is_canceled.pred.b128", "p r128", is_canceled, nullptr, Unit::kAlu, kQueryIsa},
    {"clusterlaunchcontrol.query_cancel.get_first_ctaid.v4.b32.b128", "v4r32 r128", first_ctaid_all, nullptr,
     Unit::kAlu, kQueryIsa},
    {"clusterlaunchcontrol.query_cancel.get_first_ctaid::x.b32.b128", "r32 r128", first_ctaid<0>, nullptr, Unit::kAlu,
     kQueryIsa},
    {"clusterlaunchcontrol.query_cancel.get_first_ctaid::y.b32.b128", "r32 r128", first_ctaid<1>, nullptr, Unit::kAlu,
     kQueryIsa},
    {"clusterlaunchcontrol.query_cancel.get_first_ctaid::z.b32.b128", "r32 r128", first_ctaid<2>, nullptr, Unit::kAlu,
     kQueryIsa},
};

}  // namespace

std::span<const Form> cluster_launch_forms() { return kForms; }

}  // namespace sim
