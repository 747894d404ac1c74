"""The page without a browser: sliders, stage, replay, words, sharing, what may be opened."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("solara", reason="the page's extra is not installed: pip install -e '.[page]'")

import alphacrit
from alphacrit.cli import main
from alphacrit.page import serve
from alphacrit.page.again import Again
from alphacrit.page.library import Library
from alphacrit.page.painter import NO_PEOPLE, Painter
from alphacrit.page.replay import Replay, ReplayStage
from alphacrit.page.settings import VARIABLE, PageSettings, from_environment
from alphacrit.page.share import check_values, query_of, request_of
from alphacrit.page.sliders import changes, knobs_of
from alphacrit.page.stage import Play, Stage
from learners.errors import ScenarioError
from sim import results
from sim.model import Economy
from sim.runs import run, run_many
from sim.scenario import Scenario, load, loads

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
START, COST = "collectives.union.start", "population.cost"


def scenario(name: str, **sets: object) -> Scenario:
    path = next(SCENARIOS.rglob(f"{name}.toml"))
    return load(path, {key.replace("__", "."): value for key, value in sets.items()})


def finished(stage: Stage) -> Stage:
    while stage.running:
        stage.step()
    return stage


# --- sliders --------------------------------------------------------------------------------------


def test_a_slider_carries_symbol_unit_and_declared_range() -> None:
    knobs = {knob.key: knob for knob in knobs_of([scenario("baseline")])}
    assert knobs[COST].label == "cost c (utility)"
    free_riding = knobs["population.free_riding"]
    assert (free_riding.low, free_riding.high) == (0.0, 1.0)
    assert knobs["revision.rate"].low > 0.0  # declared as > 0
    assert knobs["platform.suboptimality"].high < 1.0  # declared as < 1
    assert knobs["seed"].whole and knobs["population.size"].whole
    assert not isinstance(knobs[COST].exact(0.5), int)


def test_a_slider_that_rests_keeps_the_value_of_the_file() -> None:
    odd = scenario("baseline", population__cost=0.300004)
    knobs = knobs_of([odd])
    assert changes(knobs, {COST: 0.30}, 0) == {}  # the browser rounds to the slider's steps
    assert changes(knobs, {COST: 0.31}, 0) == {COST: 0.31}


@pytest.mark.once(keep=2)
@pytest.mark.parametrize(
    "path", sorted((SCENARIOS / "experiments").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_ends_of_every_slider_of_the_library_are_in_the_declared_range(path: Path) -> None:
    """Alone, each end of a slider gives a scenario that only a rule about others may refuse."""
    this = load(path)
    knobs = knobs_of([this])
    assert {"seed", "population.size"} <= {knob.key for knob in knobs}
    for knob in knobs:
        assert knob.low <= knob.value <= knob.high
        for end in (knob.low, knob.high):
            if knob.key == "population.size":
                continue  # takes long at 100,000
            try:
                Play((this,)).set_to({knob.key: end})
            except ScenarioError as error:
                assert "≤ 1 (" not in str(error) and "≥ 0 (" not in str(error), str(error)


def test_both_neighbours_of_a_value_between_two_steps_can_be_chosen() -> None:
    odd = scenario("baseline", population__cost=0.300004, population__size=25)
    knobs = {knob.key: knob for knob in knobs_of([odd])}
    cost, size = knobs[COST], knobs["population.size"]
    assert cost.exact(0.3) == 0.300004  # rests
    assert [cost.exact(0.3 + cost.step), cost.exact(0.3 - cost.step)] == [0.3001, 0.2999]
    assert [size.exact(value) for value in (24, 25, 26)] == [24, 25, 26]


def test_sliders_of_a_distribution_have_the_range_of_its_own_kind() -> None:
    beta = {"dist": "beta", "a": 2.0, "b": 5.0}
    knobs = {knob.key: knob for knob in knobs_of([scenario("baseline", population__cost=beta)])}
    assert knobs["population.cost.high"].high == 1.0  # a normal's has no end
    assert knobs["population.cost.a"].low > 0.0
    assert knobs["population.cost.b"].label == "cost, b"
    normal = knobs_of([scenario("two-tipping-points")])
    assert "population.cost.sd" in {knob.key for knob in normal}


def test_a_budget_of_nothing_can_be_raised() -> None:
    knobs = {knob.key: knob for knob in knobs_of([scenario("principal", principal__budget=0.0)])}
    assert knobs["principal.budget"].high > 37.2  # B


def test_of_two_scenarios_what_differs_has_two_sliders() -> None:
    play = Play((scenario("baseline"), scenario("two-tipping-points")))
    keys = {knob.key for knob in play.knobs}
    assert {f"first/{START}", f"second/{START}", "seed", "population.free_riding"} <= keys
    assert START not in keys
    first, second = play.set_to({f"second/{START}": 0.45, "seed": 20261122})
    assert (first.collectives["union"].start, second.collectives["union"].start) == (0.02, 0.45)
    assert first.seed == second.seed == 20261122


# --- the stage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["baseline", "principal", "colliding-signals", "network-seed"])
def test_stepping_the_stage_is_running_the_scenario(name: str) -> None:
    this = scenario(name, population__size=1000)
    stage = finished(Stage(play=Play((this,))))
    (frame,) = stage.frames()
    wanted, names = run(this), list(this.names)
    for k, one in enumerate(names):
        series = wanted.series[wanted.series["collective"] == one]
        np.testing.assert_array_equal(frame.alpha[:, k], series["alpha"])
        np.testing.assert_array_equal(frame.success[:, k], series["success"])
    assert frame.spent[-1] == wanted.summary["spent"]
    assert stage.steps == wanted.summary["epochs"]


@pytest.mark.parametrize(("start", "end"), [(0.015, 0.0), (0.016, 1.0)])
def test_the_tipping_point_lies_between_two_positions_of_the_slider(
    start: float, end: float
) -> None:
    stage = finished(Stage(play=Play((scenario("baseline"),)), **{START: start}))
    assert stage.frames()[0].alpha[-1, 0] == end


def test_an_invalid_setting_says_what_a_file_would_say() -> None:
    this = scenario("colliding-signals")
    values = {"collectives.union.start": 0.7}
    stage = Stage(play=Play((this,)), **values)
    with pytest.raises(ScenarioError) as refused:
        loads(this.to_toml(), where="f.toml", overrides=values)
    wanted = refused.value.problems[0].split("=0.7: ", 1)[1]
    assert stage.problem == wanted
    assert wanted.startswith("collectives.union.start: got 0.7; must be")
    assert not stage.running
    stage.step()  # and nothing happens
    assert stage.frames() == ()


def test_two_scenarios_stay_in_step_and_on_one_seed() -> None:
    both = (scenario("baseline"), scenario("two-tipping-points"))
    stage = Stage(play=Play(both), seed=7)
    assert [economy.scenario.seed for economy in stage.economies] == [7, 7]
    for epoch in range(1, 4):
        stage.step()
        assert [frame.epoch[-1] for frame in stage.frames()] == [epoch, epoch]
    ends = [frame.epoch[-1] for frame in finished(stage).frames()]
    assert stage.steps == max(ends) > min(ends)  # the other one goes on alone


def test_a_frame_does_not_change_when_the_stage_goes_on() -> None:
    stage = Stage(play=Play((scenario("baseline"),)))
    (before,) = stage.frames()
    members = before.membership.copy()
    stage.step()
    assert len(before.epoch) == 1
    np.testing.assert_array_equal(before.membership, members)


# --- sharing --------------------------------------------------------------------------------------


def test_a_url_brings_the_settings_back() -> None:
    play = Play((scenario("baseline"), scenario("two-tipping-points")))
    values = {f"second/{START}": 0.45, "population.free_riding": 0.25, "seed": 20261125}
    query = query_of(("baseline", "two-tipping-points"), play.knobs, values)
    back = request_of(query)
    assert back.names == ("baseline", "two-tipping-points")
    check_values(play.knobs, back.values)
    assert play.set_to(back.values) == play.set_to(values)


def test_the_downloaded_file_is_what_runs() -> None:
    stage = Stage(play=Play((scenario("baseline"),)), **{COST: 0.41})
    (running,) = stage.scenarios
    assert loads(running.to_toml()) == running
    assert running.population.cost == 0.41


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?scenario=a&scenario=b", "scenario is given twice"),
        ("?file=/etc/passwd", "got 'file'; must be scenario, beside or set"),
        ("?set=population.cost", "must be ADDRESS:NUMBER"),
        ("?set=population.cost:high", "must be ADDRESS:NUMBER"),
        ("?set=population.cost:nan", "must be ADDRESS:NUMBER"),
        ("?set=:3", "must be ADDRESS:NUMBER"),
        ("?beside=baseline", "needs a scenario"),
        ("?scenario=" + "a" * 5000, "must be at most 4000"),
    ],
)
def test_a_malformed_url_is_refused(query: str, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        request_of(query)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"platform.universe": 3.0}, "no such slider"),
        ({"population.size": 1e9}, "must be at most 100000"),
        ({"population.size": 10.5}, "must be a whole number"),
    ],
)
def test_a_url_can_move_nothing_that_the_mouse_cannot(values: dict, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        check_values(knobs_of([scenario("baseline")]), values)
    assert said in str(refused.value)


# --- what may be opened ---------------------------------------------------------------------------


def test_only_the_folders_given_can_be_reached(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "deep", outside):
        folder.mkdir(parents=True)
    text = scenario("baseline").source
    (inside / "deep" / "here.toml").write_text(text)
    (outside / "secret.toml").write_text(text)
    (inside / "link.toml").symlink_to(outside / "secret.toml")
    library = Library(PageSettings(folders=(inside,)))
    run_folder = results.write([run(scenario("baseline", population__size=10))], inside / "r" / "x")
    assert Library(PageSettings(folders=(inside,))).paths == {
        "here": inside / "deep" / "here.toml", "run of r": run_folder,
    }  # fmt: skip
    assert library.open("here") == scenario("baseline")
    for name in ("secret", "link", "../out/secret", str(outside / "secret.toml"), "", "hear"):
        with pytest.raises(ScenarioError, match="there is none of this name here"):
            library.open(name)


def test_a_scenario_of_a_folder_names_no_data_outside(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.txt").write_text("not for the browser")
    (inside / "edges.txt").write_text("0 1")
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    files = ["edges.txt", "../secret.txt", str(tmp_path / "secret.txt"), "link.txt", "\\u0000"]
    for number, file in enumerate(files):
        network = f'[population.network]\nkind = "edges"\npath = "{file}"\n\n[collectives.union]'
        text = scenario("baseline").source.replace("[collectives.union]", network)
        (inside / f"{number}.toml").write_text(text)
    library = Library(PageSettings(folders=(inside,)))
    assert library.open("0") != scenario("baseline")
    for name in ("1", "2", "3", "4"):
        with pytest.raises(ScenarioError, match=r"path: names a file outside") as refused:
            library.open(name)
        assert "not for the browser" not in str(refused.value)
    with pytest.raises(ScenarioError, match="not for the browser"):  # on the command line it may
        Library(PageSettings(opened=(inside / "1.toml",))).open("1")
    (inside / "0.toml").unlink()
    (inside / "0.toml").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ScenarioError, match="scenario: names a file outside"):
        library.open("0")


def test_files_of_one_name_keep_their_folders(tmp_path: Path) -> None:
    text = scenario("baseline").source
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.toml").write_text(text)
    assert Library(PageSettings(folders=(tmp_path,))).names == ["a/same", "b/same"]


def test_no_scenario_is_lost_to_another_one_of_its_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        text = scenario("baseline").source.replace("seed   = 20261121", f"seed = {ord(folder)}")
        (tmp_path / folder / "same.toml").write_text(text)
    a, b = tmp_path / "a", tmp_path / "b"
    both = Library(PageSettings(opened=(a / "same.toml", b / "same.toml"), folders=(a, b)))
    assert both.first == ("a/same", "b/same") and both.names == list(both.first)
    assert [both.open(name).seed for name in both.first] == [ord("a"), ord("b")]
    assert Library(PageSettings(folders=(a, b))).names == ["same", "b/same"]
    one = Library(PageSettings(opened=(b / "same.toml",), folders=(a,)))
    assert one.first == ("same",) and one.open("same").seed == ord("b")
    assert one.open("a/same").seed == ord("a")


def test_without_settings_the_page_opens_the_main_scenario_of_the_library() -> None:
    settings = from_environment({})
    assert Library(settings).first == ("baseline",)
    given = PageSettings((Path("x.toml"),), (Path("folder"),))
    back = from_environment({VARIABLE: given.to_json()})
    assert back == PageSettings((Path("x.toml").absolute(),), (Path("folder").absolute(),))


# --- replay ---------------------------------------------------------------------------------------


def test_a_replay_shows_what_was_written_down(tmp_path: Path) -> None:
    this = scenario("baseline", population__size=500, revision__rate=0.3)
    runs = run_many(this, 2)
    folder = results.write(runs, tmp_path / "out")
    opened = Library(PageSettings(opened=(folder,))).open(f"run of {tmp_path.name}")
    assert isinstance(opened, results.Results)
    replay = Replay(opened)
    assert replay.replicates == (0, 1)
    stage = ReplayStage(replay=replay, replicate=1)
    series = runs[1].series
    while stage.running:
        stage.step()
    (frame,) = stage.frames()
    np.testing.assert_array_equal(frame.alpha[:, 0], series["alpha"])
    assert stage.stopped == runs[1].summary["stopped"]
    stage.show(3)
    assert stage.frames()[0].epoch[-1] == 3 and stage.stopped is None
    stage.show(10**9)
    assert stage.steps == stage.last


def test_the_people_of_a_replay_are_those_of_the_run_made_again(tmp_path: Path) -> None:
    this = scenario("baseline", population__size=500, revision__rate=0.3)
    folder = results.write(run_many(this, 2), tmp_path / "out")
    opened = results.load(folder)
    assert isinstance(opened, results.Results)
    stage = ReplayStage(replay=Replay(opened), replicate=1)
    economy = Economy(this, replicate=1)
    for epoch in (0, 3, 5, 2):  # also backwards
        stage.show(epoch)
        if economy.epoch > epoch:
            economy = Economy(this, replicate=1)
        while economy.epoch < epoch:
            economy.step()
        (frame,) = stage.frames()
        np.testing.assert_array_equal(frame.membership, economy.population.membership)

    written = stage.frames()[0].alpha
    assert Again(this, 1, written).membership(2) is not None
    assert Again(this, 0, written).membership(2) is None  # another run is not shown as this one
    convex = scenario("convex", population__size=50)
    assert Again(convex, 0, written).membership(0) is None  # nothing is trained for a picture


def test_a_replay_of_an_infinite_population_has_no_people(tmp_path: Path) -> None:
    this = scenario("baseline", population__size="infinite")
    opened = results.load(results.write([alphacrit.run(this)], tmp_path / "out"))
    assert isinstance(opened, results.Results)
    stage = ReplayStage(replay=Replay(opened))
    stage.step()
    (frame,) = stage.frames()
    assert frame.membership is None and stage.economies == (None,)
    assert frame.alpha[:, 0].tolist() == [0.02, 1.0]
    (panel,) = Painter(print)._paint(stage).panels
    assert panel.note.startswith(NO_PEOPLE) and panel.pictures


# --- the command ----------------------------------------------------------------------------------


def view(*arguments: str) -> int:
    return main(["view", *arguments, "--no-open"])


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "NEEDED", ("solara", "no_such_library"))
    assert view("baseline") == 6
    said = capsys.readouterr().err
    assert "needs no_such_library" in said and "pip install 'alphacrit[page]'" in said


def test_the_command_reads_its_files_before_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple] = []
    monkeypatch.setattr(serve, "serve", lambda *given: served.append(given))
    broken = tmp_path / "broken.toml"
    broken.write_text("name = 3")
    assert view(str(broken)) == 3
    assert view("a", "b", "c") == 2
    assert view(str(tmp_path)) == 7  # a folder without results
    assert served == []
    assert view("baseline", "two-tipping-points") == 0
    ((settings, host, port, browser),) = served
    assert [path.stem for path in settings.opened] == ["baseline", "two-tipping-points"]
    assert (host, port, browser) == ("127.0.0.1", 8765, False)


def test_the_server_calls_nobody() -> None:
    assert "--no-check-version" in serve.arguments("127.0.0.1", 8765, False)
    assert serve.environment(PageSettings())["SOLARA_TELEMETRY_MIXPANEL_ENABLE"] == "False"


def test_ctrl_c_ends_the_page_and_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import solara.__main__
    from click import Abort

    def interrupted(*_: object, **__: object) -> None:
        raise Abort

    monkeypatch.setattr(solara.__main__.cli, "main", interrupted)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert view("baseline", "--port", "8799") == 130
    assert "bug" not in capsys.readouterr().err
