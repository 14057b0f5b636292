"""The networks of a stable-baselines3 algorithm, built on torch's meta device: shapes without memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.errors import UsageError
from kit.timing.memory.spaces import only_spaces

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Networks:
    """What the networks of an algorithm take.

    Attributes:
        settings: the algorithm, set up with its hyperparameters and without networks, for its defaults.
        observation_space: as the networks see it: images with their channels first.
        parameters: of all networks, buffers such as running means among them.
        bytes: of those.
        trained: parameters that an optimizer steps.
        trained_bytes: of those.
        optimizer: the optimizer's class.
        optimizer_bytes: its states after the first step.
        batch: transitions in one gradient step.
        activation_bytes: what the modules put out for such a batch.
    """

    settings: Any
    observation_space: Any
    parameters: int
    bytes: int
    trained: int
    trained_bytes: int
    optimizer: str
    optimizer_bytes: int
    batch: int
    activation_bytes: int


def meta_networks(
    algorithm: type,
    policy: str,
    observation_space: Any,
    action_space: Any,
    n_envs: int,
    hyperparameters: Mapping[str, Any],
) -> Networks:
    """Build the policy of ``algorithm`` on the meta device and count it; nothing is allocated.

    Raises:
        UsageError: the algorithm takes no such spaces or hyperparameters.
    """
    own = {
        **hyperparameters,
        "policy_kwargs": dict(hyperparameters.get("policy_kwargs") or {}),
        "device": "cpu",
    }
    env = only_spaces(observation_space, action_space, n_envs)
    try:
        settings = algorithm(policy, env, _init_setup_model=False, **own)  # some add to their policy_kwargs
    except (AssertionError, ValueError, TypeError) as error:
        raise UsageError(f"{algorithm.__name__} refuses this: {error}") from error
    seen = settings.observation_space
    extra = {} if hasattr(settings, "buffer_size") else {"use_sde": settings.use_sde}
    with _on_meta():
        built = settings.policy_class(seen, action_space, lambda _: 1e-3, **extra, **settings.policy_kwargs)
    tensors = [*built.parameters(), *built.buffers()]
    optimizers = _optimizers(built)
    trained = {id(one): one for each in optimizers for group in each.param_groups for one in group["params"]}
    alone = _entropy_coefficient(settings)
    states = sum(_state_bytes(optimizer) for optimizer in optimizers)
    steps_alone = 12 if alone else 0  # Adam on one number: two moments and a step count
    batch = getattr(settings, "batch_size", None) or settings.n_steps * n_envs
    return Networks(
        settings,
        seen,
        sum(one.numel() for one in tensors) + alone,
        sum(_bytes(one) for one in tensors) + 4 * alone,
        sum(one.numel() for one in trained.values()) + alone,
        sum(_bytes(one) for one in trained.values()) + 4 * alone,
        type(optimizers[0]).__name__,
        states + steps_alone,
        batch,
        _activation_bytes(built, seen, action_space, batch),
    )


@contextmanager
def _on_meta() -> Iterator[None]:
    """Make tensors without memory, that policies cannot move elsewhere and distributions do not look into."""
    import torch
    from torch.distributions import Distribution
    from torch.overrides import TorchFunctionMode

    class Staying(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.Tensor.to and args[0].is_meta:
                return args[0]
            return func(*args, **(kwargs or {}))

    validates = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        with torch.device("meta"), Staying():
            yield
    finally:
        Distribution.set_default_validate_args(validates)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _optimizers(policy: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Return the optimizers of a policy and of the networks in it."""
    found = {id(one.optimizer): one.optimizer for one in policy.modules() if hasattr(one, "optimizer")}
    return [one for one in found.values() if one is not None]  # type: ignore[misc]


def _entropy_coefficient(settings: Any) -> int:
    """Return 1 where the algorithm learns one number beside its policy (SAC's entropy coefficient), else 0."""
    return int(str(getattr(settings, "ent_coef", "")).startswith("auto"))


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Take a step on the meta device and return the bytes of the states that are there then."""
    import torch

    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    states = [value for state in optimizer.state.values() for value in state.values()]
    return sum(_bytes(value) for value in states if isinstance(value, torch.Tensor))


def _activation_bytes(policy: Any, observation_space: Any, action_space: Any, batch: int) -> int:
    """Return what all modules without modules in them put out in one pass of the networks on a batch."""
    import torch

    total = 0

    def count(_module: torch.nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal total
        total += _bytes(output) if isinstance(output, torch.Tensor) else 0

    leaves = [module for module in policy.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        with torch.device("meta"):
            _forward(policy, _observations(observation_space, batch), action_space, batch)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _observations(space: Any, batch: int) -> Any:
    import torch
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return {key: _observations(one, batch) for key, one in space.items()}
    kind = torch.float32 if isinstance(space, spaces.Box) else torch.int64
    return torch.zeros((batch, *space.shape), dtype=kind)


def _forward(policy: Any, observations: Any, action_space: Any, batch: int) -> None:
    """Pass a batch through every network that a gradient step uses."""
    import torch
    from stable_baselines3.common.preprocessing import get_action_dim

    if hasattr(policy, "critic"):
        actor = policy.actor
        (actor.get_action_dist_params if hasattr(actor, "get_action_dist_params") else actor)(observations)
        actions = torch.zeros((batch, get_action_dim(action_space)))
        policy.critic(observations, actions)
        policy.critic_target(observations, actions)
    elif hasattr(policy, "mlp_extractor"):
        features = policy.extract_features(observations)
        of_actor, of_critic = features if isinstance(features, tuple) else (features, features)
        policy.action_net(policy.mlp_extractor.forward_actor(of_actor))
        policy.value_net(policy.mlp_extractor.forward_critic(of_critic))
    else:
        for name in ("q_net", "q_net_target", "quantile_net", "quantile_net_target"):
            if hasattr(policy, name):
                getattr(policy, name)(observations)
