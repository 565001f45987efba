"""What the grid would give to Kubernetes, which is not there: it has not run on a cluster."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import grid_copy
import pytest
import yaml

from xmlib import paths

PACKAGES = {
    "snakemake_executor_plugin_kubernetes": "snakemake-executor-plugin-kubernetes",
    "snakemake_storage_plugin_fs": "snakemake-storage-plugin-fs",
    "kubernetes_validate": "kubernetes-validate",
}
LACKING = [package for module, package in PACKAGES.items() if not find_spec(module)]
needs_plugin = pytest.mark.skipif(  # the lock has no plugins for clusters: `make test-kubernetes` installs them
    bool(LACKING) or not shutil.which("rsync"),
    reason=f"needs {' '.join(LACKING)} from pip, and rsync" if LACKING else "needs rsync",
)
OLDEST, NEWEST = "1.30", "1.37"  # whose schemas a job has to satisfy


def grid(root, *command):
    own = {"PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]), "XMLIB_DATA": str(paths.DATA)}
    return subprocess.run([sys.executable, *command], cwd=root, env=os.environ | own, capture_output=True, text=True)


def jobs(root, target):
    """The jobs that Kubernetes would be given, by their rule."""
    file = root / "jobs.jsonl"
    fake = str(Path(__file__).with_name("fake_kubernetes.py"))
    options = ("--profile", "profiles/kubernetes", "--retries", "0", "--default-storage-prefix", str(root))
    done = grid(root, fake, str(file), target, *options)
    assert file.exists(), done.stdout + done.stderr
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return {job["spec"]["template"]["spec"]["containers"][0]["args"][1].split("--allowed-rules ")[1].split()[0]: job
            for job in found}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A build of pairs, and a long training on a GPU."""
    root = grid_copy.copied(tmp_path_factory.mktemp("grid"))
    profile = root / "profiles/default/config.yaml"
    said = yaml.safe_load(profile.read_text())
    said["set-resources"]["long_run"]["gpu"] = 1
    profile.write_text(yaml.safe_dump(said))
    return jobs(root, "runs/built/toy") | jobs(root, "full")


def container(job):
    return job["spec"]["template"]["spec"]["containers"][0]


@needs_plugin
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("rule", ["pairs", "long_run"])
def test_a_job_satisfies_the_schema_of_kubernetes(found, rule, version):
    import kubernetes_validate

    job = {name: value for name, value in found[rule].items() if name != "namespace"}
    # the address that it is sent to says both
    kubernetes_validate.validate(job | {"apiVersion": "batch/v1", "kind": "Job"}, version, strict=True)


@needs_plugin
@pytest.mark.parametrize("rule", ["pairs", "long_run"])
def test_a_job_has_the_memory_of_its_rule_as_request_and_as_limit(found, rule):
    said = yaml.safe_load((paths.ROOT / "profiles/default/config.yaml").read_text())["set-resources"]
    resources = container(found[rule])["resources"]
    wanted = f"{said[rule]['mem_mb']}M"
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == (wanted, wanted)


@needs_plugin
def test_only_a_step_that_asks_for_a_gpu_gets_one_with_the_limit_that_kubernetes_wants(found):
    resources = container(found["long_run"])["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in json.dumps(found["pairs"])


@needs_plugin
def test_a_job_runs_in_the_image_and_on_the_volume_of_the_profile(found):
    said = yaml.safe_load((paths.ROOT / "profiles/kubernetes/config.yaml").read_text())
    claim, _, path = said["kubernetes-persistent-volumes"][0].partition(":")
    for job in found.values():
        assert job["namespace"] == said["kubernetes-namespace"]
        assert container(job)["image"] == said["container-image"]
        assert {"mountPath": path, "name": claim} in container(job)["volumeMounts"]
        claims = [v.get("persistentVolumeClaim") for v in job["spec"]["template"]["spec"]["volumes"]]
        assert {"claimName": claim} in claims


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_a_profile_whose_plugin_is_missing_says_what_to_install(tmp_path, profile):
    root = grid_copy.copied(tmp_path)
    code = "from importlib import util; find = util.find_spec; from scripts import grid; grid.find_spec = lambda name: "
    code += f"None if name.endswith('_{profile}') else find(name); import sys; "
    done = grid(root, "-c", f"{code}sys.exit(grid.main(['toy', '--profile', 'profiles/{profile}']))")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: profiles/{profile} asks for the executor {profile}, which is not installed: "
        f"pip install snakemake-executor-plugin-{profile}\n"
    )
