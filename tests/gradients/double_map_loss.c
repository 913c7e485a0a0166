/* SPDX-License-Identifier: Apache-2.0
 * double_map_loss.c -- loss/test_map_loss.c in the double precision build, where values are compared to 1e-9 and
 * gradients to 1e-11. */
#include "loss/test_map_loss.c"
