// What happens in a block, told to whoever listens: checkers and counters. Handlers and the machine call these hooks
// where Block::observer is set; a run that nobody observes pays one comparison a memory instruction. Hooks come after
// operands have been checked and before the effect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "machine/warp.hpp"

namespace sim {

struct Pointers;
struct Grid;
struct Finding;

enum class Order : uint8_t { kWeak, kVolatile, kRelaxed, kAcquire, kRelease, kAcqRel };
enum class Scope : uint8_t { kCta, kCluster, kGpu, kSys };
enum class Fence : uint8_t { kThread, kProxyAsync, kProxyTensorMap, kMbarrierInit };
enum class CopyGroup : uint8_t { kCpAsync, kBulk };
enum class MbarrierUse : uint8_t { kInit, kInvalidate, kArrive, kExpectTx, kCompleteTx, kWaitPassed, kWaitFailed };
constexpr uint32_t kNoParity = 2;  // of a wait that names the phase by a state

// One warp instruction's ordinary access: lane l of Warp::mask touches [at.of(l, bytes), + bytes).
struct MemoryAccess {
  Space space;  // kShared, kGlobal, kLocal, kParam, kConst; kGeneric only where lanes differ in their space
  Access access;
  Order order = Order::kWeak;
  Scope scope = Scope::kGpu;
  uint32_t bytes = 0;
  Block* home = nullptr;  // of kShared: the block whose memory it is, nullptr: the warp's own
};

// A contiguous range that an asynchronous copy reads or writes.
struct AsyncRange {
  std::byte* begin = nullptr;
  uint64_t bytes = 0;
  bool is_shared = false;
  bool is_write = false;
};

// An asynchronous copy in flight (machine/async.hpp), from its issue to the moment at which waiters may see its effect.
struct AsyncOperation;

class Observer {
 public:
  virtual ~Observer() = default;

  virtual void grid_starts(const Grid&) {}
  virtual void grid_ends(const Grid&) {}
  virtual void report(std::vector<Finding>&) {}  // after grid_ends(): adds what was found
  virtual void block_starts(Block&) {}
  virtual void block_ends(Block&) {}
  virtual void instruction(Warp&, const Instr&) {
  }  // only when wants_instructions(); also where no lane passes the guard
  virtual bool wants_instructions() const { return false; }
  // Warp::mask leaves the instruction for lanes that are not there yet; it will be executed again, by all of them.
  virtual void parked(Warp&, const Instr&) {}

  virtual void access(Warp&, const Instr&, const MemoryAccess&, const Pointers&) {}
  // Lanes `lanes` have met at bar.warp.sync.
  virtual void warp_sync(Warp&, const Instr&, uint32_t /*lanes*/) {}
  // membar and fence: kAcquire and kRelease order one way, kAcqRel (also .sc) both. kProxyAsync: `space` is kShared,
  // kGlobal or, for both, kGeneric; the scope of proxy fences is the executing thread.
  virtual void fence(Warp&, const Instr&, Fence, Order, Scope, Space /*space*/) {}
  // fence.proxy.tensormap.acquire of lane l, on the tensor map at maps[l].
  virtual void map_acquired(Warp&, const Instr&, Scope, const std::byte* const* /*maps*/) {}

  // Named barriers: arrival of Warp::mask, completion of a generation, and the lanes that leave it (after completion).
  // barrier.cluster is kClusterBarrier, which completes once for all blocks: its arrivals do not wait, lanes leave when
  // barrier.cluster.wait lets them go on.
  virtual void barrier_arrive(Warp&, const Instr&, uint32_t /*id*/, bool /*waits*/, Order) {}
  virtual void barrier_complete(Block&, uint32_t /*id*/) {}
  virtual void barrier_leave(Warp&, uint32_t /*id*/, uint32_t /*lanes*/) {}

  // mbarriers, by shared address (home_of() says whose). `value`: count, bytes, or the awaited parity or kNoParity.
  // `phase`: phases completed before the use.
  // Waits are told once for all lanes with one address and one outcome: they are Warp::mask, `lane` is the lowest.
  virtual void mbarrier(Warp&, const Instr&, int /*lane*/, uint32_t /*address*/, MbarrierUse, uint32_t /*value*/,
                        uint64_t /*phase*/, Order, Scope) {}

  // Asynchronous copies of one lane. issued: at the instruction, before any effect. completed: its bytes are there; its
  // mbarrier, if it has one, hears of it next (mbarrier() with kCompleteTx, of arrivals kArrive). One that never
  // completes was in flight when its block ended: a load that nobody waited for. When a copy completes is the
  // schedule's choice: what a program may rely on follows from group_wait() and the mbarrier alone.
  virtual void async_issued(Warp&, const Instr&, int /*lane*/, AsyncOperation&) {}
  virtual void async_completed(Block&, AsyncOperation&) {}
  virtual void group_commit(Warp&, const Instr&, CopyGroup) {}
  // Per lane of Warp::mask, at most pending[lane] groups stay pending. is_read: wait_group.read, sources alone.
  virtual void group_wait(Warp&, const Instr&, CopyGroup, const uint32_t* /*pending*/, bool /*is_read*/) {}

  virtual void dependency_wait(Warp&, const Instr&) {}    // griddepcontrol.wait
  virtual void dependents_launch(Warp&, const Instr&) {}  // griddepcontrol.launch_dependents
};

}  // namespace sim
