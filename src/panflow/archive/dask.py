"""Rows on a dask cluster: any that a scheduler's address names, or workers on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from panflow.archive.rows import Row
from panflow.archive.work import INTERRUPTED, KILLED, Outcome, sharpen_row
from panflow.errors import InputError, MissingExtra


class Dask:
    """A row is a task; twice as many as there are workers are under way, so that none waits."""

    def __init__(self, workers: int, scheduler: str | None = None):
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise MissingExtra('--executor dask needs distributed: pip install "panflow[dask]"') from None
        try:
            if scheduler:
                self._cluster, self._client = None, Client(scheduler, timeout="20s")
            else:
                self._cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
                self._client = Client(self._cluster)
        except (OSError, ValueError) as error:
            raise InputError(f"no dask scheduler answers at {scheduler}: {error}") from None
        self.slots = 2 * max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        self._stopped = False

    def attempt(self, slot: int, row: Row, options: Mapping[str, Any]) -> Outcome:
        from distributed import KilledWorker

        try:
            return self._client.submit(sharpen_row, row, dict(options), pure=False, retries=0).result()
        except KilledWorker:
            return Outcome(KILLED, "its workers were killed (out of memory, or by somebody)", may_pass=True)
        except Exception as error:  # the connection's, since a row's own come back as its outcome
            if self._stopped:
                return Outcome(INTERRUPTED, "interrupted", may_pass=True)
            return Outcome(1, f"the cluster lost the row: {type(error).__name__}: {error}", may_pass=True)

    def stop(self) -> None:
        self._stopped = True
        self.close()

    def close(self) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
