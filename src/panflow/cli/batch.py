"""`panflow batch SOURCE OUTDIR`: many scenes, unattended."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from panflow.cli import sharpen
from panflow.cli._options import PATH, mib, progress
from panflow.errors import InputError, PanflowError, UnknownName

if TYPE_CHECKING:
    from panflow.archive.journal import Entry
    from panflow.archive.rows import Row
    from panflow.archive.run import Task

EXECUTORS = ("processes", "dask", "slurm")
# Options of `sharpen` that mean something else in a batch
APART = (
    *("files", "stac_file", "page", "jobs", "overwrite", "progress", "quiet", "as_json", "scheduler"),
    *("save_fit", "save_offsets", "flags"),
)
SHARED = [option for option in sharpen.command.params if isinstance(option, click.Option) and option.name not in APART]
IF_GIVEN = ("max_memory", "weights")  # `sharpen_file` takes them where they are given; weights are of some methods
FAILED = 5  # exit code of a batch some of whose rows have failed


def _with_options(command: click.Command) -> click.Command:
    """The options of `panflow sharpen`, which serve every row."""
    command.params += [option for option in SHARED if option.name != "quicklook"]
    return command


@_with_options
@click.command("batch", short_help="Sharpen many scenes, resumable, with a journal.")
@click.argument("source")
@click.argument("outdir", type=PATH)
@click.option("--workers", "-w", type=click.IntRange(min=1), help="Scenes at once.  [default: one a core]")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads of a scene.  [default: cores / workers]")
@click.option("--executor", type=click.Choice(EXECUTORS), default="processes", show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="Of a dask cluster, tcp://...  [default: one on this machine]")
@click.option("--tasks", type=click.IntRange(min=1), help="Of a Slurm array.  [default: one a scene, 1000 at most]")
@click.option("--submit", is_flag=True, help="Hand the Slurm script over; without it, it is only written.")
@click.option("--part", metavar="I/N", help="Only the I-th of N shares of the rows, for job arrays of any scheduler.")
@click.option("--fit-group", metavar="COLUMN", help="Rows with one value of this column are fitted jointly.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many of the rows that are to be done.")
@click.option("--retry", type=click.IntRange(min=0), default=2, show_default=True, help="Of what may pass.")
@click.option("--quicklooks", is_flag=True, help="Also write OUTDIR/ID.png of every scene, before and after.")
@click.option("--overwrite", is_flag=True, help="Do every row anew, and replace results that are there.")
@click.option("--dry-run", is_flag=True, help="Print what would run and what finds no partner; write nothing.")
@progress
@click.option("--quiet", "-q", is_flag=True, help="No progress bar and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print every ended row as a line of JSON.")
def command(source, outdir, workers, jobs, executor, scheduler, tasks, submit, part, limit, retry, **options) -> None:
    """Sharpen the scenes of SOURCE into OUTDIR/ID.tif; the journal is OUTDIR/panflow-batch.jsonl.

    SOURCE is a manifest (.csv or .jsonl with the columns id, pan, ms, out and any option of `panflow sharpen`; several
    MS files of a scene are parted by ;), a STAC Item, ItemCollection or catalog (.json), a folder in which scenes are
    looked for, or a glob of scenes. Paths in a manifest are relative to it. Run again, a batch does what is missing,
    what has failed and what is asked for otherwise. Exit code 5: some rows have failed; the journal says why.
    """
    from panflow.archive import groups, run, slurm
    from panflow.archive.rows import rows
    from panflow.files.remote import is_remote
    from panflow.ops.cores import available

    quicklooks, overwrite, dry_run, progress, quiet, as_json = (
        options.pop(name) for name in ("quicklooks", "overwrite", "dry_run", "progress", "quiet", "as_json")
    )
    listed, alone = rows(source, outdir)
    listed, grouped = _grouped(listed, options.pop("fit_group"))
    common = _options(options)
    workers = min(workers or available(), available(), max(1, len(listed))) if executor != "dask" else workers or 1
    jobs = min(jobs or available() // workers, available() // workers) if executor == "processes" else jobs or 1
    every: list[Task] = [_task(row, {**common, "jobs": jobs}, quicklooks) for row in listed]
    if executor == "slurm":
        count = tasks or min(len(every), 1000)
        argv = [a for a in sys.argv[1:] if a not in ("--submit", "--dry-run")]
        local = Path() if is_remote(outdir) else Path(outdir)  # of the script and Slurm's logs
        text = slurm.script(local, [sys.executable, "-m", "panflow", *_without(argv)], count, jobs)
        if dry_run:
            click.echo(text)
            return
        run.prepare(outdir)
        path = local / slurm.SCRIPT
        path.write_text(text, encoding="utf-8")
        click.echo(f"job {slurm.submit(path)}" if submit else f"sbatch {path}")
        return
    every, fits = groups.joined(every, grouped, outdir)
    share = run.part(every, part)
    if dry_run:
        _table(share, run.journal(outdir), overwrite, alone)
        return
    journal = run.prepare(outdir, alone=not part)
    todo = run.pending(share, journal, overwrite)[:limit]
    if alone and not quiet:
        click.echo(f"note: {len(alone)} files find no partner ({alone[0]} first): --dry-run lists them", err=True)
    todo = _fitted(todo, fits)
    with _progress(progress, quiet, as_json) as update:
        entries = run.run(todo, journal, _executor(executor, workers, scheduler), retry, update) if todo else []
    last = journal.last()
    failed = [last[row.id] for row, _ in share if row.id in last and last[row.id].state != "done"]
    if not quiet and not as_json:
        done = sum(entry.state == "done" for entry in entries)
        rest = len(share) - len(todo)
        click.echo(f"{done} sharpened, {len(failed)} failed, {rest} not asked for or done before; {journal.path}")
    for entry in failed:
        click.echo(f"failed: {entry.id} (exit code {entry.exit_code}): {entry.sentence}", err=True)
    if options.get("stac") and not part:
        run.collect(share, outdir)
    if failed:
        raise SystemExit(FAILED)


def _grouped(rows: list[Row], column: str | None) -> tuple[list[Row], dict[str, str]]:
    """The rows without a column that is no option, and its value by their ids. UnknownName where no row has it."""
    if column is None:
        return rows, {}
    grouped = {row.id: str(row.options[column]) for row in rows if row.options.get(column)}
    if not grouped:
        raise UnknownName(f"--fit-group {column}: expected a column of the manifest with a value in some rows")
    if column.replace("-", "_") not in [option.name for option in SHARED]:
        rows = [replace(row, options={k: v for k, v in row.options.items() if k != column}) for row in rows]
    return rows, grouped


def _fitted(todo: list[Task], fits: Mapping[str, list[Task]]) -> list[Task]:
    """The tasks, whose joint fits are there now; where one fails, or has no scene, its rows say why."""
    from panflow.archive import groups

    errors = {}
    for file in {str(options.get("fit")) for _, options in todo} & fits.keys():
        try:
            groups.fit(file, fits[file])
        except PanflowError as error:
            errors[file] = f"the joint fit failed: {error}"
    result = []
    for row, options in todo:
        file = str(options.get("fit"))
        if file in fits and not Path(file).exists():
            row = replace(row, error=row.error or errors.get(file, ""))
            options = {key: value for key, value in options.items() if key != "fit"}
        result.append((row, options))
    return result


def _executor(name: str, workers: int, scheduler: str | None) -> Any:
    if name == "dask":
        from panflow.archive.dask import Dask

        return Dask(workers, scheduler)
    from panflow.archive.processes import Processes

    return Processes(workers)


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    """What click has read, as `sharpen_file` takes it."""
    result = dict(values)
    result["max_memory"] = mib(result.get("max_memory"))
    bands = result.pop("bands", None)
    if bands:
        result["bands"] = tuple(name.strip() for name in bands.split(",")) if isinstance(bands, str) else tuple(bands)
    return result


def _task(row: Row, common: Mapping[str, Any], quicklooks: bool) -> tuple[Row, dict[str, Any]]:
    """A row and its options: the batch's, and over them the row's, read as the command line would read them."""
    values = dict(common)
    if quicklooks:
        values["quicklook"] = row.out.with_suffix(".png")
    columns = {option.name: option for option in SHARED}
    for column, text in row.options.items():
        name = column.replace("-", "_")
        if name not in columns:
            raise UnknownName(
                f"row {row.id}: no option {column!r}: expected a column of id, pan, ms, scene, out or "
                f"{', '.join(sorted(str(n).replace('_', '-') for n in columns))}"
            )
        option = columns[name]
        try:
            value = option.type_cast_value(click.Context(sharpen.command), text)
            values |= _options({name: value}) if name in ("max_memory", "bands") else {name: value}
        except (click.BadParameter, InputError) as error:
            message = error.format_message() if isinstance(error, click.BadParameter) else str(error)
            row = replace(row, error=f"row {row.id}, {column}: {message}")
    return row, {key: value for key, value in values.items() if key not in IF_GIVEN or value is not None}


def _without(argv: list[str]) -> list[str]:
    """A command line without --executor and what only the array itself needs."""
    result, skip = [], False
    for word in argv:
        if skip:
            skip = False
        elif word in ("--executor", "--tasks"):
            skip = True
        elif not word.startswith(("--executor=", "--tasks=")):
            result.append(word)
    return result


def _table(tasks: list, journal: Any, overwrite: bool, alone: list[str]) -> None:
    from panflow.archive.run import pending

    todo = {row.id for row, _ in pending(tasks, journal, overwrite)}
    for row, _ in tasks:
        state = "cannot run" if row.error else "to do" if row.id in todo else "done"
        click.echo("\t".join([state, row.id, row.error or row.pan, ";".join(row.ms), str(row.out)]))
    for path in alone:
        click.echo(f"no partner\t{path}")


@contextmanager
def _progress(how: str, quiet: bool, as_json: bool) -> Iterator[Any]:
    """A callback (entry, done, total): scenes on stderr as --progress asks, ended rows as JSON on stdout."""
    from panflow.cli._console import progress_of

    with progress_of(how, quiet or as_json) as update:
        failed = 0

        def ended(entry: Entry | None, done: int, total: int) -> None:
            nonlocal failed
            failed += bool(entry and entry.state != "done")
            if as_json and entry:
                click.echo(json.dumps(asdict(entry)))
            if update:
                update("scenes", done, total, failed)

        yield ended
