/* SPDX-License-Identifier: Apache-2.0
 * help_text.c -- environment variables, and commands in examples (help_text.h). */
#include "help_text.h"
#include <string.h>

/* PEFT_VERBOSE is read by make_context (program/verbose.h), the others by libpeft. */
const variable environment[] = {
    { "PEFT_VERBOSE=1", "print a line on standard error for each operation of the network (docs/verbose.md)" },
    { "PEFT_ISA", "instruction set of the kernels: ref, avx2, avx512, avx512_bf16 or avx512_amx; default the best of "
                  "this CPU" },
    { "PEFT_GEMM", "matrix multiplication: own (libpeft's kernels) or cblas (a BLAS library); default auto" } };
const int environment_count = sizeof environment / sizeof *environment;

int command_length(const char *text)
{
    if (strspn(text, " ") != 2) return 0;
    const size_t n = strspn(text + 2, "abcdefghijklmnopqrstuvwxyz_");
    return text[2 + n] == ' ' ? (int)n : 0;
}
