"""The Kubernetes profile plans all jobs, and runs them with a fake kubectl on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import copy_repository
from support.tiny import TINY

pytestmark = pytest.mark.workflow
# A fake kubectl, which checks a manifest against the schemas of Kubernetes and runs its command.
KUBECTL = """
import json, os, pathlib, subprocess, sys
import kubernetes_validate

jobs = pathlib.Path(os.environ["JOBS"])
verb, words = sys.argv[1], sys.argv[2:]
if verb == "create":
    manifest = json.load(sys.stdin)
    kubernetes_validate.validate({**manifest, "metadata": {**manifest["metadata"], "name": "x"}}, "1.31", strict=True)
    name = f"job-{len(list(jobs.glob('*.json')))}"
    (jobs / f"{name}.json").write_text(json.dumps(manifest))
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    script = f'"$@" > {jobs}/{name}.log 2>&1; echo $? > {jobs}/{name}.rc'
    subprocess.Popen(["bash", "-c", script, "-", *container["command"]], cwd=container["workingDir"],
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"job.batch/{name}")
elif verb == "get":
    name = words[0].removeprefix("job.batch/")
    code = jobs / f"{name}.rc"
    ended = code.exists() and code.read_text().strip()
    kind = "Complete" if ended == "0" else "Failed"
    print(json.dumps({"status": {"conditions": [{"type": kind, "status": "True"}] if ended else []}}))
else:
    (jobs / "deleted").write_text(" ".join(words))
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = copy_repository(tmp_path / "repository", tiny=TINY)
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "jobs").mkdir()
    (programs / "kubectl.py").write_text(KUBECTL)
    (programs / "kubectl").write_text(f'#!/bin/sh\nexec {sys.executable} {programs}/kubectl.py "$@"\n')
    (programs / "kubectl").chmod(0o755)
    return folder


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": str(folder), "PATH": path, "JOBS": str(folder.parent / "jobs")}


def snakemake(folder: Path, target: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = ["snakemake", "--profile", "workflow/profiles/kubernetes", "--configfile", "tiny.yaml", *words]
    mount = ["--default-resources", f"mount='{folder.parent}'", "image='lab/search'", "claim='search'", "gpu=0"]
    command += [*mount, "mem_mb=4000*attempt", "runtime=60*attempt", "--", target]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=300
    )


def test_a_dry_run_plans_every_job(checkout: Path) -> None:
    done = snakemake(checkout, "results/criteria/stage_c.json", "--dry-run")
    assert done.returncode == 0, done.stderr
    for rule in ("stage_a_worker", "stage_b_worker", "stage_c_fold"):
        assert rule in done.stdout + done.stderr


def test_jobs_run_as_pods_with_the_resources_of_their_rules(checkout: Path) -> None:
    quick = ("--latency-wait", "5", "--retries", "0", "--seconds-between-status-checks", "1")
    done = snakemake(checkout, "results/criteria/tfidf/manifest.json", *quick)
    assert done.returncode == 0, done.stderr
    assert (checkout / "results/criteria/tfidf/manifest.json").exists()
    manifests = [json.loads(path.read_text()) for path in sorted((checkout.parent / "jobs").glob("*.json"))]
    container = manifests[-1]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "lab/search" and container["workingDir"] == str(checkout)
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "4000Mi"}
    assert container["volumeMounts"] == [{"name": "shared", "mountPath": str(checkout.parent)}]


def jobs(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "workflow/profiles/kubernetes/jobs.py", *words]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False)


def test_a_job_can_request_a_gpu_report_a_failure_and_be_cancelled(checkout: Path) -> None:
    (checkout / "script.sh").write_text("exit 3\n")
    size = {"cpus": 2, "gpus": 1, "memory-mb": 16000, "minutes": 1440}
    options = [f"--{name}={value}" for name, value in {"image": "i", "claim": "c", **size}.items()]
    done = jobs(checkout, "submit", *options, "--mount", str(checkout.parent), "script.sh")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((checkout.parent / "jobs/job-0.json").read_text())
    assert manifest["spec"]["activeDeadlineSeconds"] == 86400
    limits = manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "2", "memory": "16000Mi", "nvidia.com/gpu": "1"}
    while (job_state := jobs(checkout, "status", done.stdout.strip()).stdout.strip()) == "running":
        pass
    assert job_state == "failed"
    assert jobs(checkout, "cancel", "job.batch/job-0").returncode == 0
    assert (checkout.parent / "jobs/deleted").read_text() == "--ignore-not-found job.batch/job-0"
    elsewhere = jobs(checkout, "submit", *options, "--mount", "/elsewhere", "script.sh")
    assert elsewhere.returncode == 1 and "is not on the shared volume" in elsewhere.stderr
