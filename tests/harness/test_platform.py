"""Which machine this is, and when its session began."""

import json
import socket
from pathlib import Path

import pytest

from kit.harness.clock import ManualClock
from kit.harness.platform import detect, kaggle_folder, machine, session_began

KAGGLE = {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}
COLAB = {"COLAB_RELEASE_TAG": "release-colab_20261101"}


def test_kaggle_is_told_before_colab():
    """Kaggle's image carries Colab's variables too, and is still Kaggle."""
    assert detect(KAGGLE | COLAB).kind == "kaggle"
    assert detect({"KAGGLE_URL_BASE": "https://www.kaggle.com"} | COLAB).kind == "kaggle"


def test_kaggle_batch_and_interactive():
    """A batch run has 12 hours and nobody watching; an interactive one also ends after 20 idle minutes."""
    batch = detect(KAGGLE)
    assert (batch.output_root, batch.session_limit_s) == (Path("/kaggle/working"), 43_200)
    assert (batch.interactive, batch.idle_limit_s) == (False, None)
    watched = detect({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"})
    assert (watched.interactive, watched.idle_limit_s) == (True, 1_200)


def test_kaggle_tpu_has_nine_hours():
    """On a TPU Kaggle's session is 9 hours."""
    assert detect(KAGGLE | {"TPU_ACCELERATOR_TYPE": "v3-8"}).session_limit_s == 9 * 3600


def test_colab_and_local():
    """Colab writes below /content; a local machine has no session limit and writes where the user stands."""
    assert (detect(COLAB).kind, detect(COLAB).output_root) == ("colab", Path("/content"))
    local = detect({})
    assert (local.kind, local.output_root, local.session_limit_s) == ("local", Path.cwd(), None)


@pytest.mark.parametrize("environ", [KAGGLE, COLAB])
def test_a_session_on_a_hosted_machine_began_with_process_one(environ):
    """Installing packages before the launch is part of the 12 hours."""
    clock = ManualClock(monotonic=1_000.0)
    assert session_began(detect(environ), 990.0, False, clock, age_of={1: 400.0}.get) == 600.0


@pytest.mark.parametrize(("environ", "explicit"), [({}, False), (KAGGLE, True), (COLAB, True)])
def test_elsewhere_and_for_an_explicit_limit_it_began_with_the_command(environ, explicit):
    """Locally, and where somebody gave a limit, time counts from the launch of the command."""
    clock = ManualClock(monotonic=1_000.0)
    assert session_began(detect(environ), 990.0, explicit, clock, age_of=lambda pid: 400.0) == 990.0


def test_an_unreadable_process_one_falls_back_to_the_launch():
    """Where process 1 tells nothing, the launch counts, and without one the creation of this process."""
    clock = ManualClock(monotonic=1_000.0)
    assert session_began(detect(KAGGLE), 990.0, False, clock, age_of=lambda pid: None) == 990.0
    assert (
        session_began(detect(KAGGLE), None, False, clock, age_of=lambda pid: None if pid == 1 else 3.0)
        == 997.0
    )
    assert session_began(detect({}), None, False, clock, age_of=lambda pid: None) == 1_000.0


def test_a_rehearsal_may_put_a_folder_in_kaggles_place():
    """Where no /kaggle can be made, a variable names what stands in for it."""
    assert kaggle_folder({}) == Path("/kaggle")
    somewhere = detect(KAGGLE | {"KIT_KAGGLE_FOLDER": "/somewhere"})
    assert (somewhere.output_root, somewhere.input_root) == (
        Path("/somewhere/working"),
        Path("/somewhere/input"),
    )


def test_the_machine_is_described_without_being_named():
    """The record has model, cores, memory and versions, is JSON, and does not hold the host's name."""
    described = machine()
    assert set(described) == {"cpu", "cores", "memory_bytes", "python", "os", "arch"}
    assert described["cores"] >= 1
    assert described["memory_bytes"] > 2**20
    text = json.dumps(described)
    assert len(socket.gethostname()) < 4 or socket.gethostname() not in text
