/* SPDX-License-Identifier: Apache-2.0
 * number.c -- parses and prints numbers in the same way in every locale: the decimal point is '.', digits are not
 * grouped. */
#include "core/options/options.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool pf_parse_int(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    uint64_t v = 0, most = (uint64_t)INT64_MAX + (negative ? 1 : 0);        /* the largest absolute value */
    if (*s == '-' || *s == '+') s++;
    if (!is_digit(*s)) return false;
    for (; is_digit(*s); s++) {
        uint64_t d = (uint64_t)(*s - '0');
        if (v > (most - d) / 10) return false;                              /* v * 10 + d would be above it */
        v = v * 10 + d;
    }
    if (*s) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Whether s is [sign] digits [. digits] [e [sign] digits]. strtod also takes blanks and hexadecimal numbers; options do
 * not. */
static bool is_decimal(const char *s)
{
    if (*s == '-' || *s == '+') s++;
    const char *first = s;
    while (is_digit(*s)) s++;
    size_t n = (size_t)(s - first);               /* digits before and after the point */
    if (*s == '.')
        for (s++; is_digit(*s); s++) n++;
    if (!n) return false;
    if (*s != 'e' && *s != 'E') return !*s;
    s++;
    if (*s == '-' || *s == '+') s++;
    if (!is_digit(*s)) return false;
    while (is_digit(*s)) s++;
    return !*s;
}

bool pf_parse_float(const char *s, double *out)
{
    static const struct { const char *text; double value; } special[] = {
        { "nan", NAN }, { "inf", INFINITY }, { "-inf", -INFINITY } };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (!strcmp(s, special[i].text)) {
            *out = special[i].value;
            return true;
        }
    if (!is_decimal(s)) return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return false;                         /* no memory */
    double v = strtod_l(s, NULL, c);
    freelocale(c);
    if (!isfinite(v)) return false;               /* too large for a double */
    *out = v;
    return true;
}

/* snprintf writes the decimal point of the program's locale, ',' or several bytes, which becomes '.'. */
void pf_print_digits(char *text, size_t capacity, double v, int digits)
{
    char t[64], *to = t;
    if (!isfinite(v)) {
        snprintf(text, capacity, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    snprintf(t, sizeof t, "%.*g", digits, v);
    for (const char *from = t; *from; from++)
        if (is_digit(*from) || *from == 'e' || *from == '-' || *from == '+') *to++ = *from;
        else if (to[-1] != '.') *to++ = '.';      /* of several bytes the first; a digit precedes it */
    *to = 0;
    snprintf(text, capacity, "%s", t);
}

void pf_print_float(char *text, size_t capacity, double v)
{
    char t[64];
    double back;
    if (fabs(v) < 1e15 && v == floor(v)) {        /* 1000, not 1e+03 as the shortest %g */
        snprintf(text, capacity, "%.0f", v);
        return;
    }
    for (int precision = 1; precision <= 17; precision++) {
        pf_print_digits(t, sizeof t, v, precision);
        if (pf_parse_float(t, &back) && back == v) break;
    }
    snprintf(text, capacity, "%s", t);
}
