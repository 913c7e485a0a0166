/* SPDX-License-Identifier: Apache-2.0
 * consumer.cpp -- the same program as C++. */
#include "consumer.c"
