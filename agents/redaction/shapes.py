"""Secrets that can be known by their shape, wherever they stand."""

import re

TIME = r"(?:\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) ?)?"
_BREAK = rf"(?:\r?\n|\\{{1,4}}[rn]|[ \t]){{0,4}}{TIME}"
KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{_BREAK}(?:[A-Z][A-Za-z-]{{1,20}}: [^\n\\]{{1,200}}|[A-Za-z0-9+/=]{{20,}}+))*+"
    rf"(?:{_BREAK}[A-Za-z0-9+/=]{{0,100}}{_BREAK}(?:{KEY_END.pattern}|\Z))?"
)
"""With its lines, logged, escaped or cut. It ends where the text stops looking like a key: a mention eats nothing."""
KEY_LINE = re.compile(rf"{TIME}[A-Za-z0-9+/=]{{0,100}}\r?\n?")

SHAPES: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "github-token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})\b"),
    ),
    (
        "gitlab-token",
        ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "gloas-", "glimt-"),
        re.compile(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[A-Za-z0-9_.-]{20,255}"),
    ),
    (
        "bitbucket-token",
        ("atbb", "atatt3", "atctt3"),
        re.compile(r"\bAT(?:BB[A-Za-z0-9]{24,64}|(?:ATT|CTT)3[A-Za-z0-9_=-]{40,255})"),
    ),
    ("azure-devops-token", ("azdo",), re.compile(r"\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b")),
    (
        "aws-key-id",
        ("akia", "asia", "abia", "acca"),
        re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ),
    ("gcp-key", ("aiza",), re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    (
        "gcp-token",
        ("ya29.", "gocspx-"),
        re.compile(r"\b(?:ya29\.[A-Za-z0-9_-]{20,}+|GOCSPX-[A-Za-z0-9_-]{20,64})"),
    ),
    (
        "azure-key",
        ("accountkey=", "sharedaccesskey="),
        re.compile(r"(?i)(?:(?<=AccountKey=)|(?<=SharedAccessKey=))[A-Za-z0-9+/]{30,120}={0,2}"),
    ),
    ("azure-secret", ("q~",), re.compile(r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])")),
    (
        "url-signature",
        ("sig=", "signature="),
        re.compile(r"(?i)(?<=[?&])(?:sig|signature|x-(?:amz|goog)-signature)=[\w%+/-]{16,}+={0,2}"),
    ),
    ("digitalocean-token", ("_v1_",), re.compile(r"\bdo[opr]_v1_[a-f0-9]{64}\b")),
    ("slack-token", ("xox", "xapp-"), re.compile(r"\b(?:xox[abeprs]|xapp)-[A-Za-z0-9-]{10,255}")),
    (
        "slack-webhook",
        ("hooks.slack.com",),
        re.compile(r"https://hooks\.slack\.com/services/[A-Za-z0-9/_-]{10,200}"),
    ),
    (
        "stripe-key",
        ("k_live_", "k_test_", "whsec_"),
        re.compile(r"\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}\b|whsec_[A-Za-z0-9+/]{24,64}=*)"),
    ),
    (
        "openai-key",
        ("sk-",),
        re.compile(r"\bsk-(?:(?:proj|ant|svcacct|admin|or)-[A-Za-z0-9_-]{20,255}|[A-Za-z0-9]{20,255}\b)"),
    ),
    ("huggingface-token", ("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{30,64}\b")),
    ("docker-token", ("dckr_",), re.compile(r"\bdckr_[po]at_[A-Za-z0-9_-]{20,64}")),
    ("vault-token", ("hvs.", "hvb.", "hvr."), re.compile(r"\bhv[bsr]\.[A-Za-z0-9_-]{20,255}")),
    ("npm-token", ("npm_",), re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("pypi-token", ("pypi-",), re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}+")),
    ("sendgrid-key", ("sg.",), re.compile(r"\bSG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{16,80}")),
)
"""Kind, what a line must hold in lower case for the pattern to be tried, and the pattern."""
DOTTED = re.compile(r"(?<![A-Za-z0-9_])eyJ[\w-]*+(?:\.[\w-]*+){0,4}")
JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|eyJ[\w-]{8,}(?:\.[\w-]*){4}")
AFTER_HEAD: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "url-password",
        "://",
        re.compile(
            r"(?i)(?P<head>\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@\"'<>]{0,200}:)"
            r"(?P<value>[^\s/\"'<>]{1,500}(?=@)|(?!\d{1,5}[/?#])[^\s\"'<>]{1,500}?(?=@))"
        ),
    ),
    (
        "authorization",
        "authorization",
        re.compile(
            r"(?i)(?P<head>\b(?:proxy-)?authorization\\{0,3}[\"']?\s{0,3}[:=]\s{0,3}\\{0,3}[\"']?"
            r"(?:basic|bearer|token|digest|apikey|negotiate)\s{1,3})(?P<value>[^\s\"',;\\]{4,}+)"
        ),
    ),
    (
        "cookie",
        "cookie",
        re.compile(
            r"(?i)(?P<head>\b(?:set-)?cookie\\{0,3}[\"']?\s{0,3}:\s{0,3}\\{0,3}[\"']?)"
            r"(?P<value>[\w.%-]{1,100}=[^\"'\n\\]++)"
        ),
    ),
    ("bearer", "bearer", re.compile(r"(?i)(?P<head>\bbearer\s{1,3})(?P<value>[A-Za-z0-9._~+/-]{16,}+=*)")),
)
"""Secrets that follow something which says what they are, and which stays: kind, what the text must hold, pattern."""
BASIC = re.compile(r"(?i)(?P<head>\bbasic\s{1,3})(?P<value>[A-Za-z0-9+/]{4,}+={0,2})")
