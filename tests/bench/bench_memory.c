/* SPDX-License-Identifier: Apache-2.0
 * bench_memory.c -- the memory of one training step of a random ViT-B/16 on large images, as percent of full
 * fine-tuning's: what the trainers plan, and what the process really takes.
 *
 * A step needs the trained parameters, their gradients and moments, and the trainer's arena, tables and buffers; those
 * are "planned" here (peft_trainer_get "planned_bytes" and the parameters). Methods that read the frozen backbone in
 * a step need its weights too: "step". FPT's steps on cached features do not (the cache is a file here); "held" counts
 * the backbone for everybody, full fine-tuning included, which trains a copy. The caller's own images are not
 * counted. Measured, to be compared with "planned", is the peak of resident memory in the step (VmHWM) less what was
 * resident with the backbone and the caller's images alone; a process for each method, and only where the plan and the
 * backbone fit into --most.
 * Plans are made on memory that is not there: a few pages, mapped again and again. */
#include <getopt.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct { int image, batch, depth, threads; double most; const char *run; } settings;
typedef struct { const char *name, *method, *adapter, *head; int side; } preset;
typedef struct { double planned, backbone, arena, measured; long long trained; } figures;

static const preset presets[] = {
    { "full", "full", "", "head=linear", 0 },
    { "lora", "lora", "r=16", "head=linear", 0 },
    { "fpt", "fpt", "classes=5,side_input=given,dropout=0.5", "head=side_encoder", 224 },
    { "fpt+", "fpt", "classes=5,side_input=given,dropout=0.5,plus=true,layers=6-11,side_image=128", "head=side_encoder",
      128 } };
enum { PRESETS = sizeof presets / sizeof *presets };

static void must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "bench_memory: %s: %s\n", peft_status_name(s), peft_last_error());
    exit(1);
}

/* --- memory that is not there ----------------------------------------------------------------- */
enum { PIECE = 1 << 26 };

static void *echo_take(size_t size, size_t align, void *user)
{
    void *p = NULL;
    if (size < PIECE) return posix_memalign(&p, align, size) ? NULL : p;
    char *all = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t at = 0; all != MAP_FAILED && at < size; at += PIECE)
        if (mmap(all + at, size - at < PIECE ? size - at : PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                 *(const int *)user, 0) == MAP_FAILED) return NULL;
    return all == MAP_FAILED ? NULL : all;
}

static void echo_give(void *p, size_t size, void *user)
{
    (void)user;
    if (size < PIECE) free(p);
    else munmap(p, size);
}

/* --- what the system says --------------------------------------------------------------------- */
static double status_bytes(const char *what)
{
    char line[256];
    double kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, what, strlen(what))) kilobytes = strtod(line + strlen(what) + 1, NULL);
    if (f) fclose(f);
    return 1024 * kilobytes;
}

static void forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

/* --- one method ------------------------------------------------------------------------------- */
typedef struct { peft_context *ctx; peft_backbone *b; peft_tensor *images, *labels, *side; } bed;

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_parse(o, text));
    return o;
}

static peft_tensor *images_of(const bed *x, int batch, int side)
{
    peft_tensor *t;
    must(peft_tensor_create(x->ctx, PEFT_F32, 4, (int64_t[]){ batch, 3, side, side }, &t));
    float *p = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) p[i] = (float)((i * 2654435761u >> 8) & 1023) / 512 - 1;
    return t;
}

static bed make_bed(const settings *s, const preset *p, int *echo)
{
    char text[96];
    bed x = { .side = NULL };
    must(peft_context_create(echo ? echo_take : NULL, echo ? echo_give : NULL, echo, &x.ctx));
    if (s->threads) must(peft_context_set_threads(x.ctx, s->threads));
    snprintf(text, sizeof text, "image_size=%d,depth=%d", s->image, s->depth);
    peft_options *o = options(x.ctx, text);
    must(peft_backbone_create(x.ctx, o, &x.b));
    peft_options_free(o);
    x.images = images_of(&x, s->batch, s->image);
    if (p->side) x.side = images_of(&x, s->batch, p->side);
    must(peft_tensor_create(x.ctx, PEFT_I64, 1, (int64_t[]){ s->batch }, &x.labels));
    for (int i = 0; i < s->batch; i++) ((int64_t *)peft_tensor_data(x.labels))[i] = i % 5;
    return x;
}

static peft_trainer *make_trainer(const settings *s, const preset *p, const bed *x, const char *file, peft_model **m)
{
    char text[256];
    peft_adapter *a;
    peft_trainer *t;
    snprintf(text, sizeof text, "classes=5,%s", p->head);
    peft_options *mo = options(x->ctx, text), *ao = options(x->ctx, p->adapter);
    snprintf(text, sizeof text, p->side ? "batch=%d,cache_file=\"%s\",cache_features=%lld" : "batch=%d", s->batch, file,
             (long long)s->batch << 24);
    peft_options *o = options(x->ctx, text);
    must(peft_model_create(x->b, mo, m));
    must(peft_adapter_create(x->b, p->method, ao, &a));
    must(peft_model_attach(*m, a));
    must(peft_trainer_create(*m, o, &t));
    peft_adapter_free(a);
    peft_options_free(ao);
    peft_options_free(mo);
    peft_options_free(o);
    return t;
}

static void step(const bed *x, peft_trainer *t, bool cached)
{
    int64_t ids[4096];
    for (int64_t i = 0; i < peft_tensor_dim(x->labels, 0); i++) ids[i] = i;
    if (x->side) must(peft_trainer_input(t, "side_images", x->side));
    must(peft_trainer_step(t, cached ? NULL : x->images, x->labels, ids));
}

/* f32 */
static double backbone_bytes(const peft_backbone *b)
{
    double n = 0;
    for (size_t i = 0; i < peft_backbone_tensor_count(b); i++)
        n += (double)peft_tensor_count(peft_backbone_tensor(b, i));
    return 4 * n;
}

/* In a process of its own, so that nothing of the method before is resident. */
static void look(const settings *s, const preset *p, bool run, const char *file, figures *to)
{
    peft_model *m;
    int echo = memfd_create("echo", MFD_CLOEXEC);
    if (!run && (echo < 0 || ftruncate(echo, PIECE))) must(peft_set_error(PEFT_E_IO, "no memory file"));
    bed x = make_bed(s, p, run ? NULL : &echo);
    double before = status_bytes("VmRSS");
    peft_trainer *t = make_trainer(s, p, &x, file, &m);
    to->trained = (long long)peft_model_trainable_count(m);
    to->backbone = backbone_bytes(x.b);
    to->arena = peft_trainer_get(t, "arena_bytes");
    to->planned = peft_trainer_get(t, "planned_bytes") + 4 * (double)to->trained;
    if (!run) _exit(0);
    if (x.side) {                                        /* a first round fills the cache */
        step(&x, t, false);
        forget_peak();
    }
    step(&x, t, x.side != NULL);
    to->measured = status_bytes("VmHWM") - before;
    _exit(0);
}

static void in_child(const settings *s, const preset *p, bool run, const char *file, figures *to)
{
    int status;
    pid_t child = fork();
    if (!child) look(s, p, run, file, to);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status))
        must(peft_set_error(PEFT_E_STATE, "a measuring process failed"));
}

static void report(const settings *s, const figures *f, int n)
{
    const char *const goal[PRESETS] = { "", "", "7.9 %", "3.2 %" };
    printf("ViT-B/16, depth %d, %d x %d, batch %d; MB (10^6)\n", s->depth, s->image, s->image, s->batch);
    printf("%-6s %11s %9s %9s %7s %9s %7s %9s %7s %9s  %s\n", "method", "trained", "arena", "planned", "% full", "step",
           "% full", "held", "% full", "measured", "published");
    double full = f[0].planned, held = f[0].planned + f[0].backbone;
    for (int i = 0; i < n; i++) {
        bool reads = !presets[i].side && i;              /* the frozen weights, in a step */
        double need = f[i].planned + (reads ? f[i].backbone : 0);
        double all = f[i].planned + f[i].backbone;
        printf("%-6s %11lld %9.1f %9.1f %7.2f %9.1f %7.2f %9.1f %7.2f ", presets[i].name, f[i].trained,
               1e-6 * f[i].arena, 1e-6 * f[i].planned, 100 * f[i].planned / full, 1e-6 * need, 100 * need / full,
               1e-6 * all, 100 * all / held);
        if (f[i].measured > 0) printf("%9.1f  %s\n", 1e-6 * f[i].measured, goal[i]);
        else printf("%9s  %s\n", "-", goal[i]);
    }
}

int main(int argc, char **argv)
{
    settings s = { 512, 16, 12, 0, 12, "lora,fpt,fpt+" };
    static const struct option long_options[] = {
        { "image", 1, 0, 'i' }, { "batch", 1, 0, 'b' }, { "depth", 1, 0, 'd' }, { "threads", 1, 0, 't' },
        { "most", 1, 0, 'm' }, { "run", 1, 0, 'r' }, { "help", 0, 0, 'h' }, { 0 } };
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (c == 'i') s.image = atoi(optarg);
        else if (c == 'b') s.batch = atoi(optarg);
        else if (c == 'd') s.depth = atoi(optarg);
        else if (c == 't') s.threads = atoi(optarg);
        else if (c == 'm') s.most = atof(optarg);
        else if (c == 'r') s.run = optarg;
        else {
            printf("bench_memory [--image S] [--batch N (to 4096)] [--depth N] [--threads N] [--most GB] "
                   "[--run full,lora,fpt,fpt+ (measured; none: \"\")]\n");
            return c != 'h';
        }
    }
    char file[] = "/tmp/peft_bench_XXXXXX", list[128];
    int made = mkstemp(file);
    figures *f = mmap(NULL, sizeof *f * PRESETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made < 0 || f == MAP_FAILED || s.batch < 1 || s.batch > 4096) return 1;
    snprintf(list, sizeof list, ",%s,", s.run);
    for (int i = 0; i < PRESETS; i++) {
        char word[16];
        snprintf(word, sizeof word, ",%s,", presets[i].name);
        if (ftruncate(made, 0)) return 1;
        in_child(&s, &presets[i], false, file, &f[i]);
        if (ftruncate(made, 0)) return 1;
        if (strstr(list, word) && f[i].planned + f[i].backbone < 1e9 * s.most)
            in_child(&s, &presets[i], true, file, &f[i]);
    }
    unlink(file);
    report(&s, f, PRESETS);
    return 0;
}
