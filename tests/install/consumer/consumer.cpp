/* SPDX-License-Identifier: Apache-2.0
 * consumer.cpp -- consumer.c compiled as C++. */
#include "consumer.c"
