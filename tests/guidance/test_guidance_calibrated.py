"""Calibrated guidance: ridge and its uncertainty against scikit-learn, files, and what a teacher adds."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from guidance_tables import made_up, mature_of
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, WhiteKernel
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tgsage import guidance, spaces
from tgsage.errors import TgsageError
from tgsage.guidance import calibrated
from tgsage.guidance.calibrated.fitted import feature_table
from tgsage.guidance.calibrated.plugin import CalibratedGuidance
from tgsage.guidance.calibrated.ridge import PENALTIES, random_folds
from tgsage.store import seed_from

DATA = Path(os.environ.get("TGSAGE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
NAN = math.nan
TEACHERS = ("first", "max", "mean", "last", "gain")


def _settings(**values):
    return CalibratedGuidance(**{"name": "calibrated", "mature": "not read", **values})


def _quality(n, seed=0):
    return np.random.default_rng(seed).uniform(0.3, 0.9, n)


def _sample(n=50, seed=0, **options):
    """A made-up ledger without failures, its profiles and the mature accuracies it was made from."""
    quality = _quality(n, seed)
    table, profiles = made_up(n, seed=seed, quality=quality, failing=False, **options)
    return table, profiles, mature_of(quality, table)


def _regression(table, profiles, known, fitted):
    """Features and accuracies in the order in which rows are fitted."""
    order = np.argsort(table["architecture"].to_numpy(), kind="stable")
    x = feature_table(table, profiles, fitted.groups, fitted.targets)[fitted.features]
    return x.to_numpy()[order], known[table["architecture"]].to_numpy()[order]


def _search(x, y, fold):
    """scikit-learn's choice of the penalty, with the same folds."""
    return GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": len(y) * np.array(PENALTIES)},
        scoring="neg_mean_squared_error", cv=PredefinedSplit(fold),
    ).fit(x, y)  # fmt: skip


def test_features_by_hand():
    table, profiles, _ = _sample(6)
    found = feature_table(table, profiles, ["accuracy", "loss", "training_loss_sum", "parameters"], [])
    assert found.columns.tolist() == [
        "accuracy", "negative_loss", "negative_training_loss_sum", "log_parameters",
    ]  # fmt: skip
    row = table.iloc[2]
    expected = [row["accuracy"], -row["loss"], -row["training_loss_sum"], math.log(row["parameters"])]
    assert found.iloc[2].tolist() == expected
    found = feature_table(table, profiles, TEACHERS, ["IT"])
    layers = profiles["rsa"].sel(target="IT").values[2]
    live = layers[~np.isnan(layers)]
    gain = np.nanmax(layers - profiles["untrained"].sel(target="IT").values[2])
    assert found.columns.tolist() == [f"{name}_IT" for name in TEACHERS]
    assert found.iloc[2].tolist() == pytest.approx([live[0], live.max(), live.mean(), live[-1], gain])


@pytest.mark.parametrize("seed", range(4))
def test_weights_penalty_and_predictions_are_scikit_learns(seed):
    table, profiles, known = _sample(seed=seed)
    fitted = calibrated.fit(table, profiles, known, _settings(seed=seed))
    assert fitted.n == 50 and len(fitted.features) == 14 and not fitted.dropped
    x, y = _regression(table, profiles, known, fitted)
    fold = random_folds(50, 5, seed_from("calibrated guidance", seed))
    search = _search(x, y, fold)
    assert search.best_params_["ridge__alpha"] == pytest.approx(fitted.penalty)
    ridge = search.best_estimator_
    np.testing.assert_allclose(fitted.weights, ridge[-1].coef_, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(fitted.means, ridge[0].mean_)
    np.testing.assert_allclose(fitted.sds, ridge[0].scale_)
    predicted = fitted.predict(table, profiles)["predicted"]
    features = feature_table(table, profiles, fitted.groups, fitted.targets).to_numpy()
    np.testing.assert_allclose(predicted, ridge.predict(features))


def test_cross_validation_around_the_penalty_is_scikit_learns():
    table, profiles, known = _sample(seed=5)
    fitted = calibrated.fit(table, profiles, known, _settings(seed=5, folds=3))
    x, y = _regression(table, profiles, known, fitted)
    fold = random_folds(50, 3, seed_from("calibrated guidance", 5))

    def ridge(columns, train, test, penalty):
        scaler = StandardScaler().fit(x[np.ix_(train, columns)])
        model = Ridge(alpha=penalty).fit(scaler.transform(x[np.ix_(train, columns)]), y[train])
        return model.predict(scaler.transform(x[np.ix_(test, columns)]))

    def held_out(columns):
        predicted = np.empty(50)
        for left_out in range(3):
            train, test = np.flatnonzero(fold != left_out), np.flatnonzero(fold == left_out)
            inner = random_folds(len(train), 3, seed_from("calibrated guidance", 5, left_out))
            errors = {}
            for penalty in len(train) * np.array(PENALTIES):
                parts = [(train[inner != i], train[inner == i]) for i in range(3)]
                errors[penalty] = sum(((ridge(columns, a, b, penalty) - y[b]) ** 2).sum() for a, b in parts)
            predicted[test] = ridge(columns, train, test, min(errors, key=errors.get))
        return predicted

    own, taught = range(4), range(4, 14)
    for told, columns in (
        (fitted.with_teacher, range(14)), (fitted.without_teacher, own), (fitted.teacher.performance, taught),
    ):  # fmt: skip
        predicted = held_out(list(columns))
        assert told.n == 50
        assert told.rmse == pytest.approx(np.sqrt(np.mean((predicted - y) ** 2)))
        assert told.r2 == pytest.approx(r2_score(y, predicted))
        assert told.spearman == pytest.approx(scipy.stats.spearmanr(predicted, y).statistic)
    # Partial rank correlation: correlation of what ranks of parameters leave of the other ranks.
    ranks = [scipy.stats.rankdata(v) for v in (held_out(list(taught)), y, x[:, 3])]
    given = ranks[2][:, None]
    left = [r - LinearRegression().fit(given, r).predict(given) for r in ranks[:2]]
    assert fitted.teacher.spearman_given_parameters == pytest.approx(np.corrcoef(*left)[0, 1])


def test_predictive_deviation_is_that_of_a_gaussian_process_with_a_linear_kernel():
    table, profiles, known = _sample(40, seed=1)
    fitted = calibrated.fit(table, profiles, known)
    x, y = _regression(table, profiles, known, fitted)
    variance = fitted.residual_sd**2
    kernel = (
        ConstantKernel(variance / fitted.penalty) * DotProduct(sigma_0=1e-9)
        + ConstantKernel(1e4 * variance)  # the flat prior of the intercept
        + WhiteKernel(variance)
    )
    other, other_profiles, _ = _sample(25, seed=2)
    z = (x - fitted.means) / fitted.sds
    features = feature_table(other, other_profiles, fitted.groups, fitted.targets)
    new = (features.to_numpy() - fitted.means) / fitted.sds
    process = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(z, y - y.mean())
    mean, sd = process.predict(new, return_std=True)
    found = fitted.predict(other, other_profiles)
    np.testing.assert_allclose(found["predicted"], y.mean() + mean, atol=1e-6)
    np.testing.assert_allclose(found["sd"], sd, rtol=1e-4)
    # Residual variance over the degrees of freedom that the penalty leaves.
    hat = z @ np.linalg.solve(z.T @ z + fitted.penalty * np.eye(z.shape[1]), z.T)
    residual = y - y.mean() - hat @ (y - y.mean())
    assert variance == pytest.approx(residual @ residual / (40 - 1 - np.trace(hat)))


@pytest.mark.parametrize(
    ("seeds", "options", "settings"),
    [
        (range(25), {"depth": 3}, {"features": ["accuracy", "loss", "max"]}),
        pytest.param(
            range(200, 300), {"depth": 3}, {"features": ["accuracy", "loss", "max"]}, marks=pytest.mark.slow
        ),
        pytest.param(range(200, 300), {}, {}, marks=pytest.mark.slow),
    ],
    ids=["25 data sets", "100 data sets", "100 data sets, all features"],
)
def test_predictive_intervals_hold_what_they_say(seeds, options, settings):
    inside = total = 0
    for seed in seeds:
        table, profiles, known = _sample(80, seed=seed, **options)
        half = (table["slot"] < 5).to_numpy()
        rows = np.flatnonzero(half)
        fitted = calibrated.fit(table[half], profiles.isel(row=rows), known, _settings(**settings))
        found = fitted.predict(table, profiles)[~half]
        error = np.abs(found["predicted"] - known[table["architecture"]].to_numpy()[~half])
        inside += (error < 1.645 * found["sd"]).sum()
        total += len(found)
    print(f"{len(seeds)} data sets, {len(fitted.features)} features: {inside / total:.4f} of {total} inside")
    # Predictions of one data set depend on each other; nominal 0.90.
    assert total == 40 * len(seeds)
    assert 0.86 < inside / total < 0.93


def test_score_is_the_prediction_minus_kappa_deviations(tmp_path):
    table, profiles, known = _sample()
    path = tmp_path / "mature.csv"
    known.rename_axis("architecture").to_csv(path)
    fitted = calibrated.fit(table, profiles, known)
    told = fitted.predict(table, profiles)
    for kappa in (0, 1.5):
        scores = guidance.get("calibrated", mature=str(path), kappa=kappa)(table, profiles)
        np.testing.assert_allclose(scores, told["predicted"] - kappa * told["sd"], rtol=1e-12)
        assert "note" not in scores.attrs
    assert (told["sd"] > fitted.residual_sd).all()


def test_too_few_known_accuracies_fall_back_and_say_so(tmp_path):
    table, profiles, known = _sample()
    few = known.iloc[:19]
    fitted = calibrated.fit(table, profiles, few)
    assert not fitted.is_fit and fitted.n == 19 and "19 candidates" in fitted.note and "P + TG" in fitted.note
    assert calibrated.fit(table, profiles, known.iloc[:20]).is_fit
    few.rename_axis("architecture").to_csv(tmp_path / "mature.csv")
    scores = guidance.get("calibrated", mature=str(tmp_path / "mature.csv"))(table, profiles)
    assert "the score is P + TG" in scores.attrs["note"]
    pd.testing.assert_series_equal(scores, guidance.score(table), check_exact=True)
    # The file says it too, and scores from it are the same.
    fitted.save(tmp_path / "fitted.json")
    assert "P + TG" in (tmp_path / "fitted.json").read_text()
    again = guidance.get("calibrated", fitted=str(tmp_path / "fitted.json"))(table, profiles)
    pd.testing.assert_series_equal(again, scores, check_exact=True)
    assert again.attrs == scores.attrs
    with pytest.raises(TgsageError, match="nothing is fitted: 19 candidates"):
        fitted.predict(table, profiles)


def test_missing_features_are_left_out_by_name():
    table, profiles, known = _sample(untrained=False)
    table["training_loss_sum"] = 40.0
    table.loc[3, "loss"] = NAN
    fitted = calibrated.fit(table, profiles, known)
    assert fitted.dropped == {
        "negative_training_loss_sum": "does not vary among the candidates",
        "gain_V4": "missing in 50 of 50 candidates",
        "gain_IT": "missing in 50 of 50 candidates",
    }
    assert (fitted.n, fitted.left_out) == (49, 1)
    scores = fitted.scores(table, profiles)
    assert np.isnan(scores[3]) and scores.drop(3).notna().all()
    assert "1 ok candidates lack a feature" in scores.attrs["note"]


def test_each_architecture_is_fitted_once_and_known_ones_are_averaged():
    table, profiles, known = _sample()
    again = table.iloc[:10].assign(round=9, accuracy=0.123)
    twice = pd.concat([table, again], ignore_index=True)
    longer = profiles.isel(row=[*range(50), *range(10)])
    single = calibrated.fit(table, profiles, known)
    assert calibrated.fit(twice, longer, known) == single
    # A csv may hold several seeds of one architecture.
    seeds = pd.concat([known - 0.01, known + 0.01])
    np.testing.assert_allclose(calibrated.fit(table, profiles, seeds).weights, single.weights)


def test_matched_by_text_and_never_by_key():
    space = spaces.get("nasbench201")
    # A chain of convolution and skip is one function, whichever comes first.
    one = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    two = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|"
    parsed = [space.parse(text) for text in (one, two)]
    assert space.key(parsed[0]) == space.key(parsed[1])
    table, profiles, known = _sample(30)
    table.loc[0, "architecture"] = space.format(parsed[0])
    for text, n in ((parsed[0], 30), (parsed[1], 29)):
        named = known.rename({known.index[0]: space.format(text)})
        assert calibrated.fit(table, profiles, named).n == n


def test_a_file_of_nasbench201_strings_is_read_as_a_ledger_writes_them(tmp_path):
    space = spaces.get("nasbench201")
    text = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|"
    (tmp_path / "t.csv").write_text(f"architecture,top1\n{text},91.5\n{text},92.5\n")
    known = calibrated.read_mature(tmp_path / "t.csv", "top1", percent=True)
    assert known.to_dict() == {space.format(space.parse(text)): pytest.approx(0.92)}
    assert space.format(space.canonical(space.parse(text))) != known.index[0]


def test_failed_finalists_are_passed_over(tmp_path):
    (tmp_path / "finalists.csv").write_text(
        'rank,architecture,premature_accuracy,status,accuracy\n1,"{""a"":1}",0.4,ok,0.8\n2,b,0.3,failed,\n'
    )
    assert calibrated.read_mature(tmp_path / "finalists.csv").to_dict() == {'{"a":1}': 0.8}


# What is wrong with a file of mature accuracies, and the words that say so.
BAD_MATURE = {
    "missing": (None, "no such file of mature accuracies"),
    "empty": ("", "cannot be read as csv"),
    "not text": (b"\xff\xfe\x00\x81", "cannot be read as csv"),
    "ragged": ("architecture,accuracy\na,0.5\nb,0.5,1,2\n", "cannot be read as csv"),
    "no architecture": ("arch,accuracy\na,0.5\n", "has no column 'architecture' (did you mean 'arch'?)"),
    "no accuracy": ("architecture,acuracy\na,0.5\n", "has no column 'accuracy' (did you mean 'acuracy'?)"),
    "not a number": ("architecture,accuracy\na,0.5\nb,high\n", "line 3: accuracy is not a number: 'high'"),
    "percent": ("architecture,accuracy\na,91.5\n", "line 2: accuracy 91.5 is not a fraction; set percent"),
    "infinite": ("architecture,accuracy\na,inf\n", "line 2: accuracy inf is not a fraction"),
    "no name": ("architecture,accuracy\n,0.5\n", "line 2: the architecture is missing"),
    "no rows": ("architecture,accuracy\n", "holds no accuracy"),
    "no such cell": ("architecture,accuracy\n|conv~0|,0.5\n", "line 2: space nasbench201: not a string"),
}


@pytest.mark.parametrize("case", BAD_MATURE)
def test_a_wrong_file_of_mature_accuracies_is_one_line(tmp_path, case):
    content, words = BAD_MATURE[case]
    path = tmp_path / "mature.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TgsageError) as raised:
        guidance.get("calibrated", mature=str(path))
    message = str(raised.value)
    assert str(path) in message and words in message and "\n" not in message


def test_a_saved_fit_gives_the_same_scores(tmp_path):
    table, profiles, known = _sample()
    fitted = calibrated.fit(table, profiles, known)
    path = tmp_path / "deep" / "fitted.json"
    fitted.save(path)
    assert calibrated.Fitted.load(path) == fitted
    assert path.stat().st_size < 20_000 and [item.name for item in path.parent.iterdir()] == [path.name]
    other, other_profiles, _ = _sample(seed=9)
    scores = guidance.get("calibrated", fitted=str(path))(other, other_profiles)
    expected = fitted.predict(other, other_profiles)["predicted"]
    np.testing.assert_array_equal(scores, expected)
    # Targets are found by name.
    turned = guidance.get("calibrated", fitted=str(path))(other, other_profiles.isel(target=[1, 0]))
    np.testing.assert_array_equal(scores, turned)
    longer = guidance.get("calibrated", fitted=str(path))(other.assign(examples=9e6), other_profiles)
    assert "50 candidates were trained on fewer or more examples" in longer.attrs["note"]


def test_another_set_of_features_or_targets_is_refused(tmp_path):
    table, profiles, known = _sample()
    path = tmp_path / "fitted.json"
    calibrated.fit(table, profiles, known).save(path)
    function = guidance.get("calibrated", fitted=str(path))
    with pytest.raises(TgsageError, match=r"targets V4, IT, .* compared with V4, aIT; fit anew"):
        function(table, profiles.assign_coords(target=["V4", "aIT"]))
    with pytest.raises(TgsageError, match=r"targets V4, IT, .* compared with V4; fit anew"):
        function(table, profiles.isel(target=[0]))
    with pytest.raises(TgsageError, match="fitted with gain_V4, gain_IT, which no candidate here has"):
        function(table, profiles.assign(untrained=profiles["untrained"] * NAN))
    with pytest.raises(
        TgsageError, match=r"fitted with the features accuracy, loss.* and first, gain are set"
    ):
        guidance.get("calibrated", fitted=str(path), features=["first", "gain"])
    with pytest.raises(TgsageError, match="features max need the profiles"):
        calibrated.fit(table, None, known, _settings(features=["accuracy", "max"]))


# What is wrong with a fitted file, as a change of a right one, and the words that say so.
BAD_FITTED = {
    "missing": (None, "no such file; make one with tgsage fit-guidance"),
    "not JSON": (lambda c: "{", "cannot be read as JSON"),
    "a list": (lambda c: [c], "is no fitted guidance"),
    "another format": (lambda c: c | {"format": "2"}, "is no fitted guidance"),
    "unknown key": (lambda c: c | {"slope": 1}, "slope"),
    "key missing": (lambda c: {k: v for k, v in c.items() if k != "groups"}, "groups"),
    "weight missing": (lambda c: c | {"weights": c["weights"][1:]}, "weights: has 13 entries for 14"),
    "weight as text": (lambda c: c | {"weights": ["much"] * 14}, "weights.0"),
    "infinite weight": (lambda c: c | {"weights": [math.inf] * 14}, "not finite"),
    "zero deviation": (lambda c: c | {"sds": [0] * 14}, "sds: are not all positive"),
    "matrix cut": (lambda c: c | {"inverse": [[1.0]] * 14}, "inverse: is not 14 by 14"),
    "unknown group": (lambda c: c | {"groups": ["maximum"]}, "unknown feature 'maximum'"),
    "feature of no target": (lambda c: c | {"targets": ["V4"]}, "'first_IT' is none of those"),
    "nothing fitted, nothing said": (
        lambda c: c | {k: [] for k in ("features", "means", "sds", "weights", "inverse")} | {"penalty": None},
        "note: must say why",
    ),
}


@pytest.mark.parametrize("case", BAD_FITTED)
def test_a_wrong_fitted_file_is_one_line(tmp_path, case):
    change, words = BAD_FITTED[case]
    path = tmp_path / "fitted.json"
    if change is not None:
        table, profiles, known = _sample()
        content = change(calibrated.fit(table, profiles, known).plain())
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(TgsageError) as raised:
        guidance.get("calibrated", fitted=str(path))
    message = str(raised.value)
    assert str(path) in message and words in message and "\n" not in message


def test_fewer_degrees_of_freedom_than_features():
    table, profiles, known = _sample(20)
    fitted = calibrated.fit(table, profiles, known, _settings(minimum=20))
    told = fitted.predict(table, profiles)
    assert fitted.is_fit and np.isfinite(told).all(axis=None) and (told["sd"] > 0).all()


def test_a_table_of_known_accuracies_must_be_fractions_with_names():
    table, profiles, known = _sample()
    told = known.rename_axis("architecture").reset_index()
    assert calibrated.fit(table, profiles, told) == calibrated.fit(table, profiles, known)
    with pytest.raises(TgsageError, match="have no column 'accuracy'"):
        calibrated.fit(table, profiles, told.drop(columns="accuracy"))
    with pytest.raises(TgsageError, match=r"not a fraction in \[0, 1\]"):
        calibrated.fit(table, profiles, known * 100)


@pytest.fixture(scope="module")
def nasbench():
    """Real mature accuracies of 120 cells of NAS-Bench-201; what was measured of them early is made up."""
    path = DATA / "nasbench201" / "accuracy_half.csv"
    if not path.is_file():
        pytest.skip(f"{path} is absent; see tests/real_data")
    known = calibrated.read_mature(path, "cifar10_test_200ep", percent=True)
    assert len(known) == 7809
    # Cells that train to better than chance: the others lie far away from all the rest.
    chosen = known[known > 0.7].sample(120, random_state=3)
    quality = np.interp(chosen, [0.7, 0.95], [0.3, 0.9])
    table, profiles = made_up(120, architectures=list(chosen.index), quality=quality)
    return path, table, profiles, chosen


def test_on_the_table_of_nasbench201(nasbench, tmp_path):
    path, table, profiles, chosen = nasbench
    settings = {"mature": str(path), "column": "cifar10_test_200ep", "percent": True}
    scores = guidance.get("calibrated", **settings)(table, profiles)
    ok = (table["status"] == "ok").to_numpy()
    assert "note" not in scores.attrs and scores[ok].notna().all()
    early = scipy.stats.spearmanr(table["accuracy"][ok], chosen[ok]).statistic
    assert scipy.stats.spearmanr(scores[ok], chosen[ok]).statistic > early + 0.05
    fitted = calibrated.fit(table, profiles, path, _settings(**settings))
    assert fitted.n == ok.sum()
    assert fitted.with_teacher.rmse < chosen[ok].std()
    fitted.save(tmp_path / "fitted.json")
    again = guidance.get("calibrated", fitted=str(tmp_path / "fitted.json"))(table, profiles)
    np.testing.assert_array_equal(again, scores)


def test_a_teacher_that_knows_nothing_adds_nothing(nasbench):
    """The teacher of this made-up ledger is informative; with its rows permuted it is not."""
    path, table, profiles, _ = nasbench
    settings = _settings(mature=str(path), column="cifar10_test_200ep", percent=True)
    true = calibrated.fit(table, profiles, path, settings)
    assert true.with_teacher.r2 > true.without_teacher.r2 + 0.01
    assert true.teacher.spearman_given_parameters > 0.4
    ok = np.flatnonzero((table["status"] == "ok").to_numpy())
    shuffled = profiles.copy(deep=True)
    order = np.random.default_rng(0).permutation(ok)
    for name in ("rsa", "untrained"):
        shuffled[name].values[ok] = profiles[name].values[order]
    false = calibrated.fit(table, shuffled, path, settings)
    assert false.without_teacher == true.without_teacher
    assert false.with_teacher.r2 < false.without_teacher.r2 + 0.01
    assert abs(false.teacher.spearman_given_parameters) < 0.25
