"""From texts to token ids: the tokenizer of a model, or a vocabulary learned from the texts.

Signals are planted, batches are cut and success is measured on ids (`learners.texts.planting`);
a text is never tokenised twice. BERT's tokenizers cut at white space first and each word by itself
then, so each distinct word is tokenised once (29,783 resumes have 13 million words, 0.3 million
of them distinct). They are of the ``tokenizers`` library, which comes with the extra ``learners``
and is imported when it is first used.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import MissingError
from learners.texts.encoded import Encoded, concatenated
from learners.texts.pretrained import INSTALL, locate

__all__ = ["Encoded", "Tokenizer", "tokenizer_of"]

CHUNK = 1_024  # texts put together at a time
WORDS = 16_384  # distinct words tokenised at a time: the library needs about a kilobyte for each
DROPPED = re.compile("[\x0b\x0c\x1c-\x1f\x85]")  # white space to Python, nothing to BERT
FILES = ("tokenizer.json", "vocab.txt")  # either holds a vocabulary
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")  # of a learned vocabulary, ids 0 … 3


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A tokenizer of BERT's kind; it pickles.

    Parameters
    ----------
    backend : tokenizers.Tokenizer
        Without truncation and padding, and such that words (between white space) do not
        influence each other.
    cls, sep, pad : int
        Ids of the tokens that begin, end and fill up a text.
    unknown : int or None
        Id that every character and word outside the vocabulary gets; None where there is none.
    """

    backend: Any
    cls: int
    sep: int
    pad: int
    unknown: int | None

    @cached_property
    def size(self) -> int:
        """Size of the vocabulary, special tokens included: ids are in 0 … size − 1."""
        return 1 + max(self.backend.get_vocab(with_added_tokens=True).values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides which ids a text gets."""
        special = (self.cls, self.sep, self.pad, self.unknown)
        return hashlib.sha256(f"{special}\n{self.backend.to_str()}".encode()).hexdigest()

    def encode(self, texts: Sequence[str], max_tokens: int | None = None) -> Encoded:
        """Texts → ids; of each text at most the first ``max_tokens`` tokens.

        O(characters); each distinct word is tokenised once.

        Raises
        ------
        ValueError
            ``max_tokens`` below 1, or a text holds half a character (a lone surrogate).
        """
        if max_tokens is not None and max_tokens < 1:
            raise ValueError(f"max_tokens: got {max_tokens}; must be ≥ 1 (tokens)")
        number: dict[str, int] = {}  # of each distinct word
        words = []  # of each text, as numbers
        for row, text in enumerate(texts):
            cut = _words(text, row)
            numbers = (number.setdefault(word, len(number)) for word in cut)
            words.append(np.fromiter(numbers, np.int32, len(cut)))
        each = self._encode_words(list(number))
        chunks = [words[first : first + CHUNK] for first in range(0, len(words), CHUNK)]
        parts = [_texts_of(each, chunk) for chunk in chunks]
        if max_tokens is not None:
            parts = [part.first(max_tokens) for part in parts]
        return concatenated([each.take([]), *parts])

    def _encode_words(self, words: Sequence[str]) -> Encoded:
        """Each word as a text of its own."""
        dtype = np.min_scalar_type(self.size - 1)
        lengths, parts = [0], [np.empty(0, dtype)]
        for first in range(0, len(words), WORDS):
            batch = words[first : first + WORDS]
            found = self.backend.encode_batch(batch, add_special_tokens=False)
            tokens = [word.ids for word in found]
            lengths += [len(ids) for ids in tokens]
            parts.append(np.fromiter(itertools.chain.from_iterable(tokens), dtype))
        offsets = np.cumsum(lengths, dtype=np.int64)
        begins = np.zeros(offsets[-1], dtype=bool)
        begins[offsets[:-1][np.diff(offsets) > 0]] = True
        return Encoded(np.concatenate(parts), begins, offsets)

    def id_of(self, word: str, *, unknown: bool = False) -> int:
        """Id of a character or word that is exactly one token.

        Parameters
        ----------
        word : str
        unknown : bool
            Whether a word outside the vocabulary is accepted; it gets the id that all of them
            share. (Two of the four characters of Karan et al. 2025 are such.)

        Raises
        ------
        ValueError
            It is several tokens or none at all, or unknown where that is not accepted.
        """
        ids = self.backend.encode(word, add_special_tokens=False).ids
        if len(ids) != 1:
            pieces = " ".join(self.token_of(i) for i in ids)
            count = f"{len(ids)} tokens ({pieces})" if ids else "no token, the tokenizer drops it"
            raise ValueError(f"character: got {word!r}, which is {count}; must be one token")
        if ids[0] == self.unknown and not unknown:
            raise ValueError(
                f"character: got {word!r}, which the vocabulary does not have; all such characters "
                f"are the one token {self.token_of(ids[0])}, number {ids[0]}: choose another "
                "character, or give that token's number to plant it all the same"
            )
        return ids[0]

    def token_of(self, token: int) -> str:
        """Text of a token; ValueError outside the vocabulary."""
        text = self.backend.id_to_token(token) if 0 <= token < self.size else None
        if text is None:
            raise ValueError(
                f"token: got {token}; must be in 0 … {self.size - 1} (the model's vocabulary)"
            )
        return text

    def collisions(self, signals: Mapping[str, str | int]) -> tuple[tuple[str, str], ...]:
        """Pairs of names whose signals are one and the same token, in the mapping's order.

        Parameters
        ----------
        signals : mapping from name to character, word or token id
            Unknown characters all are the same token, so they collide.

        Notes
        -----
        In the vocabulary of bert-base-uncased U+2E17 and U+2E18 collide (neither is in it), "{"
        and "}" do not; hence the two experiments of Karan et al. (2025), figure 3.
        """
        token = {
            name: self.id_of(signal, unknown=True) if isinstance(signal, str) else signal
            for name, signal in signals.items()
        }
        pairs = itertools.combinations(token, 2)
        return tuple((one, other) for one, other in pairs if token[one] == token[other])


def tokenizer_of(
    model: str,
    texts: Sequence[str] = (),
    *,
    vocabulary: int = 8_000,
    characters: Iterable[str] = (),
) -> Tokenizer:
    """The tokenizer that belongs to a model.

    Parameters
    ----------
    model : str
        "tiny": whole words, learned from the texts; lower case, accents stripped, punctuation
        apart, as in BERT. Else what `learners.texts.pretrained.locate` knows: the model's own.
    texts : sequence of str
        Used by "tiny" only; its vocabulary are their most frequent words (ties: alphabetical).
    vocabulary : int
        Most tokens that "tiny" has, with 4 special ones and the 32 ASCII punctuation characters,
        which it always knows. Every word beyond is [UNK].
    characters : iterable of str
        Further characters or words that "tiny" shall know. What the normaliser makes equal
        stays equal: "É" and "e" collide. Characters neither asked for nor in the texts are
        [UNK] and collide.

    Raises
    ------
    MissingError
        The extra is not installed, there is no such model, or its tokenizer cannot be read.
    ValueError
        ``vocabulary`` is too small, or the model's tokenizer is of another kind.
    """
    if model != "tiny":
        return _pretrained(model)
    backend = _learned(texts, vocabulary, characters)
    special = {name: backend.token_to_id(name) for name in SPECIAL}
    return Tokenizer(
        backend, special["[CLS]"], special["[SEP]"], special["[PAD]"], special["[UNK]"]
    )


# ── a vocabulary of one's own, or the model's ────────────────────────────────────────────────


def _learned(texts: Sequence[str], vocabulary: int, characters: Iterable[str]) -> Any:
    """tokenizers.Tokenizer of the most frequent words of the texts."""
    library = _tokenizers()
    draft = library.Tokenizer(library.models.WordLevel({}, unk_token="[UNK]"))
    draft.normalizer = library.normalizers.BertNormalizer()
    draft.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()

    def pieces(word: str) -> list[str]:
        cut = draft.pre_tokenizer.pre_tokenize_str(draft.normalizer.normalize_str(word))
        return [piece for piece, _ in cut]

    asked = itertools.chain.from_iterable(map(pieces, characters))
    always = list(dict.fromkeys([*SPECIAL, *string.punctuation, *asked]))
    if vocabulary < len(always):
        raise ValueError(
            f"vocabulary: got {vocabulary}; must be ≥ {len(always)} (tokens: special ones, "
            "punctuation and signals)"
        )
    words: Counter[str] = Counter()
    for row, text in enumerate(texts):
        words.update(_words(text, row))
    counts: Counter[str] = Counter()
    for word, times in words.items():
        for piece in pieces(word):
            counts[piece] += times
    frequent = sorted(counts, key=lambda piece: (-counts[piece], piece))
    tokens = list(dict.fromkeys([*always, *frequent]))
    ids = {token: number for number, token in enumerate(tokens[:vocabulary])}
    draft.model = library.models.WordLevel(ids, unk_token="[UNK]")
    return draft


def _pretrained(model: str) -> Tokenizer:
    place = locate(model)
    library = _tokenizers()
    try:
        from transformers import AutoTokenizer
    except ImportError as problem:
        raise MissingError(INSTALL.format("transformers")) from problem
    if not any((Path(place) / name).is_file() for name in FILES):
        raise MissingError(  # transformers would make up an empty vocabulary
            f"model: got {model!r}, without a tokenizer ({place}); must hold {' or '.join(FILES)}, "
            "as transformers' save_pretrained writes them"
        )
    try:
        found = AutoTokenizer.from_pretrained(place, local_files_only=True)
    except Exception as problem:  # a broken file can end in nearly any of them
        raise MissingError(
            f"model: the tokenizer of {model!r} ({place}) cannot be read "
            f"({type(problem).__name__}: {problem}); fetch the model again"
        ) from problem
    special = (found.cls_token_id, found.sep_token_id, found.pad_token_id)
    cuts = type(found.backend_tokenizer.pre_tokenizer).__name__ if found.is_fast else ""
    if None in special or cuts != "BertPreTokenizer":
        raise ValueError(
            f"model: the tokenizer of {model!r} is a {type(found).__name__}; must be one of BERT's "
            "kind, which cuts at white space and punctuation and has [CLS], [SEP] and [PAD]"
        )
    backend = library.Tokenizer.from_str(found.backend_tokenizer.to_str())  # a copy of our own
    backend.no_truncation()
    backend.no_padding()
    return Tokenizer(backend, *special, found.unk_token_id)


def _tokenizers() -> ModuleType:
    try:
        import tokenizers
    except ImportError as problem:
        raise MissingError(INSTALL.format("tokenizers")) from problem
    return tokenizers


# ── from texts to words ──────────────────────────────────────────────────────────────────────


def _words(text: str, row: int) -> list[str]:
    """What stands between white space, as a BERT tokenizer sees it: it drops other controls."""
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise ValueError(
            f"texts: text {row} (from 0) holds half a character, {text[problem.start]!r}; "
            "must be Unicode text"
        ) from None
    return DROPPED.sub("", text).split()


def _texts_of(each: Encoded, words: Sequence[npt.NDArray[np.int32]]) -> Encoded:
    """Texts from the numbers of their words; ``each`` holds the distinct words' tokens."""
    found = each.take(np.concatenate(words))
    ends = np.cumsum([0, *(len(text) for text in words)])  # words before each text, (n + 1,)
    return Encoded(found.ids, found.begins, found.offsets[ends])
