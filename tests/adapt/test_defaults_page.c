/* SPDX-License-Identifier: Apache-2.0
 * test_defaults_page.c -- docs/defaults.md lists every option of the methods, the head and the trainer with its
 * default; and the lists of options that comments of public headers quote as examples are accepted by the library. */
#include <dirent.h>
#include <peft/io.h>
#include "tiny.h"

#ifndef PEFT_SOURCE_DIR
#  error "compile with -DPEFT_SOURCE_DIR"
#endif

/* The text of a file of the sources, at most 256 KiB; the caller frees it. */
static char *file_text(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", PEFT_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "cannot open %s", path);
    char *text = calloc(1, 1 << 18);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_lt(fread(text, 1, 1 << 18, f), (1 << 18) - 1);
    fclose(f);
    return text;
}

/* The section of the page whose heading has `heading` as its last words or before a comma; the caller frees it. */
static char *section(const char *page, const char *heading)
{
    for (const char *line = page; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (*line != '#') continue;
        const char *end = line + strcspn(line, "\n");
        const size_t n = strlen(heading);
        for (const char *p = line; p + n <= end; p++) {
            if (strncmp(p, heading, n) || p[-1] != ' ' || (p[n] != ',' && p[n] != '\n')) continue;
            const char *next = strstr(end, "\n#");
            return strndup(line, next ? (size_t)(next - line) : strlen(line));
        }
    }
    ck_abort_msg("docs/defaults.md has no heading with '%s'", heading);
    return NULL;
}

/* The section's table has one row for each option of `table`, with its default, and no other rows. */
static void check_section(const char *page, const char *heading, const peft_option *table)
{
    char *text = section(page, heading);
    size_t rows = 0, expected = 0;
    for (const peft_option *o = table; o && o->name; o++, expected++) {
        char row[160];
        snprintf(row, sizeof row, "\n| `%s` | `%s` | ", o->name, o->fallback);
        ck_assert_msg(strstr(text, row) != NULL, "docs/defaults.md, '%s': no row '%s'", heading, row + 1);
    }
    for (const char *p = text; (p = strstr(p, "\n| `")); p++) rows++;
    ck_assert_msg(rows == expected, "docs/defaults.md, '%s': %zu rows, %zu options", heading, rows, expected);
    free(text);
}

START_TEST(every_default_is_on_the_page)
{
    char *page = file_text("docs/defaults.md");
    for (size_t i = 0; i < peft_method_count(); i++) check_section(page, peft_method_name(i), pf_methods[i]->opts);
    check_section(page, "The head", pf_model_options);
    check_section(page, "The trainer", pf_trainer_options);
    free(page);
}
END_TEST

/* --- examples in headers ------------------------------------------------------------------------ */
/* The options are valid by this table alone. */
static bool accepted_by(const peft_options *o, const pf_opt *table)
{
    return table && !pf_options_check(o, table, "quoted list");
}

/* Some method accepts these options and creates an adapter with them. */
static bool accepted_by_a_method(const tiny *t, const peft_options *o)
{
    for (size_t i = 0; i < peft_method_count(); i++) {
        peft_adapter *a = NULL;
        if (!accepted_by(o, pf_methods[i]->opts) ||
            peft_adapter_create(t->backbone, pf_methods[i]->name, o, &a)) continue;
        peft_adapter_free(a);
        return true;
    }
    return false;
}

/* The quoted text is a list of settings, such as "r=8,alpha=16"; not the placeholder "name=value", nor prose such as
 * "heads=12: width / 64". */
static bool is_list(const char *text)
{
    const size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n && text[n] == '=' && text[n + 1] && text[n + 1] != '"' && !strstr(text, "..") && !strstr(text, ": ")
        && strcmp(text, "name=value");
}

/* The first name in text is an option of a table of libpeft-io; row(i): row i of the table, NULL after the last. */
static bool is_option_of(const char *text, const peft_option *row(size_t i))
{
    const size_t n = strcspn(text, "=");
    for (size_t i = 0; row(i); i++)
        if (strlen(peft_option_name(row(i))) == n && !strncmp(peft_option_name(row(i)), text, n)) return true;
    return false;
}

/* Each list of settings that the comment quotes is accepted by some part of the library; returns their number. */
static int check_quotes(const tiny *t, const char *file, const char *comment)
{
    int checked = 0;
    for (const char *p = comment; (p = strchr(p, '"')); ) {
        char text[512];
        size_t n = 0;
        for (p++; *p && *p != '"' && n < sizeof text - 1; p++) {
            if (*p == '\\' && p[1]) p++;
            text[n++] = *p;
        }
        text[n] = 0;
        if (*p) p++;
        if (!is_list(text)) continue;
        peft_options *o;
        OK(peft_options_create(t->ctx, &o));
        ck_assert_msg(!peft_options_parse(o, text), "%s: \"%s\": %s", file, text, peft_last_error());
        ck_assert_msg(accepted_by_a_method(t, o) || accepted_by(o, pf_model_options)
                      || accepted_by(o, pf_trainer_options)
                      || accepted_by(o, pf_backbone_load_options) || accepted_by(o, pf_backbone_create_options)
                      || is_option_of(text, peft_image_option) || is_option_of(text, peft_transform_option)
                      || is_option_of(text, peft_loader_option) || is_option_of(text, peft_segmenter_option),
                      "%s: \"%s\" fits no method, model, trainer, backbone, picture, transform, loader or segmenter",
                      file, text);
        peft_options_free(o);
        checked++;
    }
    return checked;
}

/* Checks the comments of one header, joined to one line without the stars; returns the number of lists checked. */
static int check_header(const tiny *t, const char *folder, const char *name)
{
    char file[300];
    int checked = 0;
    snprintf(file, sizeof file, "%s/%s", folder, name);
    char *text = file_text(file);
    for (char *p = text, *end; (p = strstr(p, "/*")) && (end = strstr(p, "*/")); p = end + 2) {
        *end = 0;
        for (char *star = p; (star = strstr(star, "\n *")); ) star[2] = ' ';
        for (char *line = p; (line = strchr(line, '\n')); ) *line = ' ';
        checked += check_quotes(t, file, p);
    }
    free(text);
    return checked;
}

START_TEST(options_quoted_in_headers_are_accepted)
{
    static const char *const folders[] = { "include/peft", "include/peft/sys" };
    int checked = 0, headers = 0;
    tiny t = tiny_make(&(tiny_spec){ 0 });
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", PEFT_SOURCE_DIR, folders[i]);
        DIR *d = opendir(path);
        ck_assert_ptr_nonnull(d);
        for (struct dirent *e; (e = readdir(d)); ) {
            const char *end = strrchr(e->d_name, '.');
            if (!end || strcmp(end, ".h")) continue;
            checked += check_header(&t, folders[i], e->d_name);
            headers++;
        }
        closedir(d);
    }
    ck_assert(checked && headers > 10);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("defaults_page", every_default_is_on_the_page, options_quoted_in_headers_are_accepted)
