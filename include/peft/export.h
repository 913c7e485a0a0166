/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EXPORT_H
#define PEFT_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#  define PEFT_BEGIN_DECLS extern "C" {
#  define PEFT_END_DECLS }
#else
#  define PEFT_BEGIN_DECLS
#  define PEFT_END_DECLS
#endif

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

#if defined(__GNUC__)
#  define PEFT_NODISCARD __attribute__((warn_unused_result))
#  define PEFT_DEPRECATED(msg) __attribute__((deprecated(msg)))
#else
#  define PEFT_NODISCARD
#  define PEFT_DEPRECATED(msg)
#endif

#endif
