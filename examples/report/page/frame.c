/* SPDX-License-Identifier: Apache-2.0
 * frame.c -- writes the frame of a page: head with style sheet, and foot (page.h). The page's Content-Security-Policy
 * forbids whatever would come from a network. */
#include "common/figures/svg.h"
#include "page.h"
#include <peft/peft.h>

/* Writes the decimal separator of the reader's language in numbers of tables (<data>) and figures. The policy names its
 * SHA-256 in base64: tests/programs/report/report.sh compares the two. */
static const char script[] =
    "(function(){var s=(1.5).toLocaleString(navigator.language).charAt(1);"
    "if(s!=='.')document.querySelectorAll('data,svg text[text-anchor]').forEach(function(e){"
    "e.textContent=e.textContent.replace(/(\\d)\\.(\\d)/g,'$1'+s+'$2')})})()";
static const char script_hash[] = "QH6wBR2/XatShdO0gfMQSA16liJhp2g9JqkLpSATu3A=";

void put_head(FILE *f, const char *title, bool local_numbers)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
          "style-src 'unsafe-inline'", f);
    if (local_numbers) fprintf(f, "; script-src 'sha256-%s'", script_hash);
    fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", f);
    put_escaped(f, title);
    fprintf(f, "</title>\n<style>%s</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#content\">Skip to the content"
            "</a>\n<header><h1>", style_css);
    put_escaped(f, title);
    fputs("</h1></header>\n", f);
}

void put_code(FILE *f, const char *caption, const char *text)
{
    fprintf(f, "<p class=\"small\">%s<br><code>", caption);
    put_escaped(f, text ? text : "unknown");
    fputs("</code></p>\n", f);
}

void put_foot(FILE *f, const char *command, bool local_numbers)
{
    fputs("</main>\n<footer><hr>\n", f);
    put_code(f, "This page was made by", command);
    fprintf(f, "<p>libpeft %s.</p>\n</footer>\n", peft_version_string());
    if (local_numbers) fprintf(f, "<script>%s</script>\n", script);
    fputs("</body>\n</html>\n", f);
}
