"""Run a batch: what is missing, failed or asked for otherwise is sharpened, and every end goes into the journal."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from panflow import __version__
from panflow.archive.journal import DONE, FAILED, Entry, Journal
from panflow.archive.remote_journal import RemoteJournal
from panflow.archive.rows import Row
from panflow.archive.work import INTERRUPTED, Outcome
from panflow.errors import InputError
from panflow.files import output, stac
from panflow.files.output import any_folder
from panflow.files.remote import AnyPath, Remote

COLLECTION = "panflow-batch.json"  # of the results' STAC Items
PATIENCE = 30.0  # seconds between two attempts, at most
Task = tuple[Row, Mapping[str, Any]]  # a row and the options of `sharpen_file` for it


class Executor(Protocol):
    """Where rows are worked on: `attempt` is called by `slots` threads at once."""

    slots: int

    def attempt(self, slot: int, row: Row, options: Mapping[str, Any]) -> Outcome: ...

    def stop(self) -> None:
        """End what is running, without leaving anything half-written."""
        ...

    def close(self) -> None: ...


def part(tasks: Sequence[Task], text: str | None) -> list[Task]:
    """Every n-th task, beginning with the i-th, of "i/n" with i from 1 to n: the share of one job of an array."""
    if text is None:
        return list(tasks)
    try:
        index, count = (int(value) for value in text.split("/"))
    except ValueError:
        index = count = 0
    if not 1 <= index <= count:
        raise InputError(f"--part {text!r}: expected i/n with i from 1 to n, as 3/8")
    return list(tasks[index - 1 :: count])


def pending(tasks: Sequence[Task], journal: Journal | RemoteJournal, overwrite: bool) -> list[Task]:
    """The tasks whose results are missing or of other options. A result that this batch has made may be replaced."""
    last, begun = journal.last(), journal.begun()
    result: list[Task] = []
    for row, options in tasks:
        digest, entry = row.digest(options), last.get(row.id)
        there = row.out.exists()
        if entry and entry.state == DONE and entry.digest == digest and there and not overwrite:
            continue
        ours = bool(entry and entry.state == DONE and entry.out == str(row.out)) or (row.id, str(row.out)) in begun
        result.append((row, {**options, "overwrite": overwrite or ours}))
    return result


def run(
    tasks: Sequence[Task],
    journal: Journal | RemoteJournal,
    executor: Executor,
    retry: int = 2,
    progress: Callable[[Entry | None, int, int], None] | None = None,
) -> list[Entry]:
    """Work on the tasks; returns their entries, in the order in which they ended.

    retry: further attempts at what may pass. progress: called with an entry (None at the start), how many have ended
    and of how many. On KeyboardInterrupt running scenes are dropped cleanly, what has ended is in the journal, and the
    interrupt goes on. Raises OutputError where the journal cannot be written.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    stopping, lock = threading.Event(), threading.Lock()
    entries: list[Entry] = []
    errors: list[BaseException] = []

    def work(slot: int) -> None:
        try:
            while not stopping.is_set():
                try:
                    row, options = waiting.get_nowait()
                except queue.Empty:
                    return
                journal.begin(row.id, row.out)
                outcome, attempts = _attempts(executor, slot, row, options, retry, stopping)
                if outcome.exit_code == INTERRUPTED and stopping.is_set():
                    return
                with lock:
                    entry = _entry(row, options, outcome, attempts)
                    journal.add(entry)
                    entries.append(entry)
                    if progress:
                        progress(entry, len(entries), len(tasks))
        except BaseException as error:
            errors.append(error)
            stopping.set()

    if progress:
        progress(None, 0, len(tasks))
    threads = [threading.Thread(target=work, args=(slot,), daemon=True) for slot in range(executor.slots)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        stopping.set()
        executor.stop()
        for thread in threads:
            thread.join()
        raise
    finally:
        executor.close()
    if errors:
        raise errors[0]
    journal.ended()
    return entries


def _attempts(
    executor: Executor, slot: int, row: Row, options: Mapping[str, Any], retry: int, stopping: threading.Event
) -> tuple[Outcome, int]:
    if row.error:
        return Outcome(InputError.exit_code, row.error), 0
    for attempt in range(1, retry + 2):
        outcome = executor.attempt(slot, row, options)
        if not outcome.may_pass or attempt > retry or stopping.wait(min(PATIENCE, 0.5 * 2**attempt)):
            break
    return outcome, attempt


def _entry(row: Row, options: Mapping[str, Any], outcome: Outcome, attempts: int) -> Entry:
    return Entry(
        id=row.id,
        state=FAILED if outcome.exit_code else DONE,
        exit_code=outcome.exit_code,
        sentence=outcome.sentence,
        out=str(row.out),
        digest=row.digest(options),
        version=__version__,
        seconds=outcome.seconds,
        attempts=attempts,
        host=socket.gethostname(),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        report=outcome.report,
    )


def collect(tasks: Sequence[Task], outdir: AnyPath) -> None:
    """Writes the Items of all results that there are as one ItemCollection."""
    items = []
    for row, _ in tasks:
        for _, item in stac.items(file) if (file := row.out.with_suffix(".json")).exists() else ():
            for asset in item["assets"].values():
                asset["href"] = stac.moved(asset["href"], file, outdir)
            items.append(item)
    output.write(outdir / COLLECTION, json.dumps(stac.collection(items), indent=1))


def journal(outdir: AnyPath, alone: bool = True) -> Journal | RemoteJournal:
    """That of a folder; alone: whether no other run writes to it, as the tasks of a job array do."""
    return RemoteJournal(outdir, alone) if isinstance(outdir, Remote) else Journal(outdir)


def prepare(outdir: AnyPath, alone: bool = True) -> Journal | RemoteJournal:
    """The journal of a folder, which is made where it is not there. OutputError where that cannot be."""
    return journal(any_folder(outdir), alone)
