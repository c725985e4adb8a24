"""The wheel: what is in it, and that it works in an empty environment, outside the checkout, without data."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("recipes", "ensembles", "pseudo_labels", "submissions", "studies")

pytestmark = pytest.mark.xdist_group("wheel")


def outside(command: list[str | Path], folder: Path) -> str:
    """A command's output, run in ``folder`` without anything of this environment; fails with what it said."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "KPKIT_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the tools of this environment: nothing is fetched."""
    dist = tmp_path_factory.mktemp("dist")
    outside([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, ROOT], dist)
    (built,) = dist.glob("kpkit-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a new environment that holds the wheel and what it asks for."""
    uv = Path(sys.executable).with_name("uv")
    assert uv.is_file(), "uv is part of the test extra: pip install -e .[test]"
    place = tmp_path_factory.mktemp("elsewhere")
    outside([uv, "venv", "--quiet", "--python", sys.executable, place / "env"], place)
    python = place / "env" / "bin" / "python"
    pinned = ["--constraint", ROOT / "constraints.txt"]
    outside([uv, "pip", "install", "--quiet", "--python", python, *pinned, wheel], place)
    return python.parent


def test_the_wheel_carries_documents_types_and_the_report_page(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in FOLDERS:
        documents = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.toml")}
        assert documents, folder
        carried = {name.removeprefix("kpkit/documents/") for name in names if f"documents/{folder}/" in name}
        assert carried == documents
    assert {"kpkit/py.typed", "kpkit/reports/report.html.j2"} <= names
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "kpkit").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == code
    assert any(name.endswith("licenses/LICENSE") for name in names)
    strangers = {name for name in names if not name.startswith("kpkit/") and ".dist-info/" not in name}
    assert not strangers


def test_an_installed_kpkit_plans_a_shipped_document(installed: Path, tmp_path: Path) -> None:
    where = outside([installed / "python", "-c", "import kpkit; print(kpkit.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent), "not the checkout's"
    (tmp_path / "data").mkdir()
    plan = outside([installed / "kpkit", "plan", "submissions/tiny.toml", "--data", "data"], tmp_path)
    planned = re.findall(r"^((?:[a-z_]+)/\S+) +missing input", plan, re.MULTILINE)
    recipes = {name for name in planned if name.startswith("recipes/")}
    assert {f"recipes/tiny_{family}" for family in ("cpn", "mspn", "ccm")} <= recipes
    kinds = {name.split("/")[0] for name in planned}
    made = {"hard_negatives", "recipes", "teachers", "pseudo_labels", "ensembles", "refined", "submissions"}
    assert kinds == made
    assert f"{len(planned)} of {len(planned)} to build" in plan
    for file in ("person_keypoints_train2017.json", "keypoint_train_annotations_20170909.json"):
        assert re.search(rf"^missing: data/\S*{file}: .*https://", plan, re.MULTILINE), plan
    assert [path.name for path in tmp_path.iterdir()] == ["data"], "a plan writes nothing"


def test_it_asks_for_all_it_imports(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, kpkit\n"
        "for m in pkgutil.walk_packages(kpkit.__path__, 'kpkit.'): importlib.import_module(m.name)\n"
        "from importlib.metadata import version\nprint(version('kpkit') == kpkit.__version__)"
    )
    assert outside([installed / "python", "-c", code], tmp_path).strip() == "True"
