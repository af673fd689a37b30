"""What may leave the service: the server's policy, the repository's own file, and the decision on a diff.

Deny by default and in code, whatever produced the diff: a repository without an entry is not touched.
"""

from agents.policy.decision import Decision, decide
from agents.policy.diffs import refuse_diff, refuse_written_diff
from agents.policy.paths import is_inside, refuse_path, refuse_written_path
from agents.policy.rules import (
    MODES,
    Mode,
    Policy,
    RepositoryFile,
    RepositoryRule,
    effective_mode,
    parse_policy,
    parse_repository_file,
)
from agents.policy.secrets import refuse_secrets
from agents.policy.silencing import refuse_silencing
from agents.policy.terms import NOTHING_KNOWN, STRICTEST, Background, ModelTerms

__all__ = [
    "MODES",
    "NOTHING_KNOWN",
    "STRICTEST",
    "Background",
    "Decision",
    "Mode",
    "ModelTerms",
    "Policy",
    "RepositoryFile",
    "RepositoryRule",
    "decide",
    "effective_mode",
    "is_inside",
    "parse_policy",
    "parse_repository_file",
    "refuse_diff",
    "refuse_path",
    "refuse_secrets",
    "refuse_silencing",
    "refuse_written_diff",
    "refuse_written_path",
]
