// SPDX-License-Identifier: Apache-2.0
// peft/peft.hpp -- libpeft for C++17: handles that free themselves, errors as exceptions, spans in and out.
//
// A class here is one pointer to the C object of the same name; all it does is call the functions of <peft/peft.h>,
// whose comments say what they do. c_ptr() gives the C object for calls that have no method here. Handles move and are
// not copied. C objects count their references, so handles may be destroyed in any order.
//
// A call that fails throws peft::error. Exceptions of callbacks (fit) pass through: the run stops, and the exception
// leaves fit. The classes stand in a header each topic, which this one includes.
#ifndef PEFT_PEFT_HPP
#define PEFT_PEFT_HPP
#include <peft/adaptor.hpp>
#include <peft/analysis.hpp>
#include <peft/maps.hpp>
#include <peft/model.hpp>
#include <peft/probe.hpp>
#include <peft/segmentation.hpp>
#include <peft/statistics.hpp>
#include <peft/tensor.hpp>
#include <peft/trainer.hpp>
#endif
