/* SPDX-License-Identifier: Apache-2.0
 * phantom_tissue.c -- the anatomy of phantoms: layers of tissue, a lesion, and the attenuation of sound by both.
 *
 * From the top: skin, fat with bright septa, glandular tissue in bands, fat, muscle. The lesion is an ellipse with a
 * more or less irregular outline in or near the gland. It attenuates sound less than its surroundings (posterior
 * enhancement) or more (posterior shadow), summed down each column; ligaments cast narrow shadows. The traits that
 * distinguish the classes are those that radiologists use, but their numbers were chosen for this program:
 *   A. T. Stavros et al., Solid breast nodules: use of sonography to distinguish between benign and malignant lesions,
 *   Radiology 196 (1995) 123-134 */
#include "phantom.h"
#include <math.h>

const char *const phantom_class[PHANTOM_CLASSES] = { "benign-like", "malignant-like", "normal-like" };

/* Traits of the lesion. Each is mean + difficulty * sd * (a standard normal number), limited to low..high. */
enum { ACROSS, DEPTH, RADIUS, ASPECT, TILT, CONTRAST, MARGIN, LOBES, SPIKES, RIM, HALO, LESION_LOSS, TRAITS };
static const struct { double mean[PHANTOM_CLASSES], sd, low, high; } trait[TRAITS] = {
    /*               benign  malignant  normal       sd      low    high */
    [ACROSS]      = { {   0.50,   0.50,   0.50 },   0.08,   0.25,   0.75 },
    [DEPTH]       = { {   0.42,   0.42,   0.42 },   0.05,   0.30,   0.58 },
    [RADIUS]      = { {   0.17,   0.18,   0.04 },   0.04,   0.00,   0.26 },   /* below 0.03: no lesion */
    [ASPECT]      = { {   0.60,   1.00,   0.60 },   0.20,   0.40,   1.50 },   /* height / width */
    [TILT]        = { {   0.00,   0.00,   0.00 },   0.15,  -0.40,   0.40 },
    [CONTRAST]    = { { -15.00, -17.00,  -4.00 },   4.00, -28.00,   2.00 },   /* dB */
    [MARGIN]      = { {   0.05,   0.20,   0.30 },   0.06,   0.02,   0.50 },   /* blur width / radius */
    [LOBES]       = { {   0.12,   0.30,   0.12 },   0.12,   0.00,   0.60 },   /* height of lobulation / radius */
    [SPIKES]      = { {   0.05,   0.60,   0.00 },   0.20,   0.00,   1.00 },   /* length of spicules / radius */
    [RIM]         = { {   7.00,   0.00,   0.00 },   3.00,   0.00,  12.00 },   /* bright capsule, dB */
    [HALO]        = { {   0.00,   5.00,   0.00 },   2.00,   0.00,   8.00 },   /* bright surroundings, dB */
    [LESION_LOSS] = { { -42.00,  55.00,   0.00 },  22.00, -70.00, 120.00 },   /* attenuation, dB per side length */
};

enum { SKIN, FAT, GLAND, DEEP_FAT, MUSCLE, LAYERS };
static const struct { double top, vary, wave, echo, border; } layer[LAYERS] = {
    /*             top (v), +- at random, waviness, level (dB), extra echo of the upper border (dB) */
    [SKIN]     = { 0.00,     0.00,  0.000,      0,      0 },
    [FAT]      = { 0.06,     0.01,  0.005,    -12,      5 },
    [GLAND]    = { 0.23,     0.04,  0.030,      0,      2 },
    [DEEP_FAT] = { 0.68,     0.04,  0.030,    -11,      2 },
    [MUSCLE]   = { 0.82,     0.03,  0.010,     -9,      9 },
};

enum { LIGAMENTS = 4 };
typedef struct anatomy {
    double top[LAYERS], slope, trait[TRAITS];
    double loss;                                              /* attenuation at v = 1 left by the gain, dB */
    struct { double u, v, width, loss; } ligament[LIGAMENTS];
    uint64_t key[LAYERS], outline_key, inside_key;            /* keys of random fields (smooth_noise); key + 1 and
                                                                 key + 2 select further, independent fields */
} anatomy;

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
static double gaussian(double x) { return exp(-0.5 * x * x); }
static double sigmoid(double x) { return 1 / (1 + exp(-clamp(x, -30, 30))); }     /* rises from 0 to 1 around x = 0 */

/* Draws all random numbers of a phantom except its speckle. */
static anatomy draw_anatomy(uint64_t seed, int64_t class, int64_t index, double difficulty)
{
    stream s = make_stream(STREAM_TRAITS, seed, class, index);
    stream texture = make_stream(STREAM_TEXTURE, seed, class, index);
    anatomy a = { .slope = next_between(&s, -0.08, 0.08), .loss = next_between(&s, 0, 8) };
    double z[2];
    for (int i = 0; i < TRAITS; i++) {
        next_normals(&s, z);
        a.trait[i] = clamp(trait[i].mean[class] + difficulty * trait[i].sd * z[0], trait[i].low, trait[i].high);
    }
    for (int i = 0; i < LAYERS; i++) {
        a.top[i] = layer[i].top + layer[i].vary * next_between(&s, -1, 1);
        a.key[i] = next_word(&texture);
    }
    for (int i = 0; i < LIGAMENTS; i++) {                     /* two of three have loss 0: no shadow */
        a.ligament[i].u = next_between(&s, 0, 1);
        a.ligament[i].v = next_between(&s, 0.10, 0.35);
        a.ligament[i].width = next_between(&s, 0.015, 0.05);
        a.ligament[i].loss = clamp(next_between(&s, -40, 20), 0, 20);
    }
    a.outline_key = next_word(&texture);
    a.inside_key = next_word(&texture);
    return a;
}

/* Fills edge with the v at which each layer begins at u. Edges are wavy, and those below the fat slope together. */
static void find_edges(const anatomy *a, double u, double edge[LAYERS])
{
    edge[SKIN] = 0;
    for (int i = FAT; i < LAYERS; i++) {
        double wave = smooth_noise(a->key[i], 2.5 * u, 0.5) + 0.4 * smooth_noise(a->key[i], 7 * u, 9.5);
        edge[i] = a->top[i] + layer[i].wave * wave + a->slope * (u - 0.5) * (i > FAT);
    }
}

/* Returns the texture of layer i, in dB around its level: dark and bright bands in the gland, fibres in the muscle,
 * lobules between bright septa in the fat. */
static double structure(const anatomy *a, int i, double u, double v)
{
    uint64_t key = a->key[i];
    switch (i) {
    case SKIN:   return 0;
    case GLAND:  return 6 * smooth_noise(key + 1, 3 * u, 10 * v) + 4 * smooth_noise(key + 2, 8 * u, 26 * v);
    case MUSCLE: return 8 * smooth_noise(key + 1, 2 * u, 30 * (v - a->slope * u));
    default:
        return 10 * gaussian(smooth_noise(key + 1, 4 * u, 9 * v) / 0.08) + 2 * smooth_noise(key + 2, 7 * u, 7 * v);
    }
}

/* The level at (u, v) without the lesion. Borders of layers, about a hundredth of the side thick, reflect more. A layer
 * whose upper border lies 0.03 or more below v is not seen yet, and one whose lower border lies as far above v not any
 * more: the sigmoid is then within 0.3 % of 0 or 1. */
static double layers_level(const anatomy *a, const double edge[LAYERS], double u, double v)
{
    double level = layer[SKIN].echo;
    for (int i = FAT; i < LAYERS && v > edge[i] - 0.03; i++) {
        double depth = v - edge[i];
        if (i + 1 < LAYERS && v > edge[i + 1] + 0.03) continue;
        level += (layer[i].echo + structure(a, i, u, v) - level) * sigmoid(depth / 0.005);
        level += layer[i].border * gaussian(depth / 0.007);
    }
    return level;
}

/* The distance of the lesion's border from its centre in direction (cx, cy), a unit vector, divided by the radius.
 * Lobes are noise sampled on a circle, so the outline is closed; spicules of random length stand where a second noise
 * crosses 0. */
static double outline(const anatomy *a, double cx, double cy)
{
    const uint64_t key = a->outline_key;
    double lobes = smooth_noise(key, 1.2 * cx, 1.2 * cy), length = smooth_noise(key + 2, 3 * cx, 3 * cy);
    double spike = gaussian(smooth_noise(key + 1, 2.5 * cx, 2.5 * cy) / 0.12) * (0.5 + length);
    return 1 + a->trait[LOBES] * lobes + a->trait[SPIKES] * (spike - 0.15);
}

/* Changes *level at (u, v) for the lesion. Returns the weight of the lesion there: 1 inside, 0 outside. */
static double add_lesion(const anatomy *a, double u, double v, double *level)
{
    const double *t = a->trait;
    double r = t[RADIUS], stretch = sqrt(t[ASPECT]);
    if (r < 0.03) return 0;
    double x = (u - t[ACROSS]) * stretch / r, y = (v - t[DEPTH] - t[TILT] * (u - t[ACROSS])) / (stretch * r);
    double distance = sqrt(x * x + y * y) + 1e-9;
    if (distance > 4) return 0;
    double outside = distance - outline(a, x / distance, y / distance), inside = sigmoid(-3 * outside / t[MARGIN]);
    double lesion_level = t[CONTRAST] + 4 * smooth_noise(a->inside_key, 10 * u, 10 * v);
    *level += (lesion_level - *level) * inside + t[RIM] * gaussian(outside * r / 0.010);
    if (outside > 0) *level += t[HALO] * (1 - inside) * gaussian(outside * r / 0.05);
    return inside;
}

/* The mask's class of a pixel where the lesion has this weight: the lesion ends where its weight is one half. */
static uint8_t mask_class(int64_t class, double inside)
{
    return (uint8_t)(inside >= 0.5 && class != PHANTOM_NORMAL ? class + 1 : 0);
}

/* Column by column, since the loss at a pixel is the sum of the attenuation of all pixels above it. */
void make_tissue(tissue *t, uint64_t seed, int64_t class, int64_t index, double difficulty)
{
    anatomy a = draw_anatomy(seed, class, index, difficulty);
    double pixel = 1 / (double)t->side;
    for (int64_t x = 0; x < t->side; x++) {
        double u = ((double)x + 0.5) * pixel, loss = 0, edge[LAYERS];
        find_edges(&a, u, edge);
        for (int64_t y = 0; y < t->side; y++) {
            double v = ((double)y + 0.5) * pixel, level = layers_level(&a, edge, u, v);
            const double inside = add_lesion(&a, u, v, &level);
            double loss_rate = a.loss + a.trait[LESION_LOSS] * inside;
            for (int i = 0; i < LIGAMENTS; i++)
                if (v > a.ligament[i].v)
                    loss_rate += a.ligament[i].loss * gaussian((u - a.ligament[i].u) / a.ligament[i].width);
            t->level[y * t->side + x] = level;
            t->mask[y * t->side + x] = mask_class(class, inside);
            t->loss[y * t->side + x] = loss += loss_rate * pixel;
        }
    }
}
