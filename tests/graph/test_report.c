/* SPDX-License-Identifier: Apache-2.0
 * test_report.c -- the table of a graph's operations: peft_session_describe and peft_trainer_describe print the lines
 * that log level 3 writes while the operations run; its sums are the trainer's figures; each line has the operation,
 * its tensors, its kernel and why this kernel. */
#include "core/graph/report/report.h"
#include "tiny_bits.h"

/* A table has HEADER_LINES lines, a row for each operation, and a line of totals. */
enum { HEADER_LINES = 2, OTHER_LINES = HEADER_LINES + 1 };

/* Collected lines, in order. */
typedef struct lines { char (*text)[PF_ROW_MAX + 64]; int count, capacity; } lines;

/* Appends a line to the lines `user`. */
static void collect(const char *line, void *user)
{
    lines *l = user;
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 64;
        l->text = realloc(l->text, (size_t)l->capacity * sizeof *l->text);
        ck_assert_ptr_nonnull(l->text);
    }
    ck_assert_int_lt((int)strlen(line), (int)sizeof *l->text);
    strcpy(l->text[l->count++], line);
}

/* The log levels of this test: OPERATIONS has one line for each operation, QUIET none. */
enum { QUIET = 2, OPERATIONS = 3 };

/* A log function: appends the lines about operations. */
static void collect_log(int level, const char *message, void *user)
{
    ck_assert_int_le(level, OPERATIONS);
    if (level == OPERATIONS) collect(message, user);
}

static void free_lines(lines *l)
{
    free(l->text);
    *l = (lines){ 0 };
}

/* The line is about an operation of this graph. */
static bool is_row(const char *line, const char *graph)
{
    const size_t n = strlen(graph);
    return !strncmp(line, graph, n) && line[n] == ' ';
}

/* The columns of a row, separated by blanks; the last, why, may contain blanks. */
typedef struct row { char graph[16], op[16], part[8], operation[64], tensors[160], shapes[160], kernel[64];
                     long long flops, bytes; char why[256]; } row;

/* A row of the table as its columns. */
static row parse(const char *line)
{
    row r;
    int end = 0;
    ck_assert_msg(sscanf(line, "%15s %15s %7s %63s %159s %159s %63s %lld %lld %n", r.graph, r.op, r.part, r.operation,
                         r.tensors, r.shapes, r.kernel, &r.flops, &r.bytes, &end) == 9 && end, "not a row: %s", line);
    snprintf(r.why, sizeof r.why, "%s", line + end);
    return r;
}

/* The first row of this operation (its whole name) with this text among its tensors. */
static row find(const lines *l, const char *operation, const char *tensors)
{
    for (int i = HEADER_LINES; i < l->count - 1; i++) {
        row r = parse(l->text[i]);
        if (!strcmp(r.operation, operation) && strstr(r.tensors, tensors)) return r;
    }
    ck_abort_msg("no operation %s on %s", operation, tensors);
}

/* The rows of a graph in the log are those of the table, each followed by the measured time. */
static void check_logged(const lines *table, const lines *l, const char *graph)
{
    int rows = 0;
    for (int i = 0; i < l->count; i++) {
        if (!is_row(l->text[i], graph)) continue;
        const char *bar = strstr(l->text[i], " | ");
        ck_assert_ptr_nonnull(bar);
        ck_assert_int_lt(rows, table->count - OTHER_LINES);
        const char *expected = table->text[HEADER_LINES + rows++];
        ck_assert_msg((size_t)(bar - l->text[i]) == strlen(expected)
                      && !strncmp(expected, l->text[i], strlen(expected)), "%s\n%s", expected, l->text[i]);
        double us, speed, share;
        char unit[8];
        const int n = sscanf(bar, " | %lf us %lf %7s %lf%%", &us, &speed, unit, &share);
        if (parse(expected).flops) ck_assert_msg(n == 4 && us >= 0 && speed > 0 && share > 0, "%s", l->text[i]);
        else ck_assert_msg(n == 1 && us >= 0 && strstr(bar, "us - -"), "%s", l->text[i]);
    }
    ck_assert_int_eq(rows, table->count - OTHER_LINES);
}

/* --- the log has the rows of the table ----------------------------------------------------------- */
/* Predicts and trains with this log level; collects the tables of session and trainer, the log and the results. */
static void record(const tiny *t, int level, lines *table, lines *logged, tiny_bits *bits)
{
    OK(peft_context_set_log(t->ctx, collect_log, logged, level));
    peft_session *s = tiny_session(t->model, "batch=2");
    tiny_batch b = tiny_batch_make(t->model, 2, 50);
    peft_tensor *logits = tiny_tensor(t->ctx, PEFT_F32, 2, 2, (int)t->model->classes);
    OK(peft_session_predict(s, b.images, logits));
    tiny_bits_tensor(bits, "logits", logits);
    peft_session_describe(s, collect, &table[0]);
    peft_session_free(s);
    peft_trainer *r = tiny_trainer(t->model, "batch=2");
    OK(peft_trainer_step(r, b.images, b.labels, NULL));
    tiny_bits_training(bits, r);
    peft_trainer_describe(r, collect, &table[1]);
    peft_trainer_free(r);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    OK(peft_context_set_log(t->ctx, NULL, NULL, 0));
}

START_TEST(every_method_is_logged_as_described)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        const char *method = tiny_method_name(i);
        lines table[2] = { { 0 } }, quiet[2] = { { 0 } }, logged = { 0 }, nothing = { 0 };
        tiny_bits bits[2] = { { 0 } };
        tiny t = tiny_make(&(tiny_spec){ .method = method, .threads = 2 });
        record(&t, QUIET, quiet, &nothing, &bits[0]);
        ck_assert_int_eq(nothing.count, 0);
        tiny_free(&t);
        t = tiny_make(&(tiny_spec){ .method = method, .threads = 2 });
        record(&t, OPERATIONS, table, &logged, &bits[1]);
        tiny_free(&t);
        tiny_same(&bits[0], &bits[1], method);
        tiny_bits_free(&bits[0]);
        check_logged(&table[0], &logged, "session");
        check_logged(&table[1], &logged, "train");
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(quiet[k].count, table[k].count);
            for (int n = 0; n < table[k].count; n++) ck_assert_str_eq(quiet[k].text[n], table[k].text[n]);
            free_lines(&table[k]);
            free_lines(&quiet[k]);
        }
        free_lines(&logged);
    }
}
END_TEST

/* --- sums ---------------------------------------------------------------------------------------- */
/* Rows are numbered from 0; the last line has their number and the sums of FLOPs and bytes: these are the expected
 * FLOPs and number of operations. */
static void check_sums(const lines *l, double flops, uint32_t operations)
{
    long long sum = 0, bytes = 0, total_of[3];               /* operations, FLOPs, bytes */
    for (int i = HEADER_LINES; i < l->count - 1; i++) {
        const row r = parse(l->text[i]);
        char number[16];
        snprintf(number, sizeof number, "%d", i - HEADER_LINES);
        ck_assert_str_eq(r.op, number);
        sum += r.flops;
        bytes += r.bytes;
        ck_assert_int_gt(r.bytes, 0);
        ck_assert_str_ne(r.tensors, "");
    }
    ck_assert(flops > 0 && (double)sum == flops);
    const char *total = strchr(l->text[l->count - 1], ':');
    ck_assert_ptr_nonnull(total);
    ck_assert_int_eq(sscanf(total, ": %lld operations, %lld FLOPs, %lld bytes", &total_of[0],
                            &total_of[1], &total_of[2]), 3);
    ck_assert_int_eq(total_of[0], operations);
    ck_assert_int_eq(total_of[0], l->count - OTHER_LINES);
    ck_assert_int_eq(total_of[1], sum);
    ck_assert_int_eq(total_of[2], bytes);
}

START_TEST(sums_are_the_figures_of_the_trainer)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        lines l = { 0 };
        tiny t = tiny_make(&(tiny_spec){ .method = tiny_method_name(i) });
        peft_trainer *r = tiny_trainer(t.model, "batch=3");
        peft_trainer_describe(r, collect, &l);
        check_sums(&l, peft_trainer_get(r, "flops"), r->net.exec.g.nodes);
        peft_trainer_free(r);
        tiny_free(&t);
        free_lines(&l);
    }
}
END_TEST

/* With a feature cache there are two tables, of the frozen part and of the rest; each run of the frozen part is
 * logged. */
START_TEST(the_frozen_part_has_its_own_table)
{
    lines l = { 0 }, logged = { 0 };
    int first = 0, frozen = 0;
    tiny t = tiny_make(&(tiny_spec){ .method = "partial" });
    OK(peft_context_set_log(t.ctx, collect_log, &logged, OPERATIONS));
    peft_trainer *r = tiny_trainer(t.model, "batch=2,cache_features=1000000");
    peft_trainer_describe(r, collect, &l);
    while (first < l.count && strncmp(l.text[first], "train: ", 7)) first++;
    ck_assert_int_eq(first, (int)r->front.exec.g.nodes + OTHER_LINES);
    ck_assert_int_eq(l.count - first, (int)r->net.exec.g.nodes + OTHER_LINES);
    ck_assert(!strncmp(l.text[0], "frozen: 1 sample,", 17));
    lines rest = { l.text + first, l.count - first, 0 };
    check_sums(&rest, peft_trainer_get(r, "flops"), r->net.exec.g.nodes);
    tiny_step(r, 2, 0);
    tiny_step(r, 2, 0);
    for (int i = 0; i < logged.count; i++) frozen += is_row(logged.text[i], "frozen");
    ck_assert_int_eq(frozen, 2 * (int)r->front.exec.g.nodes);         /* two samples, once each */
    OK(peft_context_set_log(t.ctx, NULL, NULL, 0));
    peft_trainer_free(r);
    tiny_free(&t);
    free_lines(&l);
    free_lines(&logged);
}
END_TEST

/* The log of a smaller batch has its shapes, that of an evaluation its own graph. */
START_TEST(the_log_has_the_shapes_and_the_graph_that_run)
{
    lines logged = { 0 };
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    OK(peft_context_set_log(t.ctx, collect_log, &logged, OPERATIONS));
    peft_trainer *r = tiny_trainer(t.model, "batch=4");
    tiny_step(r, 3, 0);
    int patches = 0;
    for (int i = 0; i < logged.count; i++)
        if (is_row(logged.text[i], "train")) {
            const row o = parse(logged.text[i]);
            if (strcmp(o.operation, "patches")) continue;
            ck_assert_str_eq(o.shapes, "3x3x16x16->3x16x48");
            ck_assert_str_eq(o.tensors, "images");
            patches++;
        }
    ck_assert_int_eq(patches, 1);
    logged.count = 0;
    tiny_batch b = tiny_first_batch(t.model, 2);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 3);
    OK(peft_trainer_evaluate(r, b.images, logits));
    for (int i = 0; i < logged.count; i++)
        ck_assert_msg(is_row(logged.text[i], "evaluate"), "%s", logged.text[i]);
    ck_assert_int_eq(logged.count, (int)r->eval.exec.g.nodes);
    OK(peft_context_set_log(t.ctx, NULL, NULL, 0));
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    peft_trainer_free(r);
    tiny_free(&t);
    free_lines(&logged);
}
END_TEST

/* --- columns of the table ------------------------------------------------------------------------ */
/* The table of a session of two images. */
static lines session_table(const tiny *t)
{
    lines l = { 0 };
    peft_session *s = tiny_session(t->model, "batch=2");
    peft_session_describe(s, collect, &l);
    peft_session_free(s);
    return l;
}

START_TEST(rows_name_operations_tensors_shapes_and_costs)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    lines l = session_table(&t);
    ck_assert(!strncmp(l.text[0], "session: 2 samples, 1 thread, ", 30));
    row r = find(&l, "linear+bias", "blocks.0.attn.qkv.weight,bias");
    ck_assert_str_eq(r.shapes, "2x17x48:144x48->2x17x144");
    /* 34 rows: two images of 17 tokens; two FLOPs for each product; a number has 4 bytes */
    ck_assert_int_eq(r.flops, 2 * 34 * 144 * 48);
    ck_assert_int_eq(r.bytes, 4 * (34 * 48 + 144 * 48 + 144 + 34 * 144));
    find(&l, "linear+bias+gelu", "blocks.1.mlp.fc1.weight,bias");
    find(&l, "linear+bias+add", "blocks.1.mlp.fc2.weight,bias");
    find(&l, "layernorm", "blocks.1.norm1.weight,bias");
    r = find(&l, "attention", "(blocks.1.attn.qkv.weight,bias)");
    ck_assert_int_eq(r.flops, 2 * 2 * 34 * 48 * 17);         /* scores, and their product with the values */
    free_lines(&l);
    peft_trainer *trainer = tiny_trainer(t.model, "batch=2");
    peft_trainer_describe(trainer, collect, &l);
    ck_assert_str_eq(find(&l, "store", "head.weight").part, "b");
    ck_assert_str_eq(find(&l, "linear_dw", "head.weight").part, "b");
    find(&l, "sum_to", "head.bias");
    ck_assert_str_eq(find(&l, "layernorm", "blocks.1.norm1.weight").part, "f");
    find(&l, "loss", "labels");
    peft_trainer_free(trainer);
    tiny_free(&t);
    free_lines(&l);
}
END_TEST

START_TEST(rows_name_kernels_and_why_they_were_chosen)
{
    const char *const *isas = pk_isas();
    for (const char *const *isa = isas; *isa; isa++)
        for (int how = 0; how < 3; how++) {              /* chosen by the call, the environment, the library */
            static const char *const by[] = { "peft_context_set_isa", "PEFT_ISA", NULL };
            char kernel[64], chosen[64];
            peft_context *ctx;
            if (!by[how] && isa != isas) continue;
            if (how == 1) setenv("PEFT_ISA", *isa, 1);
            OK(peft_context_create(NULL, NULL, NULL, &ctx));
            unsetenv("PEFT_ISA");
            if (how == 0) OK(peft_context_set_isa(ctx, *isa));
            OK(peft_context_set_gemm(ctx, "own"));
            peft_backbone *b = tiny_backbone(ctx, TINY_WIDE, NULL);
            peft_model *m = tiny_model(b, NULL);
            lines l = session_table(&(tiny){ .ctx = ctx, .backbone = b, .model = m });
            const char *f32 = pk_find(*isa)->product->name;        /* avx512 and avx512_bf16 have the same */
            const bool best = !strcmp(f32, pk_find(*isas)->product->name);
            snprintf(kernel, sizeof kernel, "layernorm:%s", f32);
            snprintf(chosen, sizeof chosen, "%s: %s", *isa, best ? "" : by[how]);
            row r = find(&l, "layernorm", "blocks.0.norm1");
            ck_assert_str_eq(r.kernel, kernel);
            /* "-": nothing is slower than it could be; with less than AVX-512 the row says so */
            ck_assert_msg(!strcmp(r.why, "-") == (best && !strcmp(f32, "avx512")), "%s", r.why);
            if (!best) ck_assert_str_eq(r.why, chosen);
            r = find(&l, "linear+bias", "attn.qkv.weight");
            ck_assert_str_eq(r.kernel + strlen("gemm:"), f32);
            if (!best) ck_assert_ptr_nonnull(strstr(r.why, chosen));
            /* only with plain C kernels "own" is not the default, and its reason is given */
            ck_assert_int_eq(strstr(r.why, "own: peft_context_set_gemm") != NULL, !strcmp(*isa, "ref"));
            ck_assert_str_eq(find(&l, "patches", "images").kernel, "copy");
            free_lines(&l);
            peft_model_free(m);
            peft_backbone_free(b);
            peft_context_free(ctx);
        }
}
END_TEST

/* The micro-kernel of "ref" computes 4 rows and 8 columns; padding is named if it is a quarter of the rows or columns.
 * Without a pool there is one thread anyway. */
START_TEST(limits_of_the_speed_of_a_product_are_named)
{
    const pk_table *t = pk_find("ref");
    pk_pool *const no_pool = NULL;
    char text[120];
    pk_gemm g = { .m = 40, .n = 64, .k = 64 };
    ck_assert_str_eq(pk_gemm_limits(t, no_pool, &g, text, sizeof text), "");
    g.n = 3;
    ck_assert_str_eq(pk_gemm_limits(t, no_pool, &g, text, sizeof text), "n % 8 = 3");
    g.m = 1;
    ck_assert_str_eq(pk_gemm_limits(t, no_pool, &g, text, sizeof text), "m % 4 = 1; n % 8 = 3");
    g.n = 65;                                           /* 7 of 72 columns are padding */
    ck_assert_str_eq(pk_gemm_limits(t, no_pool, &g, text, sizeof text), "m % 4 = 1");
    pk_pool *p = aligned_alloc(PK_ALIGN, (pk_pool_bytes(2) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(p, 2), 2);
    ck_assert_str_eq(pk_gemm_limits(t, p, &g, text, sizeof text), "one thread: small product; m % 4 = 1");
    g.m = g.n = g.k = 512;
    ck_assert_str_eq(pk_gemm_limits(t, p, &g, text, sizeof text), "");
    pk_pool_stop(p);
    free(p);
}
END_TEST

/* The error of an operation that refuses its inputs names their tensors. */
START_TEST(errors_of_operations_name_their_tensors)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    pf_graph g;
    pf_graph_init(&g, t.ctx, &(pf_compile_spec){ .batch = 1 });
    const pf_val images = pf_model_images(t.model, &g);
    const pf_val w = pf_model_weight(t.model, &g, "blocks.0.mlp.fc1.weight");
    peft_sys_linear(&g, images, w, pf_model_weight(t.model, &g, "blocks.0.mlp.fc1.bias"));
    ck_assert_int_eq(g.status, PEFT_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "linear (images,blocks.0.mlp.fc1.weight,blocks.0.mlp.fc1.bias): "
                                 "given [1, 3, 16, 16] and [192, 48]"));
    pf_graph_free(&g);
    tiny_free(&t);
}
END_TEST

/* Skipped where no BLAS can be opened. */
START_TEST(rows_name_the_blas_and_why_it_was_chosen)
{
    if (pk_blas_load()) return;                                 /* there is no BLAS */
    for (int env = 0; env < 2; env++) {
        peft_context *ctx;
        if (env) setenv("PEFT_GEMM", "cblas", 1);
        OK(peft_context_create(NULL, NULL, NULL, &ctx));
        unsetenv("PEFT_GEMM");
        if (!env) OK(peft_context_set_gemm(ctx, "cblas"));
        peft_backbone *b = tiny_default_backbone(ctx);
        peft_model *m = tiny_model(b, NULL);
        lines l = session_table(&(tiny){ .ctx = ctx, .backbone = b, .model = m });
        const row r = find(&l, "linear+bias", "attn.qkv.weight");
        ck_assert_str_eq(r.kernel, "gemm:cblas");
        ck_assert_str_eq(r.why, env ? "cblas: PEFT_GEMM" : "cblas: peft_context_set_gemm");
        free_lines(&l);
        peft_model_free(m);
        peft_backbone_free(b);
        peft_context_free(ctx);
    }
}
END_TEST

SUITE_MAIN("report", every_method_is_logged_as_described, sums_are_the_figures_of_the_trainer,
           the_frozen_part_has_its_own_table, the_log_has_the_shapes_and_the_graph_that_run,
           rows_name_operations_tensors_shapes_and_costs, rows_name_kernels_and_why_they_were_chosen,
           limits_of_the_speed_of_a_product_are_named, errors_of_operations_name_their_tensors,
           rows_name_the_blas_and_why_it_was_chosen)
