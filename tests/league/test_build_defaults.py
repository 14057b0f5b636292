"""What build() makes of what it was not told, and what it refuses of what it was told."""

import pytest

from kit.errors import UnknownNameError, UsageError
from kit.league.build_settings import BuildSettings
from kit.league.env_specs import EvalEnvSpec, TrainEnvSpec
from kit.league.runtime import build
from tests.league.made_records import made_record, made_spec
from tests.league.small_player import KUHN, small_settings


def test_losing_slowly_earns_nothing_by_default():
    """A2C sums rewards along an episode: a loss in two moves and one in nine come to the same, form and all."""
    buffer = build(**small_settings(algorithm="a2c", batch_size=32)).parts.buffer
    for number, steps in enumerate((2, 9, 2, 9)):
        buffer.final.transforms[0].averages.clear()  # what a seat got before is not what is asked here
        buffer.add(made_record(made_spec(number), [-1.0, 1.0], steps=steps))
    episodes = buffer.sample(22)
    assert sorted(len(one) for one in episodes) == [2, 2, 9, 9]
    assert [sum(step.reward for step in one) for one in episodes] == [-1.0] * 4


def test_a_bad_step_costs_an_episode_what_it_costs_a_step():
    """Form and legality are as far apart for either kind of learner: 1.5 and 2."""
    gaps = []
    for algorithm in ("reinforce", "a2c"):
        shape = build(**small_settings(algorithm=algorithm)).parts.buffer.step
        games = [
            made_record(made_spec(), [0.0, 0.0], steps=1, format_ok=form, legal=legal).trajectories[0]
            for form, legal in ((True, True), (False, True), (True, False))
        ]
        good, formless, illegal = (shape(one, 0, 0.0) for one in games)
        gaps.append((good - formless, good - illegal))
    assert gaps == [(1.5, 2.0)] * 2


def test_an_evaluation_without_games_is_refused():
    """eval_every alone would never evaluate."""
    with pytest.raises(UsageError, match="eval_every is 2, and eval_games is 0"):
        build(**small_settings(eval_games=0))


def told(**more):
    """Return settings of a model that nobody has looked for yet."""
    return BuildSettings.of({"model_name": "m", "train_envs": [KUHN], **more})


TAK, AGAINST_TAK = (
    EvalEnvSpec("SimpleTak-v0-train", 2, "compact", "minimax"),
    TrainEnvSpec("SimpleTak-v0-train", 2, 1, "compact"),
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"eval_envs": [TAK]},
        {
            "train_envs": [AGAINST_TAK],
            "opponent_sampling_strategy": "fixed",
            "fixed_opponents": ["random", "minimax"],
        },
        {
            "train_envs": [AGAINST_TAK],
            "opponent_sampling_strategy": "prioritised",
            "opponent_sampling_config": {"opponents": "all"},
            "eval_envs": [EvalEnvSpec("Kuhn-v0", 2, "compact", "minimax")],
            "fixed_opponents": ["random"],
        },
    ],
    ids=["measured by", "fixed", "everybody"],
)
def test_an_opponent_that_cannot_play_a_game_is_refused_before_it_meets_it(wrong):
    """Whether it is measured by there or learnt from; it names both."""
    with pytest.raises(UsageError, match=r"'minimax'.* SimpleTak-v0-train is too large"):
        build(**small_settings(**wrong))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *(({"vllm_config": {"temperature": bad}}, "temperature") for bad in (-1, float("nan"), "hot")),
        *(({"vllm_config": {name: 0}}, name) for name in ("max_tokens", "max_parallel_seq", "max_loras")),
        ({"vllm_config": {"max_tokens": 16.5}}, "max_tokens must be a whole number of at least 1, not 16.5"),
        ({"batch_size": 16.5}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"mini_batch_size": None}, "mini_batch_size"),
        ({"buffer_size": 400.5}, "buffer_size"),
        ({"max_train_len": 0}, "max_train_len"),
        ({"eval_every": -1}, "eval_every"),
        ({"eval_games": -1}, "eval_games"),
        ({"seed": "x"}, "seed must be a whole number, not 'x'"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"gradient_clipping": "1"}, "gradient_clipping"),
        ({"opponent_sampling_strategy": "fixed", "fixed_opponents": ()}, "fixed_opponents is empty"),
    ],
)
def test_a_bad_value_is_named_before_a_model_is_loaded(wrong, said):
    """Whatever would else come out wrong, or late, or never."""
    with pytest.raises(UsageError, match=said):
        told(**wrong)
    told(seed=-3, vllm_config={"temperature": 0})


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ({"env_sampling_strategy": "weighted", "env_sampling_config": {"wieghts": [1]}}, "weights"),
        ({"env_sampling_config": {"train_env_specs": []}}, None),
        (
            {"opponent_sampling_strategy": "lagged", "opponent_sampling_config": {"lag_rang": (1, 2)}},
            "lag_range",
        ),
        (
            {"opponent_sampling_strategy": "prioritised", "opponent_sampling_config": {"powr": 1}},
            "power",
        ),
        ({"opponent_sampling_config": {"model_registry": None}}, None),
    ],
)
def test_an_unknown_key_of_a_samplers_config_is_answered_by_the_nearest(wrong, nearest):
    """What build() gives itself cannot be given either."""
    with pytest.raises(UnknownNameError, match="sampling_config") as found:
        told(**wrong)
    assert found.value.nearest == nearest
