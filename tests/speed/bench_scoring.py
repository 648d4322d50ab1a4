"""Speed of scoring beside scikit-learn and rsatoolbox: medians of interleaved runs, their ratios, and the bars.

.venv/bin/python tests/speed/bench_scoring.py             about six minutes
.venv/bin/python tests/speed/bench_scoring.py pls ridge   some of pls, ridge, rsa

One thread. Seconds are of the processor, so that waiting for a busy machine does not count. A peer fits one of the ten
splits and is counted ten times; ours fits all ten, its Gram matrix included. rsatoolbox is used where it is installed.
"""

import argparse
import time
import warnings

import numpy as np
from bench import interleaved
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from benchmarks.gram import gram
from benchmarks.pls import N_COMPONENTS, pls_predictions
from benchmarks.ridge_cv import BRAIN_SCORE_PENALTIES, ridge_cv_predictions
from benchmarks.rsa import correlation_rdm, similarities
from benchmarks.time_resolved import time_resolved_rsa

try:
    import rsatoolbox
except ImportError:
    rsatoolbox = None

N_PRESENTATIONS, N_NEUROIDS, N_SPLITS, N_STEPS, N_BINS = 1000, 168, 10, 10, 30
ROUNDS = 3


def make_data(n_units, seed=0):
    """Return features whose variance falls as 1 / rank, responses that are half noise, and ten overlapping splits.

    The first are (presentation, unit) and (presentation, neuroid), float64; the last, held-out presentations.
    """
    rng = np.random.default_rng(seed)
    n = N_PRESENTATIONS
    causes = rng.standard_normal((n, n)) * np.arange(1, n + 1) ** -0.5
    features = causes @ rng.standard_normal((n, n_units)) + rng.standard_normal(n_units)
    signal = causes @ rng.standard_normal((n, N_NEUROIDS))
    responses = signal + signal.std() * rng.standard_normal(signal.shape)
    held_out = tuple(np.sort(rng.permutation(n)[: n // 10]) for _ in range(N_SPLITS))
    return features, responses, held_out


def timed(functions, rounds=ROUNDS):
    """Return seconds and ratios to the first of functions run in turn, in seconds of the processor."""
    return interleaved(functions, rounds, clock=time.process_time)


def show(what, value, bar, at_most=False):
    """Print a ratio beside its bar."""
    met = value <= bar if at_most else value >= bar
    print(f"  {what}: ×{value:.2f} (bar {'≤' if at_most else '≥'} {bar}){'' if met else ' MISSED'}", flush=True)


def fitted(model, features, responses, part):
    """Fit a peer to the presentations that are not held out; return it with its predictions of those that are."""
    training = np.delete(np.arange(len(responses)), part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that end before they converge
        model.fit(features[training], responses[training])
    return model, model.predict(features[part])


def pls():
    """Print PLS beside scikit-learn's."""
    seconds = {}
    for n_units, bar in ((1000, 10), (5000, 40)):
        features, responses, held_out = make_data(n_units)

        def peer(one=(features, responses, held_out[0])):
            return fitted(PLSRegression(N_COMPONENTS, scale=False), *one)

        def ours(features=features, responses=responses, held_out=held_out):
            return pls_predictions(gram(features), responses, held_out)

        def every_step(ours=ours):
            return [ours() for _ in range(N_STEPS)]

        seconds[n_units], ratios = timed({"peer": peer, "ours": ours, "steps": every_step})
        one, all_splits, all_steps = seconds[n_units].values()
        print(f"PLS({N_COMPONENTS}), {N_PRESENTATIONS} × {n_units}: sklearn {one:.2f} s a split, ", end="")
        print(f"ours {all_splits:.2f} s for {N_SPLITS} splits, {all_steps:.2f} s for {N_STEPS} steps of them")
        show(f"{N_SPLITS} splits, sklearn / ours", N_SPLITS * ratios["ours"], bar)
        show(f"{N_STEPS} steps × {N_SPLITS} splits, ours / one fit of sklearn", 1 / ratios["steps"], 10, at_most=True)
        if n_units == N_PRESENTATIONS:
            converged = PLSRegression(N_COMPONENTS, scale=False, tol=1e-24, max_iter=20_000)
            _, expected = fitted(converged, features, responses, held_out[0])
            off = np.abs(ours().predictions[0] - expected).max() / responses.std()
            show("largest difference from converged sklearn, in 1e-8 of the responses' sd", off / 1e-8, 1, at_most=True)
    show("5× the features, ours / ours", seconds[5000]["ours"] / seconds[1000]["ours"], 1.3, at_most=True)


def ridge():
    """Print ridge with 99 penalties beside scikit-learn's."""
    for n_units, bar in ((1000, 10), (5000, 25)):
        features, responses, held_out = make_data(n_units)

        def peer(one=(features, responses, held_out[0])):
            return fitted(RidgeCV(BRAIN_SCORE_PENALTIES), *one)

        def ours(features=features, responses=responses, held_out=held_out):
            return ridge_cv_predictions(gram(features), responses, held_out)

        seconds, ratios = timed({"peer": peer, "ours": ours})
        print(f"RidgeCV({len(BRAIN_SCORE_PENALTIES)} penalties), {N_PRESENTATIONS} × {n_units}: ", end="")
        print(f"sklearn {seconds['peer']:.2f} s a split, ours {seconds['ours']:.2f} s for {N_SPLITS} splits")
        show(f"{N_SPLITS} splits, sklearn / ours", N_SPLITS * ratios["ours"], bar)
        result = ours()
        same = 0
        for split in range(ROUNDS):
            model, expected = fitted(RidgeCV(BRAIN_SCORE_PENALTIES), features, responses, held_out[split])
            same += bool((result.penalties[split] == model.alpha_).all())
            off = np.abs(result.predictions[split] - expected).max() / responses.std()
        print(f"  same penalty as sklearn in {same} of {ROUNDS} splits; predictions differ by {off:.0e} sd at most")


def rsa():
    """Print dissimilarities and their comparison beside rsatoolbox's."""
    if rsatoolbox is None:
        print("RSA: rsatoolbox is not installed, so there is nothing to compare with. pip install rsatoolbox==0.2.0")
        return
    rng = np.random.default_rng(0)
    features, signal, _ = make_data(5000)
    # the dissimilarities of steps differ, as do those of time bins
    noise = rng.standard_normal((N_STEPS, 1, features.shape[1]))
    steps = [features * (1 + 0.3 * one) for one in noise]
    responses = signal[:, :, None] + rng.standard_normal((*signal.shape, N_BINS))

    def peer_rdm(one):
        return rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(one), method="correlation")

    def peer_compare(first, second):
        return rsatoolbox.rdm.compare(first, second, method="spearman")

    def peer_whole():
        ours = rsatoolbox.rdm.concat([peer_rdm(one) for one in steps])
        theirs = rsatoolbox.rdm.concat([peer_rdm(responses[:, :, k]) for k in range(N_BINS)])
        return peer_compare(ours, theirs)

    def our_whole():
        return time_resolved_rsa([correlation_rdm(one) for one in steps], responses, "spearman")

    what = f"{N_PRESENTATIONS} × {features.shape[1]}"
    seconds, ratios = timed({"peer": lambda: peer_rdm(features), "ours": lambda: correlation_rdm(features)})
    print(f"correlation RDM, {what}: rsatoolbox {seconds['peer']:.2f} s, ours {seconds['ours']:.3f} s")
    show("rsatoolbox / ours", ratios["ours"], 10)
    ours = np.stack([correlation_rdm(one) for one in steps[:2]])
    theirs = np.stack([correlation_rdm(responses[:, :, k]) for k in range(2)])
    first, second = rsatoolbox.rdm.RDMs(ours), rsatoolbox.rdm.RDMs(theirs)
    functions = {"peer": lambda: peer_compare(first, second), "ours": lambda: similarities(ours, theirs, "spearman")}
    seconds, ratios = timed(functions)
    print(f"Spearman, 2 × 2 dissimilarities: rsatoolbox {seconds['peer']:.2f} s, ours {seconds['ours']:.3f} s")
    show("rsatoolbox / ours", ratios["ours"], 1.8)
    # so long that once is enough, and no warming up
    start = time.process_time()
    expected = peer_whole()
    middle = time.process_time()
    found = our_whole()
    seconds = middle - start, time.process_time() - middle
    print(f"RSA of {N_STEPS} steps × {N_BINS} time bins, {what}, once: ", end="")
    print(f"rsatoolbox {seconds[0]:.1f} s, ours {seconds[1]:.1f} s")
    show("rsatoolbox / ours", seconds[0] / seconds[1], 8)
    print(f"  largest difference from rsatoolbox: {np.abs(expected - found).max():.0e}")


def main():
    """Run the benchmarks."""
    parts = {"pls": pls, "ridge": ridge, "rsa": rsa}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[[], *parts], default=[], help="which; all where none is named")
    chosen = parser.parse_args().part or parts
    print(f"1 thread, {N_NEUROIDS} neuroids, {N_SPLITS} splits 90/10")
    with threadpool_limits(1):
        for name in chosen:
            parts[name]()


if __name__ == "__main__":
    main()
