"""What logs tell of: peers that cannot be used, and what a container may not do."""

import pytest

from agents.podstates import SAID, State, peer_of
from tests.pods import only, pod, replica_set, running, states, waiting

CANARY, STABLE = "logs/canary/shop-bad-1/app", "logs/stable/shop-good-1/app"


def said(line: str, **more: str) -> list[State]:
    return states(pod(), pod("stable"), logs={CANARY: f"starting\n{line}\ndone\n", **more})


@pytest.mark.parametrize(
    ("line", "way", "host"),
    [
        ("dial tcp: lookup db.shop.svc on 10.96.0.10:53: no such host", "dns", "db.shop.svc"),
        ("Error: getaddrinfo ENOTFOUND cache.shop.svc", "dns", "cache.shop.svc"),
        ("java.net.UnknownHostException: queue.shop.svc", "dns", "queue.shop.svc"),
        ('could not translate host name "db-2" to address: Name or service not known', "dns", "db-2"),
        ("connect ECONNREFUSED 10.96.3.4:6379", "refused", "10.96.3.4"),
        ("dial tcp 10.96.3.4:5432: connect: connection refused", "refused", "10.96.3.4"),
        (
            "Connection to db.shop.svc:5432 refused. Check that the hostname and port are correct",
            "refused",
            "db.shop.svc",
        ),
        (
            "No connection could be made because the target machine actively refused it. (db.shop.svc:1433)",
            "refused",
            "db",
        ),
        (
            'Get "https://pay.acme.example/v1": tls: failed to verify certificate: x509: certificate has expired',
            "tls",
            "pay.",
        ),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", "tls", ""),
        ('FATAL: password authentication failed for user "shop"', "access", ""),
        ("Access denied for user 'shop'@'10.1.2.3' (using password: YES)", "access", ""),
        ("WRONGPASS invalid username-password pair or user is disabled.", "access", ""),
        ('FATAL: database "shop_v2" does not exist', "missing database", ""),
        ("connect ETIMEDOUT 10.96.3.4:443", "time", "10.96.3.4"),
        ("dial tcp 10.96.3.4:443: i/o timeout", "time", "10.96.3.4"),
        ("dial tcp 10.96.3.4:443: connect: no route to host", "time", "10.96.3.4"),
    ],
)
def test_a_peer_that_cannot_be_used_is_named_in_the_words_of_many_languages(line: str, way: str, host: str) -> None:
    state = only(said(line), "dependency")
    assert (state.category, state.weight) == ("infrastructure", SAID)
    assert state.subject.startswith(f"{way} {host}")
    assert state.evidence[0].ref == f"{CANARY}#L2-2"


def test_a_user_or_a_database_that_is_refused_is_named() -> None:
    assert "shop" in only(said('password authentication failed for user "shop"'), "dependency").names
    assert "shop_v2" in only(said('FATAL: database "shop_v2" does not exist'), "dependency").names


def test_a_peer_that_the_stable_version_cannot_use_either_is_shared_noise() -> None:
    line = "dial tcp: lookup otel.obs.svc on 10.96.0.10:53: no such host\n"
    assert said(line, **{STABLE: line}) == []
    assert said(line, **{STABLE: line.replace("otel", "other")}) != []


@pytest.mark.parametrize(
    "line",
    [
        "ModuleNotFoundError: No module named 'x'",
        "at jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)",
        "the connection refusedly stayed",
        'opened database "shop"',
    ],
)
def test_words_that_only_contain_a_phrase_tell_nothing(line: str) -> None:
    assert said(line) == []


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("postgres://app:s@db.shop.svc:5432/x", ("db.shop.svc", "5432")),
        ("main.go:41 dial tcp [fd00::1]:6379: connect", ("fd00::1", "6379")),
        ("server at 'db-1', port 5432 failed", ("db-1", "5432")),
        ("nothing here", ("", "")),
    ],
)
def test_the_peer_of_a_line_is_its_host_and_port(text: str, peer: tuple[str, str]) -> None:
    assert peer_of(text) == peer


@pytest.mark.parametrize(
    ("line", "says", "field"),
    [
        (
            "OSError: [Errno 30] Read-only file system: '/var/cache/x'",
            "read-only file system",
            "readOnlyRootFilesystem",
        ),
        ("Error: EROFS: read-only file system, open '/var/a'", "/var/a", "volumeMounts"),
        ("PermissionError: [Errno 13] Permission denied: '/data/x'", "may not use /data/x", "securityContext/fsGroup"),
        ("listen tcp :80: bind: permission denied", "may not listen", "capabilities"),
        ("Error: listen EACCES: permission denied 0.0.0.0:443", "may not listen", "capabilities"),
    ],
)
def test_what_a_container_may_not_do_leads_to_its_security_context(line: str, says: str, field: str) -> None:
    state = only(said(line), "permission")
    assert says in state.sentence
    assert any(field in wanted.field for wanted in state.wanted)


def test_a_right_that_a_service_account_lacks_leads_to_its_role() -> None:
    line = (
        'secrets is forbidden: User "system:serviceaccount:shop:robot" cannot list resource "secrets" in API group ""'
        ' in the namespace "shop"'
    )
    state = only(said(line), "permission")
    assert "robot lacks the right" in state.sentence
    assert next((one.kind, one.field, one.sense) for one in state.wanted if one.kind == "Role") == (
        "Role",
        "rules/*/resources/secrets",
        "gone",
    )


def test_an_image_that_would_run_as_root_and_must_not() -> None:
    message = 'container has runAsNonRoot and image will run as root (pod: "shop-bad-1", container: app)'
    spec = {"containers": [{"name": "app", "securityContext": {"runAsNonRoot": True}}]}
    found = states(running(waiting("CreateContainerConfigError", message)), replicaset=[replica_set("canary", spec)])
    assert only(found, "permission").wanted[0].field == "containers/[name=app]/securityContext/runAsNonRoot"


def test_a_table_that_a_user_may_not_read_is_no_matter_of_the_pod() -> None:
    assert said("ERROR: permission denied for table orders") == []


def test_the_first_lines_of_a_long_log_are_enough_and_numbered_right() -> None:
    text = "quiet\n" * 5000 + "dial tcp 10.0.0.1:80: connect: connection refused\n" * 5000
    state = only(states(pod(), logs={CANARY: text}), "dependency")
    assert state.evidence[0].ref == f"{CANARY}#L5001-5001"
