// Histories kept by row against histories kept by word: a random kernel has the same findings wherever its tile begins.
// At a multiple of 128 bytes a warp's row of words and a bulk copy fill rows of the shadow; elsewhere they never do,
// and every word is judged by itself.
#include <random>
#include <set>

#include "checkers_kernel.hpp"

using namespace sim;
using namespace sim::test;

namespace {

constexpr uint32_t kMostInstructions = 24;
constexpr int kKernels = 400;

// Rows of words, pairs and quads at one of six places, columns, one lane's accesses, copies of 128 bytes, barriers.
std::string random_body(std::mt19937& random) {
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  std::string text;
  const uint32_t count = 1 + below(kMostInstructions), barriers = 1 + below(6);  // one barrier in so many
  for (uint32_t n = 0; n < count; ++n) {
    const std::string at = std::to_string(128 * below(6)), label = "$skip" + std::to_string(n);
    const bool is_store = below(3) == 0;
    const auto access = [&](const std::string& base, const std::string& vector, const std::string& values) {
      const std::string place = "[" + base + "+" + at + "]";
      text += is_store ? "st.shared" + vector + ".u32 " + place + ", " + values + ";\n"
                       : "ld.shared" + vector + ".u32 " + values + ", " + place + ";\n";
    };
    const std::string warp = std::to_string(below(2));
    if (below(3) != 0) text += "setp.ne.u32 %p6, %r6, " + warp + ";\n@%p6 bra " + label + ";\n";
    switch (below(9)) {
      case 0:
        access("%r20", ".v2", "{%r10, %r11}");
        break;
      case 1:
        access("%r21", ".v4", "{%r10, %r11, %r12, %r13}");
        break;
      case 2:
        access("%r22", "", "%r10");  // each lane the same quad's word
        break;
      case 3:
        text += "@%p1 ";
        access("%r8", "", "%r10");
        break;
      case 4:
        text += "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r8+" + at + "], 128;\n";
        text += "@%p1 cp.async.bulk.commit_group;\n";
        if (below(2) != 0) text += "@%p1 cp.async.bulk.wait_group.read 0;\n";
        break;
      case 5:
        text += below(2) != 0 ? "bar.warp.sync -1;\n" : "fence.proxy.async;\n";
        break;
      default:
        access("%r19", "", "%r10");
        break;
    }
    text += label + ":\n";
    if (below(barriers) == 0) text += "bar.sync 0;\n";
  }
  return text;
}

std::set<std::string> findings_at(const std::string& body, int shift) {
  const std::string begin = "add.u32 %r8, %r1, " + std::to_string(shift) +
                            ";\nmad.lo.u32 %r19, %r5, 4, %r8;\nmad.lo.u32 %r20, %r5, 8, %r8;\n"
                            "mad.lo.u32 %r21, %r5, 16, %r8;\nmad.lo.u32 %r22, %r5, 64, %r8;\nmov.u32 %r10, 0;\n";
  std::set<std::string> found;
  const Checked run = run_checked(begin + body + "@%p1 cp.async.bulk.wait_group 0;\n", Check::kRace);
  REQUIRE(run.result.status == LaunchResult::Status::kOk);
  for (const Finding& f : run.result.findings) found.insert(f.kind + " " + f.text.substr(0, f.text.find("\n  test  ")));
  return found;
}

}  // namespace

TEST_CASE("what a kernel is accused of does not depend on where its memory begins") {
  std::mt19937 random(20);
  size_t accused = 0, silent = 0;
  for (int n = 0; n < kKernels; ++n) {
    const std::string body = random_body(random);
    CAPTURE(body);
    const auto by_row = findings_at(body, 0), by_word = findings_at(body, 16);
    (by_row.empty() ? silent : accused) += 1;
    CHECK(by_row == by_word);
  }
  CHECK(accused > kKernels / 4);
  CHECK(silent > kKernels / 40);
}
