// SPDX-License-Identifier: Apache-2.0
// What C simulation can record, if it is compiled with HWRNN_TRACE: how often each pipelined loop
// goes round, and the sums of every group behind every block. Without it, nothing.
#pragma once

#ifdef HWRNN_TRACE

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hwrnn {
namespace trace {

// The sums of one group behind one block of a step: gate after gate, each unit by unit.
struct Sums {
  std::string engine;
  int block;
  int group;
  std::vector<std::int64_t> values;
};

inline std::map<std::string, std::int64_t> counts;
inline std::vector<Sums> sums;

inline void count(const char* kernel, const char* loop) {
  ++counts[std::string(kernel) + "/" + loop];
}

template <class Sum, int Gates, int Pe>
void note(const char* engine, const int block, const int group, const Sum (&found)[Gates][Pe]) {
  Sums entry = {engine, block, group, {}};
  for (int gate = 0; gate < Gates; ++gate) {
    for (int pe = 0; pe < Pe; ++pe) {
      entry.values.push_back(found[gate][pe].to_int64());
    }
  }
  sums.push_back(entry);
}

}  // namespace trace
}  // namespace hwrnn

#define HWRNN_COUNT(kernel, loop) ::hwrnn::trace::count(kernel, loop)
#define HWRNN_SUMS(engine, block, group, sums) ::hwrnn::trace::note(engine, block, group, sums)

#else

#define HWRNN_COUNT(kernel, loop) static_cast<void>(0)
#define HWRNN_SUMS(engine, block, group, sums) static_cast<void>(0)

#endif
