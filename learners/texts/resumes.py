"""The resume corpus in the layouts in which its authors publish it.

Two layouts, both of github.com/florex/resume_corpus (29,783 resumes, 10 IT occupations)::

    resumes_corpus.zip, or a folder   NNNNN.txt, the text, and NNNNN.lab, one label a line
    resume_samples.txt, or a zip of   a resume a line: reference:::label;label:::text

Texts are mostly cp1252, whatever the rest is, so each one is read in the encoding asked for and in
cp1252 where that does not fit.

Data: Jiechieu & Tsopze (2020), doi 10.1007/s00521-020-05302-x.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from learners.texts.corpus import CorpusError

__all__ = ["Records", "decoded", "read_folder", "read_single_file", "read_zip"]

Records = list[tuple[str, str, tuple[str, ...]]]  # (where it stands, text, labels)
FIELDS, SEPARATOR, LABEL_SEPARATOR = 3, ":::", ";"
SHOWN = 5  # places are named in a message


def read_folder(path: Path, encoding: str) -> Records:
    """All NNNNN.txt of a folder and its folders with the labels of their NNNNN.lab, by name."""
    files = {
        PurePosixPath(file.relative_to(path).as_posix()): file
        for file in path.rglob("*")
        if file.is_file()
    }
    pairs = _pairs(files, path.name)
    return [
        (str(txt), decoded(files[txt].read_bytes(), encoding), _lines(files[lab].read_bytes()))
        for txt, lab in pairs
    ]


def read_zip(path: Path, encoding: str) -> Records:
    """A zip of .txt and .lab files, or of the one file with a resume a line."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist() if not name.endswith("/")]
            texts = [name for name in names if name.suffix.lower() == ".txt" and _own(name)]
            if len(texts) == 1 and not any(name.suffix.lower() == ".lab" for name in names):
                return read_single_file(archive.read(str(texts[0])), encoding, texts[0].name)
            return [
                (
                    str(txt),
                    decoded(archive.read(str(txt)), encoding),
                    _lines(archive.read(str(lab))),
                )
                for txt, lab in _pairs(names, path.name)
            ]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        what = f"{path.name}: cannot be unpacked ({error}); must be a whole zip without a password"
        raise CorpusError([("dataset", what)]) from error


def read_single_file(content: bytes, encoding: str, name: str) -> Records:
    """The file with a resume a line; ``:::`` after the second one belongs to the text."""
    records: Records = []
    broken: list[str] = []
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        fields = decoded(line, encoding).split(SEPARATOR, FIELDS - 1)
        if len(fields) < FIELDS:
            broken.append(str(number))
            continue
        labels = tuple(part.strip() for part in fields[1].split(LABEL_SEPARATOR))
        records.append((f"line {number}", fields[2].strip(), tuple(filter(None, labels))))
    if broken:
        what = f"{name}: got {_some(broken, 'line')} with fewer than three fields"
        raise CorpusError([("dataset", f"{what}; must be reference:::label;label:::text")])
    return records


def decoded(content: bytes, encoding: str) -> str:
    """The text in this encoding, else in cp1252 as browsers read it.

    The five bytes that cp1252 leaves open become the control characters of the same number, so
    that this never fails.
    """
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        whole = content.decode("cp1252", "surrogateescape")
        return "".join(chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in whole)


def _lines(content: bytes) -> tuple[str, ...]:
    lines = decoded(content, "utf-8-sig").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _own(name: PurePosixPath) -> bool:
    """Whether the corpus put the file there, not the system that packed it (__MACOSX, ._name)."""
    return not any(part.startswith((".", "__")) for part in name.parts)


def _pairs(
    files: Collection[PurePosixPath], where: str
) -> list[tuple[PurePosixPath, PurePosixPath]]:
    """(.txt, .lab) by name, also .TXT and .LAB; CorpusError where one of a pair is missing."""
    texts, labels = (_by_name(files, suffix, where) for suffix in (".txt", ".lab"))
    if not texts:
        what = f"{where}: got no .txt file in it; must be NNNNN.txt and NNNNN.lab files"
        raise CorpusError([("dataset", what)])
    alone = [str(texts[name]) for name in sorted(texts.keys() - labels)]
    alone += [str(labels[name]) for name in sorted(labels.keys() - texts)]
    if alone:
        must = "must be pairs of NNNNN.txt and NNNNN.lab (an empty one where there is no label)"
        raise CorpusError([("dataset", f"{where}: got {_some(alone, 'file')} alone; {must}")])
    return [(texts[name], labels[name]) for name in sorted(texts)]


def _by_name(files: Collection[PurePosixPath], suffix: str, where: str) -> dict[str, PurePosixPath]:
    """The files with this ending, however it is written, by their names without it."""
    found: dict[str, PurePosixPath] = {}
    for file in sorted(files):
        if file.suffix.lower() != suffix or not _own(file):
            continue
        first = found.setdefault(str(file.with_suffix("")), file)
        if first != file:
            what = f"{where}: got {first} and {file}; must be one {suffix} file of a name"
            raise CorpusError([("dataset", what)])
    return found


def _some(places: Sequence[str], what: str) -> str:
    """``2 lines (3, 7)``"""
    shown = ", ".join(places[:SHOWN]) + (", …" if len(places) > SHOWN else "")
    return f"{len(places)} {what}{'s' if len(places) > 1 else ''} ({shown})"
