// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream in, of images: a word of 64 bits for each write, the byte address on top of the data.
#pragma once

#include <hls_stream.h>

#include "image.hpp"
#include "trace.hpp"

namespace hwrnn {

// The name of the image that the memories hold, and whether the last one that was taken had an
// address that is none of theirs.
struct ImageName {
  std::uint64_t hash;
  bool bad_address;
};

// One call. If `load`, an image comes first, up to its TLAST; each of `kernels` gets all writes,
// then one that carries nothing. `I` holds: end, the first word address behind all memories. The
// registers that name the image are those of the RTL.
template <class I, class... Writes>
void image_in(hls::stream<ImageWord>& s_image, const bool load, ImageName& name,
              Writes&... kernels) {
#pragma HLS INLINE
  constexpr int name_low = 0x18;
  constexpr int name_high = 0x1c;
  constexpr int first_memory = 0x100;
  name.bad_address = name.bad_address && !load;
  bool more = load;
WRITE:
  while (more) {
#pragma HLS PIPELINE II=1
    HWRNN_COUNT("image_in", "WRITE");
    const ImageWord word = s_image.read();
    const ap_uint<32> address = word.data.range(63, 32);
    const ap_uint<32> data = word.data.range(31, 0);
    if (address == name_low) {
      name.hash = (name.hash >> 32 << 32) | data.to_uint();
    } else if (address == name_high) {
      name.hash = (static_cast<std::uint64_t>(data.to_uint()) << 32) | (name.hash & 0xffffffff);
    } else if (address >= first_memory && address < 4 * I::end && address % 4 == 0) {
      const Write given = {static_cast<int>(address.to_uint() / 4), data, true};
      (kernels.write(given), ...);
    } else {
      name.bad_address = true;
    }
    more = word.last == 0;
  }
  const Write end = {0, 0, false};
  (kernels.write(end), ...);
}

}  // namespace hwrnn
