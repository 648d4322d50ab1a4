"""Speed of the paper's adversarial training step beside a plain transcription of it: medians of interleaved runs.

.venv/bin/python tests/speed/bench_training.py                   about five minutes
.venv/bin/python tests/speed/bench_training.py --device cuda

The authors' recipe for Fashion-MNIST: 256 images, as many attacked by PGD-7, one feedback pass. Before anything
is timed, the gradients of both forms must agree. Matrix work: convolutions and matrix products, forward and backward,
by torch's profiler, of one step. On one CPU thread seconds are of the processor, so that waiting for a busy machine
does not count.
"""

import argparse
import time
from dataclasses import replace

import plain_training
import torch
from bench import interleaved, matmul_peak
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from neurocnnf.architectures import build_model
from neurocnnf.optimisers import make_optimiser
from neurocnnf.recipes import find_recipe
from neurocnnf.train import _batch_index, train_batch

RECIPE, ROUNDS, BAR = "cnnf-fashion-mnist-adversarial", 5, 1.4
MATRIX_WORK = ("convolution", "mm", "addmm", "bmm", "linear")  # in names such as aten::mkldnn_convolution


def make_step(form, n_images, device="cpu", dtype=torch.float32):
    """Return a model, and what takes one optimiser step of it; every form sees the same images and random starts."""
    recipe = replace(find_recipe(RECIPE), feedback_batch_size=n_images)
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(n_images, 1, 28, 28, generator=generator) * 2 - 1).to(device, dtype)
    labels = torch.randint(10, (n_images,), generator=generator).to(device)
    model = build_model(recipe.model, seed=0).to(device, dtype)
    if device != "cpu" and form != "plain":
        model.to(memory_format=torch.channels_last)
    optimiser = make_optimiser(model, recipe)
    order = _batch_index(n_images, recipe, 0, 0).to(device)

    def step():
        if form == "plain":
            draw = torch.Generator().manual_seed(0)  # as ours begins batch 0 of seed 0
            plain_training.train_batch(model, optimiser, recipe, images[order], labels[order], draw)
        else:
            train_batch(model, optimiser, recipe, images, labels, 0, 0, form == "compiled")
        if device != "cpu":
            torch.cuda.synchronize()

    return model, step


def check_same_gradients():
    """Refuse to time forms whose gradients differ; in float64, for in float32 rounding decides gates and attacks."""
    gradients = {}
    for form in ("plain", "eager"):
        model, step = make_step(form, 16, dtype=torch.float64)
        step()
        gradients[form] = {name: p.grad for name, p in model.named_parameters()}
    for name, theirs in gradients["plain"].items():
        torch.testing.assert_close(gradients["eager"][name], theirs, rtol=1e-9, atol=1e-12, msg=lambda m, n=name: n + m)


def matrix_share(step, device):
    """Return the share of the device's busy time that convolutions and matrix products take."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device != "cpu")
    with profile(activities=activities) as found:
        step()
    kind = "self_cpu_time_total" if device == "cpu" else "self_device_time_total"
    # Those of a device's kernels stand with the operation that started them, and once more by themselves.
    events = [event for event in found.key_averages() if event.device_type == DeviceType.CPU]
    times = [(event.key, getattr(event, kind)) for event in events]
    whole = sum(seconds for _, seconds in times)
    return sum(s for name, s in times if name.startswith("aten::") and _is_matrix_work(name)) / whole


def _is_matrix_work(name):
    own = name.removeprefix("aten::")
    return own in MATRIX_WORK or "convolution" in own


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    device = parser.parse_args().device
    torch.set_num_threads(1)
    check_same_gradients()
    n_images = find_recipe(RECIPE).feedback_batch_size
    steps = {form: make_step(form, n_images, device)[1] for form in ("plain", "eager", "compiled")}
    seconds, ratios = interleaved(steps, ROUNDS, clock=time.process_time if device == "cpu" else time.perf_counter)
    where = torch.cuda.get_device_name() if device != "cpu" else f"one thread, matmul {matmul_peak():.0f} GFLOP/s"
    print(f"adversarial training step, {n_images} images, on {where}:")
    for form, step in steps.items():
        share = matrix_share(step, device)
        print(f"  {form:>8} {n_images / seconds[form]:7.1f} images/s ×{ratios[form]:.2f}, {share:.0%} in matrix work")
    print(f"  compiled ×{ratios['compiled']:.2f} (bar ≥ {BAR}){'' if ratios['compiled'] >= BAR else ' MISSED'}")


if __name__ == "__main__":
    main()
