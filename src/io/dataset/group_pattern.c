/* SPDX-License-Identifier: Apache-2.0
 * group_pattern.c -- peft_dataset_with_groups: groups (patients) by a pattern of the samples' names, or by the headers
 * of DICOM files. */
#include "io/dataset/groups.h"

enum { MAX_PATTERN = 200, MAX_NAME = 8192 };

/* One pattern without '|', and memory to match it: can[i * (MAX_NAME + 1) + j] says whether the pattern from character
 * i on matches the name from character j on. */
typedef struct matcher { const char *pattern; size_t length; int slashes; uint8_t *can; } matcher;

/* The end of a name that has as many slashes as the pattern. */
static const char *end_of_name(const char *name, int slashes)
{
    const char *from = name + strlen(name);
    while (from > name && (from[-1] != '/' || slashes-- > 0)) from--;
    return from;
}

static uint8_t *cell(const matcher *m, size_t i, size_t j) { return &m->can[i * (MAX_NAME + 1) + j]; }

static bool matches_from(const matcher *m, const char *name, size_t n, size_t i, size_t j)
{
    const char c = m->pattern[i];
    const bool any = j < n && name[j] != '/';                 /* a character that * and ? stand for */
    if (i == m->length) return j == n;
    if (c == '(' || c == ')') return *cell(m, i + 1, j);
    if (c == '*') return *cell(m, i + 1, j) || (any && *cell(m, i, j + 1));
    return (c == '?' ? any : j < n && name[j] == c) && *cell(m, i + 1, j + 1);
}

/* Whether the name matches; *group, *length: the part that the parentheses matched; every * matches as few characters
 * as possible. */
static bool match(const matcher *m, const char *name, const char **group, size_t *length)
{
    name = end_of_name(name, m->slashes);
    const size_t n = strlen(name);
    if (n > MAX_NAME) return false;
    for (size_t i = m->length + 1; i-- > 0;)
        for (size_t j = n + 1; j-- > 0;) *cell(m, i, j) = matches_from(m, name, n, i, j);
    if (!*cell(m, 0, 0)) return false;
    for (size_t i = 0, j = 0; i < m->length; i++) {
        const char c = m->pattern[i];
        if (c == '(') *group = name + j;
        else if (c == ')') *length = (size_t)(name + j - *group);
        else if (c == '*') while (!*cell(m, i + 1, j)) j++;
        else j++;
    }
    return true;
}

/* The group of a name by the first pattern that it matches, for the caller to free; *text NULL: it matches none. */
static peft_status group_of(peft_context *ctx, const char *patterns, uint8_t *can, const char *name, char **text)
{
    *text = NULL;
    for (const char *p = patterns; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        matcher m = { .pattern = p, .length = strcspn(p, "|"), .can = can };
        const char *group = name;
        size_t length = 0;
        for (size_t i = 0; i < m.length; i++) m.slashes += p[i] == '/';
        if (!match(&m, name, &group, &length)) continue;
        if (!(*text = io_copy(ctx, group))) return io_nomem("groups");
        (*text)[length] = 0;
        return PEFT_OK;
    }
    return PEFT_OK;
}

/* PEFT_E_INVALID unless each pattern has one pair of parentheses. */
static peft_status check_patterns(const char *patterns)
{
    size_t longest = 0;
    for (const char *p = patterns; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        const size_t length = strcspn(p, "|"), open = strcspn(p, "("), close = strcspn(p, ")");
        if (length > longest) longest = length;
        if (close >= length || open >= close || memchr(p + open + 1, '(', length - open - 1) ||
            memchr(p + close + 1, ')', length - close - 1))
            return io_fail(PEFT_E_INVALID, "groups: pattern '%.200s'; expected one pair of parentheses around the text "
                           "that names the patient, such as (person*)_*; or dicom, for the headers of DICOM files", p);
    }
    if (longest <= MAX_PATTERN) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "groups: a pattern of %zu characters, the limit is %d", longest, MAX_PATTERN);
}

/* Makes the groups of all samples of an opened set, with `text` [count] as scratch memory. */
static peft_status make_groups(const peft_dataset *opened, const char *patterns, uint8_t *can, char **text,
                               io_groups **out)
{
    peft_status s = PEFT_OK;
    for (int64_t i = 0; i < opened->count && !s; i++)
        s = group_of(opened->ctx, patterns, can, opened->names.item[i], &text[i]);
    if (!s) s = io_groups_make(opened->ctx, (const char *const *)text, opened->count, out);
    for (int64_t i = 0; i < opened->count; i++) peft_sys_free(opened->ctx, text[i]);
    return s;
}

/* Refuses groups of which d has none; warns of samples without one. */
static peft_status check_matches(const peft_dataset *d, const io_groups *g, const char *patterns)
{
    int64_t without = 0, example = 0;
    for (int64_t i = d->count - 1; i >= 0; i--) {
        if (io_group_of(d, g, i) != IO_NO_GROUP) continue;
        without++;
        example = i;
    }
    const char *name = d->count ? peft_dataset_name(d, example) : "";
    if (without == d->count && !strcmp(patterns, "dicom"))
        return io_fail(PEFT_E_INVALID, "groups: no header has a Patient ID, such as that of %s", name);
    if (without == d->count)
        return io_fail(PEFT_E_INVALID, "groups: no name matches '%.200s', such as %s; * stands for any text and ? for "
                       "one character, both without a slash", patterns, name);
    if (without)
        io_warn(d->ctx, "groups: %lld of %lld samples have no patient by '%.200s', such as %.300s; each counts as a "
                "patient of its own", (long long)without, (long long)d->count, patterns, name);
    return PEFT_OK;
}

/* Makes the groups of all samples of an opened set by patterns. */
static peft_status groups_of_names(const peft_dataset *opened, const char *patterns, io_groups **out)
{
    peft_status s = check_patterns(patterns);
    if (s) return s;
    uint8_t *can = io_alloc(opened->ctx, MAX_PATTERN + 1, MAX_NAME + 1);
    char **text = io_alloc(opened->ctx, opened->count, sizeof *text);
    s = can && text ? make_groups(opened, patterns, can, text, out) : io_nomem("groups");
    peft_sys_free(opened->ctx, can);
    peft_sys_free(opened->ctx, text);
    return s;
}

peft_status peft_dataset_with_groups(peft_dataset *d, const char *pattern, peft_dataset **out)
{
    if (!d || !pattern || !out)
        return io_fail(PEFT_E_INVALID, "groups: %s is NULL", !d ? "data set" : pattern ? "out" : "pattern");
    const peft_dataset *opened = d->opened ? d->opened : d;
    const bool headers = !strcmp(pattern, "dicom");
    io_groups *groups = NULL, *cases = NULL;
    peft_dataset *part;
    peft_status s = headers ? io_dicom_groups(opened, &groups, &cases) : groups_of_names(opened, pattern, &groups);
    if (s) return s;
    s = check_matches(d, groups, pattern);
    if (!s) s = io_warn_of_similar_groups(d->ctx, "groups", &groups->names, NULL);
    if (!s) s = io_dataset_part(d, &(io_selection){ .count = d->count }, &part);
    if (s) {
        io_groups_free(d->ctx, groups);
        io_groups_free(d->ctx, cases);
        return s;
    }
    io_groups_free(d->ctx, part->groups);
    part->groups = groups;
    if (headers) {
        io_groups_free(d->ctx, part->cases);
        part->cases = cases;
    }
    *out = part;
    return PEFT_OK;
}
