import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from agents.redaction import Redactor, names_secret

RECORDINGS = Path(__file__).parents[2] / "recordings"
LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF" * 8
KEY_BODY = "\n".join(LETTERS[at : at + 64] for at in range(0, 192, 64))
PRIVATE_KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\nQ8sT1==\n-----END RSA PRIVATE KEY-----"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{LETTERS[:43]}"

SHAPES = {
    "github-classic": f"ghp_{LETTERS[:36]}",
    "github-app": f"ghs_{LETTERS[:36]}",
    "github-fine-grained": f"github_pat_{LETTERS[:22]}_{LETTERS[:59]}",
    "gitlab": f"glpat-{LETTERS[:20]}",
    "gitlab-deploy": f"gldt-{LETTERS[:20]}",
    "bitbucket": f"ATBB{LETTERS[:32]}",
    "atlassian": f"ATATT3{LETTERS[:60]}",
    "azure-devops": f"{LETTERS[:76]}AZDO{LETTERS[:4]}",
    "aws-key-id": "AKIAIOSFODNN7EXAMPLE",
    "aws-temporary-key-id": "ASIAIOSFODNN7EXAMPLE",
    "gcp-key": f"AIza{LETTERS[:35]}",
    "gcp-token": f"ya29.{LETTERS[:60]}",
    "gcp-client-secret": f"GOCSPX-{LETTERS[:28]}",
    "azure-secret": f"abc8Q~{LETTERS[:34]}",
    "digitalocean": f"dop_v1_{'0123456789abcdef' * 4}",
    "slack": f"xoxb-123456789012-{LETTERS[:24]}",
    "slack-webhook": f"https://hooks.slack.com/services/T000/B000/{LETTERS[:24]}",
    "stripe": f"sk_live_{LETTERS[:24]}",
    "stripe-webhook": f"whsec_{LETTERS[:32]}",
    "openai": f"sk-proj-{LETTERS[:48]}",
    "openai-old": f"sk-{LETTERS[:48]}",
    "huggingface": f"hf_{LETTERS[:34]}",
    "docker": f"dckr_pat_{LETTERS[:27]}",
    "vault": f"hvs.{LETTERS[:24]}",
    "npm": f"npm_{LETTERS[:36]}",
    "pypi": f"pypi-{LETTERS[:80]}",
    "sendgrid": f"SG.{LETTERS[:22]}.{LETTERS[:43]}",
    "jwt": JWT,
    "jwe": f"eyJhbGciOiJSU0EifQ.{LETTERS[:20]}.{LETTERS[:16]}.{LETTERS[:20]}.{LETTERS[:16]}",
    "private-key": PRIVATE_KEY,
    "pgp-key": PRIVATE_KEY.replace("RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
}

SECRET = "hunter2-Swordfish"
NAMED = [
    "password={}",
    'password="{}"',
    'password="{} and more"',
    "PGPASSWORD={}",
    "DB_PASSWORD_2={}",
    "connect(host='db', password='{}')",
    "connect(host=db, password={})",
    'msg="login failed password={} for bob"',
    "level=info secret={} user=bob",
    "api-key = {}",
    "client_secret := {}",
    "'password' => '{}'",
    "--api-key={}",
    "--db-password {} --port 80",
    "GET /pay?access_token={}&page=2 HTTP/1.1",
    '{{"password": "{}"}}',
    '{{"apiKey":"{}"}}',
    "{{'clientSecret': '{}'}}",
    '{{\\"password\\":\\"{}\\"}}',
    '{{"name":"DB_PASSWORD","value":"{}"}}',
    '{{\\"name\\":\\"DB_PASSWORD\\",\\"value\\":\\"{}\\"}}',
    "- name: DB_PASSWORD\n  value: {}",
    "DB_PASSWORD: {}",
    "2026-11-24T12:00:00.1Z   password: {}",
    "{{Host:db Password:{} Port:5432}}",
    "X-Api-Key: {} accepted",
    "//registry/:_authToken={}",
    "<dbPassword>{}</dbPassword>",
    "Authorization: Bearer {}",
    'curl -H "Authorization: token {}"',
    "{{'Authorization': 'Bearer {}'}}",
    "postgres://shop:{}@db:5432/shop",
    "redis://:{}@cache:6379/0",
    "amqp://u:x@{}@mq/",
    "mysql://u:a/{}@db/shop",
    "DefaultEndpointsProtocol=https;AccountKey=" + LETTERS[:40] + "{}",
    "https://x.blob.core/c?sv=1&sig=" + LETTERS[:20] + "{}",
    "Cookie: theme=dark; sid={}",
]

SURVIVORS = [
    "commit 4bf92f3577b34da6a3ce929d0e0e47361234abcd",
    "image ghcr.io/acme/checkout@sha256:" + "0123456789abcdef" * 4,
    "pod checkout-7d9f8b6c5-abcde of replicaset checkout-7d9f8b6c5 started",
    "request 550e8400-e29b-41d4-a716-446655440000 done",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "    token = self.token",
    "    token = read_token(path)",
    '    secret = os.environ["SECRET"]',
    "    if token == other:",
    "    return connect(password=password)",
    "def login(user: str, password: str) -> None:",
    "KeyError: 'API_TOKEN'",
    "AttributeError: 'NoneType' object has no attribute 'token'",
    "prompt_tokens=512 max_tokens: 4096 tokens=88",
    '{"usage": {"total_tokens": 1234, "tokens": 1234}}',
    "SyntaxError: Unexpected token } in JSON at position 3",
    "unexpected token: foo",
    "Basic authentication is required",
    "couldn't find key DB_PASSWORD in Secret shop/checkout-db",
    "GET http://payments:8080/users/ana@example.com 200",
    "password=*** token=${TOKEN} secret=None api_key=$(KEY)",
    "the file has no -----END of anything",
    "Traceback (most recent call last):",
    '  File "/app/shop/auth/token.py", line 12, in refresh_token',
    "bypass=on compass=north",
    "2026-11-24T12:00:00Z INFO cache key=orders:42 hit=true",
    "task-runner-with-a-rather-long-name-0123456789 ready",
]


@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("frame", ["{}", "using {} now", "url='{}',", '"x": "{}"'])
def test_a_secret_is_known_by_its_shape(secret: str, frame: str) -> None:
    redacted = Redactor().redact_text(frame.format(secret))
    assert secret[-20:] not in redacted
    assert secret[8:28] not in redacted
    assert "[REDACTED:" in redacted


@pytest.mark.parametrize("frame", NAMED)
def test_a_secret_is_known_by_its_name(frame: str) -> None:
    redacted = Redactor().redact_text(frame.format(SECRET))
    assert "hunter2" not in redacted
    assert "Swordfish" not in redacted
    assert "[REDACTED:" in redacted


@pytest.mark.parametrize("line", SURVIVORS)
def test_what_a_diagnosis_needs_survives(line: str) -> None:
    assert Redactor().redact_text(line) == line


@pytest.mark.parametrize("text", [*SHAPES.values(), *(frame.format(SECRET) for frame in NAMED)])
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor()
    once = redactor.redact_text(text)
    assert redactor.redact_text(once) == once
    assert Redactor().redact_text(once) == once


def test_the_same_secret_reads_the_same_everywhere_and_two_never_do() -> None:
    redactor = Redactor()
    log = redactor.redact_text(f"password={SECRET}\ntoken=other-secret-1\npassword={SECRET}").split("\n")
    env = redactor.redact_json({"env": [{"name": "DB_PASSWORD", "value": SECRET}]})
    assert log[0] == log[2]
    assert env["env"][0]["value"] == log[0].removeprefix("password=")
    assert log[1].removeprefix("token=") != log[0].removeprefix("password=")


def test_a_placeholder_that_is_there_already_is_not_given_to_another_secret() -> None:
    redactor = Redactor()
    assert redactor.redact_text("password=[REDACTED:secret:7] token=fresh-secret-9") == (
        "password=[REDACTED:secret:7] token=[REDACTED:secret:8]"
    )


def test_basic_credentials_go_whatever_announces_them() -> None:
    value = base64.b64encode(b"ana:hunter2").decode()
    assert value not in Redactor().redact_text(f"sent Basic {value}")
    assert value not in json.dumps(Redactor().redact_json({"httpHeaders": [{"name": "X", "value": f"Basic {value}"}]}))


def test_a_key_is_found_in_a_log_with_timestamps_escaped_and_cut_at_either_end() -> None:
    lines = PRIVATE_KEY.split("\n")
    stamped = "\n".join(f"2026-11-24T12:00:0{at}.1Z {line}" for at, line in enumerate(lines))
    for text in (
        f"before\n{stamped}\nafter",
        "before " + json.dumps(PRIVATE_KEY) + " after",
        "before " + json.dumps(json.dumps({"k": PRIVATE_KEY})) + " after",
        "before\n" + "\n".join(lines[:3]),
        "\n".join(lines[2:]) + "\nafter",
        "\n".join(stamped.split("\n")[2:]) + "\nafter",
    ):
        redacted = Redactor().redact_text(text)
        assert not any(line[5:30] in redacted for line in lines[1:4])
        assert ("before" in redacted, "after" in redacted) == ("before" in text, "after" in text)


def test_the_mention_of_a_key_does_not_swallow_the_log_behind_it() -> None:
    text = "expected -----BEGIN PRIVATE KEY----- in tls.key\nTraceback (most recent call last):\nValueError: no key"
    assert Redactor().redact_text(text).endswith("in tls.key\nTraceback (most recent call last):\nValueError: no key")


@pytest.mark.parametrize(
    ("document", "gone"),
    [
        ({"apiKey": SECRET}, SECRET),
        ({"password": 12345678}, "12345678"),
        ({"passwords": {"password": [SECRET]}}, SECRET),
        ({"env": [{"name": "PAYMENT_API_KEY", "value": SECRET}]}, SECRET),
        ({"headers": [{"key": "Authorization", "value": f"Basic {SECRET}"}]}, SECRET),
        ({"args": ["--token", f"--password={SECRET}"]}, SECRET),
        ({"note": f"postgres://u:{SECRET}@db/x"}, SECRET),
        ({f"ghp_{LETTERS[:36]}": 1}, LETTERS[:36]),
        ({"kind": "Secret", "data": {"anything": SECRET}}, SECRET),
        ({"last-applied": json.dumps({"env": [{"name": "DB_PASSWORD", "value": SECRET}]})}, SECRET),
        ({"data": {"app.yaml": f"db:\n  password: {SECRET}\n"}}, SECRET),
    ],
)
def test_json_is_redacted_by_key_and_by_entry(document: dict[str, Any], gone: str) -> None:
    redacted = Redactor().redact_json(document)
    assert gone not in json.dumps(redacted)
    assert Redactor().redact_json(redacted) == redacted


def test_json_that_says_nothing_secret_stays_as_it_is() -> None:
    document = {
        "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
        "volumes": [{"name": "token", "secret": {"secretName": "checkout-db", "defaultMode": 420}}],
        "automountServiceAccountToken": True,
        "imagePullSecrets": [{"name": "registry"}],
        "usage": {"max_tokens": 4096, "tokens": 2000},
        "text": '["plain", {"a": 1}]',
    }
    assert Redactor().redact_json(document) == document


def test_the_key_in_the_recorded_notification_is_gone_and_the_rest_is_not() -> None:
    bodies = sorted(RECORDINGS.glob("01-*/[0-9][0-9][0-9].json"))
    assert bodies
    for path in bodies:
        raw = path.read_text()
        assert "sk_test_EXAMPLE_NOT_A_SECRET" in raw
        redacted = json.dumps(Redactor().redact_json(json.loads(raw)))
        assert "sk_test_EXAMPLE_NOT_A_SECRET" not in redacted
        assert "PAYMENT_API_KEY" in redacted
        assert "http://payment-api.payments.svc.cluster.local" in redacted


def test_nothing_else_in_any_recorded_notification_is_touched() -> None:
    checked = 0
    for path in RECORDINGS.glob("*/*.json"):
        if path.name.endswith(".meta.json") or path.parent.name.startswith("01-"):
            continue
        body = json.loads(path.read_text())
        assert Redactor().redact_json(body) == body, path
        checked += 1
    assert checked > 50


def test_nesting_without_end_is_cut() -> None:
    document: Any = {"password": SECRET}
    for _ in range(400):
        document = [document]
    assert "cut: nested too deeply" in json.dumps(Redactor().redact_json(document))


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "-eyJ",
        ".eyJaaaaaaaa",
        "-----BEGIN PRIVATE KEY-----",
        "A" * 64 + "\n",
        "password=",
        "password ",
        'password="',
        "password: ",
        "token=a(",
        "token=a,",
        "\\",
        " ",
        "aa://u:",
        "a://b:c@",
        "authorization: ",
        "<password>",
        '"name":"token","value":',
        "[REDACTED:secret:1]",
        "sk-",
        "name: token\n",
        "bearer a ",
    ],
)
def test_a_hostile_megabyte_takes_time_in_proportion(unit: str) -> None:
    """Five times the length must not take much more than five times as long: nested repeats would take 25 times."""

    def seconds(size: int) -> float:
        text = unit * (size // len(unit)) + "!"
        start = time.process_time()  # a busy machine is not the redactor's fault
        Redactor().redact_text(text)
        return time.process_time() - start

    short, long = (min(seconds(size) for _ in range(2)) for size in (40_000, 200_000))
    assert long < 15 * short + 0.1


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True),
        ("dbPassword", True),
        ("PGPASSWORD", True),
        ("clientSecret", True),
        ("x-api-key", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("SECRET_KEY_BASE", True),
        ("TOKEN_2", True),
        ("Authorization", True),
        ("token_count", False),
        ("max_tokens", False),
        ("secretName", False),
        ("PASSWORD_MIN_LENGTH", False),
        ("PAYMENT_API_URL", False),
        ("cache_key", False),
        ("bypass", False),
        ("TOKEN_FILE", False),
    ],
)
def test_a_name_says_secret_by_its_last_word(name: str, secret: bool) -> None:  # noqa: FBT001 - a column of the table
    assert names_secret(name) is secret


def test_what_was_redacted_is_turned_back_by_the_one_who_did_it_and_by_nobody_else() -> None:
    redactor = Redactor()
    text = 'DB_PASSWORD = "hunter2-x"\ntoken=ghp_0123456789abcdefghijABCDEFGHIJ012345\n'
    redacted = redactor.redact_text(text)
    assert redactor.restore(redacted) == text
    assert Redactor().restore(redacted) == redacted
    assert redactor.restore("[REDACTED:secret:99] [REDACTED:") == "[REDACTED:secret:99] [REDACTED:"


def test_a_secret_that_was_seen_once_is_known_without_its_name() -> None:
    redactor = Redactor()
    redactor.redact_text('password = "hunter2-x"\nDB_PASSWORD = "secret"\nAPI_KEY = "correcthorsebattery"\n')
    known = redactor.redact_known("greeting = hunter2-x; correcthorsebattery\n[REDACTED:secret:1] is no secret")
    assert "hunter2" not in known
    assert "correcthorse" not in known
    assert known.endswith("[REDACTED:secret:1] is no secret")
    assert redactor.restore(known).startswith("greeting = hunter2-x; correcthorsebattery\n")
