"""Answers as tables and sentences for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alphacrit.terminal import indented, number, say, say_prose, show_table, table

if TYPE_CHECKING:
    from pathlib import Path

    from alphacrit.catalogue import Entry
    from alphacrit.experiment import Finished
    from learners.measured.cache import Entry as CacheEntry
    from sim.scenario import Scenario
    from sim.scenario_fields import Part

Row = tuple[str, str, str, str]  # key, value, unit, meaning

REASONS = {
    "settled": "nobody wants to change any more",
    "cycle": "it goes round in a cycle",
    "epochs": "its epochs were used up",
}
KINDS = {
    "exact": "exact",
    "lower_bound": "a lower bound",
    "estimate": "an estimate",
}


# ---------------------------------------------------------------- list


def entry_json(entry: Entry) -> dict[str, Any]:
    """One scenario of ``alphacrit list --json``."""
    document: dict[str, Any] = {"name": entry.name, "title": entry.title}
    document |= {"cites": list(entry.cites), "file": str(entry.path)}
    return document | ({"problem": entry.problem} if entry.problem else {})


def entries(found: Sequence[Entry]) -> None:
    """``alphacrit list``: name, title, cites; a name stands alone on its line, to be copied."""
    for entry in found:
        say(entry.name, style="bold")
        below = [f"(not TOML: {entry.problem})" if entry.problem else entry.title]
        below.append("; ".join(entry.cites))
        show_table(indented(line for line in below if line))


# ---------------------------------------------------------------- show


def scenario(each: Scenario) -> None:
    """``alphacrit show``: every number with its unit and meaning, table by table."""
    say(f"{each.name}: {each.title}" if each.title else each.name, style="bold")
    say(f"digest {each.digest}")
    for heading, rows in sections(each):
        say()
        if heading:
            say(heading, style="bold")
        look = table("key", "value", "meaning")
        look.show_header, look.expand = False, True
        look.columns[0].width, look.columns[1].width, look.columns[2].ratio = 20, 24, 1
        for key, value, unit, meaning in rows:
            look.add_row(key, f"{value} {unit}".strip(), meaning)
        show_table(look)
    from sim.trained import facts_of

    known = facts_of(each)
    if known:
        say()
        signals(known)


def signals(facts: Mapping[str, Mapping[str, Any]]) -> None:
    """What is known of signals before anything is trained: token, ξ, who plants the same."""
    told = set()
    for name, fact in facts.items():
        text = f"- {name} plants token {fact['token']} ({fact['text']}), which "
        text += f"{100 * fact['uniqueness']:.4g}% of {fact['looked_at']:,} base texts have (ξ)"
        if "gap" in fact:
            gap, positivity = number(fact["gap"], 4), number(fact["positivity"], 4)
            text += f"; in closed form Δ = {gap}, p = {positivity}"
        say_prose(text)
        told.add(name)
        for other in fact["same_as"]:
            if other not in told:
                say_prose(f"- {name} and {other} plant the same token: they collide")


def sections(each: Scenario) -> Iterator[tuple[str, list[Row]]]:
    """(heading, rows) for every table of the scenario, in the order of the file."""
    top = {"population", "collectives", "platform", "revision", "principal", "title"}
    yield "", [row for row in _rows(each) if row[0].split(".")[0] not in top]
    people = each.population
    yield "[population]", [row for row in _rows(people) if row[0].split(".")[0] != "groups"]
    for name, group in people.groups.items():
        yield f"[population.groups.{name}]", list(_rows(group))
    for name, collective in each.collectives.items():
        yield f"[collectives.{name}]", list(_rows(collective))
    yield "[platform]", list(_rows(each.platform))
    yield "[revision]", list(_rows(each.revision))
    if each.principal is not None:
        yield "[principal]", list(_rows(each.principal))
    if each.sweep is not None:
        yield "[sweep]", list(_sweep_rows(each))


def _sweep_rows(each: Scenario) -> Iterator[Row]:
    """How often and by which design, then one row for each address that varies."""
    from sim.toml_text import inline

    assert each.sweep is not None
    varying = (each.resolved_sweep() or {}).get("vary", {})
    for row in _rows(each.sweep):
        if row[0].split(".")[0] != "vary":
            yield row
    for address, values in varying.items():
        yield "vary", inline(values), "", f"values of {address}"


def _rows(part: Part, prefix: str = "", unit: str = "", lead: str = "") -> Iterator[Row]:
    """The fields of one table; one inside it gets dotted keys, the first with its meaning."""
    from sim.scenario_fields import INHERITED, Part, extra_of, key_of
    from sim.toml_text import inline

    for name, field in type(part).model_fields.items():
        key, value = prefix + key_of(name, field), getattr(part, name)
        own = extra_of(field, "unit").replace(INHERITED, unit)
        symbol = extra_of(field, "symbol")
        meaning = lead + (field.description or "") + (f" ({symbol})" if symbol else "")
        lead = ""
        if isinstance(value, Part):
            yield from _rows(value, f"{key}.", own, f"{meaning}: ")
        elif isinstance(value, Mapping) and value:
            for below, each in value.items():
                if isinstance(each, Part):
                    yield from _rows(each, f"{key}.{below}.", own)
                else:
                    yield f"{key}.{below}", inline(each), own, meaning
        else:
            absent = value is None or value == {}
            yield (key, "–", "", meaning) if absent else (key, inline(value), own, meaning)


# ---------------------------------------------------------------- success


def success(document: dict[str, Any]) -> None:
    """``alphacrit success``: one line per point."""
    names = list(document["points"][0]["alpha"])
    sizes = [f">size {name}" for name in names]
    look = table(*sizes, *[f">success {name}" for name in names])
    for point in document["points"]:
        values = []
        for name in names:
            text = number(point["success"][name])
            if point["interval"] is not None:
                low, high = point["interval"][name]
                text += f" [{number(low, 4)}, {number(high, 4)}]"
            values.append(text)
        look.add_row(*[number(point["alpha"][name]) for name in names], *values)
    show_table(look)
    say(f"success is {KINDS.get(document['kind'], document['kind'])}")


# ---------------------------------------------------------------- learn, cache


def learned(document: dict[str, Any]) -> None:
    """``alphacrit learn``: success at each size, and what to do with the table."""
    success(document)
    made = document["measurements"] - document["cached"]
    say(f"{made:,} measurements in {document['seconds']:.1f} s, {document['cached']:,} from before")
    say(f"table in {document['table']}; its path is relative to the scenario file:")
    say(f'  platform = {{ learner = "table", table = "{document["table"]}" }}')


def critical_mass(document: dict[str, Any], each: Scenario) -> None:
    """``alphacrit learn --critical-mass``: one sentence."""
    found, name = document["critical_mass"], document["collective"]
    sure = f"with confidence {number(found['confidence'])}"
    goal = f"success ≥ {number(found['target'])}"
    if found["high"] is None:
        above = f"above {number(found['low'])}" if found["low"] else "anywhere"
        text = f"{name}: the critical mass for {goal} is {above}, or no size suffices, {sure}"
    else:
        low, high = number(found["low"]), number(found["high"])
        text = f"{name}: the critical mass for {goal} is between {low} and {high}, {sure}"
    if found["alpha"] is not None:
        members = f"{found['alpha'] * each.population.size:,.0f} members"
        text += f"; most likely {number(found['alpha'])} ({members})"
    say_prose(f"{text}. {found['trainings']:,} trainings")
    if not found["reached"]:
        say_prose(_wide(found))


def _wide(found: Mapping[str, Any]) -> str:
    """Why the trainings did not do, and what to do about it."""
    text = "this is wider than was asked for"
    if found["spread"] is not None:
        text += (
            f": at one size success varies by {number(found['spread'], 2)} (standard deviation) "
            "from training to training"
        )
    ways = ["--max-trainings allows for more", "--precision for a wider answer"]
    if found["noise"] is None:
        ways.append("--noise states a deviation that you know, and more is made of each training")
    return f"{text}. {'; '.join(ways)}"


def kept_json(entry: CacheEntry) -> dict[str, Any]:
    """One setup of ``alphacrit cache list --json``."""
    keys = ("digest", "measurements", "seconds", "bytes", "setup")
    return {key: getattr(entry, key) for key in keys}


def kept(folder: Path, found: Sequence[CacheEntry]) -> None:
    """``alphacrit cache list``: a line for each setup."""
    look = table("digest", "platform", "collectives", ">measurements", ">seconds", ">kB")
    for entry in found:
        settings = entry.setup.get("settings") or {}
        platform = (settings.get("platform") or {}).get("learner", entry.setup.get("factory", ""))
        names = ", ".join(entry.setup.get("collectives", ()))
        counts = (f"{entry.measurements:,}", f"{entry.seconds:,.1f}", f"{entry.bytes / 1e3:,.0f}")
        look.add_row(entry.digest[:12], platform, names, *counts)
    if found:
        show_table(look)
    total = sum(entry.measurements for entry in found)
    say(f"{total:,} measurements in {folder}")


# ---------------------------------------------------------------- equilibria


def equilibria(report: dict[str, Any], each: Scenario) -> None:
    """``alphacrit equilibria``: the tipping point in words, then every equilibrium."""
    size = None if each.population.infinite else each.population.size
    for name, found in report["collectives"].items():
        sentence = f"{name}: {tipping(name, found, report['equilibria'], size)}"
        others = {other: alpha for other, alpha in (found.get("others") or {}).items() if alpha}
        if others:
            given = ", ".join(f"{other} at {number(alpha)}" for other, alpha in others.items())
            sentence += f" (with {given})"
        say_prose(sentence)
    say()
    names = list(report["collectives"])
    sizes, values = [f">size {name}" for name in names], [f">success {name}" for name in names]
    look = table("equilibrium", *sizes, *values, ">residual")
    for point in report["equilibria"]:
        word = "stable" if point["stable"] else "unstable"
        word += ", one of a continuum" if point.get("continuum") else ""
        shares = [number(point["alpha"][name]) for name in names]
        success = [number(point["success"][name]) for name in names]
        look.add_row(word, *shares, *success, f"{point['residual']:.1e}")
    show_table(look)
    kind = KINDS.get(report["success_kind"], report["success_kind"])
    people = "an infinite population" if size is None else f"{size:,} people"
    say(f"sizes are shares of {people}; success is {kind}")
    if "stationary" in report:
        mean = report["stationary"]["mean_share"]
        say(f"in the long run a share of {number(mean)} are members on average (finite chain)")
    for note in report.get("notes", ()):
        say_prose(f"- {note}")


def tipping(
    name: str, found: Mapping[str, Any], points: Sequence[Mapping[str, Any]], size: int | None
) -> str:
    """One sentence: from which size on the collective grows, and what getting there costs.

    ``size`` is the number of people; None where the population is infinite.
    """
    critical, investment = found["alpha_crit"], found["investment"]
    several = bool(points) and len(points[0]["alpha"]) > 1
    stable = [point["alpha"][name] for point in points if point["stable"]]
    if critical is None:
        most = max(stable, default=0.0)
        if most and not several:
            return f"no size tips it over: it ends with {_ending(most, size)}"
        return "no size sustains it"
    if critical == 0:
        # Where nobody is a rest point too, however unstable, somebody must be the first.
        at_rest = any(point["alpha"][name] == 0 for point in points)
        first = "from the first member on" if size else "from any share above 0"
        begin = first if at_rest else "from nothing"
        end = "" if several or not stable else f": {begin} to {_ending(max(stable), size)}"
        return f"forms unaided{end}"
    below = max((alpha for alpha in stable if alpha < critical), default=0.0)
    above = min((alpha for alpha in stable if alpha > critical), default=1.0)
    falls = "the collective dies" if below == 0 else f"it falls back to {_ending(below, size)}"
    if any(p["continuum"] and p["alpha"][name] <= critical for p in points):
        falls = "it stays as it is (people are indifferent)"
    grows = "everybody joins" if above == 1 else f"it grows to {_ending(above, size)}"
    if several:  # where it ends depends on the others too
        falls, grows = "the collective shrinks", "it grows"
    upto = f"{100 * critical:.4g}%"
    if size is not None:
        upto = f"{_count(int(critical * size), 'member')} ({upto})"
    return f"up to {upto} {falls}, above that {grows}{_buying(investment)}"


def _buying(investment: Mapping[str, Any] | None) -> str:
    """What getting to the tipping point costs at most; empty where there is nothing to say."""
    if not investment or investment["per_capita"] is None:
        return ""
    if investment["per_capita"] == 0:
        return "; getting there costs nothing but the members' coming"
    each = f"{number(investment['per_capita'])}"
    words = f"{each} {investment['unit']} per person"
    if investment["total"] is not None:
        words = f"{number(investment['total'], 4)} {investment['unit']} ({each} per person)"
    return f"; buying the way there costs at most {words}"


def _ending(share: float, size: int | None) -> str:
    if size is None:
        return f"{100 * share:.4g}% of the people"
    members = share * size
    about = "" if abs(members - round(members)) < 1e-6 else "about "
    return f"{about}{_count(round(members), 'member')} ({100 * share:.4g}%)"


# ---------------------------------------------------------------- run


def finished(done: Finished) -> None:
    """``alphacrit run``: how it ended, what was spent beside B, where the results are."""
    document = done.document()
    many = len(done.results)
    if many == 1:
        epochs, reason = document["epochs"], document["stopped"]
        say(f"{done.scenario.name} stopped after {_count(epochs, 'epoch')}: {REASONS[reason]}")
    else:
        say(f"{done.scenario.name}: {many} replicates; {_reasons(done)}; means below")
    people = done.scenario.population
    members = () if people.infinite else (">members",)
    look = table("collective", *members, ">share", ">success")
    for name, final in document["final"].items():
        row = [number(final["alpha"]), number(final["success"])]
        if not people.infinite:
            row.insert(0, _people(final["alpha"] * people.size))
        look.add_row(name, *row)
    show_table(look)
    if people.infinite:
        say("an infinite population moves as its mean field: one path, without chance")
    if done.scenario.principal is not None:
        say(_spending(done, document["spent"]))
    say(f"welfare {number(document['welfare'])} (mean utility per person, transfers included)")
    say(f"results in {done.folder}")


def _reasons(done: Finished) -> str:
    stopped = [result.summary["stopped"] for result in done.results]
    words = {"settled": "settled", "cycle": "in a cycle", "epochs": "out of epochs"}
    return ", ".join(
        f"{stopped.count(reason)} {word}" for reason, word in words.items() if reason in stopped
    )


def _spending(done: Finished, spent: float) -> str:
    principal = done.scenario.principal
    assert principal is not None
    text = f"spent {number(spent)} of a budget of {number(principal.budget)} (utility, in total)"
    if done.bound is None:
        return text
    # B is the infinite population's, by best response, with the other collectives held.
    held = ""
    others = [n for n in done.scenario.names if n != principal.collective]
    if others:
        held = " with the others held at their starts"
    return f"{text}; the upper bound B is {number(done.bound['total'])} (infinite population{held})"


def _people(members: float) -> str:
    return f"{members:,.0f}" if abs(members - round(members)) < 1e-6 else f"{members:,.1f}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
