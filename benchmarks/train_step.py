"""Training speed of recipes on one CPU thread, crops prepared and not.

    python benchmarks/train_step.py DATA [RECIPE ...]

DATA is a folder of data sets (`kpkit world DATA`). Prints, per recipe, crops a second of the optimiser step
alone and with the crops' preparation, under bf16 and in fp32, interleaved in one run.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch

from kpkit.data.load import LoadedDataset, load_dataset
from kpkit.specs.datasets import resolve
from kpkit.specs.loader import load
from kpkit.specs.recipe import RecipeSpec
from kpkit.training.loop import Stepper, build_network
from kpkit.training.phases import PhasePlan
from kpkit.training.sources import TrainingData, join_sources, trainable
from kpkit.training.state import TrainingState

ROUNDS, STEPS = 5, 6


def main() -> None:
    torch.set_num_threads(1)
    data = Path(sys.argv[1])
    loaded = load_dataset(resolve("coco_train2017", data))
    for name in sys.argv[2:] or ("tiny_cpn", "tiny_mspn", "tiny_ccm"):
        recipe: RecipeSpec = load(name, "recipe").spec
        runs = {precision: _prepared(recipe, precision, loaded) for precision in ("bf16", "fp32")}
        rates: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for precision, (stepper, data_set, plan) in runs.items():
                whole, steps = 0.0, 0.0
                for step in range(STEPS):
                    start = time.perf_counter()
                    batch = data_set.crops.batch(plan.step(step).rows, 0)
                    middle = time.perf_counter()
                    stepper(step, batch)
                    end = time.perf_counter()
                    whole, steps = whole + end - start, steps + end - middle
                crops = STEPS * recipe.training.batch_size
                rates.setdefault(f"{precision} step", []).append(crops / steps)
                rates.setdefault(f"{precision} with crops", []).append(crops / whole)
        shown = ", ".join(f"{key} {statistics.median(v):.0f}/s" for key, v in rates.items())
        ratio = statistics.median(a / b for a, b in zip(rates["bf16 step"], rates["fp32 step"], strict=True))
        print(f"{name}: {shown}; bf16 x{ratio:.2f} fp32")


def _prepared(
    recipe: RecipeSpec, precision: str, loaded: LoadedDataset
) -> tuple[Stepper, TrainingData, PhasePlan]:
    """The recipe on C alone, one step done."""
    training = recipe.training.model_copy(update={"phases": ("C",), "epochs": (1,)})
    network = recipe.network.model_copy(update={"precision": precision})
    recipe = recipe.model_copy(update={"training": training, "network": network})
    data = join_sources(recipe, {"C": (trainable(loaded.people), loaded)}, None)
    plan = PhasePlan(recipe.training, data.counts, {})
    net = build_network(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState.fresh(net, recipe.training)
    stepper = Stepper(recipe, state, torch.device("cpu"), plan, 1)
    stepper(0, data.crops.batch(plan.step(0).rows, 0))  # warm-up
    return stepper, data, plan


if __name__ == "__main__":
    main()
