"""`climbtrack gallery weights`: which weights decide a site, what each knows, and the change from one to another."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Config, DataDirOption, Json, Site, finite
from deploy.errors import RunError, UsageError

if TYPE_CHECKING:
    from deploy.weights import Gallery
    from gallery.space_report import SpaceReport
    from gallery.store.store import Store

app = typer.Typer(name="weights", help="Introduce new weights beside old ones; nobody gets another number.")

ENOUGH = 0.9  # of the people seen lately, whom weights should know before they decide
DAY_S = 86_400.0
MAX_WITHIN_S = 10 * 366 * DAY_S

Model = Annotated[str, typer.Argument(metavar="MODEL", help="As `show` names it, or the beginning of that.")]
Within = Annotated[
    float, typer.Option("--within", min=1, max=MAX_WITHIN_S, callback=finite, help="Seconds that count as lately.")
]


@app.command("show")
def show(
    config: Config = None,
    data_dir: DataDirOption = None,
    site: Site = None,
    within: Within = DAY_S,
    as_json: Json = False,
) -> None:
    """Show which weights decide, whom each of them knows, and how far they agree."""
    from deploy.cli.find_store import open_store

    with open_store(config, data_dir, site) as store:
        report = _report(store, within)
    if as_json:
        typer.echo(json.dumps({"site": store.site_id, **asdict(report)}))
        return
    for line in _told(report):
        typer.echo(line)


@app.command("use")
def use(
    model: Model,
    anyway: Annotated[bool, typer.Option("--anyway", help="Even if they do not know many of the people.")] = False,
    config: Config = None,
    data_dir: DataDirOption = None,
    site: Site = None,
    within: Within = DAY_S,
    as_json: Json = False,
) -> None:
    """Let weights decide from now on; the others are kept, so that `use` also goes back.

    Identities keep their numbers. Refused unless the weights know nine tenths of the people who were seen lately:
    the others would get new numbers.
    """
    from wire.messages import WeightsChoice

    with _opened(config, data_dir, site) as (store, gallery):
        report = _report(store, within)
        chosen = _one(report, model)
        known = next(one for one in report.models if one.model_id == chosen)
        if known.lately < ENOUGH * report.lately and not anyway:
            raise RunError(
                f"{chosen} knows {known.lately} of {report.lately} people seen lately; the others would get new"
                " numbers. Let workers embed by them for longer (worker.shadow_weights), embed the kept pictures"
                " (`climbtrack gallery reembed`), or add --anyway"
            )
        gallery.choose(WeightsChoice(site_id=store.site_id, use=chosen, time_ns=time.time_ns()))
    _done({"site": store.site_id, "active": chosen, "before": report.active}, f"{chosen} decides", as_json=as_json)


@app.command("forget")
def forget(
    model: Model,
    config: Config = None,
    data_dir: DataDirOption = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Delete what is known under weights that do not decide any more; it cannot be undone.

    First remove them from `worker.weights` and `worker.shadow_weights` of all workers. Whoever is known under no others
    keeps what there is.
    """
    from wire.messages import WeightsChoice

    with _opened(config, data_dir, site) as (store, gallery):
        report = _report(store, DAY_S)
        chosen = _one(report, model)
        if chosen == report.active:
            raise RunError(f"{chosen} decides: let others decide first, with `climbtrack gallery weights use`")
        gallery.choose(WeightsChoice(site_id=store.site_id, forget=chosen, time_ns=time.time_ns()))
    kept = next(one.only for one in report.models if one.model_id == chosen)
    rest = f"; {kept} people whom no other weights know keep it" if kept else ""
    _done({"site": store.site_id, "forgotten": chosen, "kept": kept}, f"{chosen} is forgotten{rest}", as_json=as_json)


def reembed(
    weights: Annotated[Path, typer.Option("--weights", help="The new weights.", metavar="FILE")],
    config: Config = None,
    data_dir: DataDirOption = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Embed the kept pictures of people whom new weights do not know yet, for those who may not come again soon.

    One picture of each of a person's latest eight tracklets is kept; embeddings of single pictures tell people apart
    less well than those of whole tracklets, which replace them as people are seen.
    """
    from deploy.reembed import looked_again, without_look
    from reid_worker.appearance.choose import load_network

    network = load_network(weights, threads=1)
    people = known = pictures = 0
    with _opened(config, data_dir, site) as (store, gallery):
        for rows in without_look(store, network.model_id):
            people += 1
            tracklets = looked_again(store, network, rows)
            gallery.look_again(tracklets)
            known += bool(tracklets)
            pictures += len(tracklets)
    told = {"site": store.site_id, "model_id": network.model_id, "people": people, "known": known, "pictures": pictures}
    without = f"; of the other {people - known} no usable picture is kept" if known < people else ""
    _done(told, f"{network.model_id}: {known} of {people} people by {pictures} pictures{without}", as_json=as_json)


@contextmanager
def _opened(config: Path | None, data_dir: Path | None, site: str | None) -> Iterator[tuple["Store", "Gallery"]]:
    """Yield a site's store, and whoever may change it: over Kafka with a configuration, else the folder itself."""
    from deploy.cli.find_store import open_store
    from deploy.weights import RunningGallery, StoredGallery
    from gallery.config import GallerySettings
    from gallery.site_worker import plan_of
    from wire.kafka.bus import KafkaBus
    from wire.settings import KafkaSettings

    with open_store(config, data_dir, site) as store:
        if config is None or data_dir is not None:
            yield store, StoredGallery(store, plan_of(GallerySettings.load(config)).rules)
            return
        with closing(KafkaBus(KafkaSettings.load(config))) as bus:
            yield store, RunningGallery(bus, store)


def _report(store: "Store", within_s: float) -> "SpaceReport":
    from gallery.config import GallerySettings
    from gallery.space_report import space_report

    horizon_ns = round(GallerySettings().horizon_s * 1e9)
    return space_report(store.site_id, store.load(horizon_ns), round(within_s * 1e9))


def _one(report: "SpaceReport", given: str) -> str:
    """Return the model that is meant."""
    found = [one.model_id for one in report.models if one.model_id.startswith(given)]
    if len(found) == 1 or given in found:
        return given if given in found else found[0]
    known = ", ".join(one.model_id for one in report.models) or "none"
    why = "several begin like that" if found else "nobody is known under it"
    raise UsageError(f"{given}: {why}; there are {known}")


def _told(report: "SpaceReport") -> list[str]:
    chosen = " (chosen)" if report.chosen else " (what the workers serve)"
    lines = [f"{report.active or 'nothing'} decides{chosen if report.active else ''}; {report.people} people are known"]
    for one in report.models:
        found = f", finds {one.found:.0%} of {report.compared} tracklets back" if report.compared else ""
        lines.append(f"{one.model_id}: knows {one.people}, and {one.lately} of {report.lately} seen lately{found}")
    if report.compared:
        lines.append(f"both find the same person for {report.agree:.0%} of these tracklets")
    return lines


def _done(told: dict[str, object], line: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(told) if as_json else line)
