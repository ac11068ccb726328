"""The Helm chart: its values are checked, and what it renders is what services, settings and Kubernetes expect."""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.topology import BY_NAME, SERVICES
from docs.dashboards import dashboard_files
from docs.tables import SECTIONS
from gallery.recording.config import RecordingSettings
from reid_worker.handler import NAME as WORKER_GROUP
from tests.docs_tools import ROOT, blocks
from wire.bus import FRAMES

CHART = ROOT / "deploy" / "helm" / "climbtrack"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TRIAL, EXTERNAL = (CHART / "ci" / f"{name}-values.yaml" for name in ("trial", "external"))
GUIDE = ROOT / "docs" / "guides" / "recording.md"
NAMES = ("ingest", "worker", "gallery", "alerts", "recorder", "api")

# Not built in CI: it is a Go program, which takes three minutes. Who changes the chart runs `make helm`.
PLACES = os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".cache" / "bin"), str(Path(sys.executable).parent)])
HELM = shutil.which("helm", path=PLACES)
VALIDATE = shutil.which("kubernetes-validate", path=PLACES)
DECODE = shutil.which("decode-resources", path=PLACES)  # tests/servers/resources
needs_helm = pytest.mark.skipif(HELM is None, reason="helm, to render the chart: missing (`make helm`)")
KUBERNETES = "1.31.0"

RECORDING: Mapping[str, Any] = {"recording": {"enabled": True}}
WHOLE = {"resources", "settings", "dashboardLabels"}  # mappings that are one value

Values = Mapping[str, Any]
Found = dict[tuple[str, str], dict[str, Any]]


def checked(values: Values) -> None:
    """Check values as helm does, over the defaults."""
    jsonschema.validate(merged(VALUES, values), SCHEMA)


def merged(below: Values, above: Values) -> dict[str, Any]:
    both = {key: merged(below[key], above[key]) for key in below.keys() & above.keys()
            if isinstance(below[key], dict) and isinstance(above[key], dict)}  # fmt: skip
    return {**below, **above, **both}


def leaves(values: Values, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all values that can be set by themselves."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def at(values: Values, path: tuple[str, ...]) -> Any:
    found: Any = values
    for key in path:
        found = found[key]
    return found


def helm(values: Values, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    command = [str(HELM), "template", "mall", str(CHART), "--kube-version", KUBERNETES, "--values", str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def rendered(values: Values, folder: Path) -> Found:
    """Return what the chart renders, by kind and name."""
    done = helm(values, folder)
    assert done.returncode == 0, done.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout) if one}


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


@pytest.mark.parametrize("path", [TRIAL, EXTERNAL], ids=lambda path: path.stem)
def test_the_schema_takes_the_shipped_values(path: Path) -> None:
    checked(read(path))


def test_the_schema_takes_the_values_that_the_guide_of_recordings_shows() -> None:
    (shown,) = [block.text for block in blocks(GUIDE) if block.text.startswith("# values.yaml\n")]
    checked(yaml.safe_load(shown))
    RecordingSettings(**yaml.safe_load(shown)["recording"]["settings"])


def test_the_schema_names_every_value_and_nothing_else() -> None:
    def named(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        if schema.get("additionalProperties") is not False:
            yield path
            return
        for key, one in schema["properties"].items():
            yield from named(one, (*path, key))

    assert set(named(SCHEMA)) - {("global",)} == set(leaves(VALUES))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"worker": {"replica": 3}}, "replica"),
        ({"kafka": {"settings": {"sasl_password": "secret"}}}, "sasl_password"),
        ({"redis": {"url": "redis://:secret@redis/0"}}, "redis://"),
        ({"redis": {"url": "cache:6379"}}, "cache:6379"),
        ({"redis": {"secretKeys": ["pass"]}}, "pass"),
        ({"redis": {"settings": {"sentinel_password": "secret"}}}, "sentinel_password"),
        ({"worker": {"gpus": -1}}, "-1"),
        ({"worker": {"resources": {"limits": {"memory": "4 GB"}}}}, "4 GB"),
        ({"api": {"settings": {"token": "secret"}}}, "token"),
        ({"recording": {"settings": {"folder": "/elsewhere"}}}, "folder"),
        ({"recording": {"storage": {"size": "60 GB"}}}, "60 GB"),
        ({"recording": {"storage": {"accessMode": "ReadOnlyMany"}}}, "ReadOnlyMany"),
        ({"recording": {"replicas": 2}}, "replicas"),
        ({"podDisruptionBudgets": {"maxUnavailable": 0}}, "0"),
        ({"monitoring": {"interval": "15"}}, "15"),
        ({"tracing": {"sampleRatio": 2}}, "2 is greater"),
        ({"tracing": {"endpoint": "https://user:secret@collector:4318/v1/traces"}}, "collector"),
    ],
)
def test_the_schema_refuses_unknown_keys_wrong_values_and_passwords_among_settings(values: Values, named: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=named):
        checked(values)


def test_every_value_is_explained_or_explains_itself_beside_one_that_is() -> None:
    text = (CHART / "values.yaml").read_text()
    assert text.count("# -- ") > 30
    assert all(f"{path[-1]}:" in text for path in leaves(VALUES))


@needs_helm
@pytest.mark.parametrize("path", [TRIAL, EXTERNAL], ids=lambda path: path.stem)
def test_ports_probes_and_waiting_times_are_those_of_the_list_of_processes(path: Path, tmp_path: Path) -> None:
    values = read(path)
    values.get("ingest", {}).pop("settings", None)  # which choose another port
    found = rendered(values, tmp_path)
    deployments = {name.rpartition("-")[2]: one["spec"] for (kind, name), one in found.items() if kind == "Deployment"}
    started = [service for service in SERVICES if path is EXTERNAL or not service.optional]
    assert sorted(deployments) == sorted(service.name for service in started)
    for service in started:
        pod = deployments[service.name]["template"]["spec"]
        (container,) = pod["containers"]
        assert [port["containerPort"] for port in container["ports"]] == [service.port]
        assert container["livenessProbe"]["httpGet"]["path"] == service.alive
        assert container["readinessProbe"]["httpGet"]["path"] == service.ready
        assert container["args"][0] == service.name
        assert pod["terminationGracePeriodSeconds"] == service.stop_s
        mounted = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
        assert all(mounted[volume.path] is False for volume in service.volumes)
        assert path is TRIAL or all(mounted[volume.path] is True for volume in service.reads)
    if path is TRIAL:
        assert found["Service", "mall-climbtrack-kafka"]["spec"]["ports"][0]["port"] == BY_NAME["kafka"].port
        assert found["Service", "mall-climbtrack-redis"]["spec"]["ports"][0]["port"] == BY_NAME["redis"].port


@needs_helm
@pytest.mark.parametrize("path", [TRIAL, EXTERNAL], ids=lambda path: path.stem)
def test_the_configuration_file_is_one_that_the_services_take(path: Path, tmp_path: Path) -> None:
    found = rendered(read(path), tmp_path)
    texts = [
        one["data"]["site.yaml"]
        for (kind, _), one in found.items()
        if kind == "ConfigMap" and "site.yaml" in one["data"]
    ]
    texts += [
        one["stringData"]["site.yaml"]
        for (kind, _), one in found.items()
        if kind == "Secret" and "cameras" in one["metadata"]["name"]
    ]
    assert len(texts) == 2
    for server in ("kafka", "redis", "api"):
        (tmp_path / server).mkdir()
        for key in ("sasl-password", "password", "token", "ca.crt", "tls.crt", "tls.key"):
            (tmp_path / server / key).write_text("secret")
    for text in texts:
        config = tmp_path / "site.yaml"
        config.write_text(
            text.replace("/run/secrets", str(tmp_path)).replace("/var/lib/climbtrack/crops", str(tmp_path))
        )
        for section in SECTIONS:
            section.load(config)
    assert "cameras" not in yaml.safe_load(texts[0])


@needs_helm
def test_no_pod_gets_variables_that_would_be_taken_for_settings_or_may_do_more_than_it_must(tmp_path: Path) -> None:
    """A Service called climbtrack-api would give every pod a CLIMBTRACK_API_PORT."""
    for (kind, name), one in rendered({**read(TRIAL), **RECORDING}, tmp_path).items():
        if kind in {"Deployment", "StatefulSet"}:
            pod = one["spec"]["template"]["spec"]
            assert pod["enableServiceLinks"] is False, name
            assert pod["automountServiceAccountToken"] is False, name
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            (container,) = pod["containers"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert kind == "StatefulSet" or container["securityContext"]["readOnlyRootFilesystem"] is True, name


@needs_helm
def test_workers_follow_the_backlog_of_frames_and_never_exceed_the_partitions(tmp_path: Path) -> None:
    found = rendered(read(EXTERNAL), tmp_path)
    spec = found["ScaledObject", "mall-worker"]["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["topic"] == f"mall-{FRAMES.name}"
    assert trigger["metadata"]["consumerGroup"] == f"mall-{WORKER_GROUP}"
    assert trigger["metadata"]["sasl"] == "scram_sha512"
    assert "replicas" not in found["Deployment", "mall-worker"]["spec"]

    many = {"kafka": {"bundled": True}, "redis": {"bundled": True}}
    refused = helm({**many, "worker": {"autoscaling": {"enabled": True, "maxReplicas": 33}}}, tmp_path)
    assert "worker.autoscaling.maxReplicas = 33: at most kafka.settings.camera_partitions, 32" in refused.stderr
    refused = helm({**many, "worker": {"replicas": 33}}, tmp_path)
    assert "worker.replicas = 33: at most kafka.settings.camera_partitions, 32" in refused.stderr
    assert FRAMES.partitions == 32


@needs_helm
@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://collector.monitoring:4318/v1/traces", 4318),
        ("https://collector.example.org/v1/traces", 443),
        ("http://collector/v1/traces", 80),
    ],
)
def test_who_exports_traces_may_reach_the_collector_and_nobody_else(endpoint: str, port: int, tmp_path: Path) -> None:
    trial = {**read(TRIAL), **RECORDING}
    values = {**trial, "tracing": {"sampleRatio": 0.5, "endpoint": endpoint, "existingSecret": "login"}}
    found = rendered(values, tmp_path)
    untraced = rendered(trial, tmp_path)
    for name in NAMES:
        exports = name != "api"
        rules = found["NetworkPolicy", f"mall-climbtrack-{name}"]["spec"]["egress"]
        ports = [one["port"] for rule in rules if "to" not in rule for one in rule.get("ports", ())]
        before = untraced["NetworkPolicy", f"mall-climbtrack-{name}"]["spec"]["egress"]
        known = [one["port"] for rule in before if "to" not in rule for one in rule.get("ports", ())]
        assert sorted(ports) == sorted([*known, port] if exports else known), name
        (container,) = found["Deployment", f"mall-climbtrack-{name}"]["spec"]["template"]["spec"]["containers"]
        assert any(one["name"] == "OTEL_EXPORTER_OTLP_HEADERS" for one in container["env"]) is exports, name
    config = yaml.safe_load(found["ConfigMap", "mall-climbtrack"]["data"]["site.yaml"])
    assert config["tracing"] == {"sample_ratio": 0.5, "endpoint": endpoint}


@needs_helm
def test_who_uses_redis_may_reach_its_sentinels_and_is_told_where_they_are(tmp_path: Path) -> None:
    sentinels = "one.example.org:26380, two.example.org"
    given = {"sentinels": sentinels, "sentinel_username": "ann"}
    secret = {"existingSecret": "login", "secretKeys": ["sentinel-password"]}
    values = {**read(TRIAL), "redis": {"url": "redis://people/0", "settings": given, **secret}}
    found = rendered(values, tmp_path)
    config = yaml.safe_load(found["ConfigMap", "mall-climbtrack"]["data"]["site.yaml"])
    password = {"sentinel_password_file": "/run/secrets/redis/sentinel-password"}
    assert config["redis"] == {"url": "redis://people/0", **given, **password}
    for name in ("gallery", "worker"):
        rules = found["NetworkPolicy", f"mall-climbtrack-{name}"]["spec"]["egress"]
        ports = {one["port"] for rule in rules if "to" not in rule for one in rule.get("ports", ())}
        assert ({26379, 26380} <= ports) is (name == "gallery"), name


@needs_helm
def test_nothing_records_unless_it_is_asked_for(tmp_path: Path) -> None:
    found = rendered(read(TRIAL), tmp_path)
    assert [name for kind, name in found if name.endswith(("recorder", "recordings"))] == []
    assert not yaml.safe_load(found["ConfigMap", "mall-climbtrack"]["data"]["site.yaml"])["recording"]
    assert "recordings" not in json.dumps(found["Deployment", "mall-climbtrack-api"])


@needs_helm
def test_recordings_have_one_writer_a_volume_that_outlives_the_release_and_room_for_what_they_may_take(
    tmp_path: Path,
) -> None:
    found = rendered({**read(TRIAL), **RECORDING}, tmp_path)
    recorder = found["Deployment", "mall-climbtrack-recorder"]["spec"]
    assert (recorder["replicas"], recorder["strategy"]) == (1, {"type": "Recreate"})
    claim = found["PersistentVolumeClaim", "mall-climbtrack-recordings"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for name in ("recorder", "api"):
        volumes = found["Deployment", f"mall-climbtrack-{name}"]["spec"]["template"]["spec"]["volumes"]
        assert {"name": "recordings", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}} in volumes
    settings = RecordingSettings(
        **yaml.safe_load(found["ConfigMap", "mall-climbtrack"]["data"]["site.yaml"])["recording"]
    )
    assert settings.cameras == "all"
    size_gb = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) * 2**30 / 1e9
    assert settings.max_gb + settings.min_free_gb < size_gb

    without_reserve = {"max_gb": 57, "min_free_gb": 0}
    assert rendered({**read(TRIAL), "recording": {"enabled": True, "settings": without_reserve}}, tmp_path)


@needs_helm
def test_who_shares_a_volume_of_one_node_runs_there_and_leaves_it_together(tmp_path: Path) -> None:
    wanted = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
    found = rendered({**read(TRIAL), **RECORDING, "api": {"affinity": wanted}}, tmp_path)
    api, recorder = (
        found["Deployment", f"mall-climbtrack-{name}"]["spec"]["template"]["spec"]["affinity"]["podAffinity"]
        for name in ("api", "recorder")
    )
    own, added = api["requiredDuringSchedulingIgnoredDuringExecution"]
    assert own == {"topologyKey": "zone"}
    assert added["topologyKey"] == "kubernetes.io/hostname"
    assert added["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "recorder"
    assert set(recorder) == {"preferredDuringSchedulingIgnoredDuringExecution"}  # or each would wait for the other
    budgets = {name: found["PodDisruptionBudget", f"mall-climbtrack-{name}"]["spec"] for name in NAMES}
    together = {name for name, budget in budgets.items() if budget["maxUnavailable"] == "100%"}
    assert together == {"api", "recorder"}

    many = {"recording": {"enabled": True, "storage": {"accessMode": "ReadWriteMany"}}}
    found = rendered({**read(TRIAL), **many}, tmp_path)
    assert "affinity" not in found["Deployment", "mall-climbtrack-api"]["spec"]["template"]["spec"]
    assert found["PodDisruptionBudget", "mall-climbtrack-api"]["spec"]["maxUnavailable"] == 1


@needs_helm
def test_prometheus_finds_every_service_and_names_it_as_the_rules_do(tmp_path: Path) -> None:
    spec = rendered(read(EXTERNAL), tmp_path)["ServiceMonitor", "mall"]["spec"]
    (chosen,) = spec["selector"]["matchExpressions"]
    assert sorted(chosen["values"]) == sorted(service.name for service in SERVICES)
    (endpoint,) = spec["endpoints"]
    renamed = {one["regex"]: one["replacement"] for one in endpoint["relabelings"] if "regex" in one}
    assert renamed == {service.name: service.label for service in SERVICES if service.name != service.label}


@needs_helm
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "kafka.servers: name your brokers"),
        ({"kafka": {"bundled": True}}, "redis.url: name your Redis"),
        (
            {**read(TRIAL), "kafka": {"bundled": True, "existingSecret": "x"}},
            "kafka.existingSecret: the bundled server",
        ),
        ({**read(TRIAL), "redis": {"bundled": True, "secretKeys": ["password"]}}, "name the Secret in redis.existing"),
        ({**read(TRIAL), "cameras": {"a": "0"}, "camerasSecret": "x"}, "only one is allowed"),
        ({**read(TRIAL), "api": {"ingress": {"enabled": True}}}, "api.ingress.host: name the host"),
        ({**read(TRIAL), "worker": {"replica": 1}}, "replica"),
        (
            {**read(TRIAL), "recording": {"enabled": True, "settings": {"max_gb": 57}}},
            "recording.storage.size = 60Gi: recording.settings.max_gb and min_free_gb, together 59 GB",
        ),
        (
            {**read(TRIAL), "recording": {"enabled": True, "storage": {"size": "0.05T"}}},
            "recording.storage.size = 0.05T: recording.settings.max_gb and min_free_gb, together 52 GB",
        ),
        ({**read(TRIAL), "tracing": {"sampleRatio": 0.1}}, "tracing.endpoint: name your collector"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_value_to_change(
    values: Values, said: str, tmp_path: Path
) -> None:
    refused = helm(values, tmp_path)
    assert refused.returncode != 0
    assert said in refused.stderr


@needs_helm
def test_rules_and_dashboards_are_the_shipped_ones(tmp_path: Path) -> None:
    found = rendered(read(EXTERNAL), tmp_path)
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
    assert found["PrometheusRule", "mall"]["spec"] == rules
    shown = found["ConfigMap", "mall-dashboards"]["data"]
    assert shown == {f"climbtrack-{path.name}": text for path, text in dashboard_files(ROOT).items()}


@needs_helm
def test_every_value_has_an_effect(tmp_path: Path) -> None:
    """Of each value, one other than the default is set; with the default in its place, something else is rendered."""
    trial = merged(read(TRIAL), {"kafka": {"image": "k:1", "storage": {"size": "1Gi", "className": "fast"},
                                           "resources": {"limits": {"memory": "3Gi"}}},
                                 "redis": {"image": "r:1", "storage": {"size": "1Gi", "className": "fast"},
                                           "resources": {"limits": {"memory": "3Gi"}}},
                                 "worker": {"replicas": 4, "cache": {"sizeLimit": "1Gi"}}, "camerasSecret": "mine",
                                 "recording": {"enabled": True, "storage": {"size": "1Ti", "className": "fast"}},
                                 "networkPolicy": {"enabled": False}})  # fmt: skip
    external = read(EXTERNAL)
    left = set(leaves(VALUES))
    for chosen in (trial, external):
        whole = helm(chosen, tmp_path).stdout
        assert whole
        for path in sorted(left & {path for path in left if _differs(chosen, path)}):
            changed = copy.deepcopy(chosen)
            at(changed, path[:-1])[path[-1]] = at(VALUES, path)
            if helm(changed, tmp_path).stdout != whole:
                left.discard(path)
    assert left == set()


def _differs(chosen: Values, path: tuple[str, ...]) -> bool:
    try:
        return bool(at(chosen, path) != at(VALUES, path))
    except (KeyError, TypeError):
        return False


@needs_helm
@pytest.mark.skipif(VALIDATE is None, reason="kubernetes-validate: missing")
@pytest.mark.parametrize("path", [TRIAL, EXTERNAL], ids=lambda path: path.stem)
def test_kubernetes_takes_everything_without_a_field_that_it_does_not_know(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(helm(read(path), tmp_path).stdout)
    command = [
        str(VALIDATE),
        "--strict",
        "--no-warn",
        "--quiet",
        "-k",
        KUBERNETES.rpartition(".")[0],
        str(file),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def decoded(manifests: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(DECODE)], input=manifests, check=False, capture_output=True, text=True)


@needs_helm
@pytest.mark.skipif(DECODE is None, reason="decode-resources, a Go program: missing (`make helm`)")
def test_keda_and_prometheus_operator_have_types_with_every_field_of_their_resources(tmp_path: Path) -> None:
    manifests = helm(read(EXTERNAL), tmp_path).stdout
    done = decoded(manifests)
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} == {
        "PrometheusRule",
        "ScaledObject",
        "ServiceMonitor",
        "TriggerAuthentication",
    }
    refused = decoded(manifests.replace("maxReplicaCount:", "maxReplicas:"))
    assert (
        'ScaledObject: error unmarshaling JSON: while decoding JSON: json: unknown field "maxReplicas"'
        in refused.stderr
    )
    refused = decoded(manifests.replace("kind: ServiceMonitor", "kind: ServiceMonitors"))
    assert "no type for monitoring.coreos.com/v1 ServiceMonitors" in refused.stderr
