/* SPDX-License-Identifier: Apache-2.0
 * export.h -- macros for the declarations of all public headers: C linkage, export from the shared library,
 * warnings. */
#ifndef PEFT_EXPORT_H
#define PEFT_EXPORT_H

#include <stddef.h>
#include <stdint.h>

/* Stand around the declarations of a header, so that they have C linkage in C++ too. */
#ifdef __cplusplus
#  define PEFT_BEGIN_DECLS extern "C" {
#  define PEFT_END_DECLS }
#else
#  define PEFT_BEGIN_DECLS
#  define PEFT_END_DECLS
#endif

/* Stands before each function that the shared library exports. PEFT_STATIC, defined by those who link the static
 * library, makes it empty. */
#if defined(PEFT_STATIC)
#  define PEFT_API
#elif defined(_WIN32)
#  ifdef PEFT_BUILD
#    define PEFT_API __declspec(dllexport)
#  else
#    define PEFT_API __declspec(dllimport)
#  endif
#elif defined(__GNUC__)
#  define PEFT_API __attribute__((visibility("default")))
#else
#  define PEFT_API
#endif

/* PEFT_NODISCARD: the compiler warns where the function's value is not used. PEFT_DEPRECATED(msg): it warns, with this
 * text, where the function is used. */
#if defined(__GNUC__)
#  define PEFT_NODISCARD __attribute__((warn_unused_result))
#  define PEFT_DEPRECATED(msg) __attribute__((deprecated(msg)))
#else
#  define PEFT_NODISCARD
#  define PEFT_DEPRECATED(msg)
#endif

#endif
