"""One optimiser step of Flora, eager or replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from flora_engine.heads.learning.method import Method
from flora_engine.training.precision import uses_bfloat16


class Step:
    """One optimiser step of a loss, eager or replayed as a CUDA graph."""

    def __init__(
        self, method: Method, loss: Callable[[Tensor, Tensor], Tensor], parameters: list[nn.Parameter]
    ) -> None:
        settings = method.settings
        self.method, self.loss, self.parameters = method, loss, parameters
        self.graphed = settings.graph and method.x.is_cuda
        self.bfloat16 = uses_bfloat16(settings.precision, method.x.device)
        # The step counters of a captured optimiser live on the device; the fused update works on CPU and CUDA.
        self.optimiser = torch.optim.AdamW(
            parameters,
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
            capturable=self.graphed,
        )
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, Tensor] | None = None
        self.value = torch.zeros(())

    def _backward(self, rows: Tensor, tokens: Tensor) -> Tensor:
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=self.bfloat16):
            loss = self.loss(rows, tokens)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()

    def __call__(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """The loss before the step, a scalar on the device; with a graph its buffer is overwritten by the next step."""
        if not self.graphed:
            return self._backward(rows, tokens)
        if self.graph is None:
            self._capture(rows, tokens)
        assert self.inputs is not None and self.graph is not None
        self.inputs[0].copy_(rows)
        self.inputs[1].copy_(tokens)
        self.graph.replay()
        return self.value

    def _capture(self, rows: Tensor, tokens: Tensor) -> None:
        """Warm up on a side stream, then capture; weights, moments and noise are put back as they were."""
        saved = [p.detach().clone() for p in self.parameters]
        moments = {k: v.clone() for k, v in self.moments().items()}
        noise = self.method.generator.get_state()
        self.inputs = (rows.clone(), tokens.clone())
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._backward(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.method.generator)
        with torch.cuda.graph(self.graph):
            self.value = self._backward(*self.inputs)
        with torch.no_grad():
            for parameter, old in zip(self.parameters, saved, strict=True):
                parameter.copy_(old)
        self.load_moments(moments)
        self.method.generator.set_state(noise)

    def moments(self) -> dict[str, Tensor]:
        """Optimiser state by position and name, empty before the first step."""
        states = [self.optimiser.state.get(p, {}) for p in self.parameters]
        return {f"{i}.{name}": value for i, state in enumerate(states) for name, value in state.items()}

    def load_moments(self, moments: dict[str, Tensor]) -> None:
        """Set the optimiser state; an empty dict means zeros, in place where buffers exist already."""
        current = self.moments()
        if current:
            for name, value in current.items():
                value.copy_(moments[name]) if name in moments else value.zero_()
            return
        for name, value in moments.items():
            index, _, key = name.partition(".")
            self.optimiser.state[self.parameters[int(index)]][key] = value.clone().to(self.method.x.device)
