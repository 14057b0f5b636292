import copy

import pytest
import torch
from torch import nn

from kit.errors import UsageError
from kit.harness.clock import ManualClock
from kit.timing.probe_module import probe_module


class Timed(nn.Module):
    """A linear layer whose forward pass takes 3 s of a clock that only it and the loader advance."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.layer, self.clock = nn.Linear(4, 1), clock

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute."""
        self.clock.burn(3.0)
        return self.layer(inputs)


class Loader:
    """Two batches of eight an epoch; each takes 1 s to come, waiting."""

    def __init__(self, clock: ManualClock, batches: int = 2) -> None:
        self.clock, self.batches, self.epochs = clock, batches, 0

    def __iter__(self):
        """Begin an epoch."""
        self.epochs += 1
        for number in range(self.batches):
            self.clock.advance(1.0)
            yield torch.full((8, 4), float(number)), torch.ones(8, 1)


def small(seed: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A small module and its optimizer."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    return module, torch.optim.Adam(module.parameters(), lr=0.01)


def batches(number: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The same batches of eight each time."""
    chance = torch.Generator().manual_seed(1)
    return [(torch.randn(8, 4, generator=chance), torch.randn(8, 1, generator=chance)) for _ in range(number)]


def test_loader_and_compute_are_told_apart():
    """A batch that waits 1 s and a forward pass of 3 s are a step of 4 s, a quarter of it idle in the loader."""
    clock = ManualClock()
    module = Timed(clock)
    loader = Loader(clock)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    probe = probe_module(
        module, loader, nn.functional.mse_loss, optimizer, steps=10, limit_s=1e6, clock=clock
    )
    assert probe.step_s == pytest.approx(4.0)
    assert probe.parts["loader"].mean_s == pytest.approx(1.0)
    assert probe.parts["loader"].idle_s == pytest.approx(1.0)
    assert probe.parts["compute"].cpu_s == pytest.approx(3.0)
    assert list(probe.parts) == ["loader", "compute", "optimiser", "other"]
    assert loader.epochs == 5


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_accumulation_is_not_counted_twice(accumulation):
    """8 samples in 4 s are 2 a second, however many batches are summed up before the optimizer steps."""
    clock = ManualClock()
    module = Timed(clock)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    probe = probe_module(
        module,
        Loader(clock),
        nn.functional.mse_loss,
        optimizer,
        steps=6,
        limit_s=1e6,
        accumulation=accumulation,
        clock=clock,
    )
    assert probe.samples_per_s == pytest.approx(2.0)
    assert probe.step_s == pytest.approx(4.0 * accumulation)
    assert probe.optimiser_steps == probe.steps == 6
    assert probe.samples == 6 * accumulation * 8


def test_it_trains_as_a_plain_loop_would():
    """Weights and optimizer after six probed steps of two batches are, to the bit, those of a loop written out."""
    module, optimizer = small()
    torch.manual_seed(7)
    probe_module(module, batches(), nn.functional.mse_loss, optimizer, steps=6, accumulation=2)
    plain, plain_optimizer = small()
    torch.manual_seed(7)
    for step in range(6):
        plain_optimizer.zero_grad()
        for inputs, target in (batches() * 3)[2 * step : 2 * step + 2]:
            (nn.functional.mse_loss(plain(inputs), target) / 2).backward()
        plain_optimizer.step()
    for ours, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert str(optimizer.state_dict()) == str(plain_optimizer.state_dict())


def test_copies_keep_the_original_as_it_was():
    """A module and its optimizer, copied together, can be probed while the originals and the generators stand still."""
    module, optimizer = small()
    before, chance = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    with torch.random.fork_rng():
        copied = copy.deepcopy((module, optimizer))
        probe = probe_module(copied[0], batches(), nn.functional.mse_loss, copied[1], steps=5)
    assert probe.optimiser_steps == probe.steps
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not optimizer.state
    assert torch.equal(torch.get_rng_state(), chance)
    assert any(
        not torch.equal(ours, theirs)
        for ours, theirs in zip(copied[0].parameters(), module.parameters(), strict=True)
    )


def test_the_mode_of_the_module_stays():
    """A module in evaluation mode is not switched, and the result says that it was."""
    module, optimizer = small()
    module.eval()
    probe = probe_module(module, batches(), nn.functional.mse_loss, optimizer, steps=4)
    assert not any(part.training for part in module.modules())
    assert "evaluation mode" in probe.notes[0]


@pytest.mark.parametrize(
    ("form", "loss"),
    [
        (lambda x, y: (x, y), nn.functional.mse_loss),
        (lambda x, y: [x, y], nn.functional.mse_loss),
        (lambda x, y: {"input": x}, lambda output, batch: output.sum() + batch["input"].sum()),
        (lambda x, y: x, lambda output, batch: (output - batch.mean()).square().mean()),
    ],
)
def test_batches_come_in_the_usual_forms(form, loss):
    """Pairs, lists, mappings of keyword arguments and bare tensors are trained on, and their samples counted."""
    module = nn.Linear(4, 1)
    loader = [form(x, y) for x, y in batches()]
    probe = probe_module(
        module, loader, loss, torch.optim.SGD(module.parameters(), lr=0.1), steps=4, warm_up=0
    )
    assert probe.samples == 4 * 8


def test_other_batches_are_the_callers_own():
    """Where a batch has another form, ``forward`` makes its loss."""
    module = nn.Linear(4, 1)
    loader = [{"pixels": x, "label": y} for x, y in batches()]
    probe = probe_module(
        module,
        loader,
        nn.functional.mse_loss,
        torch.optim.SGD(module.parameters(), lr=0.1),
        forward=lambda trained, batch: (trained(batch["pixels"]) - batch["label"]).square().mean(),
        steps=4,
        warm_up=0,
    )
    assert probe.samples == 4 * 8


def test_an_iterator_that_ends_ends_the_probe():
    """Seven batches, two a step: three whole steps, and the batch left over changes nothing."""
    module, optimizer = small()
    probe = probe_module(
        module, iter(batches(7)), nn.functional.mse_loss, optimizer, accumulation=2, warm_up=0
    )
    assert probe.steps == 3
    assert all(parameter.grad is None for parameter in module.parameters())


def test_torchs_data_loader_is_just_another_loader():
    """The DataLoader of torch, shuffled, is probed as it is."""
    data = torch.utils.data.TensorDataset(torch.randn(40, 4), torch.randn(40, 1))
    module, optimizer = small()
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
    probe = probe_module(module, loader, nn.functional.mse_loss, optimizer, steps=9, warm_up=0)
    assert probe.samples == 3 * 40  # three epochs, the last batch of each with 8


def test_an_empty_loader_is_told():
    """No batch, no number."""
    module, optimizer = small()
    with pytest.raises(
        UsageError, match="The probe of the module Sequential measured nothing: its loader has no batch"
    ):
        probe_module(module, [], nn.functional.mse_loss, optimizer)


def test_parameters_that_do_not_learn_are_told():
    """A frozen module, or an optimizer of another one, would contain no gradient step."""
    module, optimizer = small()
    _, elsewhere = small()
    with pytest.raises(UsageError, match="no gradient step: of its parameters 4 require"):
        probe_module(module, batches(), nn.functional.mse_loss, elsewhere)
    with pytest.raises(UsageError, match="no gradient step: of its parameters 0 require"):
        probe_module(module.requires_grad_(False), batches(), nn.functional.mse_loss, optimizer)


def test_a_loss_cut_off_from_the_module_is_told_with_its_place():
    """A detached loss trains nothing."""
    module, optimizer = small()
    with pytest.raises(UsageError, match="depends on no parameter") as caught:
        probe_module(module, batches(), lambda output, target: output.detach().sum(), optimizer)
    assert caught.value.__notes__ == [
        "Raised in step 1 of the probe of the module Sequential, in part 'compute'."
    ]


def test_a_loss_that_is_always_nan_is_told():
    """Time spent on NaN is no measure of training."""
    module, optimizer = small()
    with pytest.raises(UsageError, match="the loss was nan in every step"):
        probe_module(
            module, batches(), lambda output, target: output.sum() * float("nan"), optimizer, steps=5
        )


def test_bad_accumulation_is_refused():
    """At least one batch a step."""
    module, optimizer = small()
    with pytest.raises(UsageError, match="accumulation must be at least 1, not 0"):
        probe_module(module, batches(), nn.functional.mse_loss, optimizer, accumulation=0)


def test_the_operators_are_named_where_asked_for():
    """The profiler finds the linear layers, by what they took, in steps of their own."""
    module, optimizer = small()
    probe = probe_module(module, batches(), nn.functional.mse_loss, optimizer, steps=4, profiled_steps=2)
    found = {operator.name: operator for operator in probe.operators}
    assert found["aten::addmm"].calls == 2 * 2
    assert all(operator.cpu_s >= 0 for operator in probe.operators)
    costs = [operator.cpu_s + operator.device_s for operator in probe.operators]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.gpu
def test_on_a_gpu_the_work_is_waited_for_and_its_memory_counted():
    """The compute part holds the matrix products, not only their launch, and the peak the tensors they made."""
    module = nn.Linear(4096, 4096).cuda()
    data = [(torch.randn(4096, 4096), torch.randn(4096, 4096)) for _ in range(2)]
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    probe = probe_module(module, data, nn.functional.mse_loss, optimizer, steps=10)
    assert (probe.device_peak_from, probe.device) == ("torch", torch.cuda.get_device_name(0))
    assert probe.device_peak_bytes >= 4 * 4096 * 4096 * 4
    assert "transfer" in probe.parts
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    inputs, target = (tensor.cuda() for tensor in data[0])
    began.record()
    nn.functional.mse_loss(module(inputs), target).backward()
    ended.record()
    torch.cuda.synchronize()
    assert probe.parts["compute"].mean_s > 0.5 * began.elapsed_time(ended) / 1e3
