// SPDX-License-Identifier: Apache-2.0
// Stands in for the vendor's hls_stream.h in C simulation: an unbounded queue that throws on an
// empty read, where hardware would wait for ever.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hls {

template <class T, int Depth = 0>
class stream {
 public:
  using value_type = T;

  stream() = default;
  explicit stream(const char* name) : name_(name) {}
  explicit stream(std::string name) : name_(std::move(name)) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  bool empty() const { return head_ == queue_.size(); }
  bool full() const { return false; }
  std::size_t size() const { return queue_.size() - head_; }

  T read() {
    if (empty()) {
      throw std::underflow_error("read from the empty stream " + name_);
    }
    const T value = queue_[head_++];
    if (empty()) {
      queue_.clear();
      head_ = 0;
    }
    return value;
  }
  void read(T& value) { value = read(); }
  bool read_nb(T& value) {
    if (empty()) {
      return false;
    }
    value = read();
    return true;
  }

  void write(const T& value) { queue_.push_back(value); }
  bool write_nb(const T& value) {
    write(value);
    return true;
  }

  stream& operator>>(T& value) {
    read(value);
    return *this;
  }
  stream& operator<<(const T& value) {
    write(value);
    return *this;
  }

 private:
  std::vector<T> queue_;
  std::size_t head_ = 0;
  std::string name_ = "(no name)";
};

}  // namespace hls
