"""What is particular to one sampler."""

from __future__ import annotations

import dataclasses
import math
import sys

import numpy as np
import optuna
import pandas as pd
import pytest
from made_up_results import rows_of, search, small

from tgsage import samplers, spaces
from tgsage.errors import TgsageError
from tgsage.runs import ledger
from tgsage.samplers import Trial
from tgsage.samplers.base import ASKS, read_trials
from tgsage.samplers.cost import cost
from tgsage.samplers.nsga2.sampler import generations
from tgsage.samplers.reinforce import sampler as reinforce
from tgsage.samplers.reinforce.sampler import BLOCK, Controller
from tgsage.samplers.tpe.sampler import remembered
from tgsage.store import seed_from


@pytest.fixture(scope="module")
def cell():
    return spaces.get("cell", blocks=3, width=4, reductions=1)


@pytest.fixture(scope="module")
def nasbench():
    return spaces.get("nasbench201", width=4, repeats=1)


def tiny_space():
    """One block: 256 combinations, 136 functions."""
    return spaces.get("cell", blocks=1, width=4, reductions=0)


@pytest.mark.parametrize("name", ["random", "tpe"])
def test_a_space_is_proposed_to_its_end_and_then_refused(name):
    space = tiny_space()
    every = {space.key(arch) for arch in space.all()}
    proposed = small(name).propose(space, None, len(every), 0)
    assert {space.key(arch) for arch in proposed} == every and len(proposed) == 136
    with pytest.raises(TgsageError, match=r"no unseen architecture of space cell .* all 256 of the space"):
        small(name).propose(space, None, 1, 0, pending=proposed)


def test_random_is_uniform_over_combinations():
    """Chi-square against the number of combinations per function, over many seeds."""
    from scipy.stats import chisquare

    space = tiny_space()
    weight: dict[str, int] = {}
    for arch in space.all():
        weight[space.key(arch)] = weight.get(space.key(arch), 0) + 1
    found = dict.fromkeys(weight, 0)
    for seed in range(3000):
        found[space.key(samplers.get("random").propose(space, None, 1, seed)[0])] += 1
    expected = [3000 * count / 256 for count in weight.values()]
    assert chisquare(list(found.values()), expected).pvalue > 1e-3


class Stubborn(samplers.Sampler):
    """Proposes one architecture for ever, and counts how often it is asked."""

    def __init__(self, arch, repeats):
        super().__init__(samplers.get("random").settings)
        self.arch, self.repeats, self.asked = arch, repeats, 0

    def begin(self, state):
        def ask():
            self.asked += 1
            return self.arch

        return ask


@pytest.mark.parametrize("repeats", [False, True])
def test_a_sampler_that_insists_is_asked_a_bounded_number_of_times(cell, repeats):
    """On what failed, whether it may repeat itself or not; the slot then goes to an unseen random draw."""
    rng = np.random.default_rng(0)
    archs = [cell.canonical(cell.sample(rng)) for _ in range(3)]
    table = ledger.build(rows_of(cell, archs, 0, failed=(1,)), [])
    sampler = Stubborn(archs[1], repeats)
    proposed = sampler.propose(cell, table, 3, 0)
    assert sampler.asked == 3 * ASKS
    assert proposed == Stubborn(archs[1], repeats).propose(cell, table, 3, 0)
    assert not {cell.key(arch) for arch in proposed} & set(table["candidate"]) and len(set(proposed)) == 3
    # A draw of its own stream, uniform over the space, not a neighbour of what was insisted on.
    stream = np.random.default_rng(seed_from("unseen", 0, 1))
    assert proposed == [cell.canonical(cell.sample(stream)) for _ in range(3)]


def test_a_sampler_that_insists_on_what_went_well(cell):
    """May be repeated on-policy; otherwise it is as seen as a failure."""
    arch = cell.canonical(cell.sample(np.random.default_rng(0)))
    table = ledger.build(rows_of(cell, [arch], 0), [])
    assert Stubborn(arch, True).propose(cell, table, 2, 0) == [arch, arch]
    assert arch not in Stubborn(arch, False).propose(cell, table, 2, 0)


def test_rounds_and_seeds_are_independent_streams(cell):
    sampler = samplers.get("random")
    seen = [tuple(sampler.propose(cell, None, 2, seed, round=r)) for seed in range(3) for r in range(3)]
    assert len(set(seen)) == 9


def test_read_trials_sorts_and_blanks_scores(cell):
    rng = np.random.default_rng(0)
    rows = rows_of(cell, [cell.sample(rng) for _ in range(4)], 0, failed=(2,))
    rows[2]["score"] = 0.9
    table = ledger.build(rows, [])[::-1]
    trials = read_trials(cell, table)
    assert [trial.slot for trial in trials] == [0, 1, 2, 3]
    assert math.isnan(trials[2].score) and not trials[2].ok and trials[1].ok


@pytest.mark.parametrize("change", ["settings", "key", "form", "column"])
def test_a_ledger_that_is_not_of_the_space_is_refused(cell, change):
    """Though its architectures can be read; one of a thousand rows with another key is found by luck only."""
    rng = np.random.default_rng(0)
    table = ledger.build(rows_of(cell, [cell.sample(rng) for _ in range(40)], 0), [])
    space = cell
    if change == "settings":
        space = spaces.get(cell.settings.model_copy(update={"width": 8}))
    elif change == "key":
        table.loc[39, "candidate"] = table.loc[0, "candidate"]
    elif change == "form":
        while (arch := cell.sample(rng)) == cell.canonical(arch):
            pass
        table.loc[0, ["candidate", "architecture"]] = [cell.key(arch), cell.format(arch)]
    else:
        table = table.drop(columns="candidate")
    problem = "no column 'candidate'" if change == "column" else "propose in the space that was searched"
    with pytest.raises(TgsageError, match=problem):
        read_trials(space, table)


def test_tpe_is_optunas_own(nasbench):
    """The same proposals as a study made by hand: nothing between the ledger and Optuna is lost."""
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(nasbench.canonical(nasbench.sample(rng)) for _ in range(20)))
    table = ledger.build(rows_of(nasbench, archs, 0, failed=(3,)), [])
    proposed = samplers.get("tpe", startup=5).propose(nasbench, table, 1, seed=4)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.TPESampler(
            multivariate=True,
            group=True,
            constant_liar=True,
            n_startup_trials=5,
            seed=seed_from("sampler", "tpe", 4, 1) % 2**32,
        )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    options = {name: optuna.distributions.CategoricalDistribution(o) for name, o in nasbench.choices.items()}
    for _, row in table.iterrows():
        ok = row["status"] == "ok"
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.COMPLETE if ok else optuna.trial.TrialState.PRUNED,
                value=row["score"] if ok else None,
                params=dict(nasbench.parse(row["architecture"]).choices),
                distributions=options,
            )
        )
    asked = study.ask(options).params
    assert proposed == [nasbench.canonical(nasbench.decode(asked))]


def test_tpe_remembers_the_best_and_the_most_recent(nasbench):
    """What Optuna takes for good ones of the whole ledger, it takes of what is remembered."""
    from optuna.samplers._tpe.sampler import _split_trials, default_gamma

    rng = np.random.default_rng(0)
    scores = rng.integers(0, 60, 700) / 60  # with ties
    statuses = rng.choice(["ok", "ok", "ok", "failed", "timeout"], 700)
    for n_ok in (700, 12):  # with fewer good ones than Optuna asks for, pruned ones are among them
        trials = [
            trial_of(row, 0, score if status == "ok" and row < n_ok else math.nan)
            for row, (score, status) in enumerate(zip(scores, statuses, strict=True))
        ]
        trials = [
            dataclasses.replace(trial, status=status if trial.status != "ok" else "ok")
            for trial, status in zip(trials, statuses, strict=True)
        ]
        assert remembered(trials, 700) == [trial for trial in trials if trial.status != "timeout"]
        kept = remembered(trials, 300)
        assert len(kept) == 300 and kept == sorted(kept, key=lambda trial: trial.round)

        def good(known):
            study = optuna.create_study(direction="maximize")
            for trial in known:
                if trial.ok:
                    study.add_trial(optuna.trial.create_trial(value=trial.score))
                else:
                    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED))
            below, _ = _split_trials(study, study.get_trials(), default_gamma(len(known)))
            return [known[trial.number] for trial in below]

        best = good(remembered(trials, 700))
        assert len(best) == 25 and good(kept) == best
        others = [trial for trial in remembered(trials, 700) if trial not in best]
        assert [trial for trial in kept if trial not in best] == others[-275:]


def test_tpe_with_a_short_memory_still_uses_what_it_has(nasbench):
    rng = np.random.default_rng(0)
    archs = [nasbench.sample(rng) for _ in range(300)]
    table = ledger.build(rows_of(nasbench, archs, 0), [])
    forgetful, mindful = (samplers.get("tpe", history=history) for history in (250, 300))
    assert forgetful.propose(nasbench, table, 3, 0) != mindful.propose(nasbench, table, 3, 0)
    known = remembered(read_trials(nasbench, table), 250)
    shown = table[table["slot"].isin([trial.slot for trial in known])]
    seen = {trial.key for trial in read_trials(nasbench, table)}
    first = next(a for a in mindful.propose(nasbench, shown, 3, 0) if nasbench.key(a) not in seen)
    assert forgetful.propose(nasbench, table, 3, 0)[0] == first


def test_tpe_moves_towards_what_scored(nasbench):
    """A reward for one operation on one edge: proposals take it far more often than one in five."""

    def score(space, arch):
        return float(dict(arch.choices)["edge_0_3"] == "nor_conv_3x3")

    proposals, _ = search(nasbench, samplers.get("tpe"), 6, 8, seed=0, score=score)
    late = [score(nasbench, arch) for archs in proposals[3:] for arch in archs]
    assert np.mean(late) > 0.5


def test_evolution_children_are_mutations_of_the_youngest(nasbench):
    """Each child differs from a living parent by one choice; the dead, though better, have none."""
    sampler = samplers.get("evolution", population=3, tournament=3)
    strings = [
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    ]
    strings += [strings[0].replace("conv_3x3~2", f"conv_{kernel}~2") for kernel in ("1x1",)]
    strings += [strings[0].replace("conv_3x3~1|+", "conv_1x1~1|+"), strings[0].replace("3x3~0|+", "1x1~0|+")]
    archs = [nasbench.canonical(nasbench.parse(text)) for text in strings]
    assert len(set(archs)) == 4
    rows = rows_of(nasbench, archs, 0)
    for row, value in zip(rows, (9.0, 0.1, 0.3, 0.2), strict=True):
        row["score"] = value
    # The best of the last three is the third, and with a tournament of three it is always the parent.
    table = ledger.build(rows, [])
    rng = np.random.default_rng(0)
    possible = {nasbench.mutate(archs[2], rng) for _ in range(600)}
    for seed in range(5):
        children = sampler.propose(nasbench, table, 4, seed)
        assert set(children) <= possible


def trial_of(round_, slot, score=0.5):
    status = "ok" if math.isfinite(score) else "failed"
    return Trial(round_, slot, "", "", status, score, 1.0, 1.0, None)


def test_generations_by_hand():
    trials = tuple(trial_of(r, s, math.nan if (r, s) == (1, 0) else 0.5) for r in range(6) for s in range(3))
    size = lambda trial: trial.parameters  # noqa: E731
    found = generations(trials, size, 4, round=6)
    # Round 0: 3 complete; round 1: 2, so 5 >= 4 of generation 0; then 3 of generation 1, then 6
    assert found == [0, 0, 0, None, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    # With a lag of one, round 2 knows round 0 only (3 < 4), round 3 knows 5 of generation 0, round 5 knows
    # 3 of generation 1, those of round 3.
    found = generations(trials, size, 4, round=7)
    assert found == [0, 0, 0, None, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    sizeless = generations(trials, lambda trial: math.nan, 4, round=6)
    assert sizeless == [None] * 18


def test_generations_are_those_optuna_gives(nasbench):
    """Ask and tell Optuna itself, round by round: the generations it writes are those restored."""
    sampler = optuna.samplers.NSGAIISampler(population_size=5, seed=0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    options = {name: optuna.distributions.CategoricalDistribution(o) for name, o in nasbench.choices.items()}
    rng = np.random.default_rng(0)
    trials = []
    for round_ in range(8):
        asked = [study.ask(options) for _ in range(3)]
        for slot, item in enumerate(asked):
            if rng.random() < 0.2:
                study.tell(item, state=optuna.trial.TrialState.FAIL)
                trials.append(trial_of(round_, slot, math.nan))
            else:
                study.tell(item, [rng.random(), rng.random()])
                trials.append(trial_of(round_, slot))
    written = [
        item.system_attrs["NSGAIISampler:generation"] if item.state.name == "COMPLETE" else None
        for item in study.trials
    ]
    restored = generations(tuple(trials), lambda trial: trial.parameters, 5, round=8)
    assert restored == written and max(item for item in written if item is not None) >= 3


def test_nsga2_is_optunas_own_with_its_generations(nasbench):
    """A study made by hand from the ledger: equal with the generations restored, another one without."""
    _, table = search(nasbench, samplers.get("nsga2", population=4), 3, 4, seed=7)
    proposed = samplers.get("nsga2", population=4).propose(nasbench, table, 1, seed=7)
    options = {name: optuna.distributions.CategoricalDistribution(o) for name, o in nasbench.choices.items()}
    of = generations(read_trials(nasbench, table), lambda trial: trial.parameters, 4, round=3)
    assert sorted(set(of)) == [0, 1, 2]

    def asked(restored):
        seed = seed_from("sampler", "nsga2", 7, 3) % 2**32
        study = optuna.create_study(
            directions=["maximize", "minimize"],
            sampler=optuna.samplers.NSGAIISampler(population_size=4, seed=seed),
        )
        for generation, (_, row) in zip(of, table.iterrows(), strict=True):
            study.add_trial(
                optuna.trial.create_trial(
                    values=[row["score"], row["parameters"]],
                    params=dict(nasbench.parse(row["architecture"]).choices),
                    distributions=options,
                    system_attrs={"NSGAIISampler:generation": generation} if restored else None,
                )
            )
        return nasbench.canonical(nasbench.decode(study.ask(options).params))

    assert proposed == [asked(True)]
    assert proposed != [asked(False)]


def test_nsga2_selects_parents_as_optuna_does_over_many_generations(nasbench):
    """Forty generations against Optuna's own recursion; and as many as no recursion would survive."""
    rng = np.random.default_rng(0)
    archs = [nasbench.canonical(nasbench.sample(rng)) for _ in range(9)]

    def table_of(rounds):
        texts = [nasbench.format(arch) for arch in archs]
        rows = range(3 * rounds)
        columns = {"candidate": [nasbench.key(archs[row % 9]) for row in rows], "status": "ok",
                   "architecture": [texts[row % 9] for row in rows], "flops": 1.0}  # fmt: skip
        places = {"round": [row // 3 for row in rows], "slot": [row % 3 for row in rows]}
        values = {name: rng.random(len(rows)).round(2) for name in ("score", "parameters")}
        return pd.DataFrame({**places, **columns, **values})

    table = table_of(40)
    sampler = samplers.get("nsga2", population=3)
    trials = read_trials(nasbench, table)
    state = samplers.SearchState(nasbench, trials, (), 4, 7, 40, rng)
    ask = sampler.begin(state)
    options = {name: optuna.distributions.CategoricalDistribution(o) for name, o in nasbench.choices.items()}
    study = optuna.create_study(
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.NSGAIISampler(population_size=3, seed=state.seed_for("nsga2")),
    )
    numbers = generations(trials, lambda trial: trial.parameters, 3, 40)
    assert max(numbers) == 39
    for trial, generation in zip(trials, numbers, strict=True):
        study.add_trial(
            optuna.trial.create_trial(
                values=[trial.score, trial.parameters],
                params=dict(trial.architecture.choices),
                distributions=options,
                system_attrs={"NSGAIISampler:generation": generation},
            )
        )
    assert [ask() for _ in range(6)] == [nasbench.decode(study.ask(options).params) for _ in range(6)]
    deep = sys.getrecursionlimit() + 200
    assert len(sampler.propose(nasbench, table_of(deep), 2, 0)) == 2


def test_nsga2_prefers_small_networks(nasbench):
    """With a score that says nothing, later proposals have far smaller cells than random ones."""
    least = cost(nasbench, nasbench.canonical(next(nasbench.all())), 32, 10, False)[0]

    def run(name, **options):
        rows = []
        for round_ in range(9):
            table = ledger.build(rows, [])
            archs = samplers.get(name, **options).propose(nasbench, table, 8, 0)
            for row, arch in zip(rows_of(nasbench, archs, round_), archs, strict=True):
                row["parameters"], row["score"] = cost(nasbench, arch, 32, 10, False)[0], 0.5
                rows.append(row)
        return np.mean([row["parameters"] - least for row in rows if row["round"] >= 4])

    assert run("nsga2", population=16) < 0.6 * run("random")


def test_reinforce_replays_what_it_drew(cell):
    """The sequence taken for the gradient is the one drawn, not its canonical form."""
    seen = []
    original = reinforce._recognise

    def watched(space, controller, trials, sequences):
        found = original(space, controller, trials, sequences)
        seen.append(
            [(controller.decode(item), trial.architecture) for item, trial in zip(found, trials, strict=True)]
        )
        return found

    _, table = search(cell, small("reinforce"), 3, 4, seed=2)
    reinforce._recognise = watched
    try:
        small("reinforce").propose(cell, table, 4, 2)
        replayed = [pair for found in seen for pair in found]
        assert len(replayed) == 12
        assert all(cell.canonical(drawn) == arch for drawn, arch in replayed)
        # Hardly any draw is canonical by chance.
        assert sum(drawn != arch for drawn, arch in replayed) > 6
        seen.clear()
        # Of a ledger that it did not propose, it takes the rows as they are.
        other = search(cell, samplers.get("random"), 3, 4, seed=9)[1]
        small("reinforce").propose(cell, other, 4, 2)
        assert all(drawn == arch for found in seen for drawn, arch in found)
    finally:
        reinforce._recognise = original


def test_reinforce_with_a_lag_replays_the_same_policy(cell):
    """Every slot is recognised when results come a round late."""
    proposals, table = search(cell, small("reinforce"), 4, 4, seed=3, lag=1)
    known = table[table["round"] < 3]
    again = small("reinforce").propose(cell, known, 4, 3, round=4, pending=proposals[3])
    fresh = small("reinforce").propose(cell, known, 4, 3, round=4)
    assert again == fresh
    trials = read_trials(cell, table)
    controller = Controller(cell, samplers.get("reinforce").settings, reinforce.seed_from("reinforce", 3))
    # The first two rounds came from the untrained policy.
    for round_ in (0, 1):
        sequences = controller.draw(reinforce._stream(3, round_))
        rows = [trial for trial in trials if trial.round == round_]
        found = reinforce._recognise(cell, controller, rows, sequences)
        assert [cell.canonical(controller.decode(item)) for item in found] == [
            row.architecture for row in rows
        ]
        assert any(controller.encode(row.architecture) != item for row, item in zip(rows, found, strict=True))


def test_reinforce_draws_the_same_sequences_however_many_are_wanted(cell):
    controller = Controller(cell, samplers.get("reinforce").settings, 3)
    one, many = (controller.draw(np.random.default_rng(5), wanted) for wanted in (1, 5 * BLOCK + 1))
    assert [next(one) for _ in range(8 * BLOCK)] == [next(many) for _ in range(8 * BLOCK)]


def test_reinforce_learns_from_the_first_of_a_round(cell):
    """Only the baseline hears of the others; with a batch as large as the round nothing is left out."""
    _, table = search(cell, small("reinforce"), 2, 6, seed=3)
    late = table.assign(architecture=table["architecture"].where(table["slot"] < 4, table["architecture"][0]))
    late["candidate"] = late["candidate"].where(late["slot"] < 4, late["candidate"][0])
    assert not late.equals(table)
    few, all_of = (small("reinforce", batch=batch) for batch in (4, 6))
    assert few.propose(cell, table, 6, 3) == few.propose(cell, late, 6, 3)
    assert all_of.propose(cell, table, 6, 3) == small("reinforce").propose(cell, table, 6, 3)
    assert all_of.propose(cell, table, 6, 3) != few.propose(cell, table, 6, 3)
    lowered = table.assign(score=table["score"].where(table["slot"] < 4, -50.0))
    assert few.propose(cell, table, 6, 3) != few.propose(cell, lowered, 6, 3)


def test_reinforce_gradient_agrees_with_finite_differences(nasbench):
    """One step of Adam moves against the gradient of the stated loss, computed by a slow loop in numpy."""
    import torch

    controller = Controller(nasbench, samplers.get("reinforce", hidden=4, entropy=0.1).settings, 1)
    sequences, advantages = [[0, 1, 2, 3, 4, 0], [3, 3, 3, 1, 0, 2]], [0.7, -0.2]
    tensors = controller.optimizer.param_groups[0]["params"]

    def loss():
        weights = {name: v.detach().numpy() for name, v in vars(controller).items() if torch.is_tensor(v)}
        sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
        total = 0.0
        for sequence, advantage in zip(sequences, advantages, strict=True):
            x, h, c, likelihood, entropy = weights["start"], np.zeros(4), np.zeros(4), 0.0, 0.0
            for step, option in enumerate(sequence):
                gates = weights["gates_x"] @ x + weights["gates_h"] @ h + weights["gates_b"]
                write, keep, value, show = gates.reshape(4, 4)
                c = sigmoid(keep) * c + sigmoid(write) * np.tanh(value)
                h = sigmoid(show) * np.tanh(c)
                logits = h @ weights["heads"][step] + weights["heads_b"][step]
                p = np.exp(logits) / np.exp(logits).sum()
                likelihood += np.log(p[option])
                entropy -= (p * np.log(p)).sum() / len(sequence)
                x = weights["embedding"][step, option]
            total -= (advantage * likelihood + 0.1 * entropy) / len(sequences)
        return total

    numeric = []
    rng = np.random.default_rng(0)
    places = [(t, tuple(int(rng.integers(s)) for s in t.shape)) for t in tensors for _ in range(6)]
    for tensor, place in places:
        with torch.no_grad():
            tensor[place] += 1e-6
            above = loss()
            tensor[place] -= 2e-6
            below = loss()
            tensor[place] += 1e-6
        numeric.append((above - below) / 2e-6)
    controller.step(sequences, advantages)
    analytic = [float(tensor.grad[place]) for tensor, place in places]
    np.testing.assert_allclose(analytic, numeric, atol=1e-7, rtol=1e-4)
    assert np.abs(numeric).max() > 1e-3


def test_reinforce_learns_a_distribution(nasbench):
    def score(space, arch):
        return sum(value == "nor_conv_3x3" for _, value in arch.choices) / 6

    proposals, table = search(nasbench, samplers.get("reinforce"), 18, 8, seed=0, score=score)
    means = table.groupby("round")["score"].mean()
    assert means.tail(3).mean() > means.head(3).mean() + 0.3
    # On-policy: it repeats itself once it is sure.
    late = [arch for archs in proposals[-4:] for arch in archs]
    assert len(set(late)) < len(late)


def test_cost_agrees_with_a_real_network():
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    space = spaces.get("convnet10", filters=(2, 3))
    rng = np.random.default_rng(0)
    state = torch.get_rng_state()
    for _ in range(3):
        arch = space.canonical(space.sample(rng))
        parameters, flops = cost(space, arch, 12, 4)
        assert torch.equal(state, torch.get_rng_state())
        with torch.random.fork_rng(devices=[]):
            network = space.build(arch, 4).eval()
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            network(torch.zeros(1, 3, 12, 12))
        assert parameters == sum(p.numel() for p in network.parameters())
        assert flops == counter.get_total_flops()


def test_cost_of_a_network_that_cannot_take_the_images(monkeypatch):
    monkeypatch.setattr("tgsage.samplers.base.DRAWS", 20)
    monkeypatch.setattr("tgsage.samplers.base.ENUMERABLE", 100)
    space = spaces.get("cell", blocks=1, width=4, reductions=3)
    arch = space.canonical(space.sample(np.random.default_rng(0)))
    assert cost(space, arch, 4, 10) is None
    with pytest.raises(TgsageError, match="no unseen architecture"):
        samplers.get("random", max_flops=10**9, constraint_resolution=4).propose(space, None, 1, 0)
