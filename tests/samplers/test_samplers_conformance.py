"""What every sampler must do in every space."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from made_up_results import OWN, SMALL, rows_of, search, small, small_spaces
from scipy.stats import wilcoxon

from helpers.plugin_files import registered
from tgsage import plugins, samplers, spaces
from tgsage.errors import TgsageError
from tgsage.runs import ledger
from tgsage.samplers.cost import cost
from tgsage.samplers.settings import SamplerSettings
from tgsage.spaces.cell.blocks import OPERATIONS, unused_blocks

# A sampler sees a space through its choices only: every sampler searches two spaces, and two samplers search
# every space. convnet20 is convnet10 with more of the same, and takes as long as all others together.
PAIRS = [
    *(("nasbench201", name) for name in SMALL),
    ("cell", "tpe"), ("cell", "climber"), ("convnet10", "evolution"), ("convnet10", "random"),
    ("list", "nsga2"), ("list", "random"), ("columns", "reinforce"), ("columns", "tpe"),
    pytest.param(("convnet20", "evolution"), marks=pytest.mark.slow),
    pytest.param(("convnet20", "reinforce"), marks=pytest.mark.slow),
]  # fmt: skip
LEARNING = tuple(name for name in SMALL if name not in ("random", "climber"))


@pytest.fixture(scope="module", autouse=True)
def every_space(tmp_path_factory):
    with registered(OWN):
        yield small_spaces(tmp_path_factory.mktemp("listed"))


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request):
    return request.param


@pytest.fixture
def space(pair, every_space):
    return every_space[pair[0]]


@pytest.fixture
def sampler(pair):
    return pair[1]


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def searches():
    """Three rounds of four, of which slot 1 fails; each is run once, for every test that looks at it."""
    made = {}

    def of(space, name):
        if (space.name, name) not in made:
            made[space.name, name] = search(space, small(name), 3, 4, seed=5, failed=(1,))
        return made[space.name, name]

    return of


def test_the_suite_covers_all(every_space):
    assert set(SMALL) == {plugin.plugin_name() for plugin in plugins.every("sampler")}
    assert set(every_space) == {plugin.plugin_name() for plugin in plugins.every("space")}


def test_same_seed_same_proposals_whatever_the_order_of_arrival(space, sampler, searches):
    """A new sampler, a shuffled ledger, and another time: the same answer. Another seed: another one."""
    _, table = searches(space, sampler)
    first = small(sampler).propose(space, table, 4, seed=5)
    assert first == small(sampler).propose(space, table.sample(frac=1, random_state=0), 4, seed=5)
    assert first != small(sampler).propose(space, table, 4, seed=6)
    assert first[:2] != small(sampler).propose(space, table, 2, seed=5, round=4)


def test_proposals_are_canonical_and_unique(space, sampler, searches):
    proposals, table = searches(space, sampler)
    proposals = [*proposals, small(sampler).propose(space, table, 4, seed=5)]
    assert [len(archs) for archs in proposals] == [4] * 4
    flat = [arch for archs in proposals for arch in archs]
    assert all(space.canonical(arch) == arch for arch in flat)
    if sampler != "reinforce":
        assert len({space.key(arch) for arch in flat}) == 16


def test_failed_candidates_are_not_tried_again(space, sampler, searches):
    """Even if nearly everything failed."""
    _, table = searches(space, sampler)
    known = table.assign(status=["failed"] * 11 + ["ok"], score=[math.nan] * 11 + [0.5])
    failed = set(known["candidate"][known["status"] == "failed"])
    proposed = small(sampler).propose(space, known, 6, seed=5)
    assert not failed & {space.key(arch) for arch in proposed}


def test_round_three_has_left_the_random_phase(space, sampler, searches):
    """The ledger is used: with other scores the proposals are others. Not so those of `random`."""
    _, table = searches(space, sampler)
    learned = small(sampler).propose(space, table, 8, seed=5)
    opposite = small(sampler).propose(space, table.assign(score=1 - table["score"]), 8, seed=5)
    if sampler == "random":
        assert learned == opposite
    else:
        assert learned != opposite
        assert learned != small("random").propose(space, table, 8, seed=5)


def test_learning_changes_the_third_round(space, sampler):
    """Same seed, same results: by the third round no sampler proposes what the random one does."""
    proposals, table = search(space, small(sampler), 3, 4, seed=8)
    known = table[table["round"] < 2]
    uniform = small("random").propose(space, known, 4, 8, round=2)
    assert proposals[2] == small(sampler).propose(space, known, 4, 8, round=2)
    assert (proposals[2] == uniform) == (sampler == "random")


def test_the_ledger_is_not_touched(every_space, name):
    space = every_space["cell"]
    _, table = search(space, small(name), 2, 4, seed=0, failed=(2,))
    before = table.copy(deep=True)
    small(name).propose(space, table, 3, 0)
    pd.testing.assert_frame_equal(table, before)


def test_slots_of_a_round_may_arrive_in_any_order(space, sampler, searches):
    """Every order of the last round's rows, with the earlier rounds behind them."""
    _, table = searches(space, sampler)
    first = small(sampler).propose(space, table, 2, seed=5)
    last = table.index[table["round"] == 2].tolist()
    for order in itertools.islice(itertools.permutations(last), 1, 24, 7):
        arrived = table.loc[[*order, *table.index[table["round"] < 2]]]
        assert small(sampler).propose(space, arrived, 2, seed=5) == first


def test_pending_is_not_proposed_again(space, sampler):
    proposals, table = search(space, small(sampler), 4, 3, seed=1, lag=2)
    keys = [space.key(arch) for archs in proposals for arch in archs]
    if sampler == "reinforce":  # on-policy: may repeat itself, and still fills every slot
        assert len(keys) == 12
        return
    assert len(set(keys)) == 12 and sorted(keys) == sorted(table["candidate"])


def test_pending_may_come_in_any_order(space, sampler):
    rng = np.random.default_rng(0)
    known = ledger.build(rows_of(space, [space.sample(rng) for _ in range(6)], 0), [])
    waiting = [space.sample(rng) for _ in range(3)]
    first = small(sampler).propose(space, known, 3, 0, round=2, pending=waiting)
    assert first == small(sampler).propose(space, known, 3, 0, round=2, pending=waiting[::-1])


@pytest.mark.parametrize("limit", ["max_parameters", "max_flops"])
def test_constraints_are_kept(name, limit, every_space):
    space = every_space["cell"]
    rng = np.random.default_rng(3)
    settings = {"constraint_resolution": 8, "constraint_classes": 4}
    which = 0 if limit == "max_parameters" else 1
    sizes = [cost(space, space.canonical(space.sample(rng)), 8, 4)[which] for _ in range(9)]
    bound = int(np.median(sizes))
    sampler = small(name, **{limit: bound}, **settings)
    proposals, _ = search(space, sampler, 3, 3, seed=0)
    flat = [arch for archs in proposals for arch in archs]
    assert all(cost(space, arch, 8, 4)[which] <= bound for arch in flat)
    free, _ = search(space, small(name, **settings), 1, 8, seed=0)
    assert any(cost(space, arch, 8, 4)[which] > bound for arch in free[0])


def test_impossible_constraints_are_one_line(name, every_space):
    sampler = small(name, max_parameters=10)
    with pytest.raises(TgsageError, match=r"no unseen architecture.*relax max_parameters"):
        sampler.propose(every_space["list"], None, 1, 0)


def test_nothing_is_known_at_first(space, sampler):
    empty = ledger.build([], ["V4"])
    assert small(sampler).propose(space, None, 2, 0) == small(sampler).propose(space, empty, 2, 0)
    assert small(sampler).propose(space, None, 0, 0) == []


def test_only_failures_are_no_obstacle(space, sampler):
    rng = np.random.default_rng(0)
    rows = rows_of(space, [space.sample(rng) for _ in range(3)], 0, failed=(0, 1, 2))
    rows[1]["status"], rows[2]["status"] = "timeout", "invalid"
    known = ledger.build(rows, [])
    proposed = small(sampler).propose(space, known, 3, 0)
    assert len(proposed) == 3
    assert not set(known["candidate"]) & {space.key(arch) for arch in proposed}


def test_scores_that_are_nan_are_no_obstacle(space, sampler):
    rng = np.random.default_rng(0)
    rows = rows_of(space, [space.sample(rng) for _ in range(9)], 0)
    for row in rows[::2]:
        row["score"] = math.nan
    known = ledger.build(rows, [])
    assert len(small(sampler).propose(space, known, 3, 0)) == 3


def test_global_state_is_left_alone(every_space, name):
    """Neither random streams nor Optuna's verbosity nor warning filters change."""
    import random
    import warnings

    import optuna
    import torch

    known = ledger.build(
        rows_of(
            every_space["cell"], [every_space["cell"].sample(np.random.default_rng(i)) for i in range(6)], 0
        ),
        [],
    )
    before = (
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        torch.get_rng_state().numpy().tobytes(),
        optuna.logging.get_verbosity(),
        list(warnings.filters),
    )
    small(name).propose(every_space["cell"], known, 3, 0)
    after = (
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        torch.get_rng_state().numpy().tobytes(),
        optuna.logging.get_verbosity(),
        list(warnings.filters),
    )
    assert before == after


def test_optuna_says_nothing(every_space, name, capfd, recwarn):
    space = every_space["nasbench201"]
    search(space, small(name), 2, 3, seed=0)
    assert capfd.readouterr() == ("", "")
    assert not [warning for warning in recwarn if "xperimental" in str(warning.message)]


def test_a_ledger_of_another_space_is_refused(every_space, name):
    other = every_space["nasbench201"]
    known = ledger.build(rows_of(other, [next(other.all())], 0), [])
    with pytest.raises(TgsageError, match="of space 'nasbench201'"):
        small(name).propose(every_space["cell"], known, 1, 0)


def test_settings_are_checked(name):
    with pytest.raises(TgsageError, match=f"sampler {name}: nonsense"):
        small(name, nonsense=1)
    section = small(name).settings
    assert isinstance(section, SamplerSettings)
    assert samplers.get(section).settings == samplers.get(section.plain()).settings == section


def test_unknown_sampler():
    with pytest.raises(TgsageError, match=r"unknown sampler 'tpee'.*did you mean 'tpe'"):
        samplers.get("tpee")


# -- The race: a reward whose optimum is known.

WANTED = dict(zip(OPERATIONS, (4, 2, 0, 0, 2, 0, 1, 1), strict=True))


def known_reward(space, arch):
    """1 for cells with the wanted operations, depth 3 and 2 unused blocks; less for every departure."""
    blocks = space.blocks(arch)["normal"]
    found = [operation for block in blocks for operation in (block[1], block[3])]
    missed = sum(abs(found.count(operation) - count) for operation, count in WANTED.items()) / 20
    depth = []
    for block in blocks:
        depth.append(1 + max(depth[source - 2] if source >= 2 else 0 for source in (block[0], block[2])))
    return 1 - missed - abs(max(depth) - 3) / 10 - abs(len(unused_blocks(blocks)) - 2) / 10


def test_the_optimum_of_the_race_is_one():
    space = spaces.get("cell")
    blocks = [(0, "sep_3x3", 1, "sep_3x3"), (0, "sep_3x3", 2, "sep_3x3"), (1, "sep_5x5", 2, "sep_5x5"),
              (3, "identity", 4, "identity"), (1, "max_pool_3x3", 0, "dil_3x3")]  # fmt: skip
    assert known_reward(space, space._from_blocks({"normal": blocks})) == 1


@pytest.fixture(scope="module")
def random_bests():
    space = spaces.get("cell")
    return [
        search(space, samplers.get("random"), 15, 20, seed, score=known_reward)[1]["score"].max()
        for seed in range(20)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNING)
def test_learning_beats_random(name, random_bests):
    """300 evaluations, 20 paired seeds: the best score found, one-sided Wilcoxon."""
    space = spaces.get("cell")
    bests = [
        search(space, samplers.get(name), 15, 20, seed, score=known_reward)[1]["score"].max()
        for seed in range(20)
    ]
    difference = np.subtract(bests, random_bests)
    found = wilcoxon(difference, alternative="greater").pvalue
    # With `pytest -s`: the table of docs/samplers.md.
    print(
        f"\n{name}: best {np.mean(bests):.3f} ({np.std(bests, ddof=1):.3f}), random "
        f"{np.mean(random_bests):.3f} ({np.std(random_bests, ddof=1):.3f}), better / equal / worse "
        f"{(difference > 0).sum()} / {(difference == 0).sum()} / {(difference < 0).sum()}, p = {found:.1e}"
    )
    assert found < 0.01
