/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/option.h -- tables of options, and reading settings into a struct of the program. Part of the systems
 * interface, whose promise method.h states. The text form of settings is that of peft_options_parse (options.h). */
#ifndef PEFT_SYS_OPTION_H
#define PEFT_SYS_OPTION_H
#include <peft/options.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
PEFT_BEGIN_DECLS

/* A row of a table: the peft_option of options.h. type: 'i' integer, 'f' float, 'b' boolean, 's' text. lo..hi bound 'i'
 * and 'f' (lo == hi: unbounded). fallback is the default as text, help one line. A table ends with a NULL name. */
struct peft_option {
    const char *name;
    char        type;
    const char *fallback;
    double      lo, hi;
    const char *help;
};

/* --- settings in a struct of the program -------------------------------------------------------------------------- */
/* A row is an option and the offset of the struct's member that holds its value. A table has up to 64 rows and
 * ends with a NULL name. The option's type, the member's type in brackets, and how the value is written:
 *   'i' (int64_t)  an integer          'f' (double)     a number
 *   'b' (bool)     true or false       'c' (int)        a word of choices "a|b|c"; the member is the word's index
 *   '2' (double[2]) low:high, low not above high        '3' (double[3]) a:b:c, or one number for all three
 *   '4' (double[4]) a:b:c:d
 *   'x' (peft_opt_side)  a word of choices, N or HxW    'r' (peft_opt_range) full, low:high or, in percent,
 *                                                     p1:p99, low below high
 *   's' (char[hi])  any text of up to hi - 1 bytes, hi the upper bound of the row
 * Numbers lie in lo..hi (lo == hi: unbounded), percentages in 0..100. */
typedef struct peft_opt_key {
    peft_option option;                 /* fallback "": the table has no default for it */
    size_t      offset;
    const char *choices;
} peft_opt_key;
/* word: the index in choices, or -1 if numbers were given: "HxW" is height H and width W, "N" height N and width 0.
 * With choices "auto|none": "none" is { 1, 0, 0 }, "640x480" { -1, 640, 480 }, "32" { -1, 32, 0 }. */
typedef struct peft_opt_side { int word; int64_t height, width; } peft_opt_side;
/* PEFT_RANGE_FULL: the whole range of the type; PEFT_RANGE_VALUES: from one number to another; PEFT_RANGE_PERCENTILES:
 * from one percentile of the values to another. */
typedef enum peft_range_kind { PEFT_RANGE_FULL, PEFT_RANGE_VALUES, PEFT_RANGE_PERCENTILES } peft_range_kind;
/* kind: whole range, values, or percentiles. end: low and high, of values or in percent; not used with
 * PEFT_RANGE_FULL. */
typedef struct peft_opt_range { peft_range_kind kind; double end[2]; } peft_opt_range;

/* The option of row i; NULL: after the last. */
PEFT_API const peft_option *peft_sys_opt_row(const peft_opt_key *keys, size_t i);
/* Sets the members of the struct at values to the defaults of the table; a member without a default (fallback "") keeps
 * its value. PEFT_E_INVALID: a default is not a value of its row, or an argument is NULL. */
PEFT_API PEFT_NODISCARD peft_status peft_sys_opt_defaults(const peft_opt_key *keys, void *values);
/* Reads text (NULL: no settings) and sets the members of the struct at values that it names; the others do not change.
 * The value none of an option without a default (not of type 's') means that text does not name this option.
 * Bit i of *seen (may be NULL) becomes 1 if text names keys[i]. PEFT_E_OPTION, with a message that begins with `who`:
 * not a list of settings, an unknown name, one given twice, or a value that does not fit; some members may then be set.
 * PEFT_E_INVALID: keys, who or values is NULL. */
PEFT_API PEFT_NODISCARD peft_status peft_sys_opt_read(const peft_opt_key *keys, const char *text, const char *who,
                                                  void *values, uint64_t *seen);
/* Writes "name=value,..." for all keys, which peft_sys_opt_read reads as the same values in every locale. As snprintf
 * does: at most size bytes with the 0 at the end; returns the length of the whole text. */
PEFT_API size_t peft_sys_opt_print(const peft_opt_key *keys, const void *values, char *text, size_t size);
/* Writes v with as many digits as are needed to read the same number, and with a decimal point in every locale; returns
 * text. */
PEFT_API const char *peft_sys_opt_number(char text[32], double v);
/* Reads the first length bytes of s as an integer: digits, with or without a - in front. false: another text, or a
 * number beyond int64_t. */
PEFT_API bool peft_sys_opt_integer(const char *s, size_t length, int64_t *out);
/* The index in choices ("a|b|c") of the word of length bytes; -1: it is not among them. */
PEFT_API int peft_sys_opt_choice(const char *choices, const char *word, size_t length);

PEFT_END_DECLS
#endif
