// SPDX-License-Identifier: Apache-2.0
// Headers that every C simulation reads, precompiled once: they take longer than a small design.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <ap_int.h>

#include <ap_axi_sdata.h>
#include <hls_stream.h>
