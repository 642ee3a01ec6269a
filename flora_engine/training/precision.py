"""When half the digits are twice as fast."""

from __future__ import annotations

import torch


def uses_bfloat16(precision: str, device: str | torch.device) -> bool:
    """Whether matrix products run in bfloat16, for "float32", "bfloat16" or "auto": where the device multiplies it.

    Processors without such instructions would imitate them, slower than float32. Sums and weights stay float32.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch ≥ 2.13; before that, float32
    return any(bool(value) for name, value in known.items() if "bf16" in name)
