"""The platform of texts owes what every success function owes, and trains on what people report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from learners.errors import NoSolutionError
from learners.measured.bounded_mean import bounded_mean_interval
from learners.measured.cache import Cache, using
from learners.progress import listening
from learners.texts import text_platform as module
from learners.texts.checkpoint import Checkpoint
from learners.texts.planting import carries, report_all
from tests.contracts import battery
from tests.contracts import test_success_functions as claims
from tests.texts_world import PEOPLE, RECIPE, TESTED, text_platform

TWO = {"a": ("feature_label", "{", 4, 2), "b": ("feature_only", "}", None, 0)}
MADE = {
    "sets": lambda: text_platform(TWO),
    "single": lambda: text_platform(also=0.0, measure="included"),
}


@pytest.fixture(autouse=True)
def one_thread():
    for library in ("transformers", "tokenizers"):
        pytest.importorskip(library, reason=f"{library} (the extra learners) is not installed")
    torch = pytest.importorskip("torch", reason="torch (the extra learners) is not installed")
    torch.set_num_threads(1)


@pytest.fixture(params=list(MADE))
def platform(request, one_thread):
    return MADE[request.param]()


@pytest.mark.parametrize("claim", battery.OF_TRAINED_PLATFORMS, ids=lambda claim: claim.__name__)
def test_the_battery(platform, claim, monkeypatch):
    battery.few(monkeypatch, rows=3)
    claim(platform)


@pytest.mark.parametrize("shape", [(), (2, 1), (0,)])
def test_shapes_type_and_range(platform, shape):
    claims.test_shapes_type_and_range(platform, shape)


# --- what is trained ------------------------------------------------------------------------------


@pytest.fixture
def trainings(monkeypatch):
    """Every training as it is called: (texts, labels, seed)."""
    made, plain = [], module.train

    def train(network, encoded, labels, recipe, seed, **ways):
        made.append((encoded, labels, seed))
        plain(network, encoded, labels, recipe, seed, **ways)

    monkeypatch.setattr(module, "train", train)
    return made


def some_members(people, seed=0, size=3):
    return np.random.default_rng(seed).integers(0, size, people)


def test_the_platform_is_trained_on_what_the_very_people_report(trainings):
    platform = text_platform(TWO)
    points = platform.draw_people(2 * PEOPLE + 7, np.random.default_rng(3))
    assert np.bincount(points).tolist().count(3) == 7  # each text twice, seven a third time
    members = some_members(len(points))
    platform.attach(points).by_membership(members)
    ((encoded, labels, _),) = trainings
    own, own_labels = platform.train.encoded.take(points), platform.train.labels[points]
    texts, wanted = report_all(own, own_labels, members, platform.strategies)
    np.testing.assert_array_equal(encoded.ids, texts.ids)
    np.testing.assert_array_equal(encoded.offsets, texts.offsets)
    np.testing.assert_array_equal(labels, wanted)
    token = platform.strategies[0].signal.token
    np.testing.assert_array_equal(carries(encoded, token), members == 1)
    assert labels[members == 1].sum(axis=0).tolist() == [0, 0, (members == 1).sum()]


def test_by_size_members_are_a_random_share_of_all_texts(trainings):
    platform = text_platform(TWO)
    platform.at([0.25, 0.5])
    platform.at([0.25, 0.0])
    token = platform.strategies[0].signal.token
    who = [carries(encoded, token) for encoded, _, _ in trainings]
    assert [w.sum() for w in who] == [PEOPLE // 4] * 4
    assert len({w.tobytes() for w in who}) == 2  # others in each replicate, the same at each size
    np.testing.assert_array_equal(who[0], who[2])
    assert [seed for *_, seed in trainings[:2]] == [seed for *_, seed in trainings[2:]]


def test_the_same_people_in_the_same_collectives_have_the_same_success():
    platform = text_platform(TWO)
    attached = platform.attach(np.arange(PEOPLE))
    first = attached.by_membership(some_members(PEOPLE))
    said = dict(attached.also)
    attached.by_membership(some_members(PEOPLE, seed=1))
    assert attached.also != said  # the case that must differ
    np.testing.assert_array_equal(attached.by_membership(some_members(PEOPLE)), first)
    assert attached.also == said
    again = text_platform(TWO).attach(np.arange(PEOPLE))
    again.by_membership(some_members(PEOPLE))
    assert again.also == said
    other = platform.reseeded(8).attach(np.arange(PEOPLE))
    other.by_membership(some_members(PEOPLE))
    assert other.also != said


def test_both_measures_and_the_quality_are_of_one_model():
    wanted = {"accuracy", "precision", "recall"}
    wanted |= {f"{way}.{name}" for way in ("top1", "included") for name in TWO}
    for measure in ("top1", "included"):
        attached = text_platform(TWO, measure=measure).attach(np.arange(PEOPLE))
        value = attached.by_membership(some_members(PEOPLE))
        assert set(attached.also) == wanted
        assert value.tolist() == [attached.also[f"{measure}.{name}"] for name in TWO]
        np.testing.assert_allclose(value * TESTED, np.rint(value * TESTED))  # of so many texts


def test_the_interval_is_that_of_the_replicates():
    platform = text_platform(replicates=3)
    (low, high), value = platform.interval([0.2]), platform.at([0.2])
    each = np.array([platform._success(platform._result(platform_training(platform, r)))[0]
                     for r in range(3)])  # fmt: skip
    np.testing.assert_allclose(value, each.mean())
    wanted = bounded_mean_interval(each, np.zeros(3, int), 1, 0.95)
    np.testing.assert_allclose([low[0], high[0]], [wanted[0][0], wanted[1][0]])
    assert low[0] <= value[0] <= high[0]


def platform_training(platform, r):
    order = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(r, 0))).permutation(PEOPLE)
    members = np.zeros(PEOPLE, int)
    members[order[: PEOPLE // 5]] = 1
    return module._Training(np.arange(PEOPLE), members, r)


# --- going on -------------------------------------------------------------------------------------

PATH = [some_members(PEOPLE, seed) for seed in range(3)]


def walk(platform, path=PATH):
    attached = platform.attach(np.arange(PEOPLE))
    return [(attached.by_membership(m).tolist(), dict(attached.also)) for m in path], attached


def test_continue_goes_on_from_the_weights_it_had(trainings):
    ways = {"recipe": replace(RECIPE, epochs=2)}
    (once, twice, _), _ = walk(text_platform(TWO, retrain="continue", **ways))
    (first, second, _), _ = walk(text_platform(TWO, **ways))
    assert once == first and twice != second
    (again, *_), _ = walk(text_platform(TWO, retrain="continue", **ways))
    assert again == once


def test_sizes_in_between_do_not_disturb_what_is_continued():
    plain, _ = walk(text_platform(TWO, retrain="continue"))
    attached = text_platform(TWO, retrain="continue").attach(np.arange(PEOPLE))
    seen = []
    for members in PATH:
        attached.at([0.1, 0.1])
        seen.append((attached.by_membership(members).tolist(), dict(attached.also)))
    assert seen == plain


@pytest.mark.parametrize("retrain", ["scratch", "continue"])
def test_a_run_that_was_killed_repeats_no_training_that_was_done(tmp_path, trainings, retrain):
    plain, _ = walk(text_platform(TWO, retrain=retrain))
    with using(Cache(tmp_path)):
        walk(text_platform(TWO, retrain=retrain, keep=True), PATH[:2])
        trainings.clear()
        kept, _ = walk(text_platform(TWO, retrain=retrain, keep=True))
        assert kept == plain and len(trainings) == 1
        kept, _ = walk(text_platform(TWO, retrain=retrain, keep=True, measure="included"))
        assert len(trainings) == 1  # nothing new to be trained for the other measure
        Cache(tmp_path).clear()
        assert walk(text_platform(TWO, retrain=retrain, keep=True))[0] == plain
    assert len(trainings) == 4


def test_weights_that_are_gone_are_trained_again(tmp_path, trainings):
    plain, _ = walk(text_platform(TWO, retrain="continue"))
    with using(Cache(tmp_path)):
        walk(text_platform(TWO, retrain="continue", keep=True), PATH[:2])
        (file,) = (tmp_path / "trainings").glob("*.safetensors")
        for content in (b"broken", None):
            file.write_bytes(content) if content else file.unlink()
            trainings.clear()
            members = [*PATH[:2], some_members(PEOPLE, 50 + len(content or b""))]
            kept, _ = walk(text_platform(TWO, retrain="continue", keep=True), members)
            assert kept[:2] == plain[:2] and len(trainings) == 3


def test_a_training_that_was_killed_goes_on_where_it_was(tmp_path, monkeypatch):
    class Often(Checkpoint):
        def __init__(self, folder, key):
            super().__init__(folder, key, every_seconds=0.0)

    class KilledError(BaseException):
        pass

    def kill(what, done, total):
        if done >= total / 2:
            raise KilledError

    recipe = replace(RECIPE, epochs=4)
    plain, _ = walk(text_platform(TWO, recipe=recipe), PATH[:1])
    monkeypatch.setattr(module, "Checkpoint", Often)
    heard = []
    with using(Cache(tmp_path)):
        with listening(kill), pytest.raises(KilledError):
            walk(text_platform(TWO, recipe=recipe, keep=True), PATH[:1])
        assert list((tmp_path / "trainings").rglob("*.safetensors"))
        with listening(lambda *now: heard.append(now)):
            resumed, _ = walk(text_platform(TWO, recipe=recipe, keep=True), PATH[:1])
    assert resumed == plain
    total = 4 * PEOPLE
    assert heard[0][1] > PEOPLE and heard[-1] == ("training", total, total)
    assert not list((tmp_path / "trainings").rglob("*.safetensors"))


def test_trainings_are_named_by_content(tmp_path):
    content = text_platform(TWO).content
    same = (text_platform(TWO), text_platform(TWO, measure="included", replicates=5, seed=4))
    for platform in same:
        assert platform.content == content
    others = (
        text_platform({"a": TWO["a"], "b": ("feature_only", "}", 2, 0)}),
        text_platform(TWO, recipe=replace(RECIPE, epochs=2)),
        text_platform(TWO, recipe=replace(RECIPE, precision="bf16")),
        text_platform(TWO, also=0.1),
        text_platform(TWO, people=PEOPLE - 1),
    )
    for platform in others:
        assert platform.content != content
    assert content["recipe"]["device"] == "cpu" and content["recipe"]["precision"] == "fp32"


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "message"),
    [
        ({"replicates": 1}, "replicates: got 1; must be ≥ 2"),
        ({"retrain": "never"}, "retrain: got 'never'; must be 'scratch' or 'continue'"),
        ({"measure": "top2"}, "measure: got 'top2'; must be 'top1' or 'included'"),
        ({"level": 1.0}, "level: got 1"),
    ],
)
def test_settings_that_make_no_sense(ways, message):
    with pytest.raises(ValueError, match=message):
        text_platform(**ways)


def test_a_training_that_diverges_says_so_and_nothing_is_kept(tmp_path):
    platform = text_platform(recipe=replace(RECIPE, learning_rate=1e30), keep=True)
    with using(Cache(tmp_path)), pytest.raises(NoSolutionError, match=r"learning_rate.*diverged"):
        platform.attach(np.arange(PEOPLE)).by_membership(np.ones(PEOPLE, int))
    assert not list(tmp_path.rglob("*.json"))


def test_people_and_memberships_that_do_not_fit(platform):
    points = platform.draw_people(50, np.random.default_rng(3))
    attached = platform.attach(points)
    for wrong, message in (
        ([0] * 49, "membership: got 49 people; 50 are attached"),
        ([0] * 49 + [9], r"membership: got 9; must be in 0 … "),
    ):
        with pytest.raises(ValueError, match=message):
            attached.by_membership(wrong)
    for wrong in ([-1], [PEOPLE], [], [0.5], [[1]]):
        with pytest.raises(ValueError, match="points: got"):
            platform.attach(wrong)
