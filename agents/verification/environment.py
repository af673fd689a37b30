"""The environment that a pod's manifests give its program: variables, and files from ConfigMaps.

One function serves the objects that ran (from the bundle) and the manifests of a commit, so that a change
of configuration is tried on exactly what it changes. Secrets are never read: their keys get a stand-in.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.evidence import Bundle
from agents.evidence.origin import label

STAND_IN = "selfheal-stand-in"
"""The value of a variable whose real one is a Secret; said in the pull request."""
VARIABLE = re.compile(r"[^=\x00]+")
"""What the kernel takes for a variable's name."""
REFERENCE = re.compile(r"\$(?:\$|\(([^()]+)\))")

ConfigMaps = Mapping[str, Mapping[str, str]]
"""A ConfigMap's name -> its `data`."""


class Environment(BaseModel):
    """What a container's program finds around it."""

    model_config = ConfigDict(frozen=True)

    variables: Mapping[str, str]
    files: Mapping[str, str]
    """Absolute path in the container -> text."""
    stand_ins: tuple[str, ...] = ()
    """What could not be known and was replaced or left out, with the reason."""


def container_environment(template: Mapping[str, Any], container: str | None, config_maps: ConfigMaps) -> Environment:
    """The environment of `container` (None: the first) of a pod template.

    As the kubelet does: `envFrom` comes first and `env` wins, `$(NAME)` stands for what was set before, an invalid name
    is left out, and so is a key that the ConfigMap does not have.
    """
    spec = _mapping(template.get("spec"))
    chosen = _container(spec, container)
    gaps: list[str] = []
    variables = dict(_from_whole(chosen, config_maps, gaps))
    for entry in _list(chosen.get("env")):
        name = str(entry.get("name"))
        value = _value(entry, config_maps, gaps)
        if value is not None:
            variables[name] = _expand(value, variables) if "valueFrom" not in entry else value
    for name, value in list(variables.items()):
        if not VARIABLE.fullmatch(name) or "\0" in value:
            gaps.append(f"{name!r}: not a variable that a process can have, left out")
            del variables[name]
        elif "[REDACTED:" in value:
            gaps.append(f"{name}: its value looked like a secret and was redacted")
    return Environment(variables=variables, files=_files(spec, chosen, config_maps, gaps), stand_ins=tuple(gaps))


def deployed_environment(bundle: Bundle, container: str | None) -> Environment:
    """The environment of the canary's pods, from the captured ReplicaSet and ConfigMaps."""
    return container_environment(_deployed_template(bundle), container, config_data(bundle.objects("configmap")))


def rendered_environment(files: Mapping[str, str], bundle: Bundle, container: str | None) -> Environment:
    """The environment that a set of manifest files (path -> YAML) gives the bundle's rollout.

    Objects that the files do not hold are taken as they were deployed.
    """
    documents = [document for text in files.values() for document in _documents(text)]
    template = _deployed_template(bundle)
    for document in documents:
        is_rollout = document.get("kind") == "Rollout"
        if is_rollout and _mapping(document.get("metadata")).get("name") == bundle.manifest.rollout:
            template = _mapping(_mapping(document.get("spec")).get("template")) or template
    config_maps = config_data(bundle.objects("configmap"))
    config_maps |= config_data([document for document in documents if document.get("kind") == "ConfigMap"])
    return container_environment(template, container, config_maps)


def _documents(text: str) -> list[Mapping[str, Any]]:
    """The objects of a YAML file; none where it is a template or otherwise cannot be read."""
    try:
        loaded = list(YAML(typ="safe", pure=True).load_all(text))
    except (YAMLError, ValueError, RecursionError):  # ValueError: a date that is none
        return []
    return [document for document in loaded if isinstance(document, Mapping)]


def _deployed_template(bundle: Bundle) -> Mapping[str, Any]:
    for replica_set in bundle.objects("replicaset"):
        if label(replica_set) == bundle.manifest.canary.hash:
            return _mapping(_mapping(replica_set.get("spec")).get("template"))
    return {}


def config_data(config_maps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """ConfigMaps by name; what is not text is left out."""
    return {
        str(_mapping(config_map.get("metadata")).get("name")): {
            str(key): value for key, value in _mapping(config_map.get("data")).items() if isinstance(value, str)
        }
        for config_map in config_maps
    }


def _from_whole(container: Mapping[str, Any], config_maps: ConfigMaps, gaps: list[str]) -> Iterator[tuple[str, str]]:
    """The variables of `envFrom`."""
    for source in _list(container.get("envFrom")):
        prefix = str(source.get("prefix") or "")
        if "configMapRef" in source:
            reference = _mapping(source["configMapRef"])
            name = str(reference.get("name"))
            if name not in config_maps and not reference.get("optional"):
                gaps.append(f"all of ConfigMap {name}: not captured, left out")
            for key, value in config_maps.get(name, {}).items():
                yield prefix + key, value
        if "secretRef" in source:
            gaps.append(f"all of Secret {_mapping(source['secretRef']).get('name')}: not read, left out")


def _value(entry: Mapping[str, Any], config_maps: ConfigMaps, gaps: list[str]) -> str | None:
    """The value of an entry of `env`; None where the variable is not set."""
    if "valueFrom" not in entry:
        return str(entry.get("value") or "")
    source = _mapping(entry["valueFrom"])
    reference = _mapping(source.get("configMapKeyRef"))
    name, key = str(reference.get("name")), str(reference.get("key"))
    if name in config_maps:
        if key not in config_maps[name] and not reference.get("optional"):
            gaps.append(f"{entry.get('name')}: ConfigMap {name} has no key {key}, so a pod would not start at all")
        return config_maps[name].get(key)
    secret = _mapping(source.get("secretKeyRef")).get("name")
    what = f"ConfigMap {name} was not captured" if reference else "its value is not in the manifests"
    gaps.append(f"{entry.get('name')}: " + (f"a stand-in, since Secret {secret} is not read" if secret else what))
    return STAND_IN


def _expand(value: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` for the value of a variable set before, `$$` for a dollar; what is not set stays as it is."""
    return REFERENCE.sub(
        lambda match: "$" if match.group(1) is None else variables.get(match.group(1), match.group(0)), value
    )


def _files(
    spec: Mapping[str, Any], container: Mapping[str, Any], config_maps: ConfigMaps, gaps: list[str]
) -> dict[str, str]:
    volumes = {str(volume.get("name")): volume for volume in _list(spec.get("volumes"))}
    files: dict[str, str] = {}
    for mount in _list(container.get("volumeMounts")):
        volume = volumes.get(str(mount.get("name")), {})
        where = str(mount.get("mountPath")).rstrip("/")
        if "secret" in volume:
            name = _mapping(volume["secret"]).get("secretName")
            gaps.append(f"the files of Secret {name} at {where}: not read, left out")
        for name, text in _volume_files(volume, config_maps).items():
            sub_path = mount.get("subPath")
            if sub_path is None:
                files[f"{where}/{name}"] = text
            elif sub_path == name:
                files[where] = text
            elif name.startswith(f"{sub_path}/"):
                files[where + name.removeprefix(str(sub_path))] = text
    return files


def _volume_files(volume: Mapping[str, Any], config_maps: ConfigMaps) -> dict[str, str]:
    """The files of a volume of one ConfigMap, or of several projected into one."""
    sources = [volume, *_list(_mapping(volume.get("projected")).get("sources"))]
    files: dict[str, str] = {}
    for reference in [_mapping(source["configMap"]) for source in sources if "configMap" in source]:
        data = config_maps.get(str(reference.get("name")), {})
        items = _list(reference.get("items"))
        pairs = [(str(item.get("key")), str(item.get("path"))) for item in items] or [(key, key) for key in data]
        files |= {path: data[key] for key, path in pairs if key in data}
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
