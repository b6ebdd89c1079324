"""`synth addon build`: an extension that Blender's own validator accepts, and a repository to install it from."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from synth import __version__
from synth.addon_build import MANIFEST, blender_tool, build
from synth.cli import main
from synth.errors import BadFile, BadOption, Missing

CHECKOUT = Path(__file__).resolve().parents[1]


def checkout(folder: Path, manifest: str | None = None) -> Path:
    """A small checkout with this repository's manifest."""
    (folder / "addon" / "sub").mkdir(parents=True)
    (folder / "addon" / "__init__.py").write_text("def register():\n    pass\n\n\ndef unregister():\n    pass\n")
    (folder / "addon" / "sub" / "more.py").write_text("X = 1\n")
    (folder / "LICENSE").write_text("licence\n")
    (folder / MANIFEST).write_text(manifest if manifest is not None else (CHECKOUT / MANIFEST).read_text())
    return folder


def says(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_the_extension_is_what_blender_accepts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = says(["addon", "build", "--out", str(tmp_path / "shop")], capsys)
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "shop").iterdir()) == [f"caresynth-{__version__}.zip", "index.json"]
    archive = tmp_path / "shop" / f"caresynth-{__version__}.zip"
    assert str(archive) in out
    command = [sys.executable, "-S", "-I", str(blender_tool()), "validate", str(archive)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0

    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        manifest = tomllib.loads(packed.read(MANIFEST).decode())
        sources = {name: packed.read(name) for name in names if name.endswith(".py")}
    assert names == sorted(names)
    assert {MANIFEST, "LICENSE", "__init__.py"} <= set(names)
    assert {Path(name).suffix for name in names} <= {".py", ".jpg", ".png", ".json", ".toml", ""}
    tracked = [path for path in (CHECKOUT / "addon").rglob("*.py") if "__pycache__" not in path.parts]
    assert set(sources) == {path.relative_to(CHECKOUT / "addon").as_posix() for path in tracked}
    assert archive.stat().st_size < 4 << 20

    assert manifest["version"] == __version__
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    assert manifest["blender_version_min"] == "4.3.0"
    assert set(manifest["permissions"]) == {"files", "clipboard"}  # no network, and nothing brought along
    assert "wheels" not in manifest
    assert len(manifest["tagline"]) <= 64
    assert "blender" not in manifest["name"].lower()


def test_the_index_is_a_repository_for_the_archive(tmp_path: Path) -> None:
    built = build(tmp_path)
    index = json.loads(built.index.read_text())
    (entry,) = index["data"]
    assert index["version"] == "v1"
    assert (entry["id"], entry["version"], entry["type"]) == ("caresynth", __version__, "add-on")
    assert entry["archive_url"] == f"./{built.archive.name}"
    assert entry["archive_size"] == built.archive.stat().st_size
    assert entry["archive_hash"] == "sha256:" + hashlib.sha256(built.archive.read_bytes()).hexdigest()


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    first = build(tmp_path / "a", checkout(tmp_path / "one"))
    other = checkout(tmp_path / "two")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        if path.is_file():
            path.chmod(0o700)
    second = build(tmp_path / "b", other)
    assert first.archive.read_bytes() == second.archive.read_bytes()
    assert first.index.read_bytes() == second.index.read_bytes()


def test_what_lies_about_in_a_checkout_stays_out(tmp_path: Path) -> None:
    source = checkout(tmp_path / "source")
    (source / "addon" / "__pycache__").mkdir()
    (source / "addon" / "__pycache__" / "more.py").write_text("")
    for stray in (".secret.py", "old.blend1", "more.pyc", "notes.txt", "model.safetensors", "x-1.0.whl"):
        (source / "addon" / stray).write_text("")
    (source / "addon" / "link.py").symlink_to("/etc/hostname")
    (source / "synth").mkdir()
    (source / "synth" / "secret.py").write_text("")
    with zipfile.ZipFile(build(tmp_path / "out", source).archive) as packed:
        assert packed.namelist() == ["LICENSE", "__init__.py", MANIFEST, "sub/more.py"]


def test_building_again_replaces_what_is_there(tmp_path: Path) -> None:
    source = checkout(tmp_path / "source")
    build(tmp_path / "out", source)
    (source / "addon" / "sub" / "more.py").write_text("X = 2\n")
    with zipfile.ZipFile(build(tmp_path / "out", source).archive) as packed:
        assert packed.read("sub/more.py") == b"X = 2\n"
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_no_checkout_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = says(["addon", "build", "--out", str(tmp_path / "o"), "--checkout", str(tmp_path)], capsys)
    assert code == 2
    assert err.count("\n") == 1
    assert str(tmp_path) in err
    assert "--checkout" in err
    assert not (tmp_path / "o").exists()


def test_without_bpy_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bpy" else find(name))
    with pytest.raises(Missing, match="pip install bpy"):
        build(tmp_path / "out", checkout(tmp_path / "source"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('version = "0.1.0"', 'version = "0.0.9"', "version"),
        ('id = "caresynth"', "", "id"),
        ('id = "caresynth"', 'id = "caresynth', "TOML"),
        ("tagline = ", 'tagline = "A tagline with a full stop." #', "tagline"),
        ('type = "add-on"', 'type = "plug-in"', "plug-in"),
    ],
)
def test_a_manifest_that_blender_refuses_is_named(tmp_path: Path, was: str, becomes: str, said: str) -> None:
    text = (CHECKOUT / MANIFEST).read_text()
    assert was in text
    source = checkout(tmp_path / "source", text.replace(was, becomes, 1))
    with pytest.raises(BadFile, match=said) as refused:
        build(tmp_path / "out", source)
    assert MANIFEST in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(BadOption, match="--out"):
        build(tmp_path / "out", checkout(tmp_path / "source"))


FAKE_PYTHON = """#!/bin/sh
# a Python that says what it was asked for; its environments have pip only once they are made to the end
echo "$*" >> "$ASKED"
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/pip" ;;
    "-m pip --version") test -e "$(dirname "$0")/../pip" ;;
esac
"""


def set_up(folder: Path) -> tuple[int, list[str]]:
    """Use the checkout's `run` with a Python that does nothing; its status and what that Python was asked for."""
    programs, asked = folder / "programs", folder / "asked"
    programs.mkdir(exist_ok=True)
    asked.write_text("")
    for name, text in {"python3.11": FAKE_PYTHON, "uname": "#!/bin/sh\necho Another\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    more = {"PATH": f"{programs}:{os.environ['PATH']}", "ASKED": str(asked), "CARESYNTH_VENV": str(folder / "venv")}
    done = subprocess.run([CHECKOUT / "run", "python", "--version"], env=os.environ | more, check=False)
    return done.returncode, [line.split(" ", 2)[1] for line in asked.read_text().splitlines() if line.startswith("-m ")]


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_a_set_up_that_was_stopped_goes_on(tmp_path: Path) -> None:
    assert set_up(tmp_path) == (0, ["venv", "pip", "pip"])  # made, looked at, filled
    assert set_up(tmp_path) == (0, [])
    for name in ("pip", ".installed"):  # stopped between `python` and `pip`
        (tmp_path / "venv" / name).unlink()
    assert set_up(tmp_path) == (0, ["pip", "venv", "pip", "pip"])
    assert (tmp_path / "venv" / ".installed").is_file()
