/* SPDX-License-Identifier: Apache-2.0
 * svg.c -- axes with round ticks, and text escaped for XML (svg.h). */
#include "svg.h"
#include <math.h>

axis round_axis(double low, double high)
{
    if (high - low < 1e-9) high = low + 1;
    double step = pow(10, floor(log10((high - low) / 3)));
    while ((high - low) / step > 5) step *= (high - low) / step > 10 ? 5 : 2;
    return (axis){ .low = floor(low / step) * step, .high = ceil(high / step) * step, .tick = step };
}

static const double log_steps[] = { 1, 2, 5, 10 };

/* Rounds value up, or down, to 1, 2 or 5 times a power of ten: tries the steps from 1 upwards, or from 10 downwards. */
static double round_log(double value, bool up)
{
    double power = pow(10, floor(log10(value) + 1e-12));
    for (int k = up ? 0 : 3; up ? k < 3 : k > 0; k += up ? 1 : -1)
        if (up ? log_steps[k] * power >= value * (1 - 1e-9) : log_steps[k] * power <= value * (1 + 1e-9))
            return log_steps[k] * power;
    return up ? 10 * power : power;
}

axis log_axis(double low, double high)
{
    axis a = { .low = round_log(low, false), .high = round_log(high, true), .log = true };
    if (a.high <= a.low) a.high = 10 * a.low;
    return a;
}

double axis_position(const axis *a, double value)
{
    double fraction = a->log ? log(value / a->low) / log(a->high / a->low) : (value - a->low) / (a->high - a->low);
    return a->from + (a->to - a->from) * fraction;
}

int make_ticks(const axis *a, tick *out)
{
    int n = 0;
    if (a->log) {
        bool all = a->high / a->low < 1001;                   /* beyond three decades, ticks at powers of ten only */
        for (double power = pow(10, floor(log10(a->low) + 1e-9)); power <= a->high * 1.001; power *= 10)
            for (int k = 0; k < (all ? 3 : 1) && n < most_ticks; k++) {
                double v = log_steps[k] * power;
                if (v < a->low * 0.999 || v > a->high * 1.001) continue;
                out[n].value = v;
                snprintf(out[n++].text, sizeof out->text, "%g", v);
            }
        return n;
    }
    int decimals = (int)fmax(0, ceil(-log10(a->tick) - 1e-9));
    for (; n < most_ticks && a->low + n * a->tick <= a->high + 1e-6 * a->tick; n++) {
        out[n].value = a->low + n * a->tick;
        snprintf(out[n].text, sizeof out->text, "%.*f", decimals, out[n].value);
    }
    return n;
}

void put_escaped(FILE *f, const char *text, int64_t limit)
{
    int64_t characters = 0, remaining = INT64_MAX;
    for (const char *c = text; *c; c++) characters += (*c & 0xC0) != 0x80;     /* bytes that begin a UTF-8 character */
    if (limit && characters > limit) remaining = limit - 3;
    for (; *text; text++) {
        if ((*text & 0xC0) != 0x80 && remaining-- == 0) break;
        switch (*text) {
        case '&': fputs("&amp;", f); break;
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
        }
    }
    if (*text) fputs("...", f);
}
