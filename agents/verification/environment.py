"""The environment that a pod's manifests give its program: variables, and files from ConfigMaps.

One function serves the objects that ran (from the bundle) and the manifests of a commit, so that a change
of configuration is tried on exactly what it changes. Secrets are never read: their keys get a stand-in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.evidence import Bundle
from agents.evidence.origin import label

STAND_IN = "selfheal-stand-in"
"""The value of a variable whose real one is a Secret; said in the pull request."""


class Environment(BaseModel):
    """What a container's program finds around it."""

    model_config = ConfigDict(frozen=True)

    variables: Mapping[str, str]
    files: Mapping[str, str]
    """Absolute path in the container -> text."""
    stand_ins: tuple[str, ...] = ()
    """Variables whose value could not be known and was replaced, with the reason."""


def container_environment(
    template: Mapping[str, Any], container: str | None, config_maps: Mapping[str, Mapping[str, str]]
) -> Environment:
    """The environment of `container` (None: the first) of a pod template.

    `config_maps` maps a ConfigMap's name to its `data`. As the kubelet does, `envFrom` comes first and `env` wins.
    """
    spec = _mapping(template.get("spec"))
    chosen = _container(spec, container)
    variables: dict[str, str] = {}
    stand_ins: list[str] = []
    for source in _list(chosen.get("envFrom")):
        reference = _mapping(source.get("configMapRef"))
        prefix = str(source.get("prefix") or "")
        for key, value in config_maps.get(str(reference.get("name")), {}).items():
            variables[prefix + key] = value
        if "secretRef" in source:
            stand_ins.append(f"all of Secret {_mapping(source['secretRef']).get('name')}: not read, left out")
    for entry in _list(chosen.get("env")):
        name = str(entry.get("name"))
        known = _value(entry, config_maps)
        if known is None:
            stand_ins.append(f"{name}: its value is not in the manifests")
        variables[name] = STAND_IN if known is None else known
    return Environment(variables=variables, files=_files(spec, chosen, config_maps), stand_ins=tuple(stand_ins))


def deployed_environment(bundle: Bundle, container: str | None) -> Environment:
    """The environment of the canary's pods, from the captured ReplicaSet and ConfigMaps."""
    return container_environment(_deployed_template(bundle), container, config_data(bundle.objects("configmap")))


def rendered_environment(files: Mapping[str, str], bundle: Bundle, container: str | None) -> Environment:
    """The environment that a set of manifest files (path -> YAML) gives the bundle's rollout.

    Objects that the files do not hold are taken as they were deployed.
    """
    documents: list[Mapping[str, Any]] = []
    for text in files.values():
        try:
            loaded = list(YAML(typ="safe", pure=True).load_all(text))
        except YAMLError:
            continue
        documents += [document for document in loaded if isinstance(document, Mapping)]
    template = _deployed_template(bundle)
    for document in documents:
        is_rollout = document.get("kind") == "Rollout"
        if is_rollout and _mapping(document.get("metadata")).get("name") == bundle.manifest.rollout:
            template = _mapping(_mapping(document.get("spec")).get("template")) or template
    config_maps = config_data(bundle.objects("configmap"))
    config_maps |= config_data([document for document in documents if document.get("kind") == "ConfigMap"])
    return container_environment(template, container, config_maps)


def _deployed_template(bundle: Bundle) -> Mapping[str, Any]:
    for replica_set in bundle.objects("replicaset"):
        if label(replica_set) == bundle.manifest.canary.hash:
            return _mapping(_mapping(replica_set.get("spec")).get("template"))
    return {}


def config_data(config_maps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """ConfigMaps by name; what is not text is left out."""
    return {
        str(config_map.get("metadata", {}).get("name")): {
            key: value for key, value in (config_map.get("data") or {}).items() if isinstance(value, str)
        }
        for config_map in config_maps
    }


def _value(entry: Mapping[str, Any], config_maps: Mapping[str, Mapping[str, str]]) -> str | None:
    if "value" in entry or "valueFrom" not in entry:
        return str(entry.get("value") or "")
    source = _mapping(entry["valueFrom"])
    reference = _mapping(source.get("configMapKeyRef"))
    if not reference:
        return None
    return config_maps.get(str(reference.get("name")), {}).get(str(reference.get("key")))


def _files(
    spec: Mapping[str, Any], container: Mapping[str, Any], config_maps: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    volumes = {
        str(volume.get("name")): _mapping(volume["configMap"])
        for volume in _list(spec.get("volumes"))
        if "configMap" in volume
    }
    files: dict[str, str] = {}
    for mount in _list(container.get("volumeMounts")):
        volume = volumes.get(str(mount.get("name")))
        if volume is None:
            continue
        data = config_maps.get(str(volume.get("name")), {})
        names = {str(item.get("key")): str(item.get("path")) for item in _list(volume.get("items"))}
        where = str(mount.get("mountPath")).rstrip("/")
        sub_path = mount.get("subPath")
        for key, text in data.items():
            if names and key not in names:
                continue
            name = names.get(key, key)
            if sub_path is None:
                files[f"{where}/{name}"] = text
            elif sub_path == name:
                files[where] = text
    return files


def _container(spec: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    containers = _list(spec.get("containers"))
    for container in containers:
        if name is None or container.get("name") == name:
            return container
    return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
