"""RDMs against a loop that anyone can read, and against what real layers do to arithmetic."""

from __future__ import annotations

import os
import subprocess
import sys
import typing

import numpy as np
import pytest
import torch
from scipy.spatial.distance import squareform

from tgsage.errors import TgsageError
from tgsage.rdm import METRICS, crossnobis, dissimilarity, rdm
from tgsage.teacher.settings import RdmMetric

PATTERN_METRICS = ("correlation", "sqeuclidean", "cosine", "poisson")


def slow(x: np.ndarray, metric: str, prior_lambda: float = 1.0, prior_weight: float = 0.1) -> np.ndarray:
    """The definitions, one pair at a time, in the order of numpy.triu_indices(n, 1)."""
    values = []
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            a, b = x[i], x[j]
            if metric == "correlation":
                a, b = a - a.mean(), b - b.mean()
                values.append(1 - (a @ b) / np.sqrt((a @ a) * (b @ b)))
            elif metric == "cosine":
                values.append(1 - (a @ b) / np.sqrt((a @ a) * (b @ b)))
            elif metric == "sqeuclidean":
                values.append(((a - b) ** 2).mean())
            elif metric == "poisson":
                a = (a + prior_lambda * prior_weight) / (1 + prior_weight)
                b = (b + prior_lambda * prior_weight) / (1 + prior_weight)
                # KL(a || b) + KL(b || a) of Poisson distributions
                values.append(((a * np.log(a / b) - a + b) + (b * np.log(b / a) - b + a)).mean())
    return np.array(values)


def slow_crossnobis(x: np.ndarray, precision: np.ndarray | None = None) -> np.ndarray:
    """Mean over all pairs of different repetitions, product by product; a missing repetition is all NaN."""
    n, repeats, features = x.shape
    weight = np.eye(features) if precision is None else precision

    def product(i: int, j: int) -> float:
        terms = [
            x[i, r] @ weight @ x[j, s]
            for r in range(repeats)
            for s in range(repeats)
            if r != s and not np.isnan(x[i, r]).any() and not np.isnan(x[j, s]).any()
        ]
        return float(np.mean(terms)) if terms else np.nan

    return np.array(
        [
            (product(i, i) + product(j, j) - 2 * product(i, j)) / features
            for i in range(n)
            for j in range(i + 1, n)
        ]
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20190801)


def unbalanced(rng: np.random.Generator, n: int = 9, repeats: int = 5, features: int = 7) -> np.ndarray:
    x = rng.normal(size=(n, repeats, features)) + rng.normal(size=(n, 1, features))
    for stimulus in range(n):
        x[stimulus, rng.permutation(repeats)[: stimulus % (repeats - 1)]] = np.nan
    return x


def test_metrics_are_those_of_the_config() -> None:
    assert set(METRICS) == set(typing.get_args(RdmMetric))


@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_equals_the_slow_loop(metric: str, rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, size=(23, 31))
    np.testing.assert_allclose(rdm(x, metric), slow(x, metric), rtol=1e-10, atol=1e-12)


def test_poisson_prior(rng: np.random.Generator) -> None:
    x = rng.poisson(3.0, size=(8, 11))
    given = rdm(x, "poisson", prior_lambda=2.5, prior_weight=0.3)
    np.testing.assert_allclose(given, slow(x, "poisson", 2.5, 0.3), rtol=1e-10)
    assert not np.allclose(given, rdm(x, "poisson"))


@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_blocks_do_not_show(metric: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x = rng.gamma(2.0, size=(29, 13))
    x[7], x[11, 2], x[20] = x[3], np.inf, 4.0
    whole = rdm(x, metric)
    for rows in (1, 4, 7, 28, 29):
        monkeypatch.setattr(dissimilarity, "_BLOCK_ROWS", {"cpu": rows})
        monkeypatch.setattr(dissimilarity, "_CHUNK_BYTES", {"cpu": rows * 13 * 8})
        for features in (1, 5, 12, 13):
            # The bytes bound the features of a block, and its rows alike.
            monkeypatch.setattr(dissimilarity, "_BLOCK_BYTES", {"cpu": 29 * 8 * features})
            np.testing.assert_allclose(rdm(x, metric), whole, rtol=1e-11, atol=1e-13)
    monkeypatch.setattr(dissimilarity, "_BLOCK_BYTES", {"cpu": 1})
    np.testing.assert_allclose(rdm(x, metric), whole, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_what_other_devices_compute_equals_numpy(
    metric: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rng.gamma(2.0, size=(29, 13))
    x[7], x[11, 2], x[20], x[21] = x[3], np.inf, 4.0, 1e3 + x[21]
    expected = rdm(x, metric)
    # Tensors on the host take numpy's way; here the tensors' own code runs on it.
    monkeypatch.setattr(dissimilarity, "_source", lambda values: (values, values.dtype))
    monkeypatch.setattr(dissimilarity, "_BLOCK_BYTES", {"cpu": 29 * 8 * 5})
    given = rdm(torch.from_numpy(x), metric)
    np.testing.assert_allclose(given.numpy(), expected, rtol=1e-8, atol=1e-12)


def test_a_layer_in_blocks_of_features_needs_no_copy_of_it() -> None:
    # 400 stimuli x 262,144 features are 419 MB in float32; beside them stay a block of 64 MB, and BLAS.
    code = """
import resource, numpy as np, torch
from tgsage.rdm import rdm
x = torch.rand(400, 262144)
rdm(x[:8, :64])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rdm(x)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 200


def test_threads_of_the_environment_change_no_digit() -> None:
    # A job has as many as Snakemake gives it, a candidate those of its recipe.
    code = """
import hashlib, numpy as np, torch
from tgsage.rdm import compare, rdm
torch.set_num_threads(1)
x = torch.from_numpy(np.random.default_rng(0).standard_normal((600, 2048), np.float32))
made = rdm(x)
values = [compare(made, rdm(x[:, :99]).numpy(), method) for method in ("spearman", "pearson")]
print(hashlib.sha256(made.numpy().tobytes() + torch.cat(values).numpy().tobytes()).hexdigest())
"""
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), number),
        ).stdout
        for number in ("1", "2")
    }
    assert len(answers) == 1


@pytest.mark.parametrize("shape", [(1, 6), (3, 6), (5, 5)])
def test_both_ways_to_copy_a_block_agree(shape: tuple[int, int], rng: np.random.Generator) -> None:
    # The second serves devices other than the host.
    block = rng.normal(size=shape)
    upper = np.triu(np.ones(shape, dtype=bool), 1)
    target = np.empty(upper.sum())
    dissimilarity._copy_rows(block, target)
    np.testing.assert_array_equal(target, block[upper])
    np.testing.assert_array_equal(dissimilarity._masked(torch.from_numpy(block)).numpy(), block[upper])


@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_torch_equals_numpy(metric: str, rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, size=(40, 300))
    double, single = rdm(torch.from_numpy(x), metric), rdm(torch.from_numpy(x).float(), metric)
    assert double.dtype == torch.float64 and single.dtype == torch.float32
    np.testing.assert_allclose(double.numpy(), rdm(x, metric), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(single.numpy(), rdm(x, metric), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_other_dtypes_of_torch(dtype: torch.dtype, rng: np.random.Generator) -> None:
    x = torch.from_numpy(rng.integers(0, 5, size=(6, 30))).to(dtype)
    given = rdm(x, "sqeuclidean")
    assert given.dtype == torch.float32
    np.testing.assert_allclose(given.numpy(), slow(x.double().numpy(), "sqeuclidean"), atol=1e-5)


def test_numpy_is_always_float64_and_the_input_untouched(rng: np.random.Generator) -> None:
    for dtype in (np.float64, np.float32, np.float16, np.int32, np.uint8, bool):
        x = rng.integers(0, 9, size=(5, 12)).astype(dtype)
        x.flags.writeable = False
        for metric in PATTERN_METRICS:
            assert rdm(x, metric).dtype == np.float64
    tensor = torch.from_numpy(rng.gamma(2.0, size=(5, 12)))
    before = tensor.clone()
    for metric in PATTERN_METRICS:
        rdm(tensor, metric)
    assert torch.equal(tensor, before)


def test_no_gradient_is_carried() -> None:
    x = torch.arange(12.0).reshape(3, 4).square().requires_grad_()
    assert not rdm(x).requires_grad
    with torch.inference_mode():
        assert torch.equal(rdm(x.detach() * 1), rdm(x))


@pytest.mark.parametrize("metric", ["correlation", "sqeuclidean", "cosine"])
@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (300.0, 1.0), (-1e4, 30.0), (1e6, 1.0)])
def test_float32_with_a_large_offset(
    metric: str, offset: float, spread: float, rng: np.random.Generator
) -> None:
    # The reference sees the same rounded numbers: what is tested is the arithmetic, not the input.
    x = (offset + spread * rng.normal(size=(50, 2000))).astype(np.float32)
    exact = slow(x.astype(np.float64), metric)
    scale = max(1.0, float(exact.max()))
    np.testing.assert_allclose(rdm(torch.from_numpy(x), metric).numpy() / scale, exact / scale, atol=1e-5)
    np.testing.assert_allclose(rdm(x, metric) / scale, exact / scale, atol=1e-10)


def test_float32_with_very_many_features(rng: np.random.Generator) -> None:
    x = np.maximum(rng.normal(size=(6, 400_000)), 0).astype(np.float32)
    np.testing.assert_allclose(rdm(torch.from_numpy(x)).numpy(), rdm(x), atol=1e-5)


@pytest.mark.parametrize("metric", ["correlation", "cosine"])
@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_scale_invariant_metrics_neither_overflow_nor_vanish(
    metric: str, factor: float, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(10, 100)).astype(np.float32)
    given = rdm(torch.from_numpy(x * np.float32(factor)), metric)
    np.testing.assert_allclose(given.numpy(), slow(x.astype(np.float64), metric), atol=1e-5)


def test_an_overflow_is_nan_not_infinity() -> None:
    x = torch.full((3, 4), 1e30) * torch.tensor([[1.0], [-1.0], [0.5]])
    assert rdm(x, "sqeuclidean").isnan().all()


@pytest.mark.parametrize("kind", ["autocast", "medium"])
def test_coarse_products_of_a_training_process_do_not_reach_an_rdm(
    kind: str, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(30, 500)) + 1
    tensor = torch.from_numpy(x).float()
    if kind == "autocast":
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert (tensor @ tensor.T).dtype == torch.bfloat16
            given = rdm(tensor, "cosine")
    else:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
        try:
            assert dissimilarity.floating(tensor).dtype == torch.float64
            given = rdm(tensor, "cosine")
            assert torch.get_float32_matmul_precision() == "medium"
        finally:
            torch.set_float32_matmul_precision(before)
    assert given.dtype == torch.float32
    np.testing.assert_allclose(given.numpy(), slow(x, "cosine"), atol=1e-5)


@pytest.mark.parametrize("metric", PATTERN_METRICS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_non_finite_values_are_nan_for_their_stimulus_only(
    metric: str, value: float, kind: str, rng: np.random.Generator
) -> None:
    x = rng.gamma(2.0, size=(9, 20))
    clean = squareform(rdm(x, metric))
    x[2, 3] = value
    x[6] = value
    square = squareform(np.asarray(rdm(x if kind == "numpy" else torch.from_numpy(x), metric)))
    wrong = np.zeros((9, 9), dtype=bool)
    wrong[[2, 6]] = wrong[:, [2, 6]] = True
    np.fill_diagonal(wrong, False)
    np.testing.assert_array_equal(np.isnan(square), wrong)
    np.testing.assert_allclose(square[~wrong], clean[~wrong], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "torch32", "torch64"])
@pytest.mark.parametrize("constant", [0.0, 0.1, -3e7, 1e-20])
def test_a_constant_pattern_correlates_with_nothing(
    kind: str, constant: float, rng: np.random.Generator
) -> None:
    # 0.1: its mean over many features is not 0.1, and the residue must not be taken for a pattern.
    x = rng.normal(size=(6, 8191))
    x[[1, 4]] = constant
    given = x if kind == "numpy" else torch.from_numpy(x).to(getattr(torch, f"float{kind[5:]}"))
    square = squareform(np.asarray(rdm(given)))
    assert np.isnan(square[[1, 4]]).sum() == 2 * 5
    assert np.isfinite(square[np.ix_([0, 2, 3, 5], [0, 2, 3, 5])]).all()
    assert np.isfinite(np.asarray(rdm(given, "sqeuclidean"))).all()
    expected_nan = 9 if constant == 0 else 0
    assert np.isnan(np.asarray(rdm(given, "cosine"))).sum() == expected_nan


@pytest.mark.parametrize("metric", PATTERN_METRICS)
@pytest.mark.parametrize("kind", ["numpy", "torch32"])
def test_equal_patterns_have_distance_zero_and_equal_distances(
    metric: str, kind: str, rng: np.random.Generator
) -> None:
    distinct = rng.gamma(2.0, size=(7, 501)) + 100
    which = np.array([0, 1, 1, 2, 0, 3, 4, 5, 6, 1, 6])
    x = distinct[which]
    given = x if kind == "numpy" else torch.from_numpy(x).float()
    square = squareform(np.asarray(rdm(given, metric)))
    assert (square >= 0).all()
    same = which[:, None] == which[None, :]
    assert (square[same] == 0).all() and (square[~same] > 0).all()
    for stimulus in range(len(which)):
        for other in np.flatnonzero(same[stimulus]):
            keep = ~same[stimulus]
            np.testing.assert_array_equal(square[stimulus, keep], square[other, keep])
    reference = slow(np.asarray(given, dtype=np.float64), metric)
    np.testing.assert_allclose(np.asarray(rdm(given, metric)), reference, atol=1e-5)


@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_a_layer_that_answers_alike_to_everything_is_exactly_zero(
    metric: str, rng: np.random.Generator
) -> None:
    x = np.repeat(rng.gamma(2.0, size=(1, 3001)), 12, axis=0)
    assert (rdm(x, metric) == 0).all()
    assert (rdm(torch.from_numpy(x).float(), metric) == 0).all()


def test_rows_that_look_equal_where_probed_are_told_apart(rng: np.random.Generator) -> None:
    # Same minimum, maximum and probed features; only one other feature differs.
    x = np.repeat(rng.gamma(2.0, size=(1, 4000)) + 1, 4, axis=0)
    x[1, 17] = x[3, 17] = 1.5
    expected = slow(x, "sqeuclidean")
    assert (expected > 0).sum() == 4
    np.testing.assert_allclose(rdm(x, "sqeuclidean"), expected, rtol=1e-9)


@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_distances_of_nearly_equal_patterns_are_never_negative(metric: str, rng: np.random.Generator) -> None:
    x = 50 + np.repeat(rng.normal(size=(1, 800)), 30, axis=0) + 1e-6 * rng.normal(size=(30, 800))
    assert (rdm(x, metric) >= 0).all()
    assert (rdm(torch.from_numpy(x).float(), metric) >= 0).all()


def test_permuting_stimuli_or_features(rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, size=(15, 40))
    order, features = rng.permutation(15), rng.permutation(40)
    for metric in PATTERN_METRICS:
        square = squareform(rdm(x, metric))
        np.testing.assert_allclose(
            squareform(rdm(x[order], metric)), square[np.ix_(order, order)], atol=1e-12
        )
        np.testing.assert_allclose(squareform(rdm(x[:, features], metric)), square, atol=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("weighted", [False, True])
def test_crossnobis_equals_the_slow_loop(kind: str, weighted: bool, rng: np.random.Generator) -> None:
    x = unbalanced(rng)
    root = rng.normal(size=(7, 7))
    precision = root @ root.T if weighted else None
    given = x if kind == "numpy" else torch.from_numpy(x)
    np.testing.assert_allclose(
        np.asarray(crossnobis(given, precision, center=False)), slow_crossnobis(x, precision), rtol=1e-9
    )
    centred = x - np.nanmean(x, (0, 1))
    np.testing.assert_allclose(
        np.asarray(crossnobis(given, precision)), slow_crossnobis(centred, precision), rtol=1e-9
    )
    np.testing.assert_array_equal(
        np.asarray(rdm(given, "crossnobis", precision=precision)), np.asarray(crossnobis(given, precision))
    )


def test_crossnobis_of_float32_and_in_blocks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = unbalanced(rng, n=20) + 100
    exact = crossnobis(x)
    single = crossnobis(torch.from_numpy(x).float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), exact, atol=2e-5)
    monkeypatch.setattr(dissimilarity, "_BLOCK_ROWS", {"cpu": 3})
    np.testing.assert_allclose(crossnobis(x), exact, rtol=1e-10)


def test_crossnobis_is_leave_one_out_when_balanced(rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 4, 5))
    folds = []
    for fold in range(4):
        test, train = x[:, fold], np.delete(x, fold, axis=1).mean(1)
        folds.append(
            [(test[i] - test[j]) @ (train[i] - train[j]) / 5 for i in range(6) for j in range(i + 1, 6)]
        )
    np.testing.assert_allclose(crossnobis(x), np.mean(folds, 0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(crossnobis(x + 1e3, center=False), crossnobis(x), atol=1e-8)


def test_crossnobis_has_no_bias_and_is_not_clipped(rng: np.random.Generator) -> None:
    # Equal patterns, unequal numbers of repeats, unequal noise, an offset: expectation 0, so both signs.
    distances = []
    for _ in range(300):
        x = 5 + rng.normal(size=(4, 4, 20)) * np.array([0.5, 1.0, 2.0, 1.0])[:, None, None]
        x[1, 3] = x[2, 1] = x[2, 2] = np.nan
        distances.append(crossnobis(x))
    mean, error = np.mean(distances, 0), np.std(distances, 0) / np.sqrt(300)
    assert (np.abs(mean) < 4 * error).all()
    assert (np.array(distances) < 0).any(0).all()


def test_centring_removes_the_variance_that_an_offset_brings(rng: np.random.Generator) -> None:
    # Why `center` is the default.
    spread = {True: [], False: []}
    for _ in range(100):
        x = 20 + rng.normal(size=(4, 4, 20))
        x[1, 3] = x[2, 1] = x[2, 2] = np.nan
        for center, values in spread.items():
            values.append(crossnobis(x, center=center))
    assert (np.std(spread[True], 0)[:2] < np.std(spread[False], 0)[:2] / 2).all()


def test_crossnobis_with_too_few_repeats_or_broken_ones_is_nan(rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 3, 4))
    clean = squareform(crossnobis(x, center=False))
    x[1, 1:] = np.nan  # one repeat
    x[3] = np.nan  # none
    x[4, 2, 0] = np.nan  # partly recorded: not a missing repeat but a broken one
    square = squareform(crossnobis(x, center=False))
    assert np.isnan(square[[1, 3, 4]]).sum() == 3 * 5
    good = np.ix_([0, 2, 5], [0, 2, 5])
    np.testing.assert_allclose(square[good], clean[good], rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rdm(np.ones(4)), "stimuli, features"),
        (lambda: rdm(np.ones((2, 3, 4))), "flatten the features"),
        (lambda: rdm(torch.ones(2, 3, 4, 4)), "flatten the features"),
        (lambda: rdm(np.ones((1, 4))), "at least 2 stimuli"),
        (lambda: rdm(np.ones((3, 0))), "1 feature"),
        (lambda: rdm(np.array([["a", "b"], ["c", "d"]])), "real numbers"),
        (lambda: rdm(np.ones((3, 4), dtype=complex)), "real numbers"),
        (lambda: rdm(torch.ones(3, 4, dtype=torch.complex64)), "real numbers"),
        (lambda: rdm([[1.0, 2.0], [1.0]]), "rectangular"),
        (lambda: rdm(np.ones((3, 4)), "corelation"), "did you mean 'correlation'"),
        (lambda: rdm(np.ones((3, 4)), "crossnobis"), "stimuli, repeats, features"),
        (lambda: rdm(np.ones((3, 4)), precision=np.eye(4)), "crossnobis"),
        (lambda: rdm(-np.ones((3, 4)), "poisson"), "not negative; row 0"),
        (lambda: rdm(np.array([[1, 2], [1, 2], [3, -0.5]]), "poisson"), "row 2 has -0.5"),
        (lambda: rdm(np.ones((3, 4)), "poisson", prior_weight=0), "positive"),
        (lambda: crossnobis(np.ones((3, 1, 4))), "2 repeats"),
        (lambda: crossnobis(np.ones((1, 2, 4))), "2 stimuli"),
        (lambda: crossnobis(np.full((3, 2, 4), np.nan)), "no stimulus was shown twice"),
        (lambda: crossnobis(np.ones((3, 2, 4)), np.eye(3)), r"\(4, 4\)"),
        (lambda: crossnobis(np.ones((3, 2, 4)), np.triu(np.ones((4, 4)))), "symmetric"),
        (lambda: crossnobis(np.ones((3, 2, 4)), np.full((4, 4), np.nan)), "finite"),
    ],
)
def test_bad_input_is_named(call: typing.Callable[[], object], words: str) -> None:
    with pytest.raises(TgsageError, match=words):
        call()


def test_numpy_users_do_not_pay_for_torch() -> None:
    code = (
        "import sys, numpy as np; from tgsage.rdm import rdm, compare, crossnobis;"
        "d = rdm(np.eye(4) + np.arange(4)); compare(d, d); crossnobis(np.ones((3, 2, 4)));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("metric", PATTERN_METRICS)
def test_cuda_equals_numpy(metric: str, rng: np.random.Generator) -> None:
    x = rng.gamma(2.0, size=(60, 500))
    x[3] = x[9]
    x[7, 2] = np.nan
    given = rdm(torch.from_numpy(x).float().cuda(), metric)
    assert given.device.type == "cuda"
    np.testing.assert_allclose(given.cpu().numpy(), rdm(x, metric), atol=1e-5)
