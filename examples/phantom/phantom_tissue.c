/* SPDX-License-Identifier: Apache-2.0
 * phantom_tissue.c -- the anatomy of phantoms: layers of tissue, a lesion, and what either takes from the sound.
 *
 * Skin, fat with bright septa, glandular tissue in bands, fat again, muscle; in or near the gland an ellipse with a
 * more or less ragged outline, the lesion. Sound that has passed the lesion has lost less than its surroundings took
 * (enhancement) or more (shadow), summed down each column; ligaments too throw narrow shadows. The traits that tell
 * the classes apart are those a radiologist goes by, in numbers made up for this program:
 *   A. T. Stavros et al., Solid breast nodules: use of sonography to distinguish between benign and malignant lesions,
 *   Radiology 196 (1995) 123-134 */
#include "phantom.h"
#include <math.h>

const char *const phantom_class[PHANTOM_CLASSES] = { "benign-like", "malignant-like", "normal-like" };

/* A trait of a phantom is mean + difficulty * spread * (a normal number), kept within its bounds. */
enum { ACROSS, DEPTH, RADIUS, ASPECT, TILT, CONTRAST, MARGIN, LOBES, SPIKES, RIM, HALO, LESION_LOSS, TRAITS };
static const struct { double mean[PHANTOM_CLASSES], spread, low, high; } trait[TRAITS] = {
    /*               benign  malignant  normal     spread    low    high */
    [ACROSS]      = { {   0.50,   0.50,   0.50 },   0.08,   0.25,   0.75 },
    [DEPTH]       = { {   0.42,   0.42,   0.42 },   0.05,   0.30,   0.58 },
    [RADIUS]      = { {   0.17,   0.18,   0.04 },   0.04,   0.00,   0.26 },   /* below 0.03: no lesion */
    [ASPECT]      = { {   0.60,   1.00,   0.60 },   0.20,   0.40,   1.50 },   /* height by width */
    [TILT]        = { {   0.00,   0.00,   0.00 },   0.15,  -0.40,   0.40 },
    [CONTRAST]    = { { -15.00, -17.00,  -4.00 },   4.00, -28.00,   2.00 },   /* dB */
    [MARGIN]      = { {   0.05,   0.20,   0.30 },   0.06,   0.02,   0.50 },   /* width, by the radius */
    [LOBES]       = { {   0.12,   0.30,   0.12 },   0.12,   0.00,   0.60 },   /* by the radius */
    [SPIKES]      = { {   0.05,   0.60,   0.00 },   0.20,   0.00,   1.00 },   /* by the radius */
    [RIM]         = { {   7.00,   0.00,   0.00 },   3.00,   0.00,  12.00 },   /* dB */
    [HALO]        = { {   0.00,   5.00,   0.00 },   2.00,   0.00,   8.00 },   /* dB */
    [LESION_LOSS] = { { -42.00,  55.00,   0.00 },  22.00, -70.00, 120.00 },   /* dB along the side */
};

enum { SKIN, FAT, GLAND, DEEP_FAT, MUSCLE, LAYERS };
static const struct { double top, vary, wave, echo, border; } layer[LAYERS] = {
    /*             begins at, +-    waves by  level dB  echo of the border, dB */
    [SKIN]     = { 0.00,     0.00,  0.000,      0,      0 },
    [FAT]      = { 0.06,     0.01,  0.005,    -12,      5 },
    [GLAND]    = { 0.23,     0.04,  0.030,      0,      2 },
    [DEEP_FAT] = { 0.68,     0.04,  0.030,    -11,      2 },
    [MUSCLE]   = { 0.82,     0.03,  0.010,     -9,      9 },
};

enum { LIGAMENTS = 4 };
typedef struct anatomy {
    double top[LAYERS], bend, trait[TRAITS], loss;            /* loss: dB by v = 1 that the gain does not make up */
    struct { double u, v, width, loss; } ligament[LIGAMENTS];
    uint64_t key[LAYERS], outline, inside;
} anatomy;

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
static double bump(double x) { return exp(-0.5 * x * x); }
static double step(double x) { return 1 / (1 + exp(-clamp(x, -30, 30))); }     /* from 0 to 1 about x = 0 */

static anatomy draw_anatomy(uint64_t seed, int64_t class, int64_t index, double difficulty)
{
    stream s = stream_of(STREAM_TRAITS, seed, class, index), texture = stream_of(STREAM_TEXTURE, seed, class, index);
    anatomy a = { .bend = next_between(&s, -0.08, 0.08), .loss = next_between(&s, 0, 8) };
    double z[2];
    for (int i = 0; i < TRAITS; i++) {
        next_normals(&s, z);
        a.trait[i] = clamp(trait[i].mean[class] + difficulty * trait[i].spread * z[0], trait[i].low, trait[i].high);
    }
    for (int i = 0; i < LAYERS; i++) {
        a.top[i] = layer[i].top + layer[i].vary * next_between(&s, -1, 1);
        a.key[i] = next_word(&texture);
    }
    for (int i = 0; i < LIGAMENTS; i++) {                     /* two of three throw no shadow */
        a.ligament[i].u = next_between(&s, 0, 1);
        a.ligament[i].v = next_between(&s, 0.10, 0.35);
        a.ligament[i].width = next_between(&s, 0.015, 0.05);
        a.ligament[i].loss = clamp(next_between(&s, -40, 20), 0, 20);
    }
    a.outline = next_word(&texture);
    a.inside = next_word(&texture);
    return a;
}

/* Where each layer begins at u: wavy, and all but the skin and the fat bent together. */
static void find_edges(const anatomy *a, double u, double edge[LAYERS])
{
    edge[SKIN] = 0;
    for (int i = FAT; i < LAYERS; i++) {
        double wave = smooth_noise(a->key[i], 2.5 * u, 0.5) + 0.4 * smooth_noise(a->key[i], 7 * u, 9.5);
        edge[i] = a->top[i] + layer[i].wave * wave + a->bend * (u - 0.5) * (i > FAT);
    }
}

/* What a layer's own structure adds to its level: dark and bright bands in the gland, fibres in the muscle, lobules
 * between bright septa in the fat. */
static double structure(const anatomy *a, int i, double u, double v)
{
    uint64_t key = a->key[i];
    switch (i) {
    case SKIN:   return 0;
    case GLAND:  return 6 * smooth_noise(key + 1, 3 * u, 10 * v) + 4 * smooth_noise(key + 2, 8 * u, 26 * v);
    case MUSCLE: return 8 * smooth_noise(key + 1, 2 * u, 30 * (v - a->bend * u));
    default:     return 10 * bump(smooth_noise(key + 1, 4 * u, 9 * v) / 0.08) + 2 * smooth_noise(key + 2, 7 * u, 7 * v);
    }
}

/* The layers' level without the lesion. Where two meet, within a hundredth of the side, they reflect. */
static double layers_level(const anatomy *a, const double edge[LAYERS], double u, double v)
{
    double level = layer[SKIN].echo;
    for (int i = FAT; i < LAYERS && v > edge[i] - 0.03; i++) {
        double depth = v - edge[i];
        if (i + 1 < LAYERS && v > edge[i + 1] + 0.03) continue;
        level += (layer[i].echo + structure(a, i, u, v) - level) * step(depth / 0.005);
        level += layer[i].border * bump(depth / 0.007);
    }
    return level;
}

/* The lesion's border in direction (cx, cy), a unit vector, by its radius. Noise along a circle closes on itself;
 * spikes of uneven length stand where other noise crosses 0. */
static double outline(const anatomy *a, double cx, double cy)
{
    double lobes = smooth_noise(a->outline, 1.2 * cx, 1.2 * cy), length = smooth_noise(a->outline + 2, 3 * cx, 3 * cy);
    double spike = bump(smooth_noise(a->outline + 1, 2.5 * cx, 2.5 * cy) / 0.12) * (0.5 + length);
    return 1 + a->trait[LOBES] * lobes + a->trait[SPIKES] * (spike - 0.15);
}

/* Adds the lesion to the level at (u, v); returns how far the place is inside, 0 to 1. */
static double add_lesion(const anatomy *a, double u, double v, double *level)
{
    const double *t = a->trait;
    double r = t[RADIUS], flat = sqrt(t[ASPECT]);
    if (r < 0.03) return 0;
    double x = (u - t[ACROSS]) * flat / r, y = (v - t[DEPTH] - t[TILT] * (u - t[ACROSS])) / (flat * r);
    double distance = sqrt(x * x + y * y) + 1e-9;
    if (distance > 4) return 0;
    double outside = distance - outline(a, x / distance, y / distance), inside = step(-3 * outside / t[MARGIN]);
    double own = t[CONTRAST] + 4 * smooth_noise(a->inside, 10 * u, 10 * v);
    *level += (own - *level) * inside + t[RIM] * bump(outside * r / 0.010);
    if (outside > 0) *level += t[HALO] * (1 - inside) * bump(outside * r / 0.05);
    return inside;
}

void lay_tissue(tissue *t, uint64_t seed, int64_t class, int64_t index, double difficulty)
{
    anatomy a = draw_anatomy(seed, class, index, difficulty);
    double pixel = 1 / (double)t->side;
    for (int64_t x = 0; x < t->side; x++) {
        double u = ((double)x + 0.5) * pixel, loss = 0, edge[LAYERS];
        find_edges(&a, u, edge);
        for (int64_t y = 0; y < t->side; y++) {
            double v = ((double)y + 0.5) * pixel, level = layers_level(&a, edge, u, v);
            double by_depth = a.loss + a.trait[LESION_LOSS] * add_lesion(&a, u, v, &level);
            for (int i = 0; i < LIGAMENTS; i++)
                if (v > a.ligament[i].v)
                    by_depth += a.ligament[i].loss * bump((u - a.ligament[i].u) / a.ligament[i].width);
            t->level[y * t->side + x] = level;
            t->loss[y * t->side + x] = loss += by_depth * pixel;
        }
    }
}
