/* SPDX-License-Identifier: Apache-2.0
 * methods.c -- the table of built-in methods, from methods.def. */
#include "methods.h"

#define PF_METHOD(name, file) extern const peft_method pf_method_##name;
#include "methods.def"
#undef PF_METHOD

const peft_method *const pf_methods[] = {
#define PF_METHOD(name, file) &pf_method_##name,
#include "methods.def"
#undef PF_METHOD
    NULL
};
