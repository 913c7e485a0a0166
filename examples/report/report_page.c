/* SPDX-License-Identifier: Apache-2.0
 * report_page.c -- writes the frame of report's page: style sheet, table of contents, each study's summary and
 * settings. */
#include "common/figures/svg.h"
#include "report_parts.h"
#include <string.h>

static const char style[] =
    ":root{color-scheme:light}*{box-sizing:border-box}"
    "body{margin:0 auto;max-width:1200px;padding:0 16px 32px;color:#1f2933;background:#fff;"
    "font:16px/1.5 system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;overflow-wrap:break-word}"
    "h1{font-size:1.6rem;line-height:1.25;margin:24px 0 8px}h2{font-size:1.35rem;line-height:1.25;margin:0 0 8px}"
    "h3{font-size:1.1rem;margin:28px 0 6px}h4{font-size:1rem;margin:14px 0 8px}p{margin:6px 0;max-width:75ch}"
    "section{margin-top:32px;padding-top:20px;border-top:3px solid #1f2933}"
    ".note{padding:10px 14px;border:2px solid #b45309;border-left-width:8px;background:#fff7e6;font-weight:600}"
    ".small,footer,figcaption small{font-size:.875rem;color:#52606d}"
    "h2,h3,code,figcaption,dl,.shares,.legend{overflow-wrap:anywhere}"
    "code{font:.8125rem/1.45 ui-monospace,'DejaVu Sans Mono',monospace}"
    ".grid{display:grid;gap:20px;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr))}"
    ".grid.wide{grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr))}"
    ".grid.narrow{grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr))}"
    "figure{margin:0;min-width:0}figcaption{font-weight:600;margin-bottom:4px}"
    "svg{display:block;width:100%;max-width:480px;height:auto}"
    "figcaption small{font-weight:400}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse}td,th{padding:5px 9px;text-align:right;font-weight:400}"
    "thead th{font-weight:600;vertical-align:bottom}tbody th,.results td:first-child{text-align:left;font-weight:600}"
    ".results{width:100%;font-size:.9375rem;font-variant-numeric:tabular-nums}"
    ".results thead th{border-bottom:2px solid #1f2933}"
    ".results tbody tr{border-bottom:1px solid #d9dee3}.results thead th:first-child{text-align:left}"
    ".results .best{font-weight:700}"
    ".results tbody th{overflow-wrap:anywhere;min-width:7em}"
    ".results span{white-space:nowrap}"
    "@media(max-width:1199px){.results td,.results th{padding:5px 6px}}"
    "@media(max-width:1059px){.results thead{position:absolute;clip-path:inset(50%);height:1px;width:1px;"
    "overflow:hidden}.results tr,.results td,.results tbody th{display:block}.results tbody tr{padding:8px 0}"
    ".results td{display:flex;justify-content:space-between;gap:12px;padding:2px 0;"
    "max-width:480px}.results tbody th{padding:2px 0;font-size:1.05rem}"
    ".results td::before{content:attr(data-of);color:#52606d}}"
    ".matrix table{font-size:.875rem}.matrix td{border:1px solid #fff;min-width:62px;text-align:center;"
    "vertical-align:middle}.matrix td small{display:block;font-size:.8125rem}"
    ".matrix th{max-width:130px;font-size:.8125rem}.matrix thead th{text-align:center}"
    ".matrix thead td{min-width:0}.matrix thead th[colspan]{text-align:left}"
    ".matrix.many td{padding:2px 0;min-width:38px;font-size:.8125rem}.matrix.many td small{font-size:.75rem}"
    ".matrix.many th{max-width:150px}.grid.many{grid-template-columns:"
    "repeat(auto-fill,minmax(min(100%,570px),1fr))}"
    ".matrix thead tr:first-child th,.matrix thead th.axis{color:#52606d;font-weight:400;font-style:italic}"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:4px 0 10px;padding:0}"
    ".legend.marks svg{width:12px}"
    ".maps{display:grid;gap:8px;grid-template-columns:repeat(auto-fill,minmax(80px,1fr));max-width:1168px;"
    "margin-bottom:14px}.maps svg{border:1px solid #d9dee3;background:#f0f2f5}.maps figcaption{margin:2px 0 0;"
    "white-space:nowrap}.maps figcaption small{font-size:.8125rem}"
    ".scale i{display:inline-block;width:120px;height:10px;margin:0 8px;border:1px solid #d9dee3;"
    "background:linear-gradient(90deg,rgba(213,94,0,0),rgba(213,94,0,.85))}"
    ".legend li{display:flex;align-items:center;gap:8px}.legend svg{width:34px;flex:none}"
    ".case{border:1px solid #d9dee3;padding:10px}.case .top{display:flex;gap:12px;align-items:flex-start}"
    ".case .pic{flex:none;width:96px;height:96px;display:flex;align-items:center;justify-content:center;"
    "background:#f0f2f5}.case img{display:block;max-width:96px;max-height:96px}"
    ".case img.tiny{width:96px;height:96px;object-fit:contain;image-rendering:pixelated}"
    ".case dl{margin:0;font-size:.875rem;min-width:0}.case dt{color:#52606d}"
    ".case dd{margin:0 0 4px;font-weight:600}"
    ".shares{display:grid;grid-template-columns:minmax(0,40%) 1fr auto;gap:3px 8px;align-items:center;margin:8px 0 0;"
    "padding:0;list-style:none;font-size:.8125rem}.shares li{display:contents}"
    ".shares i{height:10px;background:#e4e7eb}.shares b{display:block;height:10px;background:#1b6ca8}"
    ".shares .true{font-weight:700}.shares span:last-child{text-align:right;font-variant-numeric:tabular-nums}"
    "details{margin:20px 0}summary{cursor:pointer;font-weight:600}";

/* compare --title, else the last part of the path of the data, else the folder of the records. */
static const char *title_of(const study *s)
{
    const char *title = study_property(s, "title"), *data = study_property(s, "data");
    if (title && *title) return title;
    if (!data) return s->folder;
    const char *slash = strrchr(data, '/');
    return slash && slash[1] ? slash + 1 : data;
}

/* s: the studies [studies], for the table of contents. */
void put_head(FILE *f, const char *title, const study *s, int64_t studies)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", f);
    put_escaped(f, title);
    fprintf(f, "</title>\n<style>%s</style>\n</head>\n<body>\n<header><h1>", style);
    put_escaped(f, title);
    fputs("</h1></header>\n", f);
    if (studies > 1) {
        fputs("<nav aria-label=\"Studies\"><ul>\n", f);
        for (int64_t i = 0; i < studies; i++) {
            fprintf(f, "<li><a href=\"#study-%lld\">", (long long)i + 1);
            put_escaped(f, title_of(&s[i]));
            fputs("</a></li>\n", f);
        }
        fputs("</ul></nav>\n", f);
    }
    fputs("<main>\n", f);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }    /* ending of a noun */

/* Writes one paragraph on classes, images, draws, backbone and threads. "\303\227" is the multiplication sign. */
static void put_study_summary(FILE *f, const study *s)
{
    int64_t shots = study_integer(s, "shots"), draws = study_integer(s, "samplings"), seeds = study_integer(s, "runs"),
            train_images = study_integer(s, "train_images"), test_images = study_integer(s, "test_images"),
            jobs = study_integer(s, "jobs");
    const char *path = study_property(s, "backbone"), *slash = path ? strrchr(path, '/') : NULL;
    fprintf(f, "<p>%lld classes (", (long long)s->classes);
    for (int64_t c = 0; c < s->classes; c++) {
        if (c) fputs(", ", f);
        put_escaped(f, s->class_name[c]);
    }
    fprintf(f, "); %lld training image%s", (long long)train_images, plural(train_images));
    if (shots) fprintf(f, " (%lld per class)", (long long)shots);
    fprintf(f, " and %lld held-out image%s per run", (long long)test_images, plural(test_images));
    if (study_has_cases(s)) {
        fprintf(f, ", of %lld cases; all results are of cases, by the rule ",
                (long long)study_integer(s, "test_cases"));
        put_escaped(f, study_property(s, "per_case"));
        fputs(" over their images", f);
    }
    fprintf(f, "; %lld draw%s of the images \303\227 %lld seed%s. Backbone ", (long long)draws, plural(draws),
            (long long)seeds, plural(seeds));
    put_escaped(f, slash ? slash + 1 : path ? path : "unknown");
    fprintf(f, ": %lld blocks, width %lld, patches of %lld pixels", (long long)study_integer(s, "depth"),
            (long long)study_integer(s, "width"), (long long)study_integer(s, "patch"));
    if (study_property(s, "image_size")) {
        int64_t size = study_integer(s, "image_size");
        fprintf(f, ", images of %lld \303\227 %lld", (long long)size, (long long)size);
    }
    fprintf(f, ". Each run had one thread; %lld run%s at a time.</p>\n", (long long)jobs, plural(jobs));
}

void put_study_head(FILE *f, const study *s, int64_t number)
{
    fprintf(f, "<section id=\"study-%lld\">\n<h2>", (long long)number);
    put_escaped(f, title_of(s));
    fputs("</h2>\n", f);
    if (study_property(s, "note")) {
        fputs("<p class=\"note\" role=\"note\">", f);
        put_escaped(f, study_property(s, "note"));
        fputs("</p>\n", f);
    }
    put_study_summary(f, s);
}

/* text NULL: "unknown". */
static void put_code(FILE *f, const char *caption, const char *text)
{
    fprintf(f, "<p class=\"small\">%s<br><code>", caption);
    put_escaped(f, text ? text : "unknown");
    fputs("</code></p>\n", f);
}

void put_settings(FILE *f, const study *s)
{
    fputs("<details><summary>Settings, and how to repeat the study</summary>\n", f);
    put_code(f, "Command:", study_property(s, "command"));
    put_code(f, "Fingerprint of the backbone:", study_property(s, "fingerprint"));
    put_code(f, "Kernels (instruction set):", study_property(s, "isa"));
    put_code(f, "libpeft:", study_property(s, "libpeft"));
    for (int64_t m = 0; m < s->methods; m++) {
        fputs("<p class=\"small\"><strong>", f);
        put_escaped(f, s->method[m].label);
        fputs("</strong><br><code>", f);
        put_escaped(f, s->method[m].settings);
        fputs("</code></p>\n", f);
    }
    fputs("</details>\n</section>\n", f);
}

void put_foot(FILE *f, const char *command)
{
    fputs("</main>\n<footer><hr>\n", f);
    put_code(f, "This page was made by", command);
    fprintf(f, "<p>libpeft %s.</p>\n</footer>\n</body>\n</html>\n", peft_version_string());
}

void put_caption(FILE *f, const method *m)
{
    fputs("<figcaption>", f);
    put_escaped(f, m->label);
    fputs("</figcaption>\n", f);
}

void put_caption_with_text(FILE *f, const method *m, const char *text)
{
    fputs("<figcaption>", f);
    put_escaped(f, m->label);
    fprintf(f, "<br><small>%s</small></figcaption>\n", text);
}

void open_svg(FILE *f, int width, int height, const char *title, const char *after)
{
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=\"img\" font-size=\"12\" fill=\"#1f2933\">\n<title>%s", width, height,
            title);
    put_escaped(f, after);
    fputs("</title>\n", f);
}
