// Vector clocks over lanes. A warp's epochs count its releases; a clock says of every warp up to which epoch which
// lanes' accesses happened before. One triple covers nearly every warp; sets of lanes that no triple holds are kept
// exactly.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace sim::checkers {

// Covers the epochs below `base` of all lanes, and the epochs up to `epoch` of `lanes`. With `exact`: of lane l those
// up to exact[l], and `base` says what is true of all.
class WarpClock {
 public:
  WarpClock() = default;
  WarpClock(uint32_t epoch, uint32_t lanes) : epoch_(epoch), lanes_(lanes) { settle(); }
  WarpClock(const WarpClock& o) : base_(o.base_), epoch_(o.epoch_), lanes_(o.lanes_) {
    if (o.exact_) exact_ = std::make_unique<Exact>(*o.exact_);
  }
  WarpClock(WarpClock&&) = default;
  WarpClock& operator=(const WarpClock& o) {
    base_ = o.base_, epoch_ = o.epoch_, lanes_ = o.lanes_;
    if (o.exact_ || exact_) exact_ = o.exact_ ? std::make_unique<Exact>(*o.exact_) : nullptr;
    return *this;
  }
  WarpClock& operator=(WarpClock&&) = default;

  bool covers_all(uint32_t epoch) const { return epoch < base_; }
  bool covers(uint32_t lanes, uint32_t epoch) const {
    if (epoch < base_) return true;
    if (!exact_) return epoch <= epoch_ && (lanes & ~lanes_) == 0;
    for (; lanes != 0; lanes &= lanes - 1)
      if ((*exact_)[static_cast<size_t>(std::countr_zero(lanes))] < epoch) return false;
    return true;
  }
  bool covers(const WarpClock& o) const {
    for (size_t l = 0; l < 32; ++l)
      if (last(l) < o.last(l)) return false;
    return true;
  }
  void join(const WarpClock& o) {
    if (exact_ || o.exact_) return join_exact(o);
    if (o.base_ > base_) base_ = o.base_;
    const bool mine = epoch_ >= base_ && lanes_ != 0, theirs = o.epoch_ >= base_ && o.lanes_ != 0;
    if (!theirs) {
      if (!mine) epoch_ = lanes_ = 0;
      return;
    }
    if (!mine || (o.epoch_ >= epoch_ && (lanes_ & ~o.lanes_) == 0)) {
      epoch_ = o.epoch_;
      lanes_ = o.lanes_;
    } else if (o.epoch_ == epoch_) {
      lanes_ |= o.lanes_;
    } else if (!(o.epoch_ < epoch_ && (o.lanes_ & ~lanes_) == 0)) {
      return join_exact(o);
    }
    settle();
  }

 private:
  using Exact = std::array<uint32_t, 32>;

  void settle() {
    if (lanes_ != 0xffffffffu) return;
    base_ = epoch_ + 1;
    epoch_ = lanes_ = 0;
  }
  uint32_t last(size_t lane) const {
    if (exact_) return (*exact_)[lane];
    const uint32_t of_all = base_ == 0 ? 0 : base_ - 1;
    return (lanes_ >> lane & 1) != 0 && epoch_ > of_all ? epoch_ : of_all;
  }
  void join_exact(const WarpClock& o) {
    Exact all;
    uint32_t least = ~0u, most = 0;
    for (size_t l = 0; l < 32; ++l) {
      all[l] = std::max(last(l), o.last(l));
      least = std::min(least, all[l]);
      most = std::max(most, all[l]);
    }
    base_ = least + 1;
    epoch_ = lanes_ = 0;
    if (least == most)
      exact_.reset();
    else
      exact_ = std::make_unique<Exact>(all);
  }

  uint32_t base_ = 0, epoch_ = 0, lanes_ = 0;
  std::unique_ptr<Exact> exact_;
};

using BlockClock = std::vector<WarpClock>;  // by warp
inline void join(BlockClock& to, const BlockClock& from) {
  if (to.size() < from.size()) to.resize(from.size());
  for (size_t w = 0; w < from.size(); ++w) to[w].join(from[w]);
}
inline bool covers(const BlockClock& clock, const BlockClock& other) {
  for (size_t w = 0; w < other.size(); ++w)
    if (!(w < clock.size() ? clock[w] : WarpClock()).covers(other[w])) return false;
  return true;
}

// What is known of other blocks: shared between clocks until one of them learns more.
using Foreign = std::map<uint64_t, std::shared_ptr<const BlockClock>>;
using SharedForeign = std::shared_ptr<const Foreign>;
void join(SharedForeign& to, const SharedForeign& from);

// What a lane knows: of its own block's warps, of the phases of its mbarriers (asynchronous agents), of other blocks.
struct Clock {
  BlockClock warps;
  std::vector<uint32_t> phases;  // by mbarrier: this many phases are over
  SharedForeign foreign;

  void join(const Clock& o);
  // This clock as other blocks may take it: `block` is the own one.
  SharedForeign as_foreign(uint64_t block) const;
  // Takes what other blocks published; what they know of `block` itself goes to the own warps.
  void join_foreign(const SharedForeign& from, uint64_t block);
};

// What a block lets the others of its cluster know: of the warps of any block, through either proxy, and which phases
// of the cluster's mbarriers are over.
struct ClusterKnowledge {
  struct Part {
    SharedForeign blocks;
    std::vector<uint32_t> phases;
    void join(const Part& o);
  };
  Part seen, fenced[2];

  void join(const ClusterKnowledge& o);
};

// The clock of ordinary happens-before, and the part of it that a fence has carried into the asynchronous proxy, for
// shared and for global memory.
struct Knowledge {
  Clock seen;
  Clock fenced[2];

  void join(const Knowledge& o) {
    seen.join(o.seen);
    fenced[0].join(o.fenced[0]);
    fenced[1].join(o.fenced[1]);
  }
  // The same from and for other blocks of the cluster; `block` is the own one.
  ClusterKnowledge for_cluster(uint64_t block) const;
  void join(const ClusterKnowledge& o, uint64_t block);
};

}  // namespace sim::checkers
