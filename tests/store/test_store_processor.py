"""The kind of processor, as it is written beside every training."""

from __future__ import annotations

import json

import pytest

from tgsage.store import processor as module
from tgsage.store.processor import processor, processor_words, same_kind

EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC 9655P 96-Core Processor
flags\t\t: fpu sse2 avx2 fma avx512f avx512_bf16 avx512_vnni

processor\t: 1
vendor_id\t: AuthenticAMD
"""
XEON = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: avx2 fma avx512f amx_bf16
"""
GRAVITON = """processor\t: 0
Features\t: fp asimd sve bf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd40
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (EPYC, "AMD EPYC 9655P 96-Core Processor family 26, AVX-512 with BF16"),
        (EPYC.replace(" 9655P 96-Core Processor", ""), "AMD EPYC family 26, AVX-512 with BF16"),
        (XEON, "Intel Xeon Platinum 8481C family 6, AMX"),
        (GRAVITON, "family 8, SVE"),
    ],
)
def test_words(tmp_path, monkeypatch, text, words):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.platform, "machine", lambda: "")
    facts = processor()
    assert json.loads(json.dumps(facts)) == facts and facts["gpu"] is None
    assert processor_words(facts) == words
    assert processor_words({**facts, "gpu": "NVIDIA H200"}) == f"NVIDIA H200, {words}"
    assert same_kind(facts, {**facts, "name": "another of the family"})
    assert not same_kind(facts, {**facts, "instructions": []}) and not same_kind(facts, None)


def test_without_cpuinfo(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "absent")
    facts = processor()
    assert facts["vendor"] and facts["torch"] and facts["family"] is None and processor_words(facts)
