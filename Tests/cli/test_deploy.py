"""deploy/: the manifests for Kubernetes and the Helm chart, as far as they can be checked without a cluster and without helm:
that they parse, agree with each other and with the program, and that the driver takes the examples' volumes."""

from __future__ import annotations

import json
import re

import yaml
from conftest import FILES
from localhub import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
CHART = DEPLOY / "helm/hubfs"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
TEMPLATES = sorted((CHART / "templates").glob("*.yaml"))


def manifests(folder: str) -> list[dict]:
    files = sorted((DEPLOY / folder).glob("*.yaml"))
    assert files
    return [each for file in files for each in yaml.safe_load_all(file.read_text())]


def the(kind: str, among: list[dict]) -> dict:
    [found] = [each for each in among if each["kind"] == kind]
    return found


# Plain manifests.


def test_the_driver_object(driver):
    found = the("CSIDriver", manifests("kubernetes"))
    assert found["apiVersion"] == "storage.k8s.io/v1"
    assert found["spec"] == {
        "attachRequired": False,
        "fsGroupPolicy": "None",
        "podInfoOnMount": True,
        "requiresRepublish": True,
        "volumeLifecycleModes": ["Persistent", "Ephemeral"],
    }
    driver.start()
    assert driver.call("GetPluginInfo").name == found["metadata"]["name"]


def test_the_daemon_set():
    everything = manifests("kubernetes")
    found = the("DaemonSet", everything)
    name = the("CSIDriver", everything)["metadata"]["name"]
    template = found["spec"]["template"]
    assert found["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    pod = template["spec"]
    assert pod["serviceAccountName"] == the("ServiceAccount", everything)["metadata"]["name"]
    volumes = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    assert volumes["plugin"] == f"/var/lib/kubelet/plugins/{name}"
    hubfs, registrar, probe = pod["containers"]
    assert hubfs["securityContext"] == {"privileged": True}
    assert "livenessProbe" not in hubfs
    mounts = {mount["name"]: mount for mount in hubfs["volumeMounts"]}
    # A mount for a pod has the same path inside and outside, and has to get out.
    assert mounts["kubelet"]["mountPath"] == volumes["kubelet"]
    assert mounts["kubelet"]["mountPropagation"] == "Bidirectional"
    assert f"--driver-name={name}" in hubfs["args"]
    [socket] = [word.partition("unix://")[2] for word in hubfs["args"] if "--endpoint=" in word]
    assert socket == f"{mounts['plugin']['mountPath']}/csi.sock"
    for sidecar in [registrar, probe]:
        assert f"--csi-address={socket}" in sidecar["args"]
    assert f"--kubelet-registration-path={volumes['plugin']}/csi.sock" in registrar["args"]
    assert f"--health-port={hubfs['ports'][0]['containerPort']}" in probe["args"]
    [grace] = [word.partition("=")[2] for word in hubfs["args"] if "--shutdown-timeout=" in word]
    assert pod["terminationGracePeriodSeconds"] > int(grace)
    for container in pod["containers"]:
        for mount in container["volumeMounts"]:
            assert mount["name"] in volumes


def test_the_program_takes_the_arguments(driver):
    hubfs = the("DaemonSet", manifests("kubernetes"))["spec"]["template"]["spec"]["containers"][0]
    words = [word for word in hubfs["args"] if not re.match("serve|csi|--endpoint|--node-id", word)]
    driver.start(*words)
    assert driver.call("NodeGetInfo").node_id == "node-1"


def test_the_driver_takes_the_volumes_of_the_examples(driver, repo, write_token):
    driver.start()
    name = the("CSIDriver", manifests("kubernetes"))["metadata"]["name"]
    examples = manifests("kubernetes/examples")
    [inline] = [
        volume["csi"]
        for pod in examples
        for volume in pod["spec"].get("volumes", [])
        if "csi" in volume
    ]
    volume = the("PersistentVolume", examples)
    persistent = volume["spec"]["csi"]
    assert inline["driver"] == persistent["driver"] == name
    assert the("PersistentVolumeClaim", examples)["spec"]["volumeName"] == volume["metadata"]["name"]
    secrets = {"token": write_token}
    attributes = {**inline["volumeAttributes"], "sourceId": "lab/sample"}
    path = driver.publish("inline", "one", attributes=attributes, secrets=secrets)
    assert (path / "config.json").read_bytes() == FILES["config.json"]
    # The local Hub has no dataset to write to.
    attributes = {**persistent["volumeAttributes"], "sourceType": "model", "sourceId": repo}
    flags = tuple(volume["spec"]["mountOptions"])
    path = driver.publish("pv", "two", attributes=attributes, secrets=secrets, flags=flags)
    (path / "new.txt").write_text("written\n")


# The chart.


def value(path: str) -> object:
    found = VALUES
    for part in path.split("."):
        found = found[part]
    return found


def rendered(text: str) -> str:
    """A template with the defaults in it: what helm makes of the few forms that ours have. Fails on others."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    text = re.sub(r"\{\{- with .*?\{\{- end \}\}", "", text, flags=re.DOTALL)
    text = re.sub(
        r"\{\{- toYaml \.Values\.([\w.]+) \| nindent \d+ \}\}",
        lambda match: " " + json.dumps(value(match[1])),
        text,
    )
    text = re.sub(
        r"\{\{ add \.Values\.([\w.]+) (\d+) \}\}",
        lambda match: str(value(match[1]) + int(match[2])),
        text,
    )
    text = text.replace(
        "{{ .Values.image.tag | default .Chart.AppVersion }}",
        value("image.tag") or chart["appVersion"],
    )
    text = text.replace("{{ .Release.Namespace }}", "kube-system")
    text = re.sub(r"\{\{ \.Values\.([\w.]+) \}\}", lambda match: str(value(match[1])), text)
    assert "{{" not in text and "}}" not in text
    return text


def test_the_chart_makes_the_plain_manifests():
    made = [yaml.safe_load(rendered(file.read_text())) for file in TEMPLATES]
    pod = the("DaemonSet", made)["spec"]["template"]["spec"]
    # What only the chart has, and Kubernetes takes by default.
    assert pod.pop("imagePullSecrets") == []
    assert pod["containers"][0].pop("imagePullPolicy") == "IfNotPresent"
    assert pod["containers"][0].pop("resources") == {}
    assert made == manifests("kubernetes")


def test_every_value_of_the_chart_is_used_and_explained():
    text = "".join(file.read_text() for file in TEMPLATES)
    used = set(re.findall(r"\.Values\.([\w.]+)", text))
    assert used == set(leaves(VALUES))


def leaves(values: dict, above: str = "") -> list[str]:
    """The paths of what can be set: lists, texts, and maps that go into a manifest as they are."""
    whole = {"node.nodeSelector", "node.resources"}
    paths = []
    for name, each in values.items():
        path = f"{above}{name}"
        if isinstance(each, dict) and path not in whole:
            paths += leaves(each, path + ".")
        else:
            paths.append(path)
    return paths


def test_the_chart_is_of_this_version(driver):
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = driver.hubfs.succeed("--version").split()[-1]
    assert chart["version"] == chart["appVersion"] == version
    pod = the("DaemonSet", manifests("kubernetes"))["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"hubfs:{version}"
