"""usage: checkpoint.py write|check FOLDER: a model and its optimizer saved by torch, and read back."""

import os
import sys
from pathlib import Path

import torch

SHARED_COUNT = 100_000


def trained(steps: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(7)
    model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 8))
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(4, 256)).square().mean().backward()
        optimizer.step()
    return model, optimizer


def write(folder: Path) -> None:
    for steps in (1, 2):
        model, optimizer = trained(steps)
        torch.save(model.state_dict(), folder / "model.pt")
        temporary = folder / "checkpoint.tmp"
        torch.save({"optimizer": optimizer.state_dict(), "steps": steps}, temporary)
        os.replace(temporary, folder / "checkpoint.pt")
    shared = torch.from_file(
        str(folder / "shared.bin"), shared=True, size=SHARED_COUNT, dtype=torch.int32
    )
    shared[:] = torch.arange(SHARED_COUNT)
    shared[::3] *= -1
    del shared
    check(folder)


def check(folder: Path) -> None:
    model, optimizer = trained(2)
    for maps in (False, True):
        weights = torch.load(folder / "model.pt", mmap=maps)
        assert weights.keys() == model.state_dict().keys()
        for name, tensor in model.state_dict().items():
            assert torch.equal(weights[name], tensor), name
        checkpoint = torch.load(folder / "checkpoint.pt", mmap=maps)
        assert checkpoint["steps"] == 2
        for number, state in optimizer.state_dict()["state"].items():
            for name, tensor in state.items():
                assert torch.equal(checkpoint["optimizer"]["state"][number][name], tensor), name
    model.load_state_dict(weights, assign=True)
    expected = torch.arange(SHARED_COUNT, dtype=torch.int32)
    expected[::3] *= -1
    shared = torch.from_file(str(folder / "shared.bin"), size=SHARED_COUNT, dtype=torch.int32)
    assert torch.equal(shared, expected)


{"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
