/* SPDX-License-Identifier: Apache-2.0
 * double_map_head.c -- the head that predicts a class for each patch, against a computation by hand in double. */
#include "heads/test_map_head.c"
