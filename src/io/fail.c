/* SPDX-License-Identifier: Apache-2.0
 * fail.c -- error messages, warnings, and memory with checked sizes. */
#include "io/io.h"
#include <stdarg.h>
#include <stdio.h>

enum { LOG_WARNING = 1, LOG_INFORMATION = 2 };                /* levels of peft_sys_log */

peft_status io_fail(peft_status s, const char *format, ...)
{
    char message[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return peft_set_error(s, message);
}

peft_status io_nomem(const char *subject) { return io_fail(PEFT_E_NOMEM, "%s: out of memory", subject); }

/* A message that begins with "name:" already stays as it is. */
peft_status io_fail_in(peft_status s, const char *name)
{
    char message[1024];
    size_t length = strlen(name);
    snprintf(message, sizeof message, "%s", peft_last_error());
    return !strncmp(message, name, length) && message[length] == ':' ? s : io_fail(s, "%s: %s", name, message);
}

static void write_log(peft_context *ctx, int level, const char *format, va_list args)
{
    char message[1024];
    vsnprintf(message, sizeof message, format, args);
    peft_sys_log(ctx, level, message);
}

void io_warn(peft_context *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_log(ctx, LOG_WARNING, format, args);
    va_end(args);
}

void io_inform(peft_context *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_log(ctx, LOG_INFORMATION, format, args);
    va_end(args);
}

const char *io_dtype_name(peft_dtype type)
{
    static const char *const name[] = { [PEFT_F32] = "f32", [PEFT_BF16] = "bf16", [PEFT_F16] = "f16",
                                        [PEFT_I32] = "i32", [PEFT_I64] = "i64", [PEFT_U8] = "u8", [PEFT_F64] = "f64",
                                        [PEFT_U16] = "u16", [PEFT_I16] = "i16", [PEFT_I8] = "i8" };
    return (size_t)type < sizeof name / sizeof *name && name[type] ? name[type] : "unknown";
}

const char *io_tensor_text(const peft_tensor *t, char text[IO_TENSOR_TEXT])
{
    size_t used = (size_t)snprintf(text, IO_TENSOR_TEXT, "%s [", io_dtype_name(peft_tensor_dtype(t)));
    for (int i = 0; i < peft_tensor_ndim(t); i++)
        used += (size_t)snprintf(text + used, IO_TENSOR_TEXT - used, "%s%lld", i ? ", " : "",
                                 (long long)peft_tensor_dim(t, i));
    snprintf(text + used, IO_TENSOR_TEXT - used, "]");
    return text;
}

/* Zeroed. NULL also for a negative count, and where count * size overflows an int64_t. */
void *io_alloc(peft_context *ctx, int64_t count, size_t size)
{
    int64_t bytes;
    if (count < 0 || size > INT32_MAX || __builtin_mul_overflow(count, (int64_t)size, &bytes)) return NULL;
    void *block = peft_sys_alloc(ctx, (size_t)bytes);
    return block ? memset(block, 0, (size_t)bytes) : NULL;
}

/* The pointer at `items` may be one to any type, so that its bytes are copied. */
bool io_grow(peft_context *ctx, void *items, int64_t count, int64_t *capacity, size_t size)
{
    const int64_t larger = *capacity ? 2 * *capacity : 16;
    void *block;
    if (count < *capacity) return true;
    memcpy(&block, items, sizeof block);
    if (!(block = peft_sys_realloc(ctx, block, (size_t)larger * size))) return false;
    memcpy(items, &block, sizeof block);
    *capacity = larger;
    return true;
}

char *io_copy(peft_context *ctx, const char *text) { return io_join(ctx, text, ""); }

char *io_folder_of(peft_context *ctx, const char *path)
{
    char *folder = io_copy(ctx, path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (folder) folder[slash ? slash + 1 - folder : 0] = 0;
    return folder;
}

char *io_join(peft_context *ctx, const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    char *text = peft_sys_alloc(ctx, a_length + b_length + 1);
    if (!text) return NULL;
    memcpy(text, a, a_length);
    memcpy(text + a_length, b, b_length + 1);
    return text;
}
