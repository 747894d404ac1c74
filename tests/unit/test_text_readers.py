"""Readers of labelled texts: every format gives the same corpus back, every fault its message."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from learners.texts.corpus import Corpus, CorpusError
from learners.texts.readers import read_corpus

RESUMES = Path("/work/shared/data/resumes/resumes_scrubbed_512w.jsonl.xz")
INTENTS = Path("/work/shared/data/intents_snips/snips.csv.gz")

TEXTS = ("Java, “quoted” and é", "web page\nsecond line", '{"x": 1} \u2028 end', "NA")
LABELS = (("java", "web"), ("web",), (), ("null",))
GROUPS = (4, 4, None, 9)
EXPECTED = Corpus(
    TEXTS,
    [[True, False, True], [False, False, True], [False, False, False], [False, True, False]],
    ("java", "null", "web"),
    [0, 0, 1, 2],
)


def as_csv(delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["id", "text", "labels", "group"])
    for i, row in enumerate(zip(TEXTS, LABELS, GROUPS, strict=True)):
        writer.writerow([i, row[0], "|".join(row[1]), "" if row[2] is None else row[2]])
    return out.getvalue().encode()


def as_lines() -> bytes:
    records = [
        {"text": text, "labels": list(labels), "group": group}
        for text, labels, group in zip(TEXTS, LABELS, GROUPS, strict=True)
    ]
    del records[2]["labels"]  # a key that is not there is an empty cell
    return "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode() + b"\n\n"


def as_parquet() -> bytes:
    frame = pd.DataFrame(
        {"text": TEXTS, "labels": [list(x) or None for x in LABELS], "group": GROUPS}
    )
    return frame.to_parquet()


FILES = {
    "x.csv": as_csv(),
    "x.CSV.GZ": gzip.compress(as_csv()),
    "x.csv.xz": lzma.compress(b"\xef\xbb\xbf" + as_csv()),
    "x.tsv": as_csv("\t"),
    "x.jsonl": as_lines(),
    "a.b.ndjson.xz": lzma.compress(b"\xef\xbb\xbf" + as_lines()),
    "x.parquet": as_parquet(),
}


def same(a: Corpus, b: Corpus) -> bool:
    return a.digest == b.digest


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_corpus(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    corpus = read_corpus(tmp_path / name, group="group")
    assert corpus.texts == TEXTS and corpus.names == EXPECTED.names
    assert same(corpus, EXPECTED)
    assert read_corpus(tmp_path / name).groups is None


def test_what_a_cell_of_labels_can_be(tmp_path):
    cells = ["b|a", '["a", "b"]', "[a", "a", 3, " b | |a|b ", ["a|b"], [], "[]", "", None, [7, ""]]
    lines = [json.dumps({"t": "x", "y": cell}) for cell in cells]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    corpus = read_corpus(tmp_path / "x.jsonl", "t", "y")
    found = [{n for n, h in zip(corpus.names, row, strict=True) if h} for row in corpus.labels]
    assert found == [
        {"a", "b"}, {"a", "b"}, {"[a"}, {"a"}, {"3"}, {"a", "b"}, {"a|b"}, set(), set(), set(),
        set(), {"7"},
    ]  # fmt: skip
    whole = read_corpus(tmp_path / "x.jsonl", "t", "y", separator="")
    assert "b|a" in whole.names and not whole.single
    other = read_corpus(tmp_path / "x.jsonl", "t", "y", separator="a|")
    assert "b|a" in other.names


def label_sets(corpus: Corpus) -> list[set[str]]:
    return [{n for n, h in zip(corpus.names, row, strict=True) if h} for row in corpus.labels]


def test_lists_as_python_and_numpy_write_them(tmp_path):
    cells = [["a", "b"], ["it's", 'say "c"'], [], np.array(["a", "b"]), ["a|b, c"], ["\\ é"]]
    more = ["['a', 'b'", "['a', other]", "[a, b]", " [ 'a','b', ] "]
    frame = pd.DataFrame({"text": "x", "labels": [*cells, *more]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    assert frame["labels"].astype(str)[3] == "['a' 'b']"  # what Python alone would read as 'ab'
    assert label_sets(read_corpus(tmp_path / "x.csv")) == [
        {"a", "b"}, {"it's", 'say "c"'}, set(), {"a", "b"}, {"a|b, c"}, {"\\ é"},
        {"['a', 'b'"}, {"['a', other]"}, {"[a, b]"}, {"a", "b"},
    ]  # fmt: skip


def test_whole_numbers_have_no_decimals_beside_empty_cells(tmp_path):
    frame = pd.DataFrame(
        {"text": list("xyzw"), "labels": [1, None, 3, 2.5], "group": [4, 4, None, 5]}
    )
    assert frame["labels"].dtype == float
    frame.to_parquet(tmp_path / "x.parquet")
    corpus = read_corpus(tmp_path / "x.parquet", group="group")
    assert label_sets(corpus) == [{"1"}, set(), {"3"}, {"2.5"}]
    assert corpus.groups is not None and corpus.groups.tolist() == [0, 0, 1, 2]
    frame.assign(labels=pd.array([1, None, 3, 2], "Int64")).to_parquet(tmp_path / "x.parquet")
    assert read_corpus(tmp_path / "x.parquet").names == ("1", "2", "3")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_that_are_whole_are_not_told_to_be_short(tmp_path, end):
    """Empty and blank lines are no rows; a text may be long and go over several lines."""
    long = "word " * 40_000
    rows = ["text,labels", "x,", "", f'{long},"a"', "   ", f'"one{end}{end}two ""x""",b', 'a "q",b']
    (tmp_path / "x.csv").write_bytes(end.join(rows).encode())
    limit = csv.field_size_limit()
    assert label_sets(read_corpus(tmp_path / "x.csv")) == [set(), {"a"}, {"b"}, {"b"}]
    assert csv.field_size_limit() == limit
    (tmp_path / "x.csv").write_bytes(end.join([*rows, "z"]).encode())
    with pytest.raises(CorpusError, match=r"fewer cells than the 2 columns in 1 \(row 5\) of 5"):
        read_corpus(tmp_path / "x.csv")


def test_encodings(tmp_path):
    (tmp_path / "x.csv").write_bytes("text,labels\ncafé “x”,a\nthé,b\n".encode("cp1252"))
    assert read_corpus(tmp_path / "x.csv", encoding="cp1252").texts == ("café “x”", "thé")
    (tmp_path / "y.csv").write_bytes("text,labels\ncafé,a\nthé,b\n".encode("utf-16"))
    assert read_corpus(tmp_path / "y.csv", encoding="utf-16").texts == ("café", "thé")


# --- what can be wrong ----------------------------------------------------------------------------

FAULTS = {
    "no such file": ("x.csv", None, {}, [
        ("dataset", 'got "x.csv", which does not exist; must be a CSV, TSV, JSON lines or Parquet '
                    "file (also .gz, .xz), or resumes")]),
    "unknown kind": ("x.xlsx", b"PK", {}, [
        ("dataset", 'got "x.xlsx", an unknown kind of file; must end in .csv, .tsv, .jsonl, '
                    ".ndjson, .txt, .parquet, .zip, or be a folder")]),
    "packed kind unknown": ("x.zst.gz", b"", {}, [("dataset", 'got "x.zst.gz", an unknown kind…')]),
    "no gzip": ("x.csv.gz", b"text,labels\n", {}, [
        ("dataset", "x.csv.gz: cannot be unpacked (Not a gzipped file (b'te')); must be a whole "
                    ".gz file")]),
    "cut off": ("x.csv.xz", lzma.compress(as_csv())[:-20], {}, [
        ("dataset", "x.csv.xz: cannot be unpacked (…")]),
    "cut off gzip": ("x.csv.gz", gzip.compress(as_csv())[:40], {}, [
        ("dataset", "x.csv.gz: cannot be unpacked (…")]),
    "columns": ("x.csv", as_csv(), {"text": "txt", "labels": "label", "group": "g"}, [
        ("text", "got 'txt'; must be a column of x.csv (id, text, labels, group); did you mean "
                 '"text"?'),
        ("labels", "got 'label'; must be a column of x.csv (id, text, labels, group); did you "
                   'mean "labels"?'),
        ("group", "got 'g'; must be a column of x.csv (id, text, labels, group)")]),
    "one column for two": ("x.csv", as_csv(), {"labels": "text"}, [
        ("labels", "got 'text', which is text too; must be another column")]),
    "column twice": ("x.csv", b"text,labels,text\nx,a,y\n", {}, [
        ("dataset", "x.csv: got text as a column twice; must be one column each")]),
    "empty texts": ("x.csv", b"text,labels\nx,a\n,b\nx,a\n  ,b\n", {}, [
        ("text", "x.csv: got empty texts in 2 (row 2, row 4) of 4; must be words (leave these "
                 "rows out)")]),
    "texts that are none": ("x.jsonl", b'{"text": 5, "labels": "a"}\n\n{"text": "a\\u0000", '
                            b'"labels": "b"}\n{"text": "\\ud800", "labels": "b"}\n{"labels": 1}',
                            {}, [
        ("text", "x.jsonl: got empty texts in 1 (line 5) of 4; must be words (leave these rows "
                 "out)"),
        ("text", "x.jsonl: got texts that are no readable text in 3 (line 1, line 3, line 4) of "
                 "4; must be words (leave these rows out)")]),
    "labels that are none": ("x.jsonl", b'{"text": "x", "labels": {"a": 1}}\n', {}, [
        ("labels", "x.jsonl: got no label and no list of labels in 1 (line 1) of 1; must be "
                   "names of labels")]),
    "nobody has a label": ("x.csv", b"text,labels\nx,\ny,|\n", {}, [
        ("labels", "x.csv: got no label at all; must be at least two labels")]),
    "one label": ("x.csv", b"text,labels\nx,a\ny,a\n", {}, [
        ("labels", "x.csv: got one label only ('a'); must be at least two labels")]),
    "no rows": ("x.csv", b"text,labels\n", {}, [
        ("dataset", "x.csv: got no rows; must be at least two texts")]),
    "empty file": ("x.csv", b"", {}, [
        ("dataset", "x.csv: got an empty file; must have a line of column names")]),
    "no lines": ("x.jsonl", b"\n\n", {}, [
        ("dataset", "x.jsonl: got no rows; must be at least two texts")]),
    "broken JSON": ("x.jsonl", b'{"text": "x", "labels": "a"}\n\n{"text": "x",\n', {}, [
        ("dataset", "x.jsonl: got no JSON in line 3 (…")]),
    "no object": ("x.jsonl", b'["x"]\n', {}, [
        ("dataset", "x.jsonl: got no object in line 1; must be one JSON object a line")]),
    "too many cells": ("x.csv", b"text,labels\na,b,c\n", {}, [
        ("dataset", "x.csv: Expected 2 fields in line 2, saw 3; must have a cell for each column "
                    "(in quotes where a text has the delimiter)")]),
    "too few cells": ("x.csv", b"text,labels\na,b\nc\n\nd,\n\"e\"\n", {}, [
        ("dataset", "x.csv: got fewer cells than the 2 columns in 2 (row 2, row 4) of 4; must have "
                    "a cell for each column (in quotes where a text has the delimiter)")]),
    "too few cells in TSV": ("x.tsv", b"text\tlabels\nx\ta\ny,b\n", {}, [
        ("dataset", "x.tsv: got fewer cells than the 2 columns in 1 (row 2) of 2; must have…")]),
    "no Parquet": ("x.parquet", b"nonsense", {}, [("dataset", "x.parquet: Parquet …")]),
    "wrong encoding": ("x.csv", "text,labels\ncafé,a\n".encode("cp1252"), {}, [
        ("encoding", "x.csv: got the byte 0xe9 at position 15, which is not utf-8; is it cp1252? "
                     'then set encoding = "cp1252"')]),
    "wrong encoding of lines": ("x.jsonl", "{}".encode("utf-16"), {}, [
        ("encoding", "x.jsonl: got the byte 0xff at position 0, which is not utf-8; is it "
                     'utf-16? then set encoding = "utf-16"')]),
    "no utf-16, an even number of bytes": (
        "x.csv", b"text,labels\nabc,a\nx,bb\n", {"encoding": "utf-16"}, [
        ("encoding", "x.csv: got no zero byte, so that it is not utf-16; is it utf-8? then set "
                     'encoding = "utf-8"')]),
    "no utf-16, an odd number": ("x.csv", b"text,labels\nabc,a\nx,b\n", {"encoding": "utf-16"}, [
        ("encoding", 'x.csv: got no zero byte, so that it is not utf-16; is it utf-8? then…')]),
    "no utf-16, lines": (
        "x.jsonl", b'{"text": "caf\xe9", "labels": "a"}', {"encoding": "UTF-16LE"}, [
        ("encoding", "x.jsonl: got no zero byte, so that it is not utf-16-le; is it cp1252? …")]),
    "not even cp1252": ("x.csv", b"text,labels\n\x81,a\n", {"encoding": "cp1252"}, [
        ("encoding", "x.csv: got the byte 0x81 at position 12, which is not cp1252; must be the "
                     "encoding of the file")]),
    "no such encoding": ("x.csv", as_csv(), {"encoding": "utf-99"}, [
        ("encoding", "got 'utf-99'; must be an encoding of text (utf-8, cp1252, latin-1, "
                     "utf-16)")]),
    "no encoding of text": ("x.csv", as_csv(), {"encoding": "base64"}, [
        ("encoding", "got 'base64'; must be an encoding of text (…")]),
    "resumes have no columns": ("x.txt", b"1:::a;:::x\n2:::b:::y", {"text": "t", "group": "g"}, [
        ("text", "got 't'; must be left out for resumes, whose layout is known"),
        ("group", "got 'g'; must be left out for resumes, whose layout is known")]),
    "broken line": ("x.txt", b"1:::a:::x\n\n2:::b\nz\n", {}, [
        ("dataset", "x.txt: got 2 lines (3, 4) with fewer than three fields; must be "
                    "reference:::label;label:::text")]),
    "no zip": ("x.zip", b"PK nonsense", {}, [("dataset", "x.zip: cannot be unpacked (…")]),
    "nothing in the file": ("x.txt", b"\n", {}, [
        ("dataset", "x.txt: got no resumes; must be at least two")]),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_told(tmp_path, monkeypatch, case):
    name, content, asked, expected = FAULTS[case]
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        read_corpus(name, **asked)
    assert len(caught.value.problems) == len(expected)
    for (argument, came), (wanted, message) in zip(caught.value.problems, expected, strict=True):
        pattern = re.escape(message).replace("…", ".*")
        assert argument == wanted and re.fullmatch(pattern, came, re.DOTALL), came


# --- resumes --------------------------------------------------------------------------------------

PEOPLE = {  # in the order of the file names
    "00001": ("Admin of “Oracle” – é\r\nsecond line", ("Database_Administrator",)),
    "00002": ("plain ::: three colons", ("Web_Developer", "Java_Developer")),
    "00010": ("nobody labelled me", ()),
}


def original_files(people: dict, encoding: str = "cp1252") -> dict[str, bytes]:
    files = {}
    for name, (text, labels) in people.items():
        files[f"{name}.txt"] = text.encode(encoding)
        files[f"{name}.lab"] = "".join(f"{label}\n" for label in labels).encode()
    return files


def written(tmp_path: Path, files: dict[str, bytes], layout: str) -> Path:
    """The files as a folder, or in a zip within a folder of it and with what macOS adds."""
    if layout == "folder":
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        return tmp_path
    path = tmp_path / "resumes_corpus.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("corpus/", "")
        for name, content in reversed(files.items()):
            archive.writestr(f"corpus/{name}", content)
        archive.writestr("__MACOSX/corpus/._00001.txt", b"\0")
    return path


def single_file(people: dict) -> bytes:
    lines = (
        f"{name}.txt:::{';'.join(labels)};:::{' '.join(text.split())}\n"
        for name, (text, labels) in people.items()
    )
    return "".join(lines).encode("cp1252")


@pytest.mark.parametrize("layout", ["folder", "zip"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_the_original_layout(tmp_path, layout, encoding):
    corpus = read_corpus(written(tmp_path, original_files(PEOPLE, encoding), layout))
    assert corpus.texts == tuple(text for text, _ in PEOPLE.values())
    assert corpus.names == ("Database_Administrator", "Java_Developer", "Web_Developer")
    assert corpus.labels.sum(axis=1).tolist() == [1, 2, 0]


@pytest.mark.parametrize("name", ["resume_samples.txt", "resume_samples.txt.gz", "x.zip"])
def test_the_single_file(tmp_path, name):
    content = single_file(PEOPLE)
    if name == "x.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("resume_samples.txt", content)
    else:
        packed = gzip.compress(content) if name.endswith("gz") else content
        (tmp_path / name).write_bytes(packed)
    corpus = read_corpus(tmp_path / name)
    assert corpus.texts == tuple(" ".join(text.split()) for text, _ in PEOPLE.values())
    assert corpus.labels.sum(axis=1).tolist() == [1, 2, 0]


def test_bytes_that_cp1252_leaves_open_do_not_stop_the_reading(tmp_path):
    files = original_files(PEOPLE) | {"00003.txt": b"caf\xe9 \x81", "00003.lab": b"Java_Developer"}
    corpus = read_corpus(written(tmp_path, files, "zip"))
    assert corpus.texts[2] == "café \x81"
    files["00003.txt"] = "café".encode("utf-16")
    with pytest.raises(CorpusError, match=r"no readable text in 1 \(.*00003.txt\) of 4"):
        read_corpus(written(tmp_path, files, "folder"))


@pytest.mark.parametrize("layout", ["folder", "zip"])
def test_half_a_pair(tmp_path, layout):
    files = original_files(PEOPLE)
    del files["00002.lab"], files["00010.txt"]
    path = written(tmp_path, files, layout)
    message = r"got 2 files \(.*00002.txt, .*00010.lab\) alone; must be pairs of NNNNN.txt and"
    with pytest.raises(CorpusError, match=message):
        read_corpus(path)


@pytest.mark.parametrize("layout", ["folder", "zip"])
def test_upper_case_names_are_read_too(tmp_path, layout):
    files = original_files(PEOPLE)
    for old, new in {
        "00002.txt": "00002.TXT",
        "00010.txt": "00010.TXT",
        "00010.lab": "00010.LAB",
    }.items():
        files[new] = files.pop(old)
    corpus = read_corpus(written(tmp_path, files, layout))
    assert corpus.texts == tuple(text for text, _ in PEOPLE.values())
    assert corpus.labels.sum(axis=1).tolist() == [1, 2, 0]


def test_upper_case_names_in_a_zip_are_refused_as_others_are(tmp_path):
    files = original_files(PEOPLE)
    path = written(tmp_path, files | {"00001.TXT": b"another"}, "zip")
    message = r"got corpus/00001.TXT and corpus/00001.txt; must be one .txt file of a name"
    with pytest.raises(CorpusError, match=message):
        read_corpus(path)
    files["00010.LAB"] = files.pop("00010.lab")
    del files["00010.txt"]
    with pytest.raises(CorpusError, match=r"got 1 file \(corpus/00010.LAB\) alone"):
        read_corpus(written(tmp_path, files, "zip"))


def test_a_single_file_in_a_zip_may_be_upper_case(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("RESUMES.TXT", single_file(PEOPLE))
    assert len(read_corpus(tmp_path / "x.zip")) == 3


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "readme.md").write_text("hello")
    with pytest.raises(CorpusError, match=r"got no \.txt file in it; must be NNNNN\.txt and"):
        read_corpus(tmp_path)


# --- real data, where they are at hand ------------------------------------------------------------


@pytest.fixture(scope="module")
def real_lines() -> list[str]:
    if not RESUMES.exists():
        pytest.skip(f"no {RESUMES}")
    with lzma.open(RESUMES, "rt", encoding="utf-8") as file:
        return [next(file) for _ in range(400)]


@pytest.mark.parametrize("layout", ["folder", "zip", "single"])
def test_real_resumes_through_the_original_layouts(tmp_path, real_lines, layout):
    (tmp_path / "few.jsonl").write_text("".join(real_lines))
    expected = read_corpus(tmp_path / "few.jsonl", group="group")
    people = {r["id"]: (r["text"], tuple(r["labels"])) for r in map(json.loads, real_lines)}
    if layout == "single":
        path = tmp_path / "resume_samples.txt"
        path.write_bytes(single_file(people))
    else:
        (tmp_path / "original").mkdir()
        path = written(tmp_path / "original", original_files(people), layout)
    corpus = read_corpus(path)
    assert corpus.texts == expected.texts and corpus.names == expected.names
    assert np.array_equal(corpus.labels, expected.labels)
    assert expected.groups is not None and len(set(expected.groups.tolist())) < 400


@pytest.mark.skipif(not INTENTS.exists(), reason=f"no {INTENTS}")
def test_real_intents():
    corpus = read_corpus(INTENTS, labels="label")
    assert len(corpus) == 14_484 and len(corpus.names) == 7 and corpus.single
