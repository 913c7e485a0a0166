# SPDX-License-Identifier: Apache-2.0
"""The table of compare.py: a line for each batch, row and precision, libpeft beside the fastest peer."""
import os
import platform

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def machine():
    """The processor by /proc/cpuinfo; its model name is what the kernel says."""
    model, flags = platform.machine(), set()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as f:
            for line in f:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    model = value.strip()
                if key.strip() == "flags":
                    flags = set(value.split())
    return dict(model=model, cores=len(os.sched_getaffinity(0)), flags={f: f in flags for f in FLAGS})


def machine_text(m):
    return f"processor: {m['model']}, cores: {m['cores']}, " + ", ".join(
        f"{name}: {'yes' if there else 'no'}" for name, there in m["flags"].items())


def precisions(row, compute):
    """What a line of this precision takes from the peers. Inference has nothing that autocast keeps more exactly than
    bf16 weights do, so the two are one precision there; in training they are two lines."""
    if row == "infer" and compute == "bf16":
        return ("bf16", "bf16_all")
    return (compute,)


def lines(result):
    """Dictionaries: batch, row, compute, ours, peer (rows of peers.json, or None), ratio (peer over ours, or None)."""
    rows, out = result["rows"], []
    computes = result["arguments"]["compute"].split(",")
    for batch in [int(b) for b in result["arguments"]["batch"].split(",")]:
        for row in result["arguments"]["rows"].split(","):
            for compute in computes:
                if compute == "int8" and row != "infer":
                    continue
                if compute == "bf16_all" and row == "infer" and "bf16" in computes:
                    continue
                here = [r for r in rows if r["batch"] == batch and r["row"] == row]
                own = "bf16" if compute == "bf16_all" else compute
                ours = [r for r in here if r["peer"] == "libpeft" and r["compute"] == own]
                peers = [r for r in here if r["peer"] != "libpeft" and r["compute"] in precisions(row, compute)]
                best = min(peers, key=lambda r: r["seconds"], default=None)
                ratio = best["seconds"] / ours[0]["seconds"] if ours and best else None
                out.append(dict(batch=batch, row=row, compute=compute, ours=ours[0] if ours else None, peer=best,
                                ratio=ratio))
    return out


def cell(record, key, form):
    return form.format(record[key]) if record and record.get(key) is not None else "-"


def peer_of_peak(line):
    """The peer's part of the peak: the FLOPs that are needed, which bench counts, over its time."""
    ours, peer = line["ours"], line["peer"]
    return f"{ours['of_peak'] * ours['seconds'] / peer['seconds']:.2f}" if ours and peer else "-"


def text(all_lines, result):
    """The table as Markdown, the errors of logits, and what could not be measured."""
    heads = ("batch", "row", "precision", "libpeft s", "of peak", "MB", "fastest peer", "s", "of peak", "MB",
             "peer / libpeft")
    out = ["", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for l in all_lines:
        name = f"{l['peer']['peer']}, {l['peer']['how']}" if l["peer"] else "none"
        ratio = f"{l['ratio']:.2f}" if l["ratio"] else "-"
        out.append("| " + " | ".join([str(l["batch"]), l["row"], l["compute"], cell(l["ours"], "seconds", "{:.4f}"),
                                      cell(l["ours"], "of_peak", "{:.2f}"), cell(l["ours"], "rss_mb", "{:.0f}"), name,
                                      cell(l["peer"], "seconds", "{:.4f}"), peer_of_peak(l),
                                      cell(l["peer"], "rss_mb", "{:.0f}"), ratio]) + " |")
    errors = [r for r in result["rows"] if r.get("logits_error") is not None]
    if errors:
        out += ["", "relative error of logits, from float32 of torch on the same network and images:"]
        out += [f"  batch {r['batch']} {r['compute']} {r['peer']} {r['how']}: {r['logits_error']:.1e}" for r in errors]
    if result["not_measured"]:
        out += ["", "not measured:"]
        out += [f"  batch {r['batch']} {r['row']} {r['compute']} {r['peer']} {r['how']}: {r['reason']}"
                for r in result["not_measured"]]
    return "\n".join(out) + "\n"
