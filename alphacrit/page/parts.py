"""Pieces of the page below Mesa's controls."""

from __future__ import annotations

import solara
from mesa.visualization.utils import force_update, update_counter

from alphacrit.page.painter import Panel, data_url
from alphacrit.page.replay import ReplayStage
from alphacrit.page.session import Mount, Session
from alphacrit.page.stage import Stage

ALONE = "(nothing)"


@solara.component
def Choice(session: Session, mount: Mount) -> None:
    """The lists to switch scenario, and to put a second one beside it."""
    names = session.library.names
    beside = mount.names[1] if len(mount.names) > 1 else ALONE

    def choose(name: str) -> None:
        session.switch((name, *mount.names[1:]))

    def put_beside(name: str) -> None:
        session.switch(mount.names[:1] if name == ALONE else (mount.names[0], name))

    # What is refused is not on: after it the lists are made anew, and say what is.
    with solara.Div(classes=["alphacrit-choice"]).key(f"choice-{session.refused.value}"):
        solara.Select("Scenario", value=mount.names[0], values=names, on_value=choose)
        if isinstance(mount.model.value, Stage):
            solara.Select("Beside it", value=beside, values=[ALONE, *names], on_value=put_beside)


@solara.component
def State(session: Session, mount: Mount) -> None:
    """What is refused, what is being trained, and how to stop it."""
    update_counter.get()
    stage = mount.model.value
    for problem in (session.problem.value, stage.problem):
        for line in problem.splitlines():
            solara.Error(line, icon=False, dense=True)
    if isinstance(stage, Stage) and stage.worker is not None:
        Training(session, stage)


@solara.component
def Training(session: Session, stage: Stage) -> None:
    """How far the training is, and the button that stops it."""
    update_counter.get()
    worker = stage.worker
    assert worker is not None
    if worker.error is not None:
        solara.Error(f"training: {worker.error}", icon=False, dense=True)
    elif worker.stopped and stage.inherited:  # now there are buttons that know of it
        which = "the economy" if len(stage.scenarios) == 1 else "the one that trained"
        solara.Info(
            f"Stopped: {which} is as it was before this epoch. Step or play goes on.",
            icon=False, dense=True,
        )  # fmt: skip
    if not stage.busy:
        return
    what, done, total = worker.progress or ("the platform is being trained", 0, 0)
    words = f"{what}: {done:,} of {total:,}" if total else what
    with solara.Row(classes=["alphacrit-training"]):
        solara.Text(words)
        solara.Button("Stop", on_click=session.stop, color="primary", outlined=True)
    share = 100.0 * done / total if total else True
    solara.ProgressLinear(value=share)


@solara.component
def Epochs(session: Session, stage: ReplayStage) -> None:
    """The slider over the epochs of a finished run."""
    update_counter.get()

    def go(epoch: int) -> None:
        session.show_epoch(stage, epoch)
        force_update()

    solara.SliderInt("Epoch", value=stage.steps, min=0, max=stage.last, on_value=go)


@solara.component
def Pictures(session: Session) -> None:
    """The newest frame: words and pictures of each economy."""
    shown = session.shown.value
    if shown is None:
        solara.Text("The pictures are being drawn …")
        return
    if shown.problem:
        solara.Error(shown.problem, icon=False, dense=True)
    with solara.Div(classes=["alphacrit-panels"]):
        for panel in shown.panels:
            OnePanel(panel, several=len(shown.panels) > 1)


@solara.component
def OnePanel(panel: Panel, several: bool) -> None:
    """One economy."""
    with solara.Div(classes=["alphacrit-panel"]):
        solara.v.Html(tag="h2", children=[panel.name])
        solara.v.Html(
            tag="p",
            children=[f"Epoch {panel.epoch}. {panel.words}"],
            attributes={"role": "status", "aria-live": "polite"},
            class_="alphacrit-words",
        )
        if panel.note:
            solara.v.Html(tag="p", children=[panel.note], class_="alphacrit-note")
        classes = ["alphacrit-pictures", "alphacrit-narrow"] if several else ["alphacrit-pictures"]
        with solara.Div(classes=classes):
            for title, words, png in panel.pictures:
                Figure(title, words, png)


@solara.component
def Figure(title: str, words: str, png: bytes) -> None:
    """A picture with its title, and with words for those who cannot see it."""
    with solara.v.Html(tag="figure"):
        solara.v.Html(tag="figcaption", children=[title])
        solara.v.Html(tag="img", attributes={"src": data_url(png), "alt": words})


@solara.component
def Share(session: Session, mount: Mount) -> None:
    """The settings of what is running as a file and as a URL."""
    update_counter.get()
    stage = mount.model.value
    if isinstance(stage, ReplayStage):
        return
    with solara.Div(classes=["alphacrit-share"]):
        for scenario in stage.scenarios:
            solara.FileDownload(
                scenario.to_toml, filename=f"{scenario.name}.toml",
                label=f"Download {scenario.name}.toml",
            )  # fmt: skip
        if stage.scenarios:
            solara.v.Html(
                tag="a", children=["Link to these settings"],
                attributes={"href": session.query(), "target": "_blank"},
            )  # fmt: skip
