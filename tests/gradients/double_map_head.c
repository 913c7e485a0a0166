/* SPDX-License-Identifier: Apache-2.0
 * double_map_head.c -- heads/test_map_head.c in the double precision build. */
#include "heads/test_map_head.c"
