/* SPDX-License-Identifier: Apache-2.0
 * double_seg_golden.c -- heads/test_seg_golden.c in the double precision build. */
#include "heads/test_seg_golden.c"
