#include "machine/schedule.hpp"

#include <algorithm>
#include <string_view>

#include "machine/block.hpp"

namespace sim {
namespace {

// Steele, Lea and Flood's mixer (splitmix64).
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

constexpr uint64_t kMostSteps = 14;    // change points lie below 2^14 visible steps
constexpr uint64_t kLongestTurn = 64;  // visible steps of a block before another may run
constexpr uint64_t kFirst = 1ull << 63;
// Steps per early delivery that a seed draws from: never, seldom, often.
constexpr uint64_t kHostileRates[] = {0, 0, 64, 8};
constexpr uint64_t kLazyRate = 4;

}  // namespace

Choices::Choices(const RunOptions& options, uint64_t owner)
    : key_(mix(mix(mix(options.seed) ^ options.launch) ^ owner)) {}

uint64_t Choices::draw(Choice kind) {
  const uint64_t k = static_cast<uint64_t>(kind);
  return mix(mix(key_ ^ k << 56) ^ drawn_[k]++);
}

std::vector<uint8_t> visible_steps(const Kernel& kernel) {
  std::vector<uint8_t> visible(kernel.code.size());
  for (size_t pc = 0; pc < visible.size(); ++pc) {
    visible[pc] = kernel.code[pc].unit == Unit::kSync || kernel.code[pc].unit == Unit::kAsync;
    if (kernel.code[pc].unit != Unit::kLsu || pc >= kernel.text.size()) continue;
    std::string_view opcode = kernel.text[pc];
    if (opcode.starts_with('@')) opcode.remove_prefix(std::min(opcode.size(), opcode.find(' ') + 1));
    opcode = opcode.substr(0, opcode.find_first_of(" ;"));
    const auto has = [&](std::string_view word) { return opcode.find(word) != std::string_view::npos; };
    visible[pc] = opcode.starts_with("atom") || opcode.starts_with("red.") || has(".volatile") || has(".relaxed") ||
                  has(".acquire") || has(".release");
  }
  return visible;
}

Schedule::Schedule(const Block& block, const uint8_t* visible)
    : choices(block.grid->options, block.index), visible_(visible), turns_(block.warps.size()) {
  const RunOptions& options = block.grid->options;
  draws_ = options.seed != 0;
  last_ = turns_.size() - 1;
  if (options.async == AsyncMode::kLazy) copy_rate_ = kLazyRate;
  if (!draws_) return;
  if (options.async == AsyncMode::kHostile)
    copy_rate_ = kHostileRates[choices.below(Choice::kRate, std::size(kHostileRates))];
  parts_lanes_ = choices.below(Choice::kParting, 2) == 0;
  for (Turn& turn : turns_) turn.priority = kFirst | choices.draw(Choice::kPriority);
  // How long the run will be is not known: log-uniform reaches short and long ones.
  for (uint64_t& change : changes_) {
    const uint64_t bits = 1 + choices.below(Choice::kChange, kMostSteps);
    change = choices.below(Choice::kChange, 1ull << bits);
  }
}

void Schedule::begin_turn() {
  if (is_stalled_)
    for (Turn& turn : turns_) turn.polled_at = kNever;
  is_stalled_ = false;
  if (draws_) turn_end_ = steps_ + 1 + choices.below(Choice::kTurn, kLongestTurn);
}

Warp* Schedule::next(Block& block) {
  const size_t count = turns_.size();
  Warp* best = nullptr;
  for (size_t k = 1; k <= count; ++k) {
    const size_t n = (last_ + k) % count;
    Warp& w = block.warps[n];
    if (w.state == WarpState::kExited || w.state == WarpState::kBarrier || turns_[n].polled_at == block.progress)
      continue;
    if (best != nullptr && turns_[n].priority <= turns_[best->index].priority) continue;
    best = &w;
    if (!draws_) break;
  }
  if (best != nullptr) last_ = best->index;
  is_interrupted_ = false;
  return best;
}

void Schedule::ran(const Block& block, const Warp& warp, uint64_t before) {
  // What one split saw before another moved on says nothing.
  if (warp.state == WarpState::kPolling && block.progress == before) turns_[warp.index].polled_at = before;
  const bool is_long = warp.is_busy && !is_interrupted_;
  if (warp.state == WarpState::kPolling || is_long) demote(warp.index);
}

bool Schedule::step(Warp& warp) {
  ++steps_;
  if (!draws_) return false;
  const bool is_change = std::find(std::begin(changes_), std::end(changes_), steps_) != std::end(changes_);
  if (is_change) demote(warp.index);
  if (!is_change && !is_turn_over()) return false;
  return is_interrupted_ = true;
}

// Below everybody who has not fallen as often, in random order among the others.
void Schedule::demote(size_t warp) {
  const uint64_t level = ++demotions_ / turns_.size();
  turns_[warp].priority = (((kFirst >> 32) - 1 - level) << 32) | (choices.draw(Choice::kPriority) >> 32);
}

}  // namespace sim
