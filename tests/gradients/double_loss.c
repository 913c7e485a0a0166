/* SPDX-License-Identifier: Apache-2.0
 * double_loss.c -- loss/test_loss.c in the double precision build, where gradients are checked to 1e-9. */
#include "loss/test_loss.c"
