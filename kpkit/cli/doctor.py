"""``doctor``: what this machine has, and what will trip a run."""

from __future__ import annotations

import typer

from kpkit.cli.build import RUNS
from kpkit.cli.options import Data, Runs


def register(app: typer.Typer) -> None:
    """Add the group's command."""
    app.command("doctor")(doctor)


def doctor(data: Data = None, runs: Runs = RUNS) -> None:
    """Releases, cores, GPU, memory, disk, file limits. Exit code 1 when something would stop a run."""
    import os
    import resource

    import torch

    from kpkit.core import compiled
    from kpkit.core.errors import KpkitError
    from kpkit.core.files import free_bytes
    from kpkit.pipeline.artefacts import versions
    from kpkit.specs.datasets import KNOWN, data_root, resolve

    faults = []
    for package, version in versions().items():
        print(f"{package:<24} {version}")
    try:
        import torchvision

        print(f"{'torchvision':<24} {torchvision.__version__}")
    except (ImportError, RuntimeError) as error:
        faults.append(f"torchvision does not import beside torch {torch.__version__} ({error}); "
                      "install both from one release")  # fmt: skip
    why = compiled.fault()
    print(f"{'compiled kernels':<24} {f'no, plain numpy instead ({why})' if why else 'yes (numba)'}")
    print(f"{'cores':<24} {os.cpu_count()}")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    print(f"{'GPUs':<24} {', '.join(gpus) or 'none'}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    print(f"{'memory':<24} {memory / 2**30:.1f} GiB")
    free = free_bytes(runs)
    print(f"{'free disk for runs':<24} {free / 1e9:.1f} GB at {runs.absolute()}")
    if free < 1e9:
        faults.append(f"less than 1 GB is free at {runs.absolute()}")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    print(f"{'open files allowed':<24} {files}")
    if files < 1024:
        faults.append(f"only {files} open files are allowed; Ray wants more (ulimit -n 65536)")
    try:
        root = data_root(data)
    except KpkitError as error:
        print(f"{'data sets':<24} {error}")
    else:
        found = []
        for name in KNOWN:
            try:
                resolve(name, root)
                found.append(name)
            except KpkitError:
                continue
        print(f"{'data sets':<24} {', '.join(found) or 'none'} under {root} (kpkit data check says more)")
    for fault in faults:
        print(f"fault: {fault}")
    if faults:
        raise typer.Exit(1)
