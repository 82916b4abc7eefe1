// SPDX-License-Identifier: Apache-2.0
// Stands in for the vendor's ap_axi_sdata.h in C simulation: the words of an AXI4-Stream with
// either user or id signals, or none of both.
#pragma once

#include <ap_int.h>

template <int Data, int User = 0, int Id = 0, int Dest = 0>
struct ap_axiu {
  static_assert(Data >= 8 && Data % 8 == 0, "an AXI4-Stream word is a number of whole bytes");
  static_assert(User == 0 && Dest == 0, "no user signals beside an id, and no destination");
  ap_uint<Data> data;
  ap_uint<Data / 8> keep;
  ap_uint<Data / 8> strb;
  ap_uint<1> last;
  ap_uint<Id> id;
};

template <int Data>
struct ap_axiu<Data, 0, 0, 0> {
  static_assert(Data >= 8 && Data % 8 == 0, "an AXI4-Stream word is a number of whole bytes");
  ap_uint<Data> data;
  ap_uint<Data / 8> keep;
  ap_uint<Data / 8> strb;
  ap_uint<1> last;
};

template <int Data, int User>
struct ap_axiu<Data, User, 0, 0> {
  static_assert(Data >= 8 && Data % 8 == 0, "an AXI4-Stream word is a number of whole bytes");
  ap_uint<Data> data;
  ap_uint<Data / 8> keep;
  ap_uint<Data / 8> strb;
  ap_uint<User> user;
  ap_uint<1> last;
};
