/* SPDX-License-Identifier: Apache-2.0
 * trainer_values.h -- for tests of trainers: values and gradients of a parameter by name, comparison within a
 * tolerance. */
#ifndef TRAINER_VALUES_H
#define TRAINER_VALUES_H
#include <math.h>
#include "tiny_bits.h"

/* The values of the parameter `name`. */
static inline const float *values(peft_model *m, const char *name)
{
    peft_param *p = peft_model_find_param(m, name);
    ck_assert_msg(p != NULL, "no parameter %s", name);
    return peft_tensor_cdata(peft_param_value(p));
}

/* The gradient of the parameter `name` by the last backward pass. */
static inline const float *gradient(peft_model *m, const char *name)
{
    return peft_tensor_cdata(peft_param_grad(peft_model_find_param(m, name)));
}

/* |got - expected| is at most tolerance * (1 + |expected|); `what` names the value in the message. */
static inline void near(double got, double expected, double tolerance, const char *what)
{
    ck_assert_msg(fabs(got - expected) <= tolerance * (1 + fabs(expected)), "%s: %.9g, expected %.9g", what, got,
        expected);
}
#endif
