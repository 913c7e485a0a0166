/* SPDX-License-Identifier: Apache-2.0
 * svg.c -- axes with round ticks, inks, and text escaped for XML (svg.h). */
#include "svg.h"
#include <math.h>

/* The tick distance is a power of ten, multiplied by 2 or 5 until at most five of them cover the values. */
axis round_axis(double low, double high)
{
    if (high - low < 1e-9) high = low + 1;
    double step = pow(10, floor(log10((high - low) / 3)));
    while ((high - low) / step > 5) step *= (high - low) / step > 10 ? 5 : 2;
    return (axis){ .low = floor(low / step) * step, .high = ceil(high / step) * step, .tick = step };
}

static const double log_steps[] = { 1, 2, 5, 10 };

/* The largest power of ten that is not above value. */
static double power_below(double value) { return pow(10, floor(log10(value) + 1e-12)); }

/* Rounds value up to 1, 2 or 5 times a power of ten. */
static double log_step_above(double value)
{
    const double power = power_below(value);
    for (int k = 0; k < 3; k++)
        if (log_steps[k] * power >= value * (1 - 1e-9)) return log_steps[k] * power;
    return 10 * power;
}

/* Rounds value down to 1, 2 or 5 times a power of ten. */
static double log_step_below(double value)
{
    const double power = power_below(value);
    for (int k = 3; k > 0; k--)
        if (log_steps[k] * power <= value * (1 + 1e-9)) return log_steps[k] * power;
    return power;
}

axis log_axis(double low, double high)
{
    axis a = { .low = log_step_below(low), .high = log_step_above(high), .log = true };
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
        /* Ticks at 1, 2 and 5 times each power of ten; beyond three decades at powers of ten only. */
        const int steps = a->high / a->low < 1001 ? 3 : 1;
        for (double power = pow(10, floor(log10(a->low) + 1e-9)); power <= a->high * 1.001; power *= 10)
            for (int k = 0; k < steps && n < most_ticks; k++) {
                double v = log_steps[k] * power;
                if (v < a->low * 0.999 || v > a->high * 1.001) continue;
                out[n].value = v;
                snprintf(out[n++].text, sizeof out->text, "%g", v);
            }
        return n;
    }
    int decimals = (int)fmax(0, ceil(-log10(a->tick) - 1e-9));            /* 0.5 and 0.2 need one, 0.05 two */
    for (; n < most_ticks && a->low + n * a->tick <= a->high + 1e-6 * a->tick; n++) {
        out[n].value = a->low + n * a->tick;
        snprintf(out[n].text, sizeof out->text, "%.*f", decimals, out[n].value);
    }
    return n;
}

#define INK(name, colour) \
    { colour, "class=\"s-" name "\" stroke=\"" colour "\"", "class=\"f-" name "\" fill=\"" colour "\"" }
static const struct { const char *colour, *stroke, *fill; } inks[] = {
    [INK_TEXT] = INK("text", "#1f2933"), [INK_MUTED] = INK("muted", "#52606d"), [INK_GRID] = INK("grid", "#d9dee3"),
    [INK_MARK] = INK("mark", "#1b6ca8"), [INK_BIN] = INK("bin", "#56b4e9"), [INK_DOT] = INK("dot", "#0b3c5d"),
    [INK_BAR] = INK("bar", "#76828f"), [INK_OTHER] = INK("other", "#c3cad2"), [INK_LINE] = INK("line0", "#0072b2"),
    INK("line1", "#d55e00"), INK("line2", "#00875f"), INK("line3", "#b8568c"), INK("line4", "#a66f00"),
    INK("line5", "#2f8fc8"), INK("line6", "#000000") };

const char *ink_colour(ink i) { return inks[i].colour; }
const char *stroke_ink(ink i) { return inks[i].stroke; }
const char *fill_ink(ink i) { return inks[i].fill; }

int64_t character_count(const char *text)
{
    int64_t count = 0;
    for (; *text; text++) count += begins_character(*text);
    return count;
}

/* Writes the first `count` characters; returns where the rest begins. */
static const char *put_characters(FILE *f, const char *text, int64_t count)
{
    for (; *text; text++) {
        if (begins_character(*text) && count-- == 0) break;
        switch (*text) {
        case '&': fputs("&amp;", f); break;
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
        }
    }
    return text;
}

void put_escaped(FILE *f, const char *text) { put_characters(f, text, INT64_MAX); }

void put_shortened(FILE *f, const char *text, int64_t limit)
{
    const char *rest = put_characters(f, text, character_count(text) > limit ? limit - 3 : limit);
    if (*rest) fputs("...", f);
}
