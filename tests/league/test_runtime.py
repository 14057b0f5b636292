"""build(): the source document's parameters, what it refuses, and a league of a real model that is interrupted."""

import inspect
import json
import logging
from pathlib import Path

import pytest

import kit.league
from kit.errors import ContextLengthError, UnknownNameError, UsageError
from kit.harness.cadence import Cadence
from kit.league import register_learner
from kit.league.collector import Workers
from kit.league.learners import Reinforce
from kit.league.run import described, fingerprint
from kit.league.runtime import build
from kit.tensors import decode, encode
from tests.league.small_player import AGAINST, KUHN, MEASURED, small_player, small_settings

DOCUMENT = {
    "eval_envs": None,
    "env_sampling_strategy": "random",
    "opponent_sampling_strategy": "none",
    "fixed_opponents": ("google/gemini-2.0-flash-lite-001",),
    "algorithm": "reinforce",
    "max_train_len": None,
    "max_generation_len": 4096,
    "batch_size": 384,
    "mini_batch_size": 1,
    "learning_rate": 1e-5,
    "gradient_clipping": 0.2,
    "activation_checkpointing": True,
    "gradient_checkpointing": True,
    "use_trainer_cache": False,
    "buffer_size": None,
    "lora_config": None,
    "vllm_config": None,
    "wandb_project": "UnstableBaselines",
}


def test_parameters_and_defaults_are_those_of_the_document():
    """Each of its table, in its order, with its default; what there is beyond can only be given by name."""
    found = inspect.signature(build).parameters
    plain = {name: one.default for name, one in found.items() if one.kind is not one.KEYWORD_ONLY}
    assert list(plain) == ["model_name", "train_envs", *DOCUMENT]
    assert {name: plain[name] for name in DOCUMENT} == DOCUMENT


def test_the_defaults_that_stand_in_for_none_are_those_of_the_document():
    """LoRA 32/32/0 on seven targets, temperature 0.6, two batches in the buffer, 128 rows, 8 adapters."""
    from kit.league.build_settings import BuildSettings

    settings = BuildSettings.of({"model_name": "m", "train_envs": [KUHN]})
    player = settings.player
    assert (player.lora.rank, player.lora.alpha, player.lora.dropout) == (32, 32, 0.0)
    names = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert set(player.lora.targets) == names
    assert (player.temperature, player.max_tokens, settings.training.capacity) == (0.6, 4096, 768)
    assert (player.most_rows, player.most_adapters) == (128, 8)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"algorithm": "reinforse"}, UnknownNameError, "Did you mean 'reinforce'"),
        ({"env_sampling_strategy": "randon"}, UnknownNameError, "Did you mean 'random'"),
        ({"opponent_sampling_strategy": "miror"}, UnknownNameError, "Did you mean 'mirror'"),
        ({"backend": "vllm"}, UnknownNameError, "Legal: local, ray"),
        ({"lora_config": {"lora_rnak": 4}}, UnknownNameError, "Did you mean 'lora_rank'"),
        ({"lora_config": {"target_modules": ["q_prj"]}}, UsageError, "Did you mean 'q_proj'"),
        ({"vllm_config": {"temprature": 1}}, UnknownNameError, "Did you mean 'temperature'"),
        ({"vllm_config": {"model_name": "other"}}, UsageError, "names the model 'other'"),
        ({"train_envs": []}, UsageError, "at least one TrainEnvSpec"),
        ({"train_envs": [MEASURED]}, UsageError, "holds TrainEnvSpecs"),
        ({"train_envs": [type(KUHN)("Kuhm-v0", 2, 2, "compact")]}, UnknownNameError, "Kuhn-v0"),
        ({"eval_envs": [type(MEASURED)("Kuhn-v0", 2, "compact", "rando")]}, UnknownNameError, "'random'"),
        ({"eval_envs": None}, UsageError, "eval_envs is empty"),
        ({"buffer_size": 10}, UsageError, "buffer_size must be at least batch_size"),
        ({"max_generation_len": 64}, ContextLengthError, "64 tokens leave no room"),
        ({"model_name": "/no/such/model"}, UsageError, "/no/such/model"),
        ({"algorithm_config": {"gama": 1.0}}, UnknownNameError, "gama"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is_played(wrong, error, said):
    """The value, the legal ones, and the nearest."""
    with pytest.raises(error, match=said):
        build(**small_settings(**wrong))


def test_what_has_no_effect_says_so(caplog):
    """A trainer cache; an opponent sampler where no opponent is ever drawn."""
    with caplog.at_level(logging.WARNING):
        build(**small_settings(use_trainer_cache=True, opponent_sampling_strategy="lagged"))
    assert "use_trainer_cache has no effect" in caplog.text
    assert "no opponent will be drawn" in caplog.text


def bits(league):
    """Return all of a league that must be the same again."""
    return encode(league.state_dict())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"algorithm": "a2c", "algorithm_config": {"infer_mini_batch_size": 8}},
        {"train_envs": [AGAINST], "opponent_sampling_strategy": "lagged", "eval_every": 0, "eval_games": 0},
    ],
    ids=["reinforce", "a2c", "lagged"],
)
def test_a_league_of_a_real_model_goes_on_bit_for_bit(tmp_path, more):
    """Three updates, in one go or loaded after each into fresh objects: adapters, ratings, rows, everything."""
    one = build(**small_settings(**more)).parts.league(
        tmp_path / "one", Workers(10, 2 if more.get("eval_every") == 0 else 0), 4
    )
    rows = [one.update() for _ in range(3)]
    saved, found = None, []
    for _ in range(3):
        run = build(**small_settings(**more))
        league = run.parts.league(tmp_path / "other", Workers(10, 2 if more.get("eval_every") == 0 else 0), 4)
        if saved is not None:
            league.load_state_dict(decode(saved))
        found.append(league.update())
        saved = bits(league)
    assert found == rows
    assert saved == bits(one)
    name = "adapters/000003/adapter_model.safetensors"
    assert (tmp_path / "other" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert rows[0]["learner/staleness"] == 0.0


def test_start_plays_under_a_session_stops_when_asked_and_goes_on(tmp_path):
    """Stopped after an update it is resumable; another run of the same settings completes it; a third is done."""
    whole = build(**small_settings()).start(4, 10, out=tmp_path / "whole").wait()
    assert (whole["status"], whole["step"]) == ("complete", 4)
    run = build(**small_settings())
    update = run.parts.learner.update

    def stopping(batch):
        run.stop()
        return update(batch)

    run.parts.learner.update = stopping
    often = Cadence(checkpoint_every_steps=1)  # a wish is looked at after every update
    summary = run.start(4, 10, out=tmp_path / "parts", cadence=often).wait()
    assert (summary["status"], summary["step"], summary["reason"]) == ("stopped", 1, "stop() was called")
    again = build(**small_settings())
    assert again.start(4, 10, background=True, out=tmp_path / "parts").wait()["status"] == "complete"
    for name in ("metrics.csv", "results.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    found = json.loads((tmp_path / "whole/results.json").read_text())
    assert found["updates"] == 4
    names = {"eval_exploitability", "eval_exploitability_of_average", "eval_illegal_mass"}
    assert set(found["exploitability"]) == names
    assert build(**small_settings()).start(4, 10, out=tmp_path / "whole").wait()["status"] == "complete"


def test_an_error_surfaces_at_once(tmp_path):
    """In the foreground from start(), in the background from wait(); the session has failed, not hung."""

    def broken(batch):
        raise RuntimeError("the learner is broken")

    for background in (False, True):
        run = build(**small_settings())
        run.parts.learner.update = broken
        out = tmp_path / str(background)
        with pytest.raises(RuntimeError, match="the learner is broken"):
            run.start(4, 10, out=out, background=background).wait()
        assert json.loads((out / "summary.json").read_text())["status"] == "failed"


def test_a_run_is_started_once_and_waited_for_after(tmp_path):
    """Each order that cannot be says what to do."""
    run = build(**small_settings())
    with pytest.raises(UsageError, match="call start"):
        run.wait()
    run.stop()
    run.start(1, 10, out=tmp_path / "run")
    with pytest.raises(UsageError, match="started once"):
        run.start(1, 10, out=tmp_path / "run")


def test_a_learner_of_ones_own_is_found_by_its_name(tmp_path):
    """register_learner() makes it an algorithm."""

    class Twice(Reinforce):
        """Learns as REINFORCE does."""

    register_learner("twice", Twice)
    assert isinstance(build(**small_settings(algorithm="twice")).parts.learner, Twice)


def test_the_identity_of_a_run_is_all_that_decides_it(tmp_path):
    """Two builds alike have one config; another seed, another transform's setting, another model's file are others."""
    workers = Workers(4)
    configs = [build(**small_settings()).config(workers) for _ in range(2)]
    assert configs[0] == configs[1]
    json.dumps(configs[0])
    assert str(small_player()) not in json.dumps(configs[0])
    assert build(**small_settings(seed=1)).config(workers) != configs[0]
    assert build(**small_settings()).config(Workers(5)) != configs[0]
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("1")
    before = fingerprint(str(model))
    (model / "weights").write_text("2")
    assert fingerprint(str(model)) != before
    assert fingerprint("some/name") == "some/name"
    assert described(Path("x")) != described(KUHN)


def test_what_the_package_offers_is_no_module_of_the_same_name():
    """Whatever was imported before: a lazy name that a submodule has too would turn into that module."""
    names = {path.stem for path in Path(kit.league.__file__).parent.iterdir()}
    assert not names & set(kit.league.__all__)
    assert set(kit.league._WHERE) == set(kit.league.__all__)


def test_opponents_over_a_network_make_a_run_inexact(tmp_path):
    """They do not answer the same twice; the league says so, by name, and others do not."""
    far = "endpoint:qwen@http://127.0.0.1:9/v1"
    measured = [type(MEASURED)("Kuhn-v0", 2, "compact", fixed_opponent=far)]
    league = build(**small_settings(eval_envs=measured)).parts.league(tmp_path, Workers(4))
    assert far in league.inexact
    assert build(**small_settings()).parts.league(tmp_path, Workers(4)).inexact is None


def test_whom_one_is_measured_by_is_nobody_to_learn_from(tmp_path):
    """Samplers over the past leave fixed opponents out unless they are told otherwise."""
    more = {"train_envs": [AGAINST], "opponent_sampling_strategy": "prioritised"}
    parts = build(**small_settings(**more)).parts
    assert set(parts.scheduler.model_sampler.candidates()) == {"base"}
    told = {"opponent_sampling_config": {"opponents": "all"}, "fixed_opponents": ["minimax"]}
    parts = build(**small_settings(**more, **told)).parts
    assert set(parts.scheduler.model_sampler.candidates()) == {"base", "random", "minimax"}
