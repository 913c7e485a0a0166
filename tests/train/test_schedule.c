/* SPDX-License-Identifier: Apache-2.0
 * test_schedule.c -- learning rates of every schedule at the start, the end, the middle and behind the last step,
 * against values worked out by hand; settings that are refused. */
#include "suite.h"
#include <math.h>
#include "core/train/update/schedule.h"

#define NEAR(got, want) ck_assert_double_eq_tol(got, want, 1e-15)

START_TEST(constant_and_step_schedules)
{
    pf_schedule s = { .kind = PF_LR_CONSTANT, .lr = 0.3 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 0) == 0.3 && pf_schedule_lr(&s, INT64_MAX) == 0.3);
    s = (pf_schedule){ .kind = PF_LR_STEP, .lr = 0.8, .decay_every = 3, .gamma = 0.5 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 2) == 0.8 && pf_schedule_lr(&s, 3) == 0.4 && pf_schedule_lr(&s, 11) == 0.1);
}
END_TEST

START_TEST(cosine_falls_to_min_lr)
{
    const pf_schedule s = { .kind = PF_LR_COSINE, .lr = 1, .min_lr = 0.2, .steps = 10 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 0) == 1);
    NEAR(pf_schedule_lr(&s, 5), 0.6);
    NEAR(pf_schedule_lr(&s, 3) + pf_schedule_lr(&s, 7), 1.2);
    for (int64_t t = 1; t < 10; t++) ck_assert(pf_schedule_lr(&s, t) < pf_schedule_lr(&s, t - 1));
    ck_assert(pf_schedule_lr(&s, 10) == 0.2 && pf_schedule_lr(&s, 1000) == 0.2);
}
END_TEST

START_TEST(warmup_then_cosine)
{
    pf_schedule s = { .kind = PF_LR_WARMUP_COSINE, .lr = 1, .steps = 14, .warmup = 4 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 0) == 0 && pf_schedule_lr(&s, 1) == 0.25 && pf_schedule_lr(&s, 4) == 1);
    NEAR(pf_schedule_lr(&s, 9), 0.5);
    s.start_lr = 0.2;
    NEAR(pf_schedule_lr(&s, 2), 0.6);
    s.warmup = 0;
    ck_assert(pf_schedule_lr(&s, 0) == 1);
    s = (pf_schedule){ .kind = PF_LR_WARMUP_COSINE_FULL, .lr = 1, .start_lr = 0.1, .steps = 10, .warmup = 5 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 0) == 0.1);
    NEAR(pf_schedule_lr(&s, 5), 0.5);                         /* this cosine runs from step 0, so it is at its middle */
    s.warmup = 10;                                                            /* the warmup takes the whole run */
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 10) == 0);
}
END_TEST

START_TEST(linear_with_and_without_warmup)
{
    pf_schedule s = { .kind = PF_LR_LINEAR, .lr = 1, .min_lr = 0.2, .steps = 10 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 0) == 1);
    NEAR(pf_schedule_lr(&s, 5), 0.6);
    ck_assert(pf_schedule_lr(&s, 10) == 0.2 && pf_schedule_lr(&s, 1000) == 0.2);
    s = (pf_schedule){ .kind = PF_LR_WARMUP_LINEAR, .lr = 1, .steps = 14, .warmup = 4 };
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_OK);
    ck_assert(pf_schedule_lr(&s, 0) == 0 && pf_schedule_lr(&s, 1) == 0.25 && pf_schedule_lr(&s, 4) == 1);
    NEAR(pf_schedule_lr(&s, 9), 0.5);
    s.steps = 0;
    ck_assert_int_eq(pf_schedule_check(&s), PEFT_E_OPTION);
}
END_TEST

START_TEST(steps_per_epoch_keeps_the_rate_of_an_epoch)
{
    pf_schedule s = { .kind = PF_LR_COSINE, .lr = 1, .steps = 40 }, epoch = s;
    epoch.steps_per_epoch = 8;
    for (int64_t t = 0; t < 48; t++) ck_assert(pf_schedule_lr(&epoch, t) == pf_schedule_lr(&s, t - t % 8));
}
END_TEST

START_TEST(names_of_schedules_are_parsed)
{
    for (int k = PF_LR_CONSTANT; k <= PF_LR_WARMUP_LINEAR; k++) {
        pf_schedule_kind kind;
        ck_assert_int_eq(pf_schedule_parse(pf_schedule_name((pf_schedule_kind)k), &kind), PEFT_OK);
        ck_assert_int_eq(kind, k);
    }
    pf_schedule_kind kind = PF_LR_STEP;
    ck_assert_int_eq(pf_schedule_parse("cosin", &kind), PEFT_E_OPTION);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "'cosin'"));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "'cosine'"));
    ck_assert_int_eq(pf_schedule_parse(NULL, &kind), PEFT_E_INVALID);
    ck_assert_int_eq(kind, PF_LR_STEP);
}
END_TEST

START_TEST(wrong_settings_are_named)
{
    static const struct { pf_schedule s; const char *part; } bad[] = {
        { { .kind = PF_LR_CONSTANT, .lr = -0.5 }, "lr is -0.5" },
        { { .kind = PF_LR_CONSTANT, .lr = NAN }, "lr is" },
        { { .kind = PF_LR_COSINE, .lr = 1, .steps = 0 }, "steps is 0" },
        { { .kind = PF_LR_COSINE, .lr = 1, .min_lr = 2, .steps = 5 }, "min_lr is 2" },
        { { .kind = PF_LR_COSINE, .lr = 1, .steps = 5, .warmup = 2 }, "warmup is 2" },
        { { .kind = PF_LR_WARMUP_COSINE, .lr = 1, .steps = 5, .warmup = 6 }, "warmup is 6" },
        { { .kind = PF_LR_WARMUP_COSINE, .lr = 1, .steps = 5, .start_lr = -1 }, "start_lr is -1" },
        { { .kind = PF_LR_STEP, .lr = 1, .gamma = 0.1 }, "decay_every is 0" },
        { { .kind = PF_LR_STEP, .lr = 1, .decay_every = 1, .gamma = INFINITY }, "gamma is" },
        { { .kind = PF_LR_CONSTANT, .lr = 1, .steps_per_epoch = -1 }, "steps_per_epoch is -1" },
        { { .kind = (pf_schedule_kind)99, .lr = 1 }, "99" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(pf_schedule_check(&bad[i].s), PEFT_E_OPTION);
        ck_assert_msg(strstr(peft_last_error(), bad[i].part), "'%s' lacks '%s'", peft_last_error(), bad[i].part);
    }
}
END_TEST

SUITE_MAIN("schedule", constant_and_step_schedules, cosine_falls_to_min_lr, warmup_then_cosine,
           linear_with_and_without_warmup, steps_per_epoch_keeps_the_rate_of_an_epoch, names_of_schedules_are_parsed,
           wrong_settings_are_named)
