"""KernelsApiService: pushes, statuses, output, listings, and the quota."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from kit.harness.clock import Clock
from tests.remote.kaggle_server.answers import ApiError, without_defaults
from tests.remote.kaggle_server.inputs import Inputs, Lookup
from tests.remote.kaggle_server.kernel import Kernel, Version, slug_of, write_folder
from tests.remote.kaggle_server.misbehaviour import Misbehaviour
from tests.remote.kaggle_server.output import Output
from tests.remote.kaggle_server.page import page
from tests.remote.kaggle_server.policy import Policy
from tests.remote.kaggle_server.quota import Quota
from tests.remote.kaggle_server.session import ENDED, Order, Run, Session

Body = Mapping[str, object]
DENIED = "Permission 'kernels.get' was denied"


class Kernels:
    """All kernels of the server, and the sessions that run them."""

    def __init__(
        self,
        root: Path,
        run: Run,
        clock: Clock,
        policy: Policy,
        misbehave: Misbehaviour,
        output: Output,
        quota: Quota,
        datasets: Lookup,
    ) -> None:
        self._root, self._run, self._clock = root, run, clock
        self._policy, self._misbehave, self._output, self._quota = policy, misbehave, output, quota
        self._datasets = datasets
        self._kernels: dict[str, Kernel] = {}
        self._lock, self._count = threading.RLock(), itertools.count(1)
        self.turn = threading.Event()
        self.turn.set()

    @property
    def sessions(self) -> list[Session]:
        """Every session there ever was, in the order of the kernels and of their versions."""
        return [version.session for kernel in list(self._kernels.values()) for version in kernel.versions]

    def kernel(self, ref: str) -> Kernel:
        """Return the kernel of owner/slug.

        Raises:
            ApiError: 403 where there is none: the service does not tell missing from private.
        """
        if ref not in self._kernels:
            raise ApiError(403, DENIED)
        return self._kernels[ref]

    def methods(self) -> dict[str, Callable[[str, Body], object]]:
        """Return what answers each method of the service; each gets the caller's name and the request."""
        return {
            "SaveKernel": self.save,
            "GetKernelSessionStatus": self.status,
            "ListKernelSessionOutput": self.session_output,
            "ListKernelFiles": self.files,
            "GetKernel": self.get,
            "ListKernels": self.list_kernels,
            "DeleteKernel": self.delete,
            "GetAcceleratorQuotaStatistics": lambda _user, _body: self._quota.statistics(),
        }

    def save(self, user: str, body: Body) -> object:
        """Answer SaveKernel: check, refuse in ``error``, or make a version and start its session."""
        self._check(body)
        with self._lock:
            refusal = self._refusal(user, body)
            if refusal:
                return {"error": refusal}
            return self._push(user, body)

    def status(self, user: str, body: Body) -> object:
        """Answer GetKernelSessionStatus, late or denying where that is switched on."""
        kernel, version = self._find(user, body)
        self._deny_new(kernel)
        status = version.status
        if status != version.shown and self._misbehave.take("report_late"):
            return {"status": version.shown}
        version.shown = status
        message = version.session.failure_message
        return without_defaults({"status": status, "failureMessage": message})

    def session_output(self, user: str, body: Body) -> object:
        """Answer ListKernelSessionOutput."""
        kernel, version = self._find(user, body)
        return self._output.session_output(kernel, version, body.get("pageSize"), body.get("pageToken"))

    def files(self, user: str, body: Body) -> object:
        """Answer ListKernelFiles."""
        kernel, version = self._find(user, body)
        return self._output.file_list(kernel, version, body.get("pageSize"), body.get("pageToken"))

    def get(self, user: str, body: Body) -> object:
        """Answer GetKernel: metadata and source of a version."""
        kernel, version = self._find(user, body)
        self._deny_new(kernel)
        blob = {
            "source": version.request["text"],
            "language": version.request.get("language", ""),
            "kernelType": version.request.get("kernelType", ""),
            "slug": kernel.slug,
        }
        return {"metadata": kernel.metadata(version), "blob": blob}

    def list_kernels(self, user: str, body: Body) -> object:
        """Answer ListKernels: the newest first, by page number or by token."""
        words = str(body.get("search", "")).lower()
        owner = user if body.get("group") == "PROFILE" else str(body.get("user") or "")
        found = [
            kernel.metadata(kernel.versions[-1])
            for kernel in reversed(list(self._kernels.values()))
            if kernel.versions and words in kernel.title.lower() and owner in ("", kernel.owner)
        ]
        token, number, size = body.get("pageToken"), int(str(body.get("page") or 1)), body.get("pageSize")
        if not token:
            found = found[(number - 1) * int(str(size or 20)) :]
        some, more = page(found, size, token)
        return {"kernels": some, **({"nextPageToken": more} if more else {})}

    def delete(self, user: str, body: Body) -> object:
        """Answer DeleteKernel."""
        kernel, _ = self._find(user, body)
        del self._kernels[kernel.ref]
        return {}

    def _deny_new(self, kernel: Kernel) -> None:
        if len(kernel.versions) == 1 and self._misbehave.take("deny_new"):
            raise ApiError(403, DENIED)

    def mountable(self, owner: str, slug: str, label: str) -> Path | None:
        """Return the folder that a kernel source mounts: of that version, else of the newest that may be mounted."""
        kernel = self._kernels.get(f"{owner}/{slug}")
        allowed = ENDED if self._policy.mounts_cancelled_output else ("COMPLETE",)
        if kernel is None:
            return None
        version = kernel.version(label) if label else kernel.newest(allowed)
        if version is None or version.status not in allowed:
            return None
        return self._output.folder(version)

    def _check(self, body: Body) -> None:
        """Refuse with 400 what no push may have."""
        if not body.get("text"):
            raise ApiError(400, "The kernel source must not be empty.")
        if len(str(body["text"]).encode()) >= self._policy.largest_source_bytes:
            raise ApiError(400, "The kernel source must be less than 1 megabytes in size.")
        title = str(body.get("newTitle") or "")
        if title and not 5 <= len(title) <= 50:
            raise ApiError(400, "The title must be between 5 and 50 characters.")

    def _refusal(self, user: str, body: Body) -> str | None:
        """Return why the push is refused, in the words that the CLI prints after ``Kernel push error:``."""
        switch = self._misbehave.take("refuse_push")
        if switch is not None:
            return str(switch.how["error"])
        number = body.get("id")
        if number and number not in [kernel.number for kernel in self._kernels.values()]:
            return "Notebook not found"
        if not number and str(body.get("slug", "")).split("/")[0] != user:
            return "Notebook not found"
        gpu = bool(body.get("enableGpu"))
        going = [one for one in self.sessions if one.status not in ENDED and one.order.gpu == gpu]
        most = self._policy.gpu_sessions if gpu else self._policy.cpu_sessions
        if len(going) >= most:
            return f"Maximum batch {'GPU' if gpu else 'CPU'} session count of {most} reached."
        return self._quota.refusal() if gpu else None

    def _push(self, user: str, body: Body) -> object:
        kernel = self._kernel_for(user, body)
        inputs = Inputs(self._policy)
        invalid_kernels = inputs.add("notebooks", _names(body, "kernelDataSources"), self.mountable)
        invalid_datasets = inputs.add("datasets", _names(body, "datasetDataSources"), self._datasets)
        version = self._version(kernel, body, inputs.folders)
        return without_defaults(
            {
                "ref": kernel.ref,
                "url": kernel.url,
                "versionNumber": version.number,
                "kernelId": kernel.number,
                "invalidKernelSources": invalid_kernels,
                "invalidDatasetSources": invalid_datasets,
            }
        )

    def _kernel_for(self, user: str, body: Body) -> Kernel:
        """Return the kernel that a push is for; a new one gets its slug from its title, whatever slug was sent."""
        number = body.get("id")
        named = [kernel for kernel in self._kernels.values() if number and kernel.number == number]
        sent = str(body.get("slug") or "")
        kernel = named[0] if named else self._kernels.get(sent)
        title = str(body.get("newTitle") or "")
        if kernel is None:
            slug = slug_of(title) or sent.split("/")[1]
            if f"{user}/{slug}" in self._kernels:
                raise ApiError(409, "A notebook with this title already exists.")
            kernel = Kernel(50_000_000 + len(self._kernels), user, slug, title or slug)
            self._kernels[kernel.ref] = kernel
        kernel.title = title or kernel.title
        return kernel

    def _version(self, kernel: Kernel, body: Body, inputs: dict[str, Path]) -> Version:
        number = len(kernel.versions) + 1
        home = self._root / "sessions" / f"{next(self._count):03d}-{kernel.slug}"
        request = dict(body)
        folder = write_folder(home / "pushed", kernel.ref, kernel.title, request)
        out = home / "out"
        out.mkdir()
        longest = self._policy.longest_session_s
        limit_s = min(float(str(body.get("sessionTimeoutSeconds") or longest)), longest)
        order = Order(kernel.ref, number, folder, limit_s, inputs, out, bool(body.get("enableGpu")))
        session = Session(order, self._charged(order.gpu), self._clock, self.turn)
        # Until it is asked the service still shows how the version before stood.
        shown = kernel.versions[-1].shown if kernel.versions else "QUEUED"
        version = Version(number, request, session, inputs, shown)
        kernel.versions.append(version)
        session.start()
        return version

    def _charged(self, gpu: bool) -> Run:
        """Return the runner, charging the quota for the time that it takes where the session has a GPU."""
        if not gpu:
            return self._run

        def charged(folder: Path, limit_s: float, inputs: Mapping[str, Path], out: Path):
            began = self._clock.wall()
            try:
                return self._run(folder, limit_s, inputs, out)
            finally:
                self._quota.charge(self._clock.wall() - began)

        return charged

    def _find(self, user: str, body: Body) -> tuple[Kernel, Version]:
        """Return the kernel and version that a request names, by label or behind the slug."""
        slug, _, label = str(body.get("kernelSlug", "")).partition("/")
        with self._lock:
            kernel = self.kernel(f"{body.get('userName') or user}/{slug}")
            version = kernel.version(str(body.get("versionLabel") or label))
        if version is None:
            raise ApiError(404, "Version not found")
        return kernel, version


def _names(body: Body, field: str) -> list[str]:
    names = body.get(field)
    return [str(name) for name in names] if isinstance(names, list) else []
