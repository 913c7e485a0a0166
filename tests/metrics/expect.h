/* SPDX-License-Identifier: Apache-2.0
 * expect.h -- what tests of metrics share: a context, assertions about numbers, errors and their messages. */
#ifndef EXPECT_H
#define EXPECT_H
#include "suite.h"
#include <math.h>
#include <peft/context.h>

static inline peft_context *context(void)
{
    peft_context *ctx = NULL;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    return ctx;
}

#define OK(call) ck_assert_msg((call) == PEFT_OK, "%s", peft_last_error())
#define NEAR(got, want, most) do { const double g_ = (got), w_ = (want); \
    ck_assert_msg(fabs(g_ - w_) <= (most), "%s is %.17g, expected %.17g", #got, g_, w_); } while (0)
/* The call fails with this status, and its message has each of the parts. */
#define REFUSED(call, status, ...) do { ck_assert_int_eq(call, status); \
    const char *part_[] = { __VA_ARGS__ }; \
    for (size_t k_ = 0; k_ < sizeof part_ / sizeof *part_; k_++) \
        ck_assert_msg(strstr(peft_last_error(), part_[k_]), "'%s' lacks '%s'", peft_last_error(), part_[k_]); \
    } while (0)
#endif
