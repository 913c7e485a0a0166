/* SPDX-License-Identifier: Apache-2.0
 * view.c -- chooses the window of a DICOM frame, and computes values by it, as DICOM PS3.3 C.11.1 and C.11.2 say and
 * pydicom computes them (apply_modality_lut, apply_voi_lut). */
#include "io/format/dicom/view.h"
#include <math.h>
#include <stdio.h>

/* Writes what the frame offers: " 0 'BRAIN', 1 'BONE'". */
static const char *offered(const io_dicom_view *v, char *text, size_t size)
{
    size_t used = 0;
    const int64_t n = v->tables ? v->tables : v->windows;
    snprintf(text, size, " none");
    for (int64_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s %lld '%.64s'", i ? "," : "", (long long)i,
                                 v->tables ? v->table[i].name : v->window[i].name);
    return text;
}

/* Chooses by index: among the tables, or where there is none among the windows. */
static bool by_index(const io_dicom_view *v, int64_t i, io_dicom_choice *out)
{
    if (i < 0 || i >= (v->tables ? v->tables : v->windows)) return false;
    if (v->tables) out->table = &v->table[i];
    else out->window = &v->window[i];
    return true;
}

static bool by_name(const io_dicom_view *v, const char *name, io_dicom_choice *out)
{
    for (int64_t i = 0; i < v->windows; i++)
        if (!strcmp(v->window[i].name, name)) return out->window = &v->window[i], true;
    for (int64_t i = 0; i < v->tables; i++)
        if (!strcmp(v->table[i].name, name)) return out->table = &v->table[i], true;
    return false;
}

/* Chooses by the text of the option, other than none. */
static bool by_text(const io_dicom_view *v, const char *wanted, io_dicom_choice *out)
{
    int64_t index;
    if (!strcmp(wanted, "first")) return (void)by_index(v, 0, out), true;
    if (by_name(v, wanted, out)) return true;
    return peft_sys_opt_integer(wanted, strlen(wanted), &index) && by_index(v, index, out);
}

peft_status io_dicom_choose(const io_dicom_view *v, const char *wanted, io_dicom_choice *out)
{
    char text[600];
    *out = (io_dicom_choice){ 0 };
    if (!strcmp(wanted, "none")) return PEFT_OK;
    if (!by_text(v, wanted, out))
        return io_fail(PEFT_E_OPTION, "DICOM: window=%s; the file has the windows%s; expected one of their numbers or "
                       "names, first or none", wanted, offered(v, text, sizeof text));
    if (out->window && *out->window->broken)
        return io_fail(PEFT_E_FORMAT, "DICOM: %s; expected a decimal number for each window; window=none reads the "
                       "values without it", out->window->broken);
    if (out->table && !out->table->entries)
        return io_fail(PEFT_E_FORMAT, "DICOM: the VOI LUT %lld is broken: expected a LUT Descriptor of three numbers, "
                       "and as many entries as it says; window=none reads the values without it",
                       (long long)(out->table - v->table));
    return PEFT_OK;
}

/* The largest entry of a table of so many bits. */
static double table_full(const io_dicom_table *t) { return ldexp(1, t->bits) - 1; }

static peft_status check_window(const io_dicom_steps *s, const char *function)
{
    const double centre = s->choice.window->centre, width = s->choice.window->width;
    const bool wide = s->function == IO_DICOM_LINEAR ? width >= 1 : width > 0;
    char text[2][32];
    if (isfinite(width) && isfinite(centre) && wide) return PEFT_OK;
    return io_fail(PEFT_E_FORMAT, "DICOM: the window has the centre %s and the width %s; expected a width of at least "
                   "1 (above 0 for LINEAR_EXACT and SIGMOID; here: %.32s); window=none reads the values without it",
                   peft_sys_opt_number(text[0], centre), peft_sys_opt_number(text[1], width),
                   *function ? function : "LINEAR, as the file names none");
}

static peft_status read_function(const char *name, io_dicom_steps *s)
{
    static const char *const names[] = { [IO_DICOM_LINEAR] = "LINEAR", [IO_DICOM_LINEAR_EXACT] = "LINEAR_EXACT",
                                         [IO_DICOM_SIGMOID] = "SIGMOID" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return s->function = i, PEFT_OK;
    if (!*name) return s->function = IO_DICOM_LINEAR, PEFT_OK;
    return io_fail(PEFT_E_UNSUPPORTED, "DICOM: the function of the window is '%.32s', expected LINEAR, LINEAR_EXACT or "
                   "SIGMOID; window=none reads the values without it", name);
}

peft_status io_dicom_steps_of(const io_dicom_view *v, const io_dicom_choice *choice, bool inverted, double lowest,
                              double highest, io_dicom_steps *out)
{
    const bool rescaled = v->rescaled && !v->modality.entries;
    peft_status s = PEFT_OK;
    *out = (io_dicom_steps){ .modality = v->modality.entries ? &v->modality : NULL, .choice = *choice,
                             .slope = rescaled ? v->slope : 1, .intercept = rescaled ? v->intercept : 0,
                             .inverted = inverted, .full = { lowest, highest } };
    if (!(fabs(out->slope) >= 1e-30 && fabs(out->slope) <= 1e30 && fabs(out->intercept) <= 1e30))
        return io_fail(PEFT_E_FORMAT, "DICOM: the Rescale Slope is %g and the Rescale Intercept %g; expected a slope "
                       "other than 0, both finite", v->slope, v->intercept);
    if (out->modality) {
        out->full[0] = 0;
        out->full[1] = table_full(out->modality);
    }
    for (int i = 0; i < 2; i++) out->full[i] = out->full[i] * out->slope + out->intercept;
    if (choice->table) {
        out->full[0] = 0;
        out->full[1] = table_full(choice->table);
    }
    if (choice->window) {
        s = read_function(v->function, out);
        if (!s) s = check_window(out, v->function);
    }
    return s;
}

/* Inputs below the first entry or above the last take that entry. */
static double look_up(const io_dicom_table *t, double input)
{
    const double index = input - (double)t->first;
    if (!(index >= 0)) return t->entry[0];
    return t->entry[index >= (double)t->entries ? t->entries - 1 : (int64_t)index];
}

/* The value that the window gives for x, from s->full[0] below it to s->full[1] above it. */
static double apply_window(const io_dicom_steps *s, double x)
{
    double centre = s->choice.window->centre, width = s->choice.window->width;
    const double lowest = s->full[0], range = s->full[1] - s->full[0];
    if (s->function == IO_DICOM_SIGMOID) return range / (1 + exp(-4 * (x - centre) / width)) + lowest;
    if (s->function == IO_DICOM_LINEAR) {
        centre -= 0.5;
        width -= 1;
    }
    if (x <= centre - width / 2) return lowest;
    if (x > centre + width / 2) return s->full[1];
    return ((x - centre) / width + 0.5) * range + lowest;
}

double io_dicom_value(const io_dicom_steps *s, double stored)
{
    double v = s->modality ? look_up(s->modality, stored) : stored * s->slope + s->intercept;
    if (s->choice.table) v = look_up(s->choice.table, v);
    else if (s->choice.window) v = apply_window(s, v);
    return s->inverted ? s->full[0] + s->full[1] - v : v;
}
