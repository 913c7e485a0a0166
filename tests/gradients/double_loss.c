/* SPDX-License-Identifier: Apache-2.0
 * double_loss.c -- the gradients of the losses to 1e-9. */
#include "loss/test_loss.c"
