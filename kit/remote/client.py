"""KaggleClient: what the kit asks of Kaggle. The real command line does it; what it gets wrong is done beside it.

| trap of the client | here |
|---|---|
| a refused push, an error status: exit code 0 | the words are read (`replies`), not the code |
| attached sources that Kaggle does not know: dropped, and the run starts without them | an error |
| a push whose answer is lost | never blindly repeated: looked for by its mark in the source (`push`) |
| an expired address: the error's body saved as the file | own download (`download`), with the status looked at |
| each file of an output held in memory | the same: to disk in pieces |
| 429 and 5xx end the command | waited for and tried again (`backoff`) |
| `logs --follow` gives up with exit code 0 | taken up again while the run goes on |
| a warning about its own version comes before the answer, on stdout | left out |
| refused credentials: "no such kernel" | asked again by a call that everybody may make |
| pushing to a name that runs starts a second run | refused before (`push`) |
"""

from __future__ import annotations

import json
import logging
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from kit.errors import CredentialsError, RemoteError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.deadline import format_duration
from kit.harness.size import format_size
from kit.remote.backoff import Backoff, GivenUpError, PassingError
from kit.remote.credentials import Credentials, find_credentials
from kit.remote.download import Download
from kit.remote.http import Http
from kit.remote.kaggle_process import CliReply, KaggleProcess, environment
from kit.remote.kernel_ref import KernelRef
from kit.remote.output_listing import OutputListing, list_output
from kit.remote.replies import (
    AbsentError,
    GpuQuota,
    KernelStatus,
    Pushed,
    failure,
    read_push,
    read_quota,
    read_status,
)
from kit.remote.scrub import Scrubber
from kit.remote.upload_limit import upload_limit_s

logger = logging.getLogger(__name__)

EMPTY_TRIES, EMPTY_S = 3, 10.0
WHO_AM_I = "kernels.KernelsApiService/GetAcceleratorQuotaStatistics"
"""A call that changes nothing, and that everybody may make who is somebody."""
_USERNAME = re.compile(r"^- username: (\S+)", re.MULTILINE)
_DATASET_MADE = re.compile(r"(Dataset|Dataset version) is being created")
_NO_UPLOAD = re.compile(r"^(Upload unsuccessful: .*|Dataset (?:version )?creation error: .*)$", re.MULTILINE)


class KaggleClient:
    """Talks to Kaggle with the credentials of ``environ``; ``temporary`` keeps unfinished uploads between calls."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        backoff: Backoff | None = None,
        temporary: Path | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._environ = environment(environ)
        self.credentials = find_credentials(self._environ)
        self.backoff, self._clock = backoff or Backoff(), clock
        self._scrub = Scrubber(self.credentials.secrets())
        self._process = KaggleProcess(self._environ, self._scrub, temporary)
        self._username = ""

    def username(self) -> str:
        """Return the account's name, which is the owner of what is pushed.

        Raises:
            CredentialsError: there are no credentials, or Kaggle refuses them.
        """
        if not self._username:
            self._username = self.credentials.username if self.credentials.kind == "key" else self._ask_name()
        return self._username

    def _ask_name(self) -> str:
        found = _USERNAME.search(self._call("config", "view", what="The account").out)
        if not found or found[1] == "None":
            raise CredentialsError(self.credentials.refused())
        return found[1]

    # Kernels

    def push(self, folder: Path, limit_s: float | None = None) -> Pushed:
        """Push what lies in ``folder``, once; see ``read_push`` for what it raises.

        A PassingError with ``sure`` false means that it may run all the same.
        """
        words = ["kernels", "push", "-p", str(folder)]
        if limit_s is not None:
            words += ["-t", str(int(limit_s))]
        return read_push(self._call(*words, what="The push", retry=False, asks=False))

    def status(self, ref: KernelRef) -> KernelStatus:
        """Return how the newest version stands; raises AbsentError where there is no such kernel."""
        return read_status(self._call("kernels", "status", str(ref), what=str(ref)))

    def source(self, ref: KernelRef) -> str:
        """Return the source of the newest version; raises AbsentError where there is no such kernel."""
        with tempfile.TemporaryDirectory(prefix="kit-kaggle-") as folder:
            self._call("kernels", "pull", str(ref), "-p", folder, what=str(ref))
            files = [path for path in Path(folder).iterdir() if path.is_file()]
            return "".join(path.read_text(encoding="utf-8") for path in files)

    def follow(self, ref: KernelRef) -> Iterator[str]:
        """Yield the lines of the log as they come, from the first one, until the client says no more."""
        return self._process.lines("kernels", "logs", str(ref), "--follow")

    def output(self, ref: KernelRef) -> OutputListing:
        """Return what the newest version left: names, addresses, log.

        A list without a file may only be early: it is asked for again, twice.
        """
        for attempt in range(EMPTY_TRIES):
            found = self.backoff.retry(lambda: list_output(self._http().post, ref), f"The output of {ref}")
            if found.files or attempt + 1 == EMPTY_TRIES:
                break
            self.backoff.pause(EMPTY_S)
        return found

    def downloads(self, progress: Callable[[int], object] = lambda _: None) -> Download:
        """Return what brings files of an output to disk."""
        return Download(self._http(), self.backoff, progress)

    def quota(self) -> GpuQuota | None:
        """Return the week's GPU quota, None where Kaggle tells none."""
        return read_quota(self._call("quota", "--csv", what="The quota"))

    # Datasets

    def dataset_status(self, ref: str) -> str | None:
        """Return how a dataset stands (``ready`` once it can be attached), None where there is none."""
        try:
            return self._call("datasets", "status", ref, what=ref).out.strip().lower()
        except AbsentError:
            return None

    def dataset_version(self, ref: str) -> int | None:
        """Return the number of a dataset's newest version, None where that is not told."""
        try:
            reply = self._call(
                "datasets", "status", ref, "--format", "json(current_version_number)", what=ref
            )
            number = json.loads(reply.out)["current_version_number"]
        except CredentialsError:
            raise
        except (RemoteError, ValueError, KeyError, TypeError):
            return None
        return number if isinstance(number, int) else None

    def save_dataset(self, folder: Path, notes: str, *, exists: bool) -> None:
        """Upload ``folder`` (with its dataset-metadata.json) as a new dataset, or as the only version of one.

        It takes at most ``upload_limit_s``, whatever the number of attempts; each goes on where the one before broke.

        Raises:
            GivenUpError: it was not uploaded in that time.
            RemoteError: a file was not uploaded, or Kaggle refused.
        """
        words = ["datasets", "create", "-p", str(folder)]
        if exists:  # older versions would fill the account's storage with checkpoints that nobody needs
            words = ["datasets", "version", "-p", str(folder), "-m", notes, "--delete-old-versions"]
        size = sum(path.stat().st_size for path in folder.iterdir())
        limit_s = upload_limit_s(size)
        what = f"The upload of {format_size(size)}"
        # One attempt that hangs must leave time for another.
        reply = self._call(*words, what=what, asks=False, timeout_s=limit_s / 2, within_s=limit_s)
        fault = _NO_UPLOAD.search(reply.out)
        if fault or not _DATASET_MADE.search(reply.out):
            raise RemoteError(f"The dataset was not saved: {fault[1] if fault else reply.last_line}")

    # How

    def _http(self) -> Http:
        bearer = self._bearer()
        return Http(self._environ, bearer, Scrubber([*self.credentials.secrets(), *bearer.secrets()]))

    def _bearer(self) -> Credentials:
        if self.credentials.kind != "login":
            if self.credentials.kind == "none":
                raise CredentialsError(self.credentials.refused())
            return self.credentials
        # What `kaggle auth login` left the client alone can renew; it prints the token, which goes no further.
        raw = KaggleProcess(self._environ, Scrubber.none()).call("auth", "print-access-token")
        token = raw.out.strip().splitlines()[-1].strip() if raw.code == 0 and raw.out.strip() else ""
        if not token or " " in token:
            raise CredentialsError(self.credentials.refused())
        return Credentials("token", self.credentials.source, self.credentials.username, token)

    def _refuse_unknown(self) -> None:
        """Raise CredentialsError where they are refused: of a kernel the client then says that it is not there."""
        with suppress(AbsentError, PassingError):
            self._http().post(WHO_AM_I, {})

    def _call(
        self,
        *words: str,
        what: str,
        retry: bool = True,
        asks: bool = True,
        timeout_s: float = 300.0,
        within_s: float = math.inf,
    ) -> CliReply:
        """Call the client; ``timeout_s`` is for one attempt, ``within_s`` for all of them together."""
        until_s = self._clock.monotonic() + within_s
        if self.credentials.kind == "none":
            raise CredentialsError(self.credentials.refused())

        def once() -> CliReply:
            left_s = until_s - self._clock.monotonic()
            if left_s <= 0:
                told = format_duration(round(within_s))
                raise GivenUpError(
                    f"{what} was not done in {told}, and is given up; called again it goes on."
                )
            reply = self._process.call(*words, timeout_s=min(timeout_s, left_s))
            if reply.code != 0:
                error = failure(reply, self.credentials, what, asks=asks)
                if isinstance(error, AbsentError):
                    self._refuse_unknown()
                raise error
            return reply

        if not retry:
            return once()
        return self.backoff.retry(once, what)
