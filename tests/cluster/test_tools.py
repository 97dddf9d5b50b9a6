"""The module sets: complete, pinned, and built once under a key of what they are made of."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.tools import build, programs
from tests.cluster.tools.programs import SETS, ModuleSet, set_named

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="the test cluster's programs are built with Go")


@pytest.mark.parametrize("module_set", SETS, ids=lambda one: one.name)
def test_every_set_pins_its_module_by_checksum(module_set: ModuleSet):
    mod = (module_set.folder / "go.mod").read_text()
    if module_set.name == "pause":
        assert "require" not in mod
        return
    version = next(
        line.split()[-1] for line in mod.replace("// indirect", "").splitlines() if f"\t{module_set.module} " in line
    )
    assert f"{module_set.module} {version} h1:" in (module_set.folder / "go.sum").read_text()
    assert "=> ./" not in mod
    assert "=> ../" not in mod


def test_an_unknown_program_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="kubelet"):
        set_named("kubeadm")


def test_kubernetes_is_stamped_with_the_version_its_module_has():
    assert f"k8s.io/kubernetes {programs.KUBERNETES}" in (set_named("kubectl").folder / "go.mod").read_text()
    assert programs.kubernetes_stamps()["k8s.io/component-base/version.gitVersion"] == programs.KUBERNETES


@needs_go
def test_two_builds_at_once_build_once_and_a_changed_source_builds_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("CLSP_CLUSTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(programs, "MODULES", tmp_path)
    built = []
    monkeypatch.setattr(build, "fill", lambda folder, one, fill=build.fill: (built.append(folder), fill(folder, one)))
    source = tmp_path / "tiny"
    source.mkdir()
    (source / "go.mod").write_text("module tiny\n\ngo 1.24\n")
    (source / "main.go").write_text('package main\n\nfunc main() { println("one") }\n')
    tiny = ModuleSet("tiny", "tiny", {"tiny": "."})
    with ThreadPoolExecutor(2) as pool:
        first, again = pool.map(build.build, [tiny, tiny])
    assert first == again
    assert built == [first]
    (source / "main.go").write_text('package main\n\nfunc main() { println("two") }\n')
    second = build.build(ModuleSet("tiny", "tiny", {"tiny": "."}))
    assert second != first
    said = subprocess.run([second / "tiny"], capture_output=True, text=True, check=True)
    assert said.stderr == "two\n"


@needs_go
def test_a_failed_build_leaves_nothing_that_looks_built(tmp_path, monkeypatch):
    monkeypatch.setenv("CLSP_CLUSTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(programs, "MODULES", tmp_path)
    source = tmp_path / "broken"
    source.mkdir()
    (source / "go.mod").write_text("module broken\n\ngo 1.24\n")
    (source / "main.go").write_text("package main\n")
    with pytest.raises(subprocess.CalledProcessError):
        build.build(ModuleSet("broken", "broken", {"broken": "."}))
    assert [path.suffix for path in (tmp_path / "cache" / "bin" / "broken").iterdir()] == [".lock"]
