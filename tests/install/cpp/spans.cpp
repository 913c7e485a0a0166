// SPDX-License-Identifier: Apache-2.0
// spans.cpp -- a second source file of handles.cpp's program: the headers give no duplicate definitions.
#include <peft/io.hpp>
#include <peft/peft.hpp>

int sizes_of_spans(peft::span<const float> s);
int sizes_of_spans(peft::span<const float> s) { return static_cast<int>(s.size()); }
