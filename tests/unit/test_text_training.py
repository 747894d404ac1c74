"""The training loop: against a plain reference, repeatable, resumable, and able to learn."""

from __future__ import annotations

import numpy as np
import pytest

from learners.errors import ResultsError
from learners.texts.batches import epoch_batches
from learners.texts.checkpoint import FILE, Checkpoint, training_key
from learners.texts.encoded import Encoded
from learners.texts.network import Tiny, make_network, state_of
from learners.texts.recipe import Recipe, steps_of
from learners.texts.training import predict, train

torch = pytest.importorskip("torch", reason="the extra learners is not installed")
transformers = pytest.importorskip("transformers", reason="the extra learners is not installed")

LABELS, WORDS = 3, 40
RECIPE = Recipe(
    epochs=2, batch=8, learning_rate=1e-3, length=16, precision="fp32", device="cpu", warmup=0.1
)


class UnpluggedError(Exception):
    """Somebody pulled the plug."""


def network_of(single=False, seed=0, width=16):
    shape = {"vocabulary": 4 + WORDS, "cls": 1, "sep": 2, "pad": 0, "length": 16}
    return make_network("tiny", LABELS, single, tiny=Tiny(2, width, 2), seed=seed, **shape)


def texts_of(n=60, single=False, seed=0) -> tuple[Encoded, np.ndarray]:
    """Random words; label y is there where word 4 + y is, exactly one of them if single."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 20, n)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(4 + LABELS, 4 + WORDS, offsets[-1])
    labels = rng.random((n, LABELS)) < 0.4
    if single:
        labels = np.eye(LABELS, dtype=bool)[rng.integers(0, LABELS, n)]
    for row, y in zip(*np.nonzero(labels), strict=True):
        ids[offsets[row] + y] = 4 + y
    return Encoded(ids, np.ones(len(ids), dtype=bool), offsets), labels


def same(one, other) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def trained(seed=3, recipe=RECIPE, single=False, **options):
    network = network_of(single)
    train(network, *texts_of(single=single), recipe, seed, **options)
    return state_of(network)


# ── what a step is ───────────────────────────────────────────────────────────────────────────────


def reference(network, texts, labels, recipe, seed):
    """The same training from transformers' own loss and schedule, texts padded to the full."""
    vectors = [p for p in network.parameters() if p.ndim == 1]
    others = [p for p in network.parameters() if p.ndim > 1]
    groups = [{"params": others, "weight_decay": recipe.weight_decay}, {"params": vectors}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=0.0)
    total = recipe.epochs * -(-len(texts) // recipe.batch)
    warm = int(np.ceil(recipe.warmup * total))
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warm, total)
    single = network.config.problem_type == "single_label_classification"
    for epoch in range(recipe.epochs):
        sequence = np.random.SeedSequence(seed, spawn_key=(0, epoch))
        rng = np.random.default_rng(int(sequence.generate_state(1, np.uint64)[0]))
        lengths = np.minimum(texts.lengths + 2, recipe.length)
        for rows in epoch_batches(lengths, recipe.batch, rng):
            ids = torch.zeros(len(rows), recipe.length, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for place, row in enumerate(rows):
                words = texts.ids[texts.offsets[row] : texts.offsets[row + 1]]
                whole = [1, *words[: recipe.length - 2].tolist(), 2]
                ids[place, : len(whole)] = torch.tensor(whole)
                mask[place, : len(whole)] = 1
            wanted = torch.tensor(labels[rows])
            wanted = wanted.long().argmax(1) if single else wanted.float()
            network(input_ids=ids, attention_mask=mask, labels=wanted).loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.max_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()


@pytest.mark.parametrize("single", [False, True])
def test_the_loop_is_the_reference(single):
    """Without dropout both must end in the same weights."""
    texts, labels = texts_of(single=single)
    recipe = Recipe(**{**RECIPE.__dict__, "weight_decay": 0.1, "max_norm": 0.5})
    ours, plain = network_of(single), network_of(single)
    for network in (ours, plain):
        for part in network.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        network.config.attention_dropout = 0.0
    before = state_of(ours)
    train(ours, texts, labels, recipe, seed=3)
    reference(plain, texts, labels, recipe, seed=3)
    ours_now, plain_now = state_of(ours), state_of(plain)
    # A key's bias moves no attention: its gradient is 0 but for rounding, which AdamW blows up.
    before = {name: value for name, value in before.items() if "k_lin.bias" not in name}
    assert max(float((ours_now[k] - plain_now[k]).abs().max()) for k in before) < 1e-5
    assert max(float((ours_now[k] - before[k]).abs().max()) for k in before) > 3e-3


def test_attention_dropout_is_the_recipes_or_else_the_networks():
    network = network_of()
    for given, found in ((0.0, 0.0), (None, 0.1), (0.3, 0.3)):
        recipe = Recipe(**{**RECIPE.__dict__, "attention_dropout": given, "epochs": 1})
        train(network, *texts_of(8), recipe, seed=0)
        assert {layer.attention.dropout.p for layer in network.distilbert.transformer.layer} == {
            found
        }


# ── what it is for ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("single", [False, True])
def test_it_learns_which_words_make_a_label(single):
    texts, labels = texts_of(400, single)
    new, wanted = texts_of(200, single, seed=1)
    recipe = Recipe(**{**RECIPE.__dict__, "epochs": 6, "learning_rate": 2e-3})
    network = network_of(single, width=32)

    def right() -> float:
        scores = predict(network, new, recipe)
        if single:
            return float((scores.argmax(1) == wanted.argmax(1)).mean())
        return float(((scores > 0) == wanted).mean())

    assert right() < 0.75  # untrained: about chance
    train(network, texts, labels, recipe, seed=0)
    assert right() > 0.95


def test_answers_come_in_the_order_of_the_texts_and_leave_the_network_as_it_was():
    network = network_of().train()
    texts, _ = texts_of(50)
    scores = predict(network, texts, RECIPE)
    assert scores.shape == (50, LABELS) and scores.dtype == np.float32 and network.training
    order = np.random.default_rng(0).permutation(50)
    assert np.abs(predict(network, texts.take(order), RECIPE) - scores[order]).max() < 1e-6
    assert np.abs(predict(network, texts, RECIPE)[::-1] - scores).max() > 1e-3


def test_bfloat16_trains_nearly_the_same():
    coarse = trained(recipe=Recipe(**{**RECIPE.__dict__, "precision": "bf16"}))
    fine = trained()
    assert all(value.dtype == torch.float32 for value in coarse.values())
    assert max(float((coarse[k] - fine[k]).abs().max()) for k in fine) < 0.02
    assert not same(coarse, fine)


# ── repeatable and resumable ─────────────────────────────────────────────────────────────────────


def test_same_seed_same_weights_whatever_was_drawn_before():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = trained(seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert same(first, trained(seed=3))
    assert not same(first, trained(seed=4))


def test_a_start_takes_the_place_of_the_networks_weights():
    start = state_of(network_of(seed=8))
    network = network_of(seed=8)
    train(network, *texts_of(), RECIPE, seed=3)
    assert same(trained(start=start), state_of(network))
    assert not same(trained(), state_of(network))


def interrupt(folder, key="key", after=7, every=0.0) -> None:
    def unplug(done, total):
        if done >= after * RECIPE.batch:
            raise UnpluggedError

    with pytest.raises(UnpluggedError):
        trained(checkpoint=Checkpoint(folder, key, every), progress=unplug)


@pytest.mark.parametrize("after", [2, 7, 13])
def test_resumed_training_ends_bit_for_bit_where_an_uninterrupted_one_does(tmp_path, after):
    interrupt(tmp_path / "here", after=after)
    assert [path.name for path in (tmp_path / "here").iterdir()] == [FILE]
    done = []
    resumed = trained(
        checkpoint=Checkpoint(tmp_path / "here", "key"), progress=lambda *seen: done.append(seen)
    )
    assert same(resumed, trained())
    assert len(done) < steps_of(60, RECIPE) and done[-1] == (120, 120)
    assert not (tmp_path / "here").exists()  # nothing left behind


def test_without_the_moments_it_would_not(tmp_path, monkeypatch):
    """What the test above rests on: going on from the weights alone is another training."""
    interrupt(tmp_path)

    def weights_only(network, optimizer, tensors, steps):
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(tensors[f"weight/{name}"])

    monkeypatch.setattr("learners.texts.checkpoint._put_back", weights_only)
    assert not same(trained(checkpoint=Checkpoint(tmp_path, "key")), trained())


def test_the_checkpoint_of_another_training_is_refused_and_kept(tmp_path):
    interrupt(tmp_path, "one")
    with pytest.raises(ResultsError, match=r"another training \(one\); must be of this one \(two"):
        trained(checkpoint=Checkpoint(tmp_path, "two"))
    assert same(trained(checkpoint=Checkpoint(tmp_path, "one")), trained())


def test_a_broken_checkpoint_only_costs_time(tmp_path):
    interrupt(tmp_path)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:500])
    with pytest.warns(RuntimeWarning, match="broken .* starts anew"):
        assert same(trained(checkpoint=Checkpoint(tmp_path, "key")), trained())


def test_no_checkpoint_before_its_time(tmp_path):
    interrupt(tmp_path / "here", every=3600.0)
    assert not (tmp_path / "here").exists()
    with pytest.raises(ValueError, match="every_seconds: got -1; must be ≥ 0"):
        Checkpoint(tmp_path, "key", every_seconds=-1)


def test_the_key_is_of_all_that_a_training_depends_on():
    network, (texts, labels) = network_of(), texts_of()
    key = training_key(network, texts, labels, RECIPE, 1)
    others = [
        training_key(network_of(seed=1), texts, labels, RECIPE, 1),
        training_key(network, texts.take(np.arange(60)[::-1]), labels, RECIPE, 1),
        training_key(network, texts, ~labels, RECIPE, 1),
        training_key(network, texts, labels, Recipe(**{**RECIPE.__dict__, "batch": 9}), 1),
        training_key(network, texts, labels, RECIPE, 2),
    ]
    assert key == training_key(network_of(), *texts_of(), RECIPE, 1)
    assert len({key, *others}) == 6


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def test_labels_that_do_not_fit():
    texts, labels = texts_of(10)
    with pytest.raises(ValueError, match=r"labels: got shape \(10, 2\) for 10 texts; .* L = 3"):
        train(network_of(), texts, labels[:, :2], RECIPE, 0)
    labels = np.eye(3, dtype=bool)[np.zeros(10, dtype=int)]
    labels[4] = False
    with pytest.raises(ValueError, match=r"got 1 texts without exactly one .* first is row 4"):
        train(network_of(single=True), texts, labels, RECIPE, 0)


def test_a_length_beyond_the_networks():
    recipe = Recipe(**{**RECIPE.__dict__, "length": 17})
    with pytest.raises(ValueError, match="length: got 17; must be ≤ 16, the network's"):
        train(network_of(), *texts_of(), recipe, 0)
    with pytest.raises(ValueError, match="length: got 17"):
        predict(network_of(), texts_of()[0], recipe)


def test_a_training_that_diverges():
    recipe = Recipe(**{**RECIPE.__dict__, "learning_rate": 1e30})
    with pytest.raises(ValueError, match=r"learning_rate: the training diverged at 1e\+30"):
        train(network_of(), *texts_of(), recipe, 0)
