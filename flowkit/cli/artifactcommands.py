"""``flowkit artifact``: named artifacts and their versions."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from flowkit.model.plainvalues import plain

_VERSION = "NAME, NAME@VERSION, NAME:ALIAS, or the id of a version or its beginning."
_ARTIFACT = f"{_VERSION[:-1]}; or a task's artifact: Flow/run/step/task/artifact."
_with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def artifact() -> None:
    """Look at named artifacts: their versions, contents, tags, aliases and lineage."""


@artifact.command("list")
@click.argument("text", required=False)
@_with_json
def list_artifacts(text: str | None, as_json: bool) -> None:
    """List the named artifacts, or those with TEXT in their name."""
    from flowkit.client import Client

    _print(Client().list_artifacts(text).to_rows(), as_json, "no named artifact found")


@artifact.command()
@click.argument("name", required=False)
@click.option("--tag", "tags", multiple=True, help="Only with this tag; may be repeated.")
@click.option("--type", "kind", metavar="TYPE", help="Only of this type: data, model, ...")
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="KEY:OPERATOR:VALUE",
    help="Only with such metadata, as in accuracy:gte:0.9; may be repeated.",
)
@click.option("--run", metavar="FLOW/RUN", help="Only made, or taken over, by this run.")
@click.option("--unused", is_flag=True, help="Only those that nothing uses.")
@click.option("--sort", default="desc:created", show_default=True, help="Order: asc:size, ...")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most."
)
@_with_json
def versions(name: str | None, as_json: bool, limit: int, **filters: Any) -> None:
    """List versions, newest first: all of them, or those of NAME."""
    from flowkit.client import Client

    client = Client()
    if name is not None:
        client.get_artifact(name)  # says so when there is none
    kind = filters["kind"]
    found = client.list_artifact_versions(
        name,
        tags=filters["tags"],
        type=None if kind is None else kind.upper(),
        run_metadata=filters["conditions"],
        pipeline_run=filters["run"],
        only_unused=filters["unused"],
        sort_by=filters["sort"],
    )
    rows = [found.row(version) for version in found[:limit]]
    _print(rows, as_json, "no version found")


@artifact.command(help=f"Show what is known of a value, and itself.\n\nARTIFACT is {_ARTIFACT}")
@click.argument("artifact")
@click.option("--open", "opens", is_flag=True, help="Show it in the browser instead.")
@_with_json
def show(artifact: str, opens: bool, as_json: bool) -> None:
    """Show one version, or one artifact of a task."""
    from flowkit.previews.terminal import preview_text

    found = _find(artifact)
    facts = _facts(found)
    if opens:
        _open_page(found, facts)
    elif as_json:
        click.echo(json.dumps(plain(facts), indent=2))
    else:
        for name, value in facts.items():
            if name != "metadata" and value not in (None, "", ()):
                click.echo(f"{name}: {_text(value)}")
        for key, value in facts["metadata"].items():
            click.echo(f"  {key}: {value}")
        text = (
            "" if facts.get("state") == "deleted" else preview_text(_without_summary(found.preview))
        )
        if text:
            click.echo(f"\n{text}")


@artifact.command()
@click.argument("before")
@click.argument("after", required=False)
@_with_json
def diff(before: str, after: str | None, as_json: bool) -> None:
    """Show what differs between two artifacts; exit with 1 if something does.

    Each is a version, or a task's artifact: Flow/run/step/task/artifact. Without AFTER, a version
    is compared with the one before it.
    """
    one = _find(before)
    if after is None and "/" in before:
        raise click.UsageError("a task's artifact has none before it: give AFTER as well")
    found = one.diff() if after is None else _find(after).diff(one)
    if as_json:
        facts = {"before": found.before, "after": found.after, "lines": list(found.lines)}
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(str(found))
    if found:
        raise click.exceptions.Exit(1)


@artifact.command(help=f"Add and remove tags of a version.\n\nVERSION is {_VERSION}")
@click.argument("version")
@click.option("--add", multiple=True, help="Tag to add; may be repeated.")
@click.option("--remove", multiple=True, help="Tag to remove; may be repeated.")
def tag(version: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Change tags."""
    from flowkit.client import Client

    found = Client().update_artifact_version(version, add_tags=add, remove_tags=remove)
    click.echo(f"{found}: {', '.join(found.tags) or 'no tags'}")


@artifact.command()
@click.argument("name")
@click.argument("alias", required=False)
@click.argument("version", required=False)
@click.option("--remove", is_flag=True, help="Take the alias away.")
@_with_json
def alias(name: str, alias: str | None, version: str | None, remove: bool, as_json: bool) -> None:
    """Let an ALIAS of NAME point to a VERSION; without these, show the history of aliases."""
    from flowkit.client import Client
    from flowkit.client.clientobject import local_time

    client = Client()
    found = client.get_artifact(name)
    if alias is None:
        rows = [
            {"alias": one.alias, "version": one.version, "user": one.user, "at": local_time(one.at)}
            for one in found.alias_history
        ]
        _print(rows, as_json, f"artifact '{name}' has no aliases")
    elif remove:
        found.remove_alias(alias)
        click.echo(f"{name}:{alias} is gone")
    elif version is None:
        click.echo(str(client.get_artifact_version(f"{name}:{alias}")))
    else:
        found[version].alias(alias)
        click.echo(f"{name}:{alias} is {name}@{found[version].version}")


@artifact.command(help=f"Write a value to a file.\n\nARTIFACT is {_ARTIFACT}")
@click.argument("artifact")
@click.argument("path", type=click.Path())
@click.option("--force", is_flag=True, help="Replace what is there.")
def download(artifact: str, path: str, force: bool) -> None:
    """Download a value."""
    click.echo(_find(artifact).download(path, overwrite=force))


@artifact.command()
@click.argument("artifact")
@click.option("--name", required=True, help="Name of the named artifact.")
@click.option("--version", help="Its version; the next number by default.")
@click.option("--tag", "tags", multiple=True, help="Tag of the version; may be repeated.")
@click.option("--type", "kind", metavar="TYPE", help="What it is to its users: data, model, ...")
def publish(artifact: str, name: str, kind: str | None, **options: Any) -> None:
    """Make a version of a task's ARTIFACT, Flow/run/step/task/artifact; no byte is copied."""
    from flowkit.client import Client

    kind = None if kind is None else kind.upper()
    made = Client().publish_artifact(artifact, name, artifact_type=kind, **options)
    click.echo(f"{made}  {made.id}")


@artifact.command()
@click.argument("path", type=click.Path(exists=True))
@click.option("--name", required=True, help="Name of the artifact.")
@click.option("--version", help="Its version; the next number by default.")
@click.option("--tag", "tags", multiple=True, help="Tag of the version; may be repeated.")
@click.option("--type", "kind", metavar="TYPE", help="What it is to its users: data, model, ...")
@click.option("--in-place", is_flag=True, help="Refer to the file, don't copy it.")
def upload(path: str, in_place: bool, name: str, kind: str | None, **options: Any) -> None:
    """Make a version of a file or directory."""
    from flowkit.client import Client

    client = Client()
    save: Callable[..., Any] = client.register_artifact if in_place else client.upload_file
    kind = None if kind is None else kind.upper()
    made = save(path, name, artifact_type=kind, **options)
    click.echo(f"{made}  {made.id}")


@artifact.command(
    help=f"Delete a version; its number is never used again.\n\nVERSION is {_VERSION}"
)
@click.argument("version")
@click.option("--force", is_flag=True, help="Also when it is used.")
def delete(version: str, force: bool) -> None:
    """Delete a version."""
    from flowkit.client import Client

    found = _find(version)
    Client().delete_artifact_version(found.id, force=force)
    click.echo(f"{found} is deleted; 'flowkit gc' frees its bytes")


@artifact.command(help=f"Show what a value was made of, and used for.\n\nARTIFACT is {_ARTIFACT}")
@click.argument("artifact")
@click.option("--direction", type=click.Choice(["up", "down", "both"]), default="both")
@click.option("--depth", type=click.IntRange(min=1), help="How many tasks to go.")
@click.option("--dot", "form", flag_value="dot", help="Print GraphViz' dot language.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--openlineage", "form", flag_value="openlineage", help="Print OpenLineage events.")
def lineage(artifact: str, direction: str, depth: int | None, form: str | None) -> None:
    """Show lineage."""
    from flowkit.client import Client
    from flowkit.client.lineagegraph import to_dot, to_json, tree

    client = Client()
    found = client.lineage(artifact, depth, direction)
    if form == "dot":
        click.echo(to_dot(found))
    elif form == "json":
        click.echo(json.dumps(to_json(found), indent=2))
    elif form == "openlineage":
        for event in client.openlineage(found):
            click.echo(json.dumps(event))
    else:
        click.echo(tree(found))


# --- pieces ---------------------------------------------------------------------------------------


def _find(text: str) -> Any:
    from flowkit.client import Client

    return Client().find(text)


def _facts(found: Any) -> dict[str, Any]:
    from flowkit.client import DataArtifact

    if isinstance(found, DataArtifact):
        return {
            "artifact": found.pathspec,
            "type": found.preview.artifact_type.name,
            "data_type": found.type,
            "size": found.size,
            "digest": found.sha,
            "materializer": found.materializer,
            "made_by": found.producer.pathspec,
            "created": found.created_at,
            "metadata": dict(found.run_metadata),
        }
    task = found.task
    return {
        "artifact": str(found),
        "id": found.id,
        "state": found.state,
        "type": found.type.name,
        "data_type": found.data_type,
        "size": found.size,
        "digest": found.digest,
        "materializer": found.materializer,
        "made_by": found.origin if task is None else task.pathspec,
        "user": found.user,
        "created": found.created,
        "tags": found.tags,
        "aliases": found.aliases,
        "metadata": dict(found.run_metadata),
    }


def _without_summary(preview: Any) -> Any:
    """Return a preview without what is among the metadata already."""
    from dataclasses import replace

    return replace(preview, summary={})


def _open_page(found: Any, facts: dict[str, Any]) -> None:
    import tempfile
    import webbrowser

    from flowkit.previews.page import preview_page

    shown = {name: _text(value) for name, value in facts.items() if name != "metadata"}
    page = preview_page(str(found), found.preview, shown)
    with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
        file.write(page)
    click.echo(file.name)
    webbrowser.open(f"file://{file.name}")


def _print(rows: list[dict[str, Any]], as_json: bool, nothing: str) -> None:
    if as_json:
        click.echo(json.dumps([plain(row) for row in rows], indent=2))
    elif rows:
        from tabulate import tabulate

        cells = [{key: _text(value) for key, value in row.items()} for row in rows]
        click.echo(tabulate(cells, headers="keys", disable_numparse=True))
    else:
        sys.stderr.write(f"{nothing}\n")


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ", "seconds"))
    return "" if value is None else str(value)
