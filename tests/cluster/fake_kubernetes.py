"""Runs the grid on a Kubernetes that is not there: jobs that it is given go into a file, a line each, and fail at once.

`python fake_kubernetes.py FILE TARGET [options]`, the rest as `python -m scripts.grid`.
"""

import json
import sys
from types import SimpleNamespace
from unittest import mock

from kubernetes import client, config

from scripts import grid


class Batch:
    """The part of the API that takes jobs."""

    def create_namespaced_job(self, namespace, body):
        plain = client.ApiClient().sanitize_for_serialization(body)  # as it would travel
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            file.write(json.dumps({"namespace": namespace, **plain}) + "\n")
        return body

    def read_namespaced_job_status(self, name, namespace):
        return client.V1Job(status=client.V1JobStatus(failed=1))

    def delete_namespaced_job(self, name, namespace, body):
        """Nothing is there."""


def main():
    core = mock.Mock(list_namespaced_pod=lambda **asked: SimpleNamespace(items=[]))
    with (
        mock.patch.object(config, "load_kube_config"),
        mock.patch.object(client, "CoreV1Api", return_value=core),
        mock.patch.object(client, "BatchV1Api", Batch),
    ):
        return grid.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
