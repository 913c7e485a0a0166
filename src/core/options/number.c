/* SPDX-License-Identifier: Apache-2.0
 * number.c -- numbers as text, the same in every locale: the point is '.', nothing is grouped. */
#include "core/options/options.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

bool pf_parse_int(const char *s, int64_t *out)
{
    bool negative = *s == '-';
    uint64_t v = 0, most = (uint64_t)INT64_MAX + negative;
    if (*s == '-' || *s == '+') s++;
    if (!digit(*s)) return false;
    for (; digit(*s); s++) {
        uint64_t d = (uint64_t)(*s - '0');
        if (v > (most - d) / 10) return false;
        v = v * 10 + d;
    }
    if (*s) return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* [sign] digits [. digits] [e [sign] digits]; what strtod takes besides (blanks, hexadecimal) is not for options. */
static bool decimal(const char *s)
{
    if (*s == '-' || *s == '+') s++;
    const char *first = s;
    while (digit(*s)) s++;
    size_t n = (size_t)(s - first);
    if (*s == '.')
        for (s++; digit(*s); s++) n++;
    if (!n) return false;
    if (*s != 'e' && *s != 'E') return !*s;
    s++;
    if (*s == '-' || *s == '+') s++;
    if (!digit(*s)) return false;
    while (digit(*s)) s++;
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
    if (!decimal(s)) return false;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return false;
    double v = strtod_l(s, NULL, c);
    freelocale(c);
    if (!isfinite(v)) return false;               /* written in digits and too large for a double */
    *out = v;
    return true;
}

/* The program's locale may have put ',' or several bytes for '.'. */
void pf_print_digits(char *text, size_t room, double v, int digits)
{
    char t[64], *to = t;
    if (!isfinite(v)) {
        snprintf(text, room, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    snprintf(t, sizeof t, "%.*g", digits, v);
    for (const char *from = t; *from; from++)
        if (digit(*from) || *from == 'e' || *from == '-' || *from == '+') *to++ = *from;
        else if (to[-1] != '.') *to++ = '.';
    *to = 0;
    snprintf(text, room, "%s", t);
}

void pf_print_float(char *text, size_t room, double v)
{
    char t[64];
    double back;
    if (fabs(v) < 1e15 && v == floor(v)) {        /* 1000, which %g at its shortest calls 1e+03 */
        snprintf(text, room, "%.0f", v);
        return;
    }
    for (int precision = 1; precision <= 17; precision++) {
        pf_print_digits(t, sizeof t, v, precision);
        if (pf_parse_float(t, &back) && back == v) break;
    }
    snprintf(text, room, "%s", t);
}
