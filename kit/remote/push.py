"""Push: builds a kernel of a notebook, says what it will cost and whether it fits, pushes it once, and waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.errors import PreflightError, QuotaError, RemoteError, UsageError
from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.deadline import Limits, format_duration
from kit.harness.summary import COMPLETE
from kit.notebooks.launch import Launch
from kit.notebooks.quick_test import quick_test
from kit.remote.client import KaggleClient
from kit.remote.delivery import deliver, new_mark, put_mark, refuse_busy
from kit.remote.gpu_hours import cost_of
from kit.remote.image import refuse_missing
from kit.remote.interruption import (
    interrupted_before,
    interrupted_push,
    interrupted_wait,
    told_when_interrupted,
)
from kit.remote.kernel import BuiltKernel, KernelOrder, build_kernel
from kit.remote.kernel_ref import KernelRef
from kit.remote.metadata import slug_of
from kit.remote.pull import Pull, PullOrder
from kit.remote.settings import settings_of
from kit.remote.waiting import EVERY_S, Waiting
from kit.report.remote import cost_text

Tell = Callable[[str], object]


@dataclass(frozen=True)
class PushOrder:
    """What to push. ``kernel`` says which notebook, how, and under which name; ``folder`` gets the built kernel.

    ``quick`` is the launch of the quick test that comes first, None to push without one.
    """

    kernel: KernelOrder
    folder: Path
    quick: Launch | None = None


def build(order: PushOrder) -> BuiltKernel:
    """Build the folder that the client pushes as it stands, and return it.

    Raises:
        UsageError: a value cannot be used, or Kaggle's image lacks a package that could not travel.
    """
    built = build_kernel(order.kernel, order.folder)
    refuse_missing(built.missing, order.kernel.dataset_sources)
    return built


def build_only(order: PushOrder) -> dict[str, Any]:
    """Build the folder, its owner filled in, and push nothing; returns ``{folder, size_bytes, session_limit_s}``.

    Raises:
        UsageError: see ``build``; or nobody says who the owner is.
    """
    kernel = order.kernel
    if not kernel.owner:
        # Asked for only where nobody said it: a build needs no network.
        kernel = replace(kernel, owner=KaggleClient().username())
    built = build(replace(order, kernel=kernel))
    return {
        "folder": str(built.folder),
        "size_bytes": built.size_bytes,
        "session_limit_s": kernel.session_limit_s,
        "kernel": str(built.metadata["id"]),
    }


def slug_for(notebook: Path, slug: str = "") -> str:
    """Return the slug of a notebook's kernel: ``slug``, else that of ``kaggle/<notebook>``, else of its name."""
    known = str(settings_of(notebook).metadata.get("id", "")).partition("/")[2]
    return slug or known or slug_of(notebook.stem)


def wants_gpu(kernel: KernelOrder) -> bool:
    """Whether its sessions get GPUs, which cost quota."""
    return settings_of(kernel.notebook).needs_gpu(kernel.values) if kernel.gpu is None else kernel.gpu


def ref_of(order: PushOrder, built: BuiltKernel) -> KernelRef:
    """Return where the built kernel goes."""
    owner, _, slug = str(built.metadata["id"]).partition("/")
    return KernelRef(owner, slug, order.kernel.notebook.stem)


def look_before(quick: Launch | None, limit_s: float | None, *, split: bool = False) -> dict[str, Any] | None:
    """Run the quick test here with all checks, and return the forecast; None without a quick test.

    Raises:
        PreflightError: the quick test failed, or a check did.
        UsageError: it does not fit into the session, and is not to be ``split`` over several.
    """
    if quick is None:
        return None
    limits = Limits.resolve(session=limit_s)
    summary = quick_test(quick, limits)
    if summary["status"] != COMPLETE:
        raise PreflightError(
            f"Nothing was pushed: the quick test here is {summary['status']} ({summary['reason']})."
        )
    failed = [one for one in summary["preflight"]["checks"] if one["status"] == "fail"]
    if failed:
        told = " ".join(f"{one['name']}: {one['saw']} To do: {one['todo']}" for one in failed)
        raise PreflightError(f"Nothing was pushed. {told} (--skip-checks pushes it all the same.)")
    found: dict[str, Any] = summary["forecast"]
    if found["verdict"] != "fit" and not split:
        raise DoesNotFitError(found)
    return found


class DoesNotFitError(UsageError):
    """A run does not fit into one session; ``forecast`` says what would."""

    exit_code = 3

    def __init__(self, forecast: dict[str, Any]) -> None:
        largest = forecast["largest_fit"]
        super().__init__(
            f"Nothing was pushed: by the forecast made here it takes {_time(forecast['predicted_s'])} (at most "
            f"{_time(forecast['high_s'])}), and a session must end by {_time(forecast['soft_limit_s'])}. At most "
            f"{largest or 0:,} steps fit; `chain` splits it over sessions; --skip-checks pushes it all the same, and "
            "it stops in time, to be continued.",
            "chain",
        )
        self.forecast = forecast


class Push:
    """One push, from the checks to the pushed version; ``tell`` gets lines for the user."""

    def __init__(
        self, client: KaggleClient, order: PushOrder, tell: Tell = lambda _: None, clock: Clock = SYSTEM_CLOCK
    ):
        self._client, self._order, self._tell, self._clock = client, order, tell, clock
        self.ref = KernelRef("", "")
        self.former: str | None = None
        self._begun = False

    def run(self) -> dict[str, Any]:
        """Check, build, and push.

        Returns ``{kernel, url, version, folder, size_bytes, session_limit_s, forecast, cost, pushed_at_s}``.

        Raises:
            LeftRunningError: it was interrupted while it was pushed.
            RemoteBusyError: a run is going on under that name; nothing was pushed.
            QuotaError: what is left of the quota is less than it takes; nothing was pushed.
            PreflightError, DoesNotFitError: see ``look_before``.
            RemoteError, CredentialsError: Kaggle refused, or cannot be reached; or it was interrupted before the push.
        """
        with told_when_interrupted(self._interrupted):
            return self._run()

    def _interrupted(self) -> RemoteError:
        return interrupted_push(self.ref) if self._begun else interrupted_before()

    def _run(self) -> dict[str, Any]:
        kernel = self._order.kernel
        if not kernel.owner:
            kernel = replace(kernel, owner=self._client.username())
        order = replace(self._order, kernel=kernel)
        built = build(order)
        self.ref = ref_of(order, built)
        before = refuse_busy(self._client, self.ref)
        self.former = before.state if before else ""
        forecast = look_before(order.quick, kernel.session_limit_s)
        cost = self._cost(forecast, gpu=wants_gpu(kernel))
        self._tell(cost_text(cost, forecast))
        if order.quick is not None:  # it took its time
            refuse_busy(self._client, self.ref)
        mark = new_mark()
        put_mark(built.folder, mark)
        self._begun = True
        pushed = deliver(self._client, self.ref, built.folder, mark, kernel.session_limit_s)
        self._tell(f"{self.ref} is pushed: {pushed.url}")
        return {
            "kernel": str(self.ref),
            "url": pushed.url,
            "version": pushed.version,
            "folder": str(built.folder),
            "size_bytes": built.size_bytes,
            "session_limit_s": kernel.session_limit_s,
            "forecast": forecast,
            "cost": cost,
            "pushed_at_s": self._clock.wall(),
        }

    def _cost(self, forecast: dict[str, Any] | None, *, gpu: bool) -> dict[str, Any]:
        quota = self._client.quota() if gpu else None
        cost = cost_of(forecast, self._order.kernel.session_limit_s, quota, gpu=gpu)
        if cost["enough"] is False:
            until = f" until {cost['refresh_at']}" if cost["refresh_at"] else ""
            raise QuotaError(
                f"Nothing was pushed: it takes up to {cost['most_hours']:.1f} GPU hours and {cost['left_hours']:.1f} "
                f"are left{until}. Give a shorter --limit, fewer steps, or push without --gpu."
            )
        return cost


def _time(seconds: float) -> str:
    return format_duration(round(seconds))


def push_and_wait(
    push: Push, client: KaggleClient, out: Path, *, tell: Tell, fresh: bool, every_s: float = EVERY_S
) -> dict[str, Any]:
    """Push, wait until the kernel has ended, and bring its run home; returns what push and pull found.

    Raises:
        LeftRunningError: it was interrupted after the push; the message says how to bring the run home.
    """
    Pull(client, PullOrder(push.ref, out, fresh=fresh)).refuse_occupied()  # hours later it would be too late
    pushed = push.run()
    with told_when_interrupted(lambda: interrupted_wait(push.ref, out)):
        Waiting(client, every_s, tell).until_ended(push.ref, pushed["pushed_at_s"], push.former)
        return {**pushed, **Pull(client, PullOrder(push.ref, out, fresh=fresh)).run()}
