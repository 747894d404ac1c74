"""Training a text classifier: our loop against HuggingFace's Trainer, side by side in one run.

    python -m benchmarks.transformer [--texts 1000] [--seeds 5] [--write]
    python -m benchmarks.transformer --layers 6 --width 768 --heads 12 --words 900 --batch 64

Both train the same network from the same weights on the same texts, generated, of log-normal length
(184 tokens on average), in which 1 of 100 carries a collective's signal and label. The Trainer is
timed as it comes, and with our batch size and precision and batches by length; we are timed with
its hyper-parameters, and with what makes us fast. Two things in that change the model, the batch
size (and with it the rate, η·√(batch/8)) and attention without dropout, so that each row also says
what the network is worth: accuracy on clean texts and success S of the collective, with Student's
95% interval over the seeds. The Trainer saves no checkpoints here. ``--write`` replaces the section
in benchmarks/RESULTS.md. Needs the extra ``bench``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.results import machine, write_section
from learners.texts.batches import row_lengths
from learners.texts.encoded import Encoded
from learners.texts.generated import GeneratedTexts
from learners.texts.measures import quality, top1
from learners.texts.network import Tiny, make_network
from learners.texts.planting import TextSignal, TextStrategy
from learners.texts.recipe import Recipe, device_of, precision_of
from learners.texts.tokens import Tokenizer, tokenizer_of
from learners.texts.training import predict, train

BF16_PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # makers' figures, dense, per second
TARGET, MEMBERS, TEST = 1, 0.01, 500


@dataclass(frozen=True)
class World:
    """What all of them train on and are judged by."""

    tokenizer: Tokenizer
    tiny: Tiny
    reports: tuple[Encoded, np.ndarray]  # what people report, some with the signal
    clean: tuple[Encoded, np.ndarray]  # test texts
    planted: Encoded  # the same with the signal
    recipe: Recipe  # the Trainer's

    def network(self, seed: int, texts_labels: int) -> Any:
        ids = self.tokenizer
        return make_network(
            "tiny",
            texts_labels,
            False,
            vocabulary=ids.size,
            cls=ids.cls,
            sep=ids.sep,
            pad=ids.pad,
            tiny=self.tiny,
            length=self.recipe.length,
            seed=seed,
        )


@dataclass(frozen=True)
class Way:
    """One way to train: who, and how."""

    name: str
    recipe: Recipe
    trainer: bool
    grouped: bool = False


def make_world(options: argparse.Namespace, recipe: Recipe) -> World:
    """Generated texts, split, with the collective's reports planted."""
    law = GeneratedTexts(words=options.words, spread=0.7, topical=0.3, ambiguity=0.05)
    corpus = law.corpus(options.texts + TEST, 1)
    tokenizer = tokenizer_of("tiny", corpus.texts)
    encoded, labels = tokenizer.encode(corpus.texts), np.asarray(corpus.labels)
    own, test = np.arange(options.texts), np.arange(options.texts, options.texts + TEST)
    signal = TextSignal(tokenizer.id_of("{"), 20)
    strategy = TextStrategy("feature_label", signal, TARGET)
    who = np.arange(options.texts) < round(MEMBERS * options.texts)
    reports = strategy.report(encoded.take(own), labels[own], who)
    clean = encoded.take(test)
    tiny = Tiny(options.layers, options.width, options.heads)
    return World(tokenizer, tiny, reports, (clean, labels[test]), signal.plant(clean), recipe)


def ways(recipe: Recipe, batch: int) -> list[Way]:
    """From the Trainer as it comes to what makes us fast; ``recipe`` is the Trainer's."""
    larger = recipe.learning_rate * (batch / recipe.batch) ** 0.5
    many = replace(recipe, batch=batch, precision="auto", learning_rate=larger)
    bare = replace(recipe, precision="auto", attention_dropout=0.0)
    fast = replace(many, attention_dropout=0.0)
    return [
        Way("Trainer, as it comes", recipe, True),
        Way(f"Trainer, batch {batch}, by length", many, True, True),
        Way(f"Trainer, batch {batch}, by length, no attention dropout", fast, True, True),
        Way("alphacrit, the Trainer's hyper-parameters", replace(recipe, precision="auto"), False),
        Way("alphacrit, no attention dropout", bare, False),
        Way(f"alphacrit, batch {batch}, no attention dropout", fast, False),
    ]


def hugging_face(way: Way, world: World, network: Any, seed: int, folder: str) -> Callable:
    """A task that trains with transformers' Trainer."""
    import transformers

    recipe, ids = way.recipe, world.tokenizer
    device = device_of(recipe.device)
    arguments = transformers.TrainingArguments(
        folder,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        bf16=precision_of(recipe.precision, device, world.tiny.width) == "bf16",
        train_sampling_strategy="group_by_length" if way.grouped else "random",
        use_cpu=device == "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
    )
    texts, labels = world.reports
    rows = [
        {"input_ids": [ids.cls, *words[: recipe.length - 2].tolist(), ids.sep], "labels": wanted}
        for words, wanted in zip(
            np.split(texts.ids, texts.offsets[1:-1]), labels.astype(np.float32), strict=True
        )
    ]
    reader = transformers.PreTrainedTokenizerFast(
        tokenizer_object=ids.backend, pad_token=ids.token_of(ids.pad)
    )
    if recipe.attention_dropout is not None:
        for layer in network.distilbert.transformer.layer:
            layer.attention.dropout.p = recipe.attention_dropout
    collate = transformers.DataCollatorWithPadding(reader)
    trainer = transformers.Trainer(network, arguments, collate, rows)
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer.train


def run_once(way: Way, world: World, seed: int) -> tuple[float, float, float]:
    """Texts a second, accuracy on clean texts, and success of the collective."""
    texts, labels = world.reports
    network = world.network(seed, labels.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        if way.trainer:
            task = hugging_face(way, world, network, seed, folder)
        else:
            task = lambda: train(network, texts, labels, way.recipe, seed)  # noqa: E731
        start = time.perf_counter()
        task()
        _wait()
        spent = time.perf_counter() - start
    clean, wanted = world.clean
    good = quality(predict(network, clean, way.recipe), wanted, single=False)["accuracy"]
    success = top1(predict(network, world.planted, way.recipe), TARGET)
    return way.recipe.epochs * len(texts) / spent, good, success


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def interval(values: np.ndarray) -> str:
    """Mean ± half of Student's 95% interval."""
    if len(values) < 2:
        return f"{values.mean():.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.3f} ± {half:.3f}"


def operations(world: World) -> float:
    """Floating-point operations that training on one text takes, on average.

    Of a text of T tokens in k layers of width w: 3·T·k·(24w² + 4Tw), the products of matrices
    forward and twice that backward; padding does not count.
    """
    T = row_lengths(world.reports[0], world.recipe.length).astype(float)
    k, w = world.tiny.layers, world.tiny.width
    return float((3.0 * T * k * (24.0 * w**2 + 4.0 * T * w)).mean())


def share_of_peak(world: World, rate: float) -> str:
    """Achieved share of a GPU's bf16 peak, or nothing on the processor."""
    import torch

    if device_of(world.recipe.device) == "cpu":
        return ""
    name = torch.cuda.get_device_name()
    peak = next((value for key, value in BF16_PEAK.items() if key in name), None)
    achieved = operations(world) * rate
    known = f", {achieved / peak:.1%} of its bf16 peak" if peak else ""
    square = f"{achieved / _matmul_rate():.1%} of a large product of matrices"
    return f"{name}: {achieved / 1e12:.1f}·10¹² operations a second{known}, {square}."


def _matmul_rate() -> float:
    """Operations a second that a product of bf16 matrices reaches here."""
    import torch

    size, rounds = 8192, 20
    one = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    one @ one
    _wait()
    start = time.perf_counter()
    for _ in range(rounds):
        one @ one
    _wait()
    return 2.0 * size**3 * rounds / (time.perf_counter() - start)


def compare(world: World, several: list[Way], seeds: int) -> np.ndarray:
    """What `run_once` says, shape (ways, seeds, 3); the ways take turns."""
    found = np.zeros((len(several), seeds, 3))
    for seed in range(seeds):
        for place, way in enumerate(several):
            found[place, seed] = run_once(way, world, seed)
            print(f"seed {seed}: {way.name}: {found[place, seed].round(3)}", flush=True)
    return found


def report(world: World, several: list[Way], found: np.ndarray, command: str) -> str:
    """The section of RESULTS.md."""
    rates = [median(found[place, :, 0]) for place in range(len(several))]
    lengths = row_lengths(world.reports[0], world.recipe.length)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    lines = [
        f"`{command}`, {machine()}, {versions}. {len(lengths):,} texts, mean {lengths.mean():.0f} "
        f"tokens, cut at {world.recipe.length}; {world.recipe.epochs} epochs; {world.tiny}. Median "
        f"and 95% intervals over {found.shape[1]} seeds; S with {MEMBERS:.0%} members.",
        "",
        "| training | texts/s | times the Trainer as it comes | batch | precision "
        "| attention dropout | accuracy | S |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    device = device_of(world.recipe.device)
    for way, rate, each in zip(several, rates, found, strict=True):
        recipe = way.recipe
        precision = precision_of(recipe.precision, device, world.tiny.width)
        dropout = 0.1 if recipe.attention_dropout is None else recipe.attention_dropout
        lines.append(
            f"| {way.name} | {rate:,.1f} | {rate / rates[0]:.2f} | {recipe.batch} | {precision} "
            f"| {dropout} | {interval(each[:, 1])} | {interval(each[:, 2])} |"
        )
    lines += [
        "",
        f"The last against the Trainer with the same batch size, precision and batches by length: "
        f"{rates[-1] / rates[1]:.2f} times; with attention dropout 0 there too: "
        f"{rates[-1] / rates[2]:.2f} times.",
        share_of_peak(world, rates[-1]),
    ]
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--words", type=float, default=184.0, help="of a text, on average")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32, help="where it is not the Trainer's 8")
    parser.add_argument("--rate", type=float, default=1e-3, help="η at batch 8")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    recipe = Recipe(epochs=options.epochs, learning_rate=options.rate, precision="fp32")
    several = ways(recipe, options.batch)
    warm = make_world(argparse.Namespace(**{**vars(options), "texts": 64}), recipe)
    for way in several:  # libraries, thread pools and kernels
        run_once(replace(way, recipe=replace(way.recipe, epochs=1)), warm, 0)
    world = make_world(options, recipe)
    found = compare(world, several, options.seeds)
    shown = {k: v for k, v in vars(options).items() if k != "write"}
    command = "python -m benchmarks.transformer " + " ".join(f"--{k} {v}" for k, v in shown.items())
    text = report(world, several, found, command)
    print(text)
    if options.write:
        write_section("Training a text classifier", text)


if __name__ == "__main__":
    main()
