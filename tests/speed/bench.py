"""Speed and memory beside a plain transcription of the equations: medians of interleaved runs, and their ratios.

make bench                     this one first: about ten minutes, most of it compiling
.venv/bin/python tests/speed/bench.py --eager --threads 1
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import plain_fashion
import plain_wide_resnet
import torch

from neurocnnf.architectures import build_model
from neurocnnf.record import prepare, record
from neurocnnf.stimuli import Stimuli

ROUNDS = 7


def interleaved(functions, rounds=ROUNDS, after=lambda: None, clock=time.perf_counter):
    """Time functions in turn; return name -> median seconds, and name -> median ratio of the first to it.

    `after` is called, untimed, after each. `clock` gives seconds.
    """
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
        after()
    for _ in range(rounds):
        for name, function in functions.items():
            start = clock()
            function()
            times[name].append(clock() - start)
            after()
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


def random_stimuli(n_images):
    """Return gray noise of 28 × 28 pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (n_images, 28, 28, 1), dtype=np.uint8)
    return Stimuli(pixels, pd.DataFrame({"stimulus_id": [str(i) for i in range(n_images)]}), "random")


def recording(n_images=256, n_steps=5):
    """Print what recording all layers at all steps adds to the processor's time for unrolling."""
    model, stimuli = build_model("cnnf-fashion"), random_stimuli(n_images)
    images = prepare(stimuli.images, model)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recording"
        functions = {
            "unroll": lambda: model.unroll(images, n_steps),
            "in memory": lambda: record(model, stimuli, n_steps=n_steps),
            "to a file": lambda: record(model, stimuli, n_steps=n_steps, path=file).close(),
        }

        def clear():
            file.unlink(missing_ok=True)  # replacing an old file would cost the time to free its blocks

        # The program's own time: where a virtual machine has given its free memory back, whoever asks for some waits
        # for the host, from 0.05 to 0.9 s for the same recording. What the system takes is shown beside it.
        own, whole = (
            interleaved(functions, rounds, after=clear, clock=clock)[1]
            for rounds, clock in ((ROUNDS, lambda: os.times().user), (3, time.process_time))
        )
    print(f"recording all layers of {n_images} images at {n_steps + 1} steps, added to unrolling, user time:")
    for place in ("in memory", "to a file"):
        print(f"  {place}: {100 / own[place] - 100:+.1f} % (bar ≤ 10)", end="")
        print(f"; with the system's: {100 / whole[place] - 100:+.1f} %")


def working_memory(form, n_images, n_steps):
    """Return the peak memory (MB) that unrolling, or recording to a file, adds, in a process of its own."""
    command = [sys.executable, __file__, "--memory-of", form, str(n_images), str(n_steps)]
    # Every tensor goes back to the system when it is freed: what an allocator keeps for later differs from run to run.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    out = subprocess.run(command, capture_output=True, check=True, env=environment)
    return float(out.stdout)


def measure_memory(form, n_images, n_steps):
    """Print this process's added peak (MB)."""
    model = build_model("cnnf-fashion")
    show = random_stimuli if form == "record" else (lambda n: torch.rand(n, 1, 28, 28) * 2 - 1)
    run = {"plain": plain_fashion.unroll, "ours": lambda m, x, n: m.unroll(x, n).logits, "record": record_to_file}[form]
    run(model, show(2), 2)
    images = show(n_images)
    before = peak_kilobytes()
    run(model, images, n_steps)
    print((peak_kilobytes() - before) / 1024)


def peak_kilobytes():
    """Return this process's peak memory; Linux only, as getrusage's peak begins at that of the parent process."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def record_to_file(model, stimuli, n_steps):
    """Record all layers to a file that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        record(model, stimuli, n_steps=n_steps, path=Path(folder) / "recording.nc").close()


def memory():
    """Print peak working memory beside the plain form's, and how it grows with steps and images."""
    plain, ours = working_memory("plain", 256, 1), working_memory("ours", 256, 1)
    steps, images = working_memory("ours", 256, 8), working_memory("ours", 1024, 1)
    print(f"working memory, 256 images: plain {plain:.0f} MB, ours {ours:.0f} MB (1/{plain / ours:.1f})")
    print(f"8× the steps: {100 * (steps / ours - 1):+.0f} %; 4× the images: {100 * (images / ours - 1):+.0f} %")
    few, many = working_memory("record", 500, 5), working_memory("record", 2000, 5)
    print(
        f"recording all layers at 6 steps to a file: {few:.0f} MB for 500 images, {many:.0f} MB for 2000 "
        f"({many - few:+.1f} MB, {1e3 * (many - few) / 1500:+.1f} kB an image)"
    )


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
