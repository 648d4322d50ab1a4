"""Speed and memory beside a plain transcription of the equations: medians of interleaved runs, and their ratios.

make bench                     about ten minutes, most of it compiling
.venv/bin/python tests/speed/bench.py --eager --threads 1
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import plain_fashion
import plain_wide_resnet
import torch

from neurocnnf.architectures import build_model
from neurocnnf.record import each_layer
from neurocnnf.stimuli import Stimuli

ROUNDS = 7


def interleaved(functions, rounds=ROUNDS):
    """Time functions in turn; return name -> median seconds, and name -> median ratio of the first to it."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    peer = next(iter(times.values()))
    ratios = {n: statistics.median(a / b for a, b in zip(peer, t, strict=True)) for n, t in times.items()}
    return {name: statistics.median(t) for name, t in times.items()}, ratios


def matmul_peak():
    """Return float32 GFLOP/s of a 1500 × 1500 product, the machine's yardstick."""
    a = torch.rand(1500, 1500)
    seconds, _ = interleaved({"matmul": lambda: a @ a})
    return 2 * 1500**3 / seconds["matmul"] / 1e9


def unrolling(name, plain, n_images, n_steps_list, compiled):
    """Print images per second of the plain form, eager and compiled."""
    model = build_model(name)
    size = model.image_size
    images = torch.rand(n_images, model.channels, size, size) * 2 - 1
    seconds_by_step = {}
    for n_steps in n_steps_list:
        functions = {
            "plain": lambda n=n_steps: plain(model, images, n),
            "eager": lambda n=n_steps: model.unroll(images, n),
        }
        if compiled:
            functions["compiled"] = lambda n=n_steps: model.unroll(images, n, compiled=True)
        seconds, ratios = interleaved(functions)
        seconds_by_step[n_steps] = seconds["eager"]
        cells = "  ".join(f"{k} {n_images / s:7.1f}/s ×{ratios[k]:.2f}" for k, s in seconds.items())
        print(f"{name:>15} {n_steps} steps: {cells}", flush=True)
    return seconds_by_step


def recording(n_images=256, n_steps=5):
    """Print the cost of recording all layers at all steps over unrolling alone."""
    model = build_model("cnnf-fashion")
    pixels = np.random.default_rng(0).integers(0, 256, (n_images, 28, 28, 1), dtype=np.uint8)
    stimuli = Stimuli(pixels, pd.DataFrame({"stimulus_id": [str(i) for i in range(n_images)]}), "random")
    seconds, _ = interleaved(
        {
            "unroll": lambda: each_layer(model, stimuli, ["logits"], n_steps),
            "record": lambda: each_layer(model, stimuli, list(model.layer_names), n_steps),
        }
    )
    print(f"recording all layers at {n_steps + 1} steps: +{100 * (seconds['record'] / seconds['unroll'] - 1):.1f} %")


def working_memory(form, n_images, n_steps):
    """Return the peak memory (MB) that unrolling adds, in a process of its own."""
    out = subprocess.run(
        [sys.executable, __file__, "--memory-of", form, str(n_images), str(n_steps)], capture_output=True, check=True
    )
    return float(out.stdout)


def measure_memory(form, n_images, n_steps):
    """Print this process's added peak (MB)."""
    model = build_model("cnnf-fashion")
    run = plain_fashion.unroll if form == "plain" else (lambda m, x, n: m.unroll(x, n).logits)
    run(model, torch.zeros(2, 1, 28, 28), 2)
    images = torch.rand(n_images, 1, 28, 28) * 2 - 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(model, images, n_steps)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def memory():
    """Print peak working memory beside the plain form's, and how it grows with steps and images."""
    plain, ours = working_memory("plain", 256, 1), working_memory("ours", 256, 1)
    steps, images = working_memory("ours", 256, 8), working_memory("ours", 1024, 1)
    print(f"working memory, 256 images: plain {plain:.0f} MB, ours {ours:.0f} MB (1/{plain / ours:.1f})")
    print(f"8× the steps: {100 * (steps / ours - 1):+.0f} %; 4× the images: {100 * (images / ours - 1):+.0f} %")


def main():
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eager", action="store_true", help="leave the compiled form out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    if args.memory_of:
        form, n_images, n_steps = args.memory_of
        return measure_memory(form, int(n_images), int(n_steps))
    print(
        f"{args.threads} thread(s), float32 matmul {matmul_peak():.0f} GFLOP/s, "
        f"{torch.backends.cpu.get_cpu_capability()}"
    )
    seconds = unrolling("cnnf-fashion", plain_fashion.unroll, 256, (0, 1, 2, 4, 8), not args.eager)
    print(f"fashion, time of 8 steps / time of 1 step: {seconds[8] / seconds[1]:.2f}")
    unrolling("cnnf-wrn-40-2", plain_wide_resnet.unroll, 32, (0, 1, 2), not args.eager)
    recording()
    memory()


if __name__ == "__main__":
    main()
