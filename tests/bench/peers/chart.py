# SPDX-License-Identifier: Apache-2.0
"""The chart of compare.py as SVG: two bars for each line of the table, the time of libpeft and of the fastest peer."""
from xml.sax.saxutils import escape

LEFT, BAR, GAP, WIDTH, TOP = 190, 13, 12, 460, 60
OURS, PEER = "#1f6f8b", "#c9a227"


def label(x, y, words, anchor="start", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def bar(y, seconds, longest, colour, words):
    w = WIDTH * seconds / longest
    return [f'<rect x="{LEFT}" y="{y:.1f}" width="{w:.1f}" height="{BAR - 1}" fill="{colour}"/>',
            label(LEFT + w + 5, y + BAR - 3, words)]


def svg(lines, machine, arguments):
    """Lines of table.lines. Each batch has a scale of its own, from 0 to its longest time."""
    out, y = [], TOP
    for batch in sorted({l["batch"] for l in lines}):
        here = [l for l in lines if l["batch"] == batch and (l["ours"] or l["peer"])]
        longest = max((r["seconds"] for l in here for r in (l["ours"], l["peer"]) if r), default=1)
        out.append(label(10, y + 10, f"batch {batch}", size=13))
        y += 20
        for l in here:
            out.append(label(LEFT - 8, y + BAR + 3, f"{l['row']}, {l['compute']}", "end"))
            if l["ours"]:
                out += bar(y, l["ours"]["seconds"], longest, OURS, f"{l['ours']['seconds']:.3f} s")
            if l["peer"]:
                ratio = f", {l['ratio']:.2f} times libpeft's" if l["ratio"] else ""
                out += bar(y + BAR, l["peer"]["seconds"], longest, PEER,
                           f"{l['peer']['seconds']:.3f} s{ratio} ({l['peer']['peer']}, {l['peer']['how']})")
            y += 2 * BAR + GAP
        y += GAP
    width = LEFT + WIDTH + 420
    title = f"{arguments['network']}, {arguments['image']} pixels, {arguments['threads']} threads, {machine['model']}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" font-family="sans-serif">',
        f'<rect width="{width}" height="{y + 10}" fill="white"/>', label(10, 22, title, size=14),
        f'<rect x="10" y="34" width="12" height="12" fill="{OURS}"/>', label(28, 44, "libpeft"),
        f'<rect x="100" y="34" width="12" height="12" fill="{PEER}"/>',
        label(118, 44, "fastest peer at the same precision (seconds, shorter is better)"), *out, "</svg>"]) + "\n"
