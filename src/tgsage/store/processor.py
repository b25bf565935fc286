"""The kind of processor that numbers were computed on; on another they may differ in their last digits."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")

INSTRUCTIONS = (
    "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "sve", "sve2",
    "bf16",
)  # fmt: skip
"""Sets of vector instructions by which torch and its libraries choose their kernels."""

BRANDS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}


def processor(device: str = "cpu") -> dict[str, Any]:
    """Describe the processor of this machine, and the GPU where one is used.

    Parameters
    ----------
    device
        Where the numbers are computed: ``"cpu"``, ``"cuda"`` or ``"cuda:<index>"``. Of a GPU the name is
        asked for, which starts CUDA in this process.

    Returns
    -------
    dict
        JSON-ready: ``vendor``, ``family`` and ``model`` as the processor numbers them, its ``name``,
        ``instructions`` (those of :data:`INSTRUCTIONS` that it has), ``torch`` (the widest that torch uses),
        and ``gpu``. What cannot be found out is None.
    """
    import torch

    facts = _cpuinfo()
    words = facts.get("flags", facts.get("Features", "")).split()
    capability: str = torch.backends.cpu.get_cpu_capability()
    return {
        "vendor": facts.get("vendor_id", facts.get("CPU implementer", platform.machine())),
        "family": facts.get("cpu family", facts.get("CPU architecture")),
        "model": facts.get("model", facts.get("CPU part")),
        "name": facts.get("model name", platform.processor() or platform.machine()),
        "instructions": [name for name in INSTRUCTIONS if name in words],
        "torch": capability,
        "gpu": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
    }


def same_kind(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two descriptions are of one kind of processor: all alike but name and model.

    None, of numbers whose processor nobody has noted, is like no other.
    """
    if one is None or other is None:
        return False
    return all(one.get(key) == other.get(key) for key in ("vendor", "family", "instructions", "torch", "gpu"))


def processor_words(facts: dict[str, Any]) -> str:
    """Return a description in words, such as ``"AMD EPYC family 26, AVX-512"``."""
    name = re.sub(r"\((R|TM)\)|\bCPU\b|@.*", "", str(facts["name"]))
    brand = BRANDS.get(facts["vendor"], "")
    words = name.split() if brand in name else [brand, *name.split()]
    if facts["family"] is not None:
        words += ["family", str(facts["family"])]
    has = facts["instructions"]
    widest = {
        "amx_bf16": "AMX", "avx512_bf16": "AVX-512 with BF16", "avx512f": "AVX-512", "avx2": "AVX2",
        "sve": "SVE", "asimd": "NEON",
    }  # fmt: skip
    vector = next((word for flag, word in widest.items() if flag in has), None)
    parts = [facts["gpu"], " ".join(words), vector]
    return ", ".join(part for part in parts if part)


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; empty elsewhere."""
    text = CPUINFO.read_text(encoding="utf-8", errors="replace") if CPUINFO.is_file() else ""
    pairs = (line.partition(":") for line in text.strip().split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
