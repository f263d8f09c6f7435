// Streams and events.
#include "questions.hpp"

namespace questions {
namespace {

void streams(const Answers& say) {
  const Context context;
  CUstream s = nullptr;
  unsigned flags = 9;
  int priority = 9;
  unsigned long long id = 9;
  say("cuStreamCreate with flags 2", cuStreamCreate(&s, 2));
  say("cuStreamCreate without a place", cuStreamCreate(nullptr, 0));
  int least = 0, greatest = 0;
  say("cuCtxGetStreamPriorityRange", cuCtxGetStreamPriorityRange(&least, &greatest), least, greatest);
  say("cuCtxGetStreamPriorityRange without places", cuCtxGetStreamPriorityRange(nullptr, nullptr));
  for (const int wanted : {-100, -5, -3, 0, 1, 100}) {
    say("cuStreamCreateWithPriority " + std::to_string(wanted), cuStreamCreateWithPriority(&s, 1, wanted));
    say("the priority after " + std::to_string(wanted), cuStreamGetPriority(s, &priority), priority);
  }
  for (const auto& [name, stream] : {std::pair<const char*, CUstream>{"the null stream", nullptr},
                                     {"the legacy stream", CU_STREAM_LEGACY},
                                     {"the thread's stream", CU_STREAM_PER_THREAD}}) {
    const std::string of = std::string(" of ") + name;
    say("cuStreamGetFlags" + of, cuStreamGetFlags(stream, &flags), flags);
    say("cuStreamGetPriority" + of, cuStreamGetPriority(stream, &priority), priority);
    say("cuStreamGetId" + of, cuStreamGetId(stream, &id));
    say("cuStreamQuery" + of, cuStreamQuery(stream));
    say("cuStreamDestroy" + of, cuStreamDestroy(stream));
  }
  say("cuStreamGetFlags without a place", cuStreamGetFlags(nullptr, nullptr));
  say("cuStreamAddCallback with flags 1", cuStreamAddCallback(nullptr, [](CUstream, CUresult, void*) {}, nullptr, 1));
  say("cuStreamAddCallback of null", cuStreamAddCallback(nullptr, nullptr, nullptr, 0));
  say("cuLaunchHostFunc of null", cuLaunchHostFunc(nullptr, nullptr, nullptr));
  CUstreamAttrValue value{};
  s = new_stream();
  for (int which = 1; which <= 16; ++which)
    say("cuStreamGetAttribute " + std::to_string(which), cuStreamGetAttribute(s, CUstreamAttrID(which), &value));
  value = {};
  value.syncPolicy = CUsynchronizationPolicy(9);
  say("cuStreamSetAttribute of a policy of 9",
      cuStreamSetAttribute(s, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value));
  value = {};
  value.priority = -100;
  say("cuStreamSetAttribute of priority -100", cuStreamSetAttribute(s, CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
  say("the priority after setting -100", cuStreamGetPriority(s, &priority), priority);
  value.priority = -3;
  say("cuStreamSetAttribute of priority -3", cuStreamSetAttribute(s, CU_LAUNCH_ATTRIBUTE_PRIORITY, &value));
  say("the priority after setting -3", cuStreamGetPriority(s, &priority), priority);
  say("cuStreamSetAttribute 99", cuStreamSetAttribute(s, CUstreamAttrID(99), &value));
}

void events(const Answers& say) {
  const Context context;
  CUevent e = nullptr, timed = new_event(0), also_timed = new_event(0), untimed = new_event();
  float ms = 0;
  for (const unsigned flags : {0u, 1u, 2u, 3u, 4u, 6u, 8u})
    say("cuEventCreate with flags " + std::to_string(flags), cuEventCreate(&e, flags));
  say("cuEventCreate without a place", cuEventCreate(nullptr, 0));
  say("cuEventQuery of one never recorded", cuEventQuery(timed));
  say("cuEventSynchronize of one never recorded", cuEventSynchronize(timed));
  say("cuStreamWaitEvent of one never recorded", cuStreamWaitEvent(nullptr, timed, 0));
  say("cuEventElapsedTime of two never recorded", cuEventElapsedTime(&ms, timed, also_timed));
  must(cuEventRecord(timed, nullptr));
  say("cuEventElapsedTime to one never recorded", cuEventElapsedTime(&ms, timed, also_timed));
  must(cuEventRecord(also_timed, nullptr));
  must(cuEventRecord(untimed, nullptr));
  must(cuCtxSynchronize());
  say("cuEventElapsedTime", cuEventElapsedTime(&ms, timed, also_timed));
  say("cuEventElapsedTime to one without times", cuEventElapsedTime(&ms, timed, untimed));
  say("cuEventElapsedTime without a place", cuEventElapsedTime(nullptr, timed, also_timed));
  say("cuEventElapsedTime to itself", cuEventElapsedTime(&ms, timed, timed), ms);
  for (const unsigned flags : {1u, 2u, 3u}) {
    say("cuEventRecordWithFlags " + std::to_string(flags), cuEventRecordWithFlags(timed, nullptr, flags));
    say("cuStreamWaitEvent with flags " + std::to_string(flags), cuStreamWaitEvent(nullptr, timed, flags));
  }
  say("cuEventRecord of null", cuEventRecord(nullptr, nullptr));
  say("cuEventDestroy of null", cuEventDestroy(nullptr));
  say("cuStreamWaitEvent of null", cuStreamWaitEvent(nullptr, nullptr, 0));
}

constexpr Group kGroups[] = {{"streams: streams", streams}, {"streams: events", events}};

}  // namespace

std::span<const Group> about_streams() { return kGroups; }

}  // namespace questions
