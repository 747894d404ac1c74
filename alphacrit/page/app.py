"""The page: ``alphacrit view FILE``, or ``solara run alphacrit.page.app``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import solara
from mesa.visualization import SolaraViz
from mesa.visualization.utils import update_counter

from alphacrit.page.library import Library
from alphacrit.page.parts import Choice, Epochs, Pictures, Share, State
from alphacrit.page.replay import ReplayStage
from alphacrit.page.session import Mount, Session
from alphacrit.page.settings import from_environment

STYLE = Path(__file__).with_name("page.css")


@solara.component
def Layout(children: list[Any]) -> Any:
    """Nothing around the page: it has its own layout, which begins anew with each mount."""
    return solara.Div(children=children, style={"width": "100%"})


@solara.component
def Page() -> None:
    """One browser session."""
    query = solara.use_router().search or ""
    session = solara.use_memo(lambda: Session(Library(from_environment()), query), [])
    solara.use_effect(lambda: session.close, [])
    solara.Style(STYLE)
    mount = session.mount.value
    if mount is None:
        for line in session.problem.value.splitlines():
            solara.Error(line)
        return
    # Mesa puts its controls into the sidebar of the layout. Were the layout to stay, so would they,
    # with the parameters and the play button of the model before.
    with solara.AppLayout(sidebar_open=None, title="alphacrit").key(f"mount-{mount.number}"):
        Mounted(session, mount)


@solara.component
def Mounted(session: Session, mount: Mount) -> None:
    """Mesa's controls beside the page; on a phone they lie under it and can be pushed away."""
    with solara.Div(classes=["alphacrit"]):
        Choice(session, mount)
        SolaraViz(mount.model, components=[], model_params=mount.params, name="alphacrit")
        with solara.Sidebar():
            solara.Text("Sliders take effect on Reset.", classes=["alphacrit-note"])
        State(session, mount)
        if isinstance(mount.model.value, ReplayStage):
            Epochs(session, mount.model.value)
        Watch(session, mount)
        Pictures(session)
        Share(session, mount)


@solara.component
def Watch(session: Session, mount: Mount) -> None:
    """Let the painter know of every change, and close a stage that Reset has replaced."""
    stage = mount.model.value
    solara.use_effect(lambda: session.painter.show(stage), [update_counter.value, stage])
    solara.use_effect(lambda: stage.close, [stage])
