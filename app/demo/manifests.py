"""The GitOps side of a scenario: plain manifests of one service, as a platform team would write them."""

from collections.abc import Mapping

from app.demo.story import Change, History

PLATFORM, OPS = "Petra Novak <petra@acme.example>", "Olu Ade <olu@acme.example>"

ROLLOUT = """apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: {service}
  namespace: {namespace}
  annotations:
    notifications.argoproj.io/subscribe.selfheal: ""
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: {service}
  strategy:
    canary:
      steps:
        - setWeight: 30
        - pause: {{duration: 60s}}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {service}
    spec:
      containers:
        - name: {service}
          image: registry.acme.example/{service}:{tag}
          ports:
            - containerPort: 8080
          # every key of the ConfigMap becomes a variable
          envFrom:
            - configMapRef:
                name: {service}-config
          resources:
            limits:
              memory: 256Mi
"""

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {service}
  namespace: {namespace}
spec:
  selector:
    app.kubernetes.io/name: {service}
  ports:
    - port: 80
      targetPort: 8080
"""


def config_map(service: str, namespace: str, data: Mapping[str, str]) -> str:
    """The service's ConfigMap."""
    lines = "".join(f'  {key}: "{value}"\n' for key, value in data.items())
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {service}-config\n  namespace: {namespace}\n"
        f"data:\n  # read once, when a pod starts\n{lines}"
    )


def deployment(
    service: str, namespace: str, stable_tag: str, canary_tag: str, config: Mapping[str, str], *later: Change
) -> History:
    """The repository acme/deploy for one service; `later` changes come between the two deployed revisions."""
    folder = f"apps/{service}"
    rollout = ROLLOUT.format(service=service, namespace=namespace, tag="1.0.0")
    bump = (f"{folder}/rollout.yaml", f"/{service}:{stable_tag}", f"/{service}:{canary_tag}")
    changes = (
        Change(f"Add {service}", PLATFORM, files={f"{folder}/rollout.yaml": rollout}),
        Change(
            f"Expose {service}",
            PLATFORM,
            files={f"{folder}/service.yaml": SERVICE.format(service=service, namespace=namespace)},
        ),
        Change(f"Configure {service}", OPS, files={f"{folder}/configmap.yaml": config_map(service, namespace, config)}),
        Change(f"{service} {stable_tag}", OPS, replace=(bump[0], f"/{service}:1.0.0", bump[1])),
        *later,
        Change(f"{service} {canary_tag}", OPS, replace=bump),
        Change(f"Give {service} more memory", PLATFORM, replace=(bump[0], "memory: 256Mi", "memory: 320Mi")),
    )
    return History("acme/deploy-" + service, changes, stable=3, canary=len(changes) - 1)
