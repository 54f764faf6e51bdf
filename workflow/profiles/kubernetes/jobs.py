"""Submit Snakemake's jobs to Kubernetes, print their state, and cancel them.

This is for the executor cluster-generic, which assumes, as this pipeline does, that all jobs see the same files.
Snakemake's own Kubernetes executor copies only declared files, but studies, runs and locks are not declared.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def manifest(options: argparse.Namespace) -> dict[str, Any]:
    """Return the manifest of a Job with one pod, which mounts the shared volume at the same path as here."""
    folder = Path.cwd()
    if not folder.is_relative_to(options.mount):
        sys.exit(f"{folder} is not on the shared volume, which the profile says is mounted at {options.mount}")
    limits: dict[str, Any] = {"cpu": str(options.cpus), "memory": f"{options.memory_mb}Mi"}
    if options.gpus:
        limits["nvidia.com/gpu"] = str(options.gpus)
    container = {
        "name": "job",
        "image": options.image,
        "command": ["bash", str(Path(options.script).resolve())],
        "workingDir": str(folder),
        "env": [{"name": "HOME", "value": "/tmp"}],  # this user has no home in the image
        "resources": {"limits": limits},
        "volumeMounts": [{"name": "shared", "mountPath": options.mount}],
    }
    pod = {
        "restartPolicy": "Never",
        # Only the owner may read results, so pods run as the user who submits them.
        "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
        "containers": [container],
        "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": options.claim}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "search-", "labels": {"app": "clinical-transformer-search"}},
        "spec": {
            "backoffLimit": 0,  # Snakemake counts the attempts
            "activeDeadlineSeconds": 60 * options.minutes,
            "ttlSecondsAfterFinished": 24 * 3600,
            "template": {"spec": pod},
        },
    }


def kubectl(*words: str, stdin: str | None = None) -> str:
    """Run kubectl, and exit with its message if it fails.

    Args:
        words: Its arguments.
        stdin: Text for its standard input.

    Returns:
        Its standard output.
    """
    try:
        done = subprocess.run(["kubectl", *words], input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit(
            "kubectl is not installed, but jobs are submitted with it; see https://kubernetes.io/docs/tasks/tools"
        )
    if done.returncode:
        sys.exit(done.stderr.strip())
    return done.stdout.strip()


def state(job: dict[str, Any]) -> str:
    """Return the state of a Job as the executor expects it: success, failed or running."""
    for condition in job.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] in ("Complete", "Failed"):
            return "success" if condition["type"] == "Complete" else "failed"
    return "running"


def main() -> None:
    """Run the command of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    subs = parser.add_subparsers(dest="command", required=True)
    submit = subs.add_parser("submit", help="prints the job's name")
    submit.add_argument("--image", required=True)
    submit.add_argument("--claim", required=True, help="the PersistentVolumeClaim of the shared volume")
    submit.add_argument("--mount", required=True, help="where it is mounted, here and in the pods")
    for name in ("cpus", "gpus", "memory-mb", "minutes"):
        submit.add_argument(f"--{name}", type=int, required=True)
    submit.add_argument("script")
    subs.add_parser("status", help="prints success, failed or running").add_argument("job")
    subs.add_parser("cancel").add_argument("job", nargs="+")
    options = parser.parse_args()
    if options.command == "submit":
        print(kubectl("create", "-f", "-", "-o", "name", stdin=json.dumps(manifest(options))))
    elif options.command == "status":
        print(state(json.loads(kubectl("get", options.job, "-o", "json"))))
    else:
        kubectl("delete", "--ignore-not-found", *options.job)


if __name__ == "__main__":
    main()
